// Selection: keys are filtered by bounds until few are left, and elements are grouped by the key that was found.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/select_kernels.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/sort_keys.h"
#include "backends/cpu/sort_radix.h"
#include "backends/cpu/sort_vectors.h"

namespace ist::cpu {
namespace {

constexpr int64_t kPart = 512;

// ---- filters of keys ----

// Keys from `low` to `high`, probably few if kFew, to `inside`, which has room for n; returns how many they are.
// `below` counts those before.
template <bool kFew, class K>
int64_t filter_part(int64_t n, const K* keys, K low, K high, K* inside, int64_t& below) {
  K* end = inside;
  int64_t i = 0, before_low = 0;  // which memory would keep waiting
#if defined(IST_SORTS_VECTORS)
  using L = KeyLanes<K>;
  const Keys<K> lows = L::ranked(L::broadcast(low)), highs = L::ranked(L::broadcast(high));
  // Whether a vector has any is hard to predict, unless they are few: otherwise none is passed over.
  for (; i + L::kWidth <= n; i += L::kWidth) {
    const Keys<K> v = L::load(keys + i);
    const Keys<K> ranked = L::ranked(v);
    const auto before = L::less(ranked, lows);
    const auto kept = others<K>(before | L::less(highs, ranked));
    before_low += __builtin_popcount(before);
    if (kFew && kept == 0) continue;
    L::store(end, L::compress(kept, v));
    end += __builtin_popcount(kept);
  }
#endif
  for (; i < n; ++i) {
    const K key = keys[i];
    before_low += key < low ? 1 : 0;
    *end = key;
    end += key >= low && key <= high ? 1 : 0;
  }
  below += before_low;
  return end - inside;
}

// `values` that go with keys below, equal to and above one, each to where an end is, or, kSome, nowhere. Behind the
// limits is what must stay.
template <bool kSome, class K>
void group_part(int64_t n, const K* keys, const K* values, K key, K* (&ends)[3],
                [[maybe_unused]] K* const (&limits)[3]) {
  int64_t i = 0;
#if defined(IST_SORTS_VECTORS)
  using L = KeyLanes<K>;
  using Mask = typename L::Mask;
  const Keys<K> pivot = L::ranked(L::broadcast(key));
  Mask has_place[3];
  for (int g = 0; g < 3; ++g) has_place[g] = ends[g] != nullptr ? others<K>(0) : Mask{0};
  for (; i + L::kWidth <= n; i += L::kWidth) {
    const Keys<K> v = L::ranked(L::load(keys + i)), carried = L::load(values + i);
    Mask below = L::less(v, pivot), above = L::less(pivot, v), equal = others<K>(below | above);
    if constexpr (kSome) {
      below &= has_place[0], equal &= has_place[1], above &= has_place[2];
      if ((below | equal | above) == 0) continue;
    }
    const auto place = [&](Mask mask, int group) __attribute__((always_inline)) {
      const int count = __builtin_popcount(mask);
      const Keys<K> chosen = L::compress(mask, carried);
      if (limits[group] - ends[group] >= L::kWidth) {
        L::store(ends[group], chosen);
      } else {  // which takes as long as a dozen of the others
        L::store(ends[group], lowest<K>(count), chosen);
      }
      ends[group] += count;
    };
    if (below != 0) place(below, 0);
    if (equal != 0) place(equal, 1);
    if (above != 0) place(above, 2);
  }
#endif
  for (; i < n; ++i) {
    const int group = (keys[i] >= key ? 1 : 0) + (keys[i] > key ? 1 : 0);
    if (!kSome || ends[group] != nullptr) *ends[group]++ = values[i];
  }
}

// ---- elements ----

template <int D>
struct Source {
  using In = typename Key<D>::Bits;
  using K = SortKey<D>;
  static inline K key(In x) {  // complex zeros have no order
    if constexpr (D == IST_COMPLEX64) {
      return order_key<D>(x);
    } else {
      return Key<D>::key(x);
    }
  }
};
template <class KeyType>
struct OfKeys {
  using In = KeyType;
  using K = KeyType;
  static inline K key(K x) { return x; }
};

template <class E>
inline void make_keys(int64_t n, const typename E::In* __restrict x, typename E::K* __restrict keys) {
  for (int64_t i = 0; i < n; ++i) keys[i] = E::key(x[i]);
}

template <class E>
void to_keys(int64_t n, const void* x, void* keys) {
  make_keys<E>(n, static_cast<const typename E::In*>(x), static_cast<typename E::K*>(keys));
}

template <class K>
void nth(int64_t n, void* keys, void* spare, int64_t place, void* key, int64_t* below, int64_t* equal) {
  K* sorted = static_cast<K*>(keys);
  sort_keys(n, sorted, static_cast<K*>(spare), [sorted](int64_t m, const K* piece, int64_t position) {
    if (piece != sorted + position) __builtin_memcpy(sorted + position, piece, static_cast<size_t>(m) * sizeof(K));
  });
  const K found = sorted[place];
  int64_t first = place, end = place + 1;
  while (first > 0 && sorted[first - 1] == found) --first;
  while (end < n && sorted[end] == found) ++end;
  *static_cast<K*>(key) = found;
  *below = first;
  *equal = end - first;
}

template <class E>
void bounds(int64_t n, const void* data, int64_t samples, int64_t low, int64_t high, void* result) {
  using K = typename E::K;
  const auto* x = static_cast<const typename E::In*>(data);
  K sample[kMostSamples], spare[kMostSamples];
  const int64_t step = n / samples;
  for (int64_t i = 0; i < samples; ++i) sample[i] = E::key(x[step * i + step / 2]);
  K found[2] = {0, static_cast<K>(~K{0})};
  sort_keys(samples, sample, spare, [=, &found](int64_t m, const K* sorted, int64_t position) {
    if (low >= position && low < position + m) found[0] = sorted[low - position];
    if (high >= position && high < position + m) found[1] = sorted[high - position];
  });
  __builtin_memcpy(result, found, sizeof(found));
}

// Calls part(m, keys, position) for parts of the keys of n elements.
template <class E, class Part>
inline void for_parts(int64_t n, const void* data, const Part& part) {
  const auto* x = static_cast<const typename E::In*>(data);
  alignas(64) typename E::K keys[kPart];
  for (int64_t i = 0; i < n; i += kPart) {
    const int64_t m = n - i < kPart ? n - i : kPart;
    make_keys<E>(m, x + i, keys);
    part(m, keys, i);
  }
}

template <class E>
int64_t filter(int64_t n, const void* data, const void* bounds, bool few, void* inside, int64_t* below) {
  using K = typename E::K;
  const K low = static_cast<const K*>(bounds)[0], high = static_cast<const K*>(bounds)[1];
  K* to = static_cast<K*>(inside);
  int64_t before = 0, count = 0;
  for_parts<E>(n, data, [&](int64_t m, const K* keys, int64_t) {
    count += few ? filter_part<true>(m, keys, low, high, to + count, before)
                 : filter_part<false>(m, keys, low, high, to + count, before);
  });
  *below = before;
  return count;
}

template <class E>
void count(int64_t n, const void* data, const void* key, int64_t* below, int64_t* equal) {
  using K = typename E::K;
  const K pivot = *static_cast<const K*>(key);
  int64_t before = 0, same = 0;
  for_parts<E>(n, data, [&](int64_t m, const K* keys, int64_t) {
    K before_here = 0, same_here = 0;  // as wide as keys are: a loop of vectors
    for (int64_t i = 0; i < m; ++i) {
      before_here += keys[i] < pivot ? 1 : 0;
      same_here += keys[i] == pivot ? 1 : 0;
    }
    before += static_cast<int64_t>(before_here);
    same += static_cast<int64_t>(same_here);
  });
  *below = before;
  *equal = same;
}

// `values(m, position, memory)` are those of elements from a position on.
template <class E, class Out, class Values>
inline void group_values(int64_t n, const void* data, const void* key, const Values& values, const int64_t* counts,
                         Out* const* to) {
  using K = typename E::K;
  const K pivot = *static_cast<const K*>(key);
  Out* ends[3] = {to[0], to[1], to[2]};
  Out* limits[3];
  for (int g = 0; g < 3; ++g) limits[g] = to[g] != nullptr ? to[g] + counts[g] : nullptr;
  alignas(64) K carried[kPart];
  const bool some = to[0] == nullptr || to[1] == nullptr || to[2] == nullptr;
  for_parts<E>(n, data, [&](int64_t m, const K* keys, int64_t position) {
    const K* given = values(m, position, carried);
    const auto group_to = [&](K*(&last)[3], K* const(&room)[3]) {
      if (some) return group_part<true>(m, keys, given, pivot, last, room);
      group_part<false>(m, keys, given, pivot, last, room);
    };
    if constexpr (sizeof(Out) == sizeof(K)) {
      group_to(ends, limits);
    } else {
      alignas(64) K grouped[3][kPart];
      K *last[3], *const room[3] = {grouped[0] + kPart, grouped[1] + kPart, grouped[2] + kPart};
      for (int g = 0; g < 3; ++g) last[g] = to[g] != nullptr ? grouped[g] : nullptr;
      group_to(last, room);
      for (int g = 0; g < 3; ++g) {
        const int64_t count = to[g] != nullptr ? last[g] - grouped[g] : 0;
        for (int64_t i = 0; i < count; ++i) ends[g][i] = static_cast<Out>(grouped[g][i]);
        ends[g] += count;
      }
    }
  });
}

template <class E>
void group(int64_t n, const void* data, const void* key, const int64_t* counts, void* const* to) {
  using In = typename E::In;
  using K = typename E::K;
  const In* x = static_cast<const In*>(data);
  const auto values = [x](int64_t m, int64_t position, K* carried) -> const K* {
    if constexpr (sizeof(In) == sizeof(K)) {
      return x + position;
    } else {
      for (int64_t i = 0; i < m; ++i) carried[i] = x[position + i];
      return carried;
    }
  };
  In* const places[3] = {static_cast<In*>(to[0]), static_cast<In*>(to[1]), static_cast<In*>(to[2])};
  group_values<E, In>(n, data, key, values, counts, places);
}

template <class E>
void group_positions(int64_t n, int64_t first, const void* data, const void* key, const int64_t* counts,
                     uint32_t* const* to) {
  using K = typename E::K;
  const auto values = [first](int64_t m, int64_t position, K* carried) {
    for (int64_t i = 0; i < m; ++i) carried[i] = static_cast<K>(first + position) + static_cast<K>(i);
    return static_cast<const K*>(carried);
  };
  group_values<E, uint32_t>(n, data, key, values, counts, to);
}

constexpr SelectTable make_table() {
  SelectTable table{};
#define IST_ENTRY(dtype)                                                                            \
  {                                                                                                 \
    using E = Source<dtype>;                                                                        \
    using Keys = OfKeys<E::K>;                                                                      \
    table.of[dtype] = {sizeof(E::K),  &to_keys<E>, &bounds<E>, &bounds<Keys>, &filter<E>,           \
                       &filter<Keys>, &nth<E::K>,  &count<E>,  &group<E>,     &group_positions<E>}; \
  }
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY)
  IST_ENTRY(IST_FLOAT16)
  IST_ENTRY(IST_BFLOAT16)
#undef IST_ENTRY
  return table;
}

constexpr SelectTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::SelectTable* IST_ISA_NAME(select)() { return &ist::cpu::table; }
