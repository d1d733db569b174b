// Kernels over dense tiles: elementwise ops and conversions.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// Elements [0, n) of an elementwise op over dense tiles. Tables are indexed by the dtype T of the kernel; where those
// of float16 and bfloat16 are null, such tiles are converted to float32 and back around the kernel.
using TileFn = void (*)(int64_t n, void* out, const void* const* in);

struct UnaryTable {
  TileFn fn[kElementwiseIds][kDTypes];
};

struct BinaryTable {
  TileFn fn[kElementwiseIds][kDTypes];
  TileFn where[4];  // by log2 of the element size
};

struct CastTable {
  TileFn fn[kDTypes][kDTypes];  // [from][to]; null where a half type needs float32 between
};

}  // namespace ist::cpu
