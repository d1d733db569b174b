// argmax and argmin of dense blocks.
#include <utility>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/reduce_ops.h"

namespace ist::cpu {
namespace {

// Is `a` more extreme than `b`, which came first?
template <bool kMaximum, class T>
inline bool beats(T a, T b) {
  if (scalar::isnan(b)) return false;
  if (scalar::isnan(a)) return true;
  return kMaximum ? scalar::less(b, a) : scalar::less(a, b);
}

// Is nothing more extreme than `best`, of dtype D?
template <bool kMaximum, int D>
inline bool ends(Loaded<D> best) {
  if constexpr (D == IST_FLOAT32 || D == IST_FLOAT64 || D == IST_COMPLEX64) {
    return scalar::isnan(best);
  } else {
    return best == static_cast<Loaded<D>>(kMaximum ? Limits<Type<D>>::highest() : Limits<Type<D>>::lowest());
  }
}

// ---- vectors ----

template <class T>
using Index = Unsigned<sizeof(T)>;
template <class T>
using Indices = Elements<Index<T>>;  // beside elements of type T

template <bool kMaximum, class V>
inline V more_extreme(V value, V best) {  // `best` where they are equal, or the value is NaN
  return kMaximum ? (value > best ? value : best) : (value < best ? value : best);
}

template <bool kMaximum, class T, int kBytes>
inline T most_extreme(typename Vector<T, kBytes>::type v) {
  if constexpr (kBytes > 16) {
    constexpr int kHalf = kBytes / 2 / static_cast<int>(sizeof(T));
    return [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
      const auto low = __builtin_shufflevector(v, v, i...), high = __builtin_shufflevector(v, v, (kHalf + i)...);
      return most_extreme<kMaximum, T, kBytes / 2>(more_extreme<kMaximum>(high, low));
    }(std::make_integer_sequence<int, kHalf>());
  } else {
    using V = decltype(v);
    using Words = typename Vector<uint64_t, kBytes>::type;
    v = more_extreme<kMaximum>((V)(Words{((Words)v)[1], 0}), v);
#pragma GCC unroll 3
    for (int bits = 32; bits >= 8 * static_cast<int>(sizeof(T)); bits /= 2) {
      v = more_extreme<kMaximum>((V)((Words)v >> bits), v);
    }
    return v[0];
  }
}

template <class T>
constexpr bool kFloating = static_cast<T>(0.5f) != 0;

// A NaN makes a sum NaN, and so do infinities of both signs.
template <class T>
inline bool may_have_nan(Elements<T> sum) {
  if constexpr (!kFloating<T>) return false;
  const auto nan = sum != sum;
  uint64_t parts[kVectorBytes / 8], any = 0;
  __builtin_memcpy(parts, &nan, sizeof(nan));
  for (const uint64_t part : parts) any |= part;
  return any != 0;
}

// Lane by lane.
template <bool kMaximum, class T>
inline Elements<T> most_extreme_of(const Elements<T> (&of)[4]) {
  return more_extreme<kMaximum>(more_extreme<kMaximum>(of[3], of[2]), more_extreme<kMaximum>(of[1], of[0]));
}

// ---- the first of the most extreme elements ----

constexpr int kChains = 4;       // enough that their latency does not show
constexpr int kAhead = 1024;     // bytes
constexpr int64_t kChunk = 256;  // elements: a position in it has 8 bits

// The most extreme element of up to 4096 that are no NaN, and the first chunk that has it: every lane keeps the chunk
// that raised it last, so that one chunk is read again, not all.
template <bool kMaximum, class T>
class Scan {
 public:
  inline explicit Scan(T first) {
#pragma GCC unroll 4
    for (int v = 0; v < kChains; ++v) {
      best_[v] = Elements<T>{} + first;
      chunk_[v] = Indices<T>{};
      sum_[v] = Elements<T>{};
    }
  }
  // n >= kWidth<T>
  inline void run(const T* x, int64_t n) {
    constexpr int W = kWidth<T>, kSteps = kChunk / (W * kChains);
    int64_t j = 0;
    Indices<T> c{};
    for (; j + kChunk <= n; j += kChunk, c += 1) {
      if constexpr (kVectorBytes == 32) ask_ahead(x + j);
#pragma GCC unroll 4
      for (int v = 0; v < kChains; ++v) {
        Elements<T> here = load(x + j + v * W);
        add(here, v);
#pragma GCC unroll 8
        for (int k = 1; k < kSteps; ++k) {
          const Elements<T> next = load(x + j + (v + k * kChains) * W);
          add(next, v);
          here = more_extreme<kMaximum>(next, here);
        }
        update(here, c, v);
      }
    }
    for (; j < n; j += W) {  // the last vector may hold elements again
      const Elements<T> here = load(x + (j + W <= n ? j : n - W));
      add(here, 0);
      update(here, c, 0);
    }
  }
  inline Elements<T> sum() const { return (sum_[0] + sum_[1]) + (sum_[2] + sum_[3]); }
  inline T best() const { return most_extreme<kMaximum, T, kVectorBytes>(most_extreme_of<kMaximum, T>(best_)); }
  inline int64_t first_chunk(T best) const {
    Indices<T> first = ~Indices<T>{};
    for (int v = 0; v < kChains; ++v) {
      first = more_extreme<false>(best_[v] == best ? chunk_[v] : ~Indices<T>{}, first);
    }
    return static_cast<int64_t>(most_extreme<false, Index<T>, kVectorBytes>(first));
  }

 private:
  inline void add(Elements<T> x, int v) {
    if constexpr (kFloating<T>) sum_[v] += x;
  }
  // The end of each call breaks the stream that the hardware's prefetcher follows.
  static inline void ask_ahead(const T* x) {
    constexpr int kBytesAhead = 4096, kSize = sizeof(T);
    for (int i = 0; i < kChunk; i += kLine / kSize) __builtin_prefetch(x + i + kBytesAhead / kSize);
  }
  inline void update(Elements<T> here, Indices<T> c, int v) {
    const auto better = kMaximum ? here > best_[v] : here < best_[v];
    best_[v] = better ? here : best_[v];
    chunk_[v] = better ? c : chunk_[v];
  }

  Elements<T> best_[kChains];
  Indices<T> chunk_[kChains];
  Elements<T> sum_[kChains];
};

template <class T>  // first, first + 1, ...
inline Indices<T> indices_from(int64_t first) {
  Indices<T> at;
  for (int i = 0; i < kWidth<T>; ++i) at[i] = static_cast<Index<T>>(i);
  return at + static_cast<Index<T>>(first);
}

// Where in a chunk that has it: without branches on where, which nobody could foresee. In one that has not, beyond the
// chunk as a number without a sign, or the last of 256.
template <class T>
inline int64_t first_in_chunk(const T* x, T wanted) {
  Indices<T> at = indices_from<T>(0), first = ~Indices<T>{};
#pragma GCC unroll 32
  for (int64_t j = 0; j < kChunk; j += kWidth<T>, at += kWidth<T>) {
    first = more_extreme<false>(load(x + j) == wanted ? at : ~Indices<T>{}, first);
  }
  return static_cast<int64_t>(most_extreme<false, Index<T>, kVectorBytes>(first));
}

template <class T>
inline int64_t first_nan(const T* x, int64_t n) {
  int64_t at = 0;
  while (at < n && !scalar::isnan(x[at])) ++at;
  return at;
}

// ---- long sequences ----

// The most extreme element of each quarter of kArgTogether, and where the first of all is. What fetches memory ahead
// follows each quarter by itself: some processors get more of several that are read in turns, others less.
template <bool kMaximum, bool kInTurns, class T>
class Quarters {
 public:
  static constexpr int kQuarters = 4;
  static constexpr int64_t kLength = kArgTogether / kQuarters;
  inline Quarters(const T* x, T first) {
    constexpr int W = kWidth<T>, kVectors = 4;  // of a quarter at a time
#pragma GCC unroll 4
    for (int q = 0; q < kQuarters; ++q) best_[q] = Elements<T>{} + first, sum_[q] = Elements<T>{};
    if constexpr (kInTurns) {
      for (int64_t j = 0; j < kLength; j += kVectors * W) {
#pragma GCC unroll 4
        for (int q = 0; q < kQuarters; ++q) {
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) best_[q] = take(load(x + q * kLength + j + v * W), v, best_[q]);
        }
      }
    } else {
      for (int q = 0; q < kQuarters; ++q, x += kLength) {
        Elements<T> best[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) best[v] = best_[q];
        for (int64_t j = 0; j < kLength; j += kVectors * W) {
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) best[v] = take(load(x + j + v * W), v, best[v]);
        }
        best_[q] = most_extreme_of<kMaximum, T>(best);
      }
    }
  }
  inline Elements<T> sum() const { return (sum_[0] + sum_[1]) + (sum_[2] + sum_[3]); }
  inline T best() const { return most_extreme<kMaximum, T, kVectorBytes>(most_extreme_of<kMaximum, T>(best_)); }
  // Where the first one is that equals `best`, which there is.
  inline int64_t first(const T* x, T best) const {
    int q = 0;
    while (most_extreme<kMaximum, T, kVectorBytes>(best_[q]) != best) ++q;
    for (int64_t j = q * kLength;; j += kChunk) {
      const auto at = static_cast<uint64_t>(first_in_chunk(x + j, best));
      if (at < kChunk && x[j + static_cast<int64_t>(at)] == best) return j + static_cast<int64_t>(at);
    }
  }

 private:
  inline Elements<T> take(Elements<T> here, int v, Elements<T> best) {
    if constexpr (kFloating<T>) sum_[v] += here;
    return more_extreme<kMaximum>(here, best);
  }

  Elements<T> best_[kQuarters], sum_[kQuarters];
};

template <bool kMaximum, class T>
void one_by_one(const T* x, int64_t n, int64_t base, T& best, uint32_t* index) {
  for (int64_t i = 0; i < n; ++i) {
    if (!beats<kMaximum>(x[i], best)) continue;
    best = x[i];
    *index = static_cast<uint32_t>(base + i);
  }
}

template <class T>
inline void start_at_base_0(const T* x, int64_t base, T& best, uint32_t* index) {
  if (base != 0) return;
  best = x[0];
  *index = 0;
}

// What n elements change, by their sum and the most extreme of them as `found` has them; where() is its place, if it
// beats *best and nothing is NaN.
template <bool kMaximum, int D, class T, class Found, class Where>
inline bool settle(const T* x, int64_t n, int64_t base, const Found& found, T& best, uint32_t* index, Where&& where) {
  int64_t at = n;
  if (may_have_nan<T>(found.sum())) at = first_nan(x, n);
  if (at == n) {
    const T value = found.best();
    if (value == best) return ends<kMaximum, D>(best);
    at = where(value);
  }
  best = x[at];
  *index = static_cast<uint32_t>(base + at);
  return ends<kMaximum, D>(best);
}

template <bool kMaximum, bool kInTurns, int D>
bool long_arg_step(const void* data, int64_t n, int64_t base, void* best_value, uint32_t* index) {
  using T = Loaded<D>;
  const T* x = static_cast<const T*>(data);
  T& best = *static_cast<T*>(best_value);
  start_at_base_0(x, base, best, index);
  if (ends<kMaximum, D>(best)) return true;
  const Quarters<kMaximum, kInTurns, T> quarters(x, best);
  return settle<kMaximum, D>(x, n, base, quarters, best, index, [&](T value) { return quarters.first(x, value); });
}

template <bool kMaximum, int D>
bool arg_step(const void* data, int64_t n, int64_t base, void* best_value, uint32_t* index) {
  using T = Loaded<D>;
  const T* x = static_cast<const T*>(data);
  T& best = *static_cast<T*>(best_value);
  start_at_base_0(x, base, best, index);
  if (ends<kMaximum, D>(best)) return true;
  if (n < kWidth<T>) {
    one_by_one<kMaximum>(x, n, base, best, index);
    return ends<kMaximum, D>(best);
  }
  Scan<kMaximum, T> scan(best);
  scan.run(x, n);
  // What comes next in memory is most likely the next row: it arrives while this one's place is found.
  for (int i = 0; i < kAhead; i += kLine) __builtin_prefetch(reinterpret_cast<const char*>(x + n) + i);
  return settle<kMaximum, D>(x, n, base, scan, best, index, [&](T value) {
    int64_t at = scan.first_chunk(value) * kChunk;
    if (n >= kChunk) {  // no element before the chunk is as large
      at = at < n - kChunk ? at : n - kChunk;
      return at + first_in_chunk(x + at, value);
    }
    while (x[at] != value) ++at;
    return at;
  });
}

// ---- short rows ----

// The place in a row of kWidth<T> <= n <= kChunk elements that are no NaN, without branches on where; adds the row to
// `sum`.
template <bool kMaximum, class T>
inline uint32_t first_in_row(const T* x, int64_t n, Elements<T>& sum) {
  const int64_t last = n - kWidth<T>;  // this vector may hold elements again
  Elements<T> best = load(x + last);
  if constexpr (kFloating<T>) sum += best;
  for (int64_t j = 0; j < last; j += kWidth<T>) {
    const Elements<T> here = load(x + j);
    if constexpr (kFloating<T>) sum += here;
    best = more_extreme<kMaximum>(here, best);
  }
  const T wanted = most_extreme<kMaximum, T, kVectorBytes>(best);
  Indices<T> first = load(x + last) == wanted ? indices_from<T>(last) : ~Indices<T>{}, at = indices_from<T>(0);
  for (int64_t j = 0; j < last; j += kWidth<T>, at += kWidth<T>) {
    first = more_extreme<false>(load(x + j) == wanted ? at : ~Indices<T>{}, first);
  }
  return static_cast<uint32_t>(most_extreme<false, Index<T>, kVectorBytes>(first));
}

// The same for n < kWidth<T>, where a whole vector may be read.
template <bool kMaximum, class T>
inline uint32_t first_in_short_row(const T* x, int64_t n, Elements<T>& sum) {
  const Indices<T> at = indices_from<T>(0);
  const Elements<T> all = at < static_cast<Index<T>>(n) ? load(x) : Elements<T>{} + x[0];
  if constexpr (kFloating<T>) sum += all;
  const T wanted = most_extreme<kMaximum, T, kVectorBytes>(all);
  return static_cast<uint32_t>(most_extreme<false, Index<T>, kVectorBytes>(all == wanted ? at : ~Indices<T>{}));
}

template <bool kMaximum, int D>
void arg_rows(int64_t n_rows, int64_t n, const void* data, int64_t stride, uint32_t* indices) {
  using T = Loaded<D>;
  constexpr int64_t kTogether = 8;  // rows that are searched for NaN together
  const T* x = static_cast<const T*>(data);
  if (n > kChunk) {
    T best;
    for (int64_t r = 0; r < n_rows; ++r) arg_step<kMaximum, D>(x + r * stride, n, 0, &best, &indices[r]);
    return;
  }
  for (int64_t r = 0; r < n_rows; r += kTogether) {
    const int64_t end = r + kTogether < n_rows ? r + kTogether : n_rows;
    const bool is_short = n < kWidth<T>, may_pass = (n_rows - end) * stride + n >= kWidth<T>;
    Elements<T> sum{};
    if (!is_short) {
      for (int64_t k = r; k < end; ++k) indices[k] = first_in_row<kMaximum>(x + k * stride, n, sum);
    } else if (may_pass) {
      for (int64_t k = r; k < end; ++k) indices[k] = first_in_short_row<kMaximum>(x + k * stride, n, sum);
    }
    if ((is_short && !may_pass) || may_have_nan<T>(sum)) {
      T best;
      for (int64_t k = r; k < end; ++k) arg_step<kMaximum, D>(x + k * stride, n, 0, &best, &indices[k]);
    }
  }
}

// ---- complex64 ----

template <bool kMaximum>
bool complex_arg_step(const void* data, int64_t n, int64_t base, void* best_value, uint32_t* index) {
  const complex64* x = static_cast<const complex64*>(data);
  complex64& best = *static_cast<complex64*>(best_value);
  start_at_base_0(x, base, best, index);
  one_by_one<kMaximum>(x, n, base, best, index);
  return ends<kMaximum, IST_COMPLEX64>(best);
}

template <bool kMaximum>
void complex_arg_rows(int64_t n_rows, int64_t n, const void* data, int64_t stride, uint32_t* indices) {
  const complex64* x = static_cast<const complex64*>(data);
  complex64 best;
  for (int64_t r = 0; r < n_rows; ++r) complex_arg_step<kMaximum>(x + r * stride, n, 0, &best, &indices[r]);
}

// ---- columns ----

template <bool kMaximum, class T>
void arg_row(const void* data, int64_t n, int64_t position, void* best_values, uint32_t* indices) {
  const T* __restrict x = static_cast<const T*>(data);
  T* __restrict best = static_cast<T*>(best_values);
  uint32_t* __restrict index = indices;
  const uint32_t here = static_cast<uint32_t>(position);
  if (position == 0) {
    for (int64_t i = 0; i < n; ++i) best[i] = x[i];
    for (int64_t i = 0; i < n; ++i) index[i] = 0;
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const T value = x[i], old = best[i];
    const bool better = beats<kMaximum>(value, old);
    best[i] = better ? value : old;
    index[i] = better ? here : index[i];
  }
}

template <bool kMaximum, int D>
constexpr ArgReducer arg_reducer() {
  if constexpr (D == IST_COMPLEX64) {
    constexpr auto step = &complex_arg_step<kMaximum>;
    return {step, {step, step}, &complex_arg_rows<kMaximum>, &arg_row<kMaximum, complex64>};
  } else {
    return {&arg_step<kMaximum, D>,
            {&long_arg_step<kMaximum, false, D>, &long_arg_step<kMaximum, true, D>},
            &arg_rows<kMaximum, D>,
            &arg_row<kMaximum, Loaded<D>>};
  }
}

constexpr ArgReduceTable make_table() {
  ArgReduceTable table{};
#define IST_ENTRY(dtype)                           \
  table.fn[0][dtype] = arg_reducer<true, dtype>(); \
  table.fn[1][dtype] = arg_reducer<false, dtype>();
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY)
#undef IST_ENTRY
  return table;
}

constexpr ArgReduceTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ArgReduceTable* IST_ISA_NAME(arg_reduce)() { return &ist::cpu::table; }
