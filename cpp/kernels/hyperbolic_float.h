// Hyperbolic functions of float and their inverses, which work in float: F as in exp_log_float.h.
#pragma once

#include "kernels/exp_log_float.h"

namespace ist {
namespace {
namespace scalar {

// 2^k (exp(r) - 2^-k). For small k the terms cancel, so 1 - 2^-k, which is exact then, meets r before the rest.
template <class F>
inline F expm1_of(F x) {
  const ReducedExp<F> e = reduce_exp(at_least(at_most(x, F(150.0f)), F(-40.0f)));
  const F tail = polynomial(e.r, F(0x1.6d722cp-10f), 0x1.122680p-7f, 0x1.5554c8p-5f, 0x1.5554b2p-3f, 0.5f);
  const F head = (F(1.0f) - exp2_integer(-at_most(e.k, F(100.0f)))) + e.r;
  return copysign(scaled(fma(e.r * e.r, tail, head), e.k), x);
}

// For |x| = k * ln 2 + r, in units of 2^(k - 1): sinh = difference * cosh(r) + sum * sinh(r) and
// cosh = sum * cosh(r) + difference * sinh(r). Each is a large first term and a tail whose rounding hardly shows.
template <class F>
struct Hyperbolic {
  F sum, difference;            // 1 + 4^-k, 1 - 4^-k
  F sum_lost, difference_lost;  // when these were rounded
  F k, r;
  F sinh_tail, cosh_tail;  // sinh(r) - r, cosh(r) - 1
};
template <class F>
inline Hyperbolic<F> reduce_hyperbolic(F x) {
  const ReducedExp<F> e = reduce_exp(at_most(fabs(x), F(150.0f)));
  const F inverse = exp2_integer(F(-2.0f) * at_most(e.k, F(30.0f)));
  const F z = e.r * e.r;
  const F sinh_tail = e.r * (z * polynomial(z, F(0x1.a2e31cp-13f), 0x1.110fbep-7f, 0x1.555556p-3f));
  const F cosh_tail = z * polynomial(z, F(0x1.6d4f14p-10f), 0x1.5554e6p-5f, 0.5f);
  const F sum = F(1.0f) + inverse, difference = F(1.0f) - inverse;
  const F sum_lost = inverse - (sum - F(1.0f)), difference_lost = (F(1.0f) - difference) - inverse;
  return {sum, difference, sum_lost, difference_lost, e.k, e.r, sinh_tail, cosh_tail};
}
template <class F>
inline F sinh_of(F x) {
  const Hyperbolic<F> h = reduce_hyperbolic(x);
  const F head = fma(h.sum, h.r, h.difference);
  const F y = head + fma(h.difference, h.cosh_tail, fma(h.sum, h.sinh_tail, h.difference_lost));
  return copysign(scaled(y, h.k - F(1.0f)), x);
}
template <class F>
inline F cosh_of(F x) {
  const Hyperbolic<F> h = reduce_hyperbolic(x);
  const F head = fma(h.difference, h.r, h.sum);
  const F y = head + fma(h.sum, h.cosh_tail, fma(h.difference, h.sinh_tail, h.sum_lost));
  return scaled(y, h.k - F(1.0f));
}

// log(2^doublings (u + lost)) for u >= 1. Where u is near 1, `lost` is a part of the result that counts.
template <class F>
inline F log_of_sum(F u, F lost, F doublings) {
  const Split<F> s = split(u);
  const F correction = lost * exp2_integer(-at_most(s.k, F(100.0f)));
  const F f = s.f + correction;
  const F f_lost = (s.f - f) + correction;
  const F k = s.k + doublings;
  const F y = fma(k, F(0x1.62e430p-1f), f + (fma(k, F(-0x1.05c610p-29f), log_tail(f)) + f_lost));
  return select(u < F(kInfF), y, u);
}
// From here on x + sqrt(x^2 +- 1) is 2 x; x^2 would become infinite.
inline constexpr float kLargeF = 0x1p40f;

// log(1 + w) with w = x + (sqrt(1 + x^2) - 1), the latter without its cancellation.
template <class F>
inline F arcsinh_of(F x) {
  const F a = fabs(x);
  const F excess = a * (a / (F(1.0f) + sqrt(fma(a, a, F(1.0f)))));
  const F w = a + excess;
  const F w_lost = excess - (w - a);
  const F u = F(1.0f) + w;
  const F w_part = u - F(1.0f);
  const F lost = (F(1.0f) - (u - w_part)) + (w - w_part);
  const auto large = a > F(kLargeF);
  return copysign(
      log_of_sum(select(large, a, u), select(large, F(0.0f), lost + w_lost), select(large, F(1.0f), F(0.0f))), x);
}
// x^2 - 1 cancels near 1, inside the fma.
template <class F>
inline F arccosh_of(F x) {
  const F root = sqrt(fma(x, x, F(-1.0f)));
  const F u = x + root;
  const F lost = root - (u - x);
  const auto large = x > F(kLargeF);
  return select(x < F(1.0f), F(kNanF),
                log_of_sum(select(large, x, u), select(large, F(0.0f), lost), select(large, F(1.0f), F(0.0f))));
}

#define IST_FLOAT_OF(name) \
  inline float name(float x) { return name##_of(x); }
IST_FLOAT_OF(expm1)
IST_FLOAT_OF(sinh)
IST_FLOAT_OF(cosh)
IST_FLOAT_OF(arcsinh)
IST_FLOAT_OF(arccosh)
#undef IST_FLOAT_OF

// arctanh(x) = k/2 * ln 2 + arctanh(s) with 2^k close to (1 + x) / (1 - x), so that s is small.
inline float arctanh(float x) {
  const float a = fabs(x), above = 1.0f + a, below = 1.0f - a;
  // The bits of a float are its logarithm to base 2, nearly: half a unit is added to round.
  const uint32_t rounded = (bits_of(above) - bits_of(below) + 0x00400000u) & 0xff800000u;
  const float power = float_of(rounded + 0x3f800000u);
  const float k = static_cast<float>(static_cast<int32_t>(rounded >> 23));
  // s is (above - 2^k * below) / (above + 2^k * below). Where `below` is rounded, they are written in x itself: s is x
  // if k is 0. Elsewhere 1 + 2^k would be.
  const bool small = a < 0.5f;
  const float numerator = small ? fma(a, 1.0f + power, 1.0f - power) : fma(-power, below, above);
  const float s = numerator / (small ? fma(a, 1.0f - power, 1.0f + power) : fma(power, below, above));
  const float z = s * s;
  const float p = polynomial(z, 0x1.ef2ea8p-4f, 0x1.23dc2cp-3f, 0x1.999c1ap-3f, 0x1.555554p-2f);
  const float y = fma(k, 0x1.62e430p-2f, s + fma(k, -0x1.05c610p-30f, s * (z * p)));
  return copysign(a < 1.0f ? y : (a == 1.0f ? kInfF : kNanF), x);
}

}  // namespace scalar
}  // namespace
}  // namespace ist
