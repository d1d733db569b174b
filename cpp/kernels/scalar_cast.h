// Conversions between compute types: the astype table of docs/bit_contract.md.
#pragma once

#include <type_traits>

#include "kernels/float_bits.h"

namespace ist {
namespace {
namespace scalar {

// Toward zero, saturating; NaN gives 0. The conversion itself only ever sees numbers that fit.
template <class From>
inline int64_t saturating_int64(From x) {
  const bool fits = (x >= From(-0x1p63)) & (x < From(0x1p63));
  const int64_t inside = static_cast<int64_t>(fits ? x : From(0));
  const int64_t beyond = x > From(0) ? INT64_MAX : (x < From(0) ? INT64_MIN : 0);
  return fits ? inside : beyond;
}
template <class From>
inline int32_t saturating_int32(From x) {
  const bool fits = (x >= From(-0x1p31)) & (x < From(0x1p31));
  const int32_t inside = static_cast<int32_t>(fits ? x : From(0));
  const int32_t beyond = x > From(0) ? INT32_MAX : (x < From(0) ? INT32_MIN : 0);
  return fits ? inside : beyond;
}
// The low bits of saturating_int32, for integers of 8 and 16 bits: all ones beyond its highest number, 0 beyond its
// lowest and for NaN. Chosen before the conversion, which leaves one choice for each register of floats.
template <class From>
inline int32_t low_bits_of_int32(From x) {
  const From beyond = x >= From(0x1p31) ? From(-1) : From(0);
  return static_cast<int32_t>(fabs(x) < From(0x1p31) ? x : beyond);
}
template <class From>
inline uint64_t saturating_uint64(From x) {
  const bool high = (x >= From(0x1p63)) & (x < From(0x1p64));
  const uint64_t upper = static_cast<uint64_t>(saturating_int64(high ? x - From(0x1p63) : From(0))) + (1ull << 63);
  const uint64_t lower = static_cast<uint64_t>(saturating_int64(x));
  return x >= From(0x1p64) ? UINT64_MAX : (high ? upper : lower);
}

template <class To, class From>
inline To cast(From x) {
  if constexpr (std::is_same_v<From, complex64>) {
    if constexpr (std::is_same_v<To, complex64>) {
      return x;
    } else if constexpr (std::is_same_v<To, bool>) {
      return (x.re != 0.0f) | (x.im != 0.0f);
    } else {
      return cast<To>(x.re);
    }
  } else if constexpr (std::is_same_v<To, complex64>) {
    return {static_cast<float>(x), 0.0f};
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if constexpr (std::is_same_v<To, int64_t>) {
      return saturating_int64(x);
    } else if constexpr (std::is_same_v<To, uint64_t>) {
      return saturating_uint64(x);
    } else if constexpr (std::is_same_v<To, uint32_t>) {
      return static_cast<uint32_t>(saturating_int64(x));
    } else if constexpr (std::is_same_v<To, int32_t>) {
      return saturating_int32(x);
    } else {
      return static_cast<To>(low_bits_of_int32(x));
    }
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace scalar
}  // namespace
}  // namespace ist
