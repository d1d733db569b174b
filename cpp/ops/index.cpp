// Ops that read or write at indices given as tensors. Bounds of the indices are the kernels' business, at evaluation.
#include "ops/ops.h"
#include "ops/shape_checks.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

void check_index_dtype(const Tensor& indices, const char* op) {
  if (is_bool(indices.dtype()))
    fail(Code::value, op, "boolean indices are not supported; use where, or integer indices");
  if (!is_integer(indices.dtype())) fail(Code::value, op, "indices must be integers, but are ", indices.dtype());
}

// Axes in [0, rank), each once, one for every index operand.
Dims check_index_axes(const Dims& axes, size_t n_indices, const Tensor& a, const char* op) {
  if (static_cast<size_t>(axes.size()) != n_indices)
    fail(Code::value, op, axes.size(), " axes are given for ", n_indices, " index tensors");
  Dims normal;
  for (int64_t axis : axes) {
    const int at = normalize_axis(axis, a.rank(), op);
    if (normal.contains(at)) fail(Code::value, op, "axis ", axis, " is given twice in ", axes);
    normal.push_back(at);
  }
  return normal;
}

// The index operands, broadcast to their common shape, which is returned.
Dims broadcast_indices(std::span<Tensor> indices, const char* op) {
  Dims shape;
  for (const Tensor& index : indices) {
    check_index_dtype(index, op);
    shape = broadcast_shapes(shape, index.shape(), op);
  }
  for (Tensor& index : indices) index = ops::broadcast_to(index, shape);
  return shape;
}

void check_slice_sizes(const Tensor& a, const Dims& axes, const Dims& sizes, bool any_index, const char* op) {
  if (sizes.size() != a.rank())
    fail(Code::value, op, "slice sizes ", sizes, " do not match a tensor of shape ", a.shape());
  for (int i = 0; i < a.rank(); ++i) {
    const bool indexed = axes.contains(i);
    if (indexed && sizes[i] != 1)
      fail(Code::value, op, "the slice size on indexed axis ", i, " must be 1, but is ", sizes[i]);
    // Taking nothing from an empty axis is fine.
    if (indexed && !any_index) continue;
    if (indexed && a.shape()[i] == 0) fail(Code::value, op, "cannot take an element from axis ", i, ", which is empty");
    if (sizes[i] < 0 || sizes[i] > a.shape()[i])
      fail(Code::value, op, "slice size ", sizes[i], " is out of range for axis ", i, " with size ", a.shape()[i]);
  }
}

Tensor zeros_of(const Dims& shape, const Tensor& like) { return ops::broadcast_to(ops::scalar_like(0, like), shape); }

// 0, 1, 2, ... in `shape`, on the device of `like`: a name for every element that is written.
Tensor numbered(const Dims& shape, const Tensor& like) {
  const DeviceScope scope(like.device());
  const int64_t count = element_count(shape);
  RangeAttrs range;
  range.count = count;
  range.dtype = count > INT32_MAX ? DType::int64 : DType::int32;
  return ops::reshape(call_arange({}, range), shape);
}

Tensor minus_ones(const Dims& shape, const Tensor& numbers) {
  return ops::broadcast_to(ops::scalar_like(-1, numbers), shape);
}

}  // namespace

// ---- gather ----

Tensor call_gather(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("gather");
  if (inputs.empty()) fail(Code::value, "gather", "a tensor to gather from is needed");
  const Tensor& a = inputs[0];
  std::vector<Tensor> operands(inputs.begin(), inputs.end());
  const auto& given = std::get<IndexAttrs>(attrs);
  IndexAttrs resolved{check_index_axes(given.axes, inputs.size() - 1, a, "gather"), given.slice_sizes};
  Dims shape = broadcast_indices(std::span(operands).subspan(1), "gather");
  check_slice_sizes(a, resolved.axes, resolved.slice_sizes, element_count(shape) != 0, "gather");
  for (int64_t size : resolved.slice_sizes) shape.push_back(size);
  element_count(shape, "gather");
  return make_node(Op::gather, a.dtype(), std::move(shape), operands, std::move(resolved));
}

Tensor transpose_gather(const RuleArgs& args, int i, const Tensor& cotangent) {
  if (i != 0) return {};
  return ops::scatter_add(zeros_of(args.inputs[0].shape(), cotangent), args.inputs.subspan(1), cotangent,
                          args.get<IndexAttrs>().axes);
}

// ---- scatter, scatter_add ----

namespace {

// Both take (a, updates, indices...); updates have the shape that gather would give for slice_sizes.
Tensor make_scatter(Op op, std::span<const Tensor> inputs, const Attrs& attrs) {
  const char* label = name(op);
  if (inputs.size() < 2) fail(Code::value, label, "a tensor and updates are needed");
  const Tensor& a = inputs[0];
  std::vector<Tensor> operands(inputs.begin(), inputs.end());
  const auto& given = std::get<IndexAttrs>(attrs);
  IndexAttrs resolved{check_index_axes(given.axes, inputs.size() - 2, a, label), given.slice_sizes};
  Dims shape = broadcast_indices(std::span(operands).subspan(2), label);
  check_slice_sizes(a, resolved.axes, resolved.slice_sizes, element_count(shape) != 0, label);
  for (int64_t size : resolved.slice_sizes) shape.push_back(size);
  if (!(broadcast_shapes(inputs[1].shape(), shape, label) == shape))
    fail(Code::shape, label, "updates of shape ", inputs[1].shape(), " do not fit the indexed shape ", shape);
  operands[1] = ops::broadcast_to(ops::astype(inputs[1], a.dtype()), shape);
  return make_node(op, a.dtype(), a.shape(), operands, std::move(resolved));
}

IndexAttrs scatter_attrs(const Tensor& a, const Tensor& updates, const Dims& axes, const char* op) {
  if (updates.rank() < a.rank())
    fail(Code::shape, op, "updates of shape ", updates.shape(), " have fewer axes than the tensor's shape ", a.shape());
  Dims sizes;
  for (int i = updates.rank() - a.rank(); i < updates.rank(); ++i) sizes.push_back(updates.shape()[i]);
  return {axes, sizes};
}

std::vector<Tensor> scatter_operands(const Tensor& a, std::span<const Tensor> indices, const Tensor& updates) {
  std::vector<Tensor> operands{a, updates};
  operands.insert(operands.end(), indices.begin(), indices.end());
  return operands;
}

}  // namespace

Tensor call_scatter(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("scatter");
  return make_scatter(Op::scatter, inputs, attrs);
}

// A write that a later one covers has no influence: numbering the updates and scattering the numbers tells which ones
// are left at the end. (Upstream hands the cotangent to all of them.)
Tensor vjp_scatter(const RuleArgs& args, int i, const Tensor& cotangent) {
  if (i > 1) return {};
  const auto& [axes, sizes] = args.get<IndexAttrs>();
  const auto indices = args.inputs.subspan(2);
  const Dims& update_shape = args.inputs[1].shape();
  if (i == 0) return ops::scatter(cotangent, indices, zeros_of(update_shape, cotangent), axes);
  const Tensor numbers = numbered(update_shape, cotangent);
  const Tensor writers = ops::scatter(minus_ones(cotangent.shape(), numbers), indices, numbers, axes);
  const Tensor left = ops::equal(ops::gather(writers, indices, axes, sizes), numbers);
  return ops::where(left, ops::gather(cotangent, indices, axes, sizes), ops::scalar_like(0, cotangent));
}

Tensor call_scatter_add(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("scatter_add");
  return make_scatter(Op::scatter_add, inputs, attrs);
}

Tensor transpose_scatter_add(const RuleArgs& args, int i, const Tensor& cotangent) {
  if (i == 0) return cotangent;
  if (i > 1) return {};
  const auto& [axes, sizes] = args.get<IndexAttrs>();
  return ops::gather(cotangent, args.inputs.subspan(2), axes, sizes);
}

// ---- along one axis ----

namespace {

struct AlongAxis {
  int axis;
  Tensor a, indices;
};

// Checks the operands and broadcasts all axes but `axis` against each other.
AlongAxis along_axis(const Tensor& a, const Tensor& indices, int64_t given_axis, const char* op) {
  const int axis = normalize_axis(given_axis, a.rank(), op);
  check_index_dtype(indices, op);
  if (indices.rank() != a.rank())
    fail(Code::value, op, "indices of shape ", indices.shape(), " need as many axes as the tensor of shape ",
         a.shape());
  Dims a_shape = a.shape(), index_shape = indices.shape();
  for (int i = 0; i < a.rank(); ++i) {
    if (i == axis || a_shape[i] == index_shape[i]) continue;
    if (a_shape[i] != 1 && index_shape[i] != 1)
      fail(Code::shape, op, "shapes ", a.shape(), " and ", indices.shape(), " cannot be broadcast on axis ", i);
    const int64_t extent = a_shape[i] == 1 ? index_shape[i] : a_shape[i];
    a_shape[i] = index_shape[i] = extent;
  }
  if (a_shape[axis] == 0 && element_count(index_shape) != 0)
    fail(Code::value, op, "cannot take an element from axis ", axis, ", which is empty");
  return {axis, ops::broadcast_to(a, a_shape), ops::broadcast_to(indices, index_shape)};
}

AxisAttrs at_axis(int axis) {
  AxisAttrs attrs;
  attrs.axis = axis;
  return attrs;
}

Tensor write_along_axis(Op op, std::span<const Tensor> inputs, const Attrs& attrs) {
  const char* label = name(op);
  const AxisAttrs& given = std::get<AxisAttrs>(attrs);
  const Tensor a = given.has_axis ? inputs[0] : ops::reshape(inputs[0], {inputs[0].size()});
  const AlongAxis at = along_axis(a, inputs[1], given.has_axis ? given.axis : 0, label);
  const Dims& index_shape = at.indices.shape();
  if (!(broadcast_shapes(inputs[2].shape(), index_shape, label) == index_shape))
    fail(Code::shape, label, "values of shape ", inputs[2].shape(), " do not fit indices of shape ", index_shape);
  const Tensor values = ops::broadcast_to(ops::astype(inputs[2], a.dtype()), index_shape);
  const Tensor operands[] = {at.a, at.indices, values};
  const Tensor written = make_node(op, a.dtype(), at.a.shape(), operands, at_axis(at.axis));
  return given.has_axis ? written : ops::reshape(written, inputs[0].shape());
}

}  // namespace

Tensor call_take_along_axis(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("take_along_axis");
  const AxisAttrs& given = std::get<AxisAttrs>(attrs);
  const Tensor a = given.has_axis ? inputs[0] : ops::reshape(inputs[0], {inputs[0].size()});
  const AlongAxis at = along_axis(a, inputs[1], given.has_axis ? given.axis : 0, "take_along_axis");
  const Tensor operands[] = {at.a, at.indices};
  return make_node(Op::take_along_axis, a.dtype(), at.indices.shape(), operands, at_axis(at.axis));
}

Tensor transpose_take_along_axis(const RuleArgs& args, int i, const Tensor& cotangent) {
  if (i != 0) return {};
  return ops::add_along_axis(zeros_of(args.inputs[0].shape(), cotangent), args.inputs[1], cotangent,
                             args.get<AxisAttrs>().axis);
}

Tensor call_put_along_axis(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("put_along_axis");
  return write_along_axis(Op::put_along_axis, inputs, attrs);
}

// Covered writes get nothing: see vjp_scatter.
Tensor vjp_put_along_axis(const RuleArgs& args, int i, const Tensor& cotangent) {
  if (i == 1) return {};
  const int axis = args.get<AxisAttrs>().axis;
  const Tensor& indices = args.inputs[1];
  const Tensor zero = ops::scalar_like(0, cotangent);
  if (i == 0) return ops::put_along_axis(cotangent, indices, zero, axis);
  const Tensor numbers = numbered(indices.shape(), cotangent);
  const Tensor writers = ops::put_along_axis(minus_ones(cotangent.shape(), numbers), indices, numbers, axis);
  const Tensor left = ops::equal(ops::take_along_axis(writers, indices, axis), numbers);
  return ops::where(left, ops::take_along_axis(cotangent, indices, axis), zero);
}

Tensor call_add_along_axis(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("add_along_axis");
  return write_along_axis(Op::add_along_axis, inputs, attrs);
}

Tensor transpose_add_along_axis(const RuleArgs& args, int i, const Tensor& cotangent) {
  if (i == 0) return cotangent;
  if (i == 1) return {};
  return ops::take_along_axis(cotangent, args.inputs[1], args.get<AxisAttrs>().axis);
}

// ---- take ----

Tensor call_take(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("take");
  const AxisAttrs& given = std::get<AxisAttrs>(attrs);
  const Tensor a = given.has_axis ? inputs[0] : ops::reshape(inputs[0], {inputs[0].size()});
  const Tensor& indices = inputs[1];
  const int axis = given.has_axis ? normalize_axis(given.axis, a.rank(), "take") : 0;
  check_index_dtype(indices, "take");
  if (a.shape()[axis] == 0 && indices.size() != 0)
    fail(Code::value, "take", "cannot take elements from axis ", axis, " of shape ", a.shape(), ", which is empty");
  if (axis > 0 && axis == a.rank() - 1) {
    // Elements, not slices: as they are picked row by row, the result is dense.
    Dims rows = a.shape(), shape = a.shape();
    rows.back() = indices.size();
    shape.pop_back();
    for (const int64_t extent : indices.shape()) shape.push_back(extent);
    const Tensor repeated = ops::broadcast_to(ops::reshape(indices, {indices.size()}), rows);
    return ops::reshape(ops::take_along_axis(a, repeated, axis), shape);
  }
  Dims sizes = a.shape();
  sizes[axis] = 1;
  const Tensor found = ops::gather(a, {&indices, 1}, {axis}, sizes);

  // gather puts the index axes first; they belong where the axis was.
  Dims order, shape;
  for (int i = 0; i < axis; ++i) {
    order.push_back(indices.rank() + i);
    shape.push_back(a.shape()[i]);
  }
  for (int i = 0; i < indices.rank(); ++i) {
    order.push_back(i);
    shape.push_back(indices.shape()[i]);
  }
  for (int i = axis; i < a.rank(); ++i) {
    order.push_back(indices.rank() + i);
    if (i != axis) shape.push_back(a.shape()[i]);
  }
  return ops::reshape(ops::transpose(found, order), shape);
}

namespace ops {

Tensor gather(const Tensor& a, std::span<const Tensor> indices, const Dims& axes, const Dims& slice_sizes) {
  std::vector<Tensor> operands{a};
  operands.insert(operands.end(), indices.begin(), indices.end());
  return call_gather(operands, IndexAttrs{axes, slice_sizes});
}

Tensor scatter(const Tensor& a, std::span<const Tensor> indices, const Tensor& updates, const Dims& axes) {
  return call_scatter(scatter_operands(a, indices, updates), scatter_attrs(a, updates, axes, "scatter"));
}

Tensor scatter_add(const Tensor& a, std::span<const Tensor> indices, const Tensor& updates, const Dims& axes) {
  return call_scatter_add(scatter_operands(a, indices, updates), scatter_attrs(a, updates, axes, "scatter_add"));
}

Tensor take_along_axis(const Tensor& a, const Tensor& indices, std::optional<int64_t> axis) {
  AxisAttrs attrs = at_axis(axis ? normalize_axis(*axis, a.rank(), "take_along_axis") : 0);
  attrs.has_axis = axis.has_value();
  const Tensor inputs[] = {a, indices};
  return call_take_along_axis(inputs, attrs);
}

Tensor put_along_axis(const Tensor& a, const Tensor& indices, const Tensor& values, std::optional<int64_t> axis) {
  AxisAttrs attrs = at_axis(axis ? normalize_axis(*axis, a.rank(), "put_along_axis") : 0);
  attrs.has_axis = axis.has_value();
  const Tensor inputs[] = {a, indices, values};
  return call_put_along_axis(inputs, attrs);
}

Tensor add_along_axis(const Tensor& a, const Tensor& indices, const Tensor& values, int64_t axis) {
  const Tensor inputs[] = {a, indices, values};
  return call_add_along_axis(inputs, at_axis(normalize_axis(axis, a.rank(), "add_along_axis")));
}

Tensor take(const Tensor& a, const Tensor& indices, std::optional<int64_t> axis) {
  AxisAttrs attrs = at_axis(axis ? normalize_axis(*axis, a.rank(), "take") : 0);
  attrs.has_axis = axis.has_value();
  const Tensor inputs[] = {a, indices};
  return call_take(inputs, attrs);
}

}  // namespace ops
}  // namespace ist
