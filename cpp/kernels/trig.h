// Trigonometric functions and their inverses.
//
// Large arguments are reduced in full as well: x * 2/pi modulo 4, from as many bits of 2/pi as the exponent calls for.
#pragma once

#include "kernels/exp_log.h"

namespace ist {
namespace {
namespace scalar {

// Column j: 2/pi * 2^(32 j) modulo 2^54, as the sum of four doubles. For |x| in [2^(32 j), 2^(32 (j + 1))) the bits
// left out would add multiples of 4 to the product.
inline constexpr double kTwoOverPi[4][32] = {
    {0x1.45f306dc9c883p-1,  0x1.45f306dc9c883p+31, 0x1.cc1b727220a95p+53, 0x1.054a7f09d5f48p+50, 0x1.3abe8fa9a6ee0p+53,
     0x1.a6ee06db14acdp+53, 0x1.14acc9e21c821p+53, 0x1.c820ff28b1d5fp+49, 0x1.163abdebbc562p+52, 0x1.de2b0db92371dp+53,
     0x1.2371d2126e970p+53, 0x1.ba5c00c925dd4p+51, 0x1.25dd413a3243ap+51, 0x1.1921cfe1deb1dp+52, 0x1.deb1cb129a73fp+52,
     0x1.4d39f74411afbp+53, 0x1.1afa975da2427p+49, 0x1.da24274ce3813p+53, 0x1.c7026b45f7e41p+52, 0x1.f7e413991d63ap+52,
     0x1.1d639835339f5p+52, 0x1.339f49c845f8cp+52, 0x1.17e2ef7e4a0ecp+50, 0x1.c941d8ffc4c00p+53, 0x1.c4bffef02cc08p+53,
     0x1.6603fbcbc462dp+50, 0x1.788c5ad053690p+53, 0x1.4da3eda6cfd9ep+51, 0x1.b3f6793e584dcp+53, 0x1.6136e9e8c7ecdp+51,
     0x1.8fd9a797fa8b6p+50, 0x1.fea2d7527bac8p+52},
    {-0x1.6b01ec5417056p-55, -0x1.6b01ec5417056p-23, -0x1.ec54170565912p-7, -0x1.596447e493ad5p-5,
     0x1.b6c52b3278872p-1,   -0x1.8778df7c035d4p-1,  -0x1.ae9c5421443aap-8, -0x1.443a9e48db91cp-8,
     -0x1.236e4716f6c8bp-2,  0x1.09374b801924cp-2,   0x1.924bba8274648p-6,  0x1.3a32439fc3bd6p-5,
     -0x1.e214e34ed658cp-8,  -0x1.3b5963045df73p-2,  -0x1.77dca0ad144bbp-4, -0x1.a28976f62cc72p-1,
     0x1.338e04d68befdp-5,   0x1.68befc827323bp-1,   0x1.cc8eb1cc1a99dp-3,  -0x1.f2b3182d8dee8p-2,
     -0x1.8dee81d1081b6p-2,  -0x1.081b5f13801dap-2,  0x1.ff897ffde0598p-4,  -0x1.0fd33f8086877p-3,
     -0x1.0d0ee74a5f593p-4,  0x1.a0a6d1f6d367fp-4,   -0x1.25930261b069fp-1, 0x1.3e584dba7a320p-3,
     -0x1.61738132c3403p-1,  0x1.e5fea2d7527bbp-4,   -0x1.5b08a7028341dp-5, -0x1.41a0e84c2f8c6p-4},
    {-0x1.6447e493ad4cep-109, -0x1.6447e493ad4cep-77, 0x1.b6c52b3278872p-65,  0x1.93c439041fe51p-60,
     0x1.07f9458eaf7afp-58,   0x1.d5ef5de2b0db9p-55,  0x1.b7246e3a424ddp-64,  -0x1.6f6c8b47fe6dbp-62,
     -0x1.1ff9b6d115f63p-56,  -0x1.15f62e6de301ep-56, 0x1.cfe1deb1cb12ap-60,  0x1.cb129a73ee882p-60,
     -0x1.177dca0ad144cp-64,  0x1.f52ebb4484e9ap-56,  -0x1.ec598e3f652e8p-58, 0x1.35a2fbf209cc9p-59,
     -0x1.f633714e33e56p-59,  -0x1.c67cacc60b638p-56, -0x1.6c6f740e8840ep-61, -0x1.d1081b5f13802p-58,
     0x1.d8ffc4bffef03p-59,   -0x1.0fd33f8086877p-67, 0x1.fde5e2316b415p-61,  -0x1.d297d64b824b2p-58,
     0x1.f6d367ecf27cbp-60,   -0x1.86c1a7b24585dp-59, 0x1.b74f463f669e6p-56,  -0x1.32c3402ba515bp-57,
     0x1.16ba93dd63f5fp-55,   -0x1.c0a0d0742617cp-59, -0x1.30be31821d6b6p-62, -0x1.0eb5ada2b2809p-61},
    {0x1.e21c820ff28b2p-163,  0x1.e21c820ff28b2p-131,  0x1.07f9458eaf7afp-122,  0x1.8eaf7aef1586ep-114,
     -0x1.d4f246dc8e2dfp-115, 0x1.1b8e909374b80p-110,  0x1.700324977504fp-119,  -0x1.115f62e6de302p-116,
     0x1.921cfe1deb1cbp-112,  -0x1.0a71a76b2c609p-111, -0x1.63045df7282b4p-114, 0x1.afa975da24275p-115,
     0x1.213a671c09ad1p-118,  -0x1.c7eca5d040df6p-111, -0x1.037d8cdc538d0p-113, -0x1.4e33e566305b2p-115,
     -0x1.8c16c6f740e88p-113, 0x1.17e2ef7e4a0ecp-110,  0x1.41d8ffc4bffefp-115,  0x1.2fffbc0b301fep-113,
     -0x1.9fc04343b9d29p-114, -0x1.d297d64b824b2p-122, -0x1.2e092c98130d8p-116, -0x1.8130d834f648bp-112,
     0x1.36e9e8c7ecd3dp-117,  0x1.fb34f2ff516bbp-115,  -0x1.5d28ad8453814p-116, -0x1.14e050683a131p-114,
     0x1.7c5ecf41ce7dep-110,  -0x1.8c10eb5ada2b3p-113, 0x1.2ea6bfb5fb120p-116,  -0x1.0277039517bd5p-115},
};

inline constexpr double kPi = 0x1.921fb54442d18p+1, kPiLow = 0x1.1a62633145c07p-53;
inline constexpr double kHalfPi = 0x1.921fb54442d18p+0, kHalfPiLow = 0x1.1a62633145c07p-54,
                        kHalfPiLowest = -0x1.f1976b7ed8fbcp-110;
inline constexpr double kQuarterPi = 0x1.921fb54442d18p-1, kQuarterPiLow = 0x1.1a62633145c07p-55;

// x = quadrant * pi/2 + hi + lo, |hi| <= pi/4; the quadrant modulo 4 lies in the low two bits of a number.
template <class D>
struct Reduced {
  D hi, lo, quadrant;
};
inline constexpr uint64_t kSign = 0x8000000000000000ull;
// A choice by the quadrant, between the odd ones and the others; the other sign in the lower half, quadrants 2 and 3.
inline double next_quadrant(double quadrant) { return double_of(bits_of(quadrant) + 1); }
inline double select_odd(double quadrant, double odd, double even) { return (bits_of(quadrant) & 1) != 0 ? odd : even; }
inline double negate_lower(double quadrant, double y) {
  return double_of(bits_of(y) ^ ((bits_of(quadrant) & 2) << 62));
}
inline double negate_if_negative(double x, double y) { return double_of(bits_of(y) ^ (bits_of(x) & kSign)); }

// |x| up to this takes a few subtractions. The head is a multiple of 2^-53 less than 1, and so exact; head - hi is
// exact because the product has its last place further down, and what hi has lost is rounded once.
inline constexpr double kNearTrig = 0x1p30;
inline bool is_near(double x) { return fabs(x) <= kNearTrig; }
template <class D>
inline Reduced<D> reduce_near_double(D x) {
  const D shifted = fma(x, D(0x1.45f306dc9c883p-1), D(kRoundMagic));
  const D k = shifted - D(kRoundMagic);
  const D head = fma(k, D(-kHalfPi), x);
  const D hi = head - k * D(kHalfPiLow);
  const D lost = fma(k, D(-kHalfPiLow), head - hi);
  return {hi, fma(k, D(-kHalfPiLowest), lost), shifted};
}

// x less a multiple of 4; numbers of 2^54 and more are multiples of 4 themselves.
inline double modulo_4_small(double x) { return x - ((x + 0x1.8p54) - 0x1.8p54); }
inline double modulo_4(double x) {
  const double small = modulo_4_small(x);
  return fabs(x) < 0x1p54 ? small : 0.0;
}

// Any x; NaN for what is not finite.
inline Reduced<double> reduce_far(double argument) {
  const double a = fabs(argument);
  const uint64_t exponent = bits_of(a) >> 52;
  const uint64_t above = exponent < 1023 ? 0 : exponent - 1023;
  const uint64_t row = (above >> 5) & 31;
  const double x = a * double_of((1023 - 32 * row) << 52);
  const Pair p0 = two_product(x, kTwoOverPi[0][row]);
  const Pair p1 = two_product(x, kTwoOverPi[1][row]);
  const Pair p2 = two_product(x, kTwoOverPi[2][row]);
  const Pair s0 = two_sum(modulo_4(p0.hi), modulo_4_small(p0.lo));
  const Pair s1 = two_sum(s0.hi, modulo_4_small(p1.hi));
  const double shifted = s1.hi + kRoundMagic;
  // What follows keeps every rounding error: the fraction may start as far down as 2^-62.
  const Pair f0 = two_sum(s1.hi - (shifted - kRoundMagic), s0.lo);
  const Pair f1 = two_sum(f0.hi, s1.lo);
  const Pair f2 = two_sum(f1.hi, p1.lo);
  const Pair f3 = two_sum(f2.hi, p2.hi);
  const double rest = ((f0.lo + f1.lo) + (f2.lo + f3.lo)) + (p2.lo + x * kTwoOverPi[3][row]);
  const Pair f = quick_two_sum(f3.hi, rest);
  const Pair r = two_product(f.hi, kHalfPi);
  // An infinity times 2/pi is infinite, and infinity modulo 4 has to be NaN.
  const double hi = exponent == 2047 ? kNan : r.hi;
  const double lo = r.lo + fma(f.hi, kHalfPiLow, f.lo * kHalfPi);
  const uint64_t sign = bits_of(argument) & kSign, minus = 0 - (sign >> 63);
  return {double_of(bits_of(hi) ^ sign), double_of(bits_of(lo) ^ sign), double_of((bits_of(shifted) ^ minus) - minus)};
}

inline Reduced<double> reduce_quadrant(double x) {
  const bool near = is_near(x);
  const Reduced<double> a = reduce_near_double(x), b = reduce_far(x);
  return {near ? a.hi : b.hi, near ? a.lo : b.lo, near ? a.quadrant : b.quadrant};
}

template <class D>
inline D sin_reduced(const Reduced<D>& x) {
  const D z = x.hi * x.hi;
  const D p = polynomial(z, D(-0x1.ab17bdcbd3414p-41), 0x1.61217ee5cca1bp-33, -0x1.ae64541295cdfp-26,
                         0x1.71de3a54607a5p-19, -0x1.a01a01a019937p-13, 0x1.1111111111110p-7, -0x1.5555555555555p-3);
  return x.hi + fma(x.hi * z, p, fma(x.lo, D(-0.5) * z, x.lo));
}
template <class D>
inline D cos_reduced(const Reduced<D>& x) {
  const D z = x.hi * x.hi;
  const D p = polynomial(z, D(0x1.ab78473be59d7p-45), -0x1.9394b9eb4d56dp-37, 0x1.1eed8deb82809p-29,
                         -0x1.27e4fb7712ca2p-22, 0x1.a01a01a019d0ap-16, -0x1.6c16c16c16c16p-10, 0x1.5555555555555p-5);
  const D head = fma(D(-0.5), z, D(1.0));
  return head + (fma(D(-0.5), z, D(1.0) - head) + fma(z * z, p, -x.hi * x.lo));
}

template <class D>
inline D sin_of(D x, const Reduced<D>& r) {
  const D y = select_odd(r.quadrant, cos_reduced(r), sin_reduced(r));
  return negate_if_negative(x, negate_lower(r.quadrant, y));
}
template <class D>
inline D cos_of(const Reduced<D>& r) {
  const D y = select_odd(r.quadrant, sin_reduced(r), cos_reduced(r));
  return negate_lower(next_quadrant(r.quadrant), y);
}
template <class D>
inline D tan_of(D x, const Reduced<D>& r) {
  const D z = r.hi * r.hi;
  const D p = polynomial(z, D(0x1.5dc8a60428b63p-16), -0x1.77f1b63f1d97cp-15, 0x1.76b7febc0c399p-14,
                         -0x1.b8a063c2e8411p-16, 0x1.1e219994533a8p-13, 0x1.d27437f065f37p-13, 0x1.37fa45cc2bcefp-11,
                         0x1.7d5b63fcb2a04p-10, 0x1.d6d93333b036fp-9, 0x1.226e125d2bc62p-7, 0x1.664f49a861453p-6,
                         0x1.ba1ba1b46b3b1p-5, 0x1.11111111182eap-3, 0x1.55555555554f2p-2);
  // The derivative, by which the low part grows, is near enough to 1 + 1.5 z.
  const PairOf<D> t = quick_two_sum(r.hi, fma(r.hi * z, p, fma(r.lo, D(1.5) * z, r.lo)));
  const D q = D(-1.0) / t.hi;
  const D cotangent = fma(q, fma(q, t.lo, fma(q, t.hi, D(1.0))), q);
  return negate_if_negative(x, select_odd(r.quadrant, cotangent, t.hi));
}

inline double sin(double x) { return sin_of(x, reduce_quadrant(fabs(x))); }
inline double cos(double x) { return cos_of(reduce_quadrant(x)); }
inline double tan(double x) { return tan_of(x, reduce_quadrant(fabs(x))); }
// The same bits for arguments that are near.
inline double sin_near(double x) { return sin_of(x, reduce_near_double(fabs(x))); }
inline double cos_near(double x) { return cos_of(reduce_near_double(x)); }
inline double tan_near(double x) { return tan_of(x, reduce_near_double(fabs(x))); }

// arctan(t) - t for |t| <= tan(pi/8).
inline double arctan_tail(double t) {
  const double z = t * t;
  const double p = polynomial(z, -0x1.c807c7fd8901cp-7, 0x1.f5ea203927f08p-6, -0x1.503b1df32251dp-5,
                              0x1.829c9a46152b5p-5, -0x1.aebd143c55a36p-5, 0x1.e1d8e89291b2fp-5, -0x1.1110ceddb22d6p-4,
                              0x1.3b13aea970e58p-4, -0x1.745d173561ae0p-4, 0x1.c71c71c6ddb13p-4, -0x1.24924924920acp-3,
                              0x1.9999999999997p-3, -0x1.5555555555555p-2);
  return t * (z * p);
}

// The angle of (x, y) for x, y >= 0 in a range where their sum neither overflows nor vanishes.
inline Pair arctan_quadrant(double y, double x) {
  const bool steep = y > 2.414213562373095 * x;
  const bool flat = y < 0.41421356237309503 * x;
  const double numerator = steep ? -x : (flat ? y : y - x);
  const double denominator = steep ? y : (flat ? x : y + x);
  const double base = steep ? kHalfPi : (flat ? 0.0 : kQuarterPi);
  const double base_lo = steep ? kHalfPiLow : (flat ? 0.0 : kQuarterPiLow);
  const double t = numerator / denominator;
  return quick_two_sum(base, t + (arctan_tail(t) + base_lo));
}

inline double arctan(double x) {
  const double a = fabs(x);
  const Pair angle = arctan_quadrant(a > 0x1p60 ? 0x1p60 : a, 1.0);
  return a < 0x1p-28 ? x : copysign(angle.hi, x);
}

inline double arctan2(double y, double x) {
  double ay = fabs(y), ax = fabs(x);
  const double larger = ay > ax ? ay : ax;
  // Out of the way of overflow in their sum, and of the coarse steps between subnormals.
  const double scale = larger > 0x1p1000 ? 0x1p-4 : (larger < 0x1p-900 ? 0x1p100 : 1.0);
  // An infinite operand counts as 1 against 0, or 1 against 1.
  const bool inf_y = ay == kInf, inf_x = ax == kInf;
  ay = inf_x ? 0.0 : ay * scale;
  ax = inf_y ? 0.0 : ax * scale;
  ay = inf_y ? 1.0 : ay;
  ax = inf_x ? 1.0 : ax;
  ax = ay + ax == 0.0 ? 1.0 : ax;
  const Pair angle = arctan_quadrant(ay, ax);
  const double turned = kPi - (angle.hi - (kPiLow - angle.lo));
  const double r = copysign(copysign(1.0, x) < 0.0 ? turned : angle.hi + angle.lo, y);
  const double sum = x + y;  // NaN if either is
  return (sum != sum) & !(inf_x & inf_y) ? kNan : r;
}

// arcsin(s) - s for z = s^2 in [0, 1/4], divided by s.
inline double arcsin_tail(double z) {
  return z * polynomial(z, 0x1.e58a4f278e007p-6, -0x1.3bd7e353ddbc2p-6, 0x1.40c91fa8deb7ep-6, 0x1.8dcdf11997e0fp-9,
                        0x1.31777489dfd29p-7, 0x1.3b462d121c5d2p-7, 0x1.7b02ef007d23ep-7, 0x1.c990a42b32b03p-7,
                        0x1.1c4efd20ebb99p-6, 0x1.6e8ba121b9d5fp-6, 0x1.f1c71c7a5e151p-6, 0x1.6db6db6dac0eap-5,
                        0x1.3333333333389p-4, 0x1.5555555555555p-3);
}
inline double arcsin(double x) {
  const double a = fabs(x);
  const bool small = a < 0.5;
  // arcsin(a) = pi/2 - 2 arcsin(sqrt((1 - a) / 2))
  const double z = small ? a * a : 0.5 * (1.0 - a);
  const double s = small ? a : sqrt(z);
  const double tail = arcsin_tail(z);
  const double y = small ? fma(s, tail, s) : kHalfPi - (2.0 * fma(s, tail, s) - kHalfPiLow);
  return a < 0x1p-28 ? x : copysign(y, x);
}
inline double arccos(double x) {
  const double a = fabs(x);
  const bool small = a < 0.5;
  const double z = small ? a * a : 0.5 * (1.0 - a);
  const double s = small ? x : sqrt(z);
  const double tail = arcsin_tail(z);
  const double middle = kHalfPi - (s + (fma(s, tail, -kHalfPiLow)));
  // The square root's rounding error, for the relative accuracy near 1.
  const double lost = s > 0.0 ? fma(-s, s, z) / (2.0 * s) : 0.0;
  const double right = 2.0 * (s + fma(s, tail, lost));
  const double left = kPi - 2.0 * (s + (fma(s, tail, lost) - 0.5 * kPiLow));
  return small ? middle : (x > 0.0 ? right : left);
}

}  // namespace scalar
}  // namespace
}  // namespace ist
