// Powers and logaddexp of float, which work in float: F as in exp_log_float.h.
#pragma once

#include "kernels/exp_log_float.h"

namespace ist {
namespace {
namespace scalar {

inline float trunc_of(float x) { return __builtin_truncf(x); }

// log2(x) to 2^-33 of its value, for positive finite x. A float would do for small results alone: the error of an
// exponent of 128 is 128 times as large in the power, relative to it.
template <class F>
inline PairOf<F> log2_pair(F x) {
  const Split<F> m = split(x);
  // log2(1 + f) = s * (c0 + z * (c1 + z * ...)) with s = f / (2 + f) and z = s^2. The first two terms are in pairs.
  const F d = m.f + F(2.0f);
  const F d_lo = m.f - (d - F(2.0f));
  const F inverse = F(1.0f) / d;
  const F s = m.f * inverse;
  const F s_lo = fma(-s, d_lo, fma(-s, d, m.f)) * inverse;
  const F z = s * s;
  const F z_lo = fma(s + s, s_lo, fma(s, s, -z));
  constexpr float c0 = 0x1.715476p+1f, c0_lo = 0x1.4ae0c0p-25f, c1 = 0x1.ec709ep-1f, c1_lo = -0x1.e2fe02p-28f;
  const F tail = z * polynomial(z, F(0x1.60bb6ep-2f), 0x1.a5694ap-2f, 0x1.277784p-1f);
  const F a = F(c1) + tail;
  const F a_lo = ((F(c1) - a) + tail) + F(c1_lo);
  const F product = z * a;
  const F product_lo = fma(z, a, -product) + fma(z, a_lo, z_lo * a);
  const F b = F(c0) + product;
  const F b_lo = ((F(c0) - b) + product) + (F(c0_lo) + product_lo);
  const F l = s * b;
  const F l_lo = fma(s, b, -l) + fma(s, b_lo, s_lo * b);
  const F sum = m.k + l;
  return {sum, ((m.k - sum) + l) + l_lo};
}

// 2^(x + lo) for |x| <= 160 and lo of a few units in the last place of x. The errors before the last rounding are so
// small that results which are floats come out exactly: squares and powers of ten among them.
template <class F>
inline F exp2_pair(F x, F lo) {
  const F k = (x + F(kRoundMagicF)) - F(kRoundMagicF);
  const F r = x - k;
  constexpr float ln2 = 0x1.62e430p-1f, ln2_lo = -0x1.05c610p-29f;
  const F tail =
      r * polynomial(r, F(0x1.42d3ecp-13f), 0x1.5f08d4p-10f, 0x1.3b2c0ap-7f, 0x1.c6af80p-5f, 0x1.ebfbdep-3f, ln2_lo);
  const F linear = r * F(ln2);
  const F head = F(1.0f) + linear;
  const F rest = ((F(1.0f) - head) + linear) + (fma(r, F(ln2), -linear) + tail);
  return scaled(head + fma(lo * F(ln2), head + rest, rest), k);
}

// Squares and cubes, which is what most exponents are for, are products: here of exponents 2 and 3.
template <class F>
inline F product_power(F x, F y) {
  const F square = x * x;
  return select(y == F(2.0f), square, square * x);
}
template <class F>
inline auto is_product_power(F y) {
  return (y == F(2.0f)) | (y == F(3.0f));
}

template <class F>
inline F power_of(F x, F y) {
  const F a = fabs(x);
  const PairOf<F> l = log2_pair(a);
  const F log = select(a < F(kInfF), select(a == F(0.0f), F(-kInfF), l.hi), a);
  // An infinite exponent acts as a large even number does, but for 0 * infinity where the base is 1.
  constexpr float largest = 0x1.fffffep127f;
  const F n = at_least(at_most(y, F(largest)), F(-largest));
  const F product = n * log;
  const F product_lo = select(fabs(product) < F(160.0f), fma(n, log, -product) + n * l.lo, F(0.0f));
  const F magnitude = exp2_pair(at_least(at_most(product, F(160.0f)), F(-160.0f)), product_lo);
  const F rest = fabs(fma(F(-2.0f), trunc_of(n * F(0.5f)), n));  // of a division by 2
  const F odd = copysign(magnitude, x);
  const F signless = select((x < F(0.0f)) & (a < F(kInfF)) & (rest != F(0.0f)), F(kNanF), magnitude);
  const F power = select((y == F(0.0f)) | (x == F(1.0f)), F(1.0f), select(rest == F(1.0f), odd, signless));
  return select(is_product_power(y), product_power(x, y), power);
}

// The larger operand and the logarithm that is added to it cancel where the result is close to 0: there its error is
// that of the terms, as it is when an operand is rounded.
template <class F>
inline F logaddexp_of(F a, F b) {
  const auto first = a > b;
  const F high = select(first, a, b), low = select(first, b, a);
  // Equal infinities have no difference.
  const F e = exp_of_negative(select(high == low, F(0.0f), low - high));
  // 1 + e = 2^k (1 + f)
  const auto upper = e > F(0.5f);
  const F f = select(upper, fma(e, F(0.5f), F(-0.5f)), e);
  return high + log_natural(select(upper, F(1.0f), F(0.0f)), f);
}

inline float power(float x, float y) { return power_of(x, y); }
inline float logaddexp(float a, float b) { return logaddexp_of(a, b); }

}  // namespace scalar
}  // namespace
}  // namespace ist
