// Sorting along an axis: inference and derivatives.
#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

struct Along {
  Tensor a;
  int axis;
};

// Without an axis: the flat tensor.
Along along(const Tensor& a, std::optional<int64_t> axis, const char* op) {
  if (!axis) return {ops::reshape(a, Dims{a.size()}), 0};
  return {a, normalize_axis(*axis, a.rank(), op)};
}

Tensor order(Op op, const Tensor& a, std::optional<int64_t> given) {
  const auto [x, axis] = along(a, given, public_name(name(op)));
  const DType dtype = op == Op::argsort ? DType::uint32 : x.dtype();
  return make_node(op, dtype, x.shape(), std::span<const Tensor>(&x, 1), AxisAttrs{axis, true, true});
}

// kth counts from the end when negative.
Tensor order_around(Op op, const Tensor& a, int64_t kth, std::optional<int64_t> given) {
  const LabelScope label(public_name(name(op)));
  const auto [x, axis] = along(a, given, public_name(name(op)));
  const int64_t extent = x.shape(axis);
  if (kth < -extent || kth >= extent)
    fail(Code::value, public_name(name(op)), "kth ", kth, " is out of bounds for an axis with ", extent, " elements");
  const DType dtype = op == Op::argpartition ? DType::uint32 : x.dtype();
  const CountAttrs attrs = {kth < 0 ? kth + extent : kth, axis, true};
  return make_node(op, dtype, x.shape(), std::span<const Tensor>(&x, 1), attrs);
}

std::optional<int64_t> axis_of(const AxisAttrs& attrs) {
  return attrs.has_axis ? std::optional<int64_t>(attrs.axis) : std::nullopt;
}
std::optional<int64_t> axis_of(const CountAttrs& attrs) {
  return attrs.has_axis ? std::optional<int64_t>(attrs.axis) : std::nullopt;
}

}  // namespace

namespace ops {

Tensor sort(const Tensor& a, std::optional<int64_t> axis) { return order(Op::sort, a, axis); }
Tensor argsort(const Tensor& a, std::optional<int64_t> axis) { return order(Op::argsort, a, axis); }

Tensor partition(const Tensor& a, int64_t kth, std::optional<int64_t> axis) {
  return order_around(Op::partition, a, kth, axis);
}
Tensor argpartition(const Tensor& a, int64_t kth, std::optional<int64_t> axis) {
  return order_around(Op::argpartition, a, kth, axis);
}

// The last k of all in order. Where it is worth it they are found first.
Tensor topk(const Tensor& a, int64_t k, std::optional<int64_t> axis) {
  constexpr int64_t kMany = 256;
  const LabelScope label("topk");
  const Along x = along(a, axis, "topk");
  const int64_t extent = x.a.shape(x.axis);
  if (k < 0 || k > extent) fail(Code::value, "topk", "k ", k, " is not between 0 and the axis' ", extent, " elements");
  Dims starts(x.a.rank(), 0), steps(x.a.rank(), 1), sizes = x.a.shape();
  starts[x.axis] = extent - k;
  sizes[x.axis] = k;
  if (extent > kMany && k > 0 && k <= extent / 2) {
    return sort(slice(partition(x.a, extent - k, x.axis), starts, steps, sizes), x.axis);
  }
  return slice(sort(x.a, x.axis), starts, steps, sizes);
}

}  // namespace ops

Tensor call_sort(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::sort(inputs[0], axis_of(std::get<AxisAttrs>(attrs)));
}
Tensor call_argsort(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::argsort(inputs[0], axis_of(std::get<AxisAttrs>(attrs)));
}
Tensor call_partition(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& a = std::get<CountAttrs>(attrs);
  return ops::partition(inputs[0], a.count, axis_of(a));
}
Tensor call_argpartition(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& a = std::get<CountAttrs>(attrs);
  return ops::argpartition(inputs[0], a.count, axis_of(a));
}
Tensor call_topk(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& a = std::get<CountAttrs>(attrs);
  return ops::topk(inputs[0], a.count, axis_of(a));
}

// Each cotangent goes back to the place that its element came from.
Tensor vjp_sort(const RuleArgs& args, int, const Tensor& g) {
  const int axis = args.get<AxisAttrs>().axis;
  return ops::put_along_axis(ops::zeros_like(g), ops::argsort(args.inputs[0], axis), g, axis);
}
Tensor vjp_partition(const RuleArgs& args, int, const Tensor& g) {
  const auto& [kth, axis, has_axis] = args.get<CountAttrs>();
  return ops::put_along_axis(ops::zeros_like(g), ops::argpartition(args.inputs[0], kth, axis), g, axis);
}

}  // namespace ist
