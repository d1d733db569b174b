// The widest vectors with fused multiply-add of the level that is compiled, for the matrix kernels.
#pragma once

#if defined(__AVX512F__) || defined(__AVX2__)
#define IST_STORES_HALVES 1
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 on its own intrinsics that start from any register
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#endif
#if defined(__AVX512F__)
#include "backends/cpu/simd_avx512.h"
#elif defined(__AVX2__)
#include "backends/cpu/simd_avx2.h"
#elif defined(__ARM_NEON)
#include "backends/cpu/simd_neon.h"
#endif

#include "kernels/types.h"

namespace ist::cpu {
namespace {

// Every vector type V of T has
//   zero() load(p) load(p, mask) broadcast(x) store(p) store(p, mask)   with mask(n): the first n lanes, 1 at least
//   fma(a, b, c) = a * b + c, fnma(a, b, c) = -a * b + c, add(a, b)
//   transpose(rows): kWidth vectors as a square. Always inlined: in a large file the compiler would call it, and the
//     vectors go through memory
//   transpose_halves(rows), with AVX2 for float: the lower halves of kWidth / 2 vectors as a square, the upper ones too
//   transpose_six(rows), with AVX2: the same numbers by columns, six of the first lanes, six of the second and so on
// all but OneElement,
//   load_halves(p, q): the lower lanes of load(p), the upper ones of load(q)
//   blend<lanes>(a, b): b where its bit of `lanes` is set; rotate(a): each lane to the next of its ring of kRing lanes
// where there are two rings, store_ring_starts(p): the first lane of each, which are kRing elements apart
// and VecF32 loads from half types and, where there are instructions for it (IST_STORES_HALVES), stores to them, and
// two vectors at once: load_two(p, a, b) and store_two(p, a, b) have the elements in an order of their own.

// One element at a time: with the C library's fma, where the level has no instruction for it.
template <class T>
struct OneElement {
  static constexpr int kWidth = 1;
  using Mask = int;
  T v;
  static inline Mask mask(int n) { return n; }
  static inline OneElement zero() { return {0}; }
  static inline OneElement load(const T* p) { return {*p}; }
  static inline OneElement load(const T* p, Mask) { return {*p}; }
  template <class Half>
  static inline OneElement load(const Half* p) {
    return {to_float(*p)};
  }
  static inline OneElement broadcast(T x) { return {x}; }
  static inline OneElement fma(OneElement a, OneElement b, OneElement c) {
    if constexpr (sizeof(T) == 4) {
      return {__builtin_fmaf(a.v, b.v, c.v)};
    } else {
      return {__builtin_fma(a.v, b.v, c.v)};
    }
  }
  static inline OneElement fnma(OneElement a, OneElement b, OneElement c) { return fma({-a.v}, b, c); }
  static inline OneElement add(OneElement a, OneElement b) { return {a.v + b.v}; }
  inline void store(T* p) const { *p = v; }
  inline void store(T* p, Mask) const { *p = v; }
  static inline void transpose(OneElement (&)[1]) {}
};

#if !defined(__AVX512F__) && !defined(__AVX2__) && !defined(__ARM_NEON)
// No fused instruction at this level.
using VecF32 = OneElement<float>;
using VecF64 = OneElement<double>;
constexpr int kTileRows = 2;
constexpr int kComplexTileRows = 2;
#endif

}  // namespace
}  // namespace ist::cpu
