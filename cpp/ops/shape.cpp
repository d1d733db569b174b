// Views: ops that the runtime executes by strides alone. Each row's inference, layout and transpose side by side.
#include "ops/ops.h"
#include "ops/shape_checks.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

Tensor one_view(Op op, const Tensor& a, Dims shape, Attrs attrs = NoAttrs{}) {
  return make_node(op, a.dtype(), std::move(shape), std::span<const Tensor>(&a, 1), std::move(attrs));
}

bool same_layout(const StridedView& input, StridedView& output) {
  output = input;
  return true;
}

// Replaces a -1 and checks that the element count stays.
Dims resolve_shape(const Tensor& a, const Dims& wanted) {
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == -1) {
      if (unknown >= 0) fail(Code::value, "reshape", "only one extent may be -1, but the shape is ", wanted);
      unknown = i;
    } else if (wanted[i] < 0) {
      fail(Code::value, "reshape", "negative extent ", wanted[i], " in shape ", wanted);
    } else if (__builtin_mul_overflow(known, wanted[i], &known)) {
      known = wanted.contains(0) ? 0 : -1;  // a count that no tensor has; zero extents cancel any overflow
    }
  }
  if (wanted.contains(0)) known = 0;
  Dims shape = wanted;
  if (unknown >= 0) {
    if (known == 0) fail(Code::value, "reshape", "-1 in shape ", wanted, " is ambiguous beside an extent of 0");
    if (known > 0 && a.size() % known == 0) {
      shape[unknown] = a.size() / known;
      known = a.size();
    }
  }
  if (known != a.size())
    fail(Code::shape, "reshape", "cannot reshape ", a.shape(), " (", a.size(), " elements) to ", wanted);
  return shape;
}

}  // namespace

// ---- reshape ----

Tensor call_reshape(std::span<const Tensor> inputs, const Attrs& attrs) {
  const Tensor& a = inputs[0];
  Dims shape = resolve_shape(a, std::get<DimsAttrs>(attrs).dims);
  if (shape == a.shape()) return a;
  DimsAttrs resolved{shape};
  return one_view(Op::reshape, a, std::move(shape), std::move(resolved));
}

// Both shapes are walked in groups of axes with equal products. Within a group the input axes must lie as one, each
// stride the product of the next axis' extent and stride; the new axes then divide the group row-major.
bool layout_reshape(const Node& node, const StridedView& input, StridedView& output) {
  output.offset = input.offset;
  output.strides = row_major_strides(node.shape);
  if (node.size == 0) return true;

  const Dims& old_shape = node.inputs()[0].shape();
  Dims extents, strides;
  for (int i = 0; i < old_shape.size(); ++i) {
    if (old_shape[i] == 1) continue;
    extents.push_back(old_shape[i]);
    strides.push_back(input.strides[i]);
  }
  const Dims& shape = node.shape;
  int from = 0, to = 0;
  while (from < extents.size() && to < shape.size()) {
    int from_end = from + 1, to_end = to + 1;
    int64_t old_count = extents[from], new_count = shape[to];
    while (old_count != new_count) {
      if (new_count < old_count)
        new_count *= shape[to_end++];
      else
        old_count *= extents[from_end++];
    }
    for (int i = from; i + 1 < from_end; ++i) {
      if (strides[i] != extents[i + 1] * strides[i + 1]) return false;
    }
    int64_t stride = strides[from_end - 1];
    for (int i = to_end - 1; i >= to; --i) {
      output.strides[i] = stride;
      stride *= shape[i];
    }
    from = from_end;
    to = to_end;
  }
  return true;
}

Tensor transpose_reshape(const RuleArgs& args, int, const Tensor& cotangent) {
  return ops::reshape(cotangent, args.inputs[0].shape());
}

// ---- transpose ----

Tensor call_transpose(std::span<const Tensor> inputs, const Attrs& attrs) {
  const Tensor& a = inputs[0];
  const Dims& given = std::get<AxesAttrs>(attrs).axes;
  const int rank = a.rank();
  Dims axes;
  if (given.empty()) {
    for (int i = rank - 1; i >= 0; --i) axes.push_back(i);
  } else {
    if (given.size() != rank)
      fail(Code::value, "transpose", given.size(), " axes are given for a tensor of shape ", a.shape());
    for (int64_t axis : given) {
      const int at = normalize_axis(axis, rank, "transpose");
      if (axes.contains(at)) fail(Code::value, "transpose", "axis ", axis, " is given twice in ", given);
      axes.push_back(at);
    }
  }
  Dims shape;
  bool moves = false;
  for (int i = 0; i < rank; ++i) {
    shape.push_back(a.shape()[axes[i]]);
    moves |= axes[i] != i;
  }
  if (!moves) return a;
  AxesAttrs resolved;
  resolved.axes = std::move(axes);
  return one_view(Op::transpose, a, std::move(shape), std::move(resolved));
}

bool layout_transpose(const Node& node, const StridedView& input, StridedView& output) {
  const Dims& axes = node.get<AxesAttrs>().axes;
  output.offset = input.offset;
  output.strides.clear();
  for (int64_t axis : axes) output.strides.push_back(input.strides[axis]);
  return true;
}

Tensor transpose_transpose(const RuleArgs& args, int, const Tensor& cotangent) {
  const Dims& axes = args.get<AxesAttrs>().axes;
  Dims inverse(axes.size(), 0);
  for (int i = 0; i < axes.size(); ++i) inverse[axes[i]] = i;
  return ops::transpose(cotangent, inverse);
}

// ---- broadcast_to ----

Tensor call_broadcast_to(std::span<const Tensor> inputs, const Attrs& attrs) {
  const Tensor& a = inputs[0];
  const Dims& shape = std::get<DimsAttrs>(attrs).dims;
  if (shape == a.shape()) return a;
  element_count(shape, "broadcast_to");
  const int lead = shape.size() - a.rank();
  bool fits = lead >= 0;
  for (int i = 0; fits && i < a.rank(); ++i) fits = a.shape()[i] == shape[lead + i] || a.shape()[i] == 1;
  if (!fits) fail(Code::shape, "broadcast_to", "cannot broadcast a tensor of shape ", a.shape(), " to ", shape);
  return one_view(Op::broadcast_to, a, shape, DimsAttrs{shape});
}

bool layout_broadcast_to(const Node& node, const StridedView& input, StridedView& output) {
  const Dims& from = node.inputs()[0].shape();
  const int lead = node.shape.size() - from.size();
  output.offset = input.offset;
  output.strides = Dims(node.shape.size(), 0);
  for (int i = 0; i < from.size(); ++i) output.strides[lead + i] = from[i] == 1 ? 0 : input.strides[i];
  return true;
}

Tensor transpose_broadcast_to(const RuleArgs& args, int, const Tensor& cotangent) {
  const Dims& from = args.inputs[0].shape();
  const int lead = cotangent.rank() - from.size();
  Dims repeated;
  for (int i = 0; i < cotangent.rank(); ++i) {
    if (i < lead || (from[i - lead] == 1 && cotangent.shape()[i] != 1)) repeated.push_back(i);
  }
  const Tensor total = repeated.empty() ? cotangent : ops::sum(cotangent, repeated);
  return ops::reshape(total, from);
}

// ---- slice ----

Tensor call_slice(std::span<const Tensor> inputs, const Attrs& attrs) {
  const Tensor& a = inputs[0];
  const auto& [starts, steps, sizes] = std::get<SliceAttrs>(attrs);
  check_slice(a.shape(), std::get<SliceAttrs>(attrs), "slice");
  bool whole = sizes == a.shape();
  for (int i = 0; whole && i < a.rank(); ++i) whole = sizes[i] <= 1 || (starts[i] == 0 && steps[i] == 1);
  if (whole) return a;
  return one_view(Op::slice, a, sizes, attrs);
}

bool layout_slice(const Node& node, const StridedView& input, StridedView& output) {
  const auto& [starts, steps, sizes] = node.get<SliceAttrs>();
  output = input;
  for (int i = 0; i < sizes.size(); ++i) {
    // An empty slice may start anywhere; an extent of 1 may have any step. Neither addresses anything further.
    if (node.size != 0) output.offset += starts[i] * input.strides[i];
    output.strides[i] = sizes[i] > 1 ? input.strides[i] * steps[i] : input.strides[i];
  }
  return true;
}

Tensor transpose_slice(const RuleArgs& args, int, const Tensor& cotangent) {
  const auto& [starts, steps, sizes] = args.get<SliceAttrs>();
  const Tensor zeros = ops::broadcast_to(ops::scalar_like(0, cotangent), args.inputs[0].shape());
  return ops::slice_update(zeros, cotangent, starts, steps, sizes);
}

// ---- real, imag ----

Tensor call_real(std::span<const Tensor> inputs, const Attrs&) {
  const Tensor& a = inputs[0];
  if (!is_complex(a.dtype())) return a;
  return make_node(Op::real, DType::float32, a.shape(), inputs);
}

Tensor call_imag(std::span<const Tensor> inputs, const Attrs&) {
  const Tensor& a = inputs[0];
  if (!is_complex(a.dtype())) return ops::zeros_like(a);
  return make_node(Op::imag, DType::float32, a.shape(), inputs);
}

bool layout_real(const Node&, const StridedView& input, StridedView& output) {
  output = input;
  output.offset *= 2;
  for (int64_t& stride : output.strides) stride *= 2;
  return true;
}

bool layout_imag(const Node& node, const StridedView& input, StridedView& output) {
  layout_real(node, input, output);
  output.offset += 1;
  return true;
}

Tensor transpose_real(const RuleArgs&, int, const Tensor& cotangent) {
  return ops::astype(cotangent, DType::complex64);
}

Tensor transpose_imag(const RuleArgs&, int, const Tensor& cotangent) {
  return ops::multiply(ops::astype(cotangent, DType::complex64), imaginary_unit(cotangent.device()));
}

// ---- the same elements under another name ----

Tensor call_stop_gradient(std::span<const Tensor> inputs, const Attrs&) {
  return one_view(Op::stop_gradient, inputs[0], inputs[0].shape());
}

bool layout_stop_gradient(const Node&, const StridedView& input, StridedView& output) {
  return same_layout(input, output);
}

Tensor call_alias(std::span<const Tensor> inputs, const Attrs&) {
  return one_view(Op::alias, inputs[0], inputs[0].shape());
}

bool layout_alias(const Node&, const StridedView& input, StridedView& output) { return same_layout(input, output); }

Tensor transpose_alias(const RuleArgs&, int, const Tensor& cotangent) { return cotangent; }

Tensor call_to_device(std::span<const Tensor> inputs, const Attrs& attrs) {
  const Tensor& a = inputs[0];
  const int device = std::get<DeviceAttrs>(attrs).device;
  if (device < 0 || static_cast<size_t>(device) >= registry::count())
    fail(Code::device, "to_device", "there is no device ", device, "; there are ", registry::count());
  if (a.device() == device) return a;
  const Tensor moved = one_view(Op::to_device, a, a.shape(), attrs);
  moved->device = static_cast<DeviceId>(device);
  return moved;
}

bool layout_to_device(const Node&, const StridedView& input, StridedView& output) { return same_layout(input, output); }

Tensor transpose_to_device(const RuleArgs& args, int, const Tensor& cotangent) {
  return ops::to_device(cotangent, args.inputs[0].device());
}

namespace ops {

Tensor reshape(const Tensor& a, const Dims& shape) { return call_reshape({&a, 1}, DimsAttrs{shape}); }

Tensor transpose(const Tensor& a, const std::optional<Dims>& axes) {
  // In the attributes no axes mean "reversed"; a caller who gives an empty list means a permutation of none.
  if (axes && axes->empty() && a.rank() != 0)
    fail(Code::value, "transpose", "0 axes are given for a tensor of shape ", a.shape());
  AxesAttrs attrs;
  if (axes) attrs.axes = *axes;
  return call_transpose({&a, 1}, attrs);
}

Tensor broadcast_to(const Tensor& a, const Dims& shape) { return call_broadcast_to({&a, 1}, DimsAttrs{shape}); }

Tensor slice(const Tensor& a, const Dims& starts, const Dims& steps, const Dims& sizes) {
  return call_slice({&a, 1}, SliceAttrs{starts, steps, sizes});
}

Tensor real(const Tensor& a) { return call_real({&a, 1}, NoAttrs{}); }
Tensor imag(const Tensor& a) { return call_imag({&a, 1}, NoAttrs{}); }
Tensor stop_gradient(const Tensor& a) { return call_stop_gradient({&a, 1}, NoAttrs{}); }
Tensor alias(const Tensor& a) { return call_alias({&a, 1}, NoAttrs{}); }
Tensor to_device(const Tensor& a, DeviceId device) { return call_to_device({&a, 1}, DeviceAttrs{device}); }

}  // namespace ops
}  // namespace ist
