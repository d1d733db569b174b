// Conversions of tiles: astype, and the half types' way to float32 and back.
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

template <int From, int To>
void cast_tile(int64_t n, void* out, const void* const* in) {
  const Type<From>* __restrict a = static_cast<const Type<From>*>(in[0]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  using Compute = typename Storage<To>::compute;
  for (int64_t i = 0; i < n; ++i) {
    r[i] = Storage<To>::store(scalar::cast<Compute>(Storage<From>::load(a[i])));
  }
}

// Not 0 for numbers that int32 does not have; and for the lowest that it has, of floats.
template <class T>
inline auto beyond_int32(T x) {
  if constexpr (std::is_integral_v<T>) {
    return x >> 31;  // of unsigned ones
  } else {
    return scalar::fabs(x) < T(0x1p31) ? 0 : 1;
  }
}

// By way of int32, which has nearly all numbers: there are instructions for it, and no choice of what stands for those
// beyond it. Pieces of the tile go this way or the long one.
template <int From, int To>
void near_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t kPiece = 256;
  const Type<From>* __restrict a = static_cast<const Type<From>*>(in[0]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  for (int64_t start = 0; start < n; start += kPiece) {
    const int64_t end = start + kPiece < n ? start + kPiece : n;
    decltype(beyond_int32(a[0])) any_beyond = 0;
    for (int64_t i = start; i < end; ++i) any_beyond |= beyond_int32(a[i]);
    if (any_beyond == 0) {
      for (int64_t i = start; i < end; ++i) r[i] = static_cast<Type<To>>(static_cast<int32_t>(a[i]));
    } else {
      for (int64_t i = start; i < end; ++i) r[i] = scalar::cast<Type<To>>(a[i]);
    }
  }
}

// uint64 to float64, rounded once: the upper half as a multiple of 2^32 above 2^84, the lower half above 2^52, and the
// difference of the former is exact. (int64 has an instruction, if of one number at a time.)
void halves_tile(int64_t n, void* out, const void* const* in) {
  const uint64_t* __restrict a = static_cast<const uint64_t*>(in[0]);
  double* __restrict r = static_cast<double*>(out);
  for (int64_t i = 0; i < n; ++i) {
    const double upper = __builtin_bit_cast(double, (a[i] >> 32) | 0x4530000000000000u);
    const double lower = __builtin_bit_cast(double, (a[i] & 0xffffffffu) | 0x4330000000000000u);
    r[i] = (upper - (0x1p84 + 0x1p52)) + lower;
  }
}

// Between float32 and a half type, which the compiler does not find the instructions for. A tile may end in the middle
// of a vector: that one is done again from the end.
template <int From, int To>
void half_tile(int64_t n, void* out, const void* const* in) {
  constexpr int W = VecF32::kWidth;
  if (n < W) return cast_tile<From, To>(n, out, in);
  const Type<From>* a = static_cast<const Type<From>*>(in[0]);
  Type<To>* r = static_cast<Type<To>*>(out);
  for (int64_t i = 0; i + W <= n; i += W) VecF32::load(a + i).store(r + i);
  VecF32::load(a + n - W).store(r + n - W);
}

constexpr bool is_real(int dtype) { return dtype == IST_FLOAT32 || dtype == IST_FLOAT64; }
constexpr bool is_integer(int dtype) { return dtype >= IST_UINT8 && dtype <= IST_INT64; }
#if defined(__AVX512DQ__)
constexpr bool kConvertsInt64 = true;  // by instructions
#else
constexpr bool kConvertsInt64 = false;
#endif
// float32 has instructions for int32 that need no second look.
template <int From, int To>
constexpr bool looks_first = (is_real(From) && is_integer(To) && (sizeof(Type<To>) <= 4 || !kConvertsInt64) &&
                              !(From == IST_FLOAT32 && To == IST_INT32)) ||
                             (From == IST_UINT64 && To == IST_FLOAT32 && !kConvertsInt64);
constexpr bool is_half(int dtype) { return dtype == IST_FLOAT16 || dtype == IST_BFLOAT16; }

template <int From, int To>
constexpr TileFn cast_fn() {
  if constexpr (From == To) {
    return nullptr;
  } else if constexpr (is_half(From) || is_half(To)) {
    constexpr int other = is_half(From) ? To : From;
    if constexpr (other == IST_FLOAT32) {
#if defined(IST_STORES_HALVES)
      return &half_tile<From, To>;
#else
      return &cast_tile<From, To>;
#endif
    } else {
      return nullptr;
    }
  } else if constexpr (From == IST_UINT64 && To == IST_FLOAT64 && !kConvertsInt64) {
    return &halves_tile;
  } else if constexpr (looks_first<From, To>) {
    return &near_tile<From, To>;
  } else {
    constexpr int kLoaded = From == IST_BOOL ? int{IST_UINT8} : From;  // as Loaded has it
    return &cast_tile<kLoaded, To>;
  }
}

template <int From>
constexpr void fill_row(CastTable& table) {
#define IST_ENTRY(dtype) table.fn[From][dtype] = cast_fn<From, dtype>();
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY)
  IST_ENTRY(IST_FLOAT16)
  IST_ENTRY(IST_BFLOAT16)
#undef IST_ENTRY
}

constexpr CastTable make_table() {
  CastTable table{};
#define IST_ENTRY_ROW(dtype) fill_row<dtype>(table);
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY_ROW)
  IST_ENTRY_ROW(IST_FLOAT16)
  IST_ENTRY_ROW(IST_BFLOAT16)
  return table;
}

constexpr CastTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::CastTable* IST_ISA_NAME(cast)() { return &ist::cpu::table; }
