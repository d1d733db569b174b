// Numbers and names of the safetensors format that its reader and its writer share.
#pragma once

#include <cstdint>

#include "graph/dtype.h"

namespace ist::safetensors {

inline constexpr uint64_t kLengthSize = 8;           // bytes that hold the header's length, at the start of a file
inline constexpr uint64_t kMaxHeader = 100'000'000;  // bytes of a header

inline constexpr const char* kLoad = "load_safetensors";  // for messages
inline constexpr const char* kSave = "save_safetensors";

struct NamedDType {
  const char* name;
  DType dtype;
};
inline constexpr NamedDType kDTypes[] = {
    {"BOOL", DType::bool_},  {"U8", DType::uint8},      {"I8", DType::int8},       {"U16", DType::uint16},
    {"I16", DType::int16},   {"U32", DType::uint32},    {"I32", DType::int32},     {"U64", DType::uint64},
    {"I64", DType::int64},   {"F16", DType::float16},   {"BF16", DType::bfloat16}, {"F32", DType::float32},
    {"F64", DType::float64}, {"C64", DType::complex64},
};

}  // namespace ist::safetensors
