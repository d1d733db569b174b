// Exponentials, logarithms, powers and hyperbolic functions.
#pragma once

#include "kernels/float_bits.h"

namespace ist {
namespace {
namespace scalar {

inline double sqrt(double x) { return __builtin_sqrt(x); }
inline float sqrt(float x) { return __builtin_sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return 1.0f / sqrt(x); }

inline constexpr double kLog2E = 0x1.71547652b82fep+0;
inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;
inline constexpr double kLn2Low = 0x1.abc9e3b39803fp-56;
// ln 2 with 11 zero bits at the end, so that its product with an exponent is exact.
inline constexpr double kLn2Short = 0x1.62e42fefa3800p-1;
inline constexpr double kLn2ShortLow = 0x1.ef35793c76730p-45;

// Functions of D are for double and for vectors of it, which have their own times_power() and normalize_normal(), and
// the same bits. `D(constant)` fills a vector.

// x = k * ln 2 + r with |r| <= ln(2) / 2; k also lies in the low bits of `shifted`.
template <class D>
struct ReducedExpDouble {
  D r, k, shifted;
};
template <class D>
inline ReducedExpDouble<D> reduce_exp_double(D x) {
  const D shifted = fma(x, D(kLog2E), D(kRoundMagic)), k = shifted - D(kRoundMagic);
  return {fma(k, D(-kLn2Low), fma(k, D(-kLn2), x)), k, shifted};
}

// exp(r) - 1 for |r| <= ln(2) / 2.
template <class D>
inline D expm1_reduced(D r) {
  const D p = polynomial(r, D(0x1.1f730349868cep-29), 0x1.af4de97ca4194p-26, 0x1.27e4db646b17ep-22,
                         0x1.71de0231960ebp-19, 0x1.a01a01a6d889cp-16, 0x1.a01a01abe7fe1p-13, 0x1.6c16c16c162d4p-10,
                         0x1.11111111100dcp-7, 0x1.5555555555556p-5, 0x1.5555555555557p-3, 0x1.0000000000000p-1);
  return fma(r * r, p, r);
}

// exp(hi + lo) * 2^offset for hi in [-800, 800]; two factors of the scale keep subnormals and the last binade right.
inline double exp_core(double hi, double lo, double offset) {
  const auto [r, k, shifted] = reduce_exp_double(hi);
  const double y = 1.0 + expm1_reduced(r + lo);
  const double half = fma(k, 0.5, kRoundMagic) - kRoundMagic;
  return y * exp2_integer(half) * exp2_integer(k - half + offset);
}

// Past these limits results are 0 and infinity anyway. Comparisons are false for NaN, which so passes through.
inline double exp_clamp(double x) {
  x = x > 750.0 ? 750.0 : x;
  return x < -750.0 ? -750.0 : x;
}

// exp(x) for x of 710 or less. No product is subnormal or vanishes, for which processors take a hundred cycles: 2^k is
// an addition to the exponent, and where that leaves none, adding 2^(-1022 - k) rounds y to what counts in the result,
// and the sum has it in its low bits.
inline double exp_below(double x) {
  constexpr int64_t smallest = 0x0010000000000000ll, infinity = 0x7ff0000000000000ll;
  const ReducedExpDouble<double> e = reduce_exp_double(x < -746.0 ? -746.0 : x);
  const double y = 1.0 + expm1_reduced(e.r);  // in [0.7, 1.42]
  const uint64_t k = bits_of(e.shifted) << 52, unit = smallest - k;
  const auto normal = static_cast<int64_t>(bits_of(y) + k);
  const auto subnormal = static_cast<int64_t>(bits_of(y + double_of(unit)) - unit);
  const int64_t bits = normal < smallest ? subnormal : normal;
  return double_of(static_cast<uint64_t>(bits < infinity ? bits : infinity)) + (y - y);
}
inline double exp(double x) { return exp_below(x > 710.0 ? 710.0 : x); }
// The same where results are normal.
inline constexpr double kNearExpDouble = 708.0;
inline bool is_near_exp(double x) { return fabs(x) <= kNearExpDouble; }
template <class D>
inline D exp_near_double(D x) {
  const ReducedExpDouble<D> e = reduce_exp_double(x);
  return times_power(D(1.0) + expm1_reduced(e.r), e.shifted);
}
inline double exp_near(double x) { return exp_near_double(x); }

// expm1(x) * 2^offset.
inline double expm1_core(double x, double offset) {
  double c = x > 750.0 ? 750.0 : x;
  c = c < -45.0 ? -45.0 : c;
  const auto [r, k, shifted] = reduce_exp_double(c);
  const double inverse = exp2_integer(k > 100.0 ? -100.0 : -k);
  // 2^k (p + 1 - 2^-k): both terms are exact before the sum unless 2^-k is out of its reach.
  const double sum = expm1_reduced(r) + (1.0 - inverse);
  const double half = fma(k, 0.5, kRoundMagic) - kRoundMagic;
  return sum * exp2_integer(half) * exp2_integer(k - half + offset);
}

inline double expm1(double x) {
  const double y = expm1_core(x, 0.0);
  return fabs(x) < 0x1p-54 ? x : y;
}

// x = 2^k * m with m in [sqrt(1/2), sqrt(2)), for positive finite x.
template <class D>
struct Normalized {
  D m, k;
};
inline Normalized<double> normalize_normal(double x) {
  // Adding the distance from sqrt(1/2) to 1 carries into the exponent exactly when the mantissa is past sqrt(2).
  const uint64_t shifted = bits_of(x) + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
  const double exponent = double_of((shifted >> 52) | 0x4330000000000000ull) - (0x1p52 + 1023.0);
  return {double_of((shifted & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull), exponent};
}
inline Normalized<double> normalize(double x) {
  const bool subnormal = x < 0x1p-1022;
  const Normalized<double> n = normalize_normal(subnormal ? x * 0x1p54 : x);
  return {n.m, n.k - (subnormal ? 54.0 : 0.0)};
}

// log(1 + f) as f - (f^2/2 - rest), for 1 + f in [sqrt(1/2), sqrt(2)].
template <class D>
inline PairOf<D> log_reduced(D f) {
  const D s = f / (D(2.0) + f);
  const D z = s * s;
  const D r =
      z * polynomial(z, D(0x1.0c0aff044a970p-3), 0x1.0fbde0f4ad17bp-3, 0x1.3b1c3c1c81c8fp-3, 0x1.745cf8e4bba1bp-3,
                     0x1.c71c7201a55d7p-3, 0x1.2492492476a1ap-2, 0x1.9999999999a39p-2, 0x1.5555555555555p-1);
  const D half_square = D(0.5) * f * f;
  return {half_square, s * (half_square + r)};
}

// Zero gives -inf, negative numbers NaN; infinity and NaN pass through.
inline double log_special(double x, double y) {
  y = x < kInf ? y : x;
  y = x == 0.0 ? -kInf : y;
  return x < 0.0 ? kNan : y;
}

template <class D>
inline D log_natural(Normalized<D> n) {
  const D f = n.m - D(1.0);
  const PairOf<D> r = log_reduced(f);
  return n.k * D(kLn2Short) - ((r.hi - (r.lo + n.k * D(kLn2ShortLow))) - f);
}
// k * unit + log(m) * factor, the product in twice the precision.
template <class D>
inline D log_scaled(Normalized<D> n, double unit_hi, double unit_lo, double factor_hi, double factor_lo) {
  const D f = n.m - D(1.0);
  const PairOf<D> r = log_reduced(f);
  const PairOf<D> head = quick_two_sum(f, -r.hi);  // f^2 / 2
  const PairOf<D> l = quick_two_sum(head.hi, head.lo + r.lo);
  const PairOf<D> product = two_product(l.hi, D(factor_hi));
  const D low = product.lo + fma(l.hi, D(factor_lo), l.lo * D(factor_hi));
  const PairOf<D> sum = quick_two_sum(n.k * D(unit_hi), product.hi);  // at most half a unit
  return sum.hi + (sum.lo + fma(n.k, D(unit_lo), low));
}
template <class D>
inline D log_binary(Normalized<D> n) {
  return log_scaled(n, 1.0, 0.0, kLog2E, 0x1.777d0ffda0d24p-56);
}
template <class D>
inline D log_decimal(Normalized<D> n) {
  return log_scaled(n, 0x1.34413509f7800p-2, 0x1.fef311f12b358p-46, 0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57);
}

inline double log(double x) { return log_special(x, log_natural(normalize(x))); }
inline double log2(double x) { return log_special(x, log_binary(normalize(x))); }
inline double log10(double x) { return log_special(x, log_decimal(normalize(x))); }
// The same for numbers that are positive, normal and finite.
inline bool is_near_log(double x) { return (x >= 0x1p-1022) & (x < kInf); }
inline double log_near(double x) { return log_natural(normalize_normal(x)); }
inline double log2_near(double x) { return log_binary(normalize_normal(x)); }
inline double log10_near(double x) { return log_decimal(normalize_normal(x)); }

inline double log1p(double x) {
  const double u = 1.0 + x;
  const Normalized<double> n = normalize(u);
  // What the sum 1 + x lost, relative to u; where u is in the first binade x itself is exact.
  const double lost = (x < 1.0 ? x - (u - 1.0) : 1.0 - (u - x)) / u;
  const double f = n.k == 0.0 ? x : n.m - 1.0;
  const double c = n.k == 0.0 ? 0.0 : lost;
  const Pair r = log_reduced(f);
  const double y = n.k * kLn2Short - ((r.hi - (r.lo + (n.k * kLn2ShortLow + c))) - f);
  return fabs(x) < 0x1p-54 ? x : log_special(u, y);
}

// log(x) to about 2^-65 of its value, for positive finite x.
inline Pair log_pair(double x) {
  const Normalized<double> n = normalize(x);
  const double f = n.m - 1.0;
  const Pair d = two_sum(n.m, 1.0);
  const double s = f / d.hi;
  const double s_lo = (fma(-s, d.hi, f) - s * d.lo) / d.hi;
  const double z = s * s;
  const double z_lo = fma(s, s, -z) + 2.0 * s * s_lo;
  const double tail = z * polynomial(z, 0x1.b8e0c07ef591ap-4, 0x1.ac4927065cf5ap-4, 0x1.e1f80a4c22cd4p-4,
                                     0x1.1110df7e2b9b8p-3, 0x1.3b13b1bd0ead0p-3, 0x1.745d1745124c7p-3,
                                     0x1.c71c71c71cfe7p-3, 0x1.2492492492491p-2, 0x1.999999999999ap-2);
  constexpr double two_thirds = 0x1.5555555555555p-1, two_thirds_lo = 0x1.5555555555555p-55;
  const double a = two_thirds + tail;
  const double a_lo = ((two_thirds - a) + tail) + two_thirds_lo;
  const double w = s * z;
  const double w_lo = fma(s, z, -w) + fma(s, z_lo, s_lo * z);
  const double v = w * a;
  const double v_lo = fma(w, a, -v) + fma(w, a_lo, w_lo * a);
  const Pair l = quick_two_sum(2.0 * s, v);
  const double l_lo = l.lo + (2.0 * s_lo + v_lo);
  const Pair sum = two_sum(n.k * kLn2Short, l.hi);
  return quick_two_sum(sum.hi, sum.lo + fma(n.k, kLn2ShortLow, l_lo));
}

// The special cases of C's pow; magnitude is |x|^y for positive finite |x| and finite y.
inline double power_special(double x, double y, double magnitude) {
  const double ax = fabs(x);
  const bool integer = __builtin_trunc(y) == y;
  const double half = y * 0.5;
  const bool odd = integer & (__builtin_trunc(half) != half);
  const double base_zero = y < 0 ? kInf : 0.0;
  const double base_inf = y < 0 ? 0.0 : kInf;
  double r = magnitude;
  r = (y == kInf) ? (ax > 1 ? kInf : 0.0) : r;
  r = (y == -kInf) ? (ax > 1 ? 0.0 : kInf) : r;
  r = ax == 0 ? base_zero : r;
  r = ax == kInf ? base_inf : r;
  r = (x < 0) & !integer & (ax != kInf) ? kNan : r;
  r = ((fabs(y) == kInf) & (ax == 1)) ? 1.0 : r;
  r = odd & (copysign(1.0, x) < 0) ? -r : r;
  r = ((x != x) | (y != y)) ? kNan : r;
  return ((y == 0) | (x == 1)) ? 1.0 : r;
}

inline double power(double x, double y) {
  const Pair l = log_pair(fabs(x));
  const double hi = y * l.hi;
  const double lo = fma(y, l.hi, -hi) + y * l.lo;
  const bool big = !(fabs(hi) < 750.0);
  const double magnitude = exp_core(exp_clamp(hi), big ? 0.0 : lo, 0.0);
  return power_special(x, y, magnitude);
}

inline double sinh(double x) {
  const double a = fabs(x);
  const double h = expm1_core(a, -1.0);  // half of expm1
  const double y = h + h / (2.0 * h + 1.0);
  return a < 0x1p-28 ? x : copysign(h < kInf ? y : h, x);
}
inline double cosh(double x) {
  const double e = exp_core(exp_clamp(fabs(x)), 0.0, -1.0);
  return e + 0.25 / e;
}
inline double tanh(double x) {
  const double a = fabs(x);
  // expm1_core() for small numbers, where 2^k is one factor.
  const double c = a > 22.0 ? 44.0 : 2.0 * a;
  const auto [r, k, shifted] = reduce_exp_double(c);
  const double t = (expm1_reduced(r) + (1.0 - exp2_integer(-k))) * exp2_integer(k);
  return a < 0x1p-28 ? x : copysign(t / (t + 2.0), x);
}
// By the sign bit of x.
inline double select_by_sign(double x, double positive, double negative) {
  return static_cast<int64_t>(bits_of(x)) < 0 ? negative : positive;
}
template <class D>
inline D sigmoid_by_exp_double(D x, D e) {
  return select_by_sign(x, D(1.0), e) / (D(1.0) + e);
}
// A small e is the result itself, or 1 is: no division has to do with subnormal numbers.
inline double sigmoid(double x) {
  const double e = exp_below(-fabs(x));
  const double large = e < 0x1p-60 ? 0.0 : e;
  const double y = sigmoid_by_exp_double(x, large);
  return x >= 0.0 ? y : y + (e - large);
}
inline bool is_near_sigmoid(double x) { return is_near_exp(x); }
inline double sigmoid_near(double x) { return sigmoid_by_exp_double(x, exp_near(-fabs(x))); }

inline double arcsinh(double x) {
  const double a = fabs(x);
  const bool large = a > 0x1p60;
  const double w = a + a * a / (1.0 + sqrt(fma(a, a, 1.0)));
  const double y = log1p(large ? a : w) + (large ? kLn2 : 0.0);
  return a < 0x1p-28 ? x : copysign(y, x);
}
inline double arccosh(double x) {
  const double t = x - 1.0;
  const bool large = x > 0x1p60;
  const double y = log1p(large ? x : t + sqrt(t * (t + 2.0))) + (large ? kLn2 : 0.0);
  return x < 1.0 ? kNan : y;
}
inline double arctanh(double x) {
  const double a = fabs(x);
  const double y = 0.5 * log1p(2.0 * a / (1.0 - a));
  return a < 0x1p-28 ? x : copysign(a > 1.0 ? kNan : y, x);
}

inline double logaddexp(double a, double b) {
  const double high = a > b ? a : b;
  const double low = a > b ? b : a;
  const double y = high + log1p(exp(low - high));
  // Equal infinities have no difference; a NaN in either operand reaches the sum.
  return fabs(high) == kInf && low == low ? high : (a != a ? a : (b != b ? b : y));
}

}  // namespace scalar
}  // namespace
}  // namespace ist
