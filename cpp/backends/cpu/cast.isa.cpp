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

// To integers of up to 32 bits. Numbers that int32 has, as nearly all are, need no choice of what stands for the
// others: pieces of the tile have one or the other.
template <int From, int To>
void narrow_tile(int64_t n, void* out, const void* const* in) {
  constexpr int64_t kPiece = 256;
  const Type<From>* __restrict a = static_cast<const Type<From>*>(in[0]);
  Type<To>* __restrict r = static_cast<Type<To>*>(out);
  for (int64_t start = 0; start < n; start += kPiece) {
    const int64_t end = start + kPiece < n ? start + kPiece : n;
    int any_beyond = 0;
    for (int64_t i = start; i < end; ++i) any_beyond |= scalar::fabs(a[i]) < Type<From>(0x1p31) ? 0 : 1;
    if (any_beyond == 0) {
      for (int64_t i = start; i < end; ++i) r[i] = static_cast<Type<To>>(static_cast<int32_t>(a[i]));
    } else {
      for (int64_t i = start; i < end; ++i) r[i] = scalar::cast<Type<To>>(a[i]);
    }
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

// float32 has instructions for int32 that need no second look.
template <int From, int To>
constexpr bool looks_first = (From == IST_FLOAT32 || From == IST_FLOAT64) && To >= IST_UINT8 && To <= IST_INT64 &&
                             sizeof(Type<To>) <= 4 && !(From == IST_FLOAT32 && To == IST_INT32);
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
  } else if constexpr (looks_first<From, To>) {
    return &narrow_tile<From, To>;
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
