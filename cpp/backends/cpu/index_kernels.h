// Kernels that address elements by index operands.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// Indices of one integer dtype: starts of slices along an axis, negative ones from its end.
struct Indices {
  // Is every start in [0, last]?
  bool (*within)(int64_t n, const void* index, int64_t extent, int64_t last);
  // offsets[i] = (or, if not `first`, +=) stride * start i.
  void (*offsets)(int64_t n, const void* index, int64_t extent, int64_t stride, bool first, int64_t* offsets);
};

struct IndexTable {
  Indices fn[kDTypes];  // null for dtypes that are not integers
  // dst[i] = src[offsets[i] + i * step].
  void (*pick[4])(int64_t n, void* dst, const void* src, const int64_t* offsets, int64_t step);
  // The same without a step, and asks for so many lines from `next` on meanwhile.
  void (*pick_ahead[4])(int64_t n, void* dst, const void* src, const int64_t* offsets, const char* next, int64_t lines);
  // dst[i * dst_step + k] = src[offsets[i] + k * step] for k in [0, m).
  void (*pick_strided[4])(int64_t n, int64_t m, void* dst, int64_t dst_step, const void* src, const int64_t* offsets,
                          int64_t step);
  // dst[i * m + k] = src[offsets[i] + k] for k in [0, m).
  void (*pick_rows[4])(int64_t n, int64_t m, void* dst, const void* src, const int64_t* offsets);
};

}  // namespace ist::cpu
