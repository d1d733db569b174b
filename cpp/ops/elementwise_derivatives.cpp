// Derivatives of the elementwise ops: one rule each, a and b are the operands, y is the result.
#include "ops/derivative.h"
#include "ops/ops.h"

namespace ist {
namespace {

using namespace ops;

const Tensor& a_of(const RuleArgs& args) { return args.inputs[0]; }
const Tensor& b_of(const RuleArgs& args) { return args.inputs[1]; }

// Operands have the kernel's dtype already, so constants follow them.
Tensor plus(const Tensor& a, double c) { return add(a, scalar_like(c, a)); }
Tensor times(double c, const Tensor& a) { return multiply(scalar_like(c, a), a); }
Tensor from(double c, const Tensor& a) { return subtract(scalar_like(c, a), a); }
// bool counts modulo 2, where every element is its own negative.
Tensor minus(const Tensor& a) { return is_bool(a.dtype()) ? a : negative(a); }
// Not a product: an infinite cotangent times a mask of 0 would be NaN.
Tensor only_where(const Tensor& mask, const Tensor& cotangent) {
  return where(mask, cotangent, scalar_like(0, cotangent));
}
// Factored, so that nothing cancels near 1.
Tensor one_minus_square(const Tensor& a) { return multiply(from(1, a), plus(a, 1)); }

constexpr double kLn2 = 0.693147180559945309417;
constexpr double kLn10 = 2.30258509299404568402;
constexpr double kTwoOverSqrtPi = 1.12837916709551257390;
constexpr double kHalfSqrtPi = 0.886226925452758013649;

}  // namespace

// ---- linear: the operand's cotangent, from y's cotangent g ----

// Back to the dtype it came from.
Tensor transpose_astype(const RuleArgs& args, int, const Tensor& g) { return astype(g, a_of(args).dtype()); }
// g
Tensor transpose_contiguous(const RuleArgs&, int, const Tensor& g) { return g; }
// -g
Tensor transpose_negative(const RuleArgs&, int, const Tensor& g) { return negative(g); }
// conj g
Tensor transpose_conjugate(const RuleArgs&, int, const Tensor& g) { return conjugate_if_complex(g); }
// g, g
Tensor transpose_add(const RuleArgs&, int, const Tensor& g) { return g; }
// g, -g
Tensor transpose_subtract(const RuleArgs&, int i, const Tensor& g) { return i == 0 ? g : minus(g); }
// 0, g where the condition holds, g elsewhere
Tensor transpose_where(const RuleArgs& args, int i, const Tensor& g) {
  if (i == 0) return {};
  const Tensor zero = scalar_like(0, g);
  return i == 1 ? where(args.inputs[0], g, zero) : where(args.inputs[0], zero, g);
}

// ---- partial derivatives of one operand ----

// 2a
Tensor partial_square(const RuleArgs& args, int) { return add(a_of(args), a_of(args)); }
// 1 / 2y
Tensor partial_sqrt(const RuleArgs& args, int) { return divide(scalar_like(0.5, args.output), args.output); }
// -y / 2a
Tensor partial_rsqrt(const RuleArgs& args, int) { return times(-0.5, divide(args.output, a_of(args))); }
// y
Tensor partial_exp(const RuleArgs& args, int) { return args.output; }
// y + 1
Tensor partial_expm1(const RuleArgs& args, int) { return plus(args.output, 1); }
// 1 / a
Tensor partial_log(const RuleArgs& args, int) { return reciprocal(a_of(args)); }
// 1 / (a ln 2)
Tensor partial_log2(const RuleArgs& args, int) { return divide(scalar_like(1 / kLn2, args.output), a_of(args)); }
// 1 / (a ln 10)
Tensor partial_log10(const RuleArgs& args, int) { return divide(scalar_like(1 / kLn10, args.output), a_of(args)); }
// 1 / (1 + a)
Tensor partial_log1p(const RuleArgs& args, int) { return reciprocal(plus(a_of(args), 1)); }
// cos a
Tensor partial_sin(const RuleArgs& args, int) { return cos(a_of(args)); }
// -sin a
Tensor partial_cos(const RuleArgs& args, int) { return negative(sin(a_of(args))); }
// 1 + y^2
Tensor partial_tan(const RuleArgs& args, int) { return plus(square(args.output), 1); }
// 1 / sqrt(1 - a^2)
Tensor partial_arcsin(const RuleArgs& args, int) { return rsqrt(one_minus_square(a_of(args))); }
// -1 / sqrt(1 - a^2)
Tensor partial_arccos(const RuleArgs& args, int) { return negative(rsqrt(one_minus_square(a_of(args)))); }
// 1 / (1 + a^2)
Tensor partial_arctan(const RuleArgs& args, int) { return reciprocal(plus(square(a_of(args)), 1)); }
// cosh a
Tensor partial_sinh(const RuleArgs& args, int) { return cosh(a_of(args)); }
// sinh a
Tensor partial_cosh(const RuleArgs& args, int) { return sinh(a_of(args)); }
// 1 - y^2
Tensor partial_tanh(const RuleArgs& args, int) { return one_minus_square(args.output); }
// 1 / sqrt(a^2 + 1)
Tensor partial_arcsinh(const RuleArgs& args, int) { return rsqrt(plus(square(a_of(args)), 1)); }
// 1 / (sqrt(a - 1) sqrt(a + 1)): one root of the product is another branch left of the imaginary axis
Tensor partial_arccosh(const RuleArgs& args, int) {
  return multiply(rsqrt(plus(a_of(args), -1)), rsqrt(plus(a_of(args), 1)));
}
// 1 / (1 - a^2)
Tensor partial_arctanh(const RuleArgs& args, int) { return reciprocal(one_minus_square(a_of(args))); }
// 2 / sqrt(pi) * exp(-a^2)
Tensor partial_erf(const RuleArgs& args, int) { return times(kTwoOverSqrtPi, exp(negative(square(a_of(args))))); }
// sqrt(pi) / 2 * exp(y^2)
Tensor partial_erfinv(const RuleArgs& args, int) { return times(kHalfSqrtPi, exp(square(args.output))); }
// y (1 - y)
Tensor partial_sigmoid(const RuleArgs& args, int) { return multiply(args.output, from(1, args.output)); }
// sign a; for complex numbers the direction in which |a| grows, 0 at 0
Tensor vjp_abs(const RuleArgs& args, int, const Tensor& g) { return multiply(g, sign(a_of(args))); }

// ---- two operands ----

// b, a
Tensor partial_multiply(const RuleArgs& args, int i) { return args.inputs[1 - i]; }
// 1 / b, -y / b
Tensor partial_divide(const RuleArgs& args, int i) {
  return i == 0 ? reciprocal(b_of(args)) : negative(divide(args.output, b_of(args)));
}
// 1, -floor(a / b)
Tensor vjp_remainder(const RuleArgs& args, int i, const Tensor& g) {
  return i == 0 ? g : minus(multiply(g, floor_divide(a_of(args), b_of(args))));
}
// b a^(b - 1), y log a; the latter is 0 where y is, though log 0 is infinite
Tensor partial_power(const RuleArgs& args, int i) {
  const Tensor &a = a_of(args), &b = b_of(args);
  if (i == 0) return multiply(b, power(a, subtract(b, scalar_like(1, b))));
  return where(equal(args.output, scalar_like(0, args.output)), scalar_like(0, args.output),
               multiply(args.output, log(a)));
}
// What decides whether `a` is the larger operand, or the smaller one: y does as well as `a`. Behind a product or a
// convolution y is needed for the next one's gradient, and nobody else reads `a` again.
const Tensor& a_or_result(const RuleArgs& args) {
  const Tensor& a = a_of(args);
  const bool is_there = a.is_ready() || a.size() < args.output.size();
  return is_there || is_complex(a.dtype()) ? a : args.output;  // complex NaN are as large as may be
}
// 1 where a > b, 1 where a <= b: b takes ties, as upstream has it
Tensor vjp_maximum(const RuleArgs& args, int i, const Tensor& g) {
  const Tensor &a = i == 0 ? a_or_result(args) : a_of(args), &b = b_of(args);
  return only_where(i == 0 ? greater(a, b) : less_equal(a, b), g);
}
// 1 where a < b, 1 where a >= b
Tensor vjp_minimum(const RuleArgs& args, int i, const Tensor& g) {
  const Tensor &a = i == 0 ? a_or_result(args) : a_of(args), &b = b_of(args);
  return only_where(i == 0 ? less(a, b) : greater_equal(a, b), g);
}
// exp(a - y), exp(b - y); real: sigmoid of the difference, which holds at infinities of one operand, too
Tensor partial_logaddexp(const RuleArgs& args, int i) {
  const Tensor &self = args.inputs[i], &other = args.inputs[1 - i];
  if (is_complex(args.output.dtype())) return exp(subtract(self, args.output));
  return sigmoid(subtract(self, other));
}
// b / (a^2 + b^2), -a / (a^2 + b^2)
Tensor partial_arctan2(const RuleArgs& args, int i) {
  const Tensor norm = add(square(a_of(args)), square(b_of(args)));
  return i == 0 ? divide(b_of(args), norm) : negative(divide(a_of(args), norm));
}

}  // namespace ist
