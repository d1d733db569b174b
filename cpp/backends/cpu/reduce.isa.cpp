// Reductions of blocks that are dense, or every second element, in the contract's order: 32 lanes, folded by halving.
#include <utility>

#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/reduce_fold.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/reduce_ops.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

// Elements in their accumulator type: half types are converted on the way, kLanes at a time in `memory`.
template <class T>
inline T widened(T x) {
  return x;
}
inline float widened(float16 x) { return to_float(x); }
inline float widened(bfloat16 x) { return to_float(x); }

#if defined(IST_STORES_HALVES)
// bfloat16 at even places have the first half of the lanes, those at odd places the second: two of a word are widened
// without permutations.
template <class E>
constexpr bool kInHalves = std::is_same_v<E, bfloat16>;
template <class Half>
inline const float* convert_lanes(const Half* x, float* memory) {
  for (int i = 0; i < kLanes; i += VecF32::kWidth) VecF32::load(x + i).store(memory + i);
  return memory;
}
inline const float* convert_halves(const bfloat16* x, float* memory) {
  constexpr int W = VecF32::kWidth;
  for (int i = 0; i < kLanes / 2; i += W) {
    VecF32 even, odd;
    VecF32::load_two(x + 2 * i, even, odd);
    even.store(memory + i), odd.store(memory + kLanes / 2 + i);
  }
  return memory;
}
#else
template <class E>
constexpr bool kInHalves = false;
// Without instructions for it this is long code, and kernels would hold it a dozen times.
template <class Half>
__attribute__((noinline)) const float* convert_lanes(const Half* x, float* memory) {
  for (int i = 0; i < kLanes; ++i) memory[i] = to_float(x[i]);
  return memory;
}
#endif
template <class T>
inline const T* widened(const T* x, T*) {
  return x;
}
inline const float* widened(const float16* x, float* memory) { return convert_lanes(x, memory); }
inline const float* widened(const bfloat16* x, float* memory) { return convert_lanes(x, memory); }

// The lane that element i of kLanes goes to, and the other way round.
template <class E>
constexpr int lane_of(int i) {
  return kInHalves<E> ? i / 2 + i % 2 * (kLanes / 2) : i;
}
template <class E>
constexpr int element_of(int lane) {
  return kInHalves<E> ? lane % (kLanes / 2) * 2 + lane / (kLanes / 2) : lane;
}

// kLanes elements in the order of their lanes.
template <class T, class E>
inline const T* to_lanes(const E* x, T* memory) {
  if constexpr (kInHalves<E>) {
    return convert_halves(x, memory);
  } else {
    return widened(x, memory);
  }
}

template <class F, class E, int kRows, class T>
inline void fold_all(T (*lane)[kLanes], T* out) {
  if constexpr (kInHalves<E>) {
    T sums[2 * kRows];
    fold_rows_of_lanes<F, 2 * kRows>(reinterpret_cast<T(*)[kLanes / 2]>(lane), sums);
    for (int r = 0; r < kRows; ++r) out[r] = F::apply(sums[2 * r], sums[2 * r + 1]);
  } else {
    fold_rows_of_lanes<F, kRows>(lane, out);
  }
}

// kLanes elements that are kStep apart; every second one is taken to `memory`, and the one behind the last is read,
// too.
template <int kStep, class E>
inline const E* lanes_at(const E* x, E* memory) {
  if constexpr (kStep == 1) {
    return x;
  } else {
    using Bits = std::conditional_t<sizeof(E) == 4, uint32_t, uint64_t>;
    constexpr int W = kWidth<Bits>;
    using V = Elements<Bits>;
    const auto even_elements = []<int... i>(V a, V b, std::integer_sequence<int, i...>)
                                   __attribute__((always_inline)) { return __builtin_shufflevector(a, b, 2 * i...); };
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; i += W) {
      const V even =
          even_elements(load_as<V>(x + 2 * i), load_as<V>(x + 2 * i + W), std::make_integer_sequence<int, W>());
      __builtin_memcpy(memory + i, &even, sizeof(even));
    }
    return memory;
  }
}

// Whether kLanes elements from j on may be read, of n.
template <int kStep>
inline bool holds_lanes(int64_t j, int64_t n) {
  return j + kLanes <= n - (kStep - 1);
}

// F over elements E in accumulators T.
template <class F, class T, class E, int kStep>
inline void any_block(const E* __restrict x, int64_t n, T* result) {
  T lane[kLanes], memory[kLanes];
  E taken[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = F::template identity<T>();
  if (kIsNeutral<F, T> && n < kLanes) {
    for (int64_t i = 0; i < n; ++i) lane[i] = F::apply(lane[i], widened(x[i * kStep]));
    *result = fold<F, T>(lane, n);
    return;
  }
  int64_t j = 0;
  for (; holds_lanes<kStep>(j, n); j += kLanes) {
    const T* wide = to_lanes(lanes_at<kStep>(x + j * kStep, taken), memory);
    for (int i = 0; i < kLanes; ++i) lane[i] = F::apply(lane[i], wide[i]);
  }
  for (int i = 0; i < n - j; ++i) {
    T& to = lane[lane_of<E>(i)];
    to = F::apply(to, widened(x[(j + i) * kStep]));
  }
  fold_all<F, E, 1>(&lane, result);
}

template <class F, class T, int kStep>
IST_HALF_VECTORS void block_in_place(const T* x, int64_t n, T* result) {
  any_block<F, T, T, kStep>(x, n, result);
}

template <class F, class T, class E, int kStep = 1>
void block(const void* data, int64_t n, void* result) {
  const E* x = static_cast<const E*>(data);
  if constexpr (std::is_same_v<T, E>) {
    block_in_place<F, T, kStep>(x, n, static_cast<T*>(result));
  } else {
    any_block<F, T, E, kStep>(x, n, static_cast<T*>(result));  // loads of half types are half as long anyway
  }
}

// The last elements of rows, at most kLanes; `may_pass`: as many may be read. A function of its own is less to compile.
template <class F, int kStep, int kRows, class T, class E>
__attribute__((noinline)) void add_rests(const E* __restrict x, int64_t stride, int n, bool may_pass,
                                         T (*__restrict lane)[kLanes]) {
  for (int k = 0; k < kRows; ++k, x += stride) {
    if (may_pass) {
      T memory[kLanes];
      E taken[kLanes];
      const T* wide = to_lanes(lanes_at<kStep>(x, taken), memory);
      for (int i = 0; i < kLanes; ++i) {
        const T value = F::apply(lane[k][i], wide[i]);
        lane[k][i] = element_of<E>(i) < n ? value : lane[k][i];
      }
    } else {
      for (int i = 0; i < n; ++i) {
        T& to = lane[k][lane_of<E>(i)];
        to = F::apply(to, widened(x[i * kStep]));
      }
    }
  }
}

// Rows of so few elements that each has a lane of its own: the fold alone, row by row.
template <int kElements, class F, class T, class E>
inline void fold_few(int64_t n_rows, const E* __restrict x, int64_t stride, T* __restrict out) {
  const auto lane = [](E value) { return F::apply(F::template identity<T>(), widened(value)); };
  for (int64_t r = 0; r < n_rows; ++r, x += stride) {
    T even = lane(x[0]), odd = lane(x[1]);
    if constexpr (kElements > 2) even = F::apply(even, lane(x[2]));
    if constexpr (kElements > 3) odd = F::apply(odd, lane(x[3]));
    out[r] = F::apply(even, odd);
  }
}

template <int kElements, class F, class T, class E>
__attribute__((noinline)) void rows_of_few(int64_t n_rows, const E* x, int64_t stride, T* out) {
  if (stride == kElements) return fold_few<kElements, F>(n_rows, x, kElements, out);  // which are vectors
  fold_few<kElements, F>(n_rows, x, stride, out);
}

// Several rows at a time: the lanes of one alone would wait for each other's additions.
template <class F, class T, class E, int kStep>
void rows(int64_t n_rows, int64_t n, const void* data, int64_t stride, void* results) {
  constexpr int kTogether = kRowsInTurns<sizeof(T)>;
  const E* __restrict x = static_cast<const E*>(data);
  T* out = static_cast<T*>(results);
  if constexpr (kIsNeutral<F, T> && kStep == 1 && std::is_same_v<T, E>) {
    static_assert(kFewElements == 4);
    if (n == 2) return rows_of_few<2, F>(n_rows, x, stride, out);
    if (n == 3) return rows_of_few<3, F>(n_rows, x, stride, out);
    if (n == 4) return rows_of_few<4, F>(n_rows, x, stride, out);
  }
  int64_t r = 0;
  for (; n >= kLanes && r + kTogether <= n_rows; r += kTogether, x += kTogether * stride) {
    T lane[kTogether][kLanes], memory[kLanes];
    E taken[kLanes];
#pragma GCC unroll 4
    for (int k = 0; k < kTogether; ++k) {
      for (int i = 0; i < kLanes; ++i) lane[k][i] = F::template identity<T>();
    }
    int64_t j = 0;
    for (; holds_lanes<kStep>(j, n); j += kLanes) {
#pragma GCC unroll 4
      for (int k = 0; k < kTogether; ++k) {
        const T* wide = to_lanes(lanes_at<kStep>(x + k * stride + j * kStep, taken), memory);
        for (int i = 0; i < kLanes; ++i) lane[k][i] = F::apply(lane[k][i], wide[i]);
      }
    }
    // Whole vectors may be read where the next rows are.
    const int rest = static_cast<int>(n - j);
    const bool may_pass = stride >= n * kStep && r + kTogether < n_rows;
    if (rest > 0) add_rests<F, kStep, kTogether>(x + j * kStep, stride, rest, may_pass, lane);
    fold_all<F, E, kTogether>(lane, out + r);
  }
  for (; r < n_rows; ++r, x += stride) block<F, T, E, kStep>(x, n, &out[r]);
}

template <class F, class T, class E>
__attribute__((noinline)) void combine(int64_t n, void* into, const void* from) {
  T* __restrict acc = static_cast<T*>(into);
  const E* __restrict x = static_cast<const E*>(from);
  int64_t i = 0;
  if constexpr (!std::is_same_v<T, E>) {
    for (; i + kLanes <= n; i += kLanes) {
      T memory[kLanes];
      const T* wide = widened(x + i, memory);
      for (int l = 0; l < kLanes; ++l) acc[i + l] = F::apply(acc[i + l], wide[l]);
    }
  }
  for (; i < n; ++i) acc[i] = F::apply(acc[i], widened(x[i]));
}

template <class F, class T>
__attribute__((noinline)) void pairs(int64_t n, const void* acc, void* results) {
  const T* __restrict x = static_cast<const T*>(acc);
  T* __restrict out = static_cast<T*>(results);
  for (int64_t i = 0; i < n; ++i) out[i] = F::apply(x[2 * i], x[2 * i + 1]);
}

template <int kTogether, class F, class T, class E>
inline void add_chain(int64_t first, int64_t n, T* __restrict acc, const E* __restrict x, int64_t stride) {
  for (int64_t i = first; i < n; ++i) {
    T value = acc[i];
#pragma GCC unroll 8
    for (int k = 0; k < kTogether; ++k) value = F::apply(value, widened(x[k * stride + i]));
    acc[i] = value;
  }
}

// kTogether rows at a time, so that reading and writing the accumulators counts for little.
template <int kTogether, class F, class T, class E>
inline void add_rows(int64_t n, T* __restrict acc, const E* __restrict x, int64_t stride) {
  constexpr bool kIsExtreme = (std::is_same_v<F, Max> || std::is_same_v<F, Min>) && !std::is_integral_v<T>;
  int64_t i = 0;
  if constexpr (kIsExtreme || !std::is_same_v<T, E>) {
    for (; i + kLanes <= n; i += kLanes) {
      // Not copied to lanes and back: copies are made by halves of vectors, which stores cannot hand to whole loads.
      T value[kLanes], memory[kLanes];
#pragma GCC unroll 8
      for (int k = 0; k < kTogether; ++k) {
        const T* wide = widened(x + k * stride + i, memory);
        const T* before = k == 0 ? acc + i : value;
        T* after = k + 1 == kTogether ? acc + i : value;
        for (int l = 0; l < kLanes; ++l) after[l] = F::apply(before[l], wide[l]);
      }
    }
  }
  // Long chains of extremes take GCC seconds each: to it they are branches, in which a NaN passes by the rest.
  constexpr int kChain = kIsExtreme && kTogether == 8 ? 4 : kTogether;
  add_chain<kChain, F>(i, n, acc, x, stride);
  if constexpr (kChain < kTogether) add_chain<kTogether - kChain, F>(i, n, acc, x + kChain * stride, stride);
}

template <class F, class T, class E>
void columns(int64_t n, void* into, const void* from, int64_t stride, int64_t n_rows) {
  T* acc = static_cast<T*>(into);
  const E* x = static_cast<const E*>(from);
  for (; n_rows >= kRowsTogether; n_rows -= kRowsTogether, x += kRowsTogether * stride) {
    add_rows<kRowsTogether, F>(n, acc, x, stride);
  }
  // Of 32 rows the first starts the lanes, so seven are left over.
  for (; n_rows >= 3; n_rows -= 3, x += 3 * stride) add_rows<3, F>(n, acc, x, stride);
  for (; n_rows > 0; --n_rows, x += stride) combine<F, T, E>(n, acc, x);
}

// acc[i] = x[i] # y[i], each alone in its lane; `y` may be null.
template <class F, class T, class E>
__attribute__((noinline)) void fold_two(int64_t n, T* __restrict acc, const E* __restrict x, const E* __restrict y) {
  const auto lane = [](E value) { return F::apply(F::template identity<T>(), widened(value)); };
  int64_t i = 0;
  if (y != nullptr) {
    for (; i < n; ++i) acc[i] = F::apply(lane(x[i]), lane(y[i]));
    return;
  }
  for (; i + kLanes <= n; i += kLanes) {
    T memory[kLanes];
    const T* wide = widened(x + i, memory);
    for (int l = 0; l < kLanes; ++l) acc[i + l] = F::apply(F::template identity<T>(), wide[l]);
  }
  for (; i < n; ++i) acc[i] = lane(x[i]);
}

// The fold of up to four lanes that have one element each: the first and third, the second and fourth, and both.
template <class F, class T, class E>
void fold_rows(int64_t n, void* into, const void* from, int64_t stride, int64_t n_rows) {
  constexpr int64_t kChunk = 256;
  T* acc = static_cast<T*>(into);
  const E* x = static_cast<const E*>(from);
  if (n_rows <= 2) return fold_two<F>(n, acc, x, n_rows == 2 ? x + stride : nullptr);
  for (int64_t i = 0; i < n; i += kChunk, acc += kChunk, x += kChunk) {
    const int64_t together = n - i < kChunk ? n - i : kChunk;
    T others[kChunk];
    fold_two<F>(together, acc, x, x + 2 * stride);
    fold_two<F>(together, others, x + stride, n_rows == 4 ? x + 3 * stride : nullptr);
    combine<F, T, T>(together, acc, others);
  }
}

template <class F, int D>
constexpr Reducer reducer() {
  using T = typename Storage<D>::compute;
  using E = Type<D>;
  decltype(&rows<F, T, E, 1>) every_second = nullptr;
  if constexpr (std::is_floating_point_v<E>) every_second = &rows<F, T, E, 2>;  // the others are not worth their size
  return {&block<F, T, E>,       {&rows<F, T, E, 1>, every_second},
          &columns<F, T, E>,     &fold_rows<F, T, E>,
          &combine<F, T, T>,     &pairs<F, T>,
          &identity<F, T>,       kIsNeutral<F, T>,
          std::is_integral_v<T>, -1};
}

// Extremes of bytes that are 0 or 1.
template <class F>
constexpr Reducer bool_reducer(int deciding) {
  Reducer bools = reducer<F, IST_UINT8>();
  bools.identity = &identity<F, bool>;
  bools.deciding = deciding;
  return bools;
}

constexpr ReduceTable make_table() {
  ReduceTable table{};
#define IST_ENTRY(dtype)                         \
  table.fn[kMax][dtype] = reducer<Max, dtype>(); \
  table.fn[kMin][dtype] = reducer<Min, dtype>();
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY)
#undef IST_ENTRY
#define IST_ENTRY(dtype)                           \
  table.fn[kSum][dtype] = reducer<Sum, dtype>();   \
  table.fn[kProd][dtype] = reducer<Prod, dtype>(); \
  table.fn[kMax][dtype] = reducer<Max, dtype>();   \
  table.fn[kMin][dtype] = reducer<Min, dtype>();
  IST_ENTRY(IST_FLOAT16)
  IST_ENTRY(IST_BFLOAT16)
#undef IST_ENTRY
#define IST_ENTRY(dtype, computed)                  \
  table.fn[kSum][dtype] = reducer<Sum, computed>(); \
  table.fn[kProd][dtype] = reducer<Prod, computed>();
  IST_FOR_ACCUMULATORS(IST_ENTRY)
#undef IST_ENTRY
  table.fn[kMax][IST_BOOL] = table.fn[kAny][IST_BOOL] = bool_reducer<Max>(1);
  table.fn[kMin][IST_BOOL] = table.fn[kAll][IST_BOOL] = bool_reducer<Min>(0);
  return table;
}

constexpr ReduceTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ReduceTable* IST_ISA_NAME(reduce)() { return &ist::cpu::table; }
