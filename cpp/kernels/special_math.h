// The error function and its inverse.
#pragma once

#include "kernels/exp_log_float.h"

namespace ist {
namespace {
namespace scalar {

// erf(x) = 1 - exp(-x * p(x)) for x of 0 or more, with a polynomial that need not know much where the exponential is
// small. Its even and odd powers are apart: in one chain, each of the products would wait for the one before.
inline double erf(double x) {
  const double absolute = fabs(x);
  const double a = absolute > 5.93 ? 5.93 : absolute;  // 1 from 5.87 on
  const double z = a * a;
  const double even =
      polynomial(z, 0x1.6d540396a8687p-43, 0x1.7c55079ecdf51p-35, 0x1.464d338941e10p-29, 0x1.2b6aa6b29588fp-25,
                 -0x1.4be4ed29da42dp-27, -0x1.1098f2fa74f88p-19, 0x1.aa6be293410adp-19, 0x1.0e368942bdedap-14,
                 -0x1.35662ae401631p-11, -0x1.b6b69f2b91ddfp-13, 0x1.a4f4e2a1abc3bp-4);
  const double odd =
      polynomial(z, -0x1.03fb03bc4bc9ap-48, -0x1.dbced9b902000p-39, -0x1.9fbad622a9575p-32, -0x1.748c4842dc556p-27,
                 -0x1.1dec8e2043790p-24, 0x1.30374a62e414bp-21, 0x1.a37a255640fbep-19, -0x1.f04ad196b3ceep-16,
                 0x1.b294912c6bbe5p-16, 0x1.bca68fdb4124fp-10, -0x1.3966859118433p-6, 0x1.45f306dc9c8bcp-1);
  constexpr double slope = 0x1.20dd750429b6dp+0, slope_lo = 0x1.1ae3a914fed80p-56;  // 2 / sqrt(pi)
  const double minus_q = fma(-a, slope, -a * fma(z, even, fma(a, odd, slope_lo)));
  const auto [r, k, shifted] = reduce_exp_double(minus_q);
  const double scale = exp2_integer(k);
  return copysign(fma(-scale, expm1_reduced(r), 1.0 - scale), x);
}

// w = -log(1 - x^2) for |x| < 1, to an error of a unit in the last place of 1: that is what counts for the functions
// below, which grow slowly.
inline double erfinv_argument(double x) {
  const Normalized<double> n = normalize_normal(fma(-x, x, 1.0));
  const double s = (1.0 - n.m) / (1.0 + n.m);
  const double z = s * s;
  const double p = polynomial(z, 0x1.5a0d66dfcbe17p-3, 0x1.7306e0bb9a7d0p-3, 0x1.c723c32dc347ap-3, 0x1.24923ecbee05fp-2,
                              0x1.999999a7950afp-2, 0x1.5555555551f36p-1, 2.0);
  return fma(-n.k, kLn2, s * p);
}
// |x| up to this has a w of less than 6.25.
inline constexpr double kNearErfinv = 0.999;
inline bool is_near_erfinv(double x) { return fabs(x) <= kNearErfinv; }
// erfinv(x) / x = sqrt(pi)/2 + w * slope. The first is rounded down: a low part below 0 would spoil the sign of -0.
inline double erfinv_central(double x, double w) {
  const double t = w - 3.125, z = t * t;
  const double even =
      polynomial(z, 0x1.ffd7f1796c265p-69, -0x1.7bfb75df4421ap-62, 0x1.4dec9e5cae01bp-57, 0x1.046f2d6500118p-51,
                 -0x1.fa132a7b42f3ap-45, 0x1.48aad27b5d93cp-39, 0x1.4446ab744abe9p-37, -0x1.f62ead8b46672p-28,
                 0x1.db9fbe1a6024fp-22, -0x1.62fb9e3c51774p-18, -0x1.68af564e32f9ap-10, 0x1.f6f0fe0a1d402p-3);
  const double odd =
      polynomial(z, -0x1.b64fbdcea090fp-67, 0x1.3d5fb0dbcd9c7p-59, -0x1.6d1667e4f4ed1p-53, 0x1.7578f16c6ffffp-48,
                 0x1.a92e864281b78p-44, -0x1.64adbdac6f3abp-36, 0x1.190a315b1ea04p-30, -0x1.ac61b6ac0559cp-28,
                 -0x1.710f90396a3a4p-19, 0x1.aa46bc94baad2p-13, -0x1.c68cde90dc438p-10);
  const double slope = fma(odd, t, even);
  return fma(x, 0x1.c5bf891b4ef6ap-1, x * fma(slope, w, 0x1.4f38760a41abbp-54));
}
inline double erfinv_near(double x) { return erfinv_central(x, erfinv_argument(x)); }

// As functions of v = sqrt(w): for w from 6.21 on, and for v from 3.8125 on. The constant is in two parts, because its
// unit in the last place is twice that of some results.
inline double erfinv_tail(double v) {
  const double t = v - 3.15625;
  const double slope =
      polynomial(t, -0x1.a9e89b606efd3p-30, 0x1.06c133e7c23a4p-25, -0x1.1d9a21d6aa618p-24, -0x1.5fa4b0c920a62p-25,
                 0x1.08498bc5106f0p-21, -0x1.2e4c67b451b88p-20, 0x1.c7e292420ea5ep-22, 0x1.591212d2d8e04p-18,
                 -0x1.30ffdc00638f0p-16, 0x1.e7a740a5a6763p-16, 0x1.3430f2234e162p-17, -0x1.e60905edf04c0p-13,
                 0x1.f8bc75c7bffbbp-11, -0x1.6d4439379586ap-9, 0x1.61137bb405067p-8, 0x1.012b33e6b617ap+0);
  return 0x1.7eabf3e991a83p+1 + fma(t, slope, -0x1.954887p-54);
}
inline double erfinv_end(double v) {
  const double t = v - 4.90625;
  const double slope =
      polynomial(t, -0x1.30ac87f84140ap-37, 0x1.4bc95587b354dp-35, -0x1.538eea08bb78ap-34, 0x1.08baaa4a96dfap-33,
                 -0x1.1120c20acfc38p-34, -0x1.12edb2386901dp-30, 0x1.0cbb74e4422cdp-27, -0x1.7d3f2e3e60ed0p-25,
                 0x1.eb1f5fdbee6e0p-23, -0x1.2bc5c3e433049p-20, 0x1.5b674c68cc2dfp-18, -0x1.776f43900d14ap-16,
                 0x1.67f6bdb1ea66ep-14, -0x1.013dacd5dba50p-12, -0x1.36acd663aa2dbp-14, 0x1.02a45e0e172c9p+0);
  return 0x1.3055072a6de74p+2 + fma(t, slope, 0x1.6f8e79p-52);
}
inline double erfinv(double x) {
  const double w = erfinv_argument(x), v = sqrt(w);
  const double central = erfinv_central(x, w), tail = erfinv_tail(v), end = erfinv_end(v);
  const double y = is_near_erfinv(x) ? central : copysign(v < 3.8125 ? tail : end, x);
  const double a = fabs(x);
  return a < 1.0 ? y : (a > 1.0 ? kNan : x * kInf);
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
