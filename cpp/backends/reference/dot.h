// A row times a column, in the order that docs/bit_contract.md gives to matrix products.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backends/reference/element.h"

namespace ist::reference {

inline constexpr int64_t kDotBlock = 384;
inline constexpr int64_t kDotGroup = 32;  // of a block of bfloat16

template <class T>
T dot_block(const T* a, const T* b, int64_t n) {
  T acc = 0;
  for (int64_t k = 0; k < n; ++k) acc = std::fma(a[k], b[k], acc);
  return acc;
}

inline complex64 dot_block(const complex64* a, const complex64* b, int64_t n) {
  complex64 acc = {0.0f, 0.0f};
  for (int64_t k = 0; k < n; ++k) {
    acc.re = std::fma(-a[k].im, b[k].im, std::fma(a[k].re, b[k].re, acc.re));
    acc.im = std::fma(a[k].im, b[k].re, std::fma(a[k].re, b[k].im, acc.im));
  }
  return acc;
}

// bfloat16: groups, each with a chain over its even elements and one over its odd elements.
inline float dot_block_in_groups(const float* a, const float* b, int64_t n) {
  float acc = 0;
  for (int64_t group = 0; group < n; group += kDotGroup) {
    float chain[2] = {0, 0};
    for (int64_t k = group; k < std::min(n, group + kDotGroup); ++k) chain[k % 2] = std::fma(a[k], b[k], chain[k % 2]);
    acc = acc + (chain[0] + chain[1]);
  }
  return acc;
}

template <class T>
T sum_of(T a, T b) {
  return a + b;
}
inline complex64 sum_of(complex64 a, complex64 b) { return {a.re + b.re, a.im + b.im}; }

// Of operands that were of dtype D and are of type T now.
template <int D, class T>
T dot(const T* a, const T* b, int64_t n) {
  T c = T();
  for (int64_t start = 0; start < n; start += kDotBlock) {
    const int64_t size = std::min(kDotBlock, n - start);
    T block;
    if constexpr (D == IST_BFLOAT16) {
      block = dot_block_in_groups(a + start, b + start, size);
    } else {
      block = dot_block(a + start, b + start, size);
    }
    c = start == 0 ? block : sum_of(c, block);
  }
  return c;
}

}  // namespace ist::reference
