// a[...] in NumPy's manner, as graph ops: integers, slices, '...', new axes and tensors of integers in any mixture.
#pragma once

#include <optional>
#include <span>
#include <variant>

#include "graph/tensor.h"

namespace ist::ops {

struct Slice {
  std::optional<int64_t> start, stop, step;
};
struct Ellipsis {};
struct NewAxis {};
using Index = std::variant<int64_t, Slice, Ellipsis, NewAxis, Tensor>;

// Integer tensors broadcast against each other; their axes come where the first of them stands, or first of all if
// a slice or a new axis stands between them. Integers out of bounds raise IST_ERROR_INDEX at once, elements of
// index tensors at evaluation.
Tensor get_item(const Tensor& a, std::span<const Index> indices);
// A copy of `a` whose a[indices] is `value`, broadcast to it and cast to a's dtype. A boolean tensor alone is a mask
// over the leading axes: its places take the elements of `value` one after another.
Tensor set_item(const Tensor& a, std::span<const Index> indices, const Tensor& value);
// A copy of `a` with `value` added at a[indices]; places that occur several times add up.
Tensor add_item(const Tensor& a, std::span<const Index> indices, const Tensor& value);

}  // namespace ist::ops
