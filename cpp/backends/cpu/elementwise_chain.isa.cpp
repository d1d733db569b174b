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
concept IsUnary = requires(Elements<T> x) { Body::apply(x); };
template <class Body, class T>
concept IsBinary = requires(Elements<T> x) { Body::apply(x, x); };
template <class Body, class T>
concept IsMath = std::is_same_v<T, float> && requires(Math x) { Body::apply_math(x); };

// A vector, or its first n elements and any for the rest.
template <bool kWhole, class T>
inline Elements<T> load_operand(const T* x, int64_t n) {
  if constexpr (kWhole) return load(x);
  Elements<T> v{};
  __builtin_memcpy(&v, x, static_cast<size_t>(n) * sizeof(T));
  return v;
}

template <class Body, bool kWhole, int kCount, class T>
inline void take_step(Elements<T> (&value)[kCount], const T* operand, int64_t n, bool swapped) {
  constexpr int W = kWidth<T>;
  if constexpr (IsUnary<Body, T>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = Body::apply(value[j]);
  } else if constexpr (IsMath<Body, T>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = Elements<T>(Body::apply_math(Math(Register(value[j]))).v);
  } else if constexpr (IsBinary<Body, T>) {
    if (swapped) {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = Body::apply(load_operand<kWhole>(operand + j * W, n), value[j]);
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = Body::apply(value[j], load_operand<kWhole>(operand + j * W, n));
    }
  }
}

// Element i and those behind it: kCount vectors, or the first n elements of one.
template <int kCount, bool kWhole, class T>
inline void chain_at(int64_t i, int64_t n, T* out, const void* const* in, const ChainStep* steps, int n_steps) {
  using V = Elements<T>;
  V value[kCount];
  const T* start = static_cast<const T*>(in[0]) + i;
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) value[j] = load_operand<kWhole>(start + j * kWidth<T>, n);
  for (int s = 0; s < n_steps; ++s) {
    const T* operand = static_cast<const T*>(in[1 + s]) + (steps[s].constant ? 0 : i);
    switch (steps[s].op) {
#define IST_BODY_ROW(id, name, dtypes)                                   \
  case id:                                                               \
    take_step<Body_##name, kWhole>(value, operand, n, steps[s].swapped); \
    break;
#include "ops/ops.def"
#undef IST_BODY_ROW
    }
  }
  T* result = out + i;
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) {
    __builtin_memcpy(result + j * kWidth<T>, &value[j], kWhole ? sizeof(V) : static_cast<size_t>(n) * sizeof(T));
  }
}

template <class T>
void chain_tile(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = kWidth<T>;
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
