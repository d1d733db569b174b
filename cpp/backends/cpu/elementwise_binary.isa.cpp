// Tile kernels of the elementwise ops with two operands, made from ops.def, and of `where`.
#include "backends/cpu/cache_size.h"
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/division_by_one.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd_math_long.h"
#include "backends/cpu/stream_line.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

struct Body_floor_divide;
struct Body_remainder;

template <class Body, int D>
constexpr bool kDivides = D >= IST_UINT8 && D <= IST_INT64 &&
                          (std::is_same_v<Body, Body_remainder> || std::is_same_v<Body, Body_floor_divide>);

template <class Body, int From, int To, bool kEqualDivisors = false>
void binary_tile(int64_t n, void* out, const void* const* in) {
  const Type<From>* __restrict a = static_cast<const Type<From>*>(in[0]);
  const Type<From>* __restrict b = static_cast<const Type<From>*>(in[1]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  if constexpr (kDivides<Body, From>) {
    constexpr bool is_remainder = std::is_same_v<Body, Body_remainder>;
    if (divide_by_one<Type<From>, is_remainder, kEqualDivisors>(n, a, b, r)) return;
  }
  for (int64_t i = 0; i < n; ++i) r[i] = Body::apply(a[i], b[i]);
}

struct Body_add;
struct Body_subtract;
struct Body_multiply;
struct Body_divide;
template <class Body>
constexpr bool kIsArithmetic = std::is_same_v<Body, Body_add> || std::is_same_v<Body, Body_subtract> ||
                               std::is_same_v<Body, Body_multiply> || std::is_same_v<Body, Body_divide>;

// Results that go past the caches from registers.
template <class Body, int D>
constexpr TileFn streamed_fn() {
  if constexpr (kVectorBytes >= 32 && kIsArithmetic<Body> && (D == IST_FLOAT32 || D == IST_FLOAT64)) {
    return [](int64_t n, void* out, const void* const* in) {
#if defined(__AVX2__)
      using T = Type<D>;
      constexpr int64_t kPiece = 128 / sizeof(T);
      const T* __restrict a = static_cast<const T*>(in[0]);
      const T* __restrict b = static_cast<const T*>(in[1]);
      T* __restrict r = static_cast<T*>(out);
      int64_t i = 0;
      for (; n - i >= kPiece && reinterpret_cast<uintptr_t>(r) % kVectorBytes == 0; i += kPiece) {
        alignas(kVectorBytes) T piece[kPiece];
        for (int64_t k = 0; k < kPiece; ++k) piece[k] = Body::apply(a[i + k], b[i + k]);
        for (int64_t k = 0; k < kPiece; k += kLine / sizeof(T)) stream_line(r + i + k, piece + k);
      }
      const void* const rest[] = {a + i, b + i};
      binary_tile<Body, D, D>(n - i, r + i, rest);
#endif
    };
  }
  return nullptr;
}

#if defined(IST_VECTOR_MATH)
template <class Body>
inline VecF32 vector_body(VecF32 a, VecF32 b) {
  return {Body::vector_apply(VecMath(a), VecMath(b)).v};
}
template <class Body>
void vector_tile(int64_t n, void* out, const void* const* in) {
  constexpr int W = VecF32::kWidth;
  const float* a = static_cast<const float*>(in[0]);
  const float* b = static_cast<const float*>(in[1]);
  float* r = static_cast<float*>(out);
  int64_t i = 0;
  // Two at a time: their chains of operations do not wait for each other.
  for (; i + 2 * W <= n; i += 2 * W) {
    const VecF32 first = vector_body<Body>(VecF32::load(a + i), VecF32::load(b + i));
    const VecF32 second = vector_body<Body>(VecF32::load(a + i + W), VecF32::load(b + i + W));
    first.store(r + i);
    second.store(r + i + W);
  }
  for (; i + W <= n; i += W) vector_body<Body>(VecF32::load(a + i), VecF32::load(b + i)).store(r + i);
  if (i == n) return;
  const VecF32::Mask left = VecF32::mask(static_cast<int>(n - i));
  vector_body<Body>(VecF32::load(a + i, left), VecF32::load(b + i, left)).store(r + i, left);
}
template <class Body>
concept HasVectorBody = requires(VecMath x) { Body::vector_apply(x, x); };
#endif

template <class T>
inline bool is_remainder_near(Near<T> a, Near<T> b) {
  return scalar::remainder_is_near(a.x, b.x);
}
template <class T>
inline T remainder(Near<T> a, Near<T> b) {
  return scalar::remainder_near(a.x, b.x);
}
inline bool is_power_near(Near<float>, Near<float> b) { return scalar::is_product_power(b.x); }
inline float power(Near<float> a, Near<float> b) { return scalar::product_power(a.x, b.x); }

template <class Body, class T>
concept HasNearBody = std::is_floating_point_v<T> && requires(Near<T> x) { Body::near_apply(x, x); };

template <class Body, class T>
inline void far_piece(int64_t n, const T* __restrict a, const T* __restrict b, T* __restrict r) {
#if defined(IST_VECTOR_MATH)
  if constexpr (std::is_same_v<T, float> && HasVectorBody<Body>) {
    const void* in[] = {a, b};
    return vector_tile<Body>(n, r, in);
  }
#endif
  if constexpr (std::is_same_v<T, double>) {
    // Bodies of doubles that call the C library: one element at a time, so only for those that it takes.
    for (int64_t i = 0; i < n; ++i) r[i] = Body::near_apply(Near<T>{a[i]}, Near<T>{b[i]});
    for (int64_t i = 0; i < n; ++i) {
      if (!Body::is_near(Near<T>{a[i]}, Near<T>{b[i]})) r[i] = Body::apply(a[i], b[i]);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) r[i] = Body::apply(a[i], b[i]);
  }
}

// A loop has no branches, so both bodies would be evaluated for each element: pieces of the tile choose.
template <class Body, class T>
void near_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t kPiece = 1024 / sizeof(T);
  const T* __restrict a = static_cast<const T*>(in[0]);
  const T* __restrict b = static_cast<const T*>(in[1]);
  T* __restrict r = static_cast<T*>(out);
  for (int64_t start = 0; start < n; start += kPiece) {
    const int64_t end = start + kPiece < n ? start + kPiece : n;
    int any_far = 0;
    for (int64_t i = start; i < end; ++i) any_far |= Body::is_near(Near<T>{a[i]}, Near<T>{b[i]}) ? 0 : 1;
    if (any_far == 0) {
      for (int64_t i = start; i < end; ++i) r[i] = Body::near_apply(Near<T>{a[i]}, Near<T>{b[i]});
    } else {
      far_piece<Body>(end - start, a + start, b + start, r + start);
    }
  }
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
  for (; i + 2 * W <= n; i += 2 * W) {
    VecF32 a_first, a_second, b_first, b_second;
    VecF32::load_two(a + i, a_first, a_second);
    VecF32::load_two(b + i, b_first, b_second);
    VecF32::store_two(r + i, Body::vector_apply(a_first, b_first), Body::vector_apply(a_second, b_second));
  }
  for (; i + W <= n; i += W) Body::vector_apply(VecF32::load(a + i), VecF32::load(b + i)).store(r + i);
  for (; i < n; ++i) r[i] = Storage<D>::store(Body::apply(Storage<D>::load(a[i]), Storage<D>::load(b[i])));
}
template <class Body>
concept HasHalfBody = requires(VecF32 x) { Body::vector_apply(x, x); };
#endif

template <class Body, int D>
constexpr TileFn half_fn() {
#if defined(IST_STORES_HALVES)
  if constexpr (HasHalfBody<Body>) return &half_tile<Body, D>;
#endif
  return nullptr;
}

template <class Body, Class c, int D>
constexpr TileFn binary_fn() {
  if constexpr (HasNearBody<Body, Type<D>>) return &near_tile<Body, Type<D>>;
#if defined(IST_VECTOR_MATH)
  if constexpr (D == IST_FLOAT32 && HasVectorBody<Body>) return &vector_tile<Body>;
#endif
  if constexpr (takes(c, D)) {
    return &binary_tile<Body, D, result_dtype(c, D)>;
  } else {
    return nullptr;
  }
}

template <class Body, int D>
constexpr TileFn equal_divisors_fn() {
  if constexpr (kDivides<Body, D>) return &binary_tile<Body, D, D, true>;
  return nullptr;
}

#if defined(__AVX512BW__)
// 64 elements: the bytes of the condition become masks, and need not be widened.
inline void where_together(const uint8_t* condition, const Bits32* a, const Bits32* b, Bits32* r) {
  const __m512i bytes = _mm512_loadu_si512(condition);
  const uint64_t mask = _mm512_test_epi8_mask(bytes, bytes);
#pragma GCC unroll 4
  for (int i = 0; i < 64; i += 16) {
    const __m512i others = _mm512_loadu_si512(b + i);
    _mm512_storeu_si512(r + i, _mm512_mask_loadu_epi32(others, static_cast<__mmask16>(mask >> i), a + i));
  }
}
#endif

// Selecting moves bits, so one kernel does for all dtypes of a size.
template <class T>
void where_tile(int64_t n, void* out, const void* const* in) {
  const uint8_t* __restrict condition = static_cast<const uint8_t*>(in[0]);
  const T* __restrict a = static_cast<const T*>(in[1]);
  const T* __restrict b = static_cast<const T*>(in[2]);
  T* __restrict r = static_cast<T*>(out);
  int64_t i = 0;
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    for (; i + 64 <= n; i += 64) where_together(condition + i, a + i, b + i, r + i);
  }
#endif
  // By masks: a choice between the two becomes a branch, and a mispredicted one at every other element.
  for (; i < n; ++i) {
    const T mask = static_cast<T>(-static_cast<T>(condition[i]));
    r[i] = static_cast<T>((a[i] & mask) | (b[i] & ~mask));
  }
}

#define IST_BODY_ROW(id, name, dtypes)      \
  struct Body_##name {                      \
    template <class T>                      \
    static inline auto apply(T a, T b) {    \
      return scalar::name(a, b);            \
    }                                       \
    template <class V>                      \
    static inline V vector_apply(V a, V b)  \
      requires requires { V(name(a, b)); }  \
    {                                       \
      return name(a, b);                    \
    }                                       \
    template <class N>                      \
    static inline auto near_apply(N a, N b) \
      requires requires { name(a, b); }     \
    {                                       \
      return name(a, b);                    \
    }                                       \
    template <class N>                      \
    static inline bool is_near(N a, N b) {  \
      return is_##name##_near(a, b);        \
    }                                       \
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
#define IST_ENTRY(dtype)                    \
  row[dtype] = binary_fn<Body, c, dtype>(); \
  equal_divisors[dtype] = equal_divisors_fn<Body, dtype>();
#define IST_BODY_ROW(id, name, dtypes)                                      \
  {                                                                         \
    static_assert(id < kElementwiseIds, "an elementwise id is " #id);       \
    using Body = Body_##name;                                               \
    constexpr Class c = Class::dtypes;                                      \
    TileFn *row = table.fn[id], *equal_divisors = table.equal_divisors[id]; \
    IST_FOR_COMPUTE_DTYPES(IST_ENTRY)                                       \
    row[IST_FLOAT16] = half_fn<Body, IST_FLOAT16>();                        \
    row[IST_BFLOAT16] = half_fn<Body, IST_BFLOAT16>();                      \
    table.streamed[id][IST_FLOAT32] = streamed_fn<Body, IST_FLOAT32>();     \
    table.streamed[id][IST_FLOAT64] = streamed_fn<Body, IST_FLOAT64>();     \
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
