// Tile kernels of the elementwise ops with two operands, made from ops.def, and of `where`.
#include "backends/cpu/division_by_one.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

struct Body_floor_divide;
struct Body_remainder;

template <class Body, int From, int To>
void binary_tile(int64_t n, void* out, const void* const* in) {
  const Type<From>* __restrict a = static_cast<const Type<From>*>(in[0]);
  const Type<From>* __restrict b = static_cast<const Type<From>*>(in[1]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  if constexpr (From >= IST_UINT8 && From <= IST_INT64) {
    constexpr bool is_remainder = std::is_same_v<Body, Body_remainder>;
    if constexpr (is_remainder || std::is_same_v<Body, Body_floor_divide>) {
      if (divide_by_one<Type<From>, is_remainder>(n, a, b, r)) return;
    }
  }
  for (int64_t i = 0; i < n; ++i) r[i] = Body::apply(a[i], b[i]);
}

#if defined(IST_STORES_HALVES)
// Half types in one pass, for the ops that vectors have operators for.
inline VecF32 add(VecF32 a, VecF32 b) { return {a.v + b.v}; }
inline VecF32 subtract(VecF32 a, VecF32 b) { return {a.v - b.v}; }
inline VecF32 multiply(VecF32 a, VecF32 b) { return {a.v * b.v}; }
inline VecF32 divide(VecF32 a, VecF32 b) { return {a.v / b.v}; }
inline VecF32 maximum(VecF32 a, VecF32 b) { return {(a.v > b.v) | (a.v != a.v) ? a.v : b.v}; }
inline VecF32 minimum(VecF32 a, VecF32 b) { return {(a.v < b.v) | (a.v != a.v) ? a.v : b.v}; }

template <class Body, int D>
void half_tile(int64_t n, void* out, const void* const* in) {
  constexpr int W = VecF32::kWidth;
  const Type<D>* a = static_cast<const Type<D>*>(in[0]);
  const Type<D>* b = static_cast<const Type<D>*>(in[1]);
  Type<D>* r = static_cast<Type<D>*>(out);
  int64_t i = 0;
  for (; i + W <= n; i += W) Body::vector_apply(VecF32::load(a + i), VecF32::load(b + i)).store(r + i);
  for (; i < n; ++i) r[i] = Storage<D>::store(Body::apply(Storage<D>::load(a[i]), Storage<D>::load(b[i])));
}
template <class Body>
concept HasVectorBody = requires(VecF32 x) { Body::vector_apply(x, x); };
#endif

template <class Body, int D>
constexpr TileFn half_fn() {
#if defined(IST_STORES_HALVES)
  if constexpr (HasVectorBody<Body>) return &half_tile<Body, D>;
#endif
  return nullptr;
}

template <class Body, Class c, int D>
constexpr TileFn binary_fn() {
  if constexpr (takes(c, D)) {
    return &binary_tile<Body, D, result_dtype(c, D)>;
  } else {
    return nullptr;
  }
}

// Selecting moves bits, so one kernel does for all dtypes of a size.
template <class T>
void where_tile(int64_t n, void* out, const void* const* in) {
  const uint8_t* __restrict condition = static_cast<const uint8_t*>(in[0]);
  const T* __restrict a = static_cast<const T*>(in[1]);
  const T* __restrict b = static_cast<const T*>(in[2]);
  T* __restrict r = static_cast<T*>(out);
  // By masks: a choice between the two becomes a branch, and a mispredicted one at every other element.
  for (int64_t i = 0; i < n; ++i) {
    const T mask = static_cast<T>(-static_cast<T>(condition[i]));
    r[i] = static_cast<T>((a[i] & mask) | (b[i] & ~mask));
  }
}

#define IST_BODY_ROW(id, name, dtypes)     \
  struct Body_##name {                     \
    template <class T>                     \
    static inline auto apply(T a, T b) {   \
      return scalar::name(a, b);           \
    }                                      \
    template <class V>                     \
    static inline V vector_apply(V a, V b) \
      requires requires { V(name(a, b)); } \
    {                                      \
      return name(a, b);                   \
    }                                      \
  };
#define IST_ARITY_1(id, name, dtypes)
#define IST_ARITY_2(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_3(id, name, dtypes) \
  static_assert(Class::dtypes == Class::select, #name " has three operands but is no selection");
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CLASS_##dtypes(id, name, arity)
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_ARITY_3

constexpr BinaryTable make_table() {
  BinaryTable table{};
#define IST_ARITY_3(id, name, dtypes)
#define IST_ENTRY(dtype) row[dtype] = binary_fn<Body, c, dtype>();
#define IST_BODY_ROW(id, name, dtypes)                                \
  {                                                                   \
    static_assert(id < kElementwiseIds, "an elementwise id is " #id); \
    using Body = Body_##name;                                         \
    constexpr Class c = Class::dtypes;                                \
    TileFn* row = table.fn[id];                                       \
    IST_FOR_COMPUTE_DTYPES(IST_ENTRY)                                 \
    row[IST_FLOAT16] = half_fn<Body, IST_FLOAT16>();                  \
    row[IST_BFLOAT16] = half_fn<Body, IST_BFLOAT16>();                \
  }
#include "ops/ops.def"
#undef IST_OP
  table.where[0] = &where_tile<Bits8>;
  table.where[1] = &where_tile<Bits16>;
  table.where[2] = &where_tile<Bits32>;
  table.where[3] = &where_tile<Bits64>;
  return table;
}

constexpr BinaryTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::BinaryTable* IST_ISA_NAME(binary)() { return &ist::cpu::table; }
