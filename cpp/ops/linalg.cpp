// Matrix products: inference and derivatives.
#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

Dims batch_of(const Tensor& a) { return Dims(std::span<const int64_t>(a.shape().data(), a.rank() - 2)); }

Dims matrix_shape(Dims batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

Tensor matmul_node(const Tensor& a, const Tensor& b, const Dims& batch) {
  const Tensor inputs[] = {a, b};
  return make_node(Op::matmul, a.dtype(), matrix_shape(batch, a.shape(-2), b.shape(-1)), inputs);
}

// Only operands with batch axes of their own can disagree: those still have the caller's shapes.
Dims broadcast_batches(const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.rank(), b.rank());
  for (int axis = -3; axis >= -rank; --axis) {
    const int64_t x = -axis <= a.rank() ? a.shape(axis) : 1, y = -axis <= b.rank() ? b.shape(axis) : 1;
    if (x != y && x != 1 && y != 1)
      fail(Code::shape, public_name("matmul"), "batch axes cannot be broadcast: lhs ", a.shape(), ", rhs ", b.shape());
  }
  return broadcast_shapes(batch_of(a), batch_of(b), "matmul");
}

Tensor with_batch(const Tensor& a, const Dims& batch) {
  if (batch_of(a) == batch) return a;
  return ops::broadcast_to(a, matrix_shape(batch, a.shape(-2), a.shape(-1)));
}

// a and b of equal dtype and at least two axes.
Tensor multiply_matrices(const Tensor& a, const Tensor& b) {
  if (a.rank() == 2 && b.rank() == 2) return matmul_node(a, b, {});
  if (b.rank() == 2) {
    // One tall matrix: a single product forward, and one without a batch to sum over backward.
    const int64_t columns = a.shape(-1);
    Dims batch = batch_of(a);
    const int64_t rows = element_count(batch) * a.shape(-2);
    const Tensor tall = matmul_node(ops::reshape(a, {rows, columns}), b, {});
    return ops::reshape(tall, matrix_shape(std::move(batch), a.shape(-2), b.shape(-1)));
  }
  const Dims batch = broadcast_batches(a, b);
  return matmul_node(with_batch(a, batch), with_batch(b, batch), batch);
}

// Checks the operands of a product as the caller gave them; `op` is for the message.
void check_operands(const Tensor& a, const Tensor& b, const char* op) {
  if (a.rank() == 0 || b.rank() == 0)
    fail(Code::shape, op, "needs operands with at least 1 dimension: lhs ", a.shape(), ", rhs ", b.shape());
  if (a.shape(-1) != b.shape(b.rank() == 1 ? 0 : -2))
    fail(Code::shape, op, "inner dimensions differ: lhs ", a.shape(), ", rhs ", b.shape());
}

void check_dtype(DType dtype, std::initializer_list<DType> given, const char* op) {
  if (is_inexact(dtype)) return;
  std::string list;
  for (DType one : given) list += (list.empty() ? "" : ", ") + std::string(name(one));
  fail(Code::dtype, op, "works on floating point and complex64, got ", list, "; astype(float32) converts");
}

Tensor transposed(const Tensor& a) { return ops::swapaxes(a, -1, -2); }

}  // namespace

namespace ops {

// 1-d operands are a row on the left, a column on the right; that axis is dropped from the result.
Tensor matmul(const Tensor& a, const Tensor& b) {
  const LabelScope label("matmul");
  const char* op = public_name("matmul");
  check_operands(a, b, op);
  const DType dtype = promote(a.dtype(), b.dtype());
  check_dtype(dtype, {a.dtype(), b.dtype()}, op);
  const Tensor lhs = astype(a, dtype), rhs = astype(b, dtype);
  if (a.rank() >= 2 && b.rank() >= 2) return multiply_matrices(lhs, rhs);

  const Tensor product = multiply_matrices(a.rank() == 1 ? reshape(lhs, {1, a.shape(0)}) : lhs,
                                           b.rank() == 1 ? reshape(rhs, {b.shape(0), 1}) : rhs);
  Dims shape = product.shape();
  if (a.rank() == 1) shape.erase(shape.size() - 2);
  if (b.rank() == 1) shape.pop_back();
  return reshape(product, shape);
}

// As upstream: c broadcasts to the product but never widens it, and a factor of 0 drops its term, NaN or not.
Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, double alpha, double beta) {
  const LabelScope label("addmm");
  const char* op = public_name("addmm");
  check_operands(a, b, op);
  const DType dtype = promote(c.dtype(), promote(a.dtype(), b.dtype()));
  check_dtype(dtype, {c.dtype(), a.dtype(), b.dtype()}, op);
  const auto scaled = [](const Tensor& t, double factor) {
    return factor == 1 ? t : multiply(t, scalar_like(factor, t));
  };
  const Tensor product = matmul(astype(a, dtype), astype(b, dtype));
  const Dims& shape = product.shape();
  if (!(broadcast_shapes(c.shape(), shape, op) == shape))
    fail(Code::shape, op, "c of shape ", c.shape(), " does not broadcast to the product of ", a.shape(), " and ",
         b.shape(), ", which is ", shape);
  if (beta == 0) return scaled(product, alpha);
  const Tensor addend = scaled(astype(c, dtype), beta);
  if (alpha == 0) return broadcast_to(addend, shape);
  return add(addend, scaled(product, alpha));
}

}  // namespace ops

Tensor call_matmul(std::span<const Tensor> inputs, const Attrs&) { return ops::matmul(inputs[0], inputs[1]); }

Tensor call_addmm(std::span<const Tensor> inputs, const Attrs& attrs) {
  const auto& factors = std::get<ScaleAttrs>(attrs);
  return ops::addmm(inputs[0], inputs[1], inputs[2], factors.alpha, factors.beta);
}

// g b^H, a^H g: both operands of the node have the batch axes of the result.
Tensor vjp_matmul(const RuleArgs& args, int i, const Tensor& g) {
  if (i == 0) return ops::matmul(g, conjugate_if_complex(transposed(args.inputs[1])));
  return ops::matmul(conjugate_if_complex(transposed(args.inputs[0])), g);
}

}  // namespace ist
