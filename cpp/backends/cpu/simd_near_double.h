// The same as simd_near.h for float64, in blocks of four vectors.
#pragma once

#include "backends/cpu/simd_near.h"

#if defined(IST_NEAR_FOUR)

namespace ist::cpu {
namespace {

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
using NearFourDouble = NearPairOf<NearPairOf<VecMathDouble, double>, double>;
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
template <class V>
inline scalar::Normalized<NearPairOf<V, double>> normalize_normal(NearPairOf<V, double> x) {
  const scalar::Normalized<V> first = normalize_normal(x.first), second = normalize_normal(x.second);
  return {{first.m, second.m}, {first.k, second.k}};
}

inline NearFourDouble exp(NearFourDouble x) { return scalar::exp_near_double(x); }
inline NearFourDouble sigmoid(NearFourDouble x) { return scalar::sigmoid_by_exp_double(x, exp(-fabs(x))); }
inline NearFourDouble log(NearFourDouble x) { return scalar::log_natural(normalize_normal(x)); }
inline NearFourDouble log2(NearFourDouble x) { return scalar::log_binary(normalize_normal(x)); }
inline NearFourDouble log10(NearFourDouble x) { return scalar::log_decimal(normalize_normal(x)); }
inline NearFourDouble sin(NearFourDouble x) { return scalar::sin_of(x, scalar::reduce_near_double(fabs(x))); }
inline NearFourDouble cos(NearFourDouble x) { return scalar::cos_of(scalar::reduce_near_double(x)); }
inline NearFourDouble tan(NearFourDouble x) { return scalar::tan_of(x, scalar::reduce_near_double(fabs(x))); }

inline VecMathDouble beyond(VecMathDouble x, double limit) {
  return VecMathDouble(_mm256_cmp_pd(fabs(x).v, _mm256_set1_pd(limit), _CMP_NLE_UQ));
}
inline VecMathDouble far_log(VecMathDouble x) {
  const __m256d below = _mm256_cmp_pd(x.v, _mm256_set1_pd(0x1p-1022), _CMP_NGE_UQ);
  return VecMathDouble(_mm256_or_pd(below, _mm256_cmp_pd(x.v, _mm256_set1_pd(scalar::kInf), _CMP_NLT_UQ)));
}
inline bool any(VecMathDouble lanes) { return _mm256_movemask_pd(lanes.v) != 0; }
inline bool any_far_exp(NearFourDouble x) { return any(beyond(x, scalar::kNearExpDouble)); }
inline bool any_far_sigmoid(NearFourDouble x) { return any(beyond(x, scalar::kNearExpDouble)); }
inline bool any_far_log(NearFourDouble x) { return any(far_log(x)); }
inline bool any_far_log2(NearFourDouble x) { return any(far_log(x)); }
inline bool any_far_log10(NearFourDouble x) { return any(far_log(x)); }
inline bool any_far_sin(NearFourDouble x) { return any(beyond(x, scalar::kNearTrig)); }
inline bool any_far_cos(NearFourDouble x) { return any(beyond(x, scalar::kNearTrig)); }
inline bool any_far_tan(NearFourDouble x) { return any(beyond(x, scalar::kNearTrig)); }

}  // namespace
}  // namespace ist::cpu

#endif
