#include "graph/dtype.h"

#include <ostream>

namespace ist {
namespace {

struct DTypeInfo {
  const char* name;
  int itemsize;
};

constexpr DTypeInfo kInfo[kDTypeCount] = {
    {"bool", 1},  {"uint8", 1}, {"uint16", 2},  {"uint32", 4},   {"uint64", 8},  {"int8", 1},    {"int16", 2},
    {"int32", 4}, {"int64", 8}, {"float16", 2}, {"bfloat16", 2}, {"float32", 4}, {"float64", 8}, {"complex64", 8},
};

// Integers: the smaller type that holds both, signed where one is; uint64 with a signed type has no such integer and
// becomes float32, as upstream decides.
DType promote_integers(DType a, DType b) {
  if (is_signed(a) == is_signed(b)) return itemsize(a) >= itemsize(b) ? a : b;
  const DType u = is_unsigned(a) ? a : b;
  const DType s = is_unsigned(a) ? b : a;
  if (u == DType::uint64) return DType::float32;
  if (itemsize(s) > itemsize(u)) return s;
  return static_cast<DType>(static_cast<int>(u) + (static_cast<int>(DType::int16) - static_cast<int>(DType::uint8)));
}

}  // namespace

int itemsize(DType dtype) { return kInfo[static_cast<int>(dtype)].itemsize; }
const char* name(DType dtype) { return kInfo[static_cast<int>(dtype)].name; }

bool parse_dtype(std::string_view text, DType& out) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (text == kInfo[i].name) {
      out = static_cast<DType>(i);
      return true;
    }
  }
  return false;
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (is_complex(a) || is_complex(b)) return DType::complex64;
  if (is_float(a) && is_float(b)) {
    const bool halves = itemsize(a) == 2 && itemsize(b) == 2;  // float16 and bfloat16 hold neither each other's values
    return halves ? DType::float32 : (itemsize(a) >= itemsize(b) ? a : b);
  }
  if (is_float(a)) return a;
  if (is_float(b)) return b;
  if (is_bool(a)) return b;
  if (is_bool(b)) return a;
  return promote_integers(a, b);
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

}  // namespace ist
