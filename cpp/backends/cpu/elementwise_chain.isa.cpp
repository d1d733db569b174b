// Several cheap elementwise ops in one pass: the value that each hands to the next stays in registers, where a kernel
// for every op would store it and load it again.
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/elementwise_kernels.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

constexpr int kVectors = 4;  // at a time: enough that choosing the op is a small part

template <class V>
concept IsVector = requires(V x) { x[0]; };

// The ops that vectors have operators for, under the names of ops.def, with the bodies of scalar_ops.h.
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
    template <class T>                     \
    static inline T apply(T x)             \
      requires(!IsVector<T>)               \
    {                                      \
      return scalar::name(x);              \
    }                                      \
    template <class T>                     \
    static inline T apply(T a, T b)        \
      requires(!IsVector<T>)               \
    {                                      \
      return scalar::name(a, b);           \
    }                                      \
  };
#define IST_ARITY_1(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_2(id, name, dtypes) IST_ROW_WITH_BODY(id, name, dtypes)
#define IST_ARITY_3(id, name, dtypes)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CLASS_##dtypes(id, name, arity)
#include "ops/ops.def"
#undef IST_BODY_ROW

template <class Body>
concept IsUnary = requires(Elements<float> x) { Body::template apply<Elements<float>>(x); };
template <class Body>
concept IsBinary = requires(Elements<float> x) { Body::template apply<Elements<float>>(x, x); };

template <class Body, int kCount, class V, class T>
inline void take_step(V (&value)[kCount], const T* operand, bool swapped) {
  constexpr int W = sizeof(V) / sizeof(T);
  if constexpr (IsUnary<Body>) {
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = Body::apply(value[j]);
  } else if constexpr (IsBinary<Body>) {
    if (swapped) {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = Body::apply(load_as<V>(operand + j * W), value[j]);
    } else {
#pragma GCC unroll 8
      for (int j = 0; j < kCount; ++j) value[j] = Body::apply(value[j], load_as<V>(operand + j * W));
    }
  }
}

// From element i on, as many as kCount of V hold.
template <int kCount, class V, class T>
inline void chain_at(int64_t i, T* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = sizeof(V) / sizeof(T);
  const auto operand = [&](int k) { return static_cast<const T*>(in[k]) + i; };
  V value[kCount];
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) value[j] = load_as<V>(operand(0) + j * W);
  for (int s = 0; s < n_steps; ++s) {
    switch (steps[s].op) {
#define IST_BODY_ROW(id, name, dtypes)                               \
  case id:                                                           \
    take_step<Body_##name>(value, operand(1 + s), steps[s].swapped); \
    break;
#include "ops/ops.def"
#undef IST_BODY_ROW
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < kCount; ++j) __builtin_memcpy(out + i + j * W, &value[j], sizeof(V));
}

template <class T>
void chain_tile(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = kWidth<T>;
  T* r = static_cast<T*>(out);
  int64_t i = 0;
  for (; i + kVectors * W <= n; i += kVectors * W) chain_at<kVectors, Elements<T>>(i, r, in, steps, n_steps);
  for (; i + W <= n; i += W) chain_at<1, Elements<T>>(i, r, in, steps, n_steps);
  for (; i < n; ++i) chain_at<1, T>(i, r, in, steps, n_steps);
}

constexpr ChainTable make_table() {
  ChainTable table{};
#define IST_BODY_ROW(id, name, dtypes) table.takes[id] = IsUnary<Body_##name> || IsBinary<Body_##name>;
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
