// The transcendental functions, for float and double.
//
// The float functions that networks run on work in float. The others are the double ones rounded, which costs width
// but leaves half an ULP of error.
#pragma once

#include "kernels/exp_log.h"
#include "kernels/special_math.h"
#include "kernels/trig.h"

namespace ist {
namespace {
namespace scalar {

// Functions of F are for float and for vectors of it, which have a better scaled() and the same bits. `F(constant)`
// fills a vector; select(condition, a, b) takes the place of ?:.
inline float select(bool condition, float a, float b) { return condition ? a : b; }
// NaN passes through both.
inline float at_most(float x, float limit) { return x > limit ? limit : x; }
inline float at_least(float x, float limit) { return x < limit ? limit : x; }

// y * 2^k for integers k in [-250, 250], rounded once: in two factors, because 2^k may be out of range.
inline float scaled(float y, float k) {
  const float half = fma(k, 0.5f, kRoundMagicF) - kRoundMagicF;
  return y * exp2_integer(half) * exp2_integer(k - half);
}

// exp(x) for x in [-150, 150].
template <class F>
inline F exp_core(F x) {
  const F k = fma(x, F(0x1.715476p+0f), F(kRoundMagicF)) - F(kRoundMagicF);
  const F r = fma(k, F(0x1.05c610p-29f), fma(k, F(-0x1.62e430p-1f), x));
  const F p = polynomial(r, F(0x1.6b6dfap-10f), 0x1.12300cp-7f, 0x1.55568ap-5f, 0x1.5554a2p-3f, 0.5f, 1.0f);
  return scaled(fma(p, r, F(1.0f)), k);
}
template <class F>
inline F exp_of(F x) {
  return exp_core(at_least(at_most(x, F(150.0f)), F(-150.0f)));
}
template <class F>
inline F sigmoid_of(F x) {
  const F e = exp_of(-fabs(x));
  const F d = F(1.0f) + e;
  const F lost = e - (d - F(1.0f));
  const F inverse = F(1.0f) / d;
  // One Newton step takes back what the rounding of 1 + e and of the division lost.
  const F refined = fma(inverse, fma(-d, inverse, F(1.0f)) - lost * inverse, inverse);
  return select(x >= F(0.0f), refined, e * refined);
}
template <class F>
inline F tanh_of(F x) {
  const F a = fabs(x);
  const F z = x * x;
  const F p = polynomial(z, F(0x1.4a0670p-9f), -0x1.173324p-7f, 0x1.657366p-6f, -0x1.ba13e6p-5f, 0x1.111104p-3f,
                         -0x1.555556p-2f);
  const F small = fma(x * z, p, x);
  const F large = F(1.0f) - F(2.0f) / (exp_core(F(2.0f) * at_most(a, F(20.0f))) + F(1.0f));
  return copysign(select(a < F(0.55f), small, large), x);
}
inline float exp(float x) { return exp_of(x); }
inline float sigmoid(float x) { return sigmoid_of(x); }
inline float tanh(float x) { return tanh_of(x); }

inline float log(float x) {
  const bool subnormal = x < 0x1p-126f;
  const uint32_t bits = bits_of(subnormal ? x * 0x1p24f : x);
  const uint32_t shifted = bits + (0x3f800000u - 0x3f3504f3u);
  const float exponent = float_of((shifted >> 23) | 0x4b000000u) - (0x1p23f + 127.0f);
  const float k = exponent - (subnormal ? 24.0f : 0.0f);
  const float f = float_of((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  const float r = z * polynomial(z, 0x1.ddd4dap-3f, 0x1.245c28p-2f, 0x1.9999ecp-2f, 0x1.555556p-1f);
  const float half_square = 0.5f * f * f;
  // ln 2 in two parts, the first short enough for an exact product with k.
  float y = k * 0x1.62e3p-1f - ((half_square - (s * (half_square + r) + k * 0x1.2fefa4p-17f)) - f);
  y = x < kInfF ? y : x;
  y = x == 0.0f ? -kInfF : y;
  return x < 0.0f ? kNanF : y;
}

inline float erf(float x) {
  const float a = fabs(x);
  const float c = a > 4.0f ? 4.0f : a;
  const float z = c * c;
  const float p = polynomial(z, -0x1.56d132p-17f, 0x1.e05216p-14f, -0x1.be17c2p-11f, 0x1.5644e0p-8f, -0x1.b82bf2p-6f,
                             0x1.ce2f1ep-4f, -0x1.812746p-2f);
  const float small = fma(x, 0x1.20dd76p+0f, x * fma(z, p, -0x1.f7ac92p-25f));
  const float scaled_complement =
      polynomial(c - 2.0f, -0x1.bab8160p-22f, 0x1.083edc0p-18f, -0x1.2b86a40p-16f, 0x1.ee2ca20p-15f, -0x1.83a8300p-13f,
                 0x1.34f4120p-11f, -0x1.dfdd900p-10f, 0x1.64a51a0p-8f, -0x1.faa1680p-7f, 0x1.56725e0p-5f,
                 -0x1.b570280p-4f, 0x1.0586720p-2f);
  const float large = 1.0f - exp_core(-z) * scaled_complement;
  const float y = copysign(a < 1.0f ? small : large, x);
  return x != x ? x : y;
}

#define IST_FLOAT_BY_DOUBLE(name) \
  inline float name(float x) { return static_cast<float>(name(static_cast<double>(x))); }
IST_FLOAT_BY_DOUBLE(expm1)
IST_FLOAT_BY_DOUBLE(log2)
IST_FLOAT_BY_DOUBLE(log10)
IST_FLOAT_BY_DOUBLE(log1p)
IST_FLOAT_BY_DOUBLE(arcsin)
IST_FLOAT_BY_DOUBLE(arccos)
IST_FLOAT_BY_DOUBLE(arctan)
IST_FLOAT_BY_DOUBLE(sinh)
IST_FLOAT_BY_DOUBLE(cosh)
IST_FLOAT_BY_DOUBLE(arcsinh)
IST_FLOAT_BY_DOUBLE(arccosh)
IST_FLOAT_BY_DOUBLE(arctanh)
#undef IST_FLOAT_BY_DOUBLE

inline float erfinv(float x) {
  const double a = fabs(static_cast<double>(x));
  const double c = a < 1.0 ? a : 0.0;
  const double w = -log((1.0 - c) * (1.0 + c));
  const double y = c * (w < 5.0 ? erfinv_central(w) : erfinv_tail_float(sqrt(w)));
  return copysign(static_cast<float>(a < 1.0 ? y : (a == 1.0 ? kInf : kNan)), x);
}
inline float power(float x, float y) {
  const double l = log(fabs(static_cast<double>(x))) * static_cast<double>(y);
  return power_special(x, y, static_cast<float>(exp(l)), kInfF, kNanF);
}
inline float logaddexp(float a, float b) {
  return static_cast<float>(logaddexp(static_cast<double>(a), static_cast<double>(b)));
}
inline float arctan2(float y, float x) {
  return static_cast<float>(arctan2(static_cast<double>(y), static_cast<double>(x)));
}

}  // namespace scalar
}  // namespace
}  // namespace ist
