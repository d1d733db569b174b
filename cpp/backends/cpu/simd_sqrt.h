// Square roots with AVX-512, rounded to nearest as the divider's are, which takes two to three times as long.
#pragma once

#include "backends/cpu/simd.h"

#if defined(__AVX512F__)

namespace ist::cpu {
namespace {

// From y = 1 / sqrt(x) within 2^-14: g = x * y is near the root, h = y / 2, and g + (x - g^2) * h squares the error,
// times 3 / 2. In float64 that is the second such step. What is left is less than half a unit in the last place, and
// below the root: so rounding down gives the root rounded to nearest or the number before that. It is the former unless
// the root is past the middle between `below` and the number `above` it, that is, unless below * above < x: the square
// of the middle is a quarter of a unit's square more than the product, and both of these are whole multiples of it.
// The hazard are remainders that are subnormal: numbers that small are left to the divider, and so are zeros,
// infinity, NaN and what is negative.
inline VecF32 sqrt(VecF32 a) {
  constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  constexpr int kInfinity = 0x7f800000, kFrom = 0x0f800000;  // 2^-96
  const __m512i above_from = _mm512_sub_epi32(_mm512_castps_si512(a.v), _mm512_set1_epi32(kFrom));
  if (_mm512_cmpge_epu32_mask(above_from, _mm512_set1_epi32(kInfinity - kFrom)) != 0) [[unlikely]]
    return {_mm512_sqrt_ps(a.v)};
  const __m512 y = _mm512_rsqrt14_ps(a.v), g = a.v * y, h = y * _mm512_set1_ps(0.5f);
  const __m512 below = _mm512_fmadd_round_ps(_mm512_fnmadd_ps(g, g, a.v), h, g, kDown);
  const __m512 above = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(below), _mm512_set1_epi32(1)));
  const __m512 rest = _mm512_fnmadd_ps(below, above, a.v);
  return {_mm512_mask_mov_ps(below, _mm512_cmp_ps_mask(rest, _mm512_setzero_ps(), _CMP_GT_OQ), above)};
}

inline VecF64 sqrt(VecF64 a) {
  constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  constexpr int64_t kInfinity = 0x7ff0000000000000, kFrom = 0x0ff0000000000000;  // 2^-768
  const __m512i above_from = _mm512_sub_epi64(_mm512_castpd_si512(a.v), _mm512_set1_epi64(kFrom));
  if (_mm512_cmpge_epu64_mask(above_from, _mm512_set1_epi64(kInfinity - kFrom)) != 0) [[unlikely]]
    return {_mm512_sqrt_pd(a.v)};
  const __m512d half = _mm512_set1_pd(0.5), y = _mm512_rsqrt14_pd(a.v), g0 = a.v * y, h0 = y * half;
  const __m512d step = _mm512_fnmadd_pd(g0, h0, half);
  const __m512d g = _mm512_fmadd_pd(g0, step, g0), h = _mm512_fmadd_pd(h0, step, h0);
  const __m512d below = _mm512_fmadd_round_pd(_mm512_fnmadd_pd(g, g, a.v), h, g, kDown);
  const __m512d above = _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(below), _mm512_set1_epi64(1)));
  const __m512d rest = _mm512_fnmadd_pd(below, above, a.v);
  return {_mm512_mask_mov_pd(below, _mm512_cmp_pd_mask(rest, _mm512_setzero_pd(), _CMP_GT_OQ), above)};
}

inline VecF32 rsqrt(VecF32 a) { return {_mm512_set1_ps(1.0f) / sqrt(a).v}; }
inline VecF64 rsqrt(VecF64 a) { return {_mm512_set1_pd(1.0) / sqrt(a).v}; }

}  // namespace
}  // namespace ist::cpu

#endif
