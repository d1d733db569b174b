// Kernels of selection: the key that sorting puts at a place, found without sorting, and elements grouped by it.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

inline constexpr int64_t kMostSamples = 512;

// Of one type of elements. Keys have `key_size` bytes; a key or a pair of them is passed by address.
struct Selector {
  int64_t key_size;
  void (*to_keys)(int64_t n, const void* x, void* keys);
  // Of `samples` keys from all over n elements, those that sorting puts at the places `low` and `high`; before the
  // first and behind the last the least and the greatest key there can be.
  void (*bounds)(int64_t n, const void* x, int64_t samples, int64_t low, int64_t high, void* bounds);
  void (*bounds_of_keys)(int64_t n, const void* keys, int64_t samples, int64_t low, int64_t high, void* bounds);
  // Keys from bounds[0] to bounds[1], probably `few`, go to `inside`, which has room for n. Returns how many they are.
  int64_t (*filter)(int64_t n, const void* x, const void* bounds, bool few, void* inside, int64_t* below);
  int64_t (*filter_keys)(int64_t n, const void* keys, const void* bounds, bool few, void* inside, int64_t* below);
  // The key that sorting puts at a place; how many are below it and how many equal it. Uses up `keys` and `spare`.
  void (*nth)(int64_t n, void* keys, void* spare, int64_t place, void* key, int64_t* below, int64_t* equal);
  void (*count)(int64_t n, const void* x, const void* key, int64_t* below, int64_t* equal);
  // Elements below a key, equal to it and above it, of which there are `counts`, to three places, each in their order;
  // or their positions, `first` and up. What has no place is left out.
  void (*group)(int64_t n, const void* x, const void* key, const int64_t* counts, void* const* to);
  void (*group_positions)(int64_t n, int64_t first, const void* x, const void* key, const int64_t* counts,
                          uint32_t* const* to);
};

struct SelectTable {
  Selector of[kDTypes];
};

}  // namespace ist::cpu
