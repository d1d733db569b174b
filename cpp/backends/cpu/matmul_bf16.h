// Kernels of bfloat16 products. The contract cuts k into groups of 32, each with a chain of fma over its even k and one
// over its odd k, which is what AMX does in one instruction; other levels do the same with the instructions they have:
// here fma; in matmul_bf16_vectors.h and matmul_bf16_amx.h those for bfloat16.
#pragma once

#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

// The parts of a group's sum that are kept in the first-level cache while the other chain has the registers.
template <class V, int kRows>
struct GroupTile {
  V even[kRows][2], sum[kRows][2];
};

// `chain(parity, group, acc)` puts one chain of a group into acc. kPart: the second vector of columns is masked, or
// there is none.
template <class V, int kRows, bool kPart, class Chain>
void group_tile(int n_cols, int64_t n_groups, float* c, int64_t c_row, TileMode mode, const Chain& chain) {
  constexpr int W = V::kWidth;
  GroupTile<V, kRows> tile;
  const int left = n_cols < W ? n_cols : W, right = n_cols - left;
  const auto left_mask = V::mask(left), right_mask = V::mask(right);
  const auto load = [&](int i, int h) __attribute__((always_inline)) {
    if constexpr (!kPart) return V::load(c + i * c_row + h * W);
    if (h == 1 && right == 0) return V::zero();
    return V::load(c + i * c_row + h * W, h == 0 ? left_mask : right_mask);
  };
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) tile.sum[i][h] = mode == kTileContinue ? load(i, h) : V::zero();
  }
  for (int64_t group = 0; group < n_groups; ++group) {
    V acc[kRows][2];
    chain(0, group, acc);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      for (int h = 0; h < 2; ++h) tile.even[i][h] = acc[i][h];
    }
    chain(1, group, acc);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      for (int h = 0; h < 2; ++h) tile.sum[i][h] = V::add(tile.sum[i][h], V::add(tile.even[i][h], acc[i][h]));
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) {
      const V sum = mode == kTileAdd ? V::add(load(i, h), tile.sum[i][h]) : tile.sum[i][h];
      float* at = c + i * c_row + h * W;
      if constexpr (!kPart) {
        sum.store(at);
      } else if (h == 0) {
        sum.store(at, left_mask);
      } else if (right > 0) {
        sum.store(at, right_mask);
      }
    }
  }
}

// One k of operands packed as float32: the rows of A times two vectors of B.
template <class V, int kRows>
[[gnu::always_inline]] inline void add_products(const float* x, const float* y, V (&acc)[kRows][2]) {
  const V left = V::load(y), right = V::load(y + V::kWidth);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const V value = V::broadcast(x[i]);
    acc[i][0] = V::fma(value, left, acc[i][0]);
    acc[i][1] = V::fma(value, right, acc[i][1]);
  }
}

template <int kRows, bool kPart>
void float_group_tile(int n_cols, int64_t depth, const float* a, int64_t a_step, const float* b, int64_t b_row,
                      float* c, int64_t c_row, TileMode mode) {
  using V = VecF32;
  group_tile<V, kRows, kPart>(n_cols, (depth + kMatmulGroup - 1) / kMatmulGroup, c, c_row, mode,
                              [&](int parity, int64_t group, V(&acc)[kRows][2]) __attribute__((always_inline)) {
                                const int64_t first = group * kMatmulGroup;
                                const int64_t n = depth - first < kMatmulGroup ? depth - first : kMatmulGroup;
                                const float* x = a + (first + parity) * a_step;
                                const float* y = b + (first + parity) * b_row;
#pragma GCC unroll 16
                                for (int i = 0; i < kRows; ++i) acc[i][0] = acc[i][1] = V::zero();
                                for (int64_t k = parity; k < n; k += 2, x += 2 * a_step, y += 2 * b_row) {
                                  add_products(x, y, acc);
                                }
                              });
}

// Both chains of a group at once, for some rows of a strip, added to their sums.
template <int kRows>
[[gnu::always_inline]] inline void add_both_chains(int64_t n, const float* a, int64_t a_step, const float* b,
                                                   int64_t b_row, VecF32 (*sum)[2]) {
  using V = VecF32;
  V even[kRows][2], odd[kRows][2];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) even[i][0] = even[i][1] = odd[i][0] = odd[i][1] = V::zero();
  const auto pair = [&]() __attribute__((always_inline)) {
    add_products(a, b, even), add_products(a + a_step, b + b_row, odd);
    a += 2 * a_step, b += 2 * b_row;
  };
  int64_t k = 0;
  for (; k + 4 <= n; k += 4) pair(), pair();
  for (; k + 2 <= n; k += 2) pair();
  if (k < n) add_products(a, b, even);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) sum[i][h] = V::add(sum[i][h], V::add(even[i][h], odd[i][h]));
  }
}

// The same tile where stores cost more than a cycle of fma, as on Zen 3: half of a strip leaves room for both chains,
// of which none waits in memory for the other. Without kPart the steps are those of packed operands.
template <int kRows, bool kPart>
void both_chains_tile(int n_cols, int64_t depth, const float* a, int64_t a_step, const float* b, int64_t b_row,
                      float* c, int64_t c_row, TileMode mode) {
  using V = VecF32;
  constexpr int W = V::kWidth;
  constexpr int kUpper = kRows > kTileRows / 2 ? (kRows + 1) / 2 : kRows, kLower = kRows - kUpper;
  const decltype(V::mask(0)) masks[] = {V::mask(n_cols < W ? n_cols : W), V::mask(n_cols < W ? 0 : n_cols - W)};
  const auto load = [&](int i, int h) __attribute__((always_inline)) {
    const float* at = c + i * c_row + h * W;
    return kPart ? V::load(at, masks[h]) : V::load(at);
  };
  V sum[kRows][2];
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) sum[i][h] = mode == kTileContinue ? load(i, h) : V::zero();
  }
  const int64_t step = kPart ? a_step : kRows, row = kPart ? b_row : 2 * W;
  for (int64_t first = 0; first < depth; first += kMatmulGroup) {
    const int64_t n = depth - first < kMatmulGroup ? depth - first : kMatmulGroup;
    const float* x = a + first * step;
    const float* y = b + first * row;
    add_both_chains<kUpper>(n, x, step, y, row, sum);
    if constexpr (kLower > 0) add_both_chains<kLower>(n, x + kUpper, step, y, row, sum + kUpper);
  }
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) {
      if (kPart && h == 1 && n_cols <= W) continue;
      const V total = mode == kTileAdd ? V::add(load(i, h), sum[i][h]) : sum[i][h];
      if (kPart) {
        total.store(c + i * c_row + h * W, masks[h]);
      } else {
        total.store(c + i * c_row + h * W);
      }
    }
  }
}

using GroupTileFn = void (*)(int, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t, TileMode);
struct GroupTileFns {
  GroupTileFn of_rows[kTileRows + 1];
};

template <bool kPart, int kRows = kTileRows>
constexpr GroupTileFns group_tile_fns(GroupTileFns fns = {}) {
  if constexpr (kAvx2Alone) {
    fns.of_rows[kRows] = &both_chains_tile<kRows, kPart>;
  } else {
    fns.of_rows[kRows] = &float_group_tile<kRows, kPart>;
  }
  if constexpr (kRows > 1) fns = group_tile_fns<kPart, kRows - 1>(fns);
  return fns;
}

void float_group_tile_of(int n_rows, int n_cols, int64_t depth, const void* a, int64_t, int64_t a_step, const void* b,
                         int64_t b_row, void* c, int64_t c_row, TileMode mode, const Ahead*) {
  static constexpr GroupTileFns whole = group_tile_fns<false>();
  static constexpr GroupTileFns part = group_tile_fns<true>();
  constexpr int kWhole = 2 * VecF32::kWidth;
  const bool packed = !kAvx2Alone || (a_step == n_rows && b_row == kWhole);
  const GroupTileFns& fns = n_cols == kWhole && packed ? whole : part;
  fns.of_rows[n_rows](n_cols, depth, static_cast<const float*>(a), a_step, static_cast<const float*>(b), b_row,
                      static_cast<float*>(c), c_row, mode);
}

// The same chains for a row and dense columns: pairs of k of these, transposed in registers, so that a lane has a
// column. Short columns take two groups at once, whose chains do not wait for each other.
template <class V>
void group_row_product(int n_cols, int64_t k, const void* a, const void* b, int64_t j_stride, void* c) {
  constexpr int W = V::kWidth, kPairs = kMatmulGroup / 2;
  constexpr int64_t kAhead = 8 * kMatmulGroup, kShortColumn = 4096;
  using Words = typename Vector<uint32_t, sizeof(V)>::type;
  const float* x = static_cast<const float*>(a);
  const bfloat16* columns = static_cast<const bfloat16*>(b);
  V total = V::zero();
  for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
    const int64_t end = k - k0 < kMatmulBlock ? k : k0 + kMatmulBlock;
    V sum = V::zero();
    const auto add_groups = [&](int64_t t, int n_groups, int n, int words) __attribute__((always_inline)) {
      V even[] = {V::zero(), V::zero()}, odd[] = {V::zero(), V::zero()};
#pragma GCC unroll 16
      for (int p0 = 0; p0 < kPairs; p0 += W) {
        const int left = words - 2 * p0, loaded = left < 0 ? 0 : left < 2 * W ? left : 2 * W;
#pragma GCC unroll 2
        for (int g = 0; g < n_groups; ++g) {
          const int64_t at = t + g * kMatmulGroup;
          V square[W];
#pragma GCC unroll 16
          for (int j = 0; j < W; ++j) {
            square[j] = V::zero();
            if (j < n) {
              __builtin_memcpy(&square[j], columns + j * j_stride + at + 2 * p0, 2 * static_cast<size_t>(loaded));
            }
          }
          V::transpose(square);
#pragma GCC unroll 16
          for (int p = 0; p < W; ++p) {
            const Words pairs = bit_cast<Words>(square[p]);
            const int word = 2 * (p0 + p);
            if (word < words) even[g] = V::fma(V::broadcast(x[at + word]), bit_cast<V>(pairs << 16), even[g]);
            if (word + 1 < words) {
              odd[g] = V::fma(V::broadcast(x[at + word + 1]), bit_cast<V>(pairs & 0xffff0000u), odd[g]);
            }
          }
        }
      }
      for (int g = 0; g < n_groups; ++g) sum = V::add(sum, V::add(even[g], odd[g]));
    };
    int64_t t = k0;
    if (kAvx2Alone && n_cols == W && k <= kShortColumn) {
      for (; t + 2 * kMatmulGroup <= end; t += 2 * kMatmulGroup) add_groups(t, 2, W, kMatmulGroup);
    }
    for (; t + kMatmulGroup <= end; t += kMatmulGroup) {
      for (int j = 0; j < n_cols; ++j) __builtin_prefetch(columns + j * j_stride + t + kAhead);
      if (n_cols == W) {
        add_groups(t, 1, W, kMatmulGroup);
      } else {
        add_groups(t, 1, n_cols, kMatmulGroup);
      }
    }
    if (t < end) add_groups(t, 1, n_cols, static_cast<int>(end - t));
    total = k0 == 0 ? sum : V::add(total, sum);
  }
  total.store(static_cast<float*>(c), V::mask(n_cols));
}

template <int D>
void round_rows(int n_rows, int n_cols, const void* c, int64_t c_row, void* out, int64_t out_row) {
  const float* from = static_cast<const float*>(c);
  Type<D>* to = static_cast<Type<D>*>(out);
  for (int i = 0; i < n_rows; ++i, from += c_row, to += out_row) {
    int j = 0;
#if defined(IST_STORES_HALVES)
    for (; j + VecF32::kWidth <= n_cols; j += VecF32::kWidth) VecF32::load(from + j).store(to + j);
    if (j > 0 && j < n_cols) {  // some of them once more
      j = n_cols;
      VecF32::load(from + j - VecF32::kWidth).store(to + j - VecF32::kWidth);
    }
#endif
    for (; j < n_cols; ++j) to[j] = Storage<D>::store(from[j]);
  }
}

}  // namespace
}  // namespace ist::cpu
