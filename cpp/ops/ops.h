// The ops as C++ functions, with the names, arguments and results of mlx.core. They check, promote, infer and make
// nodes; nothing computes here. Each documented in ops.def; shapes and errors beside the definitions in the .cpp files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ops/op_table.h"

namespace ist::ops {

// ---- elementwise rows with a dtype class: generated from the table ----
#define IST_FN_1(name) \
  inline Tensor name(const Tensor& a) { return elementwise(Op::name, std::span<const Tensor>(&a, 1)); }
#define IST_FN_2(name)                                   \
  inline Tensor name(const Tensor& a, const Tensor& b) { \
    const Tensor inputs[] = {a, b};                      \
    return elementwise(Op::name, inputs);                \
  }
#define IST_FN_3(name)                                                    \
  inline Tensor name(const Tensor& a, const Tensor& b, const Tensor& c) { \
    const Tensor inputs[] = {a, b, c};                                    \
    return elementwise(Op::name, inputs);                                 \
  }
#define IST_FN_any(name, arity) IST_FN_##arity(name)
#define IST_FN_inexact(name, arity) IST_FN_##arity(name)
#define IST_FN_real_inexact(name, arity) IST_FN_##arity(name)
#define IST_FN_real(name, arity) IST_FN_##arity(name)
#define IST_FN_magnitude(name, arity) IST_FN_##arity(name)
#define IST_FN_compare(name, arity) IST_FN_##arity(name)
#define IST_FN_logical(name, arity) IST_FN_##arity(name)
#define IST_FN_bitwise(name, arity) IST_FN_##arity(name)
#define IST_FN_select(name, arity) IST_FN_##arity(name)
#define IST_FN_rule(name, arity)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_FN_##dtypes(name, arity)
#include "ops/ops.def"
#undef IST_OP

// ---- other elementwise ----
Tensor astype(const Tensor& a, DType dtype);  // returns `a` itself if it has the dtype
Tensor reciprocal(const Tensor& a);
Tensor degrees(const Tensor& a);
Tensor radians(const Tensor& a);
Tensor isposinf(const Tensor& a);
Tensor isneginf(const Tensor& a);
Tensor round(const Tensor& a, int64_t decimals = 0);
Tensor clip(const Tensor& a, const std::optional<Tensor>& low, const std::optional<Tensor>& high);
Tensors divmod(const Tensor& a, const Tensor& b);
Tensor nan_to_num(const Tensor& a, double nan, std::optional<double> posinf, std::optional<double> neginf);

// ---- constants ----
// A ready 0-d tensor on the current device, or on that of `like`.
Tensor scalar(double value, DType dtype);
Tensor scalar(int64_t value, DType dtype);
Tensor scalar_like(double value, const Tensor& like);  // like's dtype and device
Tensor zeros_like(const Tensor& a);
Tensor ones_like(const Tensor& a);

// ---- reductions: `axes` nullopt means all; negative axes count from the end ----
using OptionalAxes = std::optional<Dims>;
Tensor sum(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor prod(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor max(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor min(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor all(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor any(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor mean(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor var(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false, int ddof = 0);
Tensor std(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false, int ddof = 0);
Tensor logsumexp(const Tensor& a, const OptionalAxes& axes = std::nullopt, bool keepdims = false);
Tensor softmax(const Tensor& a, const OptionalAxes& axes = std::nullopt);
Tensor argmax(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool keepdims = false);
Tensor argmin(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool keepdims = false);

// ---- cumulative ops: from the end with `reverse`, of the elements before with `inclusive` false ----
Tensor cumsum(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool reverse = false, bool inclusive = true);
Tensor cumprod(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
               bool inclusive = true);
Tensor cummax(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool reverse = false, bool inclusive = true);
Tensor cummin(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool reverse = false, bool inclusive = true);
Tensor logcumsumexp(const Tensor& a, std::optional<int64_t> axis = std::nullopt, bool reverse = false,
                    bool inclusive = true);

// ---- sorting; no axis: the flat tensor ----
Tensor sort(const Tensor& a, std::optional<int64_t> axis = -1);
Tensor argsort(const Tensor& a, std::optional<int64_t> axis = -1);
Tensor partition(const Tensor& a, int64_t kth, std::optional<int64_t> axis = -1);
Tensor argpartition(const Tensor& a, int64_t kth, std::optional<int64_t> axis = -1);
Tensor topk(const Tensor& a, int64_t k, std::optional<int64_t> axis = -1);

// ---- linear algebra ----
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, double alpha = 1, double beta = 1);

// ---- quantized products: affine, `w` holds codes of `bits` bits in uint32 words ----
Tensors quantize(const Tensor& w, int group_size, int bits);  // words, scales, biases
Tensor dequantize(const Tensor& w, const Tensor& scales, const Tensor& biases, int group_size, int bits);
Tensor quantized_matmul(const Tensor& x, const Tensor& w, const Tensor& scales, const Tensor& biases, bool transpose,
                        int group_size, int bits);

// ---- convolution: (N, spatial..., C_in) with weights (C_out, kernel..., C_in / groups), 1 to 3 spatial axes ----
Tensor conv_general(const Tensor& input, const Tensor& weight, const ConvAttrs& conv);
// Of `conv`, the padding is cropped from the result, on its high side less the output padding; flip and the input
// dilation are not used.
Tensor conv_transpose(const Tensor& input, const Tensor& weight, const ConvAttrs& conv);
enum class ConvolveMode { full, same, valid };
Tensor convolve(const Tensor& a, const Tensor& v, ConvolveMode mode);

// ---- shape ----
Tensor reshape(const Tensor& a, const Dims& shape);
Tensor transpose(const Tensor& a, const std::optional<Dims>& axes = std::nullopt);
Tensor broadcast_to(const Tensor& a, const Dims& shape);
// Normalised: 0 <= start < extent (or size 0), any nonzero step.
Tensor slice(const Tensor& a, const Dims& starts, const Dims& steps, const Dims& sizes);
Tensor real(const Tensor& a);
Tensor imag(const Tensor& a);
Tensor stop_gradient(const Tensor& a);
Tensor alias(const Tensor& a);
Tensor to_device(const Tensor& a, DeviceId device);
Tensor expand_dims(const Tensor& a, const Dims& axes);
Tensor squeeze(const Tensor& a, const OptionalAxes& axes = std::nullopt);
Tensor flatten(const Tensor& a, int64_t start_axis = 0, int64_t end_axis = -1);
Tensor unflatten(const Tensor& a, int64_t axis, const Dims& shape);
Tensor moveaxis(const Tensor& a, int64_t source, int64_t destination);
Tensor swapaxes(const Tensor& a, int64_t axis1, int64_t axis2);
Tensor stack(std::span<const Tensor> tensors, int64_t axis = 0);
Tensor repeat(const Tensor& a, int64_t repeats, std::optional<int64_t> axis = std::nullopt);
Tensor tile(const Tensor& a, const Dims& reps);
Tensors split(const Tensor& a, int64_t sections, int64_t axis = 0);
Tensors split(const Tensor& a, const Dims& indices, int64_t axis = 0);
Tensors broadcast_arrays(std::span<const Tensor> tensors);
Tensors meshgrid(std::span<const Tensor> tensors, bool sparse, const std::string& indexing);

// ---- copies ----
Tensor concatenate(std::span<const Tensor> tensors, std::optional<int64_t> axis = 0);
Tensor pad(const Tensor& a, const Dims& low, const Dims& high, PadMode mode, const Tensor& value);
// A copy of `a` whose slice (starts, steps, sizes: normalised) is `update`, broadcast to it and cast to a's dtype.
Tensor slice_update(const Tensor& a, const Tensor& update, const Dims& starts, const Dims& steps, const Dims& sizes);

// ---- indices: negative ones count from the end; out of bounds raises at evaluation ----
// Shape of the result: the index operands' broadcast shape, then slice_sizes (one extent for every axis of `a`).
Tensor gather(const Tensor& a, std::span<const Tensor> indices, const Dims& axes, const Dims& slice_sizes);
// `updates` has the shape that gather would return. Several writes to one place: the last in row-major order holds.
Tensor scatter(const Tensor& a, std::span<const Tensor> indices, const Tensor& updates, const Dims& axes);
Tensor scatter_add(const Tensor& a, std::span<const Tensor> indices, const Tensor& updates, const Dims& axes);
Tensor take_along_axis(const Tensor& a, const Tensor& indices, std::optional<int64_t> axis = -1);
Tensor put_along_axis(const Tensor& a, const Tensor& indices, const Tensor& values, std::optional<int64_t> axis = -1);
Tensor add_along_axis(const Tensor& a, const Tensor& indices, const Tensor& values, int64_t axis);
Tensor take(const Tensor& a, const Tensor& indices, std::optional<int64_t> axis = std::nullopt);

// ---- creation: on the current device ----
Tensor arange(double start, double stop, double step, DType dtype);
Tensor full(const Dims& shape, const Tensor& value, DType dtype);
Tensor zeros(const Dims& shape, DType dtype = DType::float32);
Tensor ones(const Dims& shape, DType dtype = DType::float32);
Tensor eye(int64_t n, int64_t m, int64_t k = 0, DType dtype = DType::float32);
Tensor tri(int64_t n, int64_t m, int64_t k = 0, DType dtype = DType::float32);
Tensor tril(const Tensor& a, int64_t k = 0);
Tensor triu(const Tensor& a, int64_t k = 0);
Tensor linspace(double start, double stop, int64_t num, DType dtype = DType::float32, bool endpoint = true);

// ---- random: keys are uint32 tensors of shape (2,); see random.h for the distributions ----
Tensor random_bits(const Tensor& key, const Dims& shape, DType dtype);

// ---- norms over the last axis; weight and bias have one element for each of its positions ----
Tensor layer_norm(const Tensor& x, const std::optional<Tensor>& weight, const std::optional<Tensor>& bias, double eps);
Tensor rms_norm(const Tensor& x, const std::optional<Tensor>& weight, double eps);

// ---- attention: q (batch, heads, queries, depth), k and v (batch, kv_heads, keys, depth or width) ----
// `mask` broadcasts to (batch, heads, queries, keys): bool (false hides a key) or added to the scores. `causal` hides
// keys so that the last query sees all of them; not with a mask. `sinks`: a score for each head that takes a share.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    const std::optional<Tensor>& mask, bool causal, const std::optional<Tensor>& sinks);

}  // namespace ist::ops
