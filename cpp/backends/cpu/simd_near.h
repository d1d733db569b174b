// Functions of two vectors of float32, or four of that or float64, whose numbers are near: usual ones, for which the
// shorter of the bodies in scalar_math.h is enough.
#pragma once

#if defined(__AVX512F__)
#include "backends/cpu/simd_near_avx512.h"
#elif defined(__AVX2__)
#include "backends/cpu/simd_near_avx2.h"
#endif

#if defined(__AVX512F__) || defined(__AVX2__)
#define IST_NEAR_VECTORS 1

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
using NearFour = NearPairOf<NearPair, float>;
using NearFourDouble = NearPairOf<NearPairOf<VecMathDouble, double>, double>;

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
template <class V, class T>
inline NearPairOf<V, T> fabs(NearPairOf<V, T> a) {
  return {fabs(a.first), fabs(a.second)};
}
template <class V, class T>
inline NearPairOf<V, T> select_by_sign(NearPairOf<V, T> x, NearPairOf<V, T> positive, NearPairOf<V, T> negative) {
  return {select_by_sign(x.first, positive.first, negative.first),
          select_by_sign(x.second, positive.second, negative.second)};
}
template <class V>
inline scalar::Normalized<NearPairOf<V, double>> normalize_normal(NearPairOf<V, double> x) {
  const scalar::Normalized<V> first = normalize_normal(x.first), second = normalize_normal(x.second);
  return {{first.m, second.m}, {first.k, second.k}};
}

template <class V>
inline NearPairOf<V, float> exp(NearPairOf<V, float> x) {
  const scalar::ReducedExp<NearPairOf<V, float>> e = scalar::reduce_exp(x);
  return times_power(scalar::exp_reduced(e.r), e.shifted);
}
inline NearFour sigmoid(NearFour x) { return scalar::sigmoid_by_exp(x, exp(-fabs(x))); }
#if !defined(__AVX512F__)  // where one instruction sees to all that is special
template <class V>
inline scalar::Split<NearPairOf<V, float>> split_normal(NearPairOf<V, float> x) {
  const scalar::Split<V> first = split_normal(x.first), second = split_normal(x.second);
  return {{first.k, second.k}, {first.f, second.f}};
}
inline NearFour log(NearFour x) { return scalar::log_natural(split_normal(x)); }
inline NearFour log2(NearFour x) { return scalar::log_binary(split_normal(x)); }
inline NearFour log10(NearFour x) { return scalar::log_decimal(split_normal(x)); }
#endif
inline NearFour sin(NearFour x) { return scalar::sin_near_float(x); }
inline NearFour cos(NearFour x) { return scalar::cos_near_float(x); }
inline NearFour tan(NearFour x) { return scalar::tan_near_float(x); }

inline NearFourDouble exp(NearFourDouble x) { return scalar::exp_near_double(x); }
inline NearFourDouble sigmoid(NearFourDouble x) { return scalar::sigmoid_by_exp_double(x, exp(-fabs(x))); }
inline NearFourDouble log(NearFourDouble x) { return scalar::log_natural(normalize_normal(x)); }
inline NearFourDouble log2(NearFourDouble x) { return scalar::log_binary(normalize_normal(x)); }
inline NearFourDouble log10(NearFourDouble x) { return scalar::log_decimal(normalize_normal(x)); }
inline NearFourDouble sin(NearFourDouble x) { return scalar::sin_of(x, scalar::reduce_near_double(fabs(x))); }
inline NearFourDouble cos(NearFourDouble x) { return scalar::cos_of(scalar::reduce_near_double(x)); }
inline NearFourDouble tan(NearFourDouble x) { return scalar::tan_of(x, scalar::reduce_near_double(fabs(x))); }

template <class V, class T>
inline auto beyond(NearPairOf<V, T> x, T limit) {
  return beyond(x.first, limit) | beyond(x.second, limit);
}
template <class V, class T>
inline auto far_log(NearPairOf<V, T> x) {
  return far_log(x.first) | far_log(x.second);
}
template <class T>
constexpr bool kOfDouble = sizeof(T) == sizeof(double);
// Is any of the numbers not near?
template <class V, class T>
inline bool any_far_exp(NearPairOf<V, T> x) {
  return any(beyond(x, static_cast<T>(kOfDouble<T> ? scalar::kNearExpDouble : scalar::kNearExp)));
}
template <class V, class T>
inline bool any_far_sigmoid(NearPairOf<V, T> x) {
  return any(beyond(x, static_cast<T>(kOfDouble<T> ? scalar::kNearExpDouble : scalar::kNearSigmoid)));
}
template <class V, class T>
inline bool any_far_angle(NearPairOf<V, T> x) {
  return any(beyond(x, static_cast<T>(kOfDouble<T> ? scalar::kNearTrig : scalar::kNear)));
}
template <class V, class T>
inline bool any_far_sin(NearPairOf<V, T> x) {
  return any_far_angle(x);
}
template <class V, class T>
inline bool any_far_cos(NearPairOf<V, T> x) {
  return any_far_angle(x);
}
template <class V, class T>
inline bool any_far_tan(NearPairOf<V, T> x) {
  return any_far_angle(x);
}
template <class V, class T>
inline bool any_far_log(NearPairOf<V, T> x) {
  return any(far_log(x));
}
template <class V, class T>
inline bool any_far_log2(NearPairOf<V, T> x) {
  return any(far_log(x));
}
template <class V, class T>
inline bool any_far_log10(NearPairOf<V, T> x) {
  return any(far_log(x));
}

// exp(x) for x of 0 or less.
#if defined(__AVX512F__)
inline NearPair exp_of_negative(NearPair x) {
  if (any_far_exp(x)) [[unlikely]]
    return {scalar::exp_of_negative(x.first), scalar::exp_of_negative(x.second)};
  return exp(x);
}
#else
// Near, or so low that it is 0, as behind a mask, but for a few.
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
#endif

}  // namespace
}  // namespace ist::cpu

#endif
