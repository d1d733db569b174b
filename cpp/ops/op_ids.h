// The op enum, from ops.def.
#pragma once

#include <cstdint>

namespace ist {

enum class Op : uint16_t {
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) name = id,
#include "ops/ops.def"
#undef IST_OP
};

inline constexpr int kOpIdLimit = 512;  // ids are below this; the table is indexed by id

}  // namespace ist
