// Ops that copy blocks of elements: concatenate, pad, slice_update.
#include "ops/ops.h"
#include "ops/shape_checks.h"
#include "runtime/error.h"

namespace ist {

// ---- concatenate ----

Tensor call_concatenate(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("concatenate");
  const AxisAttrs& given = std::get<AxisAttrs>(attrs);
  if (inputs.empty()) fail(Code::value, "concatenate", "at least one tensor is needed");
  std::vector<Tensor> parts(inputs.begin(), inputs.end());
  if (!given.has_axis) {
    for (Tensor& part : parts) part = ops::reshape(part, {part.size()});
  }
  if (parts.size() == 1) return parts[0];

  const int axis = given.has_axis ? normalize_axis(given.axis, parts[0].rank(), "concatenate") : 0;
  DType dtype = parts[0].dtype();
  Dims shape = parts[0].shape();
  for (size_t i = 1; i < parts.size(); ++i) {
    const Dims& other = parts[i].shape();
    bool fits = other.size() == shape.size();
    for (int d = 0; fits && d < shape.size(); ++d) fits = d == axis || other[d] == shape[d];
    if (!fits)
      fail(Code::shape, "concatenate", "shapes must be equal but for axis ", axis, ": tensor 0 is ", parts[0].shape(),
           ", tensor ", i, " is ", other);
    shape[axis] += other[axis];
    dtype = promote(dtype, parts[i].dtype());
  }
  element_count(shape, "concatenate");
  for (Tensor& part : parts) part = ops::astype(part, dtype);
  AxisAttrs resolved;
  resolved.axis = axis;
  return make_node(Op::concatenate, dtype, std::move(shape), parts, resolved);
}

Tensor transpose_concatenate(const RuleArgs& args, int i, const Tensor& cotangent) {
  const int axis = args.get<AxisAttrs>().axis;
  SliceAttrs part = whole_slice(args.inputs[i].shape());
  // An empty operand may lie at the very end, where no start is in bounds; its start does not matter.
  for (int before = 0; before < i; ++before) part.starts[axis] += args.inputs[before].shape()[axis];
  return call_slice({&cotangent, 1}, part);
}

// ---- pad ----

namespace {

// The elements [start, start + size * step) along one axis.
Tensor run_of(const Tensor& a, int axis, int64_t start, int64_t step, int64_t size) {
  SliceAttrs part = whole_slice(a.shape());
  part.starts[axis] = start;
  part.steps[axis] = step;
  part.sizes[axis] = size;
  return call_slice({&a, 1}, part);
}

Tensor run_of_one(const Tensor& a, int axis, int64_t at, int64_t count) {
  Dims shape = a.shape();
  shape[axis] = count;
  return ops::broadcast_to(run_of(a, axis, at, 1, 1), shape);
}

// One axis extended by what lies in `a` itself, as a concatenation of slices that run up and down.
Tensor pad_from_inside(const Tensor& a, int axis, int64_t low, int64_t high, PadMode mode) {
  if (low == 0 && high == 0) return a;
  const int64_t extent = a.shape()[axis];
  if (extent == 0) fail(Code::value, "pad", "axis ", axis, " is empty: only mode 'constant' can pad it");
  std::vector<Tensor> runs;
  if (mode == PadMode::edge || (mode == PadMode::reflect && extent == 1)) {
    if (low > 0) runs.push_back(run_of_one(a, axis, 0, low));
    runs.push_back(a);
    if (high > 0) runs.push_back(run_of_one(a, axis, extent - 1, high));
  } else {
    // Positions repeat with this period: up through the axis, then down again. `reflect` does not repeat the ends.
    const int64_t repeat_ends = mode == PadMode::symmetric ? 1 : 0;
    const int64_t period = 2 * (extent - 1 + repeat_ends);
    for (int64_t at = -low; at < extent + high;) {
      const int64_t phase = (at % period + period) % period;
      const bool up = phase < extent;
      const int64_t size = std::min(up ? extent - phase : period - phase, extent + high - at);
      runs.push_back(up ? run_of(a, axis, phase, 1, size) : run_of(a, axis, period - repeat_ends - phase, -1, size));
      at += size;
    }
  }
  return ops::concatenate(runs, axis);
}

// The region of pad's result where the operand lies.
SliceAttrs padded_region(const RuleArgs& args) {
  SliceAttrs region = whole_slice(args.inputs[0].shape());
  region.starts = args.get<PadAttrs>().low;
  return region;
}

}  // namespace

Tensor call_pad(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("pad");
  const Tensor& a = inputs[0];
  PadAttrs widths = std::get<PadAttrs>(attrs);
  const int rank = a.rank();
  if (widths.mode > PadMode::symmetric) fail(Code::value, "pad", "unknown mode ", static_cast<uint32_t>(widths.mode));
  for (Dims* side : {&widths.low, &widths.high}) {
    if (side->size() == 1) *side = Dims(static_cast<size_t>(rank), (*side)[0]);  // one width is for every axis
    if (side->size() != rank)
      fail(Code::value, "pad", "pad widths for ", side->size(), " axes are given for a tensor of shape ", a.shape());
    for (int64_t width : *side) {
      if (width < 0) fail(Code::value, "pad", "pad widths cannot be negative, but there is ", width);
    }
  }
  Dims shape = a.shape();
  for (int i = 0; i < rank; ++i) {
    if (__builtin_add_overflow(shape[i], widths.low[i], &shape[i]) ||
        __builtin_add_overflow(shape[i], widths.high[i], &shape[i]))
      fail(Code::value, "pad", "pad width for axis ", i, " is too large");
  }
  element_count(shape, "pad");
  if (shape == a.shape()) return a;
  if (widths.mode != PadMode::constant) {
    Tensor padded = a;
    for (int i = 0; i < rank; ++i) padded = pad_from_inside(padded, i, widths.low[i], widths.high[i], widths.mode);
    return padded;
  }
  if (inputs[1].size() != 1)
    fail(Code::shape, "pad", "the constant must be a single value, but has shape ", inputs[1].shape());
  const Tensor operands[] = {a, ops::reshape(ops::astype(inputs[1], a.dtype()), {})};
  return make_node(Op::pad, a.dtype(), std::move(shape), operands, std::move(widths));
}

Tensor transpose_pad(const RuleArgs& args, int i, const Tensor& cotangent) {
  const SliceAttrs region = padded_region(args);
  if (i == 0) return call_slice({&cotangent, 1}, region);
  const Tensor zero = ops::scalar_like(0, cotangent);
  return ops::sum(ops::slice_update(cotangent, zero, region.starts, region.steps, region.sizes));
}

// ---- slice_update ----

Tensor call_slice_update(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("slice_update");
  const Tensor& a = inputs[0];
  const auto& slice = std::get<SliceAttrs>(attrs);
  check_slice(a.shape(), slice, "slice_update");
  const Dims joint = broadcast_shapes(inputs[1].shape(), slice.sizes, "slice_update");
  if (!(joint == slice.sizes))
    fail(Code::shape, "slice_update", "an update of shape ", inputs[1].shape(), " does not fit a slice of shape ",
         slice.sizes);
  const Tensor operands[] = {a, ops::broadcast_to(ops::astype(inputs[1], a.dtype()), slice.sizes)};
  return make_node(Op::slice_update, a.dtype(), a.shape(), operands, attrs);
}

Tensor transpose_slice_update(const RuleArgs& args, int i, const Tensor& cotangent) {
  const auto& slice = args.get<SliceAttrs>();
  if (i == 1) return call_slice({&cotangent, 1}, slice);
  const Tensor zero = ops::scalar_like(0, cotangent);
  return ops::slice_update(cotangent, zero, slice.starts, slice.steps, slice.sizes);
}

namespace ops {

Tensor concatenate(std::span<const Tensor> tensors, std::optional<int64_t> axis) {
  AxisAttrs attrs;
  attrs.has_axis = axis.has_value();
  if (axis && tensors.size() > 1) attrs.axis = normalize_axis(*axis, tensors[0].rank(), "concatenate");
  return call_concatenate(tensors, attrs);
}

Tensor pad(const Tensor& a, const Dims& low, const Dims& high, PadMode mode, const Tensor& value) {
  const Tensor inputs[] = {a, value};
  return call_pad(inputs, PadAttrs{low, high, mode});
}

Tensor slice_update(const Tensor& a, const Tensor& update, const Dims& starts, const Dims& steps, const Dims& sizes) {
  const Tensor inputs[] = {a, update};
  return call_slice_update(inputs, SliceAttrs{starts, steps, sizes});
}

}  // namespace ops
}  // namespace ist
