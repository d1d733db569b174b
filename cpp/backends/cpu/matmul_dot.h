// A row times a single column: sums of k-blocks.
//
// A chain of fma waits for itself, but those of different blocks do not wait for each other: lanes are blocks. Their
// elements are not transposed, which only one port can do. An element stays in the lane that it is loaded to, and the
// chains go from lane to lane, one behind the other: in step t, block l is at its element t - l, in lane (t - l) mod W.
// So lane j of an operand comes from the vector that was loaded j steps ago, and it takes log2 W blends to put one
// together: that for bit d of the lane takes what came out of the one before it, now or d steps ago.
//
// Chains go around in rings of R lanes, with R in place of W, where lanes that are farther apart take long to cross:
// the rings of a vector have R blocks each.
#pragma once

#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

constexpr int kStreams = 2;    // of W blocks each, as an fma and the step to the next lane take time
constexpr int kFewBlocks = 8;  // that take less time one element after another

// The lanes that have bit d in their number.
constexpr unsigned lanes_with(int width, int d) {
  unsigned lanes = 0;
  for (int j = 0; j < width; ++j) lanes |= (j & d) != 0 ? 1u << j : 0u;
  return lanes;
}

// The stages of d, d / 2, ... 1; that of d keeps its last d vectors at earlier[d - 1].
template <int d, class V>
__attribute__((always_inline)) inline V skewed(V vector, int t, V* earlier) {
  if constexpr (d == 0) {
    return vector;
  } else {
    V& place = earlier[d - 1 + t % d];
    const V next = V::template blend<lanes_with(V::kWidth, d)>(vector, place);
    place = vector;
    return skewed<d / 2>(next, t, earlier);
  }
}

// Of each ring, a vector of its block t. Where there is but one, the first stage reads its earlier halves of vectors
// again.
template <class V, class T>
__attribute__((always_inline)) inline V skewed_operand(int t, const T* now, const T* before, V* earlier) {
  constexpr int R = V::kRing, kHalf = V::kWidth / 2;
  const T* low = now + t * kMatmulBlock;
  if constexpr (R < V::kWidth) {
    static_assert(R == kHalf);
    return skewed<R / 2>(V::load_halves(low, low + R * kMatmulBlock - kHalf), t, earlier);
  } else {
    const T* ago = t < kHalf ? before + (t + kHalf) * kMatmulBlock : now + (t - kHalf) * kMatmulBlock;
    return skewed<kHalf / 2>(V::load_halves(low, ago), t, earlier);
  }
}

template <class C, class T>
struct Operands {
  const C* x;
  const T* y;
  inline Operands at(int64_t k) const { return {x + k, y + k}; }
};

template <class C, class T, class V>
struct Stream {
  V chains, x_earlier[V::kRing], y_earlier[V::kRing];

  // kStarts: a chain that comes to the first lane of its ring has finished a block and begins one.
  template <bool kStarts>
  __attribute__((always_inline)) inline void step(int t, Operands<C, T> now, Operands<C, T> before, C* sums) {
    if constexpr (kStarts) {
      if constexpr (V::kRing < V::kWidth) {
        chains.store_ring_starts(sums + t);
        chains = V::template blend<1u | 1u << V::kRing>(chains, V::zero());
      } else {
        chains.store(sums + t, V::mask(1));
        chains = V::template blend<1>(chains, V::zero());
      }
    }
    const V x = skewed_operand(t, now.x, before.x, x_earlier);
    const V y = skewed_operand(t, now.y, before.y, y_earlier);
    chains = V::rotate(V::fma(x, y, chains));
  }
};

// Sums of whole blocks, 2 W at a time and at least W. The last ones begin early enough to be as many; their sums are
// the same.
template <class C, class T, class V>
inline void sums_by_lanes(int64_t n_blocks, Operands<C, T> operands, C* sums) {
  constexpr int W = V::kWidth, R = V::kRing;
  constexpr int64_t kTogether = kStreams * W;
  const int64_t last = n_blocks > kTogether ? n_blocks - kTogether : 0, apart = n_blocks < kTogether ? n_blocks - W : W;
  Stream<C, T, V> streams[kStreams];
  for (Stream<C, T, V>& stream : streams) {
    stream.chains = V::zero();
    for (int i = 0; i < R; ++i) stream.x_earlier[i] = stream.y_earlier[i] = V::zero();
  }
  int64_t first = 0, finished = 0;  // blocks of the first stream; what is stored before there is one comes to nothing
  Operands<C, T> before = operands;
  for (bool ends = false;; first = first + kTogether < last ? first + kTogether : last) {
    Operands<C, T> now = ends ? before : operands.at(first * kMatmulBlock);
#pragma GCC unroll 16
    for (int t = 0; t < R; ++t) {
#pragma GCC unroll 2
      for (int64_t s = 0; s < kStreams; ++s) {
        const int64_t away = s * apart * kMatmulBlock;
        streams[s].template step<true>(t, now.at(away), before.at(away), sums + finished + s * apart);
      }
    }
    if (ends) break;
    for (int64_t k = R; k < kMatmulBlock; k += R) {
      before = now;
      now = now.at(R);
#pragma GCC unroll 16
      for (int t = 0; t < R; ++t) {
#pragma GCC unroll 2
        for (int64_t s = 0; s < kStreams; ++s) {
          const int64_t away = s * apart * kMatmulBlock;
          streams[s].template step<false>(t, now.at(away), before.at(away), nullptr);
        }
      }
    }
    before = now;
    finished = first;
    ends = first == last;
  }
}

// kBlocks blocks, the last of which has the depth `rest`.
template <int kBlocks, class C>
inline void sums_of_few(int64_t rest, const C* x, const C* y, C* sums) {
  using One = OneElement<C>;
  One chains[kBlocks];
  for (One& chain : chains) chain = One::zero();
  const auto step = [&](int64_t k, int n) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) {
      const int64_t at = i * kMatmulBlock + k;
      chains[i] = One::fma(One::broadcast(x[at]), One::broadcast(y[at]), chains[i]);
    }
  };
  int64_t k = 0;
  for (; k < rest; ++k) step(k, kBlocks);
  for (; kBlocks > 1 && k < kMatmulBlock; ++k) step(k, kBlocks - 1);
  for (int i = 0; i < kBlocks; ++i) sums[i] = chains[i].v;
}

template <class C, int kBlocks = kFewBlocks>
inline void sums_of_few(int64_t n_blocks, int64_t rest, const C* x, const C* y, C* sums) {
  if (n_blocks == kBlocks) {
    sums_of_few<kBlocks>(rest, x, y, sums);
  } else if constexpr (kBlocks > 1) {
    sums_of_few<C, kBlocks - 1>(n_blocks, rest, x, y, sums);
  }
}

template <class C, class T, class V>
void block_sums(int64_t k, const void* a, const void* b, void* block_sums) {
  constexpr int W = V::kWidth;
  const Operands<C, T> operands = {static_cast<const C*>(a), static_cast<const T*>(b)};
  C* sums = static_cast<C*>(block_sums);
  const int64_t n_whole = k / kMatmulBlock, n_blocks = (k + kMatmulBlock - 1) / kMatmulBlock;
  int64_t done = 0;
  if constexpr (W > 1) {
    const int64_t left = n_whole % (kStreams * W);
    done = left > kFewBlocks ? n_whole : n_whole - left;
    if (done < W) done = 0;
    if (done > 0) sums_by_lanes<C, T, V>(done, operands, sums);
  }
  for (; done < n_blocks; done += kFewBlocks) {
    const int64_t n = n_blocks - done < kFewBlocks ? n_blocks - done : kFewBlocks;
    const Operands<C, T> few = operands.at(done * kMatmulBlock);
    const int64_t left = k - done * kMatmulBlock, most = n * kMatmulBlock, depth = left < most ? left : most;
    const int64_t rest = depth - (n - 1) * kMatmulBlock;
    if constexpr (std::is_same_v<C, T>) {
      sums_of_few(n, rest, few.x, few.y, sums + done);
    } else {
      // One at a time, converting would take longer than the chains.
      C y[kFewBlocks * kMatmulBlock];
      int64_t i = 0;
      for (; i + W <= depth; i += W) V::load(few.y + i).store(y + i);
      for (; i < depth; ++i) y[i] = to_float(few.y[i]);
      sums_of_few(n, rest, few.x, y, sums + done);
    }
  }
}

}  // namespace
}  // namespace ist::cpu
