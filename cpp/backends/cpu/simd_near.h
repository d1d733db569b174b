// exp, sigmoid and logarithms of two vectors whose numbers are near: usual ones, for which the shorter of the bodies in
// scalar_math.h is enough.
#pragma once

#include "backends/cpu/simd_math.h"

#if defined(IST_VECTOR_EXP)

namespace ist::cpu {
namespace {

struct NearPair {
  VecMath first, second;
  NearPair() = default;
  inline NearPair(VecMath a, VecMath b) : first(a), second(b) {}
  explicit inline NearPair(float x) : first(x), second(x) {}
};

#if defined(__AVX512F__)
inline NearPair exp(NearPair x) { return {exp_near(x.first), exp_near(x.second)}; }
inline NearPair sigmoid(NearPair x) { return {sigmoid_near(x.first), sigmoid_near(x.second)}; }
inline bool any_beyond(VecMath a, VecMath b, float limit) { return any_beyond(a, limit) | any_beyond(b, limit); }
#else
// The operations of the two alternate, because each waits for the one before: the schedulers of Zen are full of one
// vector's before they have many of the next.
inline NearPair operator+(NearPair a, NearPair b) { return {a.first + b.first, a.second + b.second}; }
inline NearPair operator-(NearPair a, NearPair b) { return {a.first - b.first, a.second - b.second}; }
inline NearPair operator*(NearPair a, NearPair b) { return {a.first * b.first, a.second * b.second}; }
inline NearPair fma(NearPair a, NearPair b, NearPair c) {
  return {fma(a.first, b.first, c.first), fma(a.second, b.second, c.second)};
}
inline VecMath operator-(VecMath a) { return VecMath(_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))); }
inline NearPair operator-(NearPair a) { return {-a.first, -a.second}; }
inline NearPair fabs(NearPair a) { return {fabs(a.first), fabs(a.second)}; }
inline VecMath select_by_sign(VecMath x, VecMath positive, VecMath negative) {
  return VecMath(_mm256_blendv_ps(positive.v, negative.v, x.v));
}
inline NearPair select_by_sign(NearPair x, NearPair positive, NearPair negative) {
  return {select_by_sign(x.first, positive.first, negative.first),
          select_by_sign(x.second, positive.second, negative.second)};
}
// y * 2^k, with k in the low bits of `shifted`.
inline VecMath times_power(VecMath y, VecMath shifted) {
  const __m256i k = _mm256_slli_epi32(_mm256_castps_si256(shifted.v), 23);
  return VecMath(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y.v), k)));
}
inline scalar::Split<VecMath> split_normal(VecMath x) {
  const __m256i three_quarters = _mm256_set1_epi32(0x3f400000), magic = _mm256_set1_epi32(0x4b000000);
  const __m256i shifted = _mm256_add_epi32(_mm256_castps_si256(x.v), _mm256_set1_epi32(0x3f800000 - 0x3f400000));
  const __m256i exponent = _mm256_or_si256(_mm256_srli_epi32(shifted, 23), magic);
  const __m256i significand = _mm256_and_si256(shifted, _mm256_set1_epi32(0x007fffff));
  return {VecMath(_mm256_castsi256_ps(exponent)) - VecMath(0x1p23f + 127.0f),
          VecMath(_mm256_castsi256_ps(_mm256_add_epi32(significand, three_quarters))) - VecMath(1.0f)};
}
inline scalar::Split<NearPair> split_normal(NearPair x) {
  const scalar::Split<VecMath> first = split_normal(x.first), second = split_normal(x.second);
  return {{first.k, second.k}, {first.f, second.f}};
}

inline NearPair exp(NearPair x) {
  const scalar::ReducedExp<NearPair> e = scalar::reduce_exp(x);
  const NearPair y = scalar::exp_reduced(e.r);
  return {times_power(y.first, e.shifted.first), times_power(y.second, e.shifted.second)};
}
inline NearPair sigmoid(NearPair x) { return scalar::sigmoid_by_exp(x, exp(-fabs(x))); }
inline NearPair log(NearPair x) { return scalar::log_natural(split_normal(x)); }
inline NearPair log2(NearPair x) { return scalar::log_binary(split_normal(x)); }
inline NearPair log10(NearPair x) { return scalar::log_decimal(split_normal(x)); }

inline bool any_beyond(VecMath a, VecMath b, float limit) {
  const __m256 limits = _mm256_set1_ps(limit);
  const __m256 first = _mm256_cmp_ps(fabs(a).v, limits, _CMP_NLE_UQ);
  const __m256 second = _mm256_cmp_ps(fabs(b).v, limits, _CMP_NLE_UQ);
  return _mm256_movemask_ps(_mm256_or_ps(first, second)) != 0;
}
inline __m256 is_near_log(VecMath x) {
  const __m256 normal = _mm256_cmp_ps(x.v, _mm256_set1_ps(0x1p-126f), _CMP_GE_OQ);
  return _mm256_and_ps(normal, _mm256_cmp_ps(x.v, _mm256_set1_ps(scalar::kInfF), _CMP_LT_OQ));
}
inline bool any_far_log(VecMath a, VecMath b) {
  return _mm256_movemask_ps(_mm256_and_ps(is_near_log(a), is_near_log(b))) != 0xff;
}
template <class Half>
inline bool any_far_log(const Half* p) {
  VecF32 first, second;
  VecF32::load_two(p, first, second);
  return any_far_log(VecMath(first), VecMath(second));
}
inline bool any_far_log2(VecMath a, VecMath b) { return any_far_log(a, b); }
inline bool any_far_log10(VecMath a, VecMath b) { return any_far_log(a, b); }

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
#endif

// Are there numbers that are not near, or NaN, in two vectors or in what they are loaded from?
inline bool any_far_exp(VecMath a, VecMath b) { return any_beyond(a, b, scalar::kNearExp); }
inline bool any_far_sigmoid(VecMath a, VecMath b) { return any_beyond(a, b, scalar::kNearSigmoid); }
template <class Half>
constexpr int16_t kNearHalf = std::is_same_v<Half, bfloat16> ? 0x4280 : 0x5400;  // kNearSigmoid, less than kNearExp
template <class Half>
inline bool any_far_exp(const Half* p) {
  return VecF32::any_beyond(p, kNearHalf<Half>);
}
template <class Half>
inline bool any_far_sigmoid(const Half* p) {
  return VecF32::any_beyond(p, kNearHalf<Half>);
}

}  // namespace
}  // namespace ist::cpu

#endif
