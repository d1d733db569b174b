// Tile kernels of the elementwise ops with one operand, made from ops.def.
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/isa_common.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

template <class Body, int From, int To>
void unary_tile(int64_t n, void* out, const void* const* in) {
  const Type<From>* __restrict a = static_cast<const Type<From>*>(in[0]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = Body::apply(a[i]);
}

template <class Body, Class c, int D>
constexpr TileFn unary_fn() {
  if constexpr (takes(c, D)) {
    return &unary_tile<Body, D, result_dtype(c, D)>;
  } else {
    return nullptr;
  }
}

#define IST_BODY_ROW(id, name, dtypes) \
  struct Body_##name {                 \
    template <class T>                 \
    static inline auto apply(T x) {    \
      return scalar::name(x);          \
    }                                  \
  };
#define IST_ARITY_1(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_2(id, name, dtypes)
#define IST_ARITY_3(id, name, dtypes)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CLASS_##dtypes(id, name, arity)
#include "ops/ops.def"
#undef IST_BODY_ROW

constexpr UnaryTable make_table() {
  UnaryTable table{};
#define IST_ENTRY(dtype) row[dtype] = unary_fn<Body, c, dtype>();
#define IST_BODY_ROW(id, name, dtypes)                                \
  {                                                                   \
    static_assert(id < kElementwiseIds, "an elementwise id is " #id); \
    using Body = Body_##name;                                         \
    constexpr Class c = Class::dtypes;                                \
    TileFn* row = table.fn[id];                                       \
    IST_FOR_COMPUTE_DTYPES(IST_ENTRY)                                 \
  }
#include "ops/ops.def"
#undef IST_OP
  return table;
}

constexpr UnaryTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::UnaryTable* IST_ISA_NAME(unary)() { return &ist::cpu::table; }
