// Convolutions of few channels or outputs: vectors along the channels or along the pixels, one ascending chain of fma
// along k for each output.
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

constexpr int kRegisters = kTileRows > 6 ? 32 : 16;
constexpr int kChannelPixels = kTileRows > 6 ? 12 : 6;  // times two vectors: most of the registers accumulate

// The first n elements.
template <class V, class X>
inline V load_some(const X* p, int n, typename V::Mask mask) {
  if constexpr (sizeof(X) == 2) {
    float lanes[V::kWidth] = {};
    for (int i = 0; i < n; ++i) lanes[i] = to_float(p[i]);
    return V::load(lanes);
  } else {
    return V::load(p, mask);
  }
}

// The sums of kPixels pixels and kVecs vectors of channels, or a part of one. X is the input's type.
template <class X, class T, class V, int kPixels, bool kEven, int kVecs, bool kPart>
inline void channel_tile(int n_channels, int64_t depth, const X* const* from, int64_t at, int64_t step,
                         const T* weights, int64_t weight_step, T* out, int64_t out_step, bool adds) {
  constexpr int W = V::kWidth;
  const auto mask = V::mask(kPart ? n_channels : W);
  V sum[kPixels][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) {
    for (int v = 0; v < kVecs; ++v) sum[i][v] = V::zero();
  }
  for (int64_t t = 0; t < depth; ++t, weights += weight_step, from += kEven ? 1 : kPixels) {
    V weight[kVecs];
    for (int v = 0; v < kVecs; ++v) weight[v] = kPart ? V::load(weights, mask) : V::load(weights + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
      const X* x = kEven ? from[0] + at + i * step : from[i] + at;
      for (int v = 0; v < kVecs; ++v) {
        const V value = kPart ? load_some<V>(x, n_channels, mask) : V::load(x + v * W);
        sum[i][v] = V::fma(value, weight[v], sum[i][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) {
    for (int v = 0; v < kVecs; ++v) {
      T* to = out + i * out_step + v * W;
      const V before = !adds ? V::zero() : kPart ? V::load(to, mask) : V::load(to);
      const V result = adds ? V::add(before, sum[i][v]) : sum[i][v];
      if (kPart) {
        result.store(to, mask);
      } else {
        result.store(to);
      }
    }
  }
}

template <class X, class T, class V, int kPixels, bool kEven>
void channel_tiles(int64_t channels, int64_t depth, const X* const* from, int64_t shift, int64_t step, const T* weights,
                   int64_t weight_step, T* out, int64_t out_step, bool adds) {
  constexpr int W = V::kWidth;
  int64_t c = 0;
  for (; c + 2 * W <= channels; c += 2 * W) {
    channel_tile<X, T, V, kPixels, kEven, 2, false>(W, depth, from, shift + c, step, weights + c, weight_step, out + c,
                                                    out_step, adds);
  }
  for (; c < channels; c += W) {
    const int n = channels - c < W ? static_cast<int>(channels - c) : W;
    if (n == W) {
      channel_tile<X, T, V, kPixels, kEven, 1, false>(W, depth, from, shift + c, step, weights + c, weight_step,
                                                      out + c, out_step, adds);
    } else {
      channel_tile<X, T, V, kPixels, kEven, 1, true>(n, depth, from, shift + c, step, weights + c, weight_step, out + c,
                                                     out_step, adds);
    }
  }
}

template <class X, class T>
struct ChannelFns {
  void (*of_pixels[kChannelPixels + 1])(int64_t, int64_t, const X* const*, int64_t, int64_t, const T*, int64_t, T*,
                                        int64_t, bool);
};

template <class X, class T, class V, bool kEven, int kPixels = kChannelPixels>
constexpr ChannelFns<X, T> channel_fns(ChannelFns<X, T> fns = {}) {
  fns.of_pixels[kPixels] = &channel_tiles<X, T, V, kPixels, kEven>;
  if constexpr (kPixels > 1) fns = channel_fns<X, T, V, kEven, kPixels - 1>(fns);
  return fns;
}

template <class X, class T, class V>
void channels(int n_pixels, int64_t n_channels, int64_t depth, const void* const* from, int64_t shift, int64_t step,
              const void* weights, int64_t weight_step, void* out, int64_t out_step, bool adds) {
  static constexpr ChannelFns<X, T> even = channel_fns<X, T, V, true>(), any = channel_fns<X, T, V, false>();
  (step != 0 ? even : any)
      .of_pixels[n_pixels](n_channels, depth, reinterpret_cast<const X* const*>(from), shift, step,
                           static_cast<const T*>(weights), weight_step, static_cast<T*>(out), out_step, adds);
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

// Pieces are short: calls of memcpy would take longer than the copies.
template <class T, class V>
void gather(int64_t rows, int n_pieces, const ConvPiece* pieces, const void* from, int64_t from_row, void* to,
            int64_t to_row) {
  constexpr int W = V::kWidth;
  for (const ConvPiece* piece = pieces; piece < pieces + n_pieces; ++piece) {
    const T* in = static_cast<const T*>(from) + piece->offset;
    T* out = static_cast<T*>(to) + piece->at;
    const int64_t whole = piece->length / W * W;
    const int rest = static_cast<int>(piece->length - whole);
    const auto mask = V::mask(rest);
    for (int64_t r = 0; r < rows; ++r, in += from_row, out += to_row) {
      for (int64_t i = 0; i < whole; i += W) V::load(in + i).store(out + i);
      if (rest > 0) V::load(in + whole, mask).store(out + whole, mask);
    }
  }
}

template <class Bits>
int32_t negative_zero(int64_t n, const void* x) {
  constexpr Bits kNegativeZero = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  const Bits* bits = static_cast<const Bits*>(x);
  Bits found = 0;
  for (int64_t i = 0; i < n; ++i) found |= bits[i] == kNegativeZero ? 1 : 0;
  return found;
}

template <int D, class V>
constexpr ConvKernels kernels() {
  using T = typename Storage<D>::compute;
  return {kChannelPixels, &channels<Type<D>, T, V>, kPlaneOutputs, &planes<T, V>, &gather<T, V>};
}

constexpr ConvTable table = {{kernels<IST_FLOAT16, VecF32>(), kernels<IST_BFLOAT16, VecF32>(),
                              kernels<IST_FLOAT32, VecF32>(), kernels<IST_FLOAT64, VecF64>()},
                             {&negative_zero<Bits16>, &negative_zero<Bits32>, &negative_zero<Bits64>}};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ConvTable* IST_ISA_NAME(conv)() { return &ist::cpu::table; }
