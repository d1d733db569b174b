// layer_norm and rms_norm over the last axis: inference and derivatives.
#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

DType checked_dtype(const Tensor& x, const std::optional<Tensor>& weight, const std::optional<Tensor>& bias,
                    const char* op) {
  if (x.rank() == 0) fail(Code::value, op, "needs at least 1 dimension, got shape ", x.shape());
  DType dtype = x.dtype();
  for (const auto& other : {weight, bias})
    if (other) dtype = promote(dtype, other->dtype());
  if (!is_inexact(dtype) || dtype == DType::complex64)
    fail(Code::dtype, op, "works on floating point, got ", name(dtype), "; astype(float32) converts");
  return dtype;
}

// One element for each position of the last axis. `neutral` stands for None: it changes no bit of a result.
Tensor parameter(const std::optional<Tensor>& given, double neutral, const Tensor& x, const char* what,
                 const char* op) {
  const Dims shape = {x.shape(-1)};
  if (!given) return ops::broadcast_to(ops::scalar_like(neutral, x), shape);
  if (!(given->shape() == shape))
    fail(Code::value, op, what, " must have shape ", shape, " for x of shape ", x.shape(), ", got ", given->shape());
  return ops::astype(*given, x.dtype());
}

Tensor row_mean(const Tensor& a) { return ops::mean(a, Dims{-1}, true); }

// The sum over all axes but the last.
Tensor sum_of_rows(const Tensor& a) {
  Dims leading;
  for (int axis = 0; axis + 1 < a.rank(); ++axis) leading.push_back(axis);
  return ops::sum(a, leading);
}

// Of x, in the dtype of the derivatives.
struct Normal {
  Tensor normal, scale;
};

Normal normal_of(const RuleArgs& args, bool centred) {
  const Tensor x = widened(args.inputs[0]);
  const Tensor centre = centred ? ops::subtract(x, row_mean(x)) : x;
  const Tensor variance = row_mean(ops::square(centre));
  const Tensor scale = ops::rsqrt(ops::add(variance, ops::scalar_like(args.get<NormAttrs>().eps, variance)));
  return {ops::multiply(centre, scale), scale};
}

// With n the normalised x and h = g * weight:
//   x: scale * (h - mean(h) - n * mean(h * n)), without mean(h) where x is not centred; weight: sum of g * n; bias: of
//   g.
Tensor vjp_norm(const RuleArgs& args, int i, const Tensor& given, bool centred) {
  const Tensor& weight = args.inputs[1];
  const DType dtype = given.dtype();
  const Tensor g = widened(given);
  if (i == 2) return ops::astype(sum_of_rows(g), dtype);
  const auto& [normal, scale] = args.once([&] { return normal_of(args, centred); });
  if (i == 1) return ops::astype(sum_of_rows(ops::multiply(g, normal)), dtype);
  const Tensor h = ops::multiply(g, widened(weight));
  Tensor across = ops::subtract(h, ops::multiply(normal, row_mean(ops::multiply(h, normal))));
  if (centred) across = ops::subtract(across, row_mean(h));
  return ops::astype(ops::multiply(across, scale), dtype);
}

}  // namespace

namespace ops {

Tensor layer_norm(const Tensor& a, const std::optional<Tensor>& weight, const std::optional<Tensor>& bias, double eps) {
  const LabelScope label("layer_norm");
  const char* op = public_name("layer_norm");
  const Tensor x = astype(a, checked_dtype(a, weight, bias, op));
  const Tensor inputs[] = {x, parameter(weight, 1, x, "weight", op), parameter(bias, -0.0, x, "bias", op)};
  return make_node(Op::layer_norm, x.dtype(), x.shape(), inputs, NormAttrs{eps});
}

Tensor rms_norm(const Tensor& a, const std::optional<Tensor>& weight, double eps) {
  const LabelScope label("rms_norm");
  const char* op = public_name("rms_norm");
  const Tensor x = astype(a, checked_dtype(a, weight, std::nullopt, op));
  const Tensor inputs[] = {x, parameter(weight, 1, x, "weight", op)};
  return make_node(Op::rms_norm, x.dtype(), x.shape(), inputs, NormAttrs{eps});
}

}  // namespace ops

Tensor call_layer_norm(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::layer_norm(inputs[0], inputs[1], inputs[2], std::get<NormAttrs>(attrs).eps);
}
Tensor call_rms_norm(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::rms_norm(inputs[0], inputs[1], std::get<NormAttrs>(attrs).eps);
}

Tensor vjp_layer_norm(const RuleArgs& args, int i, const Tensor& g) { return vjp_norm(args, i, g, true); }
Tensor vjp_rms_norm(const RuleArgs& args, int i, const Tensor& g) { return vjp_norm(args, i, g, false); }

}  // namespace ist
