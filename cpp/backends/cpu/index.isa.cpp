// Addressing by index operands.
#include "backends/cpu/cache_size.h"
#include "backends/cpu/index_kernels.h"
#include "backends/cpu/isa_common.h"

namespace ist::cpu {
namespace {

constexpr int64_t kInt32Max = 0x7fffffff;

template <class Wide, class T>
inline Wide start_of(T given, Wide extent) {
  const Wide start = static_cast<Wide>(given);
  return start + (start < 0 ? extent : 0);
}

template <class Wide, class T>
inline bool all_within(int64_t n, const T* index, Wide extent, Wide last) {
  using Bits = Unsigned<sizeof(Wide)>;  // of differences that may not be numbers: then a start is negative already
  Bits signs = 0;
  for (int64_t i = 0; i < n; ++i) {
    Wide start = start_of<Wide>(index[i], extent);
    // An index beyond int64 must not wrap before it is compared.
    if constexpr (std::is_same_v<T, Bits>) start = index[i] > static_cast<T>(extent) ? -1 : start;
    signs |= static_cast<Bits>(start) | (static_cast<Bits>(last) - static_cast<Bits>(start));
  }
  return static_cast<Wide>(signs) >= 0;
}

template <class Wide, class T>
inline void make_offsets(int64_t n, const T* index, Wide extent, int64_t stride, bool first,
                         int64_t* __restrict offsets) {
  if (first && stride == 1) {  // without a product, which has no vectors of this width
    for (int64_t i = 0; i < n; ++i) offsets[i] = start_of<Wide>(index[i], extent);
  } else if (first) {
    for (int64_t i = 0; i < n; ++i) offsets[i] = start_of<Wide>(index[i], extent) * stride;
  } else {
    for (int64_t i = 0; i < n; ++i) offsets[i] += start_of<Wide>(index[i], extent) * stride;
  }
}

template <class T>
inline bool is_narrow(int64_t extent) {
  return (sizeof(T) < 4 || std::is_same_v<T, int32_t>) && extent <= kInt32Max;
}

template <class T>
bool within(int64_t n, const void* index, int64_t extent, int64_t last) {
  const T* given = static_cast<const T*>(index);
  if (!is_narrow<T>(extent)) return all_within<int64_t>(n, given, extent, last);
  return all_within<int32_t>(n, given, static_cast<int32_t>(extent), static_cast<int32_t>(last));
}

template <class T>
void offsets(int64_t n, const void* index, int64_t extent, int64_t stride, bool first, int64_t* offsets) {
  const T* given = static_cast<const T*>(index);
  if (!is_narrow<T>(extent)) return make_offsets<int64_t>(n, given, extent, stride, first, offsets);
  make_offsets<int32_t>(n, given, static_cast<int32_t>(extent), stride, first, offsets);
}

template <class T>
void pick(int64_t n, void* dst, const void* src, const int64_t* __restrict offsets, int64_t step) {
  T* __restrict to = static_cast<T*>(dst);
  const T* __restrict from = static_cast<const T*>(src);
  if (step == 0) {
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; ++i) to[i] = from[offsets[i]];
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[offsets[i] + i * step];
  }
}

template <class T>
void pick_ahead(int64_t n, void* dst, const void* src, const int64_t* __restrict offsets, const char* next,
                int64_t lines) {
  T* __restrict to = static_cast<T*>(dst);
  const T* __restrict from = static_cast<const T*>(src);
  // A few lines at a time: all together would keep what is picked now waiting.
  const int64_t each_time = 1 + 4 * lines / n;
  int64_t i = 0;
  for (int64_t line = 0; line < lines && i + 4 <= n; i += 4) {
    for (int64_t k = 0; k < each_time && line < lines; ++k, ++line) __builtin_prefetch(next + line * kLine, 0, 2);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) to[i + k] = from[offsets[i + k]];
  }
  pick<T>(n - i, to + i, from, offsets + i, 0);
}

// Slices of a length that the compiler knows.
template <int M, class T>
inline void pick_fixed(int64_t n, T* __restrict to, int64_t dst_step, const T* __restrict from, const int64_t* offsets,
                       int64_t step) {
  for (int64_t i = 0; i < n; ++i, to += dst_step) {
#pragma GCC unroll 16
    for (int64_t k = 0; k < M; ++k) to[k] = from[offsets[i] + k * step];
  }
}

template <class T>
void pick_strided(int64_t n, int64_t m, void* dst, int64_t dst_step, const void* src, const int64_t* offsets,
                  int64_t step) {
  T* __restrict to = static_cast<T*>(dst);
  const T* __restrict from = static_cast<const T*>(src);
  if (m == 2) return pick_fixed<2>(n, to, dst_step, from, offsets, step);
  if (m == 3) return pick_fixed<3>(n, to, dst_step, from, offsets, step);
  if (m == 4) return pick_fixed<4>(n, to, dst_step, from, offsets, step);
  if (m == 8) return pick_fixed<8>(n, to, dst_step, from, offsets, step);
  for (int64_t i = 0; i < n; ++i, to += dst_step) {
    for (int64_t k = 0; k < m; ++k) to[k] = from[offsets[i] + k * step];
  }
}

// Where the next row lies is no pattern that the hardware could know: it is asked for while this one is copied.
template <class T>
void pick_rows(int64_t n, int64_t m, void* dst, const void* src, const int64_t* offsets) {
  constexpr int64_t kElements = kLine / sizeof(T);
  T* __restrict to = static_cast<T*>(dst);
  const T* __restrict from = static_cast<const T*>(src);
  for (int64_t i = 0; i < n; ++i, to += m) {
    const T *row = from + offsets[i], *next = from + offsets[i + 1 < n ? i + 1 : i];
    int64_t k = 0;
    for (; k + kElements <= m; k += kElements) {
      __builtin_prefetch(next + k);
      __builtin_memcpy(to + k, row + k, kLine);
    }
    __builtin_memcpy(to + k, row + k, static_cast<size_t>(m - k) * sizeof(T));
  }
}

template <class T>
constexpr Indices indices() {
  return {&within<T>, &offsets<T>};
}

constexpr IndexTable table = {
    {{},
     indices<uint8_t>(),
     indices<uint16_t>(),
     indices<uint32_t>(),
     indices<uint64_t>(),
     indices<int8_t>(),
     indices<int16_t>(),
     indices<int32_t>(),
     indices<int64_t>()},
    {&pick<Bits8>, &pick<Bits16>, &pick<Bits32>, &pick<Bits64>},
    {&pick_ahead<Bits8>, &pick_ahead<Bits16>, &pick_ahead<Bits32>, &pick_ahead<Bits64>},
    {&pick_strided<Bits8>, &pick_strided<Bits16>, &pick_strided<Bits32>, &pick_strided<Bits64>},
    {&pick_rows<Bits8>, &pick_rows<Bits16>, &pick_rows<Bits32>, &pick_rows<Bits64>},
};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::IndexTable* IST_ISA_NAME(index)() { return &ist::cpu::table; }
