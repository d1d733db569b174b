// Kernels of sorting. Elements become unsigned keys in whose order they sort, so that few types are left.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

struct KeySort {  // of keys of one width
  // Sorts x[0, n); `other` is memory of the same size.
  void (*sort)(int64_t n, void* x, void* other);
  // Moves the keys below one of them to the front of `other` and the rest behind; returns how many are in front.
  int64_t (*split)(int64_t n, const void* x, void* other);
};

struct SortTable {
  KeySort narrow, wide;  // 32 and 64 bits
  // Elements to keys and back, those of 8 bytes to wide keys. complex64 has none: its equal elements differ in bits.
  void (*to_keys[kDTypes])(int64_t n, const void* x, void* keys);
  void (*from_keys[kDTypes])(int64_t n, const void* keys, void* x);
  // Elements of up to 4 bytes to wide keys, with their positions (from `first` on) in the lower half; and these halves.
  void (*to_indexed_keys[kDTypes])(int64_t n, int64_t first, const void* x, uint64_t* keys);
  void (*indices)(int64_t n, const uint64_t* keys, uint32_t* out);
  // The stable order of elements of 8 bytes. `keys` is memory for n, `other` for n indices.
  void (*order[kDTypes])(int64_t n, const void* x, uint32_t* index, uint64_t* keys, uint32_t* other);
};

}  // namespace ist::cpu
