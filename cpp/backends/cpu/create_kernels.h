// Kernels of tensors made from attributes or a key.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

struct CreateTable {
  // out[i] = start + i * step for i in [begin, end): integers by log2 of their size, floating point by dtype.
  void (*integers[4])(int64_t begin, int64_t end, uint64_t start, uint64_t step, void* out);
  void (*floats[kDTypes])(int64_t begin, int64_t end, double start, double step, void* out);
  // n blocks of Threefry-2x32: counters (x + i, y + i) become the words first[i] and second[i].
  void (*threefry)(int64_t n, const uint32_t key[2], uint32_t x, uint32_t y, void* first, void* second);
};

}  // namespace ist::cpu
