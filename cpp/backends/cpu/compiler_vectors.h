// Vectors that the compiler has operators for, as wide as the registers of the level.
#pragma once

#include "backends/cpu/isa_common.h"

namespace ist::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
template <class T, int kBytes>
struct Vector {
  typedef T type __attribute__((vector_size(kBytes)));
};
template <class T>
using Elements = typename Vector<T, kVectorBytes>::type;
template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));

template <class V, class T>
inline V load_as(const T* x) {
  V v;
  __builtin_memcpy(&v, x, sizeof(v));
  return v;
}
template <class T>
inline Elements<T> load(const T* x) {
  return load_as<Elements<T>>(x);
}

}  // namespace
}  // namespace ist::cpu
