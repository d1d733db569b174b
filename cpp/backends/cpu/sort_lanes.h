// Keys in the lanes of a register, at the levels that have what sorting and selecting them takes: to compare unsigned
// numbers, and to move those that a mask chooses to the front.
#pragma once

#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#define IST_SORTS_VECTORS 1

namespace ist::cpu {
namespace {

// Masks have a bit for each lane. min, max and less are for what ranked() makes of keys, or makes keys of: there may be
// comparisons of signed numbers alone.
template <class K>
struct KeyLanes;

#if defined(__AVX512F__)

template <>
struct KeyLanes<uint32_t> {
  static constexpr int kWidth = 16;
  using Vector = __m512i;
  using Mask = __mmask16;
  static inline Vector load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static inline Vector load(const uint32_t* p, Mask m, Vector rest) { return _mm512_mask_loadu_epi32(rest, m, p); }
  static inline void store(uint32_t* p, Vector v) { _mm512_storeu_si512(p, v); }
  static inline void store(uint32_t* p, Mask m, Vector v) { _mm512_mask_storeu_epi32(p, m, v); }
  static inline Vector add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  static inline uint32_t first_key(Vector v) { return static_cast<uint32_t>(_mm512_cvtsi512_si32(v)); }
  static inline Vector broadcast(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static inline Vector ranked(Vector v) { return v; }
  static inline Vector min(Vector a, Vector b) { return _mm512_min_epu32(a, b); }
  static inline Vector max(Vector a, Vector b) { return _mm512_max_epu32(a, b); }
  static inline Mask less(Vector a, Vector b) { return _mm512_cmplt_epu32_mask(a, b); }
  static inline Vector compress(Mask m, Vector v) { return _mm512_maskz_compress_epi32(m, v); }
  static inline Vector permute(Vector lanes, Vector v) { return _mm512_permutexvar_epi32(lanes, v); }
  static inline Vector permute(Vector a, Vector lanes, Vector b) { return _mm512_permutex2var_epi32(a, lanes, b); }
};

template <>
struct KeyLanes<uint64_t> {
  static constexpr int kWidth = 8;
  using Vector = __m512i;
  using Mask = __mmask8;
  static inline Vector load(const uint64_t* p) { return _mm512_loadu_si512(p); }
  static inline Vector load(const uint64_t* p, Mask m, Vector rest) { return _mm512_mask_loadu_epi64(rest, m, p); }
  static inline void store(uint64_t* p, Vector v) { _mm512_storeu_si512(p, v); }
  static inline void store(uint64_t* p, Mask m, Vector v) { _mm512_mask_storeu_epi64(p, m, v); }
  static inline Vector add(Vector a, Vector b) { return _mm512_add_epi64(a, b); }
  static inline uint64_t first_key(Vector v) {
    return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(v)));
  }
  static inline Vector broadcast(uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static inline Vector ranked(Vector v) { return v; }
  static inline Vector min(Vector a, Vector b) { return _mm512_min_epu64(a, b); }
  static inline Vector max(Vector a, Vector b) { return _mm512_max_epu64(a, b); }
  static inline Mask less(Vector a, Vector b) { return _mm512_cmplt_epu64_mask(a, b); }
  static inline Vector compress(Mask m, Vector v) { return _mm512_maskz_compress_epi64(m, v); }
  static inline Vector permute(Vector lanes, Vector v) { return _mm512_permutexvar_epi64(lanes, v); }
  static inline Vector permute(Vector a, Vector lanes, Vector b) { return _mm512_permutex2var_epi64(a, lanes, b); }
};

#else

// Which lanes of 4 or 8 bytes the bits of a mask choose, then those that they do not: places of lanes of 4 bytes, one
// byte each.
template <int kLanes>
struct Compressions {
  uint64_t places[1 << kLanes];
};
template <int kLanes>
constexpr Compressions<kLanes> compressions() {
  constexpr int kParts = 8 / kLanes;
  Compressions<kLanes> table{};
  for (int mask = 0; mask < 1 << kLanes; ++mask) {
    int at = 0;
    for (int chosen = 1; chosen >= 0; --chosen) {
      for (int lane = 0; lane < kLanes; ++lane) {
        if ((mask >> lane & 1) != chosen) continue;
        for (int part = 0; part < kParts; ++part)
          table.places[mask] |= static_cast<uint64_t>(lane * kParts + part) << (8 * at++);
      }
    }
  }
  return table;
}
template <int kLanes>
constexpr Compressions<kLanes> kCompressions = compressions<kLanes>();
template <int kLanes>
inline __m256i compressed(int mask, __m256i v) {
  const __m128i places = _mm_cvtsi64_si128(static_cast<long long>(kCompressions<kLanes>.places[mask]));
  return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(places));
}

template <>
struct KeyLanes<uint32_t> {
  static constexpr int kWidth = 8;
  using Vector = __m256i;
  using Mask = uint8_t;
  static inline Vector in_order() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
  static inline Vector whole(Mask m) {
    const Vector bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(m), bit), bit);
  }
  static inline Vector load(const uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const Vector*>(p)); }
  static inline Vector load(const uint32_t* p, Mask m, Vector rest) {
    const Vector mask = whole(m);
    return _mm256_blendv_epi8(rest, _mm256_maskload_epi32(reinterpret_cast<const int*>(p), mask), mask);
  }
  static inline void store(uint32_t* p, Vector v) { _mm256_storeu_si256(reinterpret_cast<Vector*>(p), v); }
  static inline void store(uint32_t* p, Mask m, Vector v) {
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), whole(m), v);
  }
  static inline uint32_t first_key(Vector v) { return static_cast<uint32_t>(_mm256_cvtsi256_si32(v)); }
  static inline Vector broadcast(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static inline Vector ranked(Vector v) { return v; }
  static inline Vector min(Vector a, Vector b) { return _mm256_min_epu32(a, b); }
  static inline Vector max(Vector a, Vector b) { return _mm256_max_epu32(a, b); }
  static inline Mask less(Vector a, Vector b) {
    const Vector not_less = _mm256_cmpeq_epi32(max(a, b), a);
    return static_cast<Mask>(~_mm256_movemask_ps(_mm256_castsi256_ps(not_less)));
  }
  static inline Vector compress(Mask m, Vector v) { return compressed<kWidth>(m, v); }
  // Lane i gets lane i ^ kDistance.
  template <int kDistance>
  static inline Vector exchange(Vector v) {
    return _mm256_permutevar8x32_epi32(v, _mm256_xor_si256(in_order(), _mm256_set1_epi32(kDistance)));
  }
  // Every two lanes so far apart in order: the greater key goes where the lane has kBit.
  template <int kDistance, int kBit>
  static inline Vector ordered(Vector v) {
    constexpr int kLanes = kBit == 1 ? 0xaa : kBit == 2 ? 0xcc : 0xf0;
    const Vector other = exchange<kDistance>(v);
    return _mm256_blend_epi32(min(v, other), max(v, other), kLanes);
  }
  static inline Vector rotate(Vector v, int lanes) {
    return _mm256_permutevar8x32_epi32(v, _mm256_add_epi32(in_order(), _mm256_set1_epi32(lanes)));
  }
};

template <>
struct KeyLanes<uint64_t> {
  static constexpr int kWidth = 4;
  using Vector = __m256i;
  using Mask = uint8_t;
  static inline Vector whole(Mask m) {
    const Vector bit = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(m), bit), bit);
  }
  static inline Vector load(const uint64_t* p) { return _mm256_loadu_si256(reinterpret_cast<const Vector*>(p)); }
  static inline Vector load(const uint64_t* p, Mask m, Vector rest) {
    const Vector mask = whole(m);
    return _mm256_blendv_epi8(rest, _mm256_maskload_epi64(reinterpret_cast<const long long*>(p), mask), mask);
  }
  static inline void store(uint64_t* p, Vector v) { _mm256_storeu_si256(reinterpret_cast<Vector*>(p), v); }
  static inline void store(uint64_t* p, Mask m, Vector v) {
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), whole(m), v);
  }
  static inline uint64_t first_key(Vector v) {
    return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm256_castsi256_si128(v)));
  }
  static inline Vector broadcast(uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static inline Vector ranked(Vector v) { return _mm256_xor_si256(v, broadcast(uint64_t{1} << 63)); }
  static inline Vector min(Vector a, Vector b) { return _mm256_blendv_epi8(b, a, _mm256_cmpgt_epi64(b, a)); }
  static inline Vector max(Vector a, Vector b) { return _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(b, a)); }
  static inline Mask less(Vector a, Vector b) {
    return static_cast<Mask>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(b, a))));
  }
  static inline Vector compress(Mask m, Vector v) { return compressed<kWidth>(m, v); }
  template <int kDistance>
  static inline Vector exchange(Vector v) {
    constexpr int kPlaces = (0 ^ kDistance) | (1 ^ kDistance) << 2 | (2 ^ kDistance) << 4 | (3 ^ kDistance) << 6;
    return _mm256_permute4x64_epi64(v, kPlaces);
  }
  template <int kDistance, int kBit>
  static inline Vector ordered(Vector v) {
    const Vector other = exchange<kDistance>(v);
    const Vector upper = kBit == 1 ? _mm256_setr_epi64x(0, -1, 0, -1) : _mm256_setr_epi64x(0, 0, -1, -1);
    return _mm256_blendv_epi8(v, other, _mm256_xor_si256(_mm256_cmpgt_epi64(v, other), upper));
  }
  static inline Vector rotate(Vector v, int lanes) {
    const Vector places = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(2 * lanes));
    return _mm256_permutevar8x32_epi32(v, places);
  }
};

#endif

// The first n lanes, for 0 <= n <= kWidth, and for any n.
template <class K>
inline auto lowest(int64_t n) {
  return static_cast<typename KeyLanes<K>::Mask>((1u << n) - 1);
}
template <class K>
inline auto first(int64_t n) {
  constexpr int W = KeyLanes<K>::kWidth;
  return lowest<K>(n < 0 ? 0 : n > W ? W : n);
}
// The lanes that a mask does not choose.
template <class K>
inline auto others(int mask) {
  return static_cast<typename KeyLanes<K>::Mask>(~mask & ((1 << KeyLanes<K>::kWidth) - 1));
}

}  // namespace
}  // namespace ist::cpu

#endif
