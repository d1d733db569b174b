// Kernels of cumulative ops.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// One cumulative op in one accumulator type. Strides count elements; `step` is 1, or -1 from the end.
struct Scanner {
  // Running results of `count` rows of n elements, each from its own first element. Rows lie `pitch` apart in both.
  void (*rows)(int64_t count, int64_t n, int64_t step, const void* x, void* out, int64_t pitch);
  // x[i] = offset # x[i] over n dense elements.
  void (*join)(int64_t n, const void* offset, void* x);
  // Running results of `width` columns down n rows, `pitch` apart in both; `acc` keeps the last ones. With an offset
  // for each column (or null), out = offset # running result.
  void (*columns)(int64_t n, int64_t width, int64_t pitch, const void* x, const void* offset, void* acc, void* out);
  void (*combine)(int64_t n, const void* left, void* right);  // right[i] = left[i] # right[i]
  void (*identity)(int64_t n, void* out);
};

enum ScanKind : int { kCumsum, kCumprod, kCummax, kCummin, kLogcumsumexp, kScanKinds };

struct ScanTable {
  Scanner fn[kScanKinds][kDTypes];  // by accumulator dtype
};

}  // namespace ist::cpu
