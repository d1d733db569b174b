// Affine quantization: groups of consecutive elements of a row share a scale and a bias, and each element is a code of
// a few bits; w = scale * code + bias. Codes lie in uint32 words one after another from the lowest bit up, across word
// borders where 32 is no multiple of the width.
#include <algorithm>
#include <cmath>

#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

constexpr int64_t kWordBits = 32;

bool is_real_float(DType dtype) { return is_inexact(dtype) && dtype != DType::complex64; }

void check_parameters(const QuantizedAttrs& q, const char* op) {
  if (q.group_size != 32 && q.group_size != 64 && q.group_size != 128)
    fail(Code::value, op, "group_size must be 32, 64 or 128, got ", q.group_size);
  if (q.bits < 1 || q.bits == 7 || q.bits > 8)
    fail(Code::value, op, "bits must be 1, 2, 3, 4, 5, 6 or 8, got ", q.bits);
}

Tensor words(Dims shape, const std::vector<uint32_t>& values) {
  void* data = nullptr;
  const Tensor made = make_empty(DType::uint32, std::move(shape), &data);
  std::copy(values.begin(), values.end(), static_cast<uint32_t*>(data));
  return made;
}

// 32 codes fill `bits` words. Shifts that no pair of code and word has are 32, which gives 0.
Tensor pack(const Tensor& codes, int bits) {
  const DeviceScope scope(codes.device());
  std::vector<uint32_t> left(bits * kWordBits, kWordBits), right = left;
  for (int word = 0; word < bits; ++word) {
    for (int64_t i = 0; i < kWordBits; ++i) {
      const int64_t at = i * bits - word * kWordBits;  // of the code's lowest bit in this word
      if (at >= 0 && at < kWordBits) left[word * kWordBits + i] = static_cast<uint32_t>(at);
      if (at < 0 && at > -bits) right[word * kWordBits + i] = static_cast<uint32_t>(-at);
    }
  }
  const int64_t n = codes.shape(-1);
  const Tensor each = ops::reshape(codes, with_last(codes.shape(), {n / kWordBits, 1, kWordBits}));
  const Dims table = {bits, kWordBits};
  const Tensor parts =
      ops::bitwise_or(ops::left_shift(each, words(table, left)), ops::right_shift(each, words(table, right)));
  return ops::reshape(ops::sum(parts, Dims{-1}), with_last(codes.shape(), {n * bits / kWordBits}));
}

Tensor unpack(const Tensor& packed, int bits) {
  const DeviceScope scope(packed.device());
  std::vector<uint32_t> first(kWordBits), second(kWordBits), right(kWordBits), left(kWordBits);
  for (int64_t i = 0; i < kWordBits; ++i) {
    first[i] = static_cast<uint32_t>(i * bits / kWordBits);
    right[i] = static_cast<uint32_t>(i * bits % kWordBits);
    second[i] = std::min<uint32_t>(first[i] + 1, static_cast<uint32_t>(bits) - 1);
    left[i] = right[i] + bits > kWordBits ? static_cast<uint32_t>(kWordBits) - right[i] : kWordBits;
  }
  const int64_t groups = packed.shape(-1) / bits;
  const Tensor each = ops::reshape(packed, with_last(packed.shape(), {groups, bits}));
  const Dims table = {kWordBits};
  const auto shifted = [&](const std::vector<uint32_t>& word) { return ops::take(each, words(table, word), -1); };
  const Tensor codes = ops::bitwise_or(ops::right_shift(shifted(first), words(table, right)),
                                       ops::left_shift(shifted(second), words(table, left)));
  const Tensor mask = words({}, {(1u << bits) - 1});
  return ops::reshape(ops::bitwise_and(codes, mask), with_last(packed.shape(), {groups * kWordBits}));
}

// Scales and biases of the packed matrix w: of its shape, with one element for each group along the last axis.
void check_quantized(const Tensor& w, const Tensor& scales, const Tensor& biases, const QuantizedAttrs& q,
                     const char* op) {
  check_parameters(q, op);
  if (w.dtype() != DType::uint32) fail(Code::value, op, "the quantized matrix must be uint32, got ", name(w.dtype()));
  if (!(scales.shape() == biases.shape()))
    fail(Code::value, op, "scales and biases differ in shape: ", scales.shape(), " and ", biases.shape());
  bool fits = w.rank() >= 2 && scales.rank() == w.rank();
  for (int axis = 0; fits && axis + 1 < w.rank(); ++axis) fits = w.shape(axis) == scales.shape(axis);
  fits = fits && w.shape(-1) * kWordBits == scales.shape(-1) * q.group_size * q.bits;
  if (!fits)
    fail(Code::value, op, "a matrix of shape ", w.shape(), " and scales of shape ", scales.shape(),
         " do not belong together with group_size=", q.group_size, " and bits=", q.bits);
}

Tensor quantized_node(const Tensor& x, const Tensor& w, const Tensor& scales, const Tensor& biases,
                      const QuantizedAttrs& q, Dims shape) {
  const Tensor inputs[] = {x, w, scales, biases};
  return make_node(Op::quantized_matmul, x.dtype(), std::move(shape), inputs, q);
}

Tensor broadcast_batch(const Tensor& a, Dims batch) {
  batch.push_back(a.shape(-2));
  batch.push_back(a.shape(-1));
  return ops::broadcast_to(a, batch);
}

}  // namespace

namespace ops {

// The end of a group's range with the larger magnitude becomes a multiple of the scale, so that zero is exact; with one
// bit the two codes are the ends themselves. In float32; scales and biases are rounded to w's dtype at the end.
Tensors quantize(const Tensor& w, int group_size, int bits) {
  const LabelScope label("quantize");
  const QuantizedAttrs q{bits, group_size, true};
  check_parameters(q, "quantize");
  if (!is_real_float(w.dtype())) fail(Code::value, "quantize", "needs floating point, got ", name(w.dtype()));
  if (w.rank() < 2) fail(Code::value, "quantize", "needs at least 2 dimensions, got shape ", w.shape());
  if (w.shape(-1) % group_size != 0)
    fail(Code::value, "quantize", "the last extent of ", w.shape(), " is no multiple of group_size ", group_size);
  const DeviceScope scope(w.device());
  const int64_t groups = w.shape(-1) / group_size;
  // Codes are steps: the derivative is zero.
  const Tensor wide = astype(stop_gradient(w), DType::float32);
  const Tensor each = reshape(wide, with_last(w.shape(), {groups, group_size}));
  const Tensor high = max(each, Dims{-1}, true), low = min(each, Dims{-1}, true);
  const auto number = [&](double value) { return scalar_like(value, high); };
  const Tensor last_code = number(std::exp2(bits) - 1);
  Tensor scale = maximum(divide(subtract(high, low), last_code), number(1e-7)), bias = low;
  if (bits > 1) {
    const Tensor low_is_larger = greater(abs(low), abs(high));
    const Tensor edge = where(low_is_larger, low, high);
    scale = where(low_is_larger, scale, negative(scale));
    const Tensor code = rint(divide(edge, scale)), is_zero = equal(code, number(0));
    scale = where(is_zero, scale, divide(edge, code));
    bias = where(is_zero, number(0), edge);
  }
  const Tensor codes = clip(rint(divide(subtract(each, bias), scale)), number(0), last_code);
  const auto parameter = [&](const Tensor& t) { return astype(squeeze(t, Dims{-1}), w.dtype()); };
  return {pack(reshape(astype(codes, DType::uint32), w.shape()), bits), parameter(scale), parameter(bias)};
}

Tensor dequantize(const Tensor& w, const Tensor& scales, const Tensor& biases, int group_size, int bits) {
  const LabelScope label("dequantize");
  check_quantized(w, scales, biases, {bits, group_size, true}, "dequantize");
  const DType dtype = promote(scales.dtype(), biases.dtype());
  if (!is_real_float(dtype)) fail(Code::value, "dequantize", "scales must be floating point, got ", name(dtype));
  const Tensor codes = unpack(w, bits);
  const Tensor each = reshape(astype(codes, dtype), with_last(codes.shape(), {scales.shape(-1), group_size}));
  const auto parameter = [&](const Tensor& t) { return expand_dims(astype(t, dtype), Dims{-1}); };
  return reshape(add(multiply(parameter(scales), each), parameter(biases)), codes.shape());
}

Tensor quantized_matmul(const Tensor& x, const Tensor& w, const Tensor& scales, const Tensor& biases, bool transpose,
                        int group_size, int bits) {
  const LabelScope label("quantized_matmul");
  const char* op = public_name("quantized_matmul");
  const QuantizedAttrs q{bits, group_size, transpose};
  check_quantized(w, scales, biases, q, op);
  if (x.rank() == 0) fail(Code::value, op, "x needs at least 1 dimension");
  const int64_t wide = scales.shape(-1) * group_size;
  const int64_t depth = transpose ? wide : w.shape(-2), columns = transpose ? w.shape(-2) : wide;
  if (x.shape(-1) != depth)
    fail(Code::value, op, "inner dimensions differ: x ", x.shape(), ", the matrix of ", w.shape(), " words is (",
         w.shape(-2), ", ", wide, "), ", transpose ? "transposed" : "not transposed");
  const DType dtype = promote(x.dtype(), promote(scales.dtype(), biases.dtype()));
  if (!is_real_float(dtype)) fail(Code::value, op, "needs floating point, got ", name(dtype));
  if (dtype == DType::float64) {
    const Tensor wanted = dequantize(w, astype(scales, dtype), astype(biases, dtype), group_size, bits);
    return matmul(astype(x, dtype), transpose ? swapaxes(wanted, -1, -2) : wanted);
  }
  const Tensor a = astype(x, dtype), s = astype(scales, dtype), b = astype(biases, dtype);
  if (w.rank() == 2) {
    const int64_t rows = depth == 0 ? element_count(with_last(x.shape(), {})) : x.size() / depth;
    const Tensor product = quantized_node(reshape(a, Dims{rows, depth}), w, s, b, q, Dims{rows, columns});
    return reshape(product, with_last(x.shape(), {columns}));
  }
  if (x.rank() == 1) fail(Code::value, op, "x of shape ", x.shape(), " needs 2 dimensions for a batch of matrices");
  const auto batch_of = [](const Tensor& t) { return Dims(std::span<const int64_t>(t.shape().data(), t.rank() - 2)); };
  const Dims batch = broadcast_shapes(batch_of(a), batch_of(w), op);
  Dims shape = batch;
  shape.push_back(a.shape(-2));
  shape.push_back(columns);
  return quantized_node(broadcast_batch(a, batch), broadcast_batch(w, batch), broadcast_batch(s, batch),
                        broadcast_batch(b, batch), q, std::move(shape));
}

}  // namespace ops

Tensors call_quantize(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& q = std::get<QuantizedAttrs>(attrs);
  return ops::quantize(inputs[0], q.group_size, q.bits);
}

Tensor call_dequantize(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& q = std::get<QuantizedAttrs>(attrs);
  return ops::dequantize(inputs[0], inputs[1], inputs[2], q.group_size, q.bits);
}

Tensor call_quantized_matmul(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& q = std::get<QuantizedAttrs>(attrs);
  return ops::quantized_matmul(inputs[0], inputs[1], inputs[2], inputs[3], q.transpose, q.group_size, q.bits);
}

// x: the product with the matrix turned. Scales and biases: the cotangent of the dense matrix, summed over each group,
// times the codes for the scales.
Tensor vjp_quantized_matmul(const RuleArgs& args, int i, const Tensor& g) {
  const auto& q = args.get<QuantizedAttrs>();
  const Tensor &x = args.inputs[0], &w = args.inputs[1], &scales = args.inputs[2], &biases = args.inputs[3];
  if (i == 0) return ops::quantized_matmul(g, w, scales, biases, !q.transpose, q.group_size, q.bits);
  if (i == 1) return {};
  const auto turned = [](const Tensor& t) { return ops::swapaxes(t, -1, -2); };
  const Tensor dense = q.transpose ? ops::matmul(turned(g), x) : ops::matmul(turned(x), g);
  Tensor each = ops::reshape(dense, with_last(dense.shape(), {scales.shape(-1), q.group_size}));
  if (i == 2) {
    const Tensor codes = ops::astype(unpack(w, q.bits), dense.dtype());
    each = ops::multiply(each, ops::reshape(codes, each.shape()));
  }
  return ops::sum(each, Dims{-1});
}

}  // namespace ist
