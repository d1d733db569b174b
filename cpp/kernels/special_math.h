// The error function and its inverse.
#pragma once

#include "kernels/exp_log_float.h"

namespace ist {
namespace {
namespace scalar {

// exp(x^2) erfc(x) for x in [0.4, 6.1].
inline double erfcx(double x) {
  // Centred, which keeps the coefficients and so the rounding errors small.
  const double t = 4.0 / (4.0 + x) - 0.65625;
  return polynomial(t, 0x1.f643d23055b50p-7, -0x1.2f4435f5388bcp-7, -0x1.54c45a551e4bbp-5, 0x1.5eaea03258efdp-7,
                    0x1.b0516766bfc60p-4, 0x1.6f0167e1fa878p-5, -0x1.e48b87d756eb5p-3, -0x1.9be08d6f9f7e3p-2,
                    0x1.87bd2e7f55af2p-4, 0x1.771f10e7c580bp+0, 0x1.a09f7a30812b7p+1, 0x1.2873cd42ce09dp+2,
                    0x1.3f713f8329dd6p+2, 0x1.149e01088aa64p+2, 0x1.8b7d07bd16397p+1, 0x1.d847bfbf9e13cp+0,
                    0x1.d7ea258fa3b58p-1, 0x1.f6f852b5e8e4dp-3);
}
// erf(x) / x - 2/sqrt(pi) for z = x^2 <= 1.
inline double erf_small(double z) {
  return z * polynomial(z, -0x1.29b9f1b3df556p-38, 0x1.7f072188e194dp-34, -0x1.4e607b41a6416p-30, 0x1.fc4356498c2d9p-27,
                        -0x1.5f6d925a0bc7ap-23, 0x1.b9e6509b9867dp-20, -0x1.f4d2561aeafd4p-17, 0x1.f9a326c233146p-14,
                        -0x1.c02db3feeb579p-11, 0x1.565bcd0e6502dp-8, -0x1.b82ce312889bap-6, 0x1.ce2f21a042bdep-4,
                        -0x1.812746b0379e7p-2);
}
inline constexpr double kTwoOverSqrtPi = 0x1.20dd750429b6dp+0, kTwoOverSqrtPiLow = 0x1.1ae3a914fed80p-56;

inline double erf(double x) {
  const double a = fabs(x);
  const double c = a > 6.0 ? 6.0 : a;
  const double small = fma(x, kTwoOverSqrtPi, x * (erf_small(c * c) + kTwoOverSqrtPiLow));
  const double large = 1.0 - exp_core(-c * c, 0.0, 0.0) * erfcx(c);
  const double y = a < 1.0 ? small : copysign(large, x);
  return x != x ? x : y;
}

// erfinv(x) / x as a function of w = -log(1 - x^2): for w < 5, to 1e-10.
inline double erfinv_central(double w) {
  return polynomial(w, -0x1.75045e36fd876p-36, 0x1.a156df38d3583p-31, -0x1.842a08de17ca2p-27, 0x1.66a868832209cp-24,
                    -0x1.f8cae3077e0e3p-23, -0x1.338c887785c47p-21, 0x1.6943316b01a0ep-20, 0x1.8ce479c2bcccep-15,
                    -0x1.0d86822c4e93bp-13, -0x1.320a7010c4bd8p-9, 0x1.7a728bb0e65adp-7, 0x1.db29fbaf6dba9p-3,
                    0x1.c5bf891ad6db3p-1);
}
// For w >= 5, as a function of sqrt(w): to 1e-6 for every double.
inline double erfinv_tail(double v) {
  return polynomial(v, 0x1.375a0b5e7cd8cp-21, -0x1.caf387df506cap-16, 0x1.2eaa555ec68f2p-11, -0x1.d633e3f2ad55fp-8,
                    0x1.dc20c53f11e87p-5, -0x1.47ff3b74fee8ap-2, 0x1.36a5f6d93f91bp+0, -0x1.8d5bd1e4cb178p+1,
                    0x1.43de572ce2f59p+2, -0x1.203776472a95ep+2, 0x1.0972c4d1517e4p+1, 0x1.6aab6fb26278ep-1);
}

inline double erfinv(double x) {
  const double a = fabs(x);
  const double c = a < 1.0 ? a : 0.0;
  const double w = -log((1.0 - c) * (1.0 + c));
  const double y = c * (w < 5.0 ? erfinv_central(w) : erfinv_tail(sqrt(w)));
  // One Halley step; u is the residual over the derivative. Near 1 the residual is that of erfc, 1 - c being exact.
  const double z = y < 0.6 ? y * y : 0.25;
  const double growth = exp_core(y * y, 0.0, 0.0);
  const double residual = fma(y, kTwoOverSqrtPi, y * (erf_small(z) + kTwoOverSqrtPiLow)) - c;
  const double near_one = fma(1.0 - c, growth, -erfcx(y < 0.45 ? 0.45 : y));
  const double u = (c < 0.6 ? residual * growth : near_one) * 0x1.c5bf891b4ef6bp-1;
  const double r = y - u / fma(y, u, 1.0);
  return a < 0x1p-60 ? x * 0x1.c5bf891b4ef6bp-1 : copysign(a < 1.0 ? r : (a == 1.0 ? kInf : kNan), x);
}

// In float, F as in exp_log_float.h, with the same w. The polynomial in sqrt(w) begins where the result is 2: the
// errors of w and of its root would be too many units of smaller ones. What w loses counts in the largest results
// before that.
template <class F>
inline F erfinv_of(F x) {
  const Split<F> s = split_normal(fma(-x, x, F(1.0f)));
  const F rest = s.f + fma(s.k, F(-0x1.05c610p-29f), log_tail(s.f));
  const F w = -fma(s.k, F(0x1.62e430p-1f), rest);
  const F w_lost = -(fma(s.k, F(0x1.62e430p-1f), w) + rest);
  const F slope = polynomial(w, F(-0x1.414910p-27f), 0x1.f37538p-23f, -0x1.168ea4p-19f, 0x1.29e304p-18f,
                             0x1.6b9eb6p-15f, -0x1.0758ecp-13f, -0x1.322e3ap-9f, 0x1.7a735ap-7f, 0x1.db29fep-3f);
  const F central = fma(x, F(0x1.c5bf8ap-1f), x * fma(slope, w, fma(slope, w_lost, F(-0x1.c96212p-26f))));
  const F tail =
      polynomial(sqrt(w) - F(3.125f), F(-0x1.23fa02p-16f), 0x1.4771e4p-15f, 0x1.ad56dep-21f, -0x1.ec63ccp-13f,
                 0x1.060438p-10f, -0x1.7d5118p-9f, 0x1.72911ap-8f, 0x1.011498p+0f, 0x1.7aa774p+1f);
  const F a = fabs(x);
  const F y = copysign(select(w < F(4.75f), central, tail), x);
  return select(a < F(1.0f), y, select(a > F(1.0f), F(kNanF), x * F(kInfF)));
}
inline float erfinv(float x) { return erfinv_of(x); }

}  // namespace scalar
}  // namespace
}  // namespace ist
