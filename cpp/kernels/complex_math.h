// Functions of complex64. They work in double inside, where the squares and exponentials of floats cannot overflow
// early and the cancellation in sums of squares stays below the last bit of the result.
#pragma once

#include "kernels/scalar_math.h"

namespace ist {
namespace {
namespace scalar {

struct ComplexD {
  double re, im;
};
inline ComplexD widen(complex64 z) { return {static_cast<double>(z.re), static_cast<double>(z.im)}; }
inline complex64 narrow(ComplexD z) { return {static_cast<float>(z.re), static_cast<float>(z.im)}; }
inline ComplexD plus(ComplexD a, ComplexD b) { return {a.re + b.re, a.im + b.im}; }
inline ComplexD minus(ComplexD a, ComplexD b) { return {a.re - b.re, a.im - b.im}; }
inline ComplexD scaled(ComplexD a, double s) { return {a.re * s, a.im * s}; }
// a - b. GCC 12 turns a difference and a sum of products side by side into one fused multiply-addsub, even with
// -ffp-contract=off; it does not see a difference in this.
inline float subtract_product(float a, float b) { return a + float_of(bits_of(b) ^ 0x80000000u); }
inline double subtract_product(double a, double b) { return a + double_of(bits_of(b) ^ 0x8000000000000000ull); }
inline ComplexD times(ComplexD a, ComplexD b) {
  return {subtract_product(a.re * b.re, a.im * b.im), a.re * b.im + a.im * b.re};
}
inline ComplexD times_i(ComplexD a) { return {-a.im, a.re}; }
inline ComplexD over_i(ComplexD a) { return {a.im, -a.re}; }
inline double modulus(ComplexD a) {
  const double r = sqrt(a.re * a.re + a.im * a.im);
  return (fabs(a.re) == kInf) | (fabs(a.im) == kInf) ? kInf : r;
}

inline complex64 add(complex64 a, complex64 b) { return {a.re + b.re, a.im + b.im}; }
inline complex64 subtract(complex64 a, complex64 b) { return {a.re - b.re, a.im - b.im}; }
inline complex64 multiply(complex64 a, complex64 b) {
  return {subtract_product(a.re * b.re, a.im * b.im), a.re * b.im + a.im * b.re};
}
inline complex64 negative(complex64 a) { return {-a.re, -a.im}; }
inline complex64 conjugate(complex64 a) { return {a.re, -a.im}; }
inline complex64 square(complex64 a) { return multiply(a, a); }

// Division by zero gives the numerator times infinity, division of a finite number by an infinite one zero.
inline ComplexD over(ComplexD a, ComplexD b) {
  const double norm = b.re * b.re + b.im * b.im;
  const ComplexD n = times(a, {b.re, -b.im});
  ComplexD q = {n.re / norm, n.im / norm};
  const bool zero = norm == 0.0;
  const double pole = copysign(kInf, b.re);
  q.re = zero ? pole * a.re : q.re;
  q.im = zero ? pole * a.im : q.im;
  const bool finite = (fabs(a.re) < kInf) & (fabs(a.im) < kInf);
  const bool vanishes = finite & ((fabs(b.re) == kInf) | (fabs(b.im) == kInf));
  q.re = vanishes ? 0.0 : q.re;
  q.im = vanishes ? 0.0 : q.im;
  return q;
}
inline complex64 divide(complex64 a, complex64 b) { return narrow(over(widen(a), widen(b))); }

inline float abs(complex64 a) { return static_cast<float>(modulus(widen(a))); }
inline complex64 sign(complex64 a) {
  const ComplexD z = widen(a);
  const double m = modulus(z);
  const bool zero = m == 0.0;
  return narrow({zero ? 0.0 : z.re / m, zero ? 0.0 : z.im / m});
}

inline ComplexD sqrt(ComplexD z) {
  // The half-angle form: the larger part first, the other one as im / (2 * larger), so that neither cancels.
  const double m = modulus(z);
  const double larger = sqrt(0.5 * (m + fabs(z.re)));
  const bool origin = larger == 0.0;
  const double smaller = origin ? 0.0 : 0.5 * fabs(z.im) / larger;
  double re = z.re < 0.0 ? smaller : larger;
  double im = z.re < 0.0 ? larger : smaller;
  const bool inf_im = fabs(z.im) == kInf;
  const bool inf_re = (fabs(z.re) == kInf) & !inf_im;
  re = inf_im ? kInf : (inf_re & (z.im == z.im) ? (z.re > 0.0 ? kInf : 0.0) : re);
  im = inf_im ? kInf : (inf_re & (z.im == z.im) ? (z.re > 0.0 ? 0.0 : kInf) : im);
  return {re, copysign(im, z.im)};
}
inline complex64 sqrt(complex64 a) { return narrow(sqrt(widen(a))); }
inline complex64 rsqrt(complex64 a) { return narrow(over({1.0, 0.0}, sqrt(widen(a)))); }

// condition ? a : b, by masks. Written as a choice, what computes the values becomes a branch, and loops do not become
// vectors.
inline double select(bool condition, double a, double b) {
  const uint64_t mask = 0 - static_cast<uint64_t>(condition);
  return double_of((bits_of(a) & mask) | (bits_of(b) & ~mask));
}
// A product in which an exact zero wins over infinity: exp(inf + 0i) is inf + 0i.
inline double zero_times(double zero, double x) { return select(zero == 0.0, zero, zero * x); }

inline ComplexD exp(ComplexD z) {
  const double e = exp(z.re);
  const bool vanishes = (z.re == -kInf) & !(fabs(z.im) < kInf);
  const double c = select(vanishes, 0.0, cos(z.im));
  const double s = select(vanishes, 0.0, sin(z.im));
  return {e * c, select(z.im == 0.0, z.im, zero_times(s, e))};
}
inline complex64 exp(complex64 a) { return narrow(exp(widen(a))); }

// log|z|; close to |z| = 1 from |z|^2 - 1, whose terms are exact or nearly so.
inline double log_modulus(ComplexD z) {
  const double a = fabs(z.re), b = fabs(z.im);
  const double larger = a > b ? a : b;
  const double smaller = a > b ? b : a;
  const Pair square = two_product(larger, larger);
  const Pair shifted = two_sum(square.hi, -1.0);
  const double excess = fma(smaller, smaller, shifted.hi) + (shifted.lo + square.lo);
  const double norm = larger * larger + smaller * smaller;
  const double y = 0.5 * ((norm > 0.5) & (norm < 3.0) ? log1p(excess) : log(norm));
  return (a == kInf) | (b == kInf) ? kInf : y;
}
inline ComplexD log(ComplexD z) { return {log_modulus(z), arctan2(z.im, z.re)}; }
inline complex64 log(complex64 a) { return narrow(log(widen(a))); }
inline complex64 log2(complex64 a) { return narrow(scaled(log(widen(a)), kLog2E)); }
inline complex64 log10(complex64 a) { return narrow(scaled(log(widen(a)), 0x1.bcb7b1526e50ep-2)); }

inline complex64 log1p(complex64 a) {
  const ComplexD z = widen(a);
  // |1 + z|^2 - 1 = 2 re + re^2 + im^2, grouped so that the near-cancelling pair is summed first.
  const double excess = fma(z.re, z.re + 2.0, z.im * z.im);
  const bool close = (fabs(z.re) < 0.5) & (fabs(z.im) < 0.7);
  const ComplexD u = {1.0 + z.re, z.im};
  const double re = close ? 0.5 * log1p(excess) : log_modulus(u);
  return narrow({re, arctan2(z.im, u.re)});
}
inline complex64 expm1(complex64 a) {
  const ComplexD z = widen(a);
  const double s = sin(z.im), h = sin(0.5 * z.im);
  const double m = expm1(z.re);
  const double e = exp(z.re);
  // e^x cos y - 1 = expm1(x) cos y - 2 sin^2(y / 2)
  const ComplexD general = exp(z);
  const bool finite = fabs(z.im) < kInf && e < kInf;
  return narrow({finite ? fma(m, cos(z.im), -2.0 * h * h) : general.re - 1.0,
                 z.im == 0.0 ? z.im : (finite ? e * s : general.im)});
}

// sinh(x) cos(y), cosh(x) sin(y), from which the circular functions follow by turning the plane.
inline ComplexD sinh(ComplexD z) {
  return {select(z.re == 0.0, z.re, sinh(z.re) * cos(z.im)), select(z.im == 0.0, z.im, cosh(z.re) * sin(z.im))};
}
inline ComplexD cosh(ComplexD z) {
  const bool axis = (z.re == 0.0) | (z.im == 0.0);
  return {cosh(z.re) * cos(z.im), axis ? copysign(0.0, z.re) * copysign(1.0, z.im) : sinh(z.re) * sin(z.im)};
}
inline ComplexD tanh(ComplexD z) {
  // With t = tan y, h = tanh x, s = sech^2 x: (h (1 + t^2) + i t s) / (1 + h^2 t^2), times cos^2 y in both parts.
  const double x = fabs(z.re) > 60.0 ? copysign(60.0, z.re) : z.re;
  const double s = sin(z.im), c = cos(z.im);
  const double sh = sinh(x), ch = cosh(x);
  const double norm = sh * sh + c * c;
  const bool saturated = fabs(z.re) > 60.0;
  const double e = exp(-2.0 * fabs(z.re));
  const double im = saturated ? 4.0 * e * s * c : s * c / norm;
  const bool undetermined = saturated & !(fabs(z.im) < kInf);
  return {saturated ? copysign(1.0, z.re) : sh * ch / norm, undetermined ? 0.0 : (z.im == 0.0 ? z.im : im)};
}
inline complex64 sinh(complex64 a) { return narrow(sinh(widen(a))); }
inline complex64 cosh(complex64 a) { return narrow(cosh(widen(a))); }
inline complex64 tanh(complex64 a) { return narrow(tanh(widen(a))); }
inline complex64 sin(complex64 a) { return narrow(over_i(sinh(times_i(widen(a))))); }
inline complex64 cos(complex64 a) { return narrow(cosh(times_i(widen(a)))); }
inline complex64 tan(complex64 a) { return narrow(over_i(tanh(times_i(widen(a))))); }

// Infinite parts stand in as numbers large enough to leave the angle to them.
inline double bounded(double x) { return fabs(x) == kInf ? copysign(0x1p400, x) : x; }
inline bool any_infinite(ComplexD z) { return (fabs(z.re) == kInf) | (fabs(z.im) == kInf); }

// arcsin and arccos from sqrt(1 + z) and sqrt(1 - z) (Kahan): no cancellation beyond that of 1 +- z, which is exact
// enough in double.
inline ComplexD arcsinh(ComplexD z) {
  const bool infinite = any_infinite(z);
  z = {bounded(z.re), bounded(z.im)};
  const ComplexD p = sqrt(ComplexD{1.0 - z.im, z.re});   // sqrt(1 + i z)
  const ComplexD m = sqrt(ComplexD{1.0 + z.im, -z.re});  // sqrt(1 - i z)
  const double re = arcsinh(p.re * m.im - p.im * m.re);
  const double im = arctan2(z.im, p.re * m.re - p.im * m.im);
  return {copysign(infinite ? kInf : fabs(re), z.re), im};
}
inline ComplexD arccos(ComplexD z) {
  const bool infinite = any_infinite(z);
  z = {bounded(z.re), bounded(z.im)};
  const ComplexD m = sqrt(ComplexD{1.0 - z.re, -z.im});
  const ComplexD p = sqrt(ComplexD{1.0 + z.re, z.im});
  const double im = infinite ? kInf : fabs(arcsinh(p.re * m.im - p.im * m.re));
  return {2.0 * arctan2(m.re, p.re), copysign(im, -z.im)};
}
inline complex64 arcsinh(complex64 a) { return narrow(arcsinh(widen(a))); }
inline complex64 arcsin(complex64 a) { return narrow(over_i(arcsinh(times_i(widen(a))))); }
inline complex64 arccos(complex64 a) { return narrow(arccos(widen(a))); }
inline complex64 arccosh(complex64 a) {
  const ComplexD w = arccos(widen(a));
  return narrow({fabs(w.im), copysign(w.re, static_cast<double>(a.im))});
}
inline ComplexD arctanh(ComplexD z) {
  // re = log1p(4 x / ((1 - x)^2 + y^2)) / 4, im = arg((1 - x)(1 + x) - y^2 + 2 i y) / 2, by x >= 0 and oddness.
  const double x = fabs(z.re), y = fabs(z.im);
  const double gap = 1.0 - x;
  const double re = 0.25 * log1p(4.0 * x / (gap * gap + y * y));
  const double im = 0.5 * arctan2(2.0 * y, gap * (1.0 + x) - y * y);
  const bool infinite = (x == kInf) | (y == kInf);
  return {copysign(infinite ? 0.0 : re, z.re), copysign(infinite ? kHalfPi : im, z.im)};
}
inline complex64 arctanh(complex64 a) { return narrow(arctanh(widen(a))); }
inline complex64 arctan(complex64 a) { return narrow(over_i(arctanh(times_i(widen(a))))); }

inline complex64 sigmoid(complex64 a) {
  const ComplexD z = widen(a);
  const double s = z.re >= 0.0 ? -1.0 : 1.0;
  const ComplexD e = exp(scaled(z, s));
  const ComplexD d = {1.0 + e.re, e.im};
  const ComplexD numerator = {z.re >= 0.0 ? 1.0 : e.re, z.re >= 0.0 ? 0.0 : e.im};
  return narrow(over(numerator, d));
}

inline complex64 power(complex64 a, complex64 b) {
  const ComplexD x = widen(a), y = widen(b);
  const ComplexD r = exp(times(y, log(x)));
  const bool base_zero = (a.re == 0.0f) & (a.im == 0.0f);
  const bool one = (b.re == 0.0f) & (b.im == 0.0f);
  const bool zero = base_zero & (b.re > 0.0f);
  return narrow({one ? 1.0 : (zero ? 0.0 : r.re), one | zero ? 0.0 : r.im});
}
inline complex64 logaddexp(complex64 a, complex64 b) {
  const bool first = (a.re > b.re) | ((a.re == b.re) & (a.im > b.im));
  const complex64 high = {first ? a.re : b.re, first ? a.im : b.im};
  const complex64 low = {first ? b.re : a.re, first ? b.im : a.im};
  const ComplexD e = exp(minus(widen(low), widen(high)));
  const ComplexD u = {1.0 + e.re, e.im};
  const bool close = (fabs(e.re) < 0.5) & (fabs(e.im) < 0.7);
  const double re = close ? 0.5 * log1p(fma(e.re, e.re + 2.0, e.im * e.im)) : log_modulus(u);
  const ComplexD sum = plus(widen(high), {re, arctan2(u.im, u.re)});
  const bool infinite = (fabs(high.re) == kInfF) & ((high.re > 0.0f) | (low.re == high.re)) & (low.re == low.re);
  return infinite ? high : narrow(sum);
}

}  // namespace scalar
}  // namespace
}  // namespace ist
