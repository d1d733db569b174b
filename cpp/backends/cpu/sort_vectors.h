// A quicksort of keys by whole vectors, for levels that can compress one: partitions out of place, and bitonic networks
// in registers for what is short. Keys are all there is to a value, so nothing has to be stable.
#pragma once

#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"

#if defined(__AVX512F__)
#define IST_SORTS_VECTORS 1

namespace ist::cpu {
namespace {

template <class K>
struct KeyLanes;

template <>
struct KeyLanes<uint32_t> {
  static constexpr int kWidth = 16;
  using Mask = __mmask16;
  static inline Mask first(int64_t n) { return n >= kWidth ? Mask(0xffff) : static_cast<Mask>((1u << n) - 1); }
  static inline Mask lowest(int n) { return static_cast<Mask>((1u << n) - 1); }  // n <= kWidth
  static inline __m512i load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static inline __m512i load(const uint32_t* p, Mask m, __m512i rest) { return _mm512_mask_loadu_epi32(rest, m, p); }
  static inline void store(uint32_t* p, Mask m, __m512i v) { _mm512_mask_storeu_epi32(p, m, v); }
  static inline __m512i broadcast(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static inline __m512i min(__m512i a, __m512i b) { return _mm512_min_epu32(a, b); }
  static inline __m512i max(__m512i a, __m512i b) { return _mm512_max_epu32(a, b); }
  static inline Mask less(__m512i a, __m512i b) { return _mm512_cmplt_epu32_mask(a, b); }
  static inline __m512i compress(Mask m, __m512i v) { return _mm512_maskz_compress_epi32(m, v); }
  static inline __m512i blend(Mask m, __m512i a, __m512i b) { return _mm512_mask_blend_epi32(m, a, b); }
  template <int J>
  static inline __m512i exchanged(__m512i v) {  // lane i gets lane i ^ J
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_permutexvar_epi32(_mm512_xor_si512(lanes, _mm512_set1_epi32(J)), v);
  }
};

template <>
struct KeyLanes<uint64_t> {
  static constexpr int kWidth = 8;
  using Mask = __mmask8;
  static inline Mask first(int64_t n) { return n >= kWidth ? Mask(0xff) : static_cast<Mask>((1u << n) - 1); }
  static inline Mask lowest(int n) { return static_cast<Mask>((1u << n) - 1); }
  static inline __m512i load(const uint64_t* p) { return _mm512_loadu_si512(p); }
  static inline __m512i load(const uint64_t* p, Mask m, __m512i rest) { return _mm512_mask_loadu_epi64(rest, m, p); }
  static inline void store(uint64_t* p, Mask m, __m512i v) { _mm512_mask_storeu_epi64(p, m, v); }
  static inline __m512i broadcast(uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static inline __m512i min(__m512i a, __m512i b) { return _mm512_min_epu64(a, b); }
  static inline __m512i max(__m512i a, __m512i b) { return _mm512_max_epu64(a, b); }
  static inline Mask less(__m512i a, __m512i b) { return _mm512_cmplt_epu64_mask(a, b); }
  static inline __m512i compress(Mask m, __m512i v) { return _mm512_maskz_compress_epi64(m, v); }
  static inline __m512i blend(Mask m, __m512i a, __m512i b) { return _mm512_mask_blend_epi64(m, a, b); }
  template <int J>
  static inline __m512i exchanged(__m512i v) {
    const __m512i lanes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_permutexvar_epi64(_mm512_xor_si512(lanes, _mm512_set1_epi64(J)), v);
  }
};

// ---- bitonic networks over kVectors registers ----

// The lanes of register `b` that keep the smaller key of a pair in the step (K, J).
template <class K, int kBlock, int J>
constexpr uint32_t keeps_smaller(int b) {
  uint32_t mask = 0;
  for (int lane = 0; lane < KeyLanes<K>::kWidth; ++lane) {
    const bool ascends = ((b * KeyLanes<K>::kWidth + lane) & kBlock) == 0;
    if (((lane & J) == 0) == ascends) mask |= 1u << lane;
  }
  return mask;
}

template <class K, int kVectors, int kBlock, int J>
inline void bitonic_merge(__m512i (&r)[kVectors]) {
  using L = KeyLanes<K>;
  if constexpr (J >= L::kWidth) {
    constexpr int kApart = J / L::kWidth;
#pragma GCC unroll 16
    for (int b = 0; b < kVectors; ++b) {
      if ((b & kApart) != 0) continue;
      const __m512i low = L::min(r[b], r[b | kApart]), high = L::max(r[b], r[b | kApart]);
      const bool ascends = ((b * L::kWidth) & kBlock) == 0;
      r[b] = ascends ? low : high;
      r[b | kApart] = ascends ? high : low;
    }
  } else {
#pragma GCC unroll 16
    for (int b = 0; b < kVectors; ++b) {
      const __m512i other = L::template exchanged<J>(r[b]);
      const auto smaller = static_cast<typename L::Mask>(keeps_smaller<K, kBlock, J>(b));
      r[b] = L::blend(smaller, L::max(r[b], other), L::min(r[b], other));
    }
  }
  if constexpr (J > 1) bitonic_merge<K, kVectors, kBlock, J / 2>(r);
}

template <class K, int kVectors, int kBlock = 2>
inline void bitonic_sort(__m512i (&r)[kVectors]) {
  bitonic_merge<K, kVectors, kBlock, kBlock / 2>(r);
  if constexpr (kBlock < kVectors * KeyLanes<K>::kWidth) bitonic_sort<K, kVectors, kBlock * 2>(r);
}

template <class K, int kVectors>
void sort_in_registers(int64_t n, const K* from, K* to) {
  using L = KeyLanes<K>;
  const __m512i last = L::broadcast(static_cast<K>(~K{0}));
  __m512i r[kVectors];
#pragma GCC unroll 16
  for (int b = 0; b < kVectors; ++b) {
    const int64_t left = n - b * L::kWidth;
    r[b] = left > 0 ? L::load(from + b * L::kWidth, L::first(left), last) : last;
  }
  bitonic_sort<K>(r);
#pragma GCC unroll 16
  for (int b = 0; b < kVectors; ++b) {
    const int64_t left = n - b * L::kWidth;
    if (left > 0) L::store(to + b * L::kWidth, L::first(left), r[b]);
  }
}

constexpr int kLargestNetwork = 8;  // registers

template <class K>
void sort_few(int64_t n, const K* from, K* to) {
  constexpr int W = KeyLanes<K>::kWidth;
  if (n <= W) return sort_in_registers<K, 1>(n, from, to);
  if (n <= 2 * W) return sort_in_registers<K, 2>(n, from, to);
  if (n <= 4 * W) return sort_in_registers<K, 4>(n, from, to);
  return sort_in_registers<K, kLargestNetwork>(n, from, to);
}

// ---- quicksort ----

// The median of a vector of samples.
template <class K>
K pivot_of(int64_t n, const K* x) {
  constexpr int W = KeyLanes<K>::kWidth;
  K sample[W];
  for (int i = 0; i < W; ++i) sample[i] = x[n / W * i + n / (2 * W)];
  sort_in_registers<K, 1>(W, sample, sample);
  return sample[W / 2];
}

// Keys below `bound` (or, kOrEqual, not above it) to the front of `to`, the others to its end; how many are in front.
template <class K, bool kOrEqual>
int64_t partition(int64_t n, const K* from, K* to, K bound) {
  using L = KeyLanes<K>;
  const __m512i pivot = L::broadcast(bound);
  K *front = to, *back = to + n;
  const auto place = [&](__m512i v, typename L::Mask valid, bool whole) __attribute__((always_inline)) {
    const auto below = static_cast<typename L::Mask>((kOrEqual ? ~L::less(pivot, v) : L::less(v, pivot)) & valid);
    const auto above = static_cast<typename L::Mask>(~below & valid);
    const int n_below = __builtin_popcount(below), n_above = __builtin_popcount(above);
    if (whole) {
      _mm512_storeu_si512(front, L::compress(below, v));  // what is too much lands where nothing is yet
    } else {
      L::store(front, L::lowest(n_below), L::compress(below, v));
    }
    front += n_below;
    back -= n_above;
    L::store(back, L::lowest(n_above), L::compress(above, v));
  };
  int64_t i = 0;
  for (; i + 4 * L::kWidth <= n; i += 4 * L::kWidth) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) place(L::load(from + i + k * L::kWidth), L::lowest(L::kWidth), true);
  }
  for (; i < n; i += L::kWidth) place(L::load(from + i, L::first(n - i), pivot), L::first(n - i), false);
  return front - to;
}

template <class K>
void heap_sort(int64_t n, K* x) {
  const auto sink = [x](int64_t root, int64_t end) {
    for (int64_t child = 2 * root + 1; child < end; child = 2 * root + 1) {
      if (child + 1 < end && x[child] < x[child + 1]) ++child;
      if (x[root] >= x[child]) return;
      const K moved = x[root];
      x[root] = x[child];
      x[child] = moved;
      root = child;
    }
  };
  for (int64_t root = n / 2; root-- > 0;) sink(root, n);
  for (int64_t end = n; end-- > 1;) {
    const K largest = x[0];
    x[0] = x[end];
    x[end] = largest;
    sink(0, end);
  }
}

// `to` is `from` or `spare`; both are used up. Where pivots keep being bad, `patience` runs out.
template <class K>
void quick_sort(int64_t n, K* from, K* spare, K* to, int patience) {
  if (n <= kLargestNetwork * KeyLanes<K>::kWidth) return sort_few(n, from, to);
  if (patience == 0) {
    heap_sort(n, from);
    if (to != from) __builtin_memcpy(to, from, static_cast<size_t>(n) * sizeof(K));
    return;
  }
  const K pivot = pivot_of(n, from);
  int64_t front = partition<K, false>(n, from, spare, pivot);
  if (front > 0) {
    quick_sort(front, spare, from, to, patience - 1);
  } else {  // the pivot is the smallest key: all keys that equal it are done
    front = partition<K, true>(n, from, spare, pivot);
    for (int64_t i = 0; i < front; ++i) to[i] = pivot;
  }
  if (front < n) quick_sort(n - front, spare + front, from + front, to + front, patience - 1);
}

template <class K>
void sort_keys(int64_t n, K* x, K* other) {
  quick_sort(n, x, other, x, 2 * (64 - __builtin_clzll(static_cast<uint64_t>(n) | 1)));
}

template <class K>
int64_t split_keys(int64_t n, const K* x, K* other) {
  return partition<K, false>(n, x, other, pivot_of(n, x));
}

}  // namespace
}  // namespace ist::cpu

#endif
