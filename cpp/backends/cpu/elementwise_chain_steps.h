// Steps of elementwise ops in one pass: what each does with the vectors that a chain holds.
#pragma once

#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/simd_math.h"
#include "backends/cpu/vector_bools.h"

namespace ist::cpu {
namespace {

constexpr int kVectors = 8;  // at a time: enough that choosing the op is a small part
static_assert(kVectors * kVectorBytes <= kChainBlockBytes);

// The ops of ops.def that compilers' vectors have operators for, with the bodies of scalar_ops.h.
// clang-format off
template <IsVector V> inline Bools<V> isnan(V x) { return not_equal(x, x); }
template <IsVector V> inline V negative(V x) { return -x; }
template <IsVector V> inline V abs(V x) { using Bits = decltype(x == x); return V(Bits(x) & ~Bits(-V{})); }
template <IsVector V> inline V sign(V x) { return x > 0 ? V{} + 1 : (x < 0 ? V{} - 1 : V{}); }
template <IsVector V> inline V square(V x) { return x * x; }
template <IsVector V> inline V add(V a, V b) { return a + b; }
template <IsVector V> inline V subtract(V a, V b) { return a - b; }
template <IsVector V> inline V multiply(V a, V b) { return a * b; }
template <IsVector V> inline V divide(V a, V b) { return a / b; }
template <IsVector V> inline V maximum(V a, V b) { return ((a > b) | (a != a)) ? a : b; }
template <IsVector V> inline V minimum(V a, V b) { return ((a < b) | (a != a)) ? a : b; }
// Of bools, which are numbers or vectors.
template <class B> inline B logical_not(B a) { return static_cast<B>(~a); }
template <class B> inline B logical_and(B a, B b) { return static_cast<B>(a & b); }
template <class B> inline B logical_or(B a, B b) { return static_cast<B>(a | b); }
template <class B> inline B logical_xor(B a, B b) { return static_cast<B>(a ^ b); }
template <class B> inline B bitwise_invert(B a) { return static_cast<B>(~a); }
template <class B> inline B bitwise_and(B a, B b) { return static_cast<B>(a & b); }
template <class B> inline B bitwise_or(B a, B b) { return static_cast<B>(a | b); }
template <class B> inline B bitwise_xor(B a, B b) { return static_cast<B>(a ^ b); }
// clang-format on

// What values of a chain are held in: bfloat16 as float32, rounded after each step. (float16 has instructions that
// convert, with which a pass for each op is as fast.)
template <class T>
struct Held {
  using type = T;
};
template <>
struct Held<bfloat16> {
  using type = float;
};
template <class T>
using Of = typename Held<T>::type;
template <class T>
using Value = Elements<Of<T>>;
template <class T>
constexpr int kLength = kWidth<Of<T>>;

template <class T>
inline Value<T> load_values(const T* x) {
  return load(x);
}
template <class T>
inline void store_values(T* x, const Value<T>& v) {
  __builtin_memcpy(x, &v, sizeof(v));
}
template <class T>
inline Value<T> rounded(Value<T> v) {
  return v;
}

#if defined(IST_STORES_HALVES)
inline VecF32 vector_of(Elements<float> v) { return {decltype(VecF32::v)(v)}; }
inline Value<bfloat16> load_values(const bfloat16* x) { return Value<bfloat16>(VecF32::load(x).v); }
inline void store_values(bfloat16* x, const Value<bfloat16>& v) { vector_of(v).store_upper(x); }
// No step may make a NaN whose lower half is not 0: a carry would go through its exponent. Those of operands, of the
// processor and of simd_math.h are such.
template <>
inline Value<bfloat16> rounded<bfloat16>(Value<bfloat16> v) {
  using Words = Elements<uint32_t>;
  const Words bits = Words(v);
  return Value<bfloat16>((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u);
}
constexpr bool kHasBfloat16 = true;
#else
constexpr bool kHasBfloat16 = false;
#endif

// What the functions of simd_math.h take.
#if defined(IST_VECTOR_MATH)
using Math = VecMath;
using Register = decltype(Math::v);
#else
struct Math {};
#endif

#define IST_BODY_ROW(id, name, dtypes)             \
  struct Body_##name {                             \
    static constexpr Class kClass = Class::dtypes; \
    template <IsVector V>                          \
    static inline V apply(V x)                     \
      requires requires { V(name(x)); }            \
    {                                              \
      return name(x);                              \
    }                                              \
    template <IsVector V>                          \
    static inline V apply(V a, V b)                \
      requires requires { V(name(a, b)); }         \
    {                                              \
      return name(a, b);                           \
    }                                              \
    template <IsVector V>                          \
    static inline Bools<V> test(V x)               \
      requires requires { Bools<V>(name(x)); }     \
    {                                              \
      return name(x);                              \
    }                                              \
    template <IsVector V>                          \
    static inline Bools<V> test(V a, V b)          \
      requires requires { Bools<V>(name(a, b)); }  \
    {                                              \
      return name(a, b);                           \
    }                                              \
    template <class B>                             \
    static inline B combine(B x)                   \
      requires requires { B(name(x)); }            \
    {                                              \
      return name(x);                              \
    }                                              \
    template <class B>                             \
    static inline B combine(B a, B b)              \
      requires requires { B(name(a, b)); }         \
    {                                              \
      return name(a, b);                           \
    }                                              \
    template <class M>                             \
    static inline M apply_math(M x)                \
      requires requires { M(name(x)); }            \
    {                                              \
      return name(x);                              \
    }                                              \
  };
#define IST_ARITY_1(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_2(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_3(id, name, dtypes)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CLASS_##dtypes(id, name, arity)
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_ARITY_3

constexpr bool takes_bools(Class c) { return c == Class::logical || c == Class::bitwise; }
template <class Body>
constexpr bool kMakesNumbers = Body::kClass != Class::compare && !takes_bools(Body::kClass);

template <class Body, class T>
concept IsUnary = kMakesNumbers<Body> && requires(Value<T> x) { Body::apply(x); };
template <class Body, class T>
concept IsBinary = kMakesNumbers<Body> && requires(Value<T> x) { Body::apply(x, x); };
template <class Body, class T>
concept IsMath =
    kMakesNumbers<Body> && std::is_same_v<Value<T>, Elements<float>> && requires(Math x) { Body::apply_math(x); };
template <class Body, class T>
concept IsTest = Body::kClass == Class::compare && requires(Value<T> x) { Body::test(x); };
template <class Body, class T>
concept IsComparison = Body::kClass == Class::compare && requires(Value<T> x) { Body::test(x, x); };
template <class Body, class T>
concept IsOfOneBool = takes_bools(Body::kClass) && requires(Bools<Value<T>> x) { Body::combine(x); };
template <class Body, class T>
concept IsOfTwoBools = takes_bools(Body::kClass) && requires(Bools<Value<T>> x) { Body::combine(x, x); };

template <class Body, class T>
constexpr bool has_step = IsUnary<Body, T> || IsBinary<Body, T> || IsMath<Body, T> || IsTest<Body, T> ||
                          IsComparison<Body, T> || IsOfOneBool<Body, T> || IsOfTwoBools<Body, T>;

// A vector, or its first n elements and any for the rest.
template <bool kWhole, class T>
inline Value<T> load_operand(const T* x, int64_t n) {
  if constexpr (kWhole) return load_values(x);
  T part[kLength<T>] = {};
  __builtin_memcpy(part, x, static_cast<size_t>(n) * sizeof(T));
  return load_values(part);
}
template <bool kWhole, class T>
inline void store_operand(T* x, const Value<T>& v, int64_t n) {
  if constexpr (kWhole) return store_values(x, v);
  T part[kLength<T>];
  store_values(part, v);
  __builtin_memcpy(x, part, static_cast<size_t>(n) * sizeof(T));
}

// After a step whose result may need it.
template <class Body, class T>
inline Value<T> finished(Value<T> v) {
  if constexpr (std::is_same_v<Body, Body_negative> || std::is_same_v<Body, Body_abs> ||
                std::is_same_v<Body, Body_sign> || std::is_same_v<Body, Body_maximum> ||
                std::is_same_v<Body, Body_minimum>) {
    return v;
  } else {
    return rounded<T>(v);
  }
}

// What there is between the steps besides numbers, which stay in registers: what the last step has made if it is bool,
// and the other operand of the next one. Setting it before the first step would cost more than that step.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // steps read what steps before them have set
#endif
template <class T, int kCount>
struct Beside {
  Bools<Value<T>> bools[kCount], other_bools[kCount];
  const Of<T>* other;
};

template <class Body, class T>
inline Value<T> math_step(Value<T> v) {
  return finished<Body, T>(Value<T>(Body::apply_math(Math(Register(v))).v));
}
template <class Body, class T>
[[gnu::noinline]] void math_steps(Value<T>* values, int n) {
  for (int j = 0; j < n; ++j) values[j] = math_step<Body, T>(values[j]);
}
template <class Body, class T, int kCount>
inline void take_math(Value<T> (&value)[kCount]) {
  if constexpr (kAvx2Alone && !std::is_same_v<Body, Body_sqrt>) {
    // By way of memory, unless it is one instruction: with 16 registers, what the other functions need of them would
    // keep two values out of them between all other steps as well.
    Value<T> values[kCount];
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) values[j] = value[j];
    math_steps<Body, T>(values, kCount);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = values[j];
  } else {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = math_step<Body, T>(value[j]);
  }
}

// The same place under another name, for one branch of several that read it: GCC would load what they have in common
// before it branches, and 16 registers are too few to hold it.
template <class T>
inline const T* apart(const T* x) {
  if constexpr (kAvx2Alone) asm("" : "+r"(x));
  return x;
}

// kEqual: one vector is the operand of all.
template <class Body, class T, bool kWhole, bool kEqual = false, int kCount>
inline void take_step(Value<T> (&value)[kCount], Beside<T, kCount>& beside, const Of<T>* operand, int64_t n,
                      int position) {
  constexpr int W = kLength<T>;
  auto& bools = beside.bools;
  Value<T> equal;
  if constexpr (kEqual) equal = load_operand<kWhole>(operand, n);
  const auto load_at = [&](int j) __attribute__((always_inline)) {
    if constexpr (kEqual) return equal;
    return load_operand<kWhole>(operand + j * W, n);
  };
  if constexpr (IsUnary<Body, T>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = finished<Body, T>(Body::apply(value[j]));
  } else if constexpr (IsMath<Body, T>) {
    take_math<Body, T>(value);
  } else if constexpr (IsBinary<Body, T>) {
    if (position != 0) {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = finished<Body, T>(Body::apply(load_at(j), value[j]));
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = finished<Body, T>(Body::apply(value[j], load_at(j)));
    }
  } else if constexpr (IsTest<Body, T>) {
    set_bools(bools, [&](int j) __attribute__((always_inline)) { return Body::test(value[j]); });
  } else if constexpr (IsComparison<Body, T>) {
    if (position != 0) {
      operand = apart(operand);
      set_bools(bools, [&](int j) __attribute__((always_inline)) { return Body::test(load_at(j), value[j]); });
    } else {
      set_bools(bools, [&](int j) __attribute__((always_inline)) { return Body::test(value[j], load_at(j)); });
    }
  } else if constexpr (IsOfOneBool<Body, T>) {
    for (int j = 0; j < kCount; ++j) bools[j] = Body::combine(bools[j]);
  } else if constexpr (IsOfTwoBools<Body, T>) {
    for (int j = 0; j < kCount; ++j) bools[j] = Body::combine(bools[j], beside.other_bools[j]);
  }
}

// value + product, value - product, or product - value, with `other` and the operand as factors.
template <class Body, class T, bool kWhole, bool kEqual = false, int kCount>
inline void take_product(Value<T> (&value)[kCount], const Of<T>* other, const Of<T>* operand, int64_t n, int position) {
  constexpr int W = kLength<T>;
  Value<T> equal;
  if constexpr (kEqual) equal = load_operand<kWhole>(other, n);
  const auto product_at = [&](int j) __attribute__((always_inline)) {
    const Value<T> factor = kEqual ? equal : load_operand<kWhole>(other + j * W, n);
    return rounded<T>(factor * load_operand<kWhole>(operand + j * W, n));
  };
  if (position == 0) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = rounded<T>(Body::apply(value[j], product_at(j)));
  } else {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = rounded<T>(Body::apply(product_at(j), value[j]));
  }
}

template <class Body, class T, bool kWhole, int kCount>
[[gnu::noinline]] void take_product_apart(Value<T> (&values)[kCount], const Of<T>* other, const Of<T>* operand,
                                          int64_t n, int position) {
  take_product<Body, T, kWhole>(values, other, operand, n, position);
}
// Between steps of bools by way of memory, where registers are few: else GCC has more of the others' in memory.
template <class Body, class T, bool kWhole, bool kOfBools, int kCount>
inline void take_product_step(Value<T> (&value)[kCount], const Of<T>* other, const Of<T>* operand, int64_t n,
                              int position) {
  if constexpr (kAvx2Alone && kOfBools) {
    Value<T> values[kCount];
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) values[j] = value[j];
    take_product_apart<Body, T, kWhole>(values, other, operand, n, position);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = values[j];
  } else {
    take_product<Body, T, kWhole>(value, other, operand, n, position);
  }
}

template <bool kWhole, class T, int kCount>
inline void take_where(Value<T> (&value)[kCount], const Beside<T, kCount>& beside, const Of<T>* operand, int64_t n,
                       int position) {
  constexpr int W = kLength<T>;
  const auto load_at = [&](const Of<T>* x, int j)
                           __attribute__((always_inline)) { return load_operand<kWhole>(x + j * W, n); };
  // Each branch sets its bools apart by itself: in common they would be loaded before the branch.
  if (position == 0) {
    const Bools<Value<T>>* bools = apart(beside.bools);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = where(bools[j], load_at(beside.other, j), load_at(operand, j));
  } else if (position == 1) {
    const Bools<Value<T>>* bools = apart(beside.bools);
    operand = apart(operand);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = where(bools[j], value[j], load_at(operand, j));
  } else {
    const Bools<Value<T>>* bools = apart(beside.bools);
    operand = apart(operand);
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = where(bools[j], load_at(operand, j), value[j]);
  }
}

}  // namespace
}  // namespace ist::cpu
