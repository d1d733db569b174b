// Reductions: inference and derivatives side by side.
#include <bit>

#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

using ops::OptionalAxes;

Dims resolve_axes(const Tensor& a, const OptionalAxes& axes, const char* op) {
  if (axes) return normalize_axes(*axes, a.rank(), public_name(op));
  Dims all;
  for (int axis = 0; axis < a.rank(); ++axis) all.push_back(axis);
  return all;
}

Dims reduced_shape(const Dims& shape, const Dims& axes, bool keepdims) {
  Dims result;
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (!axes.contains(axis))
      result.push_back(shape[axis]);
    else if (keepdims)
      result.push_back(1);
  }
  return result;
}

double count_reduced(const Tensor& a, const Dims& axes) {
  double count = 1;
  for (int64_t axis : axes) count *= static_cast<double>(a.shape(static_cast<int>(axis)));
  return count;
}

Tensor reduce(Op op, const Tensor& a, DType dtype, const Dims& axes, bool keepdims) {
  return make_node(op, dtype, reduced_shape(a.shape(), axes, keepdims), std::span<const Tensor>(&a, 1),
                   AxesAttrs{axes, keepdims, 0});
}

// Small integers would overflow soon: their sums and products are 32 bits wide.
DType accumulated_dtype(DType dtype) {
  switch (dtype) {
    case DType::bool_:
    case DType::int8:
    case DType::int16:
      return DType::int32;
    case DType::uint8:
    case DType::uint16:
      return DType::uint32;
    default:
      return dtype;
  }
}

// No axes, no reduction: the operand comes back as it is, with its dtype.
Tensor accumulate(Op op, const Tensor& a, const OptionalAxes& given, bool keepdims) {
  const Dims axes = resolve_axes(a, given, name(op));
  return axes.empty() ? a : reduce(op, a, accumulated_dtype(a.dtype()), axes, keepdims);
}

Tensor extreme(Op op, const Tensor& a, const OptionalAxes& given, bool keepdims) {
  const Dims axes = resolve_axes(a, given, name(op));
  for (int64_t axis : axes)
    if (a.shape(static_cast<int>(axis)) == 0)
      fail(Code::value, public_name(name(op)), "axis ", axis, " of shape ", a.shape(), " is empty, and nothing is the ",
           name(op), " of no elements");
  return axes.empty() ? a : reduce(op, a, a.dtype(), axes, keepdims);
}

Tensor logical(Op op, const Tensor& a, const OptionalAxes& given, bool keepdims) {
  const Dims axes = resolve_axes(a, given, name(op));
  return axes.empty() ? ops::astype(a, DType::bool_) : reduce(op, a, DType::bool_, axes, keepdims);
}

Tensor arg_extreme(Op op, const Tensor& a, std::optional<int64_t> given, bool keepdims) {
  const char* label = public_name(name(op));
  AxisAttrs attrs{0, keepdims, given.has_value()};
  Dims axes;
  if (given)
    axes.push_back(attrs.axis = normalize_axis(*given, a.rank(), label));
  else
    axes = resolve_axes(a, std::nullopt, label);
  if (a.size() == 0) fail(Code::value, label, "shape ", a.shape(), " has no elements");
  return make_node(op, DType::uint32, reduced_shape(a.shape(), axes, keepdims), std::span<const Tensor>(&a, 1), attrs);
}

// Axes that exp-based reductions take: upstream has a ValueError of its own for 0-d operands.
Dims resolve_exp_axes(const Tensor& a, const OptionalAxes& axes, const char* op) {
  if (a.rank() == 0 && axes && !axes->empty())
    fail(Code::value, public_name(op), "axes ", *axes, " given for a tensor with 0 dimensions");
  return resolve_axes(a, axes, op);
}

// ---- the reduced axes as one last axis, and back ----

Dims permutation_to_end(int rank, const Dims& axes) {
  Dims order;
  for (int axis = 0; axis < rank; ++axis)
    if (!axes.contains(axis)) order.push_back(axis);
  for (int64_t axis : axes) order.push_back(axis);
  return order;
}

Tensor permuted(const Tensor& a, const Dims& order) {
  return std::is_sorted(order.begin(), order.end()) ? a : ops::transpose(a, order);
}

Tensor axes_to_end(const Tensor& a, const Dims& axes) {
  Dims shape = reduced_shape(a.shape(), axes, false);
  int64_t count = 1;
  for (int64_t axis : axes) count *= a.shape(static_cast<int>(axis));
  shape.push_back(count);
  return ops::reshape(permuted(a, permutation_to_end(a.rank(), axes)), shape);
}

Tensor axes_from_end(const Tensor& flat, const Dims& shape, const Dims& axes) {
  const Dims order = permutation_to_end(shape.size(), axes);
  Dims moved, inverse(order.size(), 0);
  for (int i = 0; i < order.size(); ++i) {
    moved.push_back(shape[order[i]]);
    inverse[order[i]] = i;
  }
  return permuted(ops::reshape(flat, moved), inverse);
}

// ---- parts of derivatives ----

// A value for each output (the result or its cotangent), in a shape that broadcasts to the operand's.
Tensor with_kept_axes(const RuleArgs& args, const Tensor& per_output) {
  return ops::reshape(per_output, reduced_shape(args.inputs[0].shape(), args.get<AxesAttrs>().axes, true));
}

Tensor slice_last(const Tensor& a, int64_t start, int64_t step, int64_t size) {
  Dims starts(a.rank(), 0), steps(a.rank(), 1), sizes = a.shape();
  starts.back() = start;
  steps.back() = step;
  sizes.back() = size;
  return ops::slice(a, starts, steps, sizes);
}

// For every element the product of all others along the last axis. Up a binary tree the products of pairs, down it
// what is outside of each subtree: no division, so that zeros are right, also in higher derivatives.
Tensor products_of_others(const Tensor& a) {
  const int64_t n = a.shape(-1);
  const int64_t width = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n)));
  Tensor level = a;
  if (width != n) {
    Dims low(a.rank(), 0), high(a.rank(), 0);
    high.back() = width - n;
    level = ops::pad(a, low, high, PadMode::constant, ops::scalar_like(1, a));
  }
  std::vector<Tensor> pairs;
  for (int64_t half = width / 2; half >= 1; half /= 2) {
    const Tensor pair = ops::reshape(level, with_last(a.shape(), {half, 2}));
    pairs.push_back(pair);
    if (half == 1) break;
    const Tensor product = ops::multiply(slice_last(pair, 0, 1, 1), slice_last(pair, 1, 1, 1));
    level = ops::reshape(product, with_last(a.shape(), {half}));
  }
  Tensor outside;
  for (size_t i = pairs.size(); i-- > 0;) {
    Tensor inside = slice_last(pairs[i], 1, -1, 2);  // each element's sibling
    if (outside) {
      const Dims column = with_last(outside.shape(), {outside.shape(-1), 1});
      inside = ops::multiply(ops::reshape(outside, column), inside);
    }
    outside = ops::reshape(inside, with_last(a.shape(), {width >> i}));
  }
  return width == n ? outside : slice_last(outside, 0, 1, n);
}

// Elements that tie for the extreme share the cotangent equally, as upstream has it.
Tensor vjp_extreme(const RuleArgs& args, const Tensor& g) {
  const Tensor& a = args.inputs[0];
  const Tensor chosen = ops::equal(a, with_kept_axes(args, args.output));
  const Tensor count = ops::astype(ops::sum(chosen, args.get<AxesAttrs>().axes, true), at_least_float(g.dtype()));
  const Tensor share = ops::divide(with_kept_axes(args, g), count);
  return ops::where(chosen, share, ops::scalar_like(0, share));
}

}  // namespace

// ---- derivatives ----

Tensor transpose_sum(const RuleArgs& args, int, const Tensor& g) {
  return ops::broadcast_to(with_kept_axes(args, g), args.inputs[0].shape());
}

// The product of all other elements.
Tensor vjp_prod(const RuleArgs& args, int, const Tensor& g) {
  const Tensor& a = args.inputs[0];
  const Dims& axes = args.get<AxesAttrs>().axes;
  if (a.size() == 0) return ops::zeros_like(a);
  const Tensor flat = ops::astype(axes_to_end(a, axes), g.dtype());
  if (flat.shape(-1) == 1) return ops::reshape(g, a.shape());
  const Tensor others = conjugate_if_complex(products_of_others(flat));
  return axes_from_end(ops::multiply(ops::reshape(g, with_last(flat.shape(), {1})), others), a.shape(), axes);
}

Tensor vjp_max(const RuleArgs& args, int, const Tensor& g) { return vjp_extreme(args, g); }
Tensor vjp_min(const RuleArgs& args, int, const Tensor& g) { return vjp_extreme(args, g); }

// exp(a - y), which is softmax
Tensor vjp_logsumexp(const RuleArgs& args, int, const Tensor& g) {
  const Tensor weights = ops::exp(ops::subtract(args.inputs[0], with_kept_axes(args, args.output)));
  return ops::multiply(with_kept_axes(args, g), conjugate_if_complex(weights));
}

// y (g - sum of y g over the last axis)
Tensor vjp_softmax(const RuleArgs& args, int, const Tensor& g) {
  const Tensor y = conjugate_if_complex(args.output);
  const Tensor weighted = ops::multiply(y, g);
  return ops::subtract(weighted, ops::multiply(y, ops::sum(weighted, Dims{-1}, true)));
}

// ---- inference ----

namespace ops {

Tensor sum(const Tensor& a, const OptionalAxes& axes, bool keepdims) { return accumulate(Op::sum, a, axes, keepdims); }
Tensor prod(const Tensor& a, const OptionalAxes& axes, bool keepdims) {
  return accumulate(Op::prod, a, axes, keepdims);
}
Tensor max(const Tensor& a, const OptionalAxes& axes, bool keepdims) { return extreme(Op::max, a, axes, keepdims); }
Tensor min(const Tensor& a, const OptionalAxes& axes, bool keepdims) { return extreme(Op::min, a, axes, keepdims); }
Tensor all(const Tensor& a, const OptionalAxes& axes, bool keepdims) { return logical(Op::all, a, axes, keepdims); }
Tensor any(const Tensor& a, const OptionalAxes& axes, bool keepdims) { return logical(Op::any, a, axes, keepdims); }

Tensor argmax(const Tensor& a, std::optional<int64_t> axis, bool keepdims) {
  return arg_extreme(Op::argmax, a, axis, keepdims);
}
Tensor argmin(const Tensor& a, std::optional<int64_t> axis, bool keepdims) {
  return arg_extreme(Op::argmin, a, axis, keepdims);
}

Tensor logsumexp(const Tensor& a, const OptionalAxes& given, bool keepdims) {
  const LabelScope label("logsumexp");
  if (a.size() == 0) fail(Code::value, public_name("logsumexp"), "shape ", a.shape(), " has no elements");
  const Dims axes = resolve_exp_axes(a, given, "logsumexp");
  const Tensor x = astype(a, at_least_float(a.dtype()));
  return axes.empty() ? x : reduce(Op::logsumexp, x, x.dtype(), axes, keepdims);
}

// The node works along the last axis; over no axes every element is alone with itself.
Tensor softmax(const Tensor& a, const OptionalAxes& given) {
  const LabelScope label("softmax");
  const Dims axes = resolve_exp_axes(a, given, "softmax");
  const Tensor x = astype(a, at_least_float(a.dtype()));
  const auto over_last = [](const Tensor& t) {
    return make_node(Op::softmax, t.dtype(), t.shape(), std::span<const Tensor>(&t, 1),
                     AxesAttrs{Dims{t.rank() - 1}, false, 0});
  };
  if (axes.size() == 1 && axes[0] == a.rank() - 1) return over_last(x);
  return axes_from_end(over_last(axes_to_end(x, axes)), a.shape(), axes);
}

// The sum times the rounded inverse of the count, both in the result's dtype, as upstream. Integers are summed as
// integers.
Tensor mean(const Tensor& a, const OptionalAxes& given, bool keepdims) {
  const LabelScope label("mean");
  const Dims axes = resolve_axes(a, given, "mean");
  const Tensor total = astype(sum(a, axes, keepdims), at_least_float(a.dtype()));
  return multiply(total, scalar_like(1 / count_reduced(a, axes), total));
}

// The mean of squared distances from the mean; of their moduli for complex numbers.
Tensor var(const Tensor& a, const OptionalAxes& given, bool keepdims, int ddof) {
  const LabelScope label("var");
  const Dims axes = resolve_axes(a, given, "var");
  const Tensor x = astype(a, at_least_float(a.dtype()));
  const Tensor distance = subtract(x, mean(x, axes, true));
  const Tensor total = sum(square(is_complex(x.dtype()) ? abs(distance) : distance), axes, keepdims);
  const double divisor = std::max(count_reduced(a, axes) - ddof, 0.0);
  return multiply(total, scalar_like(1 / divisor, total));
}

Tensor std(const Tensor& a, const OptionalAxes& axes, bool keepdims, int ddof) {
  const LabelScope label("std");
  return sqrt(var(a, axes, keepdims, ddof));
}

}  // namespace ops

// ---- by id: the axes are those of the attributes, an empty list reduces nothing ----

#define IST_CALL_REDUCTION(name)                                           \
  Tensor call_##name(std::span<const Tensor> inputs, const Attrs& attrs) { \
    const auto& given = std::get<AxesAttrs>(attrs);                        \
    return ops::name(inputs[0], given.axes, given.keepdims);               \
  }
IST_CALL_REDUCTION(sum)
IST_CALL_REDUCTION(prod)
IST_CALL_REDUCTION(max)
IST_CALL_REDUCTION(min)
IST_CALL_REDUCTION(all)
IST_CALL_REDUCTION(any)
IST_CALL_REDUCTION(logsumexp)
IST_CALL_REDUCTION(mean)
#undef IST_CALL_REDUCTION

Tensor call_softmax(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::softmax(inputs[0], std::get<AxesAttrs>(attrs).axes);
}
Tensor call_var(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& given = std::get<AxesAttrs>(attrs);
  return ops::var(inputs[0], given.axes, given.keepdims, given.ddof);
}
Tensor call_std(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& given = std::get<AxesAttrs>(attrs);
  return ops::std(inputs[0], given.axes, given.keepdims, given.ddof);
}
Tensor call_argmax(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& given = std::get<AxisAttrs>(attrs);
  return ops::argmax(inputs[0], given.has_axis ? std::optional<int64_t>(given.axis) : std::nullopt, given.keepdims);
}
Tensor call_argmin(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& given = std::get<AxisAttrs>(attrs);
  return ops::argmin(inputs[0], given.has_axis ? std::optional<int64_t>(given.axis) : std::nullopt, given.keepdims);
}

}  // namespace ist
