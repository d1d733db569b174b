// Matrix micro-kernels: tiles of C in registers, vectors along the columns, one ascending chain of fma along k; and
// the packing of operands for them.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_bf16.h"
#include "backends/cpu/matmul_dot.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

#if defined(__AMX_BF16__)
#include "backends/cpu/matmul_bf16_amx.h"
#elif defined(__AVX512BF16__)
#include "backends/cpu/matmul_bf16_pairs.h"
#endif

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
  constexpr int kPackedRow = 2 * W, kLine = 64;
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

// Real and imaginary parts in vectors of their own.
template <int kRows>
void complex_tile_rows(int n_cols, int64_t depth, const float* a, int64_t a_step, const float* b, int64_t b_row,
                       complex64* c, int64_t c_row, TileMode mode) {
  using V = VecF32;
  constexpr int W = V::kWidth;
  V re[kRows], im[kRows];
  float re_lanes[W], im_lanes[W];
  for (int i = 0; i < kRows; ++i) {
    re[i] = im[i] = V::zero();
    if (mode != kTileContinue) continue;
    for (int j = 0; j < W; ++j) {
      re_lanes[j] = j < n_cols ? c[i * c_row + j].re : 0.0f;
      im_lanes[j] = j < n_cols ? c[i * c_row + j].im : 0.0f;
    }
    re[i] = V::load(re_lanes);
    im[i] = V::load(im_lanes);
  }
  for (int64_t k = 0; k < depth; ++k) {
    const V b_re = V::load(b), b_im = V::load(b + b_row);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const V a_re = V::broadcast(a[i]), a_im = V::broadcast(a[a_step + i]);
      re[i] = V::fnma(a_im, b_im, V::fma(a_re, b_re, re[i]));
      im[i] = V::fma(a_im, b_re, V::fma(a_re, b_im, im[i]));
    }
    a += 2 * a_step;
    b += 2 * b_row;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    re[i].store(re_lanes);
    im[i].store(im_lanes);
    complex64* at = c + i * c_row;
    for (int j = 0; j < n_cols; ++j) {
      at[j].re = mode == kTileAdd ? at[j].re + re_lanes[j] : re_lanes[j];
      at[j].im = mode == kTileAdd ? at[j].im + im_lanes[j] : im_lanes[j];
    }
  }
}

using ComplexTileFn = void (*)(int, int64_t, const float*, int64_t, const float*, int64_t, complex64*, int64_t,
                               TileMode);
struct ComplexTileFns {
  ComplexTileFn of_rows[kComplexTileRows + 1];
};

template <int kRows = kComplexTileRows>
constexpr ComplexTileFns complex_tile_fns(ComplexTileFns fns = {}) {
  fns.of_rows[kRows] = &complex_tile_rows<kRows>;
  if constexpr (kRows > 1) fns = complex_tile_fns<kRows - 1>(fns);
  return fns;
}

void complex_tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t, int64_t a_step, const void* b,
                  int64_t b_row, void* c, int64_t c_row, TileMode mode, const Ahead*) {
  static constexpr ComplexTileFns fns = complex_tile_fns();
  fns.of_rows[n_rows](n_cols, depth, static_cast<const float*>(a), a_step, static_cast<const float*>(b), b_row,
                      static_cast<complex64*>(c), c_row, mode);
}

template <int D>
using Compute = typename Storage<D>::compute;

// Where rows of k lie one after another: as they are, converted.
template <int D, class V>
void pack_rows(int64_t depth, int64_t count, int64_t width, const Type<D>* src, int64_t k_stride, Compute<D>* dst) {
  constexpr int W = V::kWidth;
  const int64_t whole = count / W * W;
  const auto rest = V::mask(static_cast<int>(count - whole));
  for (int64_t t = 0; t < depth; ++t, src += k_stride, dst += width) {
    int64_t j = 0;
    for (; j < whole; j += W) V::load(src + j).store(dst + j);
    if constexpr (sizeof(Type<D>) == sizeof(Compute<D>)) {
      if (j < count) V::load(src + j, rest).store(dst + j, rest);
      j = count;
    }
    for (; j < count; ++j) dst[j] = Storage<D>::load(src[j]);
    for (; j < width; ++j) dst[j] = 0;
  }
}

// Where k is dense: squares, transposed in registers. The columns are too many streams for the hardware's prefetcher.
template <int D, class V>
void pack_columns(int64_t depth, int64_t count, int64_t width, const Type<D>* src, int64_t j_stride, Compute<D>* dst) {
  constexpr int W = V::kWidth;
  constexpr int kAhead = 512 / sizeof(Type<D>);
  for (int64_t j = 0; j < width; j += W) {
    const int n = count - j < W ? static_cast<int>(count - j) : W;
    const int n_stored = width - j < W ? static_cast<int>(width - j) : W;
    const auto mask = V::mask(n_stored);
    const Type<D>* in = src + j * j_stride;
    Compute<D>* out = dst + j;
    int64_t t = 0;
    for (; t + W <= depth; t += W) {
      V square[W];
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) {
        square[i] = i < n ? V::load(in + i * j_stride + t) : V::zero();
        __builtin_prefetch(in + i * j_stride + t + kAhead);
      }
      V::transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) square[i].store(out + (t + i) * width, mask);
    }
    for (; t < depth; ++t) {
      for (int i = 0; i < n_stored; ++i) out[t * width + i] = i < n ? Storage<D>::load(in[i * j_stride + t]) : 0;
    }
  }
}

template <int D, class V>
void pack(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t j_stride, void* dst) {
  const Type<D>* in = static_cast<const Type<D>*>(src);
  Compute<D>* out = static_cast<Compute<D>*>(dst);
  if (j_stride == 1) return pack_rows<D, V>(depth, count, width, in, k_stride, out);
  if (k_stride == 1) return pack_columns<D, V>(depth, count, width, in, j_stride, out);
  for (int64_t t = 0; t < depth; ++t) {
    for (int64_t j = 0; j < width; ++j) {
      out[t * width + j] = j < count ? Storage<D>::load(in[t * k_stride + j * j_stride]) : 0;
    }
  }
}

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

void complex_pack(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t j_stride,
                  void* dst) {
  float* out = static_cast<float*>(dst);
  for (int64_t t = 0; t < depth; ++t, out += 2 * width) {
    const complex64* in = static_cast<const complex64*>(src) + t * k_stride;
    for (int64_t j = 0; j < count; ++j) {
      const complex64 value = in[j * j_stride];
      out[j] = value.re;
      out[width + j] = value.im;
    }
    for (int64_t j = count; j < width; ++j) out[j] = out[width + j] = 0;
  }
}

// Squares of the columns, transposed in registers. Memory delivers two lines at once, so that is how much of a column
// is read at a time.
template <int D, class V>
void row_product(int n_cols, int64_t k, const void* a, const void* b, int64_t j_stride, void* c) {
  using C = Compute<D>;
  constexpr int W = V::kWidth;
  constexpr int64_t kStretch = 128 / sizeof(Type<D>), kAhead = 4 * kStretch;
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
      for (int j = 0; j < n_cols; ++j) {
        __builtin_prefetch(columns + j * j_stride + t + kAhead);
        __builtin_prefetch(columns + j * j_stride + t + kAhead + kStretch / 2);
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

#if !defined(__AVX512BF16__)
constexpr MatmulKernels bfloat16_kernels =
    kernels(kTileRows, 2 * VecF32::kWidth, 4, false, &pack<IST_BFLOAT16, VecF32>, &float_group_tile_of,
            &round_rows<IST_BFLOAT16>, VecF32::kWidth, &group_row_product<VecF32>);
#endif

constexpr MatmulTable table = {
    {
        kernels(kTileRows, 2 * VecF32::kWidth, 4, false, &pack<IST_FLOAT16, VecF32>, &tile<float, VecF32>,
                &round_rows<IST_FLOAT16>, VecF32::kWidth, &row_product<IST_FLOAT16, VecF32>),
        bfloat16_kernels,
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
};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::MatmulTable* IST_ISA_NAME(matmul)() { return &ist::cpu::table; }
