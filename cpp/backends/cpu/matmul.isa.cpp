// Matrix micro-kernels, of which each family has a header, and their table.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_bf16.h"
#include "backends/cpu/matmul_complex.h"
#include "backends/cpu/matmul_dot.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/matmul_packing_tile.h"
#include "backends/cpu/matmul_streamed_row.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

// Squares of the columns, transposed in registers. Memory delivers two lines at once, so that is how much of a column
// is read at a time; with AVX2 one, for columns often meet in the same sets of a cache, of eight lines each on Zen 3.
template <int D, class V>
void row_product(int n_cols, int64_t k, const void* a, const void* b, int64_t j_stride, void* c) {
  using C = Compute<D>;
  constexpr int W = V::kWidth;
  constexpr int64_t kInLine = kLine / sizeof(Type<D>), kStretch = kAvx2Alone ? kInLine : 2 * kInLine;
  const C* x = static_cast<const C*>(a);
  const Type<D>* columns = static_cast<const Type<D>*>(b);
  V total = V::zero();
  for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
    const int64_t end = k - k0 < kMatmulBlock ? k : k0 + kMatmulBlock;
    V sum = V::zero();
    const auto add_square = [&](int64_t t, int n) __attribute__((always_inline)) {
      V square[W];
#pragma GCC unroll 16
      for (int j = 0; j < W; ++j) square[j] = j < n ? V::load(columns + j * j_stride + t) : V::zero();
      V::transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) sum = V::fma(V::broadcast(x[t + i]), square[i], sum);
    };
    int64_t t = k0;
    for (; t + kStretch <= end; t += kStretch) {
      // Sixteen columns a power of two apart meet in the first-level cache, and would drive out what was asked for.
      if constexpr (sizeof(V) < 64) {
        constexpr int64_t kAhead = 4 * kStretch;
        for (int j = 0; j < n_cols; ++j) {
          for (int64_t s = 0; s < kStretch; s += kInLine) __builtin_prefetch(columns + j * j_stride + t + kAhead + s);
        }
      }
      for (int64_t s = t; s < t + kStretch; s += W) {
        if (n_cols == W) {
          add_square(s, W);
        } else {
          add_square(s, n_cols);
        }
      }
    }
    for (; t < end; ++t) {
      C row[W] = {};
      for (int j = 0; j < n_cols; ++j) row[j] = Storage<D>::load(columns[j * j_stride + t]);
      sum = V::fma(V::broadcast(x[t]), V::load(row), sum);
    }
    total = k0 == 0 ? sum : V::add(total, sum);
  }
  total.store(static_cast<C*>(c), V::mask(n_cols));
}

using PackFn = decltype(MatmulKernels::pack);
using AnyTileFn = decltype(MatmulKernels::tile);

constexpr MatmulKernels kernels(int rows, int cols, int size, bool in_place, PackFn pack, AnyTileFn tile,
                                decltype(MatmulKernels::round) round, int row_cols, decltype(MatmulKernels::row) row,
                                decltype(MatmulKernels::packing_tile) packing_tile = nullptr,
                                decltype(MatmulKernels::packing_rows_tile) packing_rows_tile = nullptr) {
  return {rows, cols, size, in_place, pack,    tile,    round,        row_cols,         row, pack, size,
          1,    0,    1,    nullptr,  nullptr, nullptr, packing_tile, packing_rows_tile};
}

constexpr MatmulTable table = {
    {
        kernels(kTileRows, 2 * VecF32::kWidth, 4, false, &pack<IST_FLOAT16, VecF32>, &tile<float, VecF32>,
                &round_rows<IST_FLOAT16>, VecF32::kWidth, &row_product<IST_FLOAT16, VecF32>),
        kernels(kTileRows, 2 * VecF32::kWidth, 4, false, &pack<IST_BFLOAT16, VecF32>, &float_group_tile_of,
                &round_rows<IST_BFLOAT16>, VecF32::kWidth, &group_row_product<VecF32>),
        kernels(kTileRows, 2 * VecF32::kWidth, 4, true, &pack<IST_FLOAT32, VecF32>, &tile<float, VecF32>, nullptr,
                VecF32::kWidth, &row_product<IST_FLOAT32, VecF32>, &packing_tile<IST_FLOAT32, VecF32>,
                &packing_rows_tile<IST_FLOAT32, VecF32>),
        kernels(kTileRows, 2 * VecF64::kWidth, 8, true, &pack<IST_FLOAT64, VecF64>, &tile<double, VecF64>, nullptr,
                VecF64::kWidth, &row_product<IST_FLOAT64, VecF64>, &packing_tile<IST_FLOAT64, VecF64>,
                &packing_rows_tile<IST_FLOAT64, VecF64>),
        kernels(kComplexTileRows, VecF32::kWidth, 8, false, &complex_pack, &complex_tile, nullptr, 0, nullptr),
    },
    {&pack<IST_FLOAT16, VecF32>, &pack<IST_BFLOAT16, VecF32>, &pack<IST_FLOAT32, VecF32>, &pack<IST_FLOAT64, VecF64>,
     &complex_pack},
    {&block_sums<float, float16, VecF32>, nullptr, &block_sums<float, float, VecF32>,
     &block_sums<double, double, VecF64>, nullptr},
    {streamed_row_of<IST_FLOAT16, VecF32>(), streamed_row_of<IST_BFLOAT16, VecF32>(),
     streamed_row_of<IST_FLOAT32, VecF32>(), streamed_row_of<IST_FLOAT64, VecF64>(), nullptr},
};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::MatmulTable* IST_ISA_NAME(matmul)() { return &ist::cpu::table; }
