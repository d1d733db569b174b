// Reverse mode for one node, whatever its op: what the rules of the op table are used through.
#pragma once

#include "ops/op_table.h"

namespace ist {

// From the cotangent of `output` to those of the inputs of its node. Built from graph ops, so that they differentiate
// again.
class Pullback {
 public:
  Pullback(const Tensor& output, Tensor cotangent) : output_(output), cotangent_(std::move(cotangent)) {}
  Pullback(const Pullback&) = delete;

  // The cotangent of node.inputs()[i], of that input's shape and dtype. An empty Tensor is an exact zero.
  Tensor to_input(int i);

 private:
  const Tensor& output_;
  Tensor cotangent_;
  std::any made_;  // by the op's rule, for several inputs
};

// For rules of complex ops: the transpose of a linear map is its conjugate here, as upstream has it.
Tensor conjugate_if_complex(const Tensor& a);

// For rules that compute derivatives of float16 and bfloat16 in float32.
Tensor widened(const Tensor& a);

}  // namespace ist
