// scaled_dot_product_attention: inference and derivatives.
#include <limits>

#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v, const char* op) {
  for (const Tensor& t : {q, k, v})
    if (t.rank() != 4) fail(Code::value, op, "q, k and v must have 4 dimensions, got shape ", t.shape());
  const auto mismatch = [&](const char* what) {
    fail(Code::value, op, what, ": q ", q.shape(), ", k ", k.shape(), ", v ", v.shape());
  };
  if (q.shape(0) != k.shape(0) || q.shape(0) != v.shape(0)) mismatch("batches differ");
  if (q.shape(3) != k.shape(3)) mismatch("the last extents of q and k differ");
  if (k.shape(1) != v.shape(1)) mismatch("k and v differ in heads");
  if (k.shape(2) != v.shape(2)) mismatch("k and v differ in length");
  if (k.shape(1) == 0 || q.shape(1) % k.shape(1) != 0) mismatch("the heads of q are no multiple of those of k and v");
}

Tensor promoted_to(DType dtype, const Tensor& a, const char* what, const char* op) {
  if (promote(a.dtype(), dtype) != dtype)
    fail(Code::dtype, op, what, " of ", name(a.dtype()), " does not promote to ", name(dtype));
  return ops::astype(a, dtype);
}

// ---- the same from other ops, for derivatives: heads in groups that share keys and values ----

struct Parts {
  Tensor q, k, v;  // (batch, kv_heads, group, queries, depth), group 1 for k and v; q is scaled
  Tensor visible;  // bool, empty if every key is
  Tensor weights;  // the softmax, without the sinks' share
  Tensor sinks;    // their share, or empty
};

// And of the output's cotangent.
struct Pulled {
  Parts parts;
  Tensor g;       // it, in groups
  Tensor mean;    // g . out, a number for each query
  Tensor scores;  // the scores' cotangent
};

Tensor grouped(const Tensor& a, int64_t kv_heads) {
  return ops::reshape(a, {a.shape(0), kv_heads, a.shape(1) / kv_heads, a.shape(2), a.shape(3)});
}

// The sum over each group: keys and values are shared by its heads.
Tensor summed(const Tensor& a) { return a.shape(2) == 1 ? a : ops::sum(a, Dims{2}); }

Tensor turned(const Tensor& a) { return ops::swapaxes(a, -1, -2); }

Tensor part_of_last(const Tensor& a, int64_t start, int64_t size) {
  Dims starts(a.rank(), 0), steps(a.rank(), 1), sizes = a.shape();
  starts[a.rank() - 1] = start;
  sizes[a.rank() - 1] = size;
  return ops::slice(a, starts, steps, sizes);
}

Tensor mask_of(std::span<const Tensor> inputs) {
  return inputs.size() > 3 && inputs[3].rank() == 4 ? inputs[3] : Tensor{};
}
Tensor sinks_of(std::span<const Tensor> inputs) {
  return inputs.size() > 3 && inputs.back().rank() == 1 ? inputs.back() : Tensor{};
}

Parts parts_of(const RuleArgs& args) {
  const auto& attrs = args.get<AttentionAttrs>();
  const int64_t kv_heads = args.inputs[1].shape(1);
  const DeviceScope scope(args.output.device());
  Parts parts;
  const Tensor q = grouped(widened(args.inputs[0]), kv_heads);
  parts.q = ops::multiply(q, ops::scalar_like(attrs.scale, q));
  parts.k = grouped(widened(args.inputs[1]), kv_heads);
  parts.v = grouped(widened(args.inputs[2]), kv_heads);
  Tensor scores = ops::matmul(parts.q, turned(parts.k));
  const int64_t queries = scores.shape(-2), keys = scores.shape(-1);
  const Tensor mask = mask_of(args.inputs), sinks = sinks_of(args.inputs);
  if (attrs.causal) parts.visible = ops::tri(queries, keys, keys - queries, DType::bool_);
  if (mask && mask.dtype() == DType::bool_) parts.visible = grouped(mask, kv_heads);
  if (mask && mask.dtype() != DType::bool_) scores = ops::add(scores, grouped(widened(mask), kv_heads));
  if (parts.visible) {
    const double lowest = scores.dtype() == DType::float64 ? std::numeric_limits<double>::lowest()
                                                           : double{std::numeric_limits<float>::lowest()};
    scores = ops::where(parts.visible, scores, ops::scalar_like(lowest, scores));
  }
  if (!sinks) {
    parts.weights = ops::softmax(scores, Dims{-1});
    return parts;
  }
  Dims column = scores.shape();
  column[4] = 1;
  const Tensor one = ops::reshape(widened(sinks), {1, kv_heads, scores.shape(2), 1, 1});
  const Tensor all[] = {scores, ops::broadcast_to(one, column)};
  const Tensor weights = ops::softmax(ops::concatenate(all, -1), Dims{-1});
  parts.weights = part_of_last(weights, 0, keys);
  parts.sinks = part_of_last(weights, keys, 1);
  return parts;
}

Pulled pulled_of(const RuleArgs& args, const Tensor& given) {
  Pulled pulled = {parts_of(args), grouped(widened(given), args.inputs[1].shape(1)), {}, {}};
  const DeviceScope scope(args.output.device());
  const Parts& parts = pulled.parts;
  const Tensor pull = ops::matmul(pulled.g, turned(parts.v));
  pulled.mean = ops::sum(ops::multiply(parts.weights, pull), Dims{-1}, true);
  pulled.scores = ops::multiply(parts.weights, ops::subtract(pull, pulled.mean));
  if (parts.visible) {
    pulled.scores = ops::where(parts.visible, pulled.scores, ops::scalar_like(0, pulled.scores));
  }
  return pulled;
}

}  // namespace

namespace ops {

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    const std::optional<Tensor>& mask, bool causal,
                                    const std::optional<Tensor>& sinks) {
  const LabelScope label("scaled_dot_product_attention");
  const char* op = public_name("scaled_dot_product_attention");
  check_shapes(q, k, v, op);
  const DType dtype = promote(q.dtype(), promote(k.dtype(), v.dtype()));
  if (!is_inexact(dtype) || dtype == DType::complex64)
    fail(Code::dtype, op, "works on floating point, got ", name(dtype), "; astype(float32) converts");
  if (mask && causal) fail(Code::value, op, "a mask and causal exclude each other");
  std::vector<Tensor> inputs = {astype(q, dtype), astype(k, dtype), astype(v, dtype)};
  if (mask) {
    const Dims scores = {q.shape(0), q.shape(1), q.shape(2), k.shape(2)};
    if (mask->rank() > 4) fail(Code::value, op, "the mask has more than 4 dimensions: ", mask->shape());
    if (!(broadcast_shapes(mask->shape(), scores, op) == scores))
      fail(Code::value, op, "the mask of shape ", mask->shape(), " does not broadcast to ", scores);
    const Tensor typed = mask->dtype() == DType::bool_ ? *mask : promoted_to(dtype, *mask, "a mask", op);
    inputs.push_back(broadcast_to(typed, scores));
  }
  if (sinks) {
    if (!(sinks->shape() == Dims{q.shape(1)}))
      fail(Code::value, op, "sinks must have shape (", q.shape(1), "), got ", sinks->shape());
    inputs.push_back(promoted_to(dtype, *sinks, "sinks", op));
  }
  const Dims shape = {q.shape(0), q.shape(1), q.shape(2), v.shape(3)};
  const DeviceScope scope(q.device());
  if (k.shape(2) == 0) return zeros(shape, dtype);  // no keys, no values
  return make_node(Op::scaled_dot_product_attention, dtype, shape, inputs, AttentionAttrs{scale, causal});
}

}  // namespace ops

Tensor call_scaled_dot_product_attention(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& given = std::get<AttentionAttrs>(attrs);
  const Tensor mask = mask_of(inputs), sinks = sinks_of(inputs);
  const size_t expected = 3 + (mask ? 1 : 0) + (sinks ? 1 : 0);
  if (inputs.size() != expected)
    fail(Code::value, "scaled_dot_product_attention",
         "the operands are q, k and v, then a mask of rank 4 and sinks of rank 1, if any; got ", inputs.size());
  const auto optional = [](const Tensor& t) { return t ? std::optional<Tensor>(t) : std::nullopt; };
  return ops::scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], given.scale, optional(mask), given.causal,
                                           optional(sinks));
}

// With weights p and out = p v: dv = p^T g; the scores' cotangent is ds = p (g v^T - g . out), where p v = out row by
// row; dq = scale ds k, dk = ds^T (scale q). A sink's score meets the value zero.
Tensor vjp_scaled_dot_product_attention(const RuleArgs& args, int i, const Tensor& given) {
  const Tensor& input = args.inputs[static_cast<size_t>(i)];
  if (input.dtype() == DType::bool_) return {};
  const Pulled& pulled = args.once([&] { return pulled_of(args, given); });
  const Parts& parts = pulled.parts;
  const DeviceScope scope(args.output.device());
  const auto as_input = [&](const Tensor& t) { return ops::astype(ops::reshape(t, input.shape()), input.dtype()); };
  if (i == 2) return as_input(summed(ops::matmul(turned(parts.weights), pulled.g)));
  if (i >= 3 && input.rank() == 1)
    return as_input(ops::negative(ops::sum(ops::multiply(parts.sinks, pulled.mean), Dims{0, 3, 4})));
  if (i == 3) return as_input(pulled.scores);
  if (i == 1) return as_input(summed(ops::matmul(turned(pulled.scores), parts.q)));
  const Tensor dq = ops::matmul(pulled.scores, parts.k);
  return as_input(ops::multiply(dq, ops::scalar_like(args.get<AttentionAttrs>().scale, dq)));
}

}  // namespace ist
