// Element types, their properties and MLX's promotion rules.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "abi/backend.h"

namespace ist {

enum class DType : uint8_t {
  bool_ = IST_BOOL,
  uint8 = IST_UINT8,
  uint16 = IST_UINT16,
  uint32 = IST_UINT32,
  uint64 = IST_UINT64,
  int8 = IST_INT8,
  int16 = IST_INT16,
  int32 = IST_INT32,
  int64 = IST_INT64,
  float16 = IST_FLOAT16,
  bfloat16 = IST_BFLOAT16,
  float32 = IST_FLOAT32,
  float64 = IST_FLOAT64,
  complex64 = IST_COMPLEX64,
};
inline constexpr int kDTypeCount = 14;

int itemsize(DType dtype);
const char* name(DType dtype);  // "float32"; "bool" for bool_
bool parse_dtype(std::string_view name, DType& out);

inline bool is_bool(DType t) { return t == DType::bool_; }
inline bool is_unsigned(DType t) { return t >= DType::uint8 && t <= DType::uint64; }
inline bool is_signed(DType t) { return t >= DType::int8 && t <= DType::int64; }
inline bool is_integer(DType t) { return t >= DType::uint8 && t <= DType::int64; }  // not bool
inline bool is_float(DType t) { return t >= DType::float16 && t <= DType::float64; }
inline bool is_complex(DType t) { return t == DType::complex64; }
inline bool is_inexact(DType t) { return t >= DType::float16; }

// The dtype in which an op of `a` and `b` computes, as upstream's result_type has it.
DType promote(DType a, DType b);
// `t` itself if it is float or complex, otherwise float32: what ops like exp do with integers.
inline DType at_least_float(DType t) { return is_inexact(t) ? t : DType::float32; }

std::ostream& operator<<(std::ostream& out, DType dtype);

}  // namespace ist
