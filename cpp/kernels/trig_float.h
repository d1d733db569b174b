// Trigonometric functions of float and their inverses, in float where the argument allows it.
#pragma once

#include "kernels/trig.h"

namespace ist {
namespace {
namespace scalar {

// Arguments of any size, in plain double. float's 24-bit significand makes the products with 28-bit pieces of 2/pi
// exact.
struct ReducedFloat {
  double r, quadrant;
};
inline double select_group(double a, double u0, double u1, double u2, double u3) {
  const double low = a < 0x1p32 ? u0 : u1;
  const double high = a < 0x1p96 ? u2 : u3;
  return a < 0x1p64 ? low : high;
}
inline ReducedFloat reduce_quadrant_float(double a) {
  const double u0 = select_group(a, 0x1.4p-1, 0x1.f306dc8p+23, 0x1.1054a78p+22, 0x1.3abe8fp+21);
  const double u1 = select_group(a, 0x1.7cc1b7p-7, 0x1.c882a5p-5, 0x1.c2757dp-4, 0x1.534ddcp-4);
  const double u2 = select_group(a, 0x1.3910548p-34, 0x1.fc2757cp-32, 0x1.f534ddcp-32, 0x1.b6c52bp-33);
  const double u3 =
      select_group(a, 0x1.3f84eafa3ea6ap-61, 0x1.1f534ddc0db63p-60, 0x1.b6c52b3278872p-65, 0x1.93c439041fe51p-60);
  const double x = a * select_group(a, 1.0, 0x1p-32, 0x1p-64, 0x1p-96);
  const double p0 = modulo_4(x * u0);
  const double p1 = modulo_4_small(x * u1);
  const double p2 = x * u2;
  const double shifted = ((p0 + p1) + p2) + kRoundMagic;
  const double f = (((p0 - (shifted - kRoundMagic)) + p1) + p2) + x * u3;
  return {(a < kInf ? f : kNan) * kHalfPi, shifted};
}
inline double sin_reduced_float(double r) {
  const double z = r * r;
  const double p =
      polynomial(z, 0x1.6dbded5452c9bp-19, -0x1.a013a740c35cep-13, 0x1.11110deef0ae3p-7, -0x1.555555545df18p-3);
  return fma(r * z, p, r);
}
inline double cos_reduced_float(double r) {
  const double z = r * r;
  const double p =
      polynomial(z, -0x1.25243c2f39550p-22, 0x1.a015c4462d9e2p-16, -0x1.6c16bf54be1f5p-10, 0x1.5555555502c6dp-5);
  return fma(z * z, p, fma(-0.5, z, 1.0));
}
inline float negate_if_negative(float x, float y) { return float_of(bits_of(y) ^ (bits_of(x) & 0x80000000u)); }
inline float sin_far(float x) {
  const ReducedFloat r = reduce_quadrant_float(fabs(static_cast<double>(x)));
  const double y = select_odd(r.quadrant, cos_reduced_float(r.r), sin_reduced_float(r.r));
  return negate_if_negative(x, static_cast<float>(negate_lower(r.quadrant, y)));
}
inline float cos_far(float x) {
  const ReducedFloat r = reduce_quadrant_float(fabs(static_cast<double>(x)));
  const double y = select_odd(r.quadrant, sin_reduced_float(r.r), cos_reduced_float(r.r));
  return static_cast<float>(negate_lower(next_quadrant(r.quadrant), y));
}
inline float tan_far(float x) {
  const ReducedFloat r = reduce_quadrant_float(fabs(static_cast<double>(x)));
  const double s = sin_reduced_float(r.r);
  const double c = cos_reduced_float(r.r);
  const double y = select_odd(r.quadrant, -c, s) / select_odd(r.quadrant, s, c);
  return negate_if_negative(x, static_cast<float>(y));
}

// |x| up to this is reduced in float.
inline constexpr float kNear = 0x1p13f;
inline bool is_near(float x) { return fabs(x) <= kNear; }

// x = k * pi/2 + r + low, |r| <= pi/4, for |x| <= kNear; k lies in the low bits of `shifted`.
template <class F>
struct ReducedNear {
  F r, low, shifted;
};
inline float next_quadrant(float quadrant) { return float_of(bits_of(quadrant) + 1); }
inline float select_odd(float quadrant, float odd, float even) { return (bits_of(quadrant) & 1) != 0 ? odd : even; }
inline float negate_lower(float quadrant, float y) { return float_of(bits_of(y) ^ ((bits_of(quadrant) & 2) << 30)); }
template <class F>
inline ReducedNear<F> reduce_near(F x) {
  constexpr float first = 0x1.921fb6p+0f, second = -0x1.777a5cp-25f, third = -0x1.ee59dap-50f;  // pi/2
  const F shifted = fma(x, F(0x1.45f306p-1f), F(kRoundMagicF));
  const F k = shifted - F(kRoundMagicF);
  const F head = fma(k, F(-first), x);  // exact
  const F r = head - k * F(second);
  const F lost = fma(k, F(-second), head - r);  // one rounding
  return {r, fma(k, F(-third), lost), shifted};
}
template <class F>
inline F sin_reduced_near(const ReducedNear<F>& x) {
  const F z = x.r * x.r;
  const F p = polynomial(z, F(-0x1.9920bap-13f), 0x1.1106d4p-7f, -0x1.555544p-3f);
  return x.r + fma(x.r * z, p, x.low);
}
template <class F>
inline F cos_reduced_near(const ReducedNear<F>& x) {
  const F z = x.r * x.r;
  const F p = polynomial(z, F(0x1.99cb76p-16f), -0x1.6c0bc4p-10f, 0x1.55554ap-5f, -0.5f);
  return F(1.0f) + fma(z, p, -(x.r * x.low));
}
template <class F>
inline F sin_near_float(F x) {
  const ReducedNear<F> r = reduce_near(fabs(x));
  const F y = select_odd(r.shifted, cos_reduced_near(r), sin_reduced_near(r));
  return negate_if_negative(x, negate_lower(r.shifted, y));
}
template <class F>
inline F cos_near_float(F x) {
  const ReducedNear<F> r = reduce_near(x);
  const F y = select_odd(r.shifted, sin_reduced_near(r), cos_reduced_near(r));
  return negate_lower(next_quadrant(r.shifted), y);
}
template <class F>
inline F tan_near_float(F x) {
  const ReducedNear<F> r = reduce_near(fabs(x));
  const F z = r.r * r.r;
  const F p = polynomial(z, F(0x1.1f7884p-8f), 0x1.236438p-14f, 0x1.63924cp-7f, 0x1.5c97d6p-6f, 0x1.bade22p-5f,
                         0x1.110d82p-3f, 0x1.555560p-2f);
  const F head = r.r * z;
  const F t = r.r + fma(head, p, fma(r.low, z, r.low));  // tan(r + low) = tan(r) + low * (1 + tan^2(r))
  return negate_if_negative(x, select_odd(r.shifted, F(-1.0f) / t, t));
}
inline float sin_near(float x) { return sin_near_float(x); }
inline float cos_near(float x) { return cos_near_float(x); }
inline float tan_near(float x) { return tan_near_float(x); }

inline float sin(float x) { return is_near(x) ? sin_near(x) : sin_far(x); }
inline float cos(float x) { return is_near(x) ? cos_near(x) : cos_far(x); }
inline float tan(float x) { return is_near(x) ? tan_near(x) : tan_far(x); }

inline constexpr float kHalfPiF = 0x1.921fb6p+0f, kHalfPiLowF = -0x1.777a5cp-25f;

// arctan(t) - t for |t| <= 1.
inline float arctan_tail(float t) {
  const float z = t * t;
  const float p = polynomial(z, -0x1.d615e0p-10f, 0x1.6597bep-7f, -0x1.fec3b8p-6f, 0x1.dac304p-5f, -0x1.58328ep-4f,
                             0x1.c0994ep-4f, -0x1.2421a4p-3f, 0x1.9991fcp-3f, -0x1.55553ep-2f);
  return t * (z * p);
}
inline float arctan(float x) {
  const float a = fabs(x);
  const bool large = a > 1.0f;
  const float t = (large ? -1.0f : a) / (large ? a : 1.0f);
  const float tail = arctan_tail(t);
  return copysign(large ? kHalfPiF + (t + (tail + kHalfPiLowF)) : t + tail, x);
}
inline float arctan2(float y, float x) {
  const float ay = fabs(y), ax = fabs(x);
  const bool steep = ay > ax, left = copysign(1.0f, x) < 0.0f;
  const float larger = steep ? ay : ax, smaller = steep ? ax : ay;
  // 0 / 0 counts as 0, infinity / infinity as 1.
  const float quotient = smaller / (larger == 0.0f ? 1.0f : larger);
  const float t = smaller == kInfF ? 1.0f : quotient;
  // From the nearest axis, in its direction of turning: pi/2 - t, pi/2 + t, t or pi - t.
  const float turned = steep != left ? -t : t;
  const float tail = arctan_tail(turned);
  const float base = left ? 2.0f : 0.0f, quarters = steep ? 1.0f : base;
  const float r = copysign(quarters * kHalfPiF + (turned + (tail + quarters * kHalfPiLowF)), y);
  return (x != x) | (y != y) ? kNanF : r;
}

// arcsin(s) - s for s in [0, 1/2] and z = s^2.
inline float arcsin_tail(float s, float z) {
  const float p = polynomial(z, 0x1.596ce4p-5f, 0x1.8c2886p-6f, 0x1.747e44p-5f, 0x1.3301e4p-4f, 0x1.5555c8p-3f);
  return s * (z * p);
}
// arcsin(x) is arcsin(s) for small x; arcsin(|x|) is pi/2 - 2 arcsin(s) for the others, s = sqrt((1 - |x|) / 2).
struct ReducedArc {
  bool small;
  float s, tail;  // arcsin(s) = s + tail
};
inline ReducedArc reduce_arc(float x) {
  const float a = fabs(x);
  const bool small = a < 0.5f;
  const float z = small ? a * a : 0.5f * (1.0f - a);
  const float s = small ? x : sqrt(z);
  return {small, s, arcsin_tail(s, z)};
}
inline float arcsin(float x) {
  const ReducedArc r = reduce_arc(x);
  // Near 1 the difference is rounded to a multiple of twice the result's unit.
  const float head = kHalfPiF - 2.0f * r.s;
  const float lost = (kHalfPiF - head) - 2.0f * r.s;
  return copysign(r.small ? r.s + r.tail : head + (lost + (kHalfPiLowF - 2.0f * r.tail)), x);
}
inline float arccos(float x) {
  const ReducedArc r = reduce_arc(x);
  const float right = 2.0f * (r.s + r.tail);
  const float left = 2.0f * ((kHalfPiF - r.s) - (r.tail - kHalfPiLowF));
  return r.small ? kHalfPiF - (r.s + (r.tail - kHalfPiLowF)) : (x > 0.0f ? right : left);
}

}  // namespace scalar
}  // namespace
}  // namespace ist
