// Keys: unsigned numbers that are in the order of the elements that they are made of.
#pragma once

#include "backends/cpu/isa_common.h"

namespace ist::cpu {
namespace {

template <class U>
constexpr U kTop = static_cast<U>(U{1} << (8 * sizeof(U) - 1));

// Floating point with `kInfinity` as the bits of infinity: negative numbers inverted, NaN the largest key.
template <class U, U kInfinity>
inline U float_key(U bits) {
  const U key = bits & kTop<U> ? static_cast<U>(~bits) : static_cast<U>(bits | kTop<U>);
  return (bits & static_cast<U>(~kTop<U>)) > kInfinity ? static_cast<U>(~U{0}) : key;
}
template <class U>
inline U float_bits(U key) {  // the largest key becomes a NaN by itself
  return key & kTop<U> ? static_cast<U>(key & ~kTop<U>) : static_cast<U>(~key);
}

template <int D>
struct Key {  // integers
  using Bits = Unsigned<sizeof(Type<D>)>;
  static constexpr bool kSigned = D >= IST_INT8 && D <= IST_INT64;
  static inline Bits key(Bits x) { return kSigned ? static_cast<Bits>(x ^ kTop<Bits>) : x; }
  static inline Bits bits(Bits key) { return Key::key(key); }
  static inline Bits without_sign_of_zero(Bits x) { return x; }
};
template <class U, U kInfinity>
struct FloatKey {
  using Bits = U;
  static inline U key(U x) { return float_key<U, kInfinity>(x); }
  static inline U bits(U key) { return float_bits<U>(key); }
  static inline U without_sign_of_zero(U x) { return x == kTop<U> ? U{0} : x; }
};
template <>
struct Key<IST_FLOAT16> : FloatKey<uint16_t, 0x7c00> {};
template <>
struct Key<IST_BFLOAT16> : FloatKey<uint16_t, 0x7f80> {};
template <>
struct Key<IST_FLOAT32> : FloatKey<uint32_t, 0x7f800000u> {};
template <>
struct Key<IST_FLOAT64> : FloatKey<uint64_t, 0x7ff0000000000000u> {};
template <>
struct Key<IST_COMPLEX64> {  // of the order alone: real parts, then imaginary ones
  using Bits = uint64_t;
  using Part = Key<IST_FLOAT32>;
  static inline uint64_t key(uint64_t x) {
    const uint32_t re = Part::key(static_cast<uint32_t>(x)), im = Part::key(static_cast<uint32_t>(x >> 32));
    return (re == ~0u) | (im == ~0u) ? ~uint64_t{0} : uint64_t{re} << 32 | im;
  }
  static inline uint64_t without_sign_of_zero(uint64_t x) {
    const uint64_t re = Part::without_sign_of_zero(static_cast<uint32_t>(x));
    return static_cast<uint64_t>(Part::without_sign_of_zero(static_cast<uint32_t>(x >> 32))) << 32 | re;
  }
};

// Of argsort, where -0 and +0 are equal.
template <int D>
inline typename Key<D>::Bits order_key(typename Key<D>::Bits x) {
  return Key<D>::key(Key<D>::without_sign_of_zero(x));
}

template <int D>
using SortKey = Unsigned<sizeof(Type<D>) == 8 ? 8 : 4>;

}  // namespace
}  // namespace ist::cpu
