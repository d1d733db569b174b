// The small tools that the scalar functions are built from: bit views, polynomials, error-free sums and products.
//
// Every function of the scalar headers is free of branches and made of + - * / sqrt fma, exact roundings, bit
// operations and tables of eight numbers, so that a loop over it vectorises and gives the same bits at every
// instruction set.
#pragma once

#include "kernels/types.h"

namespace ist {
namespace {
namespace scalar {

inline constexpr float kInfF = __builtin_inff();
inline constexpr double kInf = __builtin_inf();
inline constexpr float kNanF = __builtin_nanf("");
inline constexpr double kNan = __builtin_nan("");
// Adding 1.5 * 2^52 rounds a double below 2^51 to an integer, which then lies in the low bits of the sum.
inline constexpr double kRoundMagic = 0x1.8p52;
inline constexpr float kRoundMagicF = 0x1.8p23f;

inline uint64_t bits_of(double x) { return bit_cast<uint64_t>(x); }
inline uint32_t bits_of(float x) { return bit_cast<uint32_t>(x); }
inline double double_of(uint64_t x) { return bit_cast<double>(x); }
inline float float_of(uint32_t x) { return bit_cast<float>(x); }

inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fabs(double x) { return double_of(bits_of(x) & 0x7fffffffffffffffull); }
inline float fabs(float x) { return float_of(bits_of(x) & 0x7fffffffu); }
inline double copysign(double magnitude, double sign) {
  return double_of((bits_of(magnitude) & 0x7fffffffffffffffull) | (bits_of(sign) & 0x8000000000000000ull));
}
inline float copysign(float magnitude, float sign) {
  return float_of((bits_of(magnitude) & 0x7fffffffu) | (bits_of(sign) & 0x80000000u));
}

// Horner's rule, highest coefficient first.
template <class T, class... Rest>
inline T polynomial(T x, T highest, Rest... rest) {
  T sum = highest;
  ((sum = fma(sum, x, T(rest))), ...);
  return sum;
}

// An unevaluated sum: hi is the rounded value, lo what the rounding left over.
template <class T>
struct PairOf {
  T hi, lo;
};
using Pair = PairOf<double>;
inline Pair two_sum(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}
// Needs |a| >= |b| or a == 0.
template <class T>
inline PairOf<T> quick_two_sum(T a, T b) {
  const T sum = a + b;
  return {sum, b - (sum - a)};
}
template <class T>
inline PairOf<T> two_product(T a, T b) {
  const T product = a * b;
  return {product, fma(a, b, -product)};
}

// 2^k for an integer k in [-1022, 1023].
inline double exp2_integer(double k) { return double_of(bits_of(k + (kRoundMagic + 1023.0)) << 52); }
inline float exp2_integer(float k) { return float_of(bits_of(k + (kRoundMagicF + 127.0f)) << 23); }
// y * 2^k for an integer k in the low bits of `shifted`, where y and the result are normal.
inline double times_power(double y, double shifted) { return double_of(bits_of(y) + (bits_of(shifted) << 52)); }
inline float times_power(float y, float shifted) { return float_of(bits_of(y) + (bits_of(shifted) << 23)); }

}  // namespace scalar
}  // namespace
}  // namespace ist
