// Bools of vectors: how tests make them, and how they lie in memory.
#pragma once

#include "backends/cpu/compiler_vectors.h"

namespace ist::cpu {
namespace {

template <class V>
concept IsVector = requires(V x) { x[0]; };

// Bools of a vector: a bit each where there are registers for masks, otherwise lanes all of whose bits are alike.
#if defined(__AVX512BW__)
template <IsVector V>
using Bools = std::conditional_t<sizeof(V{}[0]) == 4, uint16_t, uint8_t>;
template <int kPredicate, IsVector V>
inline Bools<V> compare(V a, V b) {
  if constexpr (sizeof(V{}[0]) == 4) {
    return _mm512_cmp_ps_mask(__m512(a), __m512(b), kPredicate);
  } else {
    return _mm512_cmp_pd_mask(__m512d(a), __m512d(b), kPredicate);
  }
}
template <IsVector V>
inline V where(Bools<V> m, V a, V b) {
  if constexpr (sizeof(V{}[0]) == 4) {
    return V(_mm512_mask_blend_ps(m, __m512(b), __m512(a)));
  } else {
    return V(_mm512_mask_blend_pd(m, __m512d(b), __m512d(a)));
  }
}
#define IST_COMPARISON(name, op, predicate) \
  template <IsVector V>                     \
  inline Bools<V> name(V a, V b) {          \
    return compare<_CMP_##predicate>(a, b); \
  }
#else
template <IsVector V>
using Bools = decltype(V{} == V{});
template <IsVector V>
inline V where(Bools<V> m, V a, V b) {
#if defined(__AVX2__)
  if constexpr (sizeof(V{}[0]) == 4) {
    return V(_mm256_blendv_ps(__m256(b), __m256(a), __m256(m)));
  } else {
    return V(_mm256_blendv_pd(__m256d(b), __m256d(a), __m256d(m)));
  }
#else
  return V((Bools<V>(a) & m) | (Bools<V>(b) & ~m));
#endif
}
#define IST_COMPARISON(name, op, predicate) \
  template <IsVector V>                     \
  inline Bools<V> name(V a, V b) {          \
    return a op b;                          \
  }
#endif
IST_COMPARISON(equal, ==, EQ_OQ)
IST_COMPARISON(not_equal, !=, NEQ_UQ)
IST_COMPARISON(less, <, LT_OQ)
IST_COMPARISON(less_equal, <=, LE_OQ)
IST_COMPARISON(greater, >, GT_OQ)
IST_COMPARISON(greater_equal, >=, GE_OQ)
#undef IST_COMPARISON

// Bools of vectors j by test(j). Masks are joined in their registers: loading 64 bits of what was stored by 16 has to
// wait, and GCC joins them by way of others.
template <class B, int kCount, class Test>
inline void set_bools(B (&bools)[kCount], Test test) {
#if defined(__AVX512BW__)
  if constexpr (kCount % 4 == 0) {
#pragma GCC unroll 2
    for (int j = 0; j < kCount; j += 4) {
      if constexpr (sizeof(B) == 2) {
        const __mmask32 low = _mm512_kunpackw(test(j + 1), test(j)), high = _mm512_kunpackw(test(j + 3), test(j + 2));
        const uint64_t bits = _mm512_kunpackd(high, low);
        __builtin_memcpy(bools + j, &bits, sizeof(bits));
      } else {
        const __mmask16 low = _mm512_kunpackb(test(j + 1), test(j)), high = _mm512_kunpackb(test(j + 3), test(j + 2));
        const uint32_t bits = _mm512_kunpackw(high, low);
        __builtin_memcpy(bools + j, &bits, sizeof(bits));
      }
    }
    return;
  }
#endif
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) bools[j] = test(j);
}

#if defined(__AVX2__) && !defined(__AVX512BW__)
template <class V>
inline Bools<V> bools_of_bytes(const uint8_t* x) {
  if constexpr (sizeof(V{}[0]) == 4) {
    return -Bools<V>(_mm256_cvtepu8_epi32(_mm_loadu_si64(x)));
  } else {
    return -Bools<V>(_mm256_cvtepu8_epi64(_mm_loadu_si32(x)));
  }
}
template <class V>
inline void store_32_bools(uint8_t* x, const Bools<V>* bools) {
  const auto four_bytes = [&](int j) __attribute__((always_inline)) {
    if constexpr (sizeof(V{}[0]) == 4) {
      return __m256i(bools[j]);
    } else {
      return _mm256_castps_si256(_mm256_shuffle_ps(__m256(bools[2 * j]), __m256(bools[2 * j + 1]), 0x88));
    }
  };
  const __m256i low = _mm256_packs_epi32(four_bytes(0), four_bytes(1));
  const __m256i high = _mm256_packs_epi32(four_bytes(2), four_bytes(3));
  __m256i bytes = _mm256_and_si256(_mm256_packs_epi16(low, high), _mm256_set1_epi8(1));
  // Packed by halves of vectors, which hold four bools of each, or two.
  if constexpr (sizeof(V{}[0]) == 4) {
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(x), bytes);
  } else {
    const __m128i first = _mm256_castsi256_si128(bytes), second = _mm256_extracti128_si256(bytes, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(x), _mm_unpacklo_epi16(first, second));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(x + 16), _mm_unpackhi_epi16(first, second));
  }
}
#endif

// Bools in bytes, of n elements unless all.
template <bool kWhole, class V, int kCount>
inline void load_bools(const uint8_t* x, Bools<V> (&bools)[kCount], int64_t n) {
#if defined(__AVX512BW__)
  constexpr int kBits = 8 * sizeof(bools);
  if constexpr (kWhole && kBits % 64 == 0) {
    for (int k = 0; k < kBits / 64; ++k) {
      const __m512i bytes = _mm512_loadu_si512(x + 64 * k);
      const uint64_t bits = _mm512_test_epi8_mask(bytes, bytes);
      __builtin_memcpy(reinterpret_cast<char*>(bools) + 8 * k, &bits, 8);
    }
  } else {
    uint64_t bits = 0;
    for (int64_t k = 0; k < (kWhole ? kBits : n); ++k) bits |= static_cast<uint64_t>(x[k]) << k;
    __builtin_memcpy(bools, &bits, sizeof(bools));
  }
#else
#if defined(__AVX2__)
  if constexpr (kWhole) {
    constexpr int W = sizeof(V) / sizeof(V{}[0]);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) bools[j] = bools_of_bytes<V>(x + j * W);
    return;
  }
#endif
  // By way of memory: of such loops compilers make whole vectors.
  using Lane = Unsigned<sizeof(V{}[0])>;
  constexpr int kLanes = kCount * static_cast<int>(sizeof(V) / sizeof(Lane));
  Lane lanes[kLanes] = {};
  for (int64_t k = 0; k < (kWhole ? kLanes : n); ++k) lanes[k] = -static_cast<Lane>(x[k]);
  __builtin_memcpy(bools, lanes, sizeof(bools));
#endif
}
template <bool kWhole, class V, int kCount>
inline void store_bools(uint8_t* x, const Bools<V> (&bools)[kCount], int64_t n) {
#if defined(__AVX512BW__)
  constexpr int kBits = 8 * sizeof(bools);
  if constexpr (kWhole && kBits % 64 == 0) {
    for (int k = 0; k < kBits / 64; ++k) {
      uint64_t bits;
      __builtin_memcpy(&bits, reinterpret_cast<const char*>(bools) + 8 * k, 8);
      _mm512_storeu_si512(x + 64 * k, _mm512_maskz_set1_epi8(bits, 1));
    }
  } else {
    uint64_t bits = 0;
    __builtin_memcpy(&bits, bools, sizeof(bools));
    for (int64_t k = 0; k < (kWhole ? kBits : n); ++k) x[k] = bits >> k & 1;
  }
#else
#if defined(__AVX2__)
  if constexpr (kWhole && kCount * sizeof(V) / sizeof(V{}[0]) % 32 == 0) {
    constexpr int W = sizeof(V) / sizeof(V{}[0]);
    for (int j = 0; j < kCount; j += 32 / W) store_32_bools<V>(x + j * W, bools + j);
    return;
  }
#endif
  using Lane = Unsigned<sizeof(V{}[0])>;
  constexpr int kLanes = kCount * static_cast<int>(sizeof(V) / sizeof(Lane));
  Lane lanes[kLanes];
  __builtin_memcpy(lanes, bools, sizeof(bools));
  for (int64_t k = 0; k < (kWhole ? kLanes : n); ++k) x[k] = static_cast<uint8_t>(lanes[k] & 1);
#endif
}

}  // namespace
}  // namespace ist::cpu
