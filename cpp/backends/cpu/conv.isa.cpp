// Depthwise convolution: vectors along the channels, one ascending chain of fma along the taps.
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

constexpr int kPixels = 6;  // that share a load of weights; their chains hide each other's latency

// n_channels of a vector for kCount pixels.
template <class T, class V, bool kPart, int kCount>
inline void some_pixels(int n_channels, int64_t channels, int64_t taps, const int64_t* offsets, const T* window,
                        int64_t pixel_step, const T* weights, T* out, int64_t out_step) {
  const auto mask = V::mask(kPart ? n_channels : V::kWidth);
  const auto load = [&](const T* p) __attribute__((always_inline)) { return kPart ? V::load(p, mask) : V::load(p); };
  V total[kCount];
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) total[i] = V::zero();
  for (int64_t first = 0; first < taps; first += kMatmulBlock) {
    const int64_t end = taps - first < kMatmulBlock ? taps : first + kMatmulBlock;
    V sum[kCount];
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) sum[i] = V::zero();
    for (int64_t t = first; t < end; ++t) {
      const V weight = load(weights + t * channels);
      const T* from = window + offsets[t];
#pragma GCC unroll 8
      for (int i = 0; i < kCount; ++i) sum[i] = V::fma(load(from + i * pixel_step), weight, sum[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) total[i] = first == 0 ? sum[i] : V::add(total[i], sum[i]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
    if (kPart) {
      total[i].store(out + i * out_step, mask);
    } else {
      total[i].store(out + i * out_step);
    }
  }
}

template <class T, class V, bool kPart>
void all_pixels(int64_t pixels, int n_channels, int64_t channels, int64_t taps, const int64_t* offsets, const T* window,
                int64_t pixel_step, const T* weights, T* out, int64_t out_step) {
  int64_t i = 0;
  for (; i + kPixels <= pixels; i += kPixels) {
    some_pixels<T, V, kPart, kPixels>(n_channels, channels, taps, offsets, window + i * pixel_step, pixel_step, weights,
                                      out + i * out_step, out_step);
  }
  for (; i < pixels; ++i) {
    some_pixels<T, V, kPart, 1>(n_channels, channels, taps, offsets, window + i * pixel_step, pixel_step, weights,
                                out + i * out_step, out_step);
  }
}

template <class T, class V>
void depthwise(int64_t pixels, int64_t channels, int64_t taps, const int64_t* offsets, const void* window,
               int64_t pixel_step, const void* weights, void* out, int64_t out_step) {
  constexpr int W = V::kWidth;
  const T* from = static_cast<const T*>(window);
  const T* filter = static_cast<const T*>(weights);
  T* to = static_cast<T*>(out);
  int64_t c = 0;
  for (; c + W <= channels; c += W) {
    all_pixels<T, V, false>(pixels, W, channels, taps, offsets, from + c, pixel_step, filter + c, to + c, out_step);
  }
  if (c == channels) return;
  all_pixels<T, V, true>(pixels, static_cast<int>(channels - c), channels, taps, offsets, from + c, pixel_step,
                         filter + c, to + c, out_step);
}

constexpr ConvTable table = {{&depthwise<float, VecF32>, &depthwise<double, VecF64>}};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ConvTable* IST_ISA_NAME(conv)() { return &ist::cpu::table; }
