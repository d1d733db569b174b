// The vectors of simd.h with AVX-512: 32 registers of 64 bytes.
#pragma once

#include <immintrin.h>

#include "kernels/types.h"

namespace ist::cpu {
namespace {

struct VecF32 {
  static constexpr int kWidth = 16, kRing = 16;
  using Mask = __mmask16;
  __m512 v;
  static inline Mask mask(int n) { return static_cast<Mask>((1u << n) - 1u); }
  static inline VecF32 zero() { return {_mm512_setzero_ps()}; }
  static inline VecF32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static inline VecF32 load(const float* p, Mask m) { return {_mm512_maskz_loadu_ps(m, p)}; }
  static inline VecF32 load(const float16* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static inline VecF32 load(const float16* p, Mask m) { return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p))}; }
  static inline VecF32 load(const bfloat16* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  static inline VecF32 load(const bfloat16* p, Mask m) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  static inline VecF32 load_halves(const float* low, const float* high) {
    return {_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(low)), _mm256_loadu_ps(high + 8), 1)};
  }
  static inline VecF32 load_halves(const float16* low, const float16* high) {
    const __m128i lower = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low));
    const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(high + 8));
    return {_mm512_cvtph_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1))};
  }
  static inline VecF32 broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static inline VecF32 fnma(VecF32 a, VecF32 b, VecF32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {_mm512_add_ps(a.v, b.v)}; }
  inline void store(float16* p) const {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, kNearest));
  }
  inline void store(bfloat16* p) const {
#if defined(__AVX512BF16__)
    constexpr int kSubnormal = 0x20;  // the instruction takes such numbers for zero
    if (_mm512_fpclass_ps_mask(v, kSubnormal) == 0) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(v));
      return;
    }
#endif
    const __m512i rounded = _mm512_srli_epi32(rounded_to_upper(), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(rounded));
  }
  static inline void load_two(const float16* p, VecF32& a, VecF32& b) { a = load(p), b = load(p + kWidth); }
  static inline void store_two(float16* p, VecF32 a, VecF32 b) { a.store(p), b.store(p + kWidth); }
  // Neighbours are the halves of a word: widening and narrowing takes a shift or nothing, where conversions of the
  // width permute.
  static inline void load_two(const bfloat16* p, VecF32& even, VecF32& odd) {
    const __m512i words = _mm512_loadu_si512(p);
    even.v = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
    odd.v = _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  static inline void store_two(bfloat16* p, VecF32 even, VecF32 odd) {
    const __m512i words = _mm512_srli_epi32(even.rounded_to_upper(), 16);
    _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaau, words, odd.rounded_to_upper()));
  }
  // The same of numbers, none of which is NaN; where kTiesUp, what is halfway between two bfloat16 becomes the upper
  // one. With kStreams past the caches, to where vectors are aligned.
  template <bool kTiesUp, bool kStreams>
  static inline void store_two_numbers(float16* p, VecF32 a, VecF32 b) {
    if constexpr (kStreams) {
      constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
      const __m512i low = _mm512_castsi256_si512(_mm512_cvtps_ph(a.v, kNearest));
      _mm512_stream_si512(reinterpret_cast<__m512i*>(p), _mm512_inserti64x4(low, _mm512_cvtps_ph(b.v, kNearest), 1));
    } else {
      store_two(p, a, b);
    }
  }
  template <bool kTiesUp, bool kStreams>
  static inline void store_two_numbers(bfloat16* p, VecF32 even, VecF32 odd) {
    const __m512i words = _mm512_srli_epi32(even.number_rounded_to_upper<kTiesUp>(), 16);
    const __m512i both = _mm512_mask_blend_epi16(0xaaaaaaaau, words, odd.number_rounded_to_upper<kTiesUp>());
    if constexpr (kStreams) {
      _mm512_stream_si512(reinterpret_cast<__m512i*>(p), both);
    } else {
      _mm512_storeu_si512(p, both);
    }
  }
  // The bfloat16 in the upper halves, ties to even.
  template <bool kTiesUp = false>
  inline __m512i number_rounded_to_upper() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i sum = _mm512_add_epi32(bits, _mm512_set1_epi32(0x8000));
    if constexpr (kTiesUp) return sum;
    const __mmask16 is_even = _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    return _mm512_mask_sub_epi32(sum, is_even, sum, _mm512_set1_epi32(1));
  }
  inline __m512i rounded_to_upper() const {
    const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);  // rounding could carry it into infinity
    const __m512i quiet = _mm512_set1_epi32(0x00400000);
    return _mm512_mask_or_epi32(number_rounded_to_upper(), is_nan, _mm512_castps_si512(v), quiet);
  }
  // Is any of the 4 * kWidth half numbers further from 0 than the one of these bits, or NaN?
  template <class Half>
  static inline bool any_beyond(const Half* p, int16_t limit) {
    const __m512i all = _mm512_set1_epi16(0x7fff);
    const __m512i first = _mm512_and_si512(_mm512_loadu_si512(p), all);
    const __m512i second = _mm512_and_si512(_mm512_loadu_si512(p + 2 * kWidth), all);
    return _mm512_cmpgt_epi16_mask(_mm512_max_epi16(first, second), _mm512_set1_epi16(limit)) != 0;
  }
  // Of numbers that are bfloat16 already.
  inline void store_upper(bfloat16* p) const {
    const __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(v), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(upper));
  }
  inline void store(float* p) const { _mm512_storeu_ps(p, v); }
  inline void stream(float* p) const { _mm512_stream_ps(p, v); }
  inline void store(float* p, Mask m) const { _mm512_mask_storeu_ps(p, m, v); }
  template <unsigned kLanes>
  static inline VecF32 blend(VecF32 a, VecF32 b) {
    return {_mm512_mask_blend_ps(kLanes, a.v, b.v)};
  }
  static inline VecF32 rotate(VecF32 a) {
    const __m512i bits = _mm512_castps_si512(a.v);
    return {_mm512_castsi512_ps(_mm512_alignr_epi32(bits, bits, 15))};
  }
  [[gnu::always_inline]] static inline void transpose(VecF32 (&rows)[16]) {
    __m512 pairs[16], r[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
      pairs[i] = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
      pairs[i + 1] = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
    }
    // Lane l of r[4 i + q]: column 4 l + q of rows 4 i to 4 i + 3.
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
      const __m512d p0 = _mm512_castps_pd(pairs[i]), p1 = _mm512_castps_pd(pairs[i + 1]);
      const __m512d p2 = _mm512_castps_pd(pairs[i + 2]), p3 = _mm512_castps_pd(pairs[i + 3]);
      r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p0, p2));
      r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p0, p2));
      r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(p1, p3));
      r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(p1, p3));
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      const __m512 a0 = _mm512_shuffle_f32x4(r[q], r[4 + q], 0x44), a1 = _mm512_shuffle_f32x4(r[q], r[4 + q], 0xee);
      const __m512 b0 = _mm512_shuffle_f32x4(r[8 + q], r[12 + q], 0x44);
      const __m512 b1 = _mm512_shuffle_f32x4(r[8 + q], r[12 + q], 0xee);
      rows[q].v = _mm512_shuffle_f32x4(a0, b0, 0x88);
      rows[4 + q].v = _mm512_shuffle_f32x4(a0, b0, 0xdd);
      rows[8 + q].v = _mm512_shuffle_f32x4(a1, b1, 0x88);
      rows[12 + q].v = _mm512_shuffle_f32x4(a1, b1, 0xdd);
    }
  }
};
struct VecF64 {
  static constexpr int kWidth = 8, kRing = 8;
  using Mask = __mmask8;
  __m512d v;
  static inline Mask mask(int n) { return static_cast<Mask>((1u << n) - 1u); }
  static inline VecF64 zero() { return {_mm512_setzero_pd()}; }
  static inline VecF64 load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static inline VecF64 load(const double* p, Mask m) { return {_mm512_maskz_loadu_pd(m, p)}; }
  static inline VecF64 load_halves(const double* low, const double* high) {
    return {_mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_loadu_pd(low)), _mm256_loadu_pd(high + 4), 1)};
  }
  static inline VecF64 broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {_mm512_add_pd(a.v, b.v)}; }
  inline void store(double* p) const { _mm512_storeu_pd(p, v); }
  inline void stream(double* p) const { _mm512_stream_pd(p, v); }
  inline void store(double* p, Mask m) const { _mm512_mask_storeu_pd(p, m, v); }
  template <unsigned kLanes>
  static inline VecF64 blend(VecF64 a, VecF64 b) {
    return {_mm512_mask_blend_pd(kLanes, a.v, b.v)};
  }
  static inline VecF64 rotate(VecF64 a) {
    const __m512i bits = _mm512_castpd_si512(a.v);
    return {_mm512_castsi512_pd(_mm512_alignr_epi64(bits, bits, 7))};
  }
  [[gnu::always_inline]] static inline void transpose(VecF64 (&rows)[8]) {
    __m512d r[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      r[i] = _mm512_unpacklo_pd(rows[i].v, rows[i + 1].v);
      r[i + 1] = _mm512_unpackhi_pd(rows[i].v, rows[i + 1].v);
    }
#pragma GCC unroll 2
    for (int q = 0; q < 2; ++q) {
      const __m512d a0 = _mm512_shuffle_f64x2(r[q], r[2 + q], 0x44), a1 = _mm512_shuffle_f64x2(r[q], r[2 + q], 0xee);
      const __m512d b0 = _mm512_shuffle_f64x2(r[4 + q], r[6 + q], 0x44);
      const __m512d b1 = _mm512_shuffle_f64x2(r[4 + q], r[6 + q], 0xee);
      rows[q].v = _mm512_shuffle_f64x2(a0, b0, 0x88);
      rows[2 + q].v = _mm512_shuffle_f64x2(a0, b0, 0xdd);
      rows[4 + q].v = _mm512_shuffle_f64x2(a1, b1, 0x88);
      rows[6 + q].v = _mm512_shuffle_f64x2(a1, b1, 0xdd);
    }
  }
};
constexpr int kTileRows = 14;  // times two vectors: 28 of 32 registers accumulate
constexpr int kComplexTileRows = 12;

}  // namespace
}  // namespace ist::cpu
