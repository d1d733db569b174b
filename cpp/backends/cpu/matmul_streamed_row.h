// A row times dense rows of B, which stream through once: reading them decides.
//
// Sums of all columns lie in the first-level cache and take a few rows of B at a time. What fetches memory ahead
// follows rows that lie in pages of their own; of short ones it fetches too little, so the next group of rows is asked
// for, in places far enough from each other.
#pragma once

#include "backends/cpu/cache_size.h"
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/matmul_kernels.h"

namespace ist::cpu {
namespace {

constexpr int64_t kShortRow = 8 * 1024;      // bytes up to which rows are asked for
constexpr int64_t kNearMatrix = 256 * 1024;  // bytes that are in cache more often than not
constexpr int kPlaces = 4;                   // of a group of kMatmulGroup rows that are asked for in turns
constexpr int kAsking = 4, kNotAsking = 8;   // rows at a time

template <int D, class V>
class StreamedRow {
  using T = Type<D>;
  using C = Compute<D>;
  static constexpr int W = V::kWidth, kLineOfB = kLine / static_cast<int>(sizeof(T));
  static constexpr int kTile = kLineOfB < 2 * W ? 2 * W : kLineOfB, kVecs = kTile / W;
  static constexpr bool kHalf = sizeof(T) == 2;

 public:
  // The last tile begins early enough to be whole: its sums have places of their own.
  inline StreamedRow(int64_t n_cols, int64_t k, const void* a, const void* b, int64_t b_row, void* sums)
      : n_cols_(n_cols),
        k_(k),
        b_row_(b_row),
        width_((n_cols + kTile - 1) / kTile * kTile),
        x_(static_cast<const C*>(a)),
        b_(static_cast<const T*>(b)),
        sums_(static_cast<C*>(sums)) {}

  template <bool kAsks>
  void run(T* c) const {
    C *chain = sums_, *odd = chain + width_, *block = D == IST_BFLOAT16 ? odd + width_ : chain, *total = block + width_;
    for (int64_t k0 = 0; k0 < k_; k0 += kMatmulBlock) {
      const int64_t end = k_ - k0 < kMatmulBlock ? k_ : k0 + kMatmulBlock;
      if constexpr (D == IST_BFLOAT16) {
        for (int64_t k = k0; k < end; k += kMatmulGroup) {
          const int64_t group_end = end - k < kMatmulGroup ? end : k + kMatmulGroup;
          add_rows<kAsks, 2>(k, group_end, chain);
          add_rows<kAsks, 2>(k + 1, group_end, odd);
          for (int64_t j = 0; j < width_; j += W) {
            const V sum = k == k0 ? V::zero() : V::load(block + j);
            V::add(sum, V::add(V::load(chain + j), V::load(odd + j))).store(block + j);
          }
        }
      } else {
        add_rows<kAsks, 1>(k0, end, block);
      }
      for (int64_t j = 0; j < width_; j += W) {
        const V sum = V::load(block + j);
        (k0 == 0 ? sum : V::add(V::load(total + j), sum)).store(total + j);
      }
    }
    for (int64_t t = 0; t < width_; t += kTile) {
      for (int v = 0; v < kVecs; v += 2) {
        store_two(c + column(t) + v * W, V::load(total + t + v * W), V::load(total + t + (v + 1) * W));
      }
    }
  }

 private:
  // Sums of half types lie as the two vectors do.
  static inline void load_two(const T* p, V& first, V& second) {
    if constexpr (kHalf) {
      V::load_two(p, first, second);
    } else {
      first = V::load(p), second = V::load(p + W);
    }
  }
  static inline void store_two(T* p, V first, V second) {
    if constexpr (kHalf) {
      V::store_two(p, first, second);
    } else {
      first.store(p), second.store(p + W);
    }
  }
  inline int64_t column(int64_t t) const { return t + kTile <= n_cols_ ? t : n_cols_ - kTile; }

  // Chains over rows [k, end), every kStep-th of them.
  template <bool kAsks, int kStep>
  inline void add_rows(int64_t k, int64_t end, C* chains) const {
    constexpr int kRows = kAsks ? kAsking : kNotAsking;
    bool starts = true;
    for (; k + (kRows - 1) * kStep < end; k += kRows * kStep, starts = false) {
      add_some<kAsks, kRows, kStep>(k, starts, chains);
    }
    for (; k < end; k += kStep, starts = false) add_some<false, 1, kStep>(k, starts, chains);
    for (int64_t j = 0; starts && j < width_; j += W) V::zero().store(chains + j);
  }

  template <bool kAsks, int kRows, int kStep>
  inline void add_some(int64_t k, bool starts, C* chains) const {
    const T* rows = b_ + k * b_row_;
    // Of each place the row whose turn it is.
    constexpr int kPlace = kMatmulGroup / kPlaces;
    const T* wanted[kPlaces];
    const int64_t group = k / kMatmulGroup * kMatmulGroup, turn = (k - group) / (kRows * kStep) + k % kStep * kPlaces;
    for (int i = 0; kAsks && i < kPlaces; ++i) {
      const int64_t row = group + kMatmulGroup + i * kPlace + turn;
      wanted[i] = b_ + (row < k_ ? row : k_ - 1) * b_row_;
    }
    for (int64_t t = 0; t < width_; t += kTile) {
      const int64_t j = column(t);
      for (int i = 0; kAsks && i < kPlaces; ++i) __builtin_prefetch(wanted[i] + j);
      V sum[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[v] = starts ? V::zero() : V::load(chains + t + v * W);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        const V value = V::broadcast(x_[k + i * kStep]);
#pragma GCC unroll 2
        for (int v = 0; v < kVecs; v += 2) {
          V first, second;
          load_two(rows + i * kStep * b_row_ + j + v * W, first, second);
          sum[v] = V::fma(value, first, sum[v]), sum[v + 1] = V::fma(value, second, sum[v + 1]);
        }
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[v].store(chains + t + v * W);
    }
  }

  int64_t n_cols_, k_, b_row_, width_;
  const C* x_;
  const T* b_;
  C* sums_;
};

template <int D, class V>
void streamed_row(int64_t n_cols, int64_t k, const void* a, const void* b, int64_t b_row, void* sums, void* c) {
  const StreamedRow<D, V> row(n_cols, k, a, b, b_row, sums);
  Type<D>* out = static_cast<Type<D>*>(c);
  const int64_t bytes = n_cols * static_cast<int64_t>(sizeof(Type<D>));
  if (bytes <= kShortRow && k * bytes > kNearMatrix) {
    row.template run<true>(out);
  } else {
    row.template run<false>(out);
  }
}

// Without AVX2 it is not measured.
template <int D, class V>
constexpr auto streamed_row_of() {
  using Fn = void (*)(int64_t, int64_t, const void*, const void*, int64_t, void*, void*);
  if constexpr (kVectorBytes >= 32) {
    return Fn{&streamed_row<D, V>};
  } else {
    return Fn{nullptr};
  }
}

}  // namespace
}  // namespace ist::cpu
