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
  TileFn equal_divisors[kElementwiseIds][kDTypes];  // of the second operand; null where that is no use
  TileFn where[4];                                  // by log2 of the element size
};

// A step of several ops in one pass: value = op(value), op(value, operand) or, swapped, op(operand, value).
struct ChainStep {
  uint8_t op;
  bool swapped;
  bool constant;  // the operand is kChainBlockBytes of the same element
};
inline constexpr int64_t kChainBlockBytes = 512;  // what a step reads at a time, at most
// value = in[0], then the steps; the operand of step s is in[1 + s]. `out` may be one of them.
using ChainFn = void (*)(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps);

struct ChainTable {
  ChainFn fn[kDTypes];
  bool takes[kDTypes][kElementwiseIds];
};

struct CastTable {
  TileFn fn[kDTypes][kDTypes];  // [from][to]; null where a half type needs float32 between
};

}  // namespace ist::cpu
