// Kernels of sorting. Elements become unsigned keys in whose order they sort, so that few types are left.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

inline constexpr int64_t kSortSamples = 64;        // of which the median is a pivot
inline constexpr int64_t kSortSplits = 16 * 1024;  // elements that are worth such a pivot

// How argsort makes keys of a sequence: an element's own key, less the least of them, above the element's position. Low
// bits that there is no room for are dropped.
struct KeyForm {
  uint64_t least;
  int dropped, position_bits;
};

// Of one type of elements: they become keys of `key_size` bytes, and keys in order become results of `out_size`.
struct Sorter {
  int64_t key_size, out_size;
  // Results of n elements. `keys` and `spare` are memory for n keys; where sizes are equal, `out` may be `keys`.
  void (*sort)(int64_t n, const void* x, const KeyForm& form, void* keys, void* spare, void* out);

  // The same in parts, n >= kSortSamples. The key of an element near the middle:
  void (*pivot)(int64_t n, const void* x, const KeyForm& form, void* key);
  // The keys of n elements, at positions from `first` on: those below the pivot to *front and up, others to *back and
  // down. There has to be room for all of them between the two.
  void (*split)(int64_t n, int64_t first, const void* x, const KeyForm& form, const void* pivot, void** front,
                void** back);
  void (*pivot_of_keys)(int64_t n, const void* keys, void* key);
  void (*split_keys)(int64_t n, const void* keys, const void* pivot, void** front, void** back);
  // `out` may be either of the others, too.
  void (*sort_keys)(int64_t n, const KeyForm& form, void* keys, void* spare, void* out);
};

// To the indices of elements. Keys of 4 bytes, where those have room for all bits; and of 8, where those have, or have
// not: then the results are keys in order, for `resolve`.
struct IndexSorters {
  Sorter narrow, wide, dropping;
  // The least and the greatest own key of n >= 1 elements.
  void (*range)(int64_t n, const void* x, uint64_t* least, uint64_t* greatest);
  // Keys that share all that was not dropped are ordered by the rest.
  void (*resolve)(int64_t n, const void* x, const KeyForm& form, uint64_t* keys, uint64_t* spare, uint32_t* out);
};

struct SortTable {
  Sorter sort[kDTypes];  // not of complex64, whose equal elements differ in bits
  IndexSorters argsort[kDTypes];
};

}  // namespace ist::cpu
