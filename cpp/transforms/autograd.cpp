#include "transforms/autograd.h"

#include <atomic>
#include <unordered_map>

#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

thread_local bool recording = true;
thread_local int depth = 0;
std::atomic<int> open_traces{0};

// The part of a graph through which cotangents can flow, inputs before their users.
struct Walk {
  std::vector<Tensor> order;
  std::unordered_map<const Node*, size_t> position;  // in `order`
  std::vector<bool> depends;                         // on a target

  bool reaches(const Node* node) const {
    const auto found = position.find(node);
    return found != position.end() && depends[found->second];
  }
};

// Depth first without recursion. `is_target` ends a path, `follows` says whether a node may lie on one.
template <class IsTarget, class Follows>
Walk walk_back(std::span<const Tensor> outputs, const IsTarget& is_target, const Follows& follows, const char* op) {
  struct Frame {
    Tensor tensor;
    uint32_t next = 0;
    bool depends = false;
  };
  Walk walk;
  std::vector<Frame> stack;
  for (const Tensor& output : outputs) {
    if (walk.position.contains(output.node())) continue;
    stack.push_back({output});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const Node* node = frame.tensor.node();
      const bool target = is_target(node);
      if (!target && follows(node)) {
        if (node->n_inputs == 0)
          fail(Code::state, op, "the graph of a '", node->label,
               "' result was released before its gradient was asked for");
        if (frame.next < node->n_inputs) {
          const Tensor& input = node->inputs()[frame.next++];
          const auto seen = walk.position.find(input.node());
          if (seen == walk.position.end())
            stack.push_back({input});
          else
            frame.depends |= walk.depends[seen->second];
          continue;
        }
      }
      const bool depends = target || frame.depends;
      walk.position.emplace(node, walk.order.size());
      walk.order.push_back(std::move(frame.tensor));
      walk.depends.push_back(depends);
      stack.pop_back();
      if (!stack.empty()) stack.back().depends |= depends;
    }
  }
  return walk;
}

void accumulate(Tensor& sum, Tensor term) { sum = sum ? ops::add(sum, term) : std::move(term); }

// Cotangents for every node of the walk that depends on a target; indexed as walk.order.
template <class IsTarget>
std::vector<Tensor> pull(const Walk& walk, std::span<const Tensor> outputs, std::span<const Tensor> cotangents,
                         const IsTarget& is_target) {
  std::vector<Tensor> sums(walk.order.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (walk.reaches(outputs[i].node())) accumulate(sums[walk.position.at(outputs[i].node())], cotangents[i]);
  for (size_t at = walk.order.size(); at-- > 0;) {
    if (!walk.depends[at] || !sums[at]) continue;
    const Tensor& output = walk.order[at];
    const Node& node = *output.node();
    if (is_target(&node)) continue;
    Pullback pullback(output, std::exchange(sums[at], Tensor()));
    for (uint32_t i = 0; i < node.n_inputs; ++i) {
      const auto input = walk.position.find(node.inputs()[i].node());
      if (input == walk.position.end() || !walk.depends[input->second]) continue;
      Tensor term = pullback.to_input(static_cast<int>(i));
      if (term) accumulate(sums[input->second], std::move(term));
    }
  }
  return sums;
}

void check_cotangent(const Tensor& output, const Tensor& cotangent, const char* op) {
  if (!(output.shape() == cotangent.shape()))
    fail(Code::shape, op, "a cotangent has shape ", cotangent.shape(), ", its output ", output.shape());
}

}  // namespace

bool grad_enabled() { return recording; }
NoGradScope::NoGradScope() : previous_(recording) { recording = false; }
NoGradScope::~NoGradScope() { recording = previous_; }

int trace_depth() { return depth; }
bool any_trace_open() { return open_traces.load(std::memory_order_relaxed) > 0; }
TraceScope::TraceScope() {
  ++depth;
  ++open_traces;
}
TraceScope::~TraceScope() {
  --depth;
  --open_traces;
}

Tensor trace_argument(const Tensor& a) {
  Tensor fresh = make_node(Op::alias, a.dtype(), a.shape(), std::span<const Tensor>(&a, 1));
  fresh->traced = true;
  return fresh;
}

std::vector<Tensor> pullback(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                             std::span<const Tensor> cotangents) {
  if (outputs.size() != cotangents.size())
    fail(Code::value, "vjp", outputs.size(), " outputs but ", cotangents.size(), " cotangents");
  for (size_t i = 0; i < outputs.size(); ++i) check_cotangent(outputs[i], cotangents[i], "vjp");
  std::unordered_map<const Node*, size_t> targets;
  for (size_t i = 0; i < inputs.size(); ++i) targets.emplace(inputs[i].node(), i);
  const auto is_target = [&](const Node* node) { return targets.contains(node); };
  const Walk walk = walk_back(outputs, is_target, [](const Node* node) { return node->traced; }, "vjp");
  const std::vector<Tensor> sums = pull(walk, outputs, cotangents, is_target);
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    const auto found = walk.position.find(input.node());
    const bool reached = found != walk.position.end() && sums[found->second];
    result.push_back(reached ? sums[found->second] : ops::zeros_like(input));
  }
  return result;
}

std::pair<std::vector<Tensor>, std::vector<Tensor>> vjp(const Function& fun, std::span<const Tensor> primals,
                                                        std::span<const Tensor> cotangents) {
  const TraceScope scope;
  std::vector<Tensor> arguments;
  for (const Tensor& primal : primals) arguments.push_back(trace_argument(primal));
  std::vector<Tensor> outputs = fun(arguments);
  std::vector<Tensor> pulled = pullback(outputs, arguments, cotangents);
  return {std::move(outputs), std::move(pulled)};
}

bool requires_grad(const Tensor& a) { return a->leaf || a->taped; }

void set_requires_grad(const Tensor& a, bool value) {
  if (a->taped) {
    if (value) return;
    fail(Code::state, "requires_grad", "this tensor was computed from others that require a gradient; use detach()");
  }
  if (value && !is_inexact(a.dtype()))
    fail(Code::dtype, "requires_grad", "only float and complex tensors can require a gradient, this one is ",
         a.dtype());
  if (value && !a->leaf) a->leaf = std::make_unique<Leaf>();
  if (!value) a->leaf.reset();
}

void backward(const Tensor& output, const Tensor* cotangent) {
  if (!requires_grad(output))
    fail(Code::state, "backward", "this tensor does not depend on any that requires a gradient");
  if (!cotangent && output.size() != 1)
    fail(Code::value, "backward", "a tensor of shape ", output.shape(),
         " needs a cotangent; only a single number has none");
  if (cotangent) check_cotangent(output, *cotangent, "backward");
  const NoGradScope off;
  const Tensor seed = cotangent ? *cotangent : ops::ones_like(output);
  const auto is_target = [](const Node* node) { return node->leaf != nullptr; };
  const Walk walk = walk_back(
      std::span<const Tensor>(&output, 1), is_target, [](const Node* node) { return node->taped; }, "backward");
  const std::vector<Tensor> sums =
      pull(walk, std::span<const Tensor>(&output, 1), std::span<const Tensor>(&seed, 1), is_target);
  for (size_t i = 0; i < walk.order.size(); ++i)
    if (sums[i] && walk.order[i]->leaf) accumulate(walk.order[i]->leaf->grad, sums[i]);
}

Tensor detach(const Tensor& a) { return ops::stop_gradient(a); }

}  // namespace ist
