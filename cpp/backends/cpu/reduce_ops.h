// The operations that reductions and cumulative ops repeat, and what they start from. `vectors` is `apply` for every
// element of the compiler's vectors, which there are of all types but bool and complex64.
#pragma once

#include "backends/cpu/isa_common.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

struct Sum {
  template <class T>
  static inline T apply(T a, T b) {
    return scalar::add(a, b);
  }
  template <class V>
  static inline V vectors(V a, V b) {
    return a + b;
  }
  template <class T>
  static inline T identity() {
    return scalar::cast<T>(int32_t{0});
  }
};

struct Prod {
  template <class T>
  static inline T apply(T a, T b) {
    return scalar::multiply(a, b);
  }
  template <class V>
  static inline V vectors(V a, V b) {
    return a * b;
  }
  template <class T>
  static inline T identity() {
    return scalar::cast<T>(int32_t{1});
  }
};

template <class T>
struct Limits {  // integers
  static constexpr bool kSigned = static_cast<T>(-1) < static_cast<T>(1);
  static constexpr T lowest() { return kSigned ? static_cast<T>(uint64_t{1} << (8 * sizeof(T) - 1)) : T{0}; }
  static constexpr T highest() { return static_cast<T>(~lowest()); }
};
template <>
struct Limits<bool> {
  static constexpr bool lowest() { return false; }
  static constexpr bool highest() { return true; }
};
template <>
struct Limits<float> {
  static constexpr float lowest() { return -__builtin_inff(); }
  static constexpr float highest() { return __builtin_inff(); }
};
template <>
struct Limits<double> {
  static constexpr double lowest() { return -__builtin_inf(); }
  static constexpr double highest() { return __builtin_inf(); }
};
template <>
struct Limits<complex64> {
  static constexpr complex64 lowest() { return {-__builtin_inff(), -__builtin_inff()}; }
  static constexpr complex64 highest() { return {__builtin_inff(), __builtin_inff()}; }
};

struct Max {
  template <class T>
  static inline T apply(T a, T b) {
    return scalar::maximum(a, b);
  }
  template <class V>
  static inline V vectors(V a, V b) {
    const V chosen = a > b ? a : b;
    return a == a ? chosen : a;
  }
  template <class T>
  static inline T identity() {
    return Limits<T>::lowest();
  }
};

struct Min {
  template <class T>
  static inline T apply(T a, T b) {
    return scalar::minimum(a, b);
  }
  template <class V>
  static inline V vectors(V a, V b) {
    const V chosen = a < b ? a : b;
    return a == a ? chosen : a;
  }
  template <class T>
  static inline T identity() {
    return Limits<T>::highest();
  }
};

template <class F, class T>
void identity(int64_t n, void* result) {
  T* out = static_cast<T*>(result);
  for (int64_t i = 0; i < n; ++i) out[i] = F::template identity<T>();
}

}  // namespace
}  // namespace ist::cpu

// Applies X(dtype, computed) to every dtype that is summed, and the one it is computed in: in two's complement signed
// and unsigned sums and products have the same bits.
// clang-format off
#define IST_FOR_ACCUMULATORS(X) \
  X(IST_UINT8, IST_UINT8) X(IST_UINT16, IST_UINT16) X(IST_UINT32, IST_UINT32) X(IST_UINT64, IST_UINT64) \
  X(IST_INT8, IST_UINT8) X(IST_INT16, IST_UINT16) X(IST_INT32, IST_UINT32) X(IST_INT64, IST_UINT64) \
  X(IST_FLOAT32, IST_FLOAT32) X(IST_FLOAT64, IST_FLOAT64) X(IST_COMPLEX64, IST_COMPLEX64)
// clang-format on
