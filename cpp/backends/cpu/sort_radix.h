// Sorting of keys where vectors cannot be compressed: a radix sort.
#pragma once

#include "backends/cpu/isa_common.h"
#include "backends/cpu/sort_vectors.h"

#if !defined(IST_SORTS_VECTORS)

namespace ist::cpu {
namespace {

template <class K>
void insertion_sort(int64_t n, K* x) {
  for (int64_t i = 1; i < n; ++i) {
    const K key = x[i];
    int64_t j = i;
    for (; j > 0 && x[j - 1] > key; --j) x[j] = x[j - 1];
    x[j] = key;
  }
}

// Bytes from the lowest up; bytes that all keys share move nothing. The result goes to finish(n, keys, position).
template <class K, class Finish>
void sort_keys(int64_t n, K* x, K* other, const Finish& finish) {
  constexpr int64_t kFew = 48;
  if (n <= kFew) {
    insertion_sort(n, x);
    return finish(n, x, 0);
  }
  // Counts are 32 bits wide, and positions too: longer sequences than that are refused before.
  uint32_t counts[sizeof(K)][256] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (size_t byte = 0; byte < sizeof(K); ++byte) ++counts[byte][x[i] >> (8 * byte) & 0xff];
  }
  K *from = x, *to = other;
  for (size_t byte = 0; byte < sizeof(K); ++byte) {
    uint32_t* count = counts[byte];
    if (count[from[0] >> (8 * byte) & 0xff] == static_cast<uint64_t>(n)) continue;
    uint32_t start = 0;
    for (int digit = 0; digit < 256; ++digit) {
      const uint32_t here = count[digit];
      count[digit] = start;
      start += here;
    }
    for (int64_t i = 0; i < n; ++i) to[count[from[i] >> (8 * byte) & 0xff]++] = from[i];
    K* swapped = from;
    from = to;
    to = swapped;
  }
  finish(n, from, 0);
}

// Keys below the pivot go to `front` and up, the others to `back` and down.
template <class K>
void split_keys(int64_t n, const K* keys, K pivot, K*& front, K*& back) {
  for (int64_t i = 0; i < n; ++i) {
    const K key = keys[i];
    const bool below = key < pivot;
    *(below ? front : back - 1) = key;
    front += below ? 1 : 0;
    back -= below ? 0 : 1;
  }
}

}  // namespace
}  // namespace ist::cpu

#endif
