// A quicksort of keys by whole vectors, for levels that have lanes for them: partitions out of place, and bitonic
// networks in registers for what is short. Keys are all there is to a value, so nothing has to be stable.
#pragma once

#include "backends/cpu/sort_lanes.h"

#if defined(IST_SORTS_VECTORS)

namespace ist::cpu {
namespace {

template <class K>
using Keys = typename KeyLanes<K>::Vector;

// ---- bitonic networks over kVectors registers ----

#if defined(__AVX512F__)

// Two by two: a step compares all keys of one register with those of the other, lane by lane. Then the keys change
// places so that those which meet in the next step lie in the same lane: that is two permutations for two registers,
// where comparing within a register would need as many, and a comparison and a blend more.

// Which of the 2 * kWidth keys, by position, lie in the lanes of the two registers. As a permutation: which lanes of
// the two are fetched.
template <class K>
struct alignas(64) Places {
  K low[KeyLanes<K>::kWidth], high[KeyLanes<K>::kWidth];
};

template <class K>
constexpr Places<K> in_order() {
  constexpr int W = KeyLanes<K>::kWidth;
  Places<K> places{};
  for (int i = 0; i < W; ++i) {
    places.low[i] = static_cast<K>(i);
    places.high[i] = static_cast<K>(W + i);
  }
  return places;
}

// Those that meet in a step: keys `apart` from each other or, mirrored, the first of 2 * apart with the last and so on.
template <class K>
constexpr Places<K> meeting(int apart, bool mirrored) {
  Places<K> places{};
  int lane = 0;
  for (int i = 0; i < 2 * KeyLanes<K>::kWidth; ++i) {
    if ((i & apart) != 0) continue;
    places.low[lane] = static_cast<K>(i);
    places.high[lane++] = static_cast<K>(i ^ (mirrored ? 2 * apart - 1 : apart));
  }
  return places;
}

template <class K>
constexpr Places<K> permutation(const Places<K>& from, const Places<K>& to) {
  constexpr int W = KeyLanes<K>::kWidth;
  Places<K> fetched{};
  for (int lane = 0; lane < W; ++lane) {
    for (int i = 0; i < W; ++i) {
      if (from.low[i] == to.low[lane]) fetched.low[lane] = static_cast<K>(i);
      if (from.high[i] == to.low[lane]) fetched.low[lane] = static_cast<K>(W + i);
      if (from.low[i] == to.high[lane]) fetched.high[lane] = static_cast<K>(i);
      if (from.high[i] == to.high[lane]) fetched.high[lane] = static_cast<K>(W + i);
    }
  }
  return fetched;
}

// The permutation after the step (kApart, kMirrored) of the sort of two registers: halves of a bitonic sequence follow,
// then the mirrored step of sequences twice as long, and order in the end.
template <class K, int kRun, int kApart>
constexpr Places<K> kAfterStep =
    permutation(meeting<K>(kApart, kApart == kRun), kApart > 1                   ? meeting<K>(kApart / 2, false)
                                                    : kRun < KeyLanes<K>::kWidth ? meeting<K>(2 * kRun, true)
                                                                                 : in_order<K>());
// The same for the merge of a bitonic sequence in two registers.
template <class K, int kApart>
constexpr Places<K> kAfterMergeStep =
    permutation(meeting<K>(kApart, false), kApart > 1 ? meeting<K>(kApart / 2, false) : in_order<K>());

template <class K>
constexpr Places<K> reversed_lanes() {
  Places<K> places{};
  for (int i = 0; i < KeyLanes<K>::kWidth; ++i) places.low[i] = static_cast<K>(KeyLanes<K>::kWidth - 1 - i);
  return places;
}
template <class K>
constexpr Places<K> kReversed = reversed_lanes<K>();
template <class K>
constexpr Places<K> kInOrder = in_order<K>();

// The first kEnd of the registers.
template <class K, int kEnd>
inline void step(Keys<K>* r, const Places<K>& fetched) {
  using L = KeyLanes<K>;
  const Keys<K> low_lanes = L::load(fetched.low), high_lanes = L::load(fetched.high);
#pragma GCC unroll 16
  for (int b = 0; b < kEnd; b += 2) {
    const Keys<K> low = L::min(r[b], r[b + 1]), high = L::max(r[b], r[b + 1]);
    r[b] = L::permute(low, low_lanes, high);
    r[b + 1] = L::permute(low, high_lanes, high);
  }
}

// Every two registers: sequences of 2 * kRun keys out of those of kRun.
template <class K, int kEnd, int kRun = 1, int kApart = kRun>
inline void sort_together(Keys<K>* r) {
  step<K, kEnd>(r, kAfterStep<K, kRun, kApart>);
  if constexpr (kApart > 1) {
    sort_together<K, kEnd, kRun, kApart / 2>(r);
  } else if constexpr (kRun < KeyLanes<K>::kWidth) {
    sort_together<K, kEnd, 2 * kRun>(r);
  }
}

template <class K, int kEnd, int kApart = KeyLanes<K>::kWidth>
inline void merge_together(Keys<K>* r) {
  step<K, kEnd>(r, kAfterMergeStep<K, kApart>);
  if constexpr (kApart > 1) merge_together<K, kEnd, kApart / 2>(r);
}

template <class K>
inline Keys<K> reversed(Keys<K> v) {
  return KeyLanes<K>::permute(KeyLanes<K>::load(kReversed<K>.low), v);
}
template <class K>
inline Keys<K> rotated(Keys<K> v, int lanes) {  // lane i gets lane i + lanes
  using L = KeyLanes<K>;
  return L::permute(L::add(L::load(kInOrder<K>.low), L::broadcast(static_cast<K>(lanes))), v);
}

constexpr int kTogether = 2;

#else

// One by one: kDistance is the exclusive or of the lanes of two keys that are compared.
template <class K, int kEnd, int kDistance, int kBit>
inline void step(Keys<K>* r) {
#pragma GCC unroll 16
  for (int b = 0; b < kEnd; ++b) r[b] = KeyLanes<K>::template ordered<kDistance, kBit>(r[b]);
}
template <class K, int kEnd, int kApart = KeyLanes<K>::kWidth / 2>
inline void merge_together(Keys<K>* r) {
  step<K, kEnd, kApart, kApart>(r);
  if constexpr (kApart > 1) merge_together<K, kEnd, kApart / 2>(r);
}
// Sequences of 2 * kRun keys out of those of kRun.
template <class K, int kEnd, int kRun = 1>
inline void sort_together(Keys<K>* r) {
  step<K, kEnd, 2 * kRun - 1, kRun>(r);
  if constexpr (kRun > 1) merge_together<K, kEnd, kRun / 2>(r);
  if constexpr (2 * kRun < KeyLanes<K>::kWidth) sort_together<K, kEnd, 2 * kRun>(r);
}
template <class K>
inline Keys<K> reversed(Keys<K> v) {
  return KeyLanes<K>::template exchange<KeyLanes<K>::kWidth - 1>(v);
}
template <class K>
inline Keys<K> rotated(Keys<K> v, int lanes) {  // lane i gets lane i + lanes
  return KeyLanes<K>::rotate(v, lanes);
}

constexpr int kTogether = 1;

#endif

// Sequences of 2 * kRun registers out of those of kRun; what is missing from the last counts as the largest keys.
template <class K, int kVectors, int kRun = kTogether>
inline void merge_runs(Keys<K> (&r)[kVectors]) {
  using L = KeyLanes<K>;
  if constexpr (kRun < kVectors) {
    constexpr int kLast = kVectors % (2 * kRun);
    constexpr int kEnd = kLast > kRun ? kVectors : kVectors - kLast;  // a run without a second is left as it is
#pragma GCC unroll 16
    for (int b = 0; b < kEnd; ++b) {
      const int mirrored = b ^ (2 * kRun - 1);
      if (mirrored < b || mirrored >= kEnd) continue;
      // The upper half ends with its lanes reversed, which a merge does not mind.
      const Keys<K> other = reversed<K>(r[mirrored]);
      r[mirrored] = L::max(r[b], other);
      r[b] = L::min(r[b], other);
    }
#pragma GCC unroll 4
    for (int apart = kRun / 2; apart >= kTogether; apart /= 2) {
#pragma GCC unroll 16
      for (int b = 0; b < kEnd; ++b) {
        if ((b & apart) != 0 || (b | apart) >= kEnd) continue;
        const Keys<K> low = L::min(r[b], r[b | apart]);
        r[b | apart] = L::max(r[b], r[b | apart]);
        r[b] = low;
      }
    }
    merge_together<K, kEnd>(r);
    merge_runs<K, kVectors, 2 * kRun>(r);
  }
}

// n keys, at least kWhole vectors, to a place for kVectors: stores of less than a vector may take as long as a dozen.
template <class K, int kVectors, int kWhole>
void sort_in_registers(int64_t n, const K* x, K* sorted) {
  using L = KeyLanes<K>;
  const Keys<K> last = L::broadcast(static_cast<K>(~K{0}));
  Keys<K> r[kVectors];
#pragma GCC unroll 16
  for (int b = 0; b < kVectors; ++b) {
    const K* at = x + b * L::kWidth;
    r[b] = L::ranked(b < kWhole ? L::load(at) : L::load(at, first<K>(n - b * L::kWidth), last));
  }
  sort_together<K, kVectors>(r);
  merge_runs<K>(r);
#pragma GCC unroll 16
  for (int b = 0; b < kVectors; ++b) L::store(sorted + b * L::kWidth, L::ranked(r[b]));
}

constexpr int kLargestNetwork = 16;  // registers

template <class K>
void sort_few(int64_t n, const K* x, K* sorted) {
  constexpr int W = KeyLanes<K>::kWidth;
  if (n <= 2 * W) return sort_in_registers<K, 2, 0>(n, x, sorted);
  if (n <= 4 * W) return sort_in_registers<K, 4, 2>(n, x, sorted);
  if (n <= 6 * W) return sort_in_registers<K, 6, 4>(n, x, sorted);
  if (n <= 8 * W) return sort_in_registers<K, 8, 6>(n, x, sorted);
  if (n <= 10 * W) return sort_in_registers<K, 10, 8>(n, x, sorted);
  if (n <= 12 * W) return sort_in_registers<K, 12, 10>(n, x, sorted);
  if (n <= 14 * W) return sort_in_registers<K, 14, 12>(n, x, sorted);
  return sort_in_registers<K, kLargestNetwork, 14>(n, x, sorted);
}

// ---- quicksort ----

template <class K>
inline Keys<K> median(Keys<K> a, Keys<K> b, Keys<K> c) {
  using L = KeyLanes<K>;
  return L::max(L::min(a, b), L::min(L::max(a, b), c));
}

// Near the median, by medians of three of medians of three. Many keys are worth samples one by one, which patterns in
// them spoil less than neighbours.
template <class K>
K middle_key(int64_t n, const K* x) {
  using L = KeyLanes<K>;
  constexpr int W = L::kWidth, kSamples = 3 * W;
  constexpr int64_t kMany = 4096;
  const auto load = [](const K* at) { return L::ranked(L::load(at)); };
  Keys<K> v;
  if (n >= kMany) {
    K sample[kSamples];
    for (int i = 0; i < kSamples; ++i) sample[i] = x[n / kSamples * i + n / (2 * kSamples)];
    v = median<K>(load(sample), load(sample + W), load(sample + 2 * W));
  } else {
    const int64_t sixth = (n - W) / 6;  // neither a ramp nor a peak misleads these
    v = median<K>(load(x + sixth), load(x + 3 * sixth), load(x + 5 * sixth));
  }
#pragma GCC unroll 4
  for (int step = (W + 1) / 3; step > 0; step /= 3) v = median<K>(v, rotated<K>(v, step), rotated<K>(v, 2 * step));
  return L::first_key(L::ranked(v));
}

// A vector's keys: those that `below` chooses to `front` and up, the others to `back` and down. There is room for
// kPlaceRoom vectors between the two, which what is too much lands in.
#if defined(__AVX512F__)
constexpr int kPlaceRoom = 1;
template <class K>
inline void place(Keys<K> v, typename KeyLanes<K>::Mask below, K*& front, K*& back) {
  using L = KeyLanes<K>;
  const auto above = others<K>(below);
  L::store(front, L::compress(below, v));
  const int n_above = __builtin_popcount(above);
  front += L::kWidth - n_above;
  back -= n_above;
  L::store(back, lowest<K>(n_above), L::compress(above, v));
}
#else
constexpr int kPlaceRoom = 2;
template <class K>
inline void place(Keys<K> v, typename KeyLanes<K>::Mask below, K*& front, K*& back) {
  using L = KeyLanes<K>;
  const Keys<K> parted = L::compress(below, v);  // the others follow
  L::store(front, parted);
  L::store(back - L::kWidth, parted);
  const int n_below = __builtin_popcount(below);
  front += n_below;
  back -= L::kWidth - n_below;
}
#endif

// Keys below `bound` (or, kOrEqual, not above it) go to `front` and up, the others to `back` and down, with room for
// all between the two.
template <class K, bool kOrEqual>
inline void partition(int64_t n, const K* from, K bound, K*& front_end, K*& back_end) {
  using L = KeyLanes<K>;
  constexpr int W = L::kWidth;
  const Keys<K> pivot = L::broadcast(bound), bounds = L::ranked(pivot);
  K *front = front_end, *back = back_end;
  const auto goes_below = [&](Keys<K> v) __attribute__((always_inline)) {
    const Keys<K> ranked = L::ranked(v);
    return kOrEqual ? others<K>(L::less(bounds, ranked)) : L::less(ranked, bounds);
  };
  int64_t i = 0;
#if !defined(__AVX512F__)
  // What is less than a vector goes one by one: a masked store takes as long as a dozen others.
  for (; i < n % W; ++i) {
    const K key = from[i];
    const bool is_below = kOrEqual ? key <= bound : key < bound;
    *front = back[-1] = key;
    front += is_below ? 1 : 0;
    back -= is_below ? 0 : 1;
  }
#endif
  for (; i + (3 + kPlaceRoom) * W <= n; i += 4 * W) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const Keys<K> v = L::load(from + i + k * W);
      place<K>(v, goes_below(v), front, back);
    }
  }
#if !defined(__AVX512F__)
  for (; i < n && back - front >= kPlaceRoom * W; i += W) {
    const Keys<K> v = L::load(from + i);
    place<K>(v, goes_below(v), front, back);
  }
  if (i < n && back - front == W) {
    const Keys<K> v = L::load(from + i);
    const auto below = goes_below(v);
    L::store(front, L::compress(below, v));  // the others follow
    front_end = back_end = front + __builtin_popcount(below);
    return;
  }
#endif
  for (; i < n; i += W) {
    const auto valid = first<K>(n - i);
    const Keys<K> v = L::load(from + i, valid, pivot);
    const int below = goes_below(v) & valid, above = ~below & valid;
    L::store(front, lowest<K>(__builtin_popcount(below)), L::compress(static_cast<typename L::Mask>(below), v));
    front += __builtin_popcount(below);
    back -= __builtin_popcount(above);
    L::store(back, lowest<K>(__builtin_popcount(above)), L::compress(static_cast<typename L::Mask>(above), v));
  }
  front_end = front;
  back_end = back;
}

// Apart from the recursion, which the memory for it would make deeper.
template <class K, class Finish>
[[gnu::noinline]] void sort_and_finish(int64_t n, const K* from, int64_t position, const Finish& finish) {
  alignas(64) K sorted[kLargestNetwork * KeyLanes<K>::kWidth];
  sort_few(n, from, sorted);
  finish(n, static_cast<const K*>(sorted), position);
}

template <class K>
void heap_sort(int64_t n, K* x) {
  const auto sink = [x](int64_t root, int64_t end) {
    for (int64_t child = 2 * root + 1; child < end; child = 2 * root + 1) {
      if (child + 1 < end && x[child] < x[child + 1]) ++child;
      if (x[root] >= x[child]) return;
      const K moved = x[root];
      x[root] = x[child];
      x[child] = moved;
      root = child;
    }
  };
  for (int64_t root = n / 2; root-- > 0;) sink(root, n);
  for (int64_t end = n; end-- > 1;) {
    const K largest = x[0];
    x[0] = x[end];
    x[end] = largest;
    sink(0, end);
  }
}

// Sorts the keys at `from`, using up both them and `spare`, and gives them to finish(n, keys, position) piece by piece.
// Where pivots keep being bad, `patience` runs out.
template <class K, class Finish>
void quick_sort(int64_t n, K* from, K* spare, int64_t position, int patience, const Finish& finish) {
  if (n <= kLargestNetwork * KeyLanes<K>::kWidth) {
    return sort_and_finish(n, from, position, finish);
  }
  if (patience == 0) {
    heap_sort(n, from);
    return finish(n, from, position);
  }
  const K pivot = middle_key(n, from);
  K *front_end = spare, *back_end = spare + n;
  partition<K, false>(n, from, pivot, front_end, back_end);
  if (front_end > spare) {
    quick_sort(front_end - spare, spare, from, position, patience - 1, finish);
  } else {  // the pivot is the smallest key: all keys that equal it are done
    back_end = spare + n;
    partition<K, true>(n, from, pivot, front_end, back_end);
    finish(front_end - spare, spare, position);
  }
  const int64_t front = front_end - spare;
  if (front < n) quick_sort(n - front, spare + front, from + front, position + front, patience - 1, finish);
}

template <class K, class Finish>
void sort_keys(int64_t n, K* keys, K* spare, const Finish& finish) {
  quick_sort(n, keys, spare, 0, 2 * (64 - __builtin_clzll(static_cast<uint64_t>(n) | 1)), finish);
}

template <class K>
void split_keys(int64_t n, const K* keys, K pivot, K*& front_end, K*& back_end) {
  partition<K, false>(n, keys, pivot, front_end, back_end);
}

}  // namespace
}  // namespace ist::cpu

#endif
