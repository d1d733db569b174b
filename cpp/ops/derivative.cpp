#include "ops/derivative.h"

#include "ops/ops.h"

namespace ist {
namespace {

// Operands of elementwise ops are broadcast by the op: the cotangents of the copies of an element add up.
Tensor unbroadcast(const Tensor& a, const Dims& shape) {
  if (a.shape() == shape) return a;
  Dims summed;
  const int lead = a.rank() - shape.size();
  for (int axis = 0; axis < a.rank(); ++axis)
    if (axis < lead || (shape[axis - lead] == 1 && a.shape(axis) != 1)) summed.push_back(axis);
  return ops::reshape(summed.empty() ? a : ops::sum(a, summed), shape);
}

Tensor apply_rule(const OpInfo& row, const RuleArgs& args, int i, const Tensor& cotangent) {
  switch (row.derivative) {
    case Derivative::partial: {
      const Tensor partial = row.partial(args, i);
      return partial ? ops::multiply(cotangent, conjugate_if_complex(partial)) : Tensor();
    }
    case Derivative::linear:
    case Derivative::vjp:
      return row.transpose(args, i, cotangent);
    case Derivative::zero:
    case Derivative::composite:
      break;
  }
  return {};
}

}  // namespace

Tensor conjugate_if_complex(const Tensor& a) { return is_complex(a.dtype()) ? ops::conjugate(a) : a; }

Tensor widened(const Tensor& a) { return a.dtype() == DType::float64 ? a : ops::astype(a, DType::float32); }

Tensor Pullback::to_input(int i) {
  const Node& node = *output_.node();
  const OpInfo& row = info(node.op);
  const Tensor& input = node.inputs()[i];
  Tensor result = apply_rule(row, {node.inputs(), output_, node.attributes(), made_}, i, cotangent_);
  if (!result) return result;
  if (row.family == Family::elementwise) result = unbroadcast(result, input.shape());
  return ops::astype(result, input.dtype());
}

}  // namespace ist
