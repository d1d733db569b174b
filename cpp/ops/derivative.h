// Reverse mode for one node, whatever its op: what the rules of the op table are used through.
#pragma once

#include "ops/op_table.h"

namespace ist {

// The cotangent of node.inputs()[i], of that input's shape and dtype, given the one of `output` (the tensor that
// `node` is of). Built from graph ops, so it differentiates again. An empty Tensor is an exact zero.
Tensor input_cotangent(const Node& node, const Tensor& output, int i, const Tensor& cotangent);

// For rules of complex ops: the transpose of a linear map is its conjugate here, as upstream has it.
Tensor conjugate_if_complex(const Tensor& a);

}  // namespace ist
