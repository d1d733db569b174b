// What simd_near.h is made of: operations of one vector with AVX-512.
#pragma once

#include "backends/cpu/simd_math.h"

namespace ist::cpu {
namespace {

inline constexpr int kFlipWhereBoth = 0x78;  // a ^ (b & c)

inline VecMath times_power(VecMath y, VecMath shifted) {
  const __m512i k = _mm512_slli_epi32(_mm512_castps_si512(shifted.v), 23);
  return VecMath(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(y.v), k)));
}
inline VecMath next_quadrant(VecMath quadrant) {
  return VecMath(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(quadrant.v), _mm512_set1_epi32(1))));
}
inline VecMath select_odd(VecMath quadrant, VecMath odd, VecMath even) {
  return select(_mm512_test_epi32_mask(_mm512_castps_si512(quadrant.v), _mm512_set1_epi32(1)), odd, even);
}
inline VecMath negate_where(__m512i signs, VecMath y) {
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  return VecMath(_mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(y.v), signs, sign, kFlipWhereBoth)));
}
inline VecMath negate_lower(VecMath quadrant, VecMath y) {
  return negate_where(_mm512_slli_epi32(_mm512_castps_si512(quadrant.v), 30), y);
}
inline VecMath negate_if_negative(VecMath x, VecMath y) { return negate_where(_mm512_castps_si512(x.v), y); }

// Lanes that are further from 0 than the limit, or NaN.
inline VecMask beyond(VecMath x, float limit) {
  return _mm512_cmp_ps_mask(fabs(x).v, _mm512_set1_ps(limit), _CMP_NLE_UQ);
}
inline bool any(int lanes) { return lanes != 0; }

struct VecMathDouble {
  static constexpr int kWidth = 8;
  __m512d v;
  VecMathDouble() = default;
  explicit inline VecMathDouble(__m512d x) : v(x) {}
  explicit inline VecMathDouble(__m512i bits) : v(_mm512_castsi512_pd(bits)) {}
  explicit inline VecMathDouble(double x) : v(_mm512_set1_pd(x)) {}
  static inline VecMathDouble load(const double* p) { return VecMathDouble(_mm512_loadu_pd(p)); }
  inline void store(double* p) const { _mm512_storeu_pd(p, v); }
  inline void stream(double* p) const { _mm512_stream_pd(p, v); }
  inline __m512i bits() const { return _mm512_castpd_si512(v); }
};
inline VecMathDouble operator+(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v + b.v); }
inline VecMathDouble operator-(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v - b.v); }
inline VecMathDouble operator*(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v * b.v); }
inline VecMathDouble operator/(VecMathDouble a, VecMathDouble b) { return VecMathDouble(a.v / b.v); }
inline VecMathDouble operator-(VecMathDouble a) { return VecMathDouble(_mm512_xor_pd(a.v, _mm512_set1_pd(-0.0))); }
inline VecMathDouble fabs(VecMathDouble a) { return VecMathDouble(_mm512_abs_pd(a.v)); }
inline VecMathDouble fma(VecMathDouble a, VecMathDouble b, VecMathDouble c) {
  return VecMathDouble(_mm512_fmadd_pd(a.v, b.v, c.v));
}
inline VecMathDouble select_by_sign(VecMathDouble x, VecMathDouble positive, VecMathDouble negative) {
  return VecMathDouble(_mm512_mask_blend_pd(_mm512_movepi64_mask(x.bits()), positive.v, negative.v));
}
inline VecMathDouble times_power(VecMathDouble y, VecMathDouble shifted) {
  return VecMathDouble(_mm512_add_epi64(y.bits(), _mm512_slli_epi64(shifted.bits(), 52)));
}
inline VecMathDouble next_quadrant(VecMathDouble quadrant) {
  return VecMathDouble(_mm512_add_epi64(quadrant.bits(), _mm512_set1_epi64(1)));
}
inline VecMathDouble select_odd(VecMathDouble quadrant, VecMathDouble odd, VecMathDouble even) {
  const __mmask8 is_odd = _mm512_test_epi64_mask(quadrant.bits(), _mm512_set1_epi64(1));
  return VecMathDouble(_mm512_mask_blend_pd(is_odd, even.v, odd.v));
}
inline VecMathDouble negate_where(__m512i signs, VecMathDouble y) {
  return VecMathDouble(_mm512_ternarylogic_epi64(y.bits(), signs, _mm512_set1_epi64(INT64_MIN), kFlipWhereBoth));
}
inline VecMathDouble negate_lower(VecMathDouble quadrant, VecMathDouble y) {
  return negate_where(_mm512_slli_epi64(quadrant.bits(), 62), y);
}
inline VecMathDouble negate_if_negative(VecMathDouble x, VecMathDouble y) { return negate_where(x.bits(), y); }
inline scalar::Normalized<VecMathDouble> normalize_normal(VecMathDouble x) {
  const __m512i root_half = _mm512_set1_epi64(0x3fe6a09e667f3bcd), magic = _mm512_set1_epi64(0x4330000000000000);
  const __m512i distance = _mm512_set1_epi64(0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  const __m512i shifted = _mm512_add_epi64(x.bits(), distance);
  const __m512i exponent = _mm512_or_si512(_mm512_srli_epi64(shifted, 52), magic);
  const __m512i significand = _mm512_and_si512(shifted, _mm512_set1_epi64(0x000fffffffffffff));
  return {VecMathDouble(_mm512_add_epi64(significand, root_half)),
          VecMathDouble(exponent) - VecMathDouble(0x1p52 + 1023.0)};
}
inline __mmask8 beyond(VecMathDouble x, double limit) {
  return _mm512_cmp_pd_mask(fabs(x).v, _mm512_set1_pd(limit), _CMP_NLE_UQ);
}
// Those that are no positive normal numbers.
inline __mmask8 far_log(VecMathDouble x) { return _mm512_fpclass_pd_mask(x.v, 0xff); }

}  // namespace
}  // namespace ist::cpu
