// Tile kernels of the elementwise ops with one operand, made from ops.def.
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd_math_long.h"
#include "backends/cpu/simd_near_halves.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

template <class Body, int From, int To>
void unary_tile(int64_t n, void* out, const void* const* in) {
  const Loaded<From>* __restrict a = static_cast<const Loaded<From>*>(in[0]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = Body::apply(Type<From>(a[i]));
}

#define IST_NEAR(name, condition)    \
  template <class T>                 \
  inline T name(Near<T> a) {         \
    return scalar::name##_near(a.x); \
  }                                  \
  template <class T>                 \
  inline bool is_near_##name(T a) {  \
    return scalar::condition(a);     \
  }
IST_NEAR(sin, is_near)
IST_NEAR(cos, is_near)
IST_NEAR(tan, is_near)
IST_NEAR(exp, is_near_exp)
IST_NEAR(sigmoid, is_near_sigmoid)
IST_NEAR(log, is_near_log)
IST_NEAR(log2, is_near_log)
IST_NEAR(log10, is_near_log)
#undef IST_NEAR
inline double erfinv(Near<double> a) { return scalar::erfinv_near(a.x); }
inline bool is_near_erfinv(double a) { return scalar::is_near_erfinv(a); }

template <class Body, int D>
concept HasNearBody = (D == IST_FLOAT32 || D == IST_FLOAT64) && requires(Near<Type<D>> x) { Body::near_apply(x); };

// A loop has no branches, so both bodies would be evaluated for each element: pieces of the tile choose.
template <class Body, class T>
void near_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t kPiece = 256;
  const T* __restrict a = static_cast<const T*>(in[0]);
  T* __restrict r = static_cast<T*>(out);
  for (int64_t start = 0; start < n; start += kPiece) {
    const int64_t end = start + kPiece < n ? start + kPiece : n;
    Unsigned<sizeof(T)> any_far = 0;
    for (int64_t i = start; i < end; ++i) any_far |= Body::is_near(a[i]) ? 0 : 1;
    if (any_far == 0) {
      for (int64_t i = start; i < end; ++i) r[i] = Body::near_apply(Near<T>{a[i]});
    } else {
      for (int64_t i = start; i < end; ++i) r[i] = Body::apply(a[i]);
    }
  }
}

// Long functions have several callers, and what is not inlined is no loop of vectors: those of doubles, which complex64
// computes in as well, and the reductions of far angles. (Inlined early, conditions of float arcsin become branches.)
template <TileFn kTile>
[[gnu::flatten, gnu::noinline]] void flat(int64_t n, void* out, const void* const* in) {
  kTile(n, out, in);
}
template <int D, TileFn kTile>
constexpr TileFn kFlat = D == IST_FLOAT64 || D == IST_COMPLEX64 ? &flat<kTile> : kTile;

template <class Body, class V>
concept HasVectorBody = requires(V x) { Body::vector_apply(x); };

#if defined(IST_NEAR_VECTORS)
template <class T>
using Four = std::conditional_t<sizeof(T) == 4, NearFour, NearFourDouble>;
template <class Body, int D>
concept HasFourBody = (D == IST_FLOAT32 || D == IST_FLOAT64) && requires(Four<Type<D>> x) { Body::vector_apply(x); };

constexpr int64_t kFarPiece = 64;
// Of any numbers.
template <class Body, class T>
inline void far_piece(int64_t n, const T* __restrict a, T* __restrict r) {
  int64_t i = 0;
  if constexpr (std::is_same_v<T, float> && HasVectorBody<Body, VecMath>) {
    for (; i + VecMath::kWidth <= n; i += VecMath::kWidth) Body::vector_apply(VecMath::load(a + i)).store(r + i);
  }
  for (; i < n; ++i) r[i] = Body::apply(a[i]);
}

// near_tile() with four vectors at a time, whose operations alternate. The last four begin where others have been
// before; they are kept from the start, because the result may take the place of the operand.
template <class Body, class T>
void near_four_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t W = Four<T>::kWidth;
  const T* __restrict a = static_cast<const T*>(in[0]);
  T* __restrict r = static_cast<T*>(out);
  const size_t bytes = sizeof(T) * static_cast<size_t>(n);
  T last[W];
  if (n < W) {
    for (T& x : last) x = 1;  // near
    __builtin_memcpy(last, a, bytes);
  } else {
    Four<T>::load(a + n - W).store(last);
  }
  int64_t i = 0;
  while (n - i >= W) {
    for (; n - i >= W; i += W) {
      const Four<T> x = Four<T>::load(a + i);
      if (Body::any_far(x)) break;
      Body::vector_apply(x).store(r + i);
    }
    const int64_t end = n - i < W ? i : n - i < kFarPiece ? n : i + kFarPiece;
    far_piece<Body>(end - i, a + i, r + i);
    i = end;
  }
  if (i == n) return;
  const void* const operand[1] = {last};
  flat<&near_four_tile<Body, T>>(W, n < W ? last : r + n - W, operand);
  if (n < W) __builtin_memcpy(r, last, bytes);
}

// Results that are in no cache when they are read go past it from the registers, and the operand is asked for line by
// line between the functions of others: memory and arithmetic take their time together.
template <class Body, class T>
void streamed_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t W = Four<T>::kWidth, kAhead = 4096 / sizeof(T), kOfLine = 64 / sizeof(T);
  const TileFn others = &flat<&near_four_tile<Body, T>>;
  const T* a = static_cast<const T*>(in[0]);
  T* r = static_cast<T*>(out);
  if (reinterpret_cast<uintptr_t>(r) % sizeof(VecF32) != 0) return others(n, out, in);
  for (int64_t i = 0; i < n;) {
    for (; n - i >= W; i += W) {
      const Four<T> x = Four<T>::load(a + i);
      if (Body::any_far(x)) break;
      for (int64_t line = 0; line < W; line += kOfLine) __builtin_prefetch(a + i + kAhead + line);
      Body::vector_apply(x).stream(r + i);
    }
    const int64_t count = n - i < kFarPiece ? n - i : kFarPiece;
    const void* const operand[1] = {a + i};
    others(count, r + i, operand);
    i += count;
  }
}
#else
template <class Body, int D>
constexpr bool HasFourBody = false;
#endif

#if defined(IST_VECTOR_MATH)
template <class Body>
inline VecF32 vector_body(VecF32 x) {
  return {Body::vector_apply(VecMath(x)).v};
}
template <class Body>
inline VecF64 vector_body(VecF64 x) {
  return Body::vector_apply(x);
}

// `kStreams`: results go past the caches from the registers, and the operand is asked for ahead.
template <class Body, class V, class T, bool kStreams = false>
void vector_tile(int64_t n, void* out, const void* const* in) {
  constexpr int W = V::kWidth;
  constexpr int64_t kAhead = 4096 / sizeof(T);
  const T* a = static_cast<const T*>(in[0]);
  T* r = static_cast<T*>(out);
  if (kStreams && reinterpret_cast<uintptr_t>(r) % sizeof(V) != 0) return vector_tile<Body, V, T>(n, out, in);
  const auto put = [](V value, T* to) __attribute__((always_inline)) {
    if constexpr (kStreams) {
      value.stream(to);
    } else {
      value.store(to);
    }
  };
  int64_t i = 0;
  // Two at a time: their chains of operations do not wait for each other.
  for (; i + 2 * W <= n; i += 2 * W) {
    V first = V::load(a + i), second = V::load(a + i + W);
    if constexpr (kStreams) __builtin_prefetch(a + i + kAhead), __builtin_prefetch(a + i + kAhead + W);
    first = vector_body<Body>(first), second = vector_body<Body>(second);
    put(first, r + i), put(second, r + i + W);
  }
  for (; i + W <= n; i += W) put(vector_body<Body>(V::load(a + i)), r + i);
  if (i == n) return;
  const typename V::Mask left = V::mask(static_cast<int>(n - i));
  vector_body<Body>(V::load(a + i, left)).store(r + i, left);
}
#endif

#if defined(IST_STORES_HALVES)
// Half types in one pass, for ops whose bodies leave registers for it.
inline VecF32 square(VecF32 a) { return {a.v * a.v}; }
inline VecF32 exp(VecF32 a) { return {exp(VecMath(a)).v}; }
inline VecF32 sigmoid(VecF32 a) { return {sigmoid(VecMath(a)).v}; }
inline VecF32 tanh(VecF32 a) { return {tanh(VecMath(a)).v}; }
inline VecF32 erf(VecF32 a) { return {erf(VecMath(a)).v}; }
inline VecF32 log(VecF32 a) { return {log(VecMath(a)).v}; }
#if defined(__AVX512F__)
template <int kMode>
inline VecF32 to_integer(VecF32 a) {
  return {_mm512_roundscale_ps(a.v, kMode | _MM_FROUND_NO_EXC)};
}
#else
template <int kMode>
inline VecF32 to_integer(VecF32 a) {
  return {_mm256_round_ps(a.v, kMode | _MM_FROUND_NO_EXC)};
}
inline VecF32 sqrt(VecF32 a) { return {_mm256_sqrt_ps(a.v)}; }
inline VecF32 rsqrt(VecF32 a) { return {_mm256_set1_ps(1.0f) / sqrt(a).v}; }
#endif
inline VecF32 ceil(VecF32 a) { return to_integer<_MM_FROUND_TO_POS_INF>(a); }
inline VecF32 floor(VecF32 a) { return to_integer<_MM_FROUND_TO_NEG_INF>(a); }
inline VecF32 trunc(VecF32 a) { return to_integer<_MM_FROUND_TO_ZERO>(a); }
inline VecF32 rint(VecF32 a) { return to_integer<_MM_FROUND_TO_NEAREST_INT>(a); }

template <class Body>
concept HasHalfBody = requires(VecF32 x) { Body::vector_apply(x); };

struct Body_exp;

// Four vectors of near numbers at a time. No exp of a bfloat16 is halfway between two of them; what comes out as such
// is a little more.
template <class Body, class Half, bool kStreams = false>
inline bool near_four(const Half* from, Half* to) {
  constexpr bool kTiesUp = std::is_same_v<Body, Body_exp>;
  if (Body::any_far(from)) return false;
  const Halves x = load_four(from);
  NearFour y;
  if constexpr (requires { Body::vector_apply(x); }) {
    y = Body::vector_apply(x).numbers;
  } else {
    y = Body::vector_apply(x.numbers);
  }
  VecF32::store_two_numbers<kTiesUp, kStreams>(to, {y.first.first.v}, {y.first.second.v});
  VecF32::store_two_numbers<kTiesUp, kStreams>(to + 2 * VecF32::kWidth, {y.second.first.v}, {y.second.second.v});
  return true;
}

template <class Body, int D>
void half_tile(int64_t n, void* out, const void* const* in) {
  constexpr int W = VecF32::kWidth;
  const Type<D>* a = static_cast<const Type<D>*>(in[0]);
  Type<D>* r = static_cast<Type<D>*>(out);
  const auto two = [](const Type<D>* from, Type<D>* to) {
    VecF32 first, second;
    VecF32::load_two(from, first, second);
    VecF32::store_two(to, Body::vector_apply(first), Body::vector_apply(second));
  };
  int64_t i = 0;
  if constexpr (HasFourBody<Body, IST_FLOAT32>) {
    for (; i + 4 * W <= n; i += 4 * W) {
      if (near_four<Body>(a + i, r + i)) [[likely]]
        continue;
      two(a + i, r + i), two(a + i + 2 * W, r + i + 2 * W);
    }
  }
  for (; i + 2 * W <= n; i += 2 * W) two(a + i, r + i);
  if (i == n) return;
  Type<D> part[2 * W] = {};
  const size_t bytes = sizeof(Type<D>) * static_cast<size_t>(n - i);
  __builtin_memcpy(part, a + i, bytes);
  two(part, part);
  __builtin_memcpy(r + i, part, bytes);
}
#endif

#if defined(__AVX512F__)
// streamed_tile() for half types.
template <class Body, int D>
void streamed_half_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t W = 4 * VecF32::kWidth, kAhead = 4096 / sizeof(Type<D>);
  const TileFn others = &flat<&half_tile<Body, D>>;
  const Type<D>* a = static_cast<const Type<D>*>(in[0]);
  Type<D>* r = static_cast<Type<D>*>(out);
  if (reinterpret_cast<uintptr_t>(r) % sizeof(VecF32) != 0) return others(n, out, in);
  for (int64_t i = 0; i < n;) {
    for (; n - i >= W; i += W) {
      __builtin_prefetch(a + i + kAhead), __builtin_prefetch(a + i + kAhead + W / 2);
      if (!near_four<Body, Type<D>, true>(a + i, r + i)) break;
    }
    const int64_t count = n - i < W ? n - i : W;
    const void* const operand[1] = {a + i};
    others(count, r + i, operand);
    i += count;
  }
}
#endif

struct Body_negative;
struct Body_abs;

// Of half types: nothing but the sign changes.
template <bool kNegates>
void sign_tile(int64_t n, void* out, const void* const* in) {
  const uint16_t* __restrict a = static_cast<const uint16_t*>(in[0]);
  uint16_t* __restrict r = static_cast<uint16_t*>(out);
  for (int64_t i = 0; i < n; ++i) r[i] = kNegates ? a[i] ^ 0x8000u : a[i] & 0x7fffu;
}

template <class Body, int D>
constexpr TileFn half_fn() {
  if constexpr (std::is_same_v<Body, Body_negative>) return &sign_tile<true>;
  if constexpr (std::is_same_v<Body, Body_abs>) return &sign_tile<false>;
#if defined(IST_STORES_HALVES)
  if constexpr (HasHalfBody<Body>) return &flat<&half_tile<Body, D>>;
#endif
  return nullptr;
}

template <class Body, Class c, int D>
constexpr TileFn unary_fn() {
#if defined(IST_NEAR_VECTORS)
  if constexpr (HasFourBody<Body, D>) return &flat<&near_four_tile<Body, Type<D>>>;
#endif
#if defined(IST_VECTOR_MATH)
  constexpr bool takes_one = !HasFourBody<Body, D>;
  if constexpr (takes_one && D == IST_FLOAT32 && HasVectorBody<Body, VecMath>) return &vector_tile<Body, VecF32, float>;
  if constexpr (takes_one && D == IST_FLOAT64 && HasVectorBody<Body, VecF64>) return &vector_tile<Body, VecF64, double>;
#endif
  if constexpr (HasNearBody<Body, D>) {
    return &flat<&near_tile<Body, Type<D>>>;
  } else if constexpr (takes(c, D)) {
    return kFlat<D, &unary_tile<Body, D, result_dtype(c, D)>>;
  } else {
    return nullptr;
  }
}

template <class Body, int D>
constexpr TileFn streamed_half_fn() {
#if defined(__AVX512F__)
  if constexpr (HasFourBody<Body, IST_FLOAT32> && HasHalfBody<Body>) return &flat<&streamed_half_tile<Body, D>>;
#endif
  return nullptr;
}

template <class Body, int D>
constexpr TileFn streamed_fn() {
#if defined(IST_NEAR_VECTORS)
  if constexpr (HasFourBody<Body, D>) return &flat<&streamed_tile<Body, Type<D>>>;
#endif
#if defined(__AVX512F__)
  if constexpr (D == IST_FLOAT32 && HasVectorBody<Body, VecMath>) return &vector_tile<Body, VecF32, float, true>;
  if constexpr (D == IST_FLOAT64 && HasVectorBody<Body, VecF64>) return &vector_tile<Body, VecF64, double, true>;
#endif
  return nullptr;
}

// vector_apply and any_far are there for the functions that simd_math.h, simd_math_long.h or simd_near*.h have under
// this name, near_apply for those above.
#define IST_BODY_ROW(id, name, dtypes)    \
  struct Body_##name {                    \
    template <class T>                    \
    static inline auto apply(T x) {       \
      return scalar::name(x);             \
    }                                     \
    template <class V>                    \
    static inline V vector_apply(V x)     \
      requires requires { V(name(x)); }   \
    {                                     \
      return name(x);                     \
    }                                     \
    template <class... V>                 \
    static inline bool any_far(V... x) {  \
      return any_far_##name(x...);        \
    }                                     \
    template <class T>                    \
    static inline T near_apply(Near<T> x) \
      requires requires { T(name(x)); }   \
    {                                     \
      return name(x);                     \
    }                                     \
    template <class T>                    \
    static inline bool is_near(T x) {     \
      return is_near_##name(x);           \
    }                                     \
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
    row[IST_FLOAT16] = half_fn<Body, IST_FLOAT16>();                  \
    row[IST_BFLOAT16] = half_fn<Body, IST_BFLOAT16>();                \
    TileFn* streamed = table.streamed[id];                            \
    streamed[IST_FLOAT32] = streamed_fn<Body, IST_FLOAT32>();         \
    streamed[IST_FLOAT64] = streamed_fn<Body, IST_FLOAT64>();         \
    streamed[IST_FLOAT16] = streamed_half_fn<Body, IST_FLOAT16>();    \
    streamed[IST_BFLOAT16] = streamed_half_fn<Body, IST_BFLOAT16>();  \
  }
#include "ops/ops.def"
#undef IST_OP
  return table;
}

constexpr UnaryTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::UnaryTable* IST_ISA_NAME(unary)() { return &ist::cpu::table; }
