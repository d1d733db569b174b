// Tiles of C in registers, vectors along the columns, one ascending chain of fma along k.
#pragma once

#include "backends/cpu/cache_size.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

// One tile of kRows rows and kVecs vectors of columns, the last of which is masked when kPart. kPacked: the rows of A
// are neighbours.
template <class T, class V, bool kPacked, int kVecs, bool kPart, int kRows>
void tile_rows(int n_cols, int64_t depth, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t b_row, T* c,
               int64_t c_row, TileMode mode, const Ahead* ahead) {
  constexpr int W = V::kWidth;
  const auto mask = V::mask(kPart ? n_cols - (kVecs - 1) * W : W);
  const auto load = [&](const T* p, int h) __attribute__((always_inline)) {
    return kPart && h == kVecs - 1 ? V::load(p + h * W, mask) : V::load(p + h * W);
  };
  V acc[kRows][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < kVecs; ++h) acc[i][h] = mode == kTileContinue ? load(c + i * c_row, h) : V::zero();
  }
  const auto step = [&](const T* x, const T* y) __attribute__((always_inline)) {
    V row[kVecs];
    for (int h = 0; h < kVecs; ++h) row[h] = load(y, h);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const V value = V::broadcast(x[kPacked ? i : i * a_row]);
      for (int h = 0; h < kVecs; ++h) acc[i][h] = V::fma(value, row[h], acc[i][h]);
    }
  };
  int64_t k = 0;
  // Addresses of operands that the drivers have packed are constants: the integer units stay out of the way.
  constexpr int kPackedRow = 2 * W;
  if (kPacked && 2 * kRows > kTileRows && a_step == kRows && b_row == kPackedRow) {
    const auto four_steps = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (int t = 0; t < 4; ++t) step(a + t * kRows, b + t * kPackedRow);
      k += 4, a += 4 * kRows, b += 4 * kPackedRow;
    };
    // What comes from beyond the cache is asked for a line at a time: all at once, it would keep B waiting.
    for (int i = 0; mode == kTileAdd && i < kRows && k + 4 <= depth; ++i) {
      for (int h = 0; h < kVecs; ++h) __builtin_prefetch(c + i * c_row + h * W, 1);
      four_steps();
    }
    if (ahead != nullptr) {
      const int64_t each_time = 1 + int64_t{4} * ahead->rows * ahead->lines / depth;
      const char* row = ahead->data;
      for (int i = 0, line = 0; i < ahead->rows && k + 4 <= depth;) {
        for (int64_t n = 0; n < each_time && i < ahead->rows; ++n) {
          __builtin_prefetch(row + line * kLine, 0, 2);
          if (++line == ahead->lines) line = 0, ++i, row += ahead->stride;
        }
        four_steps();
      }
    }
    while (k + 4 <= depth) four_steps();
  }
  for (; k < depth; ++k, a += a_step, b += b_row) step(a, b);
  // GCC would find the rows of C before the loop, and keep their addresses in vector registers meanwhile.
  asm("" : "+r"(c), "+r"(c_row));
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < kVecs; ++h) {
      T* at = c + i * c_row + h * W;
      const V sum = mode == kTileAdd ? V::add(load(c + i * c_row, h), acc[i][h]) : acc[i][h];
      if (kPart && h == kVecs - 1) {
        sum.store(at, mask);
      } else {
        sum.store(at);
      }
    }
  }
}

template <class T>
using TileFn = void (*)(int, int64_t, const T*, int64_t, int64_t, const T*, int64_t, T*, int64_t, TileMode,
                        const Ahead*);

template <class T>
struct TileFns {
  TileFn<T> of_rows[kTileRows + 1];
};

template <class T, class V, bool kPacked, int kVecs, bool kPart, int kRows = kTileRows>
constexpr TileFns<T> tile_fns(TileFns<T> fns = {}) {
  fns.of_rows[kRows] = &tile_rows<T, V, kPacked, kVecs, kPart, kRows>;
  if constexpr (kRows > 1) fns = tile_fns<T, V, kPacked, kVecs, kPart, kRows - 1>(fns);
  return fns;
}

template <class T, class V, bool kPacked>
void tile_of(int n_rows, int n_cols, int64_t depth, const void* a, int64_t a_row, int64_t a_step, const void* b,
             int64_t b_row, void* c, int64_t c_row, TileMode mode, const Ahead* ahead) {
  constexpr int W = V::kWidth;
  static constexpr TileFns<T> whole = tile_fns<T, V, kPacked, 2, false>();
  static constexpr TileFns<T> part = tile_fns<T, V, kPacked, 2, true>();
  static constexpr TileFns<T> narrow = tile_fns<T, V, kPacked, 1, true>();
  const TileFns<T>& fns = n_cols == 2 * W ? whole : n_cols > W ? part : narrow;
  fns.of_rows[n_rows](n_cols, depth, static_cast<const T*>(a), a_row, a_step, static_cast<const T*>(b), b_row,
                      static_cast<T*>(c), c_row, mode, ahead);
}

template <class T, class V>
void tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t a_row, int64_t a_step, const void* b,
          int64_t b_row, void* c, int64_t c_row, TileMode mode, const Ahead* ahead) {
  if (a_row == 1) {
    tile_of<T, V, true>(n_rows, n_cols, depth, a, a_row, a_step, b, b_row, c, c_row, mode, ahead);
  } else {
    tile_of<T, V, false>(n_rows, n_cols, depth, a, a_row, a_step, b, b_row, c, c_row, mode, ahead);
  }
}

}  // namespace
}  // namespace ist::cpu
