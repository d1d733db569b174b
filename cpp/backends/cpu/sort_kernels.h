// Kernels of sorting. Elements become unsigned keys in whose order they sort, so that few types are left.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

inline constexpr int64_t kSortSamples = 64;        // of which the median is a pivot
inline constexpr int64_t kSortSplits = 16 * 1024;  // elements that are worth such a pivot

// Of one type of elements: they become keys of `key_size` bytes, and keys in order become results of `out_size`.
struct Sorter {
  int64_t key_size, out_size;
  // Results of n elements. `keys` and `spare` are memory for n keys; where sizes are equal, `out` may be `keys`.
  void (*sort)(int64_t n, const void* x, void* keys, void* spare, void* out);

  // The same in parts, n >= kSortSamples. The key of an element near the middle:
  void (*pivot)(int64_t n, const void* x, void* key);
  // The keys of n elements, at positions from `first` on: those below the pivot to *front and up, others to *back and
  // down. There has to be room for all of them between the two.
  void (*split)(int64_t n, int64_t first, const void* x, const void* pivot, void** front, void** back);
  void (*pivot_of_keys)(int64_t n, const void* keys, void* key);
  void (*split_keys)(int64_t n, const void* keys, const void* pivot, void** front, void** back);
  void (*sort_keys)(int64_t n, void* keys, void* spare, void* out);  // `out` may be either of the others, too
};

struct SortTable {
  Sorter sort[kDTypes];     // not of complex64, whose equal elements differ in bits
  Sorter argsort[kDTypes];  // of elements of up to 4 bytes, to indices
  // The stable order of elements of 8 bytes. `keys` is memory for n, `other` for n indices.
  void (*order[kDTypes])(int64_t n, const void* x, uint32_t* index, uint64_t* keys, uint32_t* other);
};

}  // namespace ist::cpu
