// Conversions of tiles: astype, and the half types' way to float32 and back.
#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/isa_common.h"
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

#if defined(__F16C__)
// The processor's conversions of float16 have the same bits, NaN apart.
constexpr int kHalves = 8;

template <>
void cast_tile<IST_FLOAT16, IST_FLOAT32>(int64_t n, void* out, const void* const* in) {
  const float16* a = static_cast<const float16*>(in[0]);
  float* r = static_cast<float*>(out);
  int64_t i = 0;
  for (; i + kHalves <= n; i += kHalves) {
    _mm256_storeu_ps(r + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i))));
  }
  for (; i < n; ++i) r[i] = to_float(a[i]);
}

template <>
void cast_tile<IST_FLOAT32, IST_FLOAT16>(int64_t n, void* out, const void* const* in) {
  const float* a = static_cast<const float*>(in[0]);
  float16* r = static_cast<float16*>(out);
  int64_t i = 0;
  for (; i + kHalves <= n; i += kHalves) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(r + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(a + i), _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < n; ++i) r[i] = to_float16(a[i]);
}
#endif

constexpr bool is_half(int dtype) { return dtype == IST_FLOAT16 || dtype == IST_BFLOAT16; }

template <int From, int To>
constexpr TileFn cast_fn() {
  if constexpr (From == To) {
    return nullptr;
  } else if constexpr (is_half(From) || is_half(To)) {
    constexpr int other = is_half(From) ? To : From;
    if constexpr (other == IST_FLOAT32) {
      return &cast_tile<From, To>;
    } else {
      return nullptr;
    }
  } else {
    return &cast_tile<From, To>;
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
