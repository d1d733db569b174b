// Elementwise ops made of other elementwise ops, and scalar constants.
#include <cmath>
#include <limits>

#include "kernels/types.h"
#include "ops/ops.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

constexpr double kDegreesPerRadian = 57.2957795130823208768;
constexpr double kRadiansPerDegree = 0.0174532925199432957692;

// Doubles become integers as astype has it: toward zero, saturating at 64 bits, then modulo the width.
int64_t to_int64(double x) {
  if (std::isnan(x)) return 0;
  if (x >= 0x1p63) return std::numeric_limits<int64_t>::max();
  if (x < -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(x);
}
uint64_t to_uint64(double x) {
  if (!(x >= 0x1p63)) return static_cast<uint64_t>(to_int64(x));
  return x >= 0x1p64 ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(x);
}
uint64_t to_uint64(int64_t x) { return static_cast<uint64_t>(x); }

template <class T>
void store(void* data, T value) {
  std::memcpy(data, &value, sizeof(T));
}

template <class V>
Tensor make_scalar(V value, DType dtype) {
  void* data = nullptr;
  Tensor result = make_empty(dtype, Dims(), &data, "scalar");
  switch (dtype) {
    case DType::bool_:
      store(data, value != 0);
      break;
    case DType::uint8:
    case DType::int8:
      store(data, static_cast<uint8_t>(to_uint64(value)));
      break;
    case DType::uint16:
    case DType::int16:
      store(data, static_cast<uint16_t>(to_uint64(value)));
      break;
    case DType::uint32:
    case DType::int32:
      store(data, static_cast<uint32_t>(to_uint64(value)));
      break;
    case DType::uint64:
    case DType::int64:
      store(data, static_cast<uint64_t>(to_uint64(value)));
      break;
    case DType::float16:
      store(data, to_float16(static_cast<float>(value)));
      break;
    case DType::bfloat16:
      store(data, to_bfloat16(static_cast<float>(value)));
      break;
    case DType::float32:
      store(data, static_cast<float>(value));
      break;
    case DType::float64:
      store(data, static_cast<double>(value));
      break;
    case DType::complex64:
      store(data, complex64{static_cast<float>(value), 0.0f});
      break;
  }
  return result;
}

double largest_finite(DType dtype) {
  switch (dtype) {
    case DType::float16:
      return 65504;
    case DType::bfloat16:
      return 0x1.fep127;
    case DType::float64:
      return std::numeric_limits<double>::max();
    default:
      return std::numeric_limits<float>::max();
  }
}

// Equal to one infinity; integers have none, and complex numbers only count with an imaginary part of 0.
Tensor is_this_infinity(const Tensor& a, double infinity) {
  return is_inexact(a.dtype()) ? ops::equal(a, ops::scalar_like(infinity, a)) : ops::isinf(a);
}

const Tensor* operand(std::span<const Tensor> inputs, size_t i) {
  return i < inputs.size() && inputs[i] ? &inputs[i] : nullptr;
}
std::optional<Tensor> optional_operand(std::span<const Tensor> inputs, size_t i) {
  const Tensor* given = operand(inputs, i);
  return given ? std::optional<Tensor>(*given) : std::nullopt;
}

// Empty operands stand for the defaults: 0 and the largest finite numbers of the dtype.
Tensor replace_non_finite(const Tensor& a, const Tensor* nan, const Tensor* posinf, const Tensor* neginf) {
  if (is_complex(a.dtype()) && !(posinf && neginf))
    fail(Code::dtype, public_name("nan_to_num"), "complex64 has no largest number: give posinf and neginf");
  if (!is_inexact(a.dtype())) return a;
  const LabelScope label("nan_to_num");
  const double infinity = std::numeric_limits<double>::infinity();
  const double largest = largest_finite(a.dtype());
  // Limits do for the defaults, at half the time of a choice. As second operands, the numbers at a limit keep their
  // derivatives, and NaN passes.
  Tensor x = a;
  if (!neginf) x = ops::maximum(ops::scalar_like(-largest, a), x);
  if (!posinf) x = ops::minimum(ops::scalar_like(largest, a), x);
  const auto replace = [&](const Tensor& where, const Tensor& with) {
    x = ops::where(where, ops::astype(with, a.dtype()), x);
  };
  if (neginf) replace(is_this_infinity(a, -infinity), *neginf);
  if (posinf) replace(is_this_infinity(a, infinity), *posinf);
  replace(ops::isnan(a), nan ? *nan : ops::scalar_like(0, a));
  return x;
}

}  // namespace

namespace ops {

// ---- constants ----

Tensor scalar(double value, DType dtype) { return make_scalar(value, dtype); }
Tensor scalar(int64_t value, DType dtype) { return make_scalar(value, dtype); }

Tensor scalar_like(double value, const Tensor& like) {
  if (like.device() == current_device()) return make_scalar(value, like.dtype());
  const DeviceScope device(like.device());
  return make_scalar(value, like.dtype());
}

Tensor zeros_like(const Tensor& a) { return broadcast_to(scalar_like(0, a), a.shape()); }
Tensor ones_like(const Tensor& a) { return broadcast_to(scalar_like(1, a), a.shape()); }

// ---- composites ----

Tensor reciprocal(const Tensor& a) {
  const LabelScope label("reciprocal");
  return divide(scalar_like(1, a), a);
}

Tensor degrees(const Tensor& a) {
  const LabelScope label("degrees");
  const Tensor x = astype(a, at_least_float(a.dtype()));
  return multiply(x, scalar_like(kDegreesPerRadian, x));
}

Tensor radians(const Tensor& a) {
  const LabelScope label("radians");
  const Tensor x = astype(a, at_least_float(a.dtype()));
  return multiply(x, scalar_like(kRadiansPerDegree, x));
}

Tensor isposinf(const Tensor& a) {
  const LabelScope label("isposinf");
  return is_this_infinity(a, std::numeric_limits<double>::infinity());
}

Tensor isneginf(const Tensor& a) {
  const LabelScope label("isneginf");
  return is_this_infinity(a, -std::numeric_limits<double>::infinity());
}

// Scaled by the power of ten and back by its rounded inverse, in the dtype (integers: in float32), as upstream.
Tensor round(const Tensor& a, int64_t decimals) {
  const LabelScope label("round");
  if (decimals == 0) return is_inexact(a.dtype()) ? rint(a) : a;
  if (decimals > 0 && !is_inexact(a.dtype())) return a;
  const Tensor x = astype(a, at_least_float(a.dtype()));
  const double exponent = static_cast<double>(decimals);
  const Tensor scaled = multiply(x, scalar_like(std::pow(10.0, exponent), x));
  return astype(multiply(rint(scaled), scalar_like(std::pow(10.0, -exponent), x)), a.dtype());
}

// Where the limits cross, the upper one holds.
Tensor clip(const Tensor& a, const std::optional<Tensor>& low, const std::optional<Tensor>& high) {
  const LabelScope label("clip");
  if (!low && !high) fail(Code::value, public_name("clip"), "needs a lower or an upper limit, got None for both");
  const Tensor raised = low ? maximum(a, *low) : a;
  return high ? minimum(raised, *high) : raised;
}

Tensors divmod(const Tensor& a, const Tensor& b) {
  const LabelScope label("divmod");
  return {floor_divide(a, b), remainder(a, b)};
}

Tensor nan_to_num(const Tensor& a, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  if (!is_inexact(a.dtype())) return a;
  const auto given = [&](std::optional<double> value) { return value ? scalar_like(*value, a) : Tensor(); };
  const Tensor values[] = {given(nan), given(posinf), given(neginf)};
  return replace_non_finite(a, operand(values, 0), operand(values, 1), operand(values, 2));
}

}  // namespace ops

// ---- by id ----

Tensor call_reciprocal(std::span<const Tensor> inputs, const Attrs&) { return ops::reciprocal(inputs[0]); }
Tensor call_degrees(std::span<const Tensor> inputs, const Attrs&) { return ops::degrees(inputs[0]); }
Tensor call_radians(std::span<const Tensor> inputs, const Attrs&) { return ops::radians(inputs[0]); }
Tensor call_isposinf(std::span<const Tensor> inputs, const Attrs&) { return ops::isposinf(inputs[0]); }
Tensor call_isneginf(std::span<const Tensor> inputs, const Attrs&) { return ops::isneginf(inputs[0]); }
Tensor call_positive(std::span<const Tensor> inputs, const Attrs&) { return inputs[0]; }
Tensor call_round(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::round(inputs[0], std::get<CountAttrs>(attrs).count);
}
// An empty operand is a limit that is not there.
Tensor call_clip(std::span<const Tensor> inputs, const Attrs&) {
  return ops::clip(inputs[0], optional_operand(inputs, 1), optional_operand(inputs, 2));
}
Tensors call_divmod(std::span<const Tensor> inputs, const Attrs&) { return ops::divmod(inputs[0], inputs[1]); }
Tensor call_nan_to_num(std::span<const Tensor> inputs, const Attrs&) {
  return replace_non_finite(inputs[0], operand(inputs, 1), operand(inputs, 2), operand(inputs, 3));
}

}  // namespace ist
