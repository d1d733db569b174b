// Sorting of keys: a quicksort of vectors where they can be compressed, else a radix sort.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/sort_kernels.h"
#include "backends/cpu/sort_keys.h"
#include "backends/cpu/sort_radix.h"
#include "backends/cpu/sort_vectors.h"

namespace ist::cpu {
namespace {

// What sort makes of elements, and what of keys that are in order.
template <int D>
struct Elements {
  using In = typename Key<D>::Bits;
  using Out = In;
  using K = SortKey<D>;
  static inline K key(In x, int64_t, KeyForm) { return Key<D>::key(x); }
  static inline Out result(K key, KeyForm) { return Key<D>::bits(static_cast<In>(key)); }
};

// The same for argsort.
template <int D, class KeyType, class Result = uint32_t>
struct Positions {
  using In = typename Key<D>::Bits;
  using Out = Result;
  using K = KeyType;
  static inline K key(In x, int64_t position, KeyForm form) {
    const uint64_t own = static_cast<uint64_t>(order_key<D>(x)) - form.least;
    return static_cast<K>(static_cast<K>(own >> form.dropped) << form.position_bits | static_cast<K>(position));
  }
  static inline Out result(K key, KeyForm form) {
    return static_cast<Out>(key & static_cast<K>((uint64_t{1} << form.position_bits) - 1));
  }
};
template <int D>
struct KeysOfPositions : Positions<D, uint64_t, uint64_t> {
  static inline uint64_t result(uint64_t key, KeyForm) { return key; }
};

template <class E>
inline void to_keys(int64_t n, int64_t first, const typename E::In* __restrict x, KeyForm form,
                    typename E::K* __restrict keys) {
  for (int64_t i = 0; i < n; ++i) keys[i] = E::key(x[i], first + i, form);
}

// Results of the size of keys may lie where those do.
template <class E>
inline void from_keys(int64_t n, const typename E::K* keys, KeyForm form, typename E::Out* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = E::result(keys[i], form);
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
void pivot(int64_t n, const void* data, const KeyForm& form, void* result) {
  const typename E::In* x = static_cast<const typename E::In*>(data);
  typename E::K sample[kSortSamples];
  for (int64_t i = 0; i < kSortSamples; ++i) {
    const int64_t at = n / kSortSamples * i + n / (2 * kSortSamples);
    sample[i] = E::key(x[at], at, form);
  }
  *static_cast<typename E::K*>(result) = middle_of_samples(sample);
}

template <class E>
void split(int64_t n, int64_t first, const void* data, const KeyForm& form, const void* pivot, void** front_end,
           void** back_end) {
  using K = typename E::K;
  constexpr int64_t kPart = 512;
  const typename E::In* x = static_cast<const typename E::In*>(data);
  K *front = static_cast<K*>(*front_end), *back = static_cast<K*>(*back_end);
  alignas(64) K keys[kPart];
  for (int64_t i = 0; i < n; i += kPart) {
    const int64_t m = n - i < kPart ? n - i : kPart;
    to_keys<E>(m, first + i, x + i, form, keys);
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
void sort_of_keys(int64_t n, const KeyForm& form, void* keys, void* spare, void* out) {
  using K = typename E::K;
  sort_keys(n, static_cast<K*>(keys), static_cast<K*>(spare),
            [&form, out](int64_t m, const K* sorted, int64_t position) {
              from_keys<E>(m, sorted, form, static_cast<typename E::Out*>(out) + position);
            });
}

template <class E>
void sort(int64_t n, const void* x, const KeyForm& form, void* keys, void* spare, void* out) {
  using K = typename E::K;
  if (n >= kSortSplits) {  // keys are made on the way of the first split
    K key;
    pivot<E>(n, x, form, &key);
    void *front = keys, *back = static_cast<K*>(keys) + n;
    split<E>(n, 0, x, form, &key, &front, &back);
    const int64_t n_front = static_cast<K*>(front) - static_cast<K*>(keys);
    sort_of_keys<E>(n_front, form, keys, spare, out);
    return sort_of_keys<E>(n - n_front, form, front, spare,
                           static_cast<typename E::Out*>(out) + n_front);  // spare: in cache
  }
  to_keys<E>(n, 0, static_cast<const typename E::In*>(x), form, static_cast<K*>(keys));
  sort_of_keys<E>(n, form, keys, spare, out);
}

template <int D>
void range(int64_t n, const void* data, uint64_t* least, uint64_t* greatest) {
  using Bits = typename Key<D>::Bits;
  constexpr int64_t kPart = 256;
  const Bits* x = static_cast<const Bits*>(data);
  Bits low = order_key<D>(x[0]), high = low;
  alignas(64) Bits keys[kPart];  // a loop over keys that lie there becomes one of vectors
  for (int64_t i = 0; i < n; i += kPart) {
    const int64_t m = n - i < kPart ? n - i : kPart;
    for (int64_t j = 0; j < m; ++j) keys[j] = order_key<D>(x[i + j]);
    for (int64_t j = 0; j < m; ++j) {
      low = keys[j] < low ? keys[j] : low;
      high = keys[j] > high ? keys[j] : high;
    }
  }
  *least = low;
  *greatest = high;
}

template <int D>
void resolve(int64_t n, const void* data, const KeyForm& form, uint64_t* keys, uint64_t* spare, uint32_t* out) {
  constexpr int64_t kPart = 64;
  const auto* x = static_cast<const typename Key<D>::Bits*>(data);
  const int position_bits = form.position_bits;
  const uint64_t least = form.least;
  const uint64_t positions = (uint64_t{1} << position_bits) - 1, rest = (uint64_t{1} << form.dropped) - 1;
  for (int64_t i = 0; i < n;) {
    const int64_t m = n - i < kPart ? n - i : kPart, pairs = i + m < n ? m : m - 1;
    uint64_t ties = 0;
    for (int64_t j = i; j < i + pairs; ++j) ties |= (keys[j] ^ keys[j + 1]) <= positions ? 1 : 0;
    if (ties == 0) {
      for (int64_t j = i; j < i + m; ++j) out[j] = static_cast<uint32_t>(keys[j] & positions);
      i += m;
      continue;
    }
    int64_t end = i + 1;
    while (end < n && (keys[i] ^ keys[end]) <= positions) ++end;
    uint64_t differing = 0;
    for (int64_t j = i; j < end; ++j) {
      const uint64_t position = keys[j] & positions;
      spare[j] = ((order_key<D>(x[position]) - least) & rest) << position_bits | position;
      differing |= spare[i] ^ spare[j];
    }
    const auto finish = [=](int64_t count, const uint64_t* sorted, int64_t position) {
      for (int64_t j = 0; j < count; ++j) out[i + position + j] = static_cast<uint32_t>(sorted[j] & positions);
    };
    if (differing <= positions) {
      finish(end - i, spare + i, 0);
    } else {
      sort_keys(end - i, spare + i, keys + i, finish);
    }
    i = end;
  }
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
  IndexSorters& indices = table.argsort[D];
  indices.narrow = sorter<Positions<D, uint32_t>>();
  indices.wide = sorter<Positions<D, uint64_t>>();
  indices.range = &range<D>;
  if constexpr (sizeof(Type<D>) == 8) {
    indices.dropping = sorter<KeysOfPositions<D>>();
    indices.resolve = &resolve<D>;
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
