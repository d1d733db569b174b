// Packing the operands of matrix products.
#pragma once

#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

template <int D>
using Compute = typename Storage<D>::compute;

// What a whole vector writes behind the end of a packed row, the next rows overwrite, so all of them together are the
// room that there is.
template <class V, class C>
inline void store_within(int64_t room, V v, C* at) {
  if (room >= V::kWidth) {
    v.store(at);
  } else {
    v.store(at, V::mask(static_cast<int>(room)));
  }
}

// Where rows of k lie one after another: as they are, converted.
template <int D, class V>
void pack_rows(int64_t depth, int64_t count, int64_t width, const Type<D>* src, int64_t k_stride, Compute<D>* dst) {
  constexpr int W = V::kWidth;
  const int64_t whole = count / W * W;
  const auto rest = V::mask(static_cast<int>(count - whole));
  for (int64_t t = 0; t < depth; ++t, src += k_stride, dst += width) {
    int64_t j = 0;
    for (; j < whole; j += W) V::load(src + j).store(dst + j);
    if constexpr (requires { V::load(src, rest); }) {
      if (j < count) {
        store_within((depth - t) * width - j, V::load(src + j, rest), dst + j);
        j += W;
      }
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
      for (int i = 0; i < W; ++i) {
        const int64_t row = t + i, room = j == 0 ? (depth - row) * width : width - j;
        store_within(room, square[i], out + row * width);
      }
    }
    for (; t < depth; ++t) {
      for (int i = 0; i < n_stored; ++i) out[t * width + i] = i < n ? Storage<D>::load(in[i * j_stride + t]) : 0;
    }
  }
}

// Strips of the largest tile with AVX2, which fill the vectors that are stored.
template <int D, class V>
void pack_six_columns(int64_t depth, const Type<D>* src, int64_t j_stride, Compute<D>* dst) {
  constexpr int W = V::kWidth, kCount = 6;
  int64_t t = 0;
  for (; t + W <= depth; t += W) {
    V columns[kCount];
#pragma GCC unroll 6
    for (int j = 0; j < kCount; ++j) columns[j] = V::load(src + j * j_stride + t);
    V::transpose_six(columns);
#pragma GCC unroll 6
    for (int i = 0; i < kCount; ++i, dst += W) columns[i].store(dst);
  }
  for (; t < depth; ++t) {
    for (int j = 0; j < kCount; ++j) *dst++ = Storage<D>::load(src[j * j_stride + t]);
  }
}

template <int D, class V>
void pack(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t j_stride, void* dst) {
  const Type<D>* in = static_cast<const Type<D>*>(src);
  Compute<D>* out = static_cast<Compute<D>*>(dst);
  if (j_stride == 1) return pack_rows<D, V>(depth, count, width, in, k_stride, out);
  if constexpr (requires(V(&six)[6]) { V::transpose_six(six); }) {
    if (k_stride == 1 && count == 6 && width == 6) return pack_six_columns<D, V>(depth, in, j_stride, out);
  }
  if (k_stride == 1) return pack_columns<D, V>(depth, count, width, in, j_stride, out);
  for (int64_t t = 0; t < depth; ++t) {
    for (int64_t j = 0; j < width; ++j) {
      out[t * width + j] = j < count ? Storage<D>::load(in[t * k_stride + j * j_stride]) : 0;
    }
  }
}

}  // namespace
}  // namespace ist::cpu
