// Matrix micro-kernels: tiles of C in registers, vectors along the columns, one ascending chain of fma along k.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

static_assert(kTileRows <= kMaxTileRows);

template <class T, class V, int kRows>
void tile_rows(int n_cols, int64_t depth, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t b_row, T* c,
               int64_t c_row, int add) {
  constexpr int W = V::kWidth;
  V acc[kRows][2];
  for (int i = 0; i < kRows; ++i) acc[i][0] = acc[i][1] = V::zero();
  for (int64_t k = 0; k < depth; ++k) {
    const V b0 = V::load(b);
    const V b1 = V::load(b + W);
    for (int i = 0; i < kRows; ++i) {
      const V x = V::broadcast(a[i * a_row]);
      acc[i][0] = V::fma(x, b0, acc[i][0]);
      acc[i][1] = V::fma(x, b1, acc[i][1]);
    }
    a += a_step;
    b += b_row;
  }
  if (n_cols == 2 * W) {
    for (int i = 0; i < kRows; ++i) {
      for (int h = 0; h < 2; ++h) {
        T* at = c + i * c_row + h * W;
        (add ? V::add(V::load(at), acc[i][h]) : acc[i][h]).store(at);
      }
    }
    return;
  }
  for (int i = 0; i < kRows; ++i) {
    T row[2 * W];
    acc[i][0].store(row);
    acc[i][1].store(row + W);
    T* at = c + i * c_row;
    for (int j = 0; j < n_cols; ++j) at[j] = add ? at[j] + row[j] : row[j];
  }
}

template <class T, class V>
void tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t a_row, int64_t a_step, const void* b,
          int64_t b_row, void* c, int64_t c_row, int add) {
  const T* pa = static_cast<const T*>(a);
  const T* pb = static_cast<const T*>(b);
  T* pc = static_cast<T*>(c);
#define IST_CASE(rows)                                                                    \
  case rows:                                                                              \
    if constexpr (rows <= kTileRows) {                                                    \
      tile_rows<T, V, rows>(n_cols, depth, pa, a_row, a_step, pb, b_row, pc, c_row, add); \
    }                                                                                     \
    break;
  switch (n_rows) {
    IST_CASE(1)
    IST_CASE(2)
    IST_CASE(3)
    IST_CASE(4)
    IST_CASE(5)
    IST_CASE(6)
    IST_CASE(7)
    IST_CASE(8)
    IST_CASE(9)
    IST_CASE(10)
    IST_CASE(11)
    IST_CASE(12)
  }
#undef IST_CASE
}

constexpr int kComplexCols = 8;

void complex_tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t a_row, int64_t a_step, const void* b,
                  int64_t b_row, void* c, int64_t c_row, int add) {
  for (int i = 0; i < n_rows; ++i) {
    const complex64* x = static_cast<const complex64*>(a) + i * a_row;
    const complex64* y = static_cast<const complex64*>(b);
    float re[kComplexCols] = {}, im[kComplexCols] = {};
    for (int64_t k = 0; k < depth; ++k, x += a_step, y += b_row) {
      for (int j = 0; j < kComplexCols; ++j) {
        re[j] = __builtin_fmaf(-x->im, y[j].im, __builtin_fmaf(x->re, y[j].re, re[j]));
        im[j] = __builtin_fmaf(x->im, y[j].re, __builtin_fmaf(x->re, y[j].im, im[j]));
      }
    }
    complex64* at = static_cast<complex64*>(c) + i * c_row;
    for (int j = 0; j < n_cols; ++j) {
      at[j].re = add ? at[j].re + re[j] : re[j];
      at[j].im = add ? at[j].im + im[j] : im[j];
    }
  }
}

constexpr MatmulTable table = {
    {kTileRows, 2 * VecF32::kWidth, &tile<float, VecF32>},
    {kTileRows, 2 * VecF64::kWidth, &tile<double, VecF64>},
    {4, kComplexCols, &complex_tile},
};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::MatmulTable* IST_ISA_NAME(matmul)() { return &ist::cpu::table; }
