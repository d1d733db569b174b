// Sorting of keys: a quicksort of vectors where they can be compressed, else a radix sort.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/sort_kernels.h"
#include "backends/cpu/sort_vectors.h"

namespace ist::cpu {
namespace {

template <class K>
void insertion_sort(int64_t n, K* x) {
  for (int64_t i = 1; i < n; ++i) {
    const K key = x[i];
    int64_t j = i;
    for (; j > 0 && x[j - 1] > key; --j) x[j] = x[j - 1];
    x[j] = key;
  }
}

#if !defined(IST_SORTS_VECTORS)
// Bytes from the lowest up; bytes that all keys share move nothing.
template <class K>
void sort_keys(int64_t n, K* x, K* other) {
  constexpr int64_t kFew = 48;
  if (n <= kFew) return insertion_sort(n, x);
  uint32_t counts[sizeof(K)][256] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (size_t byte = 0; byte < sizeof(K); ++byte) ++counts[byte][x[i] >> (8 * byte) & 0xff];
  }
  K *from = x, *to = other;
  for (size_t byte = 0; byte < sizeof(K); ++byte) {
    uint32_t* count = counts[byte];
    if (count[from[0] >> (8 * byte) & 0xff] == static_cast<uint64_t>(n)) continue;
    uint32_t start = 0;
    for (int digit = 0; digit < 256; ++digit) {
      const uint32_t here = count[digit];
      count[digit] = start;
      start += here;
    }
    for (int64_t i = 0; i < n; ++i) to[count[from[i] >> (8 * byte) & 0xff]++] = from[i];
    K* swapped = from;
    from = to;
    to = swapped;
  }
  if (from != x) __builtin_memcpy(x, from, static_cast<size_t>(n) * sizeof(K));
}

template <class K>
int64_t split_keys(int64_t n, const K* x, K* other) {
  K sample[15];
  for (int i = 0; i < 15; ++i) sample[i] = x[n / 15 * i];
  insertion_sort(15, sample);
  const K pivot = sample[7];
  int64_t front = 0, back = n;
  for (int64_t i = 0; i < n; ++i) {
    const bool below = x[i] < pivot;
    other[below ? front : back - 1] = x[i];
    front += below ? 1 : 0;
    back -= below ? 0 : 1;
  }
  return front;
}
#endif

// The counts of a radix pass are 32 bits wide, and positions too: longer sequences than that are refused before.
template <class K>
void sort(int64_t n, void* x, void* other) {
  sort_keys<K>(n, static_cast<K*>(x), static_cast<K*>(other));
}
template <class K>
int64_t split(int64_t n, const void* x, void* other) {
  return split_keys<K>(n, static_cast<const K*>(x), static_cast<K*>(other));
}

// ---- keys ----

template <class U>
constexpr U kTop = static_cast<U>(U{1} << (8 * sizeof(U) - 1));

// Floating point with `kInfinity` as the bits of infinity: negative numbers inverted, NaN the largest key.
template <class U, U kInfinity>
inline U float_key(U bits) {
  const U key = bits & kTop<U> ? static_cast<U>(~bits) : static_cast<U>(bits | kTop<U>);
  return (bits & static_cast<U>(~kTop<U>)) > kInfinity ? static_cast<U>(~U{0}) : key;
}
template <class U>
inline U float_bits(U key) {  // the largest key becomes a NaN by itself
  return key & kTop<U> ? static_cast<U>(key & ~kTop<U>) : static_cast<U>(~key);
}

template <size_t kSize>
struct Unsigned;
template <>
struct Unsigned<1> {
  using type = uint8_t;
};
template <>
struct Unsigned<2> {
  using type = uint16_t;
};
template <>
struct Unsigned<4> {
  using type = uint32_t;
};
template <>
struct Unsigned<8> {
  using type = uint64_t;
};

template <int D>
struct Key {  // integers
  using Bits = typename Unsigned<sizeof(Type<D>)>::type;
  static constexpr bool kSigned = D >= IST_INT8 && D <= IST_INT64;
  static inline Bits key(Bits x) { return kSigned ? static_cast<Bits>(x ^ kTop<Bits>) : x; }
  static inline Bits bits(Bits key) { return Key::key(key); }
  static inline Bits without_sign_of_zero(Bits x) { return x; }
};
template <class U, U kInfinity>
struct FloatKey {
  using Bits = U;
  static inline U key(U x) { return float_key<U, kInfinity>(x); }
  static inline U bits(U key) { return float_bits<U>(key); }
  static inline U without_sign_of_zero(U x) { return x == kTop<U> ? U{0} : x; }
};
template <>
struct Key<IST_FLOAT16> : FloatKey<uint16_t, 0x7c00> {};
template <>
struct Key<IST_BFLOAT16> : FloatKey<uint16_t, 0x7f80> {};
template <>
struct Key<IST_FLOAT32> : FloatKey<uint32_t, 0x7f800000u> {};
template <>
struct Key<IST_FLOAT64> : FloatKey<uint64_t, 0x7ff0000000000000u> {};
template <>
struct Key<IST_COMPLEX64> {  // of the order alone: real parts, then imaginary ones
  using Bits = uint64_t;
  using Part = Key<IST_FLOAT32>;
  static inline uint64_t key(uint64_t x) {
    const uint32_t re = Part::key(static_cast<uint32_t>(x)), im = Part::key(static_cast<uint32_t>(x >> 32));
    return (re == ~0u) | (im == ~0u) ? ~uint64_t{0} : uint64_t{re} << 32 | im;
  }
  static inline uint64_t without_sign_of_zero(uint64_t x) {
    const uint64_t re = Part::without_sign_of_zero(static_cast<uint32_t>(x));
    return static_cast<uint64_t>(Part::without_sign_of_zero(static_cast<uint32_t>(x >> 32))) << 32 | re;
  }
};

template <int D>
using SortKey = typename Unsigned<sizeof(Type<D>) == 8 ? 8 : 4>::type;

template <int D>
void to_keys(int64_t n, const void* from, void* to) {
  using Bits = typename Key<D>::Bits;
  const Bits* __restrict x = static_cast<const Bits*>(from);
  SortKey<D>* __restrict keys = static_cast<SortKey<D>*>(to);
  for (int64_t i = 0; i < n; ++i) keys[i] = Key<D>::key(x[i]);
}

template <int D>
void from_keys(int64_t n, const void* from, void* to) {
  using Bits = typename Key<D>::Bits;
  const SortKey<D>* __restrict keys = static_cast<const SortKey<D>*>(from);
  Bits* __restrict x = static_cast<Bits*>(to);
  for (int64_t i = 0; i < n; ++i) x[i] = Key<D>::bits(static_cast<typename Key<D>::Bits>(keys[i]));
}

template <int D>
void to_indexed_keys(int64_t n, int64_t first, const void* from, uint64_t* __restrict keys) {
  using Bits = typename Key<D>::Bits;
  const Bits* __restrict x = static_cast<const Bits*>(from);
  for (int64_t i = 0; i < n; ++i) {
    keys[i] =
        static_cast<uint64_t>(Key<D>::key(Key<D>::without_sign_of_zero(x[i]))) << 32 | static_cast<uint32_t>(first + i);
  }
}

void indices(int64_t n, const uint64_t* __restrict keys, uint32_t* __restrict out) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<uint32_t>(keys[i]);
}

// Runs of indices merged, shorter ones first.
template <int D>
void order(int64_t n, const void* from, uint32_t* index, uint64_t* keys, uint32_t* other) {
  using Bits = typename Key<D>::Bits;
  const Bits* x = static_cast<const Bits*>(from);
  for (int64_t i = 0; i < n; ++i) {
    keys[i] = Key<D>::key(Key<D>::without_sign_of_zero(x[i]));
    index[i] = static_cast<uint32_t>(i);
  }
  uint32_t *source = index, *target = other;
  for (int64_t run = 1; run < n; run *= 2) {
    for (int64_t start = 0; start < n; start += 2 * run) {
      const int64_t middle = start + run < n ? start + run : n, end = middle + run < n ? middle + run : n;
      int64_t a = start, b = middle;
      for (int64_t i = start; i < end; ++i) {
        const bool left = b == end || (a < middle && keys[source[a]] <= keys[source[b]]);
        target[i] = left ? source[a++] : source[b++];
      }
    }
    uint32_t* swapped = source;
    source = target;
    target = swapped;
  }
  if (source != index) __builtin_memcpy(index, source, static_cast<size_t>(n) * sizeof(uint32_t));
}

template <int D>
constexpr void fill(SortTable& table) {
  if constexpr (D != IST_COMPLEX64) {
    table.to_keys[D] = &to_keys<D>;
    table.from_keys[D] = &from_keys<D>;
  }
  if constexpr (sizeof(Type<D>) == 8) {
    table.order[D] = &order<D>;
  } else {
    table.to_indexed_keys[D] = &to_indexed_keys<D>;
  }
}

constexpr SortTable make_table() {
  SortTable table{};
  table.narrow = {&sort<uint32_t>, &split<uint32_t>};
  table.wide = {&sort<uint64_t>, &split<uint64_t>};
  table.indices = &indices;
#define IST_ENTRY(dtype) fill<dtype>(table);
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY)
  IST_ENTRY(IST_FLOAT16)
  IST_ENTRY(IST_BFLOAT16)
#undef IST_ENTRY
  return table;
}

constexpr SortTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::SortTable* IST_ISA_NAME(sort)() { return &ist::cpu::table; }
