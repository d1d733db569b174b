// Reverse-mode differentiation, one engine under two styles: functional (vjp) and tape (backward).
#pragma once

#include <functional>
#include <vector>

#include "graph/tensor.h"

namespace ist {

// True unless a NoGradScope lives on this thread: only then do new nodes join the tape.
bool grad_enabled();
class NoGradScope {
 public:
  NoGradScope();
  ~NoGradScope();
  NoGradScope(const NoGradScope&) = delete;

 private:
  bool previous_;
};
// How many functional transforms this thread is inside of.
int trace_depth();
// Whether any thread is inside one: what it traced may be evaluated by another, and has to keep its edges there, too.
bool any_trace_open();
class TraceScope {
 public:
  TraceScope();
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
};

// A fresh node with a's values from which a transform can differentiate; use inside a TraceScope.
Tensor trace_argument(const Tensor& a);

// The cotangents of `inputs`, each of its shape and dtype, zeros where the outputs do not depend on it. Walks the graph
// from `outputs`; `cotangents` have the outputs' shapes. What it builds are ordinary nodes, so it nests.
std::vector<Tensor> pullback(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                             std::span<const Tensor> cotangents);

// Calls fun on traced arguments and pulls the cotangents back. Returns the outputs and the arguments' cotangents.
using Function = std::function<std::vector<Tensor>(std::span<const Tensor>)>;
std::pair<std::vector<Tensor>, std::vector<Tensor>> vjp(const Function& fun, std::span<const Tensor> primals,
                                                        std::span<const Tensor> cotangents);

// ---- tape ----
bool requires_grad(const Tensor& a);  // a leaf, or depends on one
// On a leaf: float or complex only. On a tensor that depends on others: true does nothing, false raises
// IST_ERROR_STATE.
void set_requires_grad(const Tensor& a, bool value);
// Adds d output / d leaf to the grad of every leaf it depends on; without a cotangent the output must have one element.
void backward(const Tensor& output, const Tensor* cotangent = nullptr);
// The same values without the tape.
Tensor detach(const Tensor& a);

}  // namespace ist
