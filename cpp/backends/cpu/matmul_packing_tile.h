// Tiles that pack the panels that they read.
#pragma once

#include "backends/cpu/matmul_pack.h"
#include "backends/cpu/matmul_tile.h"

namespace ist::cpu {
namespace {

// The rows of a panel in memory, a step apart; after them come those of the next.
template <class T>
struct StridedRows {
  static constexpr int kAhead = 32;
  const T* row;
  int64_t step;
  int64_t depth;
  const T* ahead;

  StridedRows(const T* b, int64_t b_row, int64_t depth)
      : row(b), step(b_row), depth(depth), ahead(b + kAhead * b_row) {}
  inline const T* next() {
    const T* here = row;
    row += step;
    return here;
  }
  // The row that is read kAhead rows after row t.
  inline const T* soon(int64_t t, int width) {
    if (t + kAhead == depth) ahead += width - depth * step;
    const T* there = ahead;
    ahead += step;
    return there;
  }
};

// The same anywhere.
template <class T>
struct AnyRows {
  static constexpr int kAhead = 32;
  const T* const* rows;
  int64_t depth;

  inline const T* next() { return *rows++; }
  inline const T* soon(int64_t t, int width) { return t + kAhead < depth ? rows[kAhead] : rows[0] + width; }
};

// A tile of a packed strip and a panel that lies in memory, which is packed meanwhile: its stores are free beside the
// fma, and its rows, which no prefetcher follows, are asked for in time.
template <class T, class V, bool kPart, int kRows, class Rows>
inline void packing_tile_rows(int n_cols, int64_t depth, const T* a, Rows b, T* panel, T* c, int64_t c_row,
                              TileMode mode, const Ahead* ahead) {
  constexpr int W = V::kWidth, kLine = 64 / sizeof(T);
  const auto mask = V::mask(kPart ? n_cols - W : W);
  const auto load = [&](const T* p, int h) __attribute__((always_inline)) {
    return kPart && h == 1 ? V::load(p + W, mask) : V::load(p + h * W);
  };
  V acc[kRows][2];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) acc[i][0] = acc[i][1] = V::zero();
  for (int64_t t = 0; t < depth; ++t, a += kRows, panel += 2 * W) {
    const T* soon = b.soon(t, 2 * W);
    __builtin_prefetch(soon, 0, 2);
    __builtin_prefetch(soon + 2 * W - 1, 0, 2);
    if (2 * W > kLine) __builtin_prefetch(soon + kLine, 0, 2);
    if (ahead != nullptr && t % kLine == 0 && t < ahead->lines * kLine) {
      __builtin_prefetch(ahead->data + t * static_cast<int64_t>(sizeof(T)), 0, 2);
    }
    const T* from = b.next();
    V row[2];
    for (int h = 0; h < 2; ++h) {
      row[h] = load(from, h);
      row[h].store(panel + h * W);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const V value = V::broadcast(a[i]);
      for (int h = 0; h < 2; ++h) acc[i][h] = V::fma(value, row[h], acc[i][h]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int h = 0; h < 2; ++h) {
      const V sum = mode == kTileAdd ? V::add(load(c + i * c_row, h), acc[i][h]) : acc[i][h];
      if (kPart && h == 1) {
        sum.store(c + i * c_row + W, mask);
      } else {
        sum.store(c + i * c_row + h * W);
      }
    }
  }
}

// The same as functions.
template <class T, class V, bool kPart, int kRows>
void strided_tile(int n_cols, int64_t depth, const T* a, const T* b, int64_t b_row, T* panel, T* c, int64_t c_row,
                  TileMode mode, const Ahead* ahead) {
  packing_tile_rows<T, V, kPart, kRows>(n_cols, depth, a, StridedRows<T>(b, b_row, depth), panel, c, c_row, mode,
                                        ahead);
}

template <class T, class V, int kRows>
void any_rows_tile(int64_t depth, const T* a, const T* const* rows, T* panel, T* c, int64_t c_row, TileMode mode) {
  packing_tile_rows<T, V, false, kRows>(2 * V::kWidth, depth, a, AnyRows<T>{rows, depth}, panel, c, c_row, mode,
                                        nullptr);
}

template <class T>
using PackingTileFn = void (*)(int, int64_t, const T*, const T*, int64_t, T*, T*, int64_t, TileMode, const Ahead*);

template <class T>
struct PackingTileFns {
  PackingTileFn<T> of_rows[kTileRows + 1];
};

template <class T, class V, bool kPart, int kRows = kTileRows>
constexpr PackingTileFns<T> packing_tile_fns(PackingTileFns<T> fns = {}) {
  fns.of_rows[kRows] = &strided_tile<T, V, kPart, kRows>;
  if constexpr (2 * kRows > kTileRows + 2) fns = packing_tile_fns<T, V, kPart, kRows - 1>(fns);
  return fns;
}

template <class T>
struct AnyRowsTileFns {
  void (*of_rows[kTileRows + 1])(int64_t, const T*, const T* const*, T*, T*, int64_t, TileMode);
};

template <class T, class V, int kRows = kTileRows>
constexpr AnyRowsTileFns<T> any_rows_tile_fns(AnyRowsTileFns<T> fns = {}) {
  fns.of_rows[kRows] = &any_rows_tile<T, V, kRows>;
  if constexpr (2 * kRows > kTileRows + 2) fns = any_rows_tile_fns<T, V, kRows - 1>(fns);
  return fns;
}

template <int D, class V>
void packing_rows_tile(int n_rows, int64_t depth, const void* a, const void* const* rows, void* panel, void* c,
                       int64_t c_row, TileMode mode) {
  using T = Type<D>;
  static constexpr AnyRowsTileFns<T> fns = any_rows_tile_fns<T, V>();
  fns.of_rows[n_rows](depth, static_cast<const T*>(a), reinterpret_cast<const T* const*>(rows), static_cast<T*>(panel),
                      static_cast<T*>(c), c_row, mode);
}

template <int D, class V>
void packing_tile(int n_rows, int n_cols, int64_t depth, const void* a, const void* b, int64_t b_row, void* panel,
                  void* c, int64_t c_row, TileMode mode, const Ahead* ahead) {
  using T = Type<D>;
  constexpr int W = V::kWidth;
  if (n_cols <= W) {
    pack<D, V>(depth, n_cols, 2 * W, b, b_row, 1, panel);
    return tile<T, V>(n_rows, n_cols, depth, a, 1, n_rows, panel, 2 * W, c, c_row, mode, ahead);
  }
  static constexpr PackingTileFns<T> whole = packing_tile_fns<T, V, false>();
  static constexpr PackingTileFns<T> part = packing_tile_fns<T, V, true>();
  const PackingTileFns<T>& fns = n_cols == 2 * W ? whole : part;
  fns.of_rows[n_rows](n_cols, depth, static_cast<const T*>(a), static_cast<const T*>(b), b_row, static_cast<T*>(panel),
                      static_cast<T*>(c), c_row, mode, ahead);
}

}  // namespace
}  // namespace ist::cpu
