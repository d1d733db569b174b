// The widest vectors with fused multiply-add of the level that is compiled, for the matrix kernels.
#pragma once

#if defined(__AVX2__) || defined(__AVX512F__)
#define IST_STORES_HALVES 1
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 on its own intrinsics that start from any register
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "kernels/types.h"

namespace ist::cpu {
namespace {

// Every vector type V of T has
//   zero() load(p) load(p, mask) broadcast(x) store(p) store(p, mask)   with mask(n): the first n lanes, 1 at least
//   fma(a, b, c) = a * b + c, fnma(a, b, c) = -a * b + c, add(a, b)
//   transpose(rows): kWidth vectors as a square
//   transpose_halves(rows), with AVX2 for float: the lower halves of kWidth / 2 vectors as a square, the upper ones too
//   transpose_six(rows), with AVX2: kWidth columns of six, one after another
// all but OneElement,
//   load_halves(p, q): the lower lanes of load(p), the upper ones of load(q)
//   blend<lanes>(a, b): b where its bit of `lanes` is set; rotate(a): each lane to the next of its ring of kRing lanes
// where there are two rings, store_ring_starts(p): the first lane of each, which are kRing elements apart
// and VecF32 loads from half types and, where there are instructions for it (IST_STORES_HALVES), stores to them, and
// two vectors at once: load_two(p, a, b) and store_two(p, a, b) have the elements in an order of their own.

// One element at a time: with the C library's fma, where the level has no instruction for it.
template <class T>
struct OneElement {
  static constexpr int kWidth = 1;
  using Mask = int;
  T v;
  static inline Mask mask(int n) { return n; }
  static inline OneElement zero() { return {0}; }
  static inline OneElement load(const T* p) { return {*p}; }
  static inline OneElement load(const T* p, Mask) { return {*p}; }
  template <class Half>
  static inline OneElement load(const Half* p) {
    return {to_float(*p)};
  }
  static inline OneElement broadcast(T x) { return {x}; }
  static inline OneElement fma(OneElement a, OneElement b, OneElement c) {
    if constexpr (sizeof(T) == 4) {
      return {__builtin_fmaf(a.v, b.v, c.v)};
    } else {
      return {__builtin_fma(a.v, b.v, c.v)};
    }
  }
  static inline OneElement fnma(OneElement a, OneElement b, OneElement c) { return fma({-a.v}, b, c); }
  static inline OneElement add(OneElement a, OneElement b) { return {a.v + b.v}; }
  inline void store(T* p) const { *p = v; }
  inline void store(T* p, Mask) const { *p = v; }
  static inline void transpose(OneElement (&)[1]) {}
};

#if defined(__AVX512F__)
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
  // The same of numbers, none of which is NaN.
  static inline void store_two_numbers(float16* p, VecF32 a, VecF32 b) { store_two(p, a, b); }
  static inline void store_two_numbers(bfloat16* p, VecF32 even, VecF32 odd) {
    const __m512i words = _mm512_srli_epi32(even.number_rounded_to_upper(), 16);
    _mm512_storeu_si512(p, _mm512_mask_blend_epi16(0xaaaaaaaau, words, odd.number_rounded_to_upper()));
  }
  // The bfloat16 in the upper halves, ties to even.
  inline __m512i number_rounded_to_upper() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i sum = _mm512_add_epi32(bits, _mm512_set1_epi32(0x8000));
    const __mmask16 is_even = _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(0x10000));
    return _mm512_mask_sub_epi32(sum, is_even, sum, _mm512_set1_epi32(1));
  }
  inline __m512i rounded_to_upper() const {
    const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);  // rounding could carry it into infinity
    const __m512i quiet = _mm512_set1_epi32(0x00400000);
    return _mm512_mask_or_epi32(number_rounded_to_upper(), is_nan, _mm512_castps_si512(v), quiet);
  }
  // Is any of the 2 * kWidth half numbers further from 0 than the one of these bits, or NaN?
  template <class Half>
  static inline bool any_beyond(const Half* p, uint16_t limit) {
    const __m512i magnitudes = _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi16(0x7fff));
    return _mm512_cmpgt_epu16_mask(magnitudes, _mm512_set1_epi16(static_cast<short>(limit))) != 0;
  }
  // Of numbers that are bfloat16 already.
  inline void store_upper(bfloat16* p) const {
    const __m512i upper = _mm512_srli_epi32(_mm512_castps_si512(v), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(upper));
  }
  inline void store(float* p) const { _mm512_storeu_ps(p, v); }
  inline void store(float* p, Mask m) const { _mm512_mask_storeu_ps(p, m, v); }
  template <unsigned kLanes>
  static inline VecF32 blend(VecF32 a, VecF32 b) {
    return {_mm512_mask_blend_ps(kLanes, a.v, b.v)};
  }
  static inline VecF32 rotate(VecF32 a) {
    const __m512i bits = _mm512_castps_si512(a.v);
    return {_mm512_castsi512_ps(_mm512_alignr_epi32(bits, bits, 15))};
  }
  static inline void transpose(VecF32 (&rows)[16]) {
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
  inline void store(double* p, Mask m) const { _mm512_mask_storeu_pd(p, m, v); }
  template <unsigned kLanes>
  static inline VecF64 blend(VecF64 a, VecF64 b) {
    return {_mm512_mask_blend_pd(kLanes, a.v, b.v)};
  }
  static inline VecF64 rotate(VecF64 a) {
    const __m512i bits = _mm512_castpd_si512(a.v);
    return {_mm512_castsi512_pd(_mm512_alignr_epi64(bits, bits, 7))};
  }
  static inline void transpose(VecF64 (&rows)[8]) {
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
#elif defined(__AVX2__)
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
    const __m256i bits = _mm256_castps_si256(v), upper = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
    return _mm256_blendv_epi8(sum, quiet, is_nan);
  }
  inline void store_upper(bfloat16* p) const {
    const __m256i upper = _mm256_srli_epi32(_mm256_castps_si256(v), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(upper, upper), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
  inline void store(float* p) const { _mm256_storeu_ps(p, v); }
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
  static inline void transpose(VecF32 (&rows)[8]) {
    __m256 pairs[8], r[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      pairs[i] = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v);
      pairs[i + 1] = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
      const __m256d p0 = _mm256_castps_pd(pairs[i]), p1 = _mm256_castps_pd(pairs[i + 1]);
      const __m256d p2 = _mm256_castps_pd(pairs[i + 2]), p3 = _mm256_castps_pd(pairs[i + 3]);
      r[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(p0, p2));
      r[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(p0, p2));
      r[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(p1, p3));
      r[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(p1, p3));
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      rows[q].v = _mm256_permute2f128_ps(r[q], r[4 + q], 0x20);
      rows[4 + q].v = _mm256_permute2f128_ps(r[q], r[4 + q], 0x31);
    }
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
  static inline void transpose(VecF64 (&rows)[4]) {
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
#elif defined(__ARM_NEON)
struct VecF32 {
  static constexpr int kWidth = 4, kRing = 4;
  using Mask = int;
  float32x4_t v;
  static inline Mask mask(int n) { return n; }
  static inline VecF32 zero() { return {vdupq_n_f32(0)}; }
  static inline VecF32 load(const float* p) { return {vld1q_f32(p)}; }
  static inline VecF32 load(const float* p, Mask n) {
    float lanes[4] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  template <class Half>
  static inline VecF32 load(const Half* p) {
    const float lanes[4] = {to_float(p[0]), to_float(p[1]), to_float(p[2]), to_float(p[3])};
    return load(lanes);
  }
  static inline VecF32 load_halves(const float* low, const float* high) {
    return {vcombine_f32(vld1_f32(low), vld1_f32(high + 2))};
  }
  template <class Half>
  static inline VecF32 load_halves(const Half* low, const Half* high) {
    return {vcombine_f32(vget_low_f32(load(low).v), vget_high_f32(load(high).v))};
  }
  static inline VecF32 broadcast(float x) { return {vdupq_n_f32(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  static inline VecF32 fnma(VecF32 a, VecF32 b, VecF32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {vaddq_f32(a.v, b.v)}; }
  inline void store(float* p) const { vst1q_f32(p, v); }
  inline void store(float* p, Mask n) const {
    float lanes[4];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  template <unsigned kLanes>
  static inline VecF32 blend(VecF32 a, VecF32 b) {
    const uint32_t lanes[4] = {-(kLanes & 1u), -(kLanes >> 1 & 1u), -(kLanes >> 2 & 1u), -(kLanes >> 3 & 1u)};
    return {vbslq_f32(vld1q_u32(lanes), b.v, a.v)};
  }
  static inline VecF32 rotate(VecF32 a) { return {vextq_f32(a.v, a.v, 3)}; }
  static inline void transpose(VecF32 (&rows)[4]) {
    const float32x4x2_t p = vtrnq_f32(rows[0].v, rows[1].v), q = vtrnq_f32(rows[2].v, rows[3].v);
    rows[0].v = vcombine_f32(vget_low_f32(p.val[0]), vget_low_f32(q.val[0]));
    rows[1].v = vcombine_f32(vget_low_f32(p.val[1]), vget_low_f32(q.val[1]));
    rows[2].v = vcombine_f32(vget_high_f32(p.val[0]), vget_high_f32(q.val[0]));
    rows[3].v = vcombine_f32(vget_high_f32(p.val[1]), vget_high_f32(q.val[1]));
  }
};
struct VecF64 {
  static constexpr int kWidth = 2, kRing = 2;
  using Mask = int;
  float64x2_t v;
  static inline Mask mask(int n) { return n; }
  static inline VecF64 zero() { return {vdupq_n_f64(0)}; }
  static inline VecF64 load(const double* p) { return {vld1q_f64(p)}; }
  static inline VecF64 load(const double* p, Mask n) {
    const double lanes[2] = {p[0], n > 1 ? p[1] : 0.0};
    return load(lanes);
  }
  static inline VecF64 load_halves(const double* low, const double* high) {
    return {vcombine_f64(vld1_f64(low), vld1_f64(high + 1))};
  }
  static inline VecF64 broadcast(double x) { return {vdupq_n_f64(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {vaddq_f64(a.v, b.v)}; }
  inline void store(double* p) const { vst1q_f64(p, v); }
  inline void store(double* p, Mask n) const {
    double lanes[2];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  template <unsigned kLanes>
  static inline VecF64 blend(VecF64 a, VecF64 b) {
    return {vcombine_f64(vget_low_f64(kLanes & 1u ? b.v : a.v), vget_high_f64(kLanes & 2u ? b.v : a.v))};
  }
  static inline VecF64 rotate(VecF64 a) { return {vextq_f64(a.v, a.v, 1)}; }
  static inline void transpose(VecF64 (&rows)[2]) {
    const float64x2_t low = vzip1q_f64(rows[0].v, rows[1].v);
    rows[1].v = vzip2q_f64(rows[0].v, rows[1].v);
    rows[0].v = low;
  }
};
constexpr int kTileRows = 12;
constexpr int kComplexTileRows = 6;
#else
// No fused instruction at this level.
using VecF32 = OneElement<float>;
using VecF64 = OneElement<double>;
constexpr int kTileRows = 2;
constexpr int kComplexTileRows = 2;
#endif

}  // namespace
}  // namespace ist::cpu
