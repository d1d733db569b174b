// One element at a time, whatever its dtype: loaded into a slot as its compute type, converted, stored.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/types.h"

namespace ist::reference {

// Holds one value of any compute type.
struct Slot {
  alignas(8) unsigned char bytes[8];
};

template <class T>
T get(const Slot& slot) {
  static_assert(sizeof(T) <= sizeof(Slot));
  T value;
  std::memcpy(&value, slot.bytes, sizeof(T));
  return value;
}

template <class T>
void put(Slot& slot, T value) {
  static_assert(sizeof(T) <= sizeof(Slot));
  std::memcpy(slot.bytes, &value, sizeof(T));
}

inline constexpr uint32_t kDTypes = 14;

using LoadFn = void (*)(const std::byte* from, Slot& to);
using StoreFn = void (*)(const Slot& from, std::byte* to);
using ConvertFn = void (*)(const Slot& from, Slot& to);

LoadFn loader(uint32_t dtype);
StoreFn storer(uint32_t dtype);
// Between the compute types of two dtypes, by the rules of astype.
ConvertFn converter(uint32_t from, uint32_t to);
int64_t size_of(uint32_t dtype);

inline bool is_known(uint32_t dtype) { return dtype < kDTypes; }
inline bool is_integer(uint32_t dtype) { return dtype >= IST_UINT8 && dtype <= IST_INT64; }
inline bool is_float(uint32_t dtype) { return dtype >= IST_FLOAT16 && dtype <= IST_FLOAT64; }
inline bool is_inexact(uint32_t dtype) { return dtype >= IST_FLOAT16 && dtype <= IST_COMPLEX64; }

// Calls f(std::integral_constant<int, dtype>()).
template <class F>
void visit_dtype(uint32_t dtype, F f) {
  switch (dtype) {
#define IST_CASE(id) \
  case id:           \
    return f(std::integral_constant<int, id>());
    IST_CASE(IST_BOOL)
    IST_CASE(IST_UINT8)
    IST_CASE(IST_UINT16)
    IST_CASE(IST_UINT32)
    IST_CASE(IST_UINT64)
    IST_CASE(IST_INT8)
    IST_CASE(IST_INT16)
    IST_CASE(IST_INT32)
    IST_CASE(IST_INT64)
    IST_CASE(IST_FLOAT16)
    IST_CASE(IST_BFLOAT16)
    IST_CASE(IST_FLOAT32)
    IST_CASE(IST_FLOAT64)
    IST_CASE(IST_COMPLEX64)
#undef IST_CASE
  }
}

}  // namespace ist::reference
