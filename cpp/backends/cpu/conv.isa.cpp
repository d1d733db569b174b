// Convolutions of few channels or outputs: vectors along the channels or along the pixels, one ascending chain of fma
// along k for each output, or the groups of bfloat16.
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

constexpr int kRegisters = kTileRows > 6 ? 32 : 16;
constexpr int kChannelPixels = kTileRows > 6 ? 12 : 6;  // times two vectors: most of the registers accumulate
constexpr int channel_pixels(bool groups) { return groups ? kChannelPixels / 2 : kChannelPixels; }  // two chains each

// The sums of kPixels pixels and kVecs vectors of channels, or a part of one.
template <class T, class V, bool kGroups, bool kEven, int kPixels, int kVecs, bool kPart>
inline void channel_tile(int n_channels, int64_t depth, const T* const* from, int64_t at, int64_t step,
                         const int64_t* bends, const T* weights, int64_t weight_step, T* out, int64_t out_step,
                         bool adds) {
  constexpr int W = V::kWidth;
  const auto mask = V::mask(kPart ? n_channels : W);
  const auto load = [&](const T* p) __attribute__((always_inline)) { return kPart ? V::load(p, mask) : V::load(p); };
  using Sums = V[kPixels][kVecs];
  const auto clear = [](Sums& sums) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
      for (int v = 0; v < kVecs; ++v) sums[i][v] = V::zero();
    }
  };
  const auto add_tap = [&](Sums& sums, int64_t t) __attribute__((always_inline)) {
    V weight[kVecs];
    for (int v = 0; v < kVecs; ++v) weight[v] = load(weights + t * weight_step + v * W);
    const T* x = from[t] + at;
#pragma GCC unroll 16
    for (int i = 0; i < kPixels; ++i) {
      asm("" : "+r"(x));  // one pointer that moves: the offsets of all pixels do not fit the registers
      for (int v = 0; v < kVecs; ++v) sums[i][v] = V::fma(load(x + v * W), weight[v], sums[i][v]);
      x += kEven ? step : bends[i];
    }
  };
  Sums sum;
  clear(sum);
  if constexpr (kGroups) {
    for (int64_t t = 0; t < depth;) {
      const int64_t last = t + kMatmulGroup < depth ? t + kMatmulGroup : depth;
      Sums even, odd;
      clear(even);
      clear(odd);
      for (; t + 1 < last; t += 2) {
        add_tap(even, t);
        add_tap(odd, t + 1);
      }
      if (t < last) add_tap(even, t++);
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) {
        for (int v = 0; v < kVecs; ++v) sum[i][v] = V::add(sum[i][v], V::add(even[i][v], odd[i][v]));
      }
    }
  } else {
    for (int64_t t = 0; t < depth; ++t) add_tap(sum, t);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) {
    for (int v = 0; v < kVecs; ++v) {
      T* to = out + i * out_step + v * W;
      const V result = adds ? V::add(load(to), sum[i][v]) : sum[i][v];
      if (kPart) {
        result.store(to, mask);
      } else {
        result.store(to);
      }
    }
  }
}

template <class T, class V, bool kGroups, bool kEven, int kPixels>
void channel_tiles(int64_t channels, int64_t depth, const T* const* from, int64_t shift, int64_t step,
                   const int64_t* bends, const T* weights, int64_t weight_step, T* out, int64_t out_step, bool adds) {
  constexpr int W = V::kWidth;
  int64_t c = 0;
  for (; c + 2 * W <= channels; c += 2 * W) {
    channel_tile<T, V, kGroups, kEven, kPixels, 2, false>(W, depth, from, shift + c, step, bends, weights + c,
                                                          weight_step, out + c, out_step, adds);
  }
  for (; c < channels; c += W) {
    const int n = channels - c < W ? static_cast<int>(channels - c) : W;
    const auto tile = n == W ? &channel_tile<T, V, kGroups, kEven, kPixels, 1, false>
                             : &channel_tile<T, V, kGroups, kEven, kPixels, 1, true>;
    tile(n, depth, from, shift + c, step, bends, weights + c, weight_step, out + c, out_step, adds);
  }
}

template <class T>
struct ChannelFns {
  void (*of_pixels[kChannelPixels + 1])(int64_t, int64_t, const T* const*, int64_t, int64_t, const int64_t*, const T*,
                                        int64_t, T*, int64_t, bool);
};

template <class T, class V, bool kGroups, bool kEven, int kPixels = channel_pixels(kGroups)>
constexpr ChannelFns<T> channel_fns(ChannelFns<T> fns = {}) {
  fns.of_pixels[kPixels] = &channel_tiles<T, V, kGroups, kEven, kPixels>;
  if constexpr (kPixels > 1) fns = channel_fns<T, V, kGroups, kEven, kPixels - 1>(fns);
  return fns;
}

template <class T, class V, bool kGroups>
void channels(int n_pixels, int64_t n_channels, int64_t depth, const void* const* from, int64_t shift, int64_t step,
              const int64_t* bends, const void* weights, int64_t weight_step, void* out, int64_t out_step, bool adds) {
  static constexpr ChannelFns<T> even = channel_fns<T, V, kGroups, true>();
  static constexpr ChannelFns<T> uneven = channel_fns<T, V, kGroups, false>();
  const ChannelFns<T>& fns = bends == nullptr ? even : uneven;
  fns.of_pixels[n_pixels](n_channels, depth, reinterpret_cast<const T* const*>(from), shift, step, bends,
                          static_cast<const T*>(weights), weight_step, static_cast<T*>(out), out_step, adds);
}

// X is the type in memory.
template <class X, class T, class V>
void widen(int64_t rows, int64_t columns, const void* from, int64_t from_row, void* to, int64_t to_row) {
  constexpr int W = V::kWidth;
  const int64_t whole = columns / W * W;
  const int rest = static_cast<int>(columns - whole);
  const auto mask = V::mask(rest);
  const X* in = static_cast<const X*>(from);
  T* out = static_cast<T*>(to);
  for (int64_t r = 0; r < rows; ++r, in += from_row, out += to_row) {
    for (int64_t i = 0; i < whole; i += W) V::load(in + i).store(out + i);
    if (rest == 0) continue;
    if (whole > 0) {  // some of them once more
      V::load(in + columns - W).store(out + columns - W);
    } else if constexpr (requires { V::load(in, mask); }) {
      V::load(in, mask).store(out, mask);
    } else {
      X lanes[W] = {};
      for (int i = 0; i < rest; ++i) lanes[i] = in[i];
      V::load(lanes).store(out, mask);
    }
  }
}

// The sums of kVecs vectors of pixels and kOutputs outputs.
template <class T, class V, bool kGroups, int kOutputs, int kVecs, bool kPart>
inline void plane_tile(int n_pixels, int64_t n_cuts, const ConvCut* cuts, const int64_t* offsets, const T* window,
                       const T* weights, T* out, int64_t out_row) {
  constexpr int W = V::kWidth;
  const auto mask = V::mask(kPart ? n_pixels : W);
  const auto load = [&](const T* p) __attribute__((always_inline)) { return kPart ? V::load(p, mask) : V::load(p); };
  using Sums = V[kOutputs][kVecs];
  const auto clear = [](Sums& sums) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int r = 0; r < kOutputs; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) sums[r][v] = V::zero();
    }
  };
  const auto chain = [&](Sums& sums, int64_t t, int64_t last, int64_t step) __attribute__((always_inline)) {
    const T* w = weights + t * kOutputs;
    for (; t < last; t += step, w += step * kOutputs) {
      const T* from = window + offsets[t];
      V weight[kOutputs];
#pragma GCC unroll 8
      for (int r = 0; r < kOutputs; ++r) weight[r] = V::broadcast(w[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) {
        const V pixels = load(from + v * W);
#pragma GCC unroll 8
        for (int r = 0; r < kOutputs; ++r) sums[r][v] = V::fma(pixels, weight[r], sums[r][v]);
      }
    }
  };
  Sums sum;
  clear(sum);
  int64_t t = 0;
  for (const ConvCut* cut = cuts; cut < cuts + n_cuts; ++cut) {
    if constexpr (kGroups) {
      for (; t < cut->at; t += kMatmulGroup) {
        const int64_t last = t + kMatmulGroup < cut->at ? t + kMatmulGroup : cut->at;
        Sums even, odd;
        clear(even);
        chain(even, t, last, 2);
        clear(odd);
        chain(odd, t + 1, last, 2);
#pragma GCC unroll 8
        for (int r = 0; r < kOutputs; ++r) {
#pragma GCC unroll 8
          for (int v = 0; v < kVecs; ++v) sum[r][v] = V::add(sum[r][v], V::add(even[r][v], odd[r][v]));
        }
      }
    } else {
      chain(sum, t, cut->at, 1);
    }
    t = cut->at;
#pragma GCC unroll 8
    for (int r = 0; r < kOutputs; ++r) {
      if ((cut->ends >> r & 1) == 0) continue;
      const bool adds = (cut->adds >> r & 1) != 0;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) {
        T* to = out + r * out_row + v * W;
        const V result = adds ? V::add(load(to), sum[r][v]) : sum[r][v];
        if (kPart) {
          result.store(to, mask);
        } else {
          result.store(to);
        }
        sum[r][v] = V::zero();
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

template <class T, class V, bool kGroups, int kOutputs, int kVecs = plane_vecs(kOutputs)>
void plane_rows(int64_t i, int64_t pixels, int64_t n_cuts, const ConvCut* cuts, const int64_t* offsets, const T* window,
                const T* weights, T* out, int64_t out_row) {
  constexpr int W = V::kWidth;
  for (; i + kVecs * W <= pixels; i += kVecs * W) {
    plane_tile<T, V, kGroups, kOutputs, kVecs, false>(W, n_cuts, cuts, offsets, window + i, weights, out + i, out_row);
  }
  if (i == pixels) return;
  if constexpr (kVecs > 1) {
    plane_rows<T, V, kGroups, kOutputs, kVecs / 2>(i, pixels, n_cuts, cuts, offsets, window, weights, out, out_row);
  } else {
    plane_tile<T, V, kGroups, kOutputs, 1, true>(static_cast<int>(pixels - i), n_cuts, cuts, offsets, window + i,
                                                 weights, out + i, out_row);
  }
}

template <class T>
struct PlaneFns {
  void (*of_outputs[kPlaneOutputs + 1])(int64_t, int64_t, int64_t, const ConvCut*, const int64_t*, const T*, const T*,
                                        T*, int64_t);
};

template <class T, class V, bool kGroups, int kOutputs = kPlaneOutputs>
constexpr PlaneFns<T> plane_fns(PlaneFns<T> fns = {}) {
  fns.of_outputs[kOutputs] = &plane_rows<T, V, kGroups, kOutputs>;
  if constexpr (kOutputs > 1) fns = plane_fns<T, V, kGroups, kOutputs - 1>(fns);
  return fns;
}

template <class T, class V, bool kGroups>
void planes(int n_outputs, int64_t pixels, int64_t n_cuts, const ConvCut* cuts, const int64_t* offsets,
            const void* window, const void* weights, void* out, int64_t out_row) {
  static constexpr PlaneFns<T> fns = plane_fns<T, V, kGroups>();
  fns.of_outputs[n_outputs](0, pixels, n_cuts, cuts, offsets, static_cast<const T*>(window),
                            static_cast<const T*>(weights), static_cast<T*>(out), out_row);
}

// Pieces are short: calls of memcpy would take longer than the copies.
template <class T, class V>
void gather(int64_t rows, int n_pieces, const RowPiece* pieces, const void* from, int64_t from_row, void* to,
            int64_t to_row) {
  constexpr int W = V::kWidth;
  for (const RowPiece* piece = pieces; piece < pieces + n_pieces; ++piece) {
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

// The same for 16-bit elements.
void gather_halves(int64_t rows, int n_pieces, const RowPiece* pieces, const void* from, int64_t from_row, void* to,
                   int64_t to_row) {
  constexpr int64_t kMost = 32;  // elements at a time: copies of a constant size are moves
  for (const RowPiece* piece = pieces; piece < pieces + n_pieces; ++piece) {
    for (int64_t r = 0; r < rows; ++r) {
      const Bits16* in = static_cast<const Bits16*>(from) + r * from_row + piece->offset;
      Bits16* out = static_cast<Bits16*>(to) + r * to_row + piece->at;
      int64_t left = piece->length;
      const auto copy = [&](auto n) __attribute__((always_inline)) {
        __builtin_memcpy(out, in, n * sizeof(Bits16));
        in += n, out += n, left -= n;
      };
      while (left >= kMost) copy(std::integral_constant<int64_t, kMost>());
      if (left >= 16) copy(std::integral_constant<int64_t, 16>());
      if (left >= 8) copy(std::integral_constant<int64_t, 8>());
      if (left >= 4) copy(std::integral_constant<int64_t, 4>());
      if (left >= 2) copy(std::integral_constant<int64_t, 2>());
      if (left >= 1) *out = *in;
    }
  }
}

// Prefetches as many elements behind those of each row.
template <class T, class V>
void copy_rows(int64_t n_rows, int64_t n, const void* const* rows, int64_t shift, void* to, int64_t to_row) {
  constexpr int W = V::kWidth;
  T* out = static_cast<T*>(to);
  const int64_t whole = n / W * W;
  const auto mask = V::mask(static_cast<int>(n - whole));
  for (int64_t t = 0; t < n_rows; ++t, out += to_row) {
    const T* in = static_cast<const T*>(rows[t]) + shift;
    __builtin_prefetch(in + n, 0, 2);
    __builtin_prefetch(in + 2 * n - 1, 0, 2);
    for (int64_t i = 0; i < whole; i += W) V::load(in + i).store(out + i);
    if (whole < n) V::load(in + whole, mask).store(out + whole, mask);
  }
}

// Copies of a constant size are moves, the last of a row may do some elements once more.
template <int kSize>
void copy_halves(int64_t n_rows, int64_t n, const void* const* rows, int64_t shift, Bits16* out, int64_t to_row) {
  for (int64_t t = 0; t < n_rows; ++t, out += to_row) {
    const Bits16* in = static_cast<const Bits16*>(rows[t]) + shift;
    __builtin_prefetch(in + n, 0, 2);
    for (int64_t i = 0; i < n; i += kSize) {
      const int64_t at = i + kSize <= n ? i : n - kSize;
      __builtin_memcpy(out + at, in + at, kSize * sizeof(Bits16));
    }
  }
}

void copy_rows_of_halves(int64_t n_rows, int64_t n, const void* const* rows, int64_t shift, void* to, int64_t to_row) {
  const auto copy = n >= 32 ? &copy_halves<32> : n >= 8 ? &copy_halves<8> : n >= 2 ? &copy_halves<2> : &copy_halves<1>;
  copy(n_rows, n, rows, shift, static_cast<Bits16*>(to), to_row);
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
  constexpr bool kGroups = D == IST_BFLOAT16, kHalf = sizeof(Type<D>) == 2;
  return {channel_pixels(kGroups),
          &channels<T, V, kGroups>,
          &widen<Type<D>, T, V>,
          kPlaneOutputs,
          &planes<T, V, kGroups>,
          kGroups ? &gather_halves : &gather<T, V>,
          kHalf ? &copy_rows_of_halves : &copy_rows<T, V>};
}

constexpr ConvTable table = {{kernels<IST_FLOAT16, VecF32>(), kernels<IST_BFLOAT16, VecF32>(),
                              kernels<IST_FLOAT32, VecF32>(), kernels<IST_FLOAT64, VecF64>()},
                             {&negative_zero<Bits16>, &negative_zero<Bits32>, &negative_zero<Bits64>}};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ConvTable* IST_ISA_NAME(conv)() { return &ist::cpu::table; }
