// Inference of elementwise ops: one function for all rows with a dtype class, and the rows that say `rule`.
#include "ops/ops.h"
#include "runtime/error.h"

namespace ist {
namespace {

struct DTypes {
  DType kernel;  // what the operands are cast to
  DType output;
};

[[noreturn]] void refuse(Op op, std::span<const Tensor> inputs, const char* reason) {
  std::string given;
  for (const Tensor& input : inputs) given += (given.empty() ? "" : ", ") + std::string(name(input.dtype()));
  fail(Code::dtype, public_name(name(op)), reason, ", got ", given);
}

// What the classes do not say about bool: arithmetic negation has no meaning there, and shifts work on uint8.
DType kernel_dtype_for_bool(Op op, std::span<const Tensor> inputs) {
  if (op == Op::negative) refuse(op, inputs, "bool has no negative (logical_not inverts it)");
  return op == Op::left_shift || op == Op::right_shift ? DType::uint8 : DType::bool_;
}

DTypes infer_dtypes(const OpInfo& row, std::span<const Tensor> inputs, DType promoted) {
  if (promoted == DType::bool_) promoted = kernel_dtype_for_bool(row.op, inputs);
  switch (row.dtypes) {
    case DTypeClass::any:
    case DTypeClass::select:
    case DTypeClass::rule:
      return {promoted, promoted};
    case DTypeClass::real_inexact:
      if (is_complex(promoted)) refuse(row.op, inputs, "complex64 is not supported");
      [[fallthrough]];
    case DTypeClass::inexact:
      promoted = at_least_float(promoted);
      return {promoted, promoted};
    case DTypeClass::real:
      if (is_complex(promoted)) refuse(row.op, inputs, "complex64 is not supported");
      return {promoted, promoted};
    case DTypeClass::magnitude:
      return {promoted, is_complex(promoted) ? DType::float32 : promoted};
    case DTypeClass::compare:
      return {promoted, DType::bool_};
    case DTypeClass::logical:
      return {DType::bool_, DType::bool_};
    case DTypeClass::bitwise:
      if (is_inexact(promoted)) refuse(row.op, inputs, "works on integers and bool whose common dtype is one of these");
      return {promoted, promoted};
  }
  return {promoted, promoted};
}

}  // namespace

Tensor elementwise(Op op, std::span<const Tensor> inputs) {
  const OpInfo& row = info(op);
  if (inputs.size() != static_cast<size_t>(row.arity))
    fail(Code::value, public_name(row.name), "takes ", int{row.arity}, " operands, got ", inputs.size());
  const size_t first = row.dtypes == DTypeClass::select ? 1 : 0;  // operand 0 of select rows is the condition
  DType promoted = inputs[first].dtype();
  for (size_t i = first + 1; i < inputs.size(); ++i) promoted = promote(promoted, inputs[i].dtype());
  const DTypes dtypes = infer_dtypes(row, inputs, promoted);
  if (op == Op::floor_divide && is_float(dtypes.kernel) && itemsize(dtypes.kernel) == 2) {
    // Upstream floors the quotient as the 16-bit type has it: two ops, two roundings.
    const LabelScope label("floor_divide");
    return ops::floor(ops::divide(inputs[0], inputs[1]));
  }

  bool casts = first == 1 && inputs[0].dtype() != DType::bool_;
  for (size_t i = first; i < inputs.size(); ++i) casts |= inputs[i].dtype() != dtypes.kernel;
  Dims shape = inputs[0].shape();
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].shape() == shape) continue;
    if (inputs.size() == 2)
      shape = broadcast_shapes(inputs[0].shape(), inputs[1].shape(), public_name(row.name));
    else
      shape = broadcast_shapes(shape, inputs[i].shape(), public_name(row.name));
  }
  if (!casts) return make_node(op, dtypes.output, std::move(shape), inputs);

  Tensor cast[3];
  for (size_t i = 0; i < inputs.size(); ++i) cast[i] = ops::astype(inputs[i], i < first ? DType::bool_ : dtypes.kernel);
  return make_node(op, dtypes.output, std::move(shape), std::span<const Tensor>(cast, inputs.size()));
}

Tensor call_astype(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::astype(inputs[0], std::get<DTypeAttrs>(attrs).dtype);
}

namespace ops {

Tensor astype(const Tensor& a, DType dtype) {
  if (a.dtype() == dtype) return a;
  return make_node(Op::astype, dtype, a.shape(), std::span<const Tensor>(&a, 1), DTypeAttrs{dtype});
}

}  // namespace ops
}  // namespace ist
