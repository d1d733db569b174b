// Tensors from nothing: ranges, constants and triangles, on the current device.
#include <cmath>

#include "kernels/types.h"
#include "ops/ops.h"
#include "ops/shape_checks.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

// `x` as a floating dtype holds it.
double rounded_to(double x, DType dtype) {
  switch (dtype) {
    case DType::float16:
      return to_float(to_float16(static_cast<float>(x)));
    case DType::bfloat16:
      return to_float(to_bfloat16(static_cast<float>(x)));
    case DType::float64:
      return x;
    default:
      return static_cast<float>(x);
  }
}

// Toward zero; what does not fit saturates.
int64_t to_integer(double x) {
  if (x >= 0x1p63) return INT64_MAX;
  if (x < -0x1p63) return INT64_MIN;
  return static_cast<int64_t>(x);
}

// 0-d, on the current device, without allocating for a whole shape: the rest is a broadcast view.
Tensor filled(const Dims& shape, double value, DType dtype, const char* op) {
  element_count(shape, op);
  const LabelScope label(op);
  return ops::broadcast_to(ops::scalar(value, dtype), shape);
}

// row + offset against column, ranges of one integer dtype that broadcast to (n, m).
struct Grid {
  Tensor rows, columns;
};
Grid diagonal_grid(const CreateAttrs& attrs, const char* op) {
  if (attrs.dims.size() != 2) fail(Code::value, op, "two extents are wanted, but dims is ", attrs.dims);
  element_count(attrs.dims, op);
  const int64_t n = attrs.dims[0], m = attrs.dims[1];
  RangeAttrs rows;
  rows.dtype = n + m > INT32_MAX ? DType::int64 : n + m > INT16_MAX ? DType::int32 : DType::int16;
  RangeAttrs columns = rows;
  rows.count = n;
  // Diagonals outside of the matrix are all alike; clipping keeps the sum in range.
  rows.int_start = std::clamp(attrs.offset, -n, m);
  columns.count = m;
  return {ops::reshape(call_arange({}, rows), {n, 1}), ops::reshape(call_arange({}, columns), {1, m})};
}

Tensor triangle(const Tensor& a, const Attrs& attrs, bool lower) {
  const char* op = lower ? "tril" : "triu";
  const LabelScope label(op);
  if (a.rank() < 2) fail(Code::value, op, "a tensor of at least two axes is needed, but the shape is ", a.shape());
  const DeviceScope scope(a.device());
  CreateAttrs mask;
  mask.dims = {a.shape(-2), a.shape(-1)};
  mask.dtype = DType::bool_;
  const int64_t k = std::get<CountAttrs>(attrs).count;
  mask.offset = lower || k == INT64_MIN ? k : k - 1;
  const Tensor below = call_tri({}, mask);
  const Tensor zero = ops::scalar_like(0, a);
  return lower ? ops::where(below, a, zero) : ops::where(below, zero, a);
}

}  // namespace

// ---- arange, linspace ----

Tensor call_arange(std::span<const Tensor>, const Attrs& attrs) {
  RangeAttrs range = std::get<RangeAttrs>(attrs);
  if (is_bool(range.dtype)) fail(Code::value, "arange", "dtype bool has no range");
  if (range.count < 0) fail(Code::value, "arange", "the count cannot be negative, but is ", range.count);
  if (range.count > INT32_MAX)
    fail(Code::value, "arange", "a range of ", range.count, " elements is too long; the limit is ", INT32_MAX);
  const Dims shape{range.count};
  if (!is_complex(range.dtype)) return make_node(Op::arange, range.dtype, shape, {}, range);
  range.dtype = DType::float32;
  return ops::astype(make_node(Op::arange, range.dtype, shape, {}, range), DType::complex64);
}

Tensor call_linspace(std::span<const Tensor>, const Attrs& attrs) {
  const LabelScope label("linspace");
  const RangeAttrs& given = std::get<RangeAttrs>(attrs);
  const int64_t count = given.count;
  const bool endpoint = given.int_step != 0;  // the row has no field of its own for it
  if (count < 0) fail(Code::value, "linspace", "the number of samples cannot be negative, but is ", count);
  const DType compute = given.dtype == DType::float64 ? DType::float64 : DType::float32;
  const int64_t intervals = endpoint ? count - 1 : count;
  RangeAttrs steps;
  steps.count = count;
  steps.dtype = compute;
  Tensor t = call_arange({}, steps);
  if (intervals > 1) t = ops::divide(t, ops::scalar_like(static_cast<double>(intervals), t));
  if (intervals < 1) return ops::astype(filled({count}, given.start, compute, "linspace"), given.dtype);
  // Weighted ends rather than start + t * difference: both ends come out exact.
  const Tensor from = ops::multiply(ops::subtract(ops::scalar_like(1, t), t), ops::scalar_like(given.start, t));
  const Tensor to = ops::multiply(t, ops::scalar_like(given.stop, t));
  return ops::astype(ops::add(from, to), given.dtype);
}

// ---- constants ----

Tensor call_full(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("full");
  const auto& create = std::get<CreateAttrs>(attrs);
  element_count(create.dims, "full");
  const Tensor& value = inputs[0];
  if (!(broadcast_shapes(value.shape(), create.dims, "full") == create.dims))
    fail(Code::shape, "full", "a value of shape ", value.shape(), " cannot be broadcast to ", create.dims);
  return ops::broadcast_to(ops::astype(value, create.dtype), create.dims);
}

// ---- diagonals and triangles ----

Tensor call_eye(std::span<const Tensor>, const Attrs& attrs) {
  const LabelScope label("eye");
  const auto& create = std::get<CreateAttrs>(attrs);
  const Grid grid = diagonal_grid(create, "eye");
  return ops::astype(ops::equal(grid.rows, grid.columns), create.dtype);
}

Tensor call_tri(std::span<const Tensor>, const Attrs& attrs) {
  const LabelScope label("tri");
  const auto& create = std::get<CreateAttrs>(attrs);
  const Grid grid = diagonal_grid(create, "tri");
  return ops::astype(ops::greater_equal(grid.rows, grid.columns), create.dtype);
}

Tensor call_tril(std::span<const Tensor> inputs, const Attrs& attrs) { return triangle(inputs[0], attrs, true); }
Tensor call_triu(std::span<const Tensor> inputs, const Attrs& attrs) { return triangle(inputs[0], attrs, false); }

namespace ops {

// The increment is dtype(start + step) - dtype(start), as in NumPy and upstream: a fractional step of an integer range
// is cut, and the values follow the dtype's rounding. The count comes from the arguments as given.
Tensor arange(double start, double stop, double step, DType dtype) {
  if (std::isnan(start) || std::isnan(stop) || std::isnan(step) || std::isinf(start) || std::isinf(stop))
    fail(Code::value, "arange", "no length follows from start ", start, ", stop ", stop, ", step ", step);
  if (step == 0) fail(Code::value, "arange", "step must not be zero");
  const double count = std::max(std::ceil((stop - start) / step), 0.0);
  if (!(count <= INT32_MAX))
    fail(Code::value, "arange", "a range of ", count, " elements is too long; the limit is ", INT32_MAX);
  RangeAttrs attrs;
  attrs.dtype = dtype;
  attrs.count = static_cast<int64_t>(count);
  if (std::isinf(step)) {  // one element at most; 0 * inf in the kernel would make it NaN
    attrs.count = std::isinf(step) && (step > 0) == (stop > start) && stop != start ? 1 : 0;
    step = 0;
  }
  attrs.stop = stop;
  attrs.start = rounded_to(start, dtype);
  attrs.step = rounded_to(rounded_to(start + step, dtype) - attrs.start, dtype);
  attrs.int_start = to_integer(start);
  attrs.int_step =
      static_cast<int64_t>(static_cast<uint64_t>(to_integer(start + step)) - static_cast<uint64_t>(attrs.int_start));
  return call_arange({}, attrs);
}

Tensor linspace(double start, double stop, int64_t num, DType dtype, bool endpoint) {
  RangeAttrs attrs;
  attrs.start = start;
  attrs.stop = stop;
  attrs.count = num;
  attrs.int_step = endpoint;
  attrs.dtype = dtype;
  return call_linspace({}, attrs);
}

Tensor full(const Dims& shape, const Tensor& value, DType dtype) {
  return call_full({&value, 1}, CreateAttrs{shape, dtype});
}

Tensor zeros(const Dims& shape, DType dtype) { return filled(shape, 0, dtype, "zeros"); }
Tensor ones(const Dims& shape, DType dtype) { return filled(shape, 1, dtype, "ones"); }

Tensor eye(int64_t n, int64_t m, int64_t k, DType dtype) { return call_eye({}, CreateAttrs{{n, m}, dtype, k}); }

Tensor tri(int64_t n, int64_t m, int64_t k, DType dtype) {
  // Upstream takes negative extents here as empty ones, unlike in eye.
  return call_tri({}, CreateAttrs{{std::max<int64_t>(n, 0), std::max<int64_t>(m, 0)}, dtype, k});
}

Tensor tril(const Tensor& a, int64_t k) {
  CountAttrs attrs;
  attrs.count = k;
  return call_tril({&a, 1}, attrs);
}

Tensor triu(const Tensor& a, int64_t k) {
  CountAttrs attrs;
  attrs.count = k;
  return call_triu({&a, 1}, attrs);
}

}  // namespace ops
}  // namespace ist
