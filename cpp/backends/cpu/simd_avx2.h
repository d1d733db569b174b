// The vectors of simd.h with AVX2 and FMA: 16 registers of 32 bytes.
#pragma once

#include <immintrin.h>

#include "kernels/types.h"

namespace ist::cpu {
namespace {

// The first n of 8 numbers of 16 bits, and zeros.
inline __m128i load_words(const void* from, int n) {
  if (n == 8) return _mm_loadu_si128(static_cast<const __m128i*>(from));
  const char* p = static_cast<const char*>(from);
  uint64_t low = 0, high = 0;
  uint64_t& last = n & 4 ? high : low;
  if (n & 4) __builtin_memcpy(&low, p, 8), p += 8;
  if (n & 2) __builtin_memcpy(&last, p, 4), p += 4;
  if (n & 1) {
    uint16_t word;
    __builtin_memcpy(&word, p, 2);
    last |= uint64_t{word} << (n & 2 ? 32 : 0);
  }
  return _mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low));
}

struct VecF32 {
  static constexpr int kWidth = 8, kRing = 4;
  using Mask = int;
  __m256 v;
  static inline Mask mask(int n) { return n; }
  static inline VecF32 zero() { return {_mm256_setzero_ps()}; }
  static inline VecF32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static inline VecF32 load(const float* p, Mask n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lanes))};
  }
  static inline VecF32 load(const float16* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static inline VecF32 load(const float16* p, Mask n) { return {_mm256_cvtph_ps(load_words(p, n))}; }
  static inline VecF32 load(const bfloat16* p, Mask n = kWidth) {
    const __m256i wide = _mm256_cvtepu16_epi32(load_words(p, n));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
  }
  static inline VecF32 load_halves(const float* low, const float* high) {
    return {_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high + 4), 1)};
  }
  static inline VecF32 load_halves(const float16* low, const float16* high) {
    const __m128i lower = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(low));
    const __m128i upper = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(high + 4));
    return {_mm256_cvtph_ps(_mm_unpacklo_epi64(lower, upper))};
  }
  static inline VecF32 broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static inline VecF32 fnma(VecF32 a, VecF32 b, VecF32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {_mm256_add_ps(a.v, b.v)}; }
  inline void store(float16* p) const {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, kNearest));
  }
  inline void store(bfloat16* p) const {
    const __m256i rounded = _mm256_srli_epi32(rounded_to_upper(), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
  static inline void load_two(const float16* p, VecF32& a, VecF32& b) { a = load(p), b = load(p + kWidth); }
  static inline void store_two(float16* p, VecF32 a, VecF32 b) { a.store(p), b.store(p + kWidth); }
  static inline void load_two(const bfloat16* p, VecF32& even, VecF32& odd) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    even.v = _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
    odd.v = _mm256_castsi256_ps(_mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  static inline void store_two(bfloat16* p, VecF32 even, VecF32 odd) {
    const __m256i words = _mm256_srli_epi32(even.rounded_to_upper(), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_blend_epi16(words, odd.rounded_to_upper(), 0xaa));
  }
  inline __m256i rounded_to_upper() const {
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x00400000));
    return _mm256_blendv_epi8(number_rounded_to_upper(), quiet, is_nan);
  }
  // The same of numbers, none of which is NaN; where kTiesUp, what is halfway between two bfloat16 becomes the upper
  // one.
  template <bool kTiesUp, bool kStreams>
  static inline void store_two_numbers(float16* p, VecF32 a, VecF32 b) {
    static_assert(!kStreams);
    store_two(p, a, b);
  }
  template <bool kTiesUp, bool kStreams>
  static inline void store_two_numbers(bfloat16* p, VecF32 even, VecF32 odd) {
    static_assert(!kStreams);
    const __m256i words = _mm256_srli_epi32(even.number_rounded_to_upper<kTiesUp>(), 16);
    const __m256i upper = odd.number_rounded_to_upper<kTiesUp>();
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_blend_epi16(words, upper, 0xaa));
  }
  template <bool kTiesUp = false>
  inline __m256i number_rounded_to_upper() const {
    const __m256i bits = _mm256_castps_si256(v);
    if constexpr (kTiesUp) return _mm256_add_epi32(bits, _mm256_set1_epi32(0x8000));
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  }
  // Is any of the 4 * kWidth half numbers further from 0 than the one of these bits, or NaN?
  template <class Half>
  static inline bool any_beyond(const Half* p, int16_t limit) {
    const __m256i* words = reinterpret_cast<const __m256i*>(p);
    const __m256i all = _mm256_set1_epi16(0x7fff);
    const __m256i first = _mm256_and_si256(_mm256_loadu_si256(words), all);
    const __m256i second = _mm256_and_si256(_mm256_loadu_si256(words + 1), all);
    const __m256i beyond = _mm256_cmpgt_epi16(_mm256_max_epi16(first, second), _mm256_set1_epi16(limit));
    return _mm256_movemask_epi8(beyond) != 0;
  }
  inline void store_upper(bfloat16* p) const {
    const __m256i upper = _mm256_srli_epi32(_mm256_castps_si256(v), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(upper, upper), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
  inline void store(float* p) const { _mm256_storeu_ps(p, v); }
  inline void stream(float* p) const { _mm256_stream_ps(p, v); }
  // Masked stores take Zen tens of cycles.
  inline void store(float* p, Mask n) const {
    if (n == kWidth) return store(p);
    __m128 part = _mm256_castps256_ps128(v);
    if (n & 4) {
      _mm_storeu_ps(p, part);
      part = _mm256_extractf128_ps(v, 1), p += 4;
    }
    if (n & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
      part = _mm_movehl_ps(part, part), p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
  }
  template <unsigned kLanes>
  static inline VecF32 blend(VecF32 a, VecF32 b) {
    return {_mm256_blend_ps(a.v, b.v, kLanes)};
  }
  static inline VecF32 rotate(VecF32 a) { return {_mm256_permute_ps(a.v, 0x93)}; }
  inline void store_ring_starts(float* p) const {
    _mm_store_ss(p, _mm256_castps256_ps128(v));
    _mm_store_ss(p + kRing, _mm256_extractf128_ps(v, 1));
  }
  static inline void transpose_halves(VecF32 (&rows)[4]) {
    const __m256 p0 = _mm256_unpacklo_ps(rows[0].v, rows[1].v), p1 = _mm256_unpackhi_ps(rows[0].v, rows[1].v);
    const __m256 p2 = _mm256_unpacklo_ps(rows[2].v, rows[3].v), p3 = _mm256_unpackhi_ps(rows[2].v, rows[3].v);
    const __m256d a = _mm256_castps_pd(p0), b = _mm256_castps_pd(p2);
    const __m256d c = _mm256_castps_pd(p1), d = _mm256_castps_pd(p3);
    rows[0].v = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
    rows[1].v = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    rows[2].v = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
    rows[3].v = _mm256_castpd_ps(_mm256_unpackhi_pd(c, d));
  }
  [[gnu::always_inline]] static inline void transpose(VecF32 (&rows)[8]) {
    VecF32 first[4] = {rows[0], rows[1], rows[2], rows[3]}, last[4] = {rows[4], rows[5], rows[6], rows[7]};
    transpose_halves(first), transpose_halves(last);
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      rows[q].v = _mm256_permute2f128_ps(first[q].v, last[q].v, 0x20);
      rows[4 + q].v = _mm256_permute2f128_ps(first[q].v, last[q].v, 0x31);
    }
  }
  static inline void transpose_six(VecF32 (&rows)[6]) {
    __m256d low[3], high[3];  // pairs of rows
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      low[i] = _mm256_castps_pd(_mm256_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v));
      high[i] = _mm256_castps_pd(_mm256_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v));
    }
    const auto in_order = [](__m256d(&x)[3]) __attribute__((always_inline)) {
      const __m256d first = _mm256_unpacklo_pd(x[0], x[1]), second = _mm256_shuffle_pd(x[2], x[0], 0xa);
      x[2] = _mm256_unpackhi_pd(x[1], x[2]), x[1] = second, x[0] = first;
    };
    in_order(low), in_order(high);
    const __m256d all[6] = {low[0], low[1], low[2], high[0], high[1], high[2]};
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      rows[i].v = _mm256_castpd_ps(_mm256_permute2f128_pd(all[2 * i], all[2 * i + 1], 0x20));
      rows[3 + i].v = _mm256_castpd_ps(_mm256_permute2f128_pd(all[2 * i], all[2 * i + 1], 0x31));
    }
  }
};
struct VecF64 {
  static constexpr int kWidth = 4, kRing = 2;
  using Mask = int;
  __m256d v;
  static inline Mask mask(int n) { return n; }
  static inline VecF64 zero() { return {_mm256_setzero_pd()}; }
  static inline VecF64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static inline VecF64 load(const double* p, Mask n) {
    const __m256i lanes = _mm256_setr_epi64x(0, 1, 2, 3);
    return {_mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), lanes))};
  }
  static inline VecF64 load_halves(const double* low, const double* high) {
    return {_mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(low)), _mm_loadu_pd(high + 2), 1)};
  }
  static inline VecF64 broadcast(double x) { return {_mm256_set1_pd(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {_mm256_add_pd(a.v, b.v)}; }
  inline void store(double* p) const { _mm256_storeu_pd(p, v); }
  inline void store(double* p, Mask n) const {
    if (n == kWidth) return store(p);
    __m128d part = _mm256_castpd256_pd128(v);
    if (n & 2) {
      _mm_storeu_pd(p, part);
      part = _mm256_extractf128_pd(v, 1), p += 2;
    }
    if (n & 1) _mm_store_sd(p, part);
  }
  template <unsigned kLanes>
  static inline VecF64 blend(VecF64 a, VecF64 b) {
    return {_mm256_blend_pd(a.v, b.v, kLanes)};
  }
  static inline VecF64 rotate(VecF64 a) { return {_mm256_permute_pd(a.v, 0x5)}; }
  inline void store_ring_starts(double* p) const {
    _mm_store_sd(p, _mm256_castpd256_pd128(v));
    _mm_store_sd(p + kRing, _mm256_extractf128_pd(v, 1));
  }
  [[gnu::always_inline]] static inline void transpose(VecF64 (&rows)[4]) {
    __m256d r[4];
    for (int i = 0; i < 4; i += 2) {
      r[i] = _mm256_unpacklo_pd(rows[i].v, rows[i + 1].v);
      r[i + 1] = _mm256_unpackhi_pd(rows[i].v, rows[i + 1].v);
    }
    for (int q = 0; q < 2; ++q) {
      rows[q].v = _mm256_permute2f128_pd(r[q], r[2 + q], 0x20);
      rows[2 + q].v = _mm256_permute2f128_pd(r[q], r[2 + q], 0x31);
    }
  }
  static inline void transpose_six(VecF64 (&rows)[6]) {
    __m256d all[6];  // pairs of rows, of even columns and of odd ones
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      all[i] = _mm256_unpacklo_pd(rows[2 * i].v, rows[2 * i + 1].v);
      all[3 + i] = _mm256_unpackhi_pd(rows[2 * i].v, rows[2 * i + 1].v);
    }
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
      rows[i].v = _mm256_permute2f128_pd(all[2 * i], all[2 * i + 1], 0x20);
      rows[3 + i].v = _mm256_permute2f128_pd(all[2 * i], all[2 * i + 1], 0x31);
    }
  }
};
constexpr int kTileRows = 6;  // 12 of 16 registers accumulate
constexpr int kComplexTileRows = 6;

}  // namespace
}  // namespace ist::cpu
