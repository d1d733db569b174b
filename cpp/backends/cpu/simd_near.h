// Functions of two vectors, or four, whose numbers are near: usual ones, for which the shorter of the bodies in
// scalar_math.h is enough. And for AVX2, those of one vector of any numbers that are made of the same parts.
#pragma once

#include "backends/cpu/simd_math.h"

#if defined(IST_VECTOR_EXP)

namespace ist::cpu {
namespace {

// V may be a pair itself: a pair of four vectors.
template <class V, class T>
struct NearPairOf {
  static constexpr int kWidth = 2 * V::kWidth;
  V first, second;
  NearPairOf() = default;
  inline NearPairOf(V a, V b) : first(a), second(b) {}
  explicit inline NearPairOf(T x) : first(x), second(x) {}
  static inline NearPairOf load(const T* p) { return {V::load(p), V::load(p + V::kWidth)}; }
  inline void store(T* p) const { first.store(p), second.store(p + V::kWidth); }
  inline void stream(T* p) const { first.stream(p), second.stream(p + V::kWidth); }
};
using NearPair = NearPairOf<VecMath, float>;

#if defined(__AVX512F__)
inline NearPair exp(NearPair x) { return {exp_near(x.first), exp_near(x.second)}; }
inline NearPair sigmoid(NearPair x) { return {sigmoid_near(x.first), sigmoid_near(x.second)}; }
inline bool any_beyond(VecMath a, VecMath b, float limit) { return any_beyond(a, limit) | any_beyond(b, limit); }
inline bool any_far_exp(VecMath a, VecMath b) { return any_beyond(a, b, scalar::kNearExp); }
inline bool any_far_sigmoid(VecMath a, VecMath b) { return any_beyond(a, b, scalar::kNearSigmoid); }
#else
#define IST_NEAR_FOUR 1
using NearFour = NearPairOf<NearPair, float>;
// The operations of the two alternate, because each waits for the one before: the schedulers of Zen are full of one
// vector's before they have many of the next.
template <class V, class T>
inline NearPairOf<V, T> operator+(NearPairOf<V, T> a, NearPairOf<V, T> b) {
  return {a.first + b.first, a.second + b.second};
}
template <class V, class T>
inline NearPairOf<V, T> operator-(NearPairOf<V, T> a, NearPairOf<V, T> b) {
  return {a.first - b.first, a.second - b.second};
}
template <class V, class T>
inline NearPairOf<V, T> operator*(NearPairOf<V, T> a, NearPairOf<V, T> b) {
  return {a.first * b.first, a.second * b.second};
}
template <class V, class T>
inline NearPairOf<V, T> operator/(NearPairOf<V, T> a, NearPairOf<V, T> b) {
  return {a.first / b.first, a.second / b.second};
}
template <class V, class T>
inline NearPairOf<V, T> operator-(NearPairOf<V, T> a) {
  return {-a.first, -a.second};
}
template <class V, class T>
inline NearPairOf<V, T> fma(NearPairOf<V, T> a, NearPairOf<V, T> b, NearPairOf<V, T> c) {
  return {fma(a.first, b.first, c.first), fma(a.second, b.second, c.second)};
}
template <class V, class T>
inline NearPairOf<V, T> times_power(NearPairOf<V, T> y, NearPairOf<V, T> shifted) {
  return {times_power(y.first, shifted.first), times_power(y.second, shifted.second)};
}
template <class V, class T>
inline NearPairOf<V, T> next_quadrant(NearPairOf<V, T> quadrant) {
  return {next_quadrant(quadrant.first), next_quadrant(quadrant.second)};
}
template <class V, class T>
inline NearPairOf<V, T> select_odd(NearPairOf<V, T> quadrant, NearPairOf<V, T> odd, NearPairOf<V, T> even) {
  return {select_odd(quadrant.first, odd.first, even.first), select_odd(quadrant.second, odd.second, even.second)};
}
template <class V, class T>
inline NearPairOf<V, T> negate_lower(NearPairOf<V, T> quadrant, NearPairOf<V, T> y) {
  return {negate_lower(quadrant.first, y.first), negate_lower(quadrant.second, y.second)};
}
template <class V, class T>
inline NearPairOf<V, T> negate_if_negative(NearPairOf<V, T> x, NearPairOf<V, T> y) {
  return {negate_if_negative(x.first, y.first), negate_if_negative(x.second, y.second)};
}

inline VecMath operator-(VecMath a) { return VecMath(-a.v); }
template <class V, class T>
inline NearPairOf<V, T> fabs(NearPairOf<V, T> a) {
  return {fabs(a.first), fabs(a.second)};
}
inline VecMath select_by_sign(VecMath x, VecMath positive, VecMath negative) {
  return VecMath(_mm256_blendv_ps(positive.v, negative.v, x.v));
}
template <class V, class T>
inline NearPairOf<V, T> select_by_sign(NearPairOf<V, T> x, NearPairOf<V, T> positive, NearPairOf<V, T> negative) {
  return {select_by_sign(x.first, positive.first, negative.first),
          select_by_sign(x.second, positive.second, negative.second)};
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
template <class V>
inline scalar::Split<NearPairOf<V, float>> split_normal(NearPairOf<V, float> x) {
  const scalar::Split<V> first = split_normal(x.first), second = split_normal(x.second);
  return {{first.k, second.k}, {first.f, second.f}};
}

template <class V>
inline NearPairOf<V, float> exp(NearPairOf<V, float> x) {
  const scalar::ReducedExp<NearPairOf<V, float>> e = scalar::reduce_exp(x);
  return times_power(scalar::exp_reduced(e.r), e.shifted);
}
template <class V>
inline NearPairOf<V, float> sigmoid(NearPairOf<V, float> x) {
  return scalar::sigmoid_by_exp(x, exp(-fabs(x)));
}
template <class V>
inline NearPairOf<V, float> log(NearPairOf<V, float> x) {
  return scalar::log_natural(split_normal(x));
}
template <class V>
inline NearPairOf<V, float> log2(NearPairOf<V, float> x) {
  return scalar::log_binary(split_normal(x));
}
template <class V>
inline NearPairOf<V, float> log10(NearPairOf<V, float> x) {
  return scalar::log_decimal(split_normal(x));
}
inline NearFour sin(NearFour x) { return scalar::sin_near_float(x); }
inline NearFour cos(NearFour x) { return scalar::cos_near_float(x); }
inline NearFour tan(NearFour x) { return scalar::tan_near_float(x); }

// Lanes that are further from 0 than the limit, or NaN, of any of the vectors.
inline VecMath beyond(VecMath x, float limit) {
  return VecMath(_mm256_cmp_ps(fabs(x).v, _mm256_set1_ps(limit), _CMP_NLE_UQ));
}
inline VecMath operator|(VecMath a, VecMath b) { return VecMath(_mm256_or_ps(a.v, b.v)); }
inline bool any(VecMath lanes) { return _mm256_movemask_ps(lanes.v) != 0; }
template <class V, class T>
inline auto beyond(NearPairOf<V, T> x, T limit) {
  return beyond(x.first, limit) | beyond(x.second, limit);
}
inline bool any_far_exp(NearFour x) { return any(beyond(x, scalar::kNearExp)); }
inline bool any_far_sigmoid(NearFour x) { return any(beyond(x, scalar::kNearSigmoid)); }
inline bool any_far_sin(NearFour x) { return any(beyond(x, scalar::kNear)); }
inline bool any_far_cos(NearFour x) { return any(beyond(x, scalar::kNear)); }
inline bool any_far_tan(NearFour x) { return any(beyond(x, scalar::kNear)); }
template <class Half>
inline NearFour load_four(const Half* p) {
  VecF32 a, b, c, d;
  VecF32::load_two(p, a, b);
  VecF32::load_two(p + 2 * VecF32::kWidth, c, d);
  return {{VecMath(a), VecMath(b)}, {VecMath(c), VecMath(d)}};
}
inline VecMath far_log(VecMath x) {
  const __m256 below = _mm256_cmp_ps(x.v, _mm256_set1_ps(0x1p-126f), _CMP_NGE_UQ);
  return VecMath(_mm256_or_ps(below, _mm256_cmp_ps(x.v, _mm256_set1_ps(scalar::kInfF), _CMP_NLT_UQ)));
}
template <class V, class T>
inline auto far_log(NearPairOf<V, T> x) {
  return far_log(x.first) | far_log(x.second);
}
inline bool any_far_log(NearFour x) { return any(far_log(x)); }
inline bool any_far_log2(NearFour x) { return any(far_log(x)); }
inline bool any_far_log10(NearFour x) { return any(far_log(x)); }
template <class Half>
inline bool any_far_log(const Half* p) {
  return any(far_log(load_four(p)));
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
// exp(x) for x of 0 or less: near, or so low that it is 0, as behind a mask, but for a few.
inline VecMask is_near_negative(VecMath x) { return x >= VecMath(-scalar::kNearExp); }
inline NearPair exp_of_negative(NearPair x) {
  const auto lanes = [](VecMask m, VecMath v) { return VecMath(_mm256_and_ps(m.v, v.v)); };
  const VecMask first = is_near_negative(x.first), second = is_near_negative(x.second);
  const VecMath zero(-105.0f);
  const __m256 known =
      _mm256_and_ps(_mm256_or_ps(first.v, (x.first < zero).v), _mm256_or_ps(second.v, (x.second < zero).v));
  if (_mm256_movemask_ps(known) != 0xff) [[unlikely]]
    return {scalar::exp_of_negative(x.first), scalar::exp_of_negative(x.second)};
  const NearPair e = exp(NearPair(lanes(first, x.first), lanes(second, x.second)));
  return {lanes(first, e.first), lanes(second, e.second)};
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

// Are there numbers that are not near among the half types that two vectors are loaded from, or, with AVX2, four? A NaN
// is near in vectors of AVX-512 alone.
static_assert(scalar::kNearSigmoid == 64.0f);
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
