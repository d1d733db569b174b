// Element types as kernels see them: how each dtype is stored, the type that arithmetic on it runs in, and the
// conversions between them.
//
// Everything under kernels/ lives in an unnamed namespace on purpose: these headers are compiled once for every ISA
// level, and a named inline function would be merged by the linker into one copy, of whichever level came first.
#pragma once

#include <cstdint>
#include <cstring>

#include "abi/backend.h"

namespace ist {
namespace {

template <class To, class From>
inline To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

// Storage of the half types; arithmetic on them is float arithmetic, rounded to nearest even once per op.
struct float16 {
  uint16_t bits;
};
struct bfloat16 {
  uint16_t bits;
};
struct complex64 {
  float re, im;
};

// Branch-free, so that loops over them vectorise.
inline float to_float(bfloat16 x) { return bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }

inline bfloat16 to_bfloat16(float x) {
  const uint32_t bits = bit_cast<uint32_t>(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet_nan = (bits >> 16) | 0x40u;  // rounding could carry a NaN into infinity
  return {static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded)};
}

inline float to_float(float16 x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t magnitude = x.bits & 0x7fffu;
  // Normal numbers: rebias the exponent. Infinity and NaN: exponent to all ones. Subnormals: an exact product.
  const uint32_t normal = (magnitude << 13) + 0x38000000u;
  const uint32_t special = (magnitude << 13) | 0x7f800000u;
  const float subnormal = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  uint32_t bits = magnitude >= 0x7c00u ? special : normal;
  bits = magnitude < 0x0400u ? bit_cast<uint32_t>(subnormal) : bits;
  return bit_cast<float>(bits | sign);
}

inline float16 to_float16(float x) {
  const uint32_t bits = bit_cast<uint32_t>(x);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
  // Below 2^-14 the result is subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low mantissa bits.
  const uint32_t subnormal = bit_cast<uint32_t>(bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
  half = magnitude >= 0x477ff000u ? 0x7c00u : half;  // rounds to infinity
  half = magnitude > 0x7f800000u ? 0x7e00u : half;
  return {static_cast<uint16_t>(half | sign)};
}

// Storage<D>::type is what lies in memory, Storage<D>::compute what arithmetic uses; load and store convert.
template <int dtype>
struct Storage;

#define IST_PLAIN_STORAGE(id, T)             \
  template <>                                \
  struct Storage<id> {                       \
    using type = T;                          \
    using compute = T;                       \
    static inline T load(T x) { return x; }  \
    static inline T store(T x) { return x; } \
  };
IST_PLAIN_STORAGE(IST_BOOL, bool)
IST_PLAIN_STORAGE(IST_UINT8, uint8_t)
IST_PLAIN_STORAGE(IST_UINT16, uint16_t)
IST_PLAIN_STORAGE(IST_UINT32, uint32_t)
IST_PLAIN_STORAGE(IST_UINT64, uint64_t)
IST_PLAIN_STORAGE(IST_INT8, int8_t)
IST_PLAIN_STORAGE(IST_INT16, int16_t)
IST_PLAIN_STORAGE(IST_INT32, int32_t)
IST_PLAIN_STORAGE(IST_INT64, int64_t)
IST_PLAIN_STORAGE(IST_FLOAT32, float)
IST_PLAIN_STORAGE(IST_FLOAT64, double)
IST_PLAIN_STORAGE(IST_COMPLEX64, complex64)
#undef IST_PLAIN_STORAGE

template <>
struct Storage<IST_FLOAT16> {
  using type = float16;
  using compute = float;
  static inline float load(float16 x) { return to_float(x); }
  static inline float16 store(float x) { return to_float16(x); }
};
template <>
struct Storage<IST_BFLOAT16> {
  using type = bfloat16;
  using compute = float;
  static inline float load(bfloat16 x) { return to_float(x); }
  static inline bfloat16 store(float x) { return to_bfloat16(x); }
};

}  // namespace
}  // namespace ist
