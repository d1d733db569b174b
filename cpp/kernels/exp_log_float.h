// Exponentials and logarithms of float, which work in float.
#pragma once

#include "kernels/exp_log.h"

namespace ist {
namespace {
namespace scalar {

// Functions of F are for float and for vectors of it, which have their own scaled() and split(), and the same bits.
// `F(constant)` fills a vector; select(condition, a, b) takes the place of ?:.
inline float select(bool condition, float a, float b) { return condition ? a : b; }
// By the sign bit of x. Written as a choice, a product with 1 or e becomes a choice as well, of two products.
inline float select_by_sign(float x, float positive, float negative) {
  const uint32_t mask = static_cast<uint32_t>(static_cast<int32_t>(bits_of(x)) >> 31);
  return float_of((bits_of(negative) & mask) | (bits_of(positive) & ~mask));
}
inline constexpr uint32_t kSmallestNormalF = 0x00800000u;
// NaN passes through both.
inline float at_most(float x, float limit) { return x > limit ? limit : x; }
inline float at_least(float x, float limit) { return x < limit ? limit : x; }
// Where exp is 0 from there on, so that scaling need not know more. Vectors that are scaled by any power return x.
inline float limited_below(float x, float limit) { return at_least(x, limit); }

// y * 2^k for integers k in [-250, 250], rounded once: in two factors, because 2^k may be out of range.
inline float scaled(float y, float k) {
  const float half = fma(k, 0.5f, kRoundMagicF) - kRoundMagicF;
  return y * exp2_integer(half) * exp2_integer(k - half);
}

// x = k * ln 2 + r with |r| <= ln(2) / 2, for x within 150 of 0; k lies in the low bits of `shifted`.
template <class F>
struct ReducedExp {
  F k, r, shifted;
};
template <class F>
inline ReducedExp<F> reduce_exp(F x) {
  const F shifted = fma(x, F(0x1.715476p+0f), F(kRoundMagicF));
  const F k = shifted - F(kRoundMagicF);
  return {k, fma(k, F(0x1.05c610p-29f), fma(k, F(-0x1.62e430p-1f), x)), shifted};
}

// exp(r) for |r| <= ln(2) / 2: a number in [0.7, 1.42].
template <class F>
inline F exp_reduced(F r) {
  const F p = polynomial(r, F(0x1.6b6dfap-10f), 0x1.12300cp-7f, 0x1.55568ap-5f, 0x1.5554a2p-3f, 0.5f, 1.0f);
  return fma(p, r, F(1.0f));
}
// The bits of y * 2^k for y in [0.7, 1.42] and k in [-151, 128], rounded once; but of anything for a NaN. No product is
// subnormal, for which processors take a hundred cycles: 2^k is an addition to the exponent, and where that leaves
// none, adding 2^(-126 - k) rounds y to what counts in the result, and the sum has it in its low bits.
inline uint32_t scaled_bits(float y, ReducedExp<float> e) {
  const uint32_t k = bits_of(e.shifted) << 23, unit = kSmallestNormalF - k;
  const uint32_t normal = bits_of(y) + k, subnormal = bits_of(y + float_of(unit)) - unit;
  return static_cast<int32_t>(normal) < static_cast<int32_t>(kSmallestNormalF) ? subnormal : normal;
}
inline float scaled_exp(float y, ReducedExp<float> e) {
  const uint32_t bits = scaled_bits(y, e), infinity = bits_of(kInfF);
  return float_of(bits < infinity ? bits : infinity) + (y - y);
}
template <class F>
inline F exp_of(F x) {
  const ReducedExp<F> e = reduce_exp(limited_below(at_most(x, F(89.0f)), F(-105.0f)));
  return scaled_exp(exp_reduced(e.r), e);
}
// exp(x) where results are normal: 2^k is an addition to the exponent.
inline constexpr float kNearExp = 87.0f;
inline bool is_near_exp(float x) { return fabs(x) <= kNearExp; }
inline float exp_near(float x) {
  const ReducedExp<float> e = reduce_exp(x);
  return times_power(exp_reduced(e.r), e.shifted);
}
inline float scaled_down(float y, ReducedExp<float> e) { return float_of(scaled_bits(y, e)) + (y - y); }
// exp(x) for x of 0 or less. What is below the limit is 0, as it is there.
template <class F>
inline F exp_of_negative(F x) {
  const ReducedExp<F> e = reduce_exp(limited_below(x, F(-105.0f)));
  return scaled_down(exp_reduced(e.r), e);
}
// 1 / (1 + e) or e / (1 + e) with e = exp(-|x|). A division would keep the divider busy for as long as all else takes.
// The seed is 1 / (1 + e) within 0.0018, a Chebyshev polynomial, and Newton's step squares that; what the quotient then
// leaves of the numerator makes up for the rest, and for the rounding of 1 + e.
template <class F>
inline F sigmoid_by_exp(F x, F e) {
  const F minus_d = F(-1.0f) - e;
  const F excess = (F(-1.0f) - minus_d) - e;
  const F seed = polynomial(minus_d, F(0x1.c65286p-3f), 0x1.54bde4p+0f, 0x1.783c56p+1f, 0x1.6a09c2p+1f);
  const F inverse = fma(seed, fma(minus_d, seed, F(1.0f)), seed);
  const F numerator = select_by_sign(x, F(1.0f), e);  // of -0 as well: e is 1
  const F quotient = numerator * inverse;
  const F rest = fma(excess, quotient, fma(minus_d, quotient, numerator));
  return fma(inverse, rest, quotient);
}
// A small e is the result itself, or 1 is. So no product has to do with subnormal numbers, the rest that the quotient
// leaves least of all, which is smaller than e by as much as a significand is long.
template <class F>
inline F sigmoid_of(F x) {
  const F e = exp_of_negative(-fabs(x));
  const F large = select(e < F(0x1p-64f), F(0.0f), e);
  const F y = sigmoid_by_exp(x, large);
  return select_by_sign(x, y, y + (e - large));
}
inline constexpr float kNearSigmoid = 64.0f;  // the rest is normal
inline bool is_near_sigmoid(float x) { return fabs(x) <= kNearSigmoid; }
inline float sigmoid_near(float x) { return sigmoid_by_exp(x, exp_near(-fabs(x))); }

// x = 2^k * (1 + f) with f in [-1/4, 1/2), for positive finite x, and for those that are normal.
template <class F>
struct Split {
  F k, f;
};
inline Split<float> split_normal(float x) {
  constexpr uint32_t kThreeQuarters = 0x3f400000u;
  // Adding the distance from 3/4 to 1 carries into the exponent exactly when the significand is 3/2 or more.
  const uint32_t shifted = bits_of(x) + (0x3f800000u - kThreeQuarters);
  const float exponent = float_of((shifted >> 23) | 0x4b000000u) - (0x1p23f + 127.0f);
  return {exponent, float_of((shifted & 0x007fffffu) + kThreeQuarters) - 1.0f};
}
inline Split<float> split(float x) {
  const bool subnormal = x < 0x1p-126f;
  const Split<float> s = split_normal(subnormal ? x * 0x1p24f : x);
  return {s.k - (subnormal ? 24.0f : 0.0f), s.f};
}

// log(1 + f) - f for f in [-1/4, 1/2).
template <class F>
inline F log_tail(F f) {
  const F p = polynomial(f, F(-0x1.7157ccp-5f), 0x1.aca84ep-4f, -0x1.0d918ap-3f, 0x1.288514p-3f, -0x1.54ef42p-3f,
                         0x1.996990p-3f, -0x1.000042p-2f, 0x1.5555a4p-2f);
  return fma(f, p, F(-0.5f)) * (f * f);
}

// Zero gives -inf, negative numbers NaN; infinity and NaN pass through.
template <class F>
inline F log_special(F x, F y) {
  const F positive = select(x < F(kInfF), y, x);
  return select(x >= F(0.0f), select(x > F(0.0f), positive, F(-kInfF)), select(x < F(0.0f), F(kNanF), x));
}

// k * unit + factor * log(1 + f), both in two parts; k * unit is exact. What k * unit + f * factor loses by rounding is
// added to the small terms: the two cancel where k is -1.
template <class F>
inline F log_sum(F k, F f, float unit, float unit_low, float factor, float factor_low) {
  const F whole = k * F(unit);
  const F product = f * F(factor);
  const F head = whole + product;
  const F lost = ((whole - head) + product) + fma(f, F(factor), -product);
  const F low = fma(k, F(unit_low), fma(f, F(factor_low), log_tail(f) * F(factor)));
  return head + (lost + low);
}
template <class F>
inline F log_natural(F k, F f) {
  return fma(k, F(0x1.62e430p-1f), f + fma(k, F(-0x1.05c610p-29f), log_tail(f)));
}

template <class F>
inline F log_natural(Split<F> s) {
  return log_natural(s.k, s.f);
}
template <class F>
inline F log_binary(Split<F> s) {
  return log_sum(s.k, s.f, 1.0f, 0.0f, 0x1.715476p+0f, 0x1.4ae0c0p-26f);
}
template <class F>
inline F log_decimal(Split<F> s) {
  return log_sum(s.k, s.f, 0x1.3440p-2f, 0x1.3509f8p-18f, 0x1.bcb7b2p-2f, -0x1.5b235ep-27f);
}

template <class F>
inline F log_of(F x) {
  return log_special(x, log_natural(split(x)));
}
template <class F>
inline F log2_of(F x) {
  return log_special(x, log_binary(split(x)));
}
template <class F>
inline F log10_of(F x) {
  return log_special(x, log_decimal(split(x)));
}
// The same for numbers that are positive, normal and finite.
inline bool is_near_log(float x) { return (x >= 0x1p-126f) & (x < kInfF); }
inline float log_near(float x) { return log_natural(split_normal(x)); }
inline float log2_near(float x) { return log_binary(split_normal(x)); }
inline float log10_near(float x) { return log_decimal(split_normal(x)); }

template <class F>
inline F log1p_of(F x) {
  const F u = F(1.0f) + x;
  const Split<F> s = split(u);
  // What the sum lost, in units of 2^k; past 2^25 it does not matter.
  const F x_part = u - F(1.0f);
  const F lost = (F(1.0f) - (u - x_part)) + (x - x_part);
  const F f = fma(lost, exp2_integer(-at_most(s.k, F(100.0f))), s.f);
  return log_special(u, copysign(log_natural(s.k, f), x));
}

#define IST_FLOAT_OF(name) \
  inline float name(float x) { return name##_of(x); }
IST_FLOAT_OF(exp)
IST_FLOAT_OF(sigmoid)
IST_FLOAT_OF(log)
IST_FLOAT_OF(log2)
IST_FLOAT_OF(log10)
IST_FLOAT_OF(log1p)
#undef IST_FLOAT_OF

}  // namespace scalar
}  // namespace
}  // namespace ist
