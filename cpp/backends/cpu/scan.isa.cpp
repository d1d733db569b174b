// Cumulative ops over blocks, in the contract's order: each block is one chain of operations.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/reduce_ops.h"
#include "backends/cpu/scan_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

// `lanes` is `apply` for vectors.
struct Add : Sum {
  static constexpr bool kLong = false;
  template <class V>
  static inline V lanes(V a, V b) {
    return {a.v + b.v};
  }
};

struct Multiply : Prod {
  static constexpr bool kLong = false;
  template <class V>
  static inline V lanes(V a, V b) {
    return {a.v * b.v};
  }
};

struct Maximum : Max {
  static constexpr bool kLong = false;
  template <class V>
  static inline V lanes(V a, V b) {
    return {(a.v > b.v) | (a.v != a.v) ? a.v : b.v};
  }
};

struct Minimum : Min {
  static constexpr bool kLong = false;
  template <class V>
  static inline V lanes(V a, V b) {
    return {(a.v < b.v) | (a.v != a.v) ? a.v : b.v};
  }
};

struct LogAddExp {
  static constexpr bool kLong = true;
  template <class T>
  static inline T apply(T a, T b) {
    return scalar::logaddexp(a, b);
  }
  template <class T>
  static inline T identity() {
    return scalar::cast<T>(-__builtin_inff());
  }
};

// A chain waits for each of its operations, so several rows go together. Four: rows that lie a power of two apart would
// drive each other out of the first-level cache.
template <class F, class T>
inline void chains(int64_t count, int64_t n, int64_t step, const T* x, T* out, int64_t pitch) {
  for (; count >= 4; count -= 4, x += 4 * pitch, out += 4 * pitch) {
    T a = x[0], b = x[pitch], c = x[2 * pitch], d = x[3 * pitch];
    for (int64_t i = 0, at = 0;;) {
      out[at] = a;
      out[at + pitch] = b;
      out[at + 2 * pitch] = c;
      out[at + 3 * pitch] = d;
      if (++i == n) break;
      at += step;
      a = F::apply(a, x[at]);
      b = F::apply(b, x[at + pitch]);
      c = F::apply(c, x[at + 2 * pitch]);
      d = F::apply(d, x[at + 3 * pitch]);
    }
  }
  for (; count > 0; --count, x += pitch, out += pitch) {
    T a = x[0];
    out[0] = a;
    for (int64_t i = 1, at = step; i < n; ++i, at += step) out[at] = a = F::apply(a, x[at]);
  }
}

// As many rows as a vector has lanes, transposed in squares. Rows past the last are the last once more.
template <class F, int kStep, class V, class T>
inline void squares(int64_t count, int64_t n, const T* x, T* out, int64_t pitch) {
  constexpr int kWidth = V::kWidth;
  // Where a line is two vectors, rows a power of two apart would drive it out of the first-level cache between the two:
  // lines go whole, by way of rows that lie close together.
  constexpr bool kByLines = kAvx2Alone && sizeof(T) == 4;  // (float64 would take compilers as long again)
  constexpr int kColumns = kByLines ? 2 * kWidth : kWidth;
  alignas(64) T line[kWidth][kByLines ? kColumns + kWidth : 1];
  int64_t row[kWidth];
  for (int r = 0; r < kWidth; ++r) row[r] = (r < count ? r : count - 1) * pitch;
  V acc = V::zero();
  int64_t done = 0;
  for (; done + kColumns <= n; done += kColumns) {
    const int64_t at = kStep > 0 ? done : -done - (kColumns - 1);
    for (int r = 0; kByLines && r < kWidth; ++r) {
      for (int s = 0; s < kColumns; s += kWidth) V::load(x + row[r] + at + s).store(line[r] + s);
    }
    for (int s = 0; s < kColumns; s += kWidth) {
      const int start = kStep > 0 ? s : kColumns - kWidth - s;
      V square[kWidth];
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r) square[r] = V::load(kByLines ? line[r] + start : x + row[r] + at);
      V::transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < kWidth; ++i) {
        V& column = square[kStep > 0 ? i : kWidth - 1 - i];
        acc = done + s + i == 0 ? column : F::lanes(acc, column);
        column = acc;
      }
      V::transpose(square);
#pragma GCC unroll 16
      for (int r = 0; r < kWidth; ++r) square[r].store(kByLines ? line[r] + start : out + row[r] + at);
    }
    for (int r = 0; kByLines && r < kWidth; ++r) {
      for (int s = 0; s < kColumns; s += kWidth) V::load(line[r] + s).store(out + row[r] + at + s);
    }
  }
  T last[kWidth];
  acc.store(last);
  for (int r = 0; r < kWidth; ++r) {
    T a = last[r];
    for (int64_t j = done; j < n; ++j) {
      const T next = x[row[r] + kStep * j];
      out[row[r] + kStep * j] = a = j == 0 ? next : F::apply(a, next);
    }
  }
}

// For long operations: a lane for each row, element by element.
template <class F, class T>
inline void lanes(int64_t count, int64_t n, int64_t step, const T* x, T* out, int64_t pitch) {
  constexpr int kLanes = 16;
  T acc[kLanes] = {}, next[kLanes] = {};
  for (int64_t j = 0, at = 0; j < n; ++j, at += step) {
    for (int64_t r = 0; r < count; ++r) next[r] = x[r * pitch + at];
    if (j == 0) {
      for (int r = 0; r < kLanes; ++r) acc[r] = next[r];
    } else {
      for (int r = 0; r < kLanes; ++r) acc[r] = F::apply(acc[r], next[r]);
    }
    for (int64_t r = 0; r < count; ++r) out[r * pitch + at] = acc[r];
  }
}

template <class T>
struct VectorOf {
  struct type {
    static constexpr int kWidth = 1;
  };
};
template <>
struct VectorOf<float> {
  using type = VecF32;
};
template <>
struct VectorOf<double> {
  using type = VecF64;
};

template <class F, class T>
void rows(int64_t count, int64_t n, int64_t step, const void* data, void* result, int64_t pitch) {
  using V = typename VectorOf<T>::type;
  constexpr int kTogether = F::kLong ? 16 : V::kWidth;
  const T* x = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (n <= 0) return;
  if constexpr (kTogether > 1) {
    for (; count > 2; count -= kTogether, x += kTogether * pitch, out += kTogether * pitch) {
      const int64_t together = count < kTogether ? count : kTogether;
      if constexpr (F::kLong) {
        lanes<F>(together, n, step, x, out, pitch);
      } else if (step > 0) {
        squares<F, 1, V>(together, n, x, out, pitch);
      } else {
        squares<F, -1, V>(together, n, x, out, pitch);
      }
    }
  }
  chains<F>(count, n, step, x, out, pitch);
}

// out[i] = left[i] # right[i]; `out` is one of them or apart from both. Compiled once for all who call it.
template <class F, class T>
__attribute__((noinline)) void combine_into(int64_t n, const T* left, const T* right, T* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = F::apply(left[i], right[i]);
}

template <class F, class T>
void combine(int64_t n, const void* left, void* right) {
  T* into = static_cast<T*>(right);
  combine_into<F>(n, static_cast<const T*>(left), into, into);
}

// Against an array of offsets: with one number, compilers hoist parts of long operations as branches.
template <class F, class T>
void join(int64_t n, const void* left, void* data) {
  constexpr int64_t kChunk = 64;
  T offsets[kChunk];
  for (int64_t i = 0; i < kChunk; ++i) offsets[i] = *static_cast<const T*>(left);
  T* x = static_cast<T*>(data);
  for (; n >= kChunk; n -= kChunk, x += kChunk) {
    for (int64_t i = 0; i < kChunk; ++i) x[i] = F::apply(offsets[i], x[i]);
  }
  combine_into<F>(n, offsets, x, x);
}

template <class F, class T>
void columns(int64_t n, int64_t width, int64_t pitch, const void* data, const void* left, void* running, void* result) {
  const T* x = static_cast<const T*>(data);
  const T* offset = static_cast<const T*>(left);
  T* acc = static_cast<T*>(running);
  T* out = static_cast<T*>(result);
  // Without offsets, the row before holds the running results.
  const T* before = offset == nullptr ? out : acc;
  for (int64_t j = 0; j < n; ++j, x += pitch, out += pitch) {
    T* now = offset == nullptr ? out : acc;
    if (j == 0) {
      for (int64_t i = 0; i < width; ++i) now[i] = x[i];
    } else {
      combine_into<F>(width, before, x, now);
    }
    if (offset != nullptr) combine_into<F>(width, offset, acc, out);
    before = now;
  }
  if (offset == nullptr) {
    for (int64_t i = 0; i < width; ++i) acc[i] = before[i];
  }
}

template <class F, int D>
constexpr Scanner scanner() {
  using T = Type<D>;
  return {&rows<F, T>, &join<F, T>, &columns<F, T>, &combine<F, T>, &identity<F, T>};
}

constexpr ScanTable make_table() {
  ScanTable table{};
#define IST_ENTRY(dtype)                                  \
  table.fn[kCumprod][dtype] = scanner<Multiply, dtype>(); \
  table.fn[kCummax][dtype] = scanner<Maximum, dtype>();   \
  table.fn[kCummin][dtype] = scanner<Minimum, dtype>();
  IST_FOR_COMPUTE_DTYPES(IST_ENTRY)
#undef IST_ENTRY
#define IST_ENTRY(dtype, computed) table.fn[kCumsum][dtype] = scanner<Add, computed>();
  IST_FOR_ACCUMULATORS(IST_ENTRY)
#undef IST_ENTRY
  table.fn[kLogcumsumexp][IST_FLOAT32] = scanner<LogAddExp, IST_FLOAT32>();
  table.fn[kLogcumsumexp][IST_FLOAT64] = scanner<LogAddExp, IST_FLOAT64>();
  table.fn[kLogcumsumexp][IST_COMPLEX64] = scanner<LogAddExp, IST_COMPLEX64>();
  return table;
}

constexpr ScanTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ScanTable* IST_ISA_NAME(scan)() { return &ist::cpu::table; }
