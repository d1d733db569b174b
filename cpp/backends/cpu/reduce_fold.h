// Folds of the lanes that elements of a block were added to: the upper half joins the lower until one is left.
#pragma once

#include <utility>

#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/reduce_ops.h"

namespace ist::cpu {
namespace {

constexpr int kLanes = 32;

// Lanes that no element reached hold the identity. They are left out of the fold where combining with it changes no
// lane that started there: not in complex products, where infinity times the imaginary zero is NaN.
template <class F, class T>
constexpr bool kIsNeutral = !(std::is_same_v<F, Prod> && std::is_same_v<T, complex64>);

template <class F, class T>
inline T fold(T* lane, int64_t lanes) {
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half && i + half < lanes; ++i) lane[i] = F::apply(lane[i], lane[i + half]);
    if (lanes > half) lanes = half;
  }
  return lane[0];
}

// kRows rows of kRowLanes lanes lie one after another in a, or in a and then b. Returns them with half the lanes: lane
// i joined with lane i + kRowLanes / 2.
template <class F, int kRows, int kRowLanes, int kCount, class V>
inline auto fold_halves(V a, V b) {
  constexpr int kHalf = kRowLanes / 2;
  const auto halves = [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    return F::vectors(__builtin_shufflevector(a, b, (i / kHalf % kRows * kRowLanes + i % kHalf)...),
                      __builtin_shufflevector(a, b, (i / kHalf % kRows * kRowLanes + i % kHalf + kHalf)...));
  };
  return halves(std::make_integer_sequence<int, kCount>());
}

// Vectors of kRows rows each: two become one while there are several, then the last one becomes shorter.
template <class F, int kRows, int kRowLanes, int kVectors, class V, class T>
inline void fold_vectors(const V* v, T* out) {
  constexpr int W = static_cast<int>(sizeof(V) / sizeof(T)), kLeast = 16 / static_cast<int>(sizeof(T));
  if constexpr (kRowLanes == 1) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) __builtin_memcpy(out + i * kRows, &v[i], kRows * sizeof(T));
  } else if constexpr (kVectors > 1) {
    V joined[kVectors / 2];
#pragma GCC unroll 8
    for (int i = 0; i < kVectors / 2; ++i) {
      joined[i] = fold_halves<F, 2 * kRows, kRowLanes, W>(v[2 * i], v[2 * i + 1]);
    }
    fold_vectors<F, 2 * kRows, kRowLanes / 2, kVectors / 2>(joined, out);
  } else {
    const auto half = fold_halves<F, kRows, kRowLanes, (W / 2 > kLeast ? W / 2 : kLeast)>(v[0], v[0]);
    fold_vectors<F, kRows, kRowLanes / 2, 1>(&half, out);
  }
}

// All lanes of kRows rows. Left to itself, GCC makes branches of the last few of an extreme, which no processor
// foresees.
template <class F, int kRows, class T, int kRowLanes>
inline void fold_rows_of_lanes(T (*lane)[kRowLanes], T* out) {
  if constexpr (std::is_same_v<T, complex64> || std::is_same_v<T, bool>) {
    for (int r = 0; r < kRows; ++r) {
      // Loops of known length, which are vectors down to the last few.
#pragma GCC unroll 5
      for (int half = kRowLanes / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < half; ++i) lane[r][i] = F::apply(lane[r][i], lane[r][i + half]);
      }
      out[r] = lane[r][0];
    }
  } else {
    constexpr int W = kWidth<T> < kRowLanes ? kWidth<T> : kRowLanes;
    using V = typename Vector<T, W* static_cast<int>(sizeof(T))>::type;
    V row[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      V part[kRowLanes / W];
#pragma GCC unroll 16
      for (int i = 0; i < kRowLanes / W; ++i) part[i] = load_as<V>(lane[r] + i * W);
#pragma GCC unroll 4
      for (int half = kRowLanes / W / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < half; ++i) part[i] = F::vectors(part[i], part[i + half]);
      }
      row[r] = part[0];
    }
    fold_vectors<F, 1, W, kRows>(row, out);
  }
}

}  // namespace
}  // namespace ist::cpu
