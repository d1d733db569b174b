// What one ISA level offers: plain structs of function pointers, one for each *.isa.cpp file. Nothing here may define a
// function: the header is compiled with the flags of every level.
#pragma once

#include <cstdint>

#include "abi/backend.h"

// The one symbol that an ISA object exports: ist_cpu_<table>_<level>.
#define IST_ISA_PASTE_(table, level) ist_cpu_##table##_##level
#define IST_ISA_PASTE(table, level) IST_ISA_PASTE_(table, level)
#define IST_ISA_NAME(table) IST_ISA_PASTE(table, IST_ISA)

namespace ist::cpu {

inline constexpr int kDTypes = 14;
inline constexpr int kElementwiseIds = 100;  // ops.def keeps elementwise kernels below

// Elements [0, n) of an elementwise op over dense tiles. Tables are indexed by the dtype T of the kernel; those of
// float16 and bfloat16 are empty, because such tiles are converted to float32 and back around the kernel.
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

struct CopyTable {
  // dst[i] = *src for i in [0, n).
  void (*fill[4])(int64_t n, void* dst, const void* src);
  // dst[i * dst_stride] = src[i * src_stride]; strides in elements.
  void (*strided[4])(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride);
  // Elements [start, start + n) in row-major order of a strided tensor, to a dense tile. rank >= 1.
  void (*gather[4])(int64_t start, int64_t n, int rank, const int64_t* shape, const int64_t* strides, const void* src,
                    void* dst);
  // A rows x cols transposition through cache-sized squares: dst[r * dst_stride + c] = src[r + c * src_stride].
  void (*transpose[4])(int64_t rows, int64_t cols, void* dst, int64_t dst_stride, const void* src, int64_t src_stride);
};

// One reduction in one accumulator type.
struct Reducer {
  void (*block)(const void* x, int64_t n, void* result);  // n <= 4096 dense elements: 32 lanes, folded
  void (*combine)(int64_t n, void* acc, const void* x);   // acc[i] = acc[i] # x[i]
  void (*identity)(int64_t n, void* acc);
};
enum ReduceKind : int { kSum, kProd, kMax, kMin, kAll, kAny, kReduceKinds };

struct ArgReducer {
  // Updates *best and *index with dense elements that start at position `base` of the sequence; base 0 initialises.
  void (*step)(const void* x, int64_t n, int64_t base, void* best, uint32_t* index);
};

struct ReduceTable {
  Reducer fn[kReduceKinds][kDTypes];  // by accumulator dtype
  ArgReducer arg[2][kDTypes];         // argmax, argmin
};

// Row kernels, for float32 and float64 accumulators.
struct RowKernels {
  void (*exp_sub)(int64_t n, const void* x, const void* m, void* out);  // out[i] = exp(x[i] - m)
  void (*divide)(int64_t n, void* x, const void* s);                    // x[i] = x[i] / s
  void (*log_add)(const void* s, const void* m, void* out);             // log(s) + m
};
struct RowTable {
  RowKernels fn[2];
};

inline constexpr int kMatmulBlock = 384;  // the contract's k-block
inline constexpr int kMaxTileRows = 12;

// Matrix kernels of one type. Products of one k-block go to a tile of C, stored or added.
struct MatmulKernels {
  int rows, cols;  // of the register tile
  // a: element (i, k) at a[i * a_row + k * a_step]; b: row k at b + k * b_row, `cols` dense elements readable.
  // c: row i at c + i * c_row; only `n_cols` columns are written. rows in [1, rows].
  void (*tile)(int n_rows, int n_cols, int64_t depth, const void* a, int64_t a_row, int64_t a_step, const void* b,
               int64_t b_row, void* c, int64_t c_row, int add);
};
struct MatmulTable {
  MatmulKernels f32, f64, c64;
};

struct Kernels {
  const char* isa;
  const UnaryTable* unary;
  const BinaryTable* binary;
  const CastTable* cast;
  const CopyTable* copy;
  const ReduceTable* reduce;
  const RowTable* row;
  const MatmulTable* matmul;
};

}  // namespace ist::cpu
