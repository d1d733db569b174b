// Several elementwise ops in one pass: the value that each hands to the next stays in registers, where a kernel for
// every op would store it and load it again.
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/simd_math.h"

namespace ist::cpu {
namespace {

constexpr int kVectors = 8;  // at a time: enough that choosing the op is a small part

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

// What the functions of simd_math.h take.
struct NoMath {};
template <IsVector V>
inline NoMath math_of(V) {
  return {};
}
#if defined(IST_VECTOR_MATH)
inline VecMath math_of(Elements<float> x) { return VecMath(decltype(VecMath::v)(x)); }
#endif

#define IST_BODY_ROW(id, name, dtypes)             \
  struct Body_##name {                             \
    template <IsVector V>                          \
    static inline V apply(V x)                     \
      requires requires { V(name(x)); }            \
    {                                              \
      return name(x);                              \
    }                                              \
    template <IsVector V>                          \
    static inline V apply(V x)                     \
      requires requires { V(name(math_of(x)).v); } \
    {                                              \
      return V(name(math_of(x)).v);                \
    }                                              \
    template <IsVector V>                          \
    static inline V apply(V a, V b)                \
      requires requires { V(name(a, b)); }         \
    {                                              \
      return name(a, b);                           \
    }                                              \
  };
#define IST_ARITY_1(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_2(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_3(id, name, dtypes)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CLASS_##dtypes(id, name, arity)
#include "ops/ops.def"
#undef IST_BODY_ROW

template <class Body, class V>
concept IsUnary = requires(V x) { Body::apply(x); };
template <class Body, class V>
concept IsBinary = requires(V x) { Body::apply(x, x); };

// The first n elements, and any for the rest.
template <class V, class T>
inline V load_first(const T* x, int64_t n) {
  V v{};
  __builtin_memcpy(&v, x, static_cast<size_t>(n) * sizeof(T));
  return v;
}

template <class Body, int kCount, class V, class Load>
inline void take_step(V (&value)[kCount], bool swapped, Load operand) {
  if constexpr (IsUnary<Body, V>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = Body::apply(value[j]);
  } else if constexpr (IsBinary<Body, V>) {
    if (swapped) {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = Body::apply(operand(j), value[j]);
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = Body::apply(value[j], operand(j));
    }
  }
}

// Element i and those behind it: kCount vectors, or the first n elements of one.
template <int kCount, bool kWhole, class T>
inline void chain_at(int64_t i, int64_t n, T* out, const void* const* in, const ChainStep* steps, int n_steps) {
  using V = Elements<T>;
  const auto load_operand = [&](int k, int j) {
    const T* from = static_cast<const T*>(in[k]) + i + j * kWidth<T>;
    if constexpr (kWhole) {
      return load(from);
    } else {
      return load_first<V>(from, n);
    }
  };
  V value[kCount];
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) value[j] = load_operand(0, j);
  for (int s = 0; s < n_steps; ++s) {
    const auto operand = [&](int j) { return load_operand(1 + s, j); };
    switch (steps[s].op) {
#define IST_BODY_ROW(id, name, dtypes)                        \
  case id:                                                    \
    take_step<Body_##name>(value, steps[s].swapped, operand); \
    break;
#include "ops/ops.def"
#undef IST_BODY_ROW
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
    __builtin_memcpy(out + i + j * kWidth<T>, &value[j], kWhole ? sizeof(V) : static_cast<size_t>(n) * sizeof(T));
  }
}

template <class T>
void chain_tile(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = kWidth<T>;
  T* r = static_cast<T*>(out);
  int64_t i = 0;
  for (; i + kVectors * W <= n; i += kVectors * W) chain_at<kVectors, true>(i, 0, r, in, steps, n_steps);
  for (; i + W <= n; i += W) chain_at<1, true>(i, 0, r, in, steps, n_steps);
  if (i < n) chain_at<1, false>(i, n - i, r, in, steps, n_steps);
}

template <class Body, class T>
constexpr bool has_step = IsUnary<Body, Elements<T>> || IsBinary<Body, Elements<T>>;

constexpr ChainTable make_table() {
  ChainTable table{};
#define IST_BODY_ROW(id, name, dtypes)                         \
  table.takes[IST_FLOAT32][id] = has_step<Body_##name, float>; \
  table.takes[IST_FLOAT64][id] = has_step<Body_##name, double>;
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_OP
  table.fn[IST_FLOAT32] = &chain_tile<float>;
  table.fn[IST_FLOAT64] = &chain_tile<double>;
  return table;
}

constexpr ChainTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ChainTable* IST_ISA_NAME(chain)() { return &ist::cpu::table; }
