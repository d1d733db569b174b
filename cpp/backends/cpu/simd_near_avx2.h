// What simd_near.h is made of: operations of one vector with AVX2. And functions of any numbers that are made of the
// same, which AVX-512 has in simd_math.h.
#pragma once

#include "backends/cpu/simd_math.h"

namespace ist::cpu {
namespace {

inline VecMath operator-(VecMath a) { return VecMath(-a.v); }
inline VecMath select_by_sign(VecMath x, VecMath positive, VecMath negative) {
  return VecMath(_mm256_blendv_ps(positive.v, negative.v, x.v));
}
inline VecMath next_quadrant(VecMath quadrant) {
  return VecMath(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(quadrant.v), _mm256_set1_epi32(1))));
}
inline VecMath select_odd(VecMath quadrant, VecMath odd, VecMath even) {
  const __m256i to_sign = _mm256_slli_epi32(_mm256_castps_si256(quadrant.v), 31);
  return VecMath(_mm256_blendv_ps(even.v, odd.v, _mm256_castsi256_ps(to_sign)));
}
inline VecMath negate_lower(VecMath quadrant, VecMath y) {
  const __m256 to_sign = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(quadrant.v), 30));
  return VecMath(_mm256_xor_ps(y.v, _mm256_and_ps(to_sign, _mm256_set1_ps(-0.0f))));
}
inline VecMath negate_if_negative(VecMath x, VecMath y) {
  return VecMath(_mm256_xor_ps(y.v, _mm256_and_ps(x.v, _mm256_set1_ps(-0.0f))));
}
inline scalar::Split<VecMath> split_normal(VecMath x) {
  const __m256i three_quarters = _mm256_set1_epi32(0x3f400000), magic = _mm256_set1_epi32(0x4b000000);
  const __m256i shifted = _mm256_add_epi32(_mm256_castps_si256(x.v), _mm256_set1_epi32(0x3f800000 - 0x3f400000));
  const __m256i exponent = _mm256_or_si256(_mm256_srli_epi32(shifted, 23), magic);
  const __m256i significand = _mm256_and_si256(shifted, _mm256_set1_epi32(0x007fffff));
  return {VecMath(_mm256_castsi256_ps(exponent)) - VecMath(0x1p23f + 127.0f),
          VecMath(_mm256_castsi256_ps(_mm256_add_epi32(significand, three_quarters))) - VecMath(1.0f)};
}

// Lanes that are further from 0 than the limit, or NaN.
inline VecMath beyond(VecMath x, float limit) {
  return VecMath(_mm256_cmp_ps(fabs(x).v, _mm256_set1_ps(limit), _CMP_NLE_UQ));
}
inline VecMath operator|(VecMath a, VecMath b) { return VecMath(_mm256_or_ps(a.v, b.v)); }
inline bool any(VecMath lanes) { return _mm256_movemask_ps(lanes.v) != 0; }
inline VecMath far_log(VecMath x) {
  const __m256 below = _mm256_cmp_ps(x.v, _mm256_set1_ps(0x1p-126f), _CMP_NGE_UQ);
  return VecMath(_mm256_or_ps(below, _mm256_cmp_ps(x.v, _mm256_set1_ps(scalar::kInfF), _CMP_NLT_UQ)));
}

// Of all numbers.
struct VecMask {
  __m256 v;
};
inline VecMask operator<(VecMath a, VecMath b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline VecMask operator>(VecMath a, VecMath b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
inline VecMask operator>=(VecMath a, VecMath b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
inline VecMath select(VecMask m, VecMath a, VecMath b) { return VecMath(_mm256_blendv_ps(b.v, a.v, m.v)); }
inline VecMath scaled_exp(VecMath y, scalar::ReducedExp<VecMath> e) {
  const __m256i infinity = _mm256_castps_si256(_mm256_set1_ps(scalar::kInfF));
  return VecMath(_mm256_castsi256_ps(_mm256_min_epu32(scaled_bits(y, e), infinity)) + (y.v - y.v));
}
inline scalar::Split<VecMath> split(VecMath x) {
  const VecMask subnormal = x < VecMath(0x1p-126f);
  const scalar::Split<VecMath> s = split_normal(select(subnormal, x * VecMath(0x1p24f), x));
  return {s.k - select(subnormal, VecMath(24.0f), VecMath(0.0f)), s.f};
}
inline VecMath exp(VecMath x) { return scalar::exp_of(x); }
inline VecMath sigmoid(VecMath x) { return scalar::sigmoid_of(x); }
inline VecMath log(VecMath x) { return scalar::log_of(x); }
inline VecMath log2(VecMath x) { return scalar::log2_of(x); }
inline VecMath log10(VecMath x) { return scalar::log10_of(x); }

struct VecMathDouble {
  static constexpr int kWidth = 4;
  __m256d v;
  VecMathDouble() = default;
  explicit inline VecMathDouble(__m256d x) : v(x) {}
  explicit inline VecMathDouble(double x) : v(_mm256_set1_pd(x)) {}
  static inline VecMathDouble load(const double* p) { return VecMathDouble(_mm256_loadu_pd(p)); }
  inline void store(double* p) const { _mm256_storeu_pd(p, v); }
  inline void stream(double* p) const { _mm256_stream_pd(p, v); }
};
inline VecMathDouble operator+(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v + b.v); }
inline VecMathDouble operator-(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v - b.v); }
inline VecMathDouble operator*(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v * b.v); }
inline VecMathDouble operator/(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v / b.v); }
inline VecMathDouble operator-(VecMathDouble a) { return VecMathDouble(-a.v); }
inline VecMathDouble fabs(VecMathDouble a) { return VecMathDouble(_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)); }
inline VecMathDouble fma(VecMathDouble a, VecMathDouble b, VecMathDouble c) {
  return VecMathDouble(_mm256_fmadd_pd(a.v, b.v, c.v));
}
inline VecMathDouble operator|(VecMathDouble a, VecMathDouble b) { return VecMathDouble(_mm256_or_pd(a.v, b.v)); }
inline VecMathDouble select_by_sign(VecMathDouble x, VecMathDouble positive, VecMathDouble negative) {
  return VecMathDouble(_mm256_blendv_pd(positive.v, negative.v, x.v));
}
inline VecMathDouble times_power(VecMathDouble y, VecMathDouble shifted) {
  const __m256i k = _mm256_slli_epi64(_mm256_castpd_si256(shifted.v), 52);
  return VecMathDouble(_mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(y.v), k)));
}
inline VecMathDouble next_quadrant(VecMathDouble quadrant) {
  return VecMathDouble(_mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(quadrant.v), _mm256_set1_epi64x(1))));
}
inline VecMathDouble select_odd(VecMathDouble quadrant, VecMathDouble odd, VecMathDouble even) {
  const __m256i to_sign = _mm256_slli_epi64(_mm256_castpd_si256(quadrant.v), 63);
  return VecMathDouble(_mm256_blendv_pd(even.v, odd.v, _mm256_castsi256_pd(to_sign)));
}
inline VecMathDouble negate_lower(VecMathDouble quadrant, VecMathDouble y) {
  const __m256d to_sign = _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(quadrant.v), 62));
  return VecMathDouble(_mm256_xor_pd(y.v, _mm256_and_pd(to_sign, _mm256_set1_pd(-0.0))));
}
inline VecMathDouble negate_if_negative(VecMathDouble x, VecMathDouble y) {
  return VecMathDouble(_mm256_xor_pd(y.v, _mm256_and_pd(x.v, _mm256_set1_pd(-0.0))));
}
inline scalar::Normalized<VecMathDouble> normalize_normal(VecMathDouble x) {
  const __m256i root_half = _mm256_set1_epi64x(0x3fe6a09e667f3bcd), magic = _mm256_set1_epi64x(0x4330000000000000);
  const __m256i distance = _mm256_set1_epi64x(0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  const __m256i shifted = _mm256_add_epi64(_mm256_castpd_si256(x.v), distance);
  const __m256i exponent = _mm256_or_si256(_mm256_srli_epi64(shifted, 52), magic);
  const __m256i significand = _mm256_and_si256(shifted, _mm256_set1_epi64x(0x000fffffffffffff));
  return {VecMathDouble(_mm256_castsi256_pd(_mm256_add_epi64(significand, root_half))),
          VecMathDouble(_mm256_castsi256_pd(exponent)) - VecMathDouble(0x1p52 + 1023.0)};
}

inline VecMathDouble beyond(VecMathDouble x, double limit) {
  return VecMathDouble(_mm256_cmp_pd(fabs(x).v, _mm256_set1_pd(limit), _CMP_NLE_UQ));
}
inline VecMathDouble far_log(VecMathDouble x) {
  const __m256d below = _mm256_cmp_pd(x.v, _mm256_set1_pd(0x1p-1022), _CMP_NGE_UQ);
  return VecMathDouble(_mm256_or_pd(below, _mm256_cmp_pd(x.v, _mm256_set1_pd(scalar::kInf), _CMP_NLT_UQ)));
}
inline bool any(VecMathDouble lanes) { return _mm256_movemask_pd(lanes.v) != 0; }

}  // namespace
}  // namespace ist::cpu
