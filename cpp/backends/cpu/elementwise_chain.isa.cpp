// Several elementwise ops in one pass: the value that each hands to the next stays in registers, where a kernel for
// every op would store it and load it again.
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/simd_math.h"

namespace ist::cpu {
namespace {

constexpr int kVectors = 8;  // at a time: enough that choosing the op is a small part
static_assert(kVectors * kVectorBytes <= kChainBlockBytes);

template <class V>
concept IsVector = requires(V x) { x[0]; };

// The ops of ops.def that compilers' vectors have operators for, with the bodies of scalar_ops.h.
// clang-format off
template <IsVector V> inline V negative(V x) { return -x; }
template <IsVector V> inline V square(V x) { return x * x; }
template <IsVector V> inline V add(V a, V b) { return a + b; }
template <IsVector V> inline V subtract(V a, V b) { return a - b; }
template <IsVector V> inline V multiply(V a, V b) { return a * b; }
template <IsVector V> inline V divide(V a, V b) { return a / b; }
template <IsVector V> inline V maximum(V a, V b) { return ((a > b) | (a != a)) ? a : b; }
template <IsVector V> inline V minimum(V a, V b) { return ((a < b) | (a != a)) ? a : b; }
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

#define IST_BODY_ROW(id, name, dtypes)     \
  struct Body_##name {                     \
    template <IsVector V>                  \
    static inline V apply(V x)             \
      requires requires { V(name(x)); }    \
    {                                      \
      return name(x);                      \
    }                                      \
    template <IsVector V>                  \
    static inline V apply(V a, V b)        \
      requires requires { V(name(a, b)); } \
    {                                      \
      return name(a, b);                   \
    }                                      \
    template <class M>                     \
    static inline M apply_math(M x)        \
      requires requires { M(name(x)); }    \
    {                                      \
      return name(x);                      \
    }                                      \
  };
#define IST_ARITY_1(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_2(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_3(id, name, dtypes)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CLASS_##dtypes(id, name, arity)
#include "ops/ops.def"
#undef IST_BODY_ROW

template <class Body, class T>
concept IsUnary = requires(Value<T> x) { Body::apply(x); };
template <class Body, class T>
concept IsBinary = requires(Value<T> x) { Body::apply(x, x); };
template <class Body, class T>
concept IsMath = std::is_same_v<Value<T>, Elements<float>> && requires(Math x) { Body::apply_math(x); };

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
  if constexpr (std::is_same_v<Body, Body_negative> || std::is_same_v<Body, Body_maximum> ||
                std::is_same_v<Body, Body_minimum>) {
    return v;
  } else {
    return rounded<T>(v);
  }
}

template <class Body, class T, bool kWhole, int kCount>
inline void take_step(Value<T> (&value)[kCount], const Of<T>* operand, int64_t n, bool swapped) {
  constexpr int W = kLength<T>;
  if constexpr (IsUnary<Body, T>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = finished<Body, T>(Body::apply(value[j]));
  } else if constexpr (IsMath<Body, T>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) {
      value[j] = finished<Body, T>(Value<T>(Body::apply_math(Math(Register(value[j]))).v));
    }
  } else if constexpr (IsBinary<Body, T>) {
    if (swapped) {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) {
        value[j] = finished<Body, T>(Body::apply(load_operand<kWhole>(operand + j * W, n), value[j]));
      }
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) {
        value[j] = finished<Body, T>(Body::apply(value[j], load_operand<kWhole>(operand + j * W, n)));
      }
    }
  }
}

// Element i and those behind it: kCount vectors, or the first n elements of one.
template <int kCount, bool kWhole, class T>
inline void chain_at(int64_t i, int64_t n, T* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = kLength<T>;
  constexpr bool kConverts = !std::is_same_v<T, Of<T>>;
  Value<T> value[kCount];
  const T* start = static_cast<const T*>(in[0]) + i;
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) value[j] = load_operand<kWhole>(start + j * W, n);
  [[maybe_unused]] alignas(kVectorBytes) Of<T> converted[kConverts ? kCount * W : 1];
  for (int s = 0; s < n_steps; ++s) {
    const ChainStep step = steps[s];
    const T* place = static_cast<const T*>(in[1 + s]) + i;
    const Of<T>* operand = static_cast<const Of<T>*>(in[1 + s]);
    if constexpr (!kConverts) {
      operand += step.constant ? 0 : i;
    } else if (!step.constant) {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) store_values(converted + j * W, load_operand<kWhole>(place + j * W, n));
      operand = converted;
    }
    switch (step.op) {
      case ChainStep::kLoad:
#pragma GCC unroll 8
        for (int j = 0; j < kCount; ++j) value[j] = load_operand<kWhole>(operand + j * W, n);
        break;
      case ChainStep::kStore:
        if (kConverts && !step.constant) {
#pragma GCC unroll 8
          for (int j = 0; j < kCount; ++j) store_operand<kWhole>(const_cast<T*>(place) + j * W, value[j], n);
        } else {
#pragma GCC unroll 8
          for (int j = 0; j < kCount; ++j) store_operand<kWhole>(const_cast<Of<T>*>(operand) + j * W, value[j], n);
        }
        break;
#define IST_BODY_ROW(id, name, dtypes)                                  \
  case id:                                                              \
    take_step<Body_##name, T, kWhole>(value, operand, n, step.swapped); \
    break;
#include "ops/ops.def"
#undef IST_BODY_ROW
    }
  }
  T* result = out + i;
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) store_operand<kWhole>(result + j * W, value[j], n);
}

template <class T>
void chain_tile(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = kLength<T>;
  T* r = static_cast<T*>(out);
  int64_t i = 0;
  for (; i + kVectors * W <= n; i += kVectors * W) chain_at<kVectors, true>(i, 0, r, in, steps, n_steps);
  if (i + kVectors / 2 * W <= n) {
    chain_at<kVectors / 2, true>(i, 0, r, in, steps, n_steps);
    i += kVectors / 2 * W;
  }
  for (; i + W <= n; i += W) chain_at<1, true>(i, 0, r, in, steps, n_steps);
  if (i < n) chain_at<1, false>(i, n - i, r, in, steps, n_steps);
}

template <class Body, class T>
constexpr bool has_step = IsUnary<Body, T> || IsBinary<Body, T> || IsMath<Body, T>;

constexpr ChainTable make_table() {
  ChainTable table{};
#define IST_BODY_ROW(id, name, dtypes)                          \
  table.takes[IST_FLOAT32][id] = has_step<Body_##name, float>;  \
  table.takes[IST_FLOAT64][id] = has_step<Body_##name, double>; \
  table.takes[IST_BFLOAT16][id] = kHasBfloat16 && has_step<Body_##name, bfloat16>;
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_OP
#if defined(__AVX512F__)
  table.keeps[IST_FLOAT32] = table.keeps[IST_FLOAT64] = true;
#endif
  table.keeps[IST_BFLOAT16] = kHasBfloat16;
  table.fn[IST_FLOAT32] = &chain_tile<float>;
  table.fn[IST_FLOAT64] = &chain_tile<double>;
#if defined(IST_STORES_HALVES)
  table.fn[IST_BFLOAT16] = &chain_tile<bfloat16>;
#endif
  return table;
}

constexpr ChainTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ChainTable* IST_ISA_NAME(chain)() { return &ist::cpu::table; }
