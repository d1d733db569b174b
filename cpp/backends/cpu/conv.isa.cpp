// Convolutions of few channels or outputs: vectors along the channels or along the pixels, one ascending chain of fma
// along k for each output.
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

constexpr int kPixels = 6;  // that share a load of weights; their chains hide each other's latency

// n_channels of a vector for kCount pixels.
template <class T, class V, bool kPart, int kCount>
inline void some_pixels(int n_channels, int64_t channels, int n_ends, const int64_t* ends, const int64_t* offsets,
                        const T* window, int64_t pixel_step, const T* weights, T* out, int64_t out_step) {
  const auto mask = V::mask(kPart ? n_channels : V::kWidth);
  const auto load = [&](const T* p) __attribute__((always_inline)) { return kPart ? V::load(p, mask) : V::load(p); };
  V total[kCount];
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) total[i] = V::zero();
  int64_t t = 0;
  for (int block = 0; block < n_ends; ++block) {
    V sum[kCount];
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) sum[i] = V::zero();
    for (; t < ends[block]; ++t) {
      const V weight = load(weights + t * channels);
      const T* from = window + offsets[t];
#pragma GCC unroll 8
      for (int i = 0; i < kCount; ++i) sum[i] = V::fma(load(from + i * pixel_step), weight, sum[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) total[i] = block == 0 ? sum[i] : V::add(total[i], sum[i]);
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

// All channels of some pixels before the next ones: pixels far apart would meet in the same places of the cache.
template <class T, class V, int kCount>
inline void all_channels(int64_t channels, int n_ends, const int64_t* ends, const int64_t* offsets, const T* window,
                         int64_t pixel_step, const T* weights, T* out, int64_t out_step) {
  constexpr int W = V::kWidth;
  int64_t c = 0;
  for (; c + W <= channels; c += W) {
    some_pixels<T, V, false, kCount>(W, channels, n_ends, ends, offsets, window + c, pixel_step, weights + c, out + c,
                                     out_step);
  }
  if (c == channels) return;
  some_pixels<T, V, true, kCount>(static_cast<int>(channels - c), channels, n_ends, ends, offsets, window + c,
                                  pixel_step, weights + c, out + c, out_step);
}

template <class T, class V>
void depthwise(int64_t pixels, int64_t channels, int n_ends, const int64_t* ends, const int64_t* offsets,
               const void* window, int64_t pixel_step, const void* weights, void* out, int64_t out_step) {
  const T* from = static_cast<const T*>(window);
  const T* filter = static_cast<const T*>(weights);
  T* to = static_cast<T*>(out);
  int64_t i = 0;
  for (; i + kPixels <= pixels; i += kPixels) {
    all_channels<T, V, kPixels>(channels, n_ends, ends, offsets, from + i * pixel_step, pixel_step, filter,
                                to + i * out_step, out_step);
  }
  for (; i < pixels; ++i) {
    all_channels<T, V, 1>(channels, n_ends, ends, offsets, from + i * pixel_step, pixel_step, filter, to + i * out_step,
                          out_step);
  }
}

// The sums of kVecs vectors of pixels and kOutputs outputs.
template <class T, class V, int kOutputs, int kVecs, bool kPart>
inline void plane_tile(int n_pixels, int64_t depth, const int64_t* offsets, const T* window, const T* weights,
                       int64_t weight_step, T* out, int64_t out_row, bool adds) {
  constexpr int W = V::kWidth;
  const auto mask = V::mask(kPart ? n_pixels : W);
  const auto load = [&](const T* p) __attribute__((always_inline)) { return kPart ? V::load(p, mask) : V::load(p); };
  V sum[kOutputs][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kOutputs; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) sum[r][v] = V::zero();
  }
  for (int64_t t = 0; t < depth; ++t, weights += weight_step) {
    const T* from = window + offsets[t];
    V weight[kOutputs];
#pragma GCC unroll 8
    for (int r = 0; r < kOutputs; ++r) weight[r] = V::broadcast(weights[r]);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      const V pixels = load(from + v * W);
#pragma GCC unroll 8
      for (int r = 0; r < kOutputs; ++r) sum[r][v] = V::fma(pixels, weight[r], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kOutputs; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      T* to = out + r * out_row + v * W;
      const V result = adds ? V::add(load(to), sum[r][v]) : sum[r][v];
      if (kPart) {
        result.store(to, mask);
      } else {
        result.store(to);
      }
    }
  }
}

// Vectors of pixels in the largest tile: accumulators, weights and a vector of pixels fill the registers, and there are
// eight chains or more to hide the latency of fma.
constexpr int kRegisters = kTileRows > 6 ? 32 : 16;
constexpr int kPlaneOutputs = kRegisters / 4;
constexpr int plane_vecs(int outputs) {
  for (int vecs = 8; vecs > 2; vecs /= 2) {
    if (outputs * vecs + outputs + 1 <= kRegisters) return vecs;
  }
  return 2;
}

template <class T, class V, int kOutputs, int kVecs = plane_vecs(kOutputs)>
void plane_rows(int64_t i, int64_t pixels, int64_t depth, const int64_t* offsets, const T* window, const T* weights,
                int64_t weight_step, T* out, int64_t out_row, bool adds) {
  constexpr int W = V::kWidth;
  for (; i + kVecs * W <= pixels; i += kVecs * W) {
    plane_tile<T, V, kOutputs, kVecs, false>(W, depth, offsets, window + i, weights, weight_step, out + i, out_row,
                                             adds);
  }
  if (i == pixels) return;
  if constexpr (kVecs > 1) {
    plane_rows<T, V, kOutputs, kVecs / 2>(i, pixels, depth, offsets, window, weights, weight_step, out, out_row, adds);
  } else {
    plane_tile<T, V, kOutputs, 1, true>(static_cast<int>(pixels - i), depth, offsets, window + i, weights, weight_step,
                                        out + i, out_row, adds);
  }
}

template <class T>
struct PlaneFns {
  void (*of_outputs[kPlaneOutputs + 1])(int64_t, int64_t, int64_t, const int64_t*, const T*, const T*, int64_t, T*,
                                        int64_t, bool);
};

template <class T, class V, int kOutputs = kPlaneOutputs>
constexpr PlaneFns<T> plane_fns(PlaneFns<T> fns = {}) {
  fns.of_outputs[kOutputs] = &plane_rows<T, V, kOutputs>;
  if constexpr (kOutputs > 1) fns = plane_fns<T, V, kOutputs - 1>(fns);
  return fns;
}

template <class T, class V>
void planes(int n_outputs, int64_t pixels, int64_t depth, const int64_t* offsets, const void* window,
            const void* weights, int64_t weight_step, void* out, int64_t out_row, bool adds) {
  static constexpr PlaneFns<T> fns = plane_fns<T, V>();
  fns.of_outputs[n_outputs](0, pixels, depth, offsets, static_cast<const T*>(window), static_cast<const T*>(weights),
                            weight_step, static_cast<T*>(out), out_row, adds);
}

template <class Bits>
int32_t negative_zero(int64_t n, const void* x) {
  constexpr Bits kNegativeZero = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  const Bits* bits = static_cast<const Bits*>(x);
  Bits found = 0;
  for (int64_t i = 0; i < n; ++i) found |= bits[i] == kNegativeZero ? 1 : 0;
  return found;
}

template <class T, class V>
constexpr ConvKernels kernels() {
  return {&depthwise<T, V>, kPlaneOutputs, &planes<T, V>};
}

constexpr ConvTable table = {{kernels<float, VecF32>(), kernels<double, VecF64>()},
                             {&negative_zero<Bits16>, &negative_zero<Bits32>, &negative_zero<Bits64>}};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ConvTable* IST_ISA_NAME(conv)() { return &ist::cpu::table; }
