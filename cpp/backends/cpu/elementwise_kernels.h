// Kernels over dense tiles: elementwise ops and conversions.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// Elements [0, n) of an elementwise op over dense tiles. Tables are indexed by the dtype T of the kernel; where those
// of float16 and bfloat16 are null, such tiles are converted to float32 and back around the kernel.
using TileFn = void (*)(int64_t n, void* out, const void* const* in);

struct UnaryTable {
  TileFn fn[kElementwiseIds][kDTypes];
  TileFn streamed[kElementwiseIds][kDTypes];  // where there are such: past the caches, end_stream() is to follow
};

struct BinaryTable {
  TileFn fn[kElementwiseIds][kDTypes];
  TileFn streamed[kElementwiseIds][kDTypes];        // the same
  TileFn equal_divisors[kElementwiseIds][kDTypes];  // of the second operand; null where that is no use
  TileFn where[4];                                  // by log2 of the element size
};

// A step of several ops in one pass: value = op(value), op(value, operand) or op(operand, value). A chain holds numbers
// and, beside them, what the last test or op of bools has made; `where` chooses by the latter. Ids that no row of
// ops.def with a body has load or store either, or provide another operand of the next step: the first number of
// `where`, the bools that one of them is combined with, or the first factor of a product. A product that is added to
// the value, or subtracted one from the other, is rounded before; two steps would have to keep the value meanwhile.
struct ChainStep {
  enum : uint8_t {
    kLoad = 0,
    kStore = 1,
    kOther = 2,
    kAddProduct = 40,
    kSubtractProduct = 41,
    kStoreBools = 47,
    kLoadBools = 48,
    kOtherBools = 49
  };
  uint8_t op;
  uint8_t position;  // of the value among the operands of the op
  // The operand is one block for all of them: of the same elements, or of a value that is kept, in float32 if the tiles
  // hold bfloat16. Or nothing reads it.
  bool constant;
  bool equal;  // so are all elements of the block

  bool is_bool() const { return op >= kStoreBools && op <= kOtherBools; }  // the operand, in bytes
};
inline constexpr int kMaxChainSteps = 128;
inline constexpr int64_t kChainBlockBytes = 512;  // of the longest block, which is what a step reads at a time
// value = in[0], then the steps; the operand of step s is in[1 + s]. `out` may be an operand that is read.
// Where `of_bools`, steps may be tests, ops of bools and `where`, and the result is what `makes_bool` says.
using ChainFn = void (*)(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps,
                         bool makes_bool);

struct ChainTable {
  ChainFn fn[2][kDTypes];                // [of_bools], dtype of the values that are not bool
  bool takes[kDTypes][kElementwiseIds];  // by the op's last operand; what takes bools goes on with any chain
  int64_t block_bytes;
  bool keeps[kDTypes];  // may a chain keep values for later steps? It pays where there are registers enough
  // May chains that have become neighbours by merging be one if one is of bools and the other is not? The kernel for
  // numbers alone is faster, which counts more where registers are few.
  bool joins_bools;
};

struct CastTable {
  TileFn fn[kDTypes][kDTypes];  // [from][to]; null where a half type needs float32 between
};

}  // namespace ist::cpu
