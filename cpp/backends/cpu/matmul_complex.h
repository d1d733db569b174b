// Tiles of complex products, and the packing of operands for them.
#pragma once

#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

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

}  // namespace
}  // namespace ist::cpu
