// Shared by the *.isa.cpp files. Everything is in an unnamed namespace and nothing of std:: is used that the compiler
// could emit as a weak function: see cmake/isa.cmake.
#pragma once

#include <type_traits>

#include "backends/cpu/kernels_table.h"
#include "kernels/types.h"

namespace ist::cpu {
namespace {

// The level of processors with AVX2 and no AVX-512: 16 registers instead of 32, and smaller caches.
#if defined(__AVX2__) && !defined(__AVX512F__)
constexpr bool kAvx2Alone = true;
#else
constexpr bool kAvx2Alone = false;
#endif

// For functions whose loops wait for chains of operations or for memory, not for ports: a Zen 4 reads a twentieth to a
// tenth more by 32 bytes at a time. Not measured on Intel. Inlined, they would be compiled as their callers are.
#if defined(__AVX512F__) && !defined(__clang__)
#define IST_HALF_VECTORS __attribute__((noinline, target("prefer-vector-width=256")))
#else
#define IST_HALF_VECTORS __attribute__((noinline))
#endif

enum class Class { any, inexact, real_inexact, real, magnitude, compare, logical, bitwise, select, rule };

// Does a kernel of this class take tiles of dtype T? Half types have kernels of their own, or
// pass through float32.
constexpr bool takes(Class c, int dtype) {
  if (dtype == IST_FLOAT16 || dtype == IST_BFLOAT16) return false;
  switch (c) {
    case Class::any:
    case Class::magnitude:
    case Class::compare:
      return true;
    case Class::inexact:
      return dtype >= IST_FLOAT32;
    case Class::real_inexact:
      return dtype == IST_FLOAT32 || dtype == IST_FLOAT64;
    case Class::real:
      return dtype <= IST_FLOAT64;
    case Class::logical:
      return dtype == IST_BOOL;
    case Class::bitwise:
      return dtype <= IST_INT64;
    default:
      return false;
  }
}

constexpr int result_dtype(Class c, int dtype) {
  if (c == Class::compare || c == Class::logical) return IST_BOOL;
  if (c == Class::magnitude && dtype == IST_COMPLEX64) return IST_FLOAT32;
  return dtype;
}

template <int dtype>
using Type = typename Storage<dtype>::type;

// What loops load: GCC makes no vectors of bools, unless all that a loop does with them is `&`, `|` and `^`.
template <int dtype>
using Loaded = std::conditional_t<dtype == IST_BOOL, uint8_t, Type<dtype>>;

// The unsigned integer of so many bytes.
template <size_t kSize>
using Unsigned =
    std::conditional_t<kSize == 1, uint8_t,
                       std::conditional_t<kSize == 2, uint16_t, std::conditional_t<kSize == 4, uint32_t, uint64_t>>>;

// An operand of a function whose body for most operands costs a fraction of the one for all: scalar headers have both.
template <class T>
struct Near {
  T x;
};

// Bits to move, whatever they mean.
using Bits8 = uint8_t __attribute__((may_alias));
using Bits16 = uint16_t __attribute__((may_alias));
using Bits32 = uint32_t __attribute__((may_alias));
using Bits64 = uint64_t __attribute__((may_alias));

}  // namespace
}  // namespace ist::cpu

// Applies X(dtype) to every dtype that tiles are computed in.
// clang-format off
#define IST_FOR_COMPUTE_DTYPES(X) \
  X(IST_BOOL) X(IST_UINT8) X(IST_UINT16) X(IST_UINT32) X(IST_UINT64) X(IST_INT8) X(IST_INT16) X(IST_INT32) \
  X(IST_INT64) X(IST_FLOAT32) X(IST_FLOAT64) X(IST_COMPLEX64)
// clang-format on

// Rows of ops.def that move or convert elements have no scalar body.
#define IST_NO_BODY_astype ~, IST_NO_ROW
#define IST_NO_BODY_contiguous ~, IST_NO_ROW
#define IST_NO_ROW(id, name, dtypes)
#define IST_SECOND(a, b, ...) b
#define IST_CHOOSE(...) IST_SECOND(__VA_ARGS__, ~)
#define IST_ROW_WITH_BODY(id, name, dtypes) IST_CHOOSE(IST_NO_BODY_##name, IST_BODY_ROW)(id, name, dtypes)

// IST_ARITY_1, _2 and _3 are defined by the files that include ops.def; rows whose dtypes are a rule have no tile
// kernel.
#define IST_CLASS_any(id, name, arity) IST_ARITY_##arity(id, name, any)
#define IST_CLASS_inexact(id, name, arity) IST_ARITY_##arity(id, name, inexact)
#define IST_CLASS_real_inexact(id, name, arity) IST_ARITY_##arity(id, name, real_inexact)
#define IST_CLASS_real(id, name, arity) IST_ARITY_##arity(id, name, real)
#define IST_CLASS_magnitude(id, name, arity) IST_ARITY_##arity(id, name, magnitude)
#define IST_CLASS_compare(id, name, arity) IST_ARITY_##arity(id, name, compare)
#define IST_CLASS_logical(id, name, arity) IST_ARITY_##arity(id, name, logical)
#define IST_CLASS_bitwise(id, name, arity) IST_ARITY_##arity(id, name, bitwise)
#define IST_CLASS_select(id, name, arity) IST_ARITY_##arity(id, name, select)
#define IST_CLASS_rule(id, name, arity)
