// In which order the axes of tensors lie in memory, and nodes described with their axes in that order.
#pragma once

#include <span>

#include "abi/backend.h"
#include "graph/dims.h"

namespace ist {

// Axes, from the outermost in memory to the innermost.
using AxisOrder = Dims;

// Do the axes lie in memory as they are named? Those that repeat lie anywhere.
bool lies_in_order(std::span<const int64_t> shape, std::span<const int64_t> strides);

// The order in which every operand of an elementwise node lies; empty if there is none, or if it is the axes' own.
AxisOrder common_order(std::span<const ist_tensor> operands);

// The order in which the operand of a reduction lies; empty if it is the axes' own, or would change a sequence that is
// reduced: then that is only allowed `in_any_order`.
AxisOrder order_to_reduce(const ist_tensor& operand, const ist_axes_attrs& attrs, bool in_any_order);

}  // namespace ist
