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
// Bytes from the lowest up; bytes that all keys share move nothing. The result goes to finish(n, keys, position).
template <class K, class Finish>
void sort_keys(int64_t n, K* x, K* other, const Finish& finish) {
  constexpr int64_t kFew = 48;
  if (n <= kFew) {
    insertion_sort(n, x);
    return finish(n, x, 0);
  }
  // Counts are 32 bits wide, and positions too: longer sequences than that are refused before.
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
  finish(n, from, 0);
}

// Keys below the pivot go to `front` and up, the others to `back` and down.
template <class K>
void split_keys(int64_t n, const K* keys, K pivot, K*& front, K*& back) {
  for (int64_t i = 0; i < n; ++i) {
    const K key = keys[i];
    const bool below = key < pivot;
    *(below ? front : back - 1) = key;
    front += below ? 1 : 0;
    back -= below ? 0 : 1;
  }
}
#endif

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

template <int D>
struct Key {  // integers
  using Bits = Unsigned<sizeof(Type<D>)>;
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
using SortKey = Unsigned<sizeof(Type<D>) == 8 ? 8 : 4>;

// What sort makes of elements, and what of keys that are in order.
template <int D>
struct Elements {
  using In = typename Key<D>::Bits;
  using Out = In;
  using K = SortKey<D>;
  static inline K key(In x, int64_t) { return Key<D>::key(x); }
  static inline Out result(K key) { return Key<D>::bits(static_cast<In>(key)); }
};
// The same for argsort: the lower half of a key is the position.
template <int D>
struct Positions {
  using In = typename Key<D>::Bits;
  using Out = uint32_t;
  using K = uint64_t;
  static inline K key(In x, int64_t position) {
    return static_cast<uint64_t>(Key<D>::key(Key<D>::without_sign_of_zero(x))) << 32 | static_cast<uint32_t>(position);
  }
  static inline Out result(K key) { return static_cast<uint32_t>(key); }
};

template <class E>
inline void to_keys(int64_t n, int64_t first, const typename E::In* __restrict x, typename E::K* __restrict keys) {
  for (int64_t i = 0; i < n; ++i) keys[i] = E::key(x[i], first + i);
}

// Results of the size of keys may lie where those do.
template <class E>
inline void from_keys(int64_t n, const typename E::K* keys, typename E::Out* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = E::result(keys[i]);
}

template <class K>
K middle_of_samples(K* sample) {
  const auto keep = [sample](int64_t n, const K* keys, int64_t at) {
    for (int64_t i = 0; i < n && keys != sample + at; ++i) sample[at + i] = keys[i];
  };
  K other[kSortSamples];
  sort_keys(kSortSamples, sample, other, keep);
  return sample[kSortSamples / 2];
}

template <class E>
void pivot(int64_t n, const void* data, void* result) {
  const typename E::In* x = static_cast<const typename E::In*>(data);
  typename E::K sample[kSortSamples];
  for (int64_t i = 0; i < kSortSamples; ++i) {
    const int64_t at = n / kSortSamples * i + n / (2 * kSortSamples);
    sample[i] = E::key(x[at], at);
  }
  *static_cast<typename E::K*>(result) = middle_of_samples(sample);
}

template <class E>
void split(int64_t n, int64_t first, const void* data, const void* pivot, void** front_end, void** back_end) {
  using K = typename E::K;
  constexpr int64_t kPart = 512;
  const typename E::In* x = static_cast<const typename E::In*>(data);
  K *front = static_cast<K*>(*front_end), *back = static_cast<K*>(*back_end);
  alignas(64) K keys[kPart];
  for (int64_t i = 0; i < n; i += kPart) {
    const int64_t m = n - i < kPart ? n - i : kPart;
    to_keys<E>(m, first + i, x + i, keys);
    split_keys(m, keys, *static_cast<const K*>(pivot), front, back);
  }
  *front_end = front;
  *back_end = back;
}

template <class K>
void pivot_of_keys(int64_t n, const void* keys, void* result) {
  K sample[kSortSamples];
  for (int64_t i = 0; i < kSortSamples; ++i) {
    sample[i] = static_cast<const K*>(keys)[n / kSortSamples * i + n / (2 * kSortSamples)];
  }
  *static_cast<K*>(result) = middle_of_samples(sample);
}

template <class K>
void split_of_keys(int64_t n, const void* keys, const void* pivot, void** front_end, void** back_end) {
  K *front = static_cast<K*>(*front_end), *back = static_cast<K*>(*back_end);
  split_keys(n, static_cast<const K*>(keys), *static_cast<const K*>(pivot), front, back);
  *front_end = front;
  *back_end = back;
}

template <class E>
void sort_of_keys(int64_t n, void* keys, void* spare, void* out) {
  using K = typename E::K;
  sort_keys(n, static_cast<K*>(keys), static_cast<K*>(spare), [out](int64_t m, const K* sorted, int64_t position) {
    from_keys<E>(m, sorted, static_cast<typename E::Out*>(out) + position);
  });
}

template <class E>
void sort(int64_t n, const void* x, void* keys, void* spare, void* out) {
  using K = typename E::K;
  if (n >= kSortSplits) {  // keys are made on the way of the first split
    K key;
    pivot<E>(n, x, &key);
    void *front = keys, *back = static_cast<K*>(keys) + n;
    split<E>(n, 0, x, &key, &front, &back);
    const int64_t n_front = static_cast<K*>(front) - static_cast<K*>(keys);
    sort_of_keys<E>(n_front, keys, spare, out);
    return sort_of_keys<E>(n - n_front, front, spare, static_cast<typename E::Out*>(out) + n_front);  // spare: in cache
  }
  to_keys<E>(n, 0, static_cast<const typename E::In*>(x), static_cast<K*>(keys));
  sort_of_keys<E>(n, keys, spare, out);
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

template <class E>
constexpr Sorter sorter() {
  using K = typename E::K;
  return {sizeof(K), sizeof(typename E::Out), &sort<E>,          &pivot<E>,
          &split<E>, &pivot_of_keys<K>,       &split_of_keys<K>, &sort_of_keys<E>};
}

template <int D>
constexpr void fill(SortTable& table) {
  if constexpr (D != IST_COMPLEX64) table.sort[D] = sorter<Elements<D>>();
  if constexpr (sizeof(Type<D>) == 8) {
    table.order[D] = &order<D>;
  } else {
    table.argsort[D] = sorter<Positions<D>>();
  }
}

constexpr SortTable make_table() {
  SortTable table{};
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
