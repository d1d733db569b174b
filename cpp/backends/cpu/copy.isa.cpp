// Moving elements between layouts. Only sizes matter here, not dtypes.
#include <utility>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"
#include "backends/cpu/stream_line.h"

namespace ist::cpu {
namespace {

template <class T>
void fill(int64_t n, void* dst, const void* src) {
  const T value = *static_cast<const T*>(src);
  T* __restrict out = static_cast<T*>(dst);
  for (int64_t i = 0; i < n; ++i) out[i] = value;
}

template <class T>
inline void load_row(int64_t n, T* __restrict out, const T* __restrict in, int64_t stride) {
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = in[i];
  } else if (stride == 0) {
    const T value = *in;
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  } else if (stride == 2) {  // strides that the compiler knows become shuffles
    for (int64_t i = 0; i < n; ++i) out[i] = in[i * 2];
  } else if (stride == -1) {
    for (int64_t i = 0; i < n; ++i) out[i] = in[-i];
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = in[i * stride];
  }
}

template <class T>
void strided(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  T* __restrict out = static_cast<T*>(dst);
  const T* __restrict in = static_cast<const T*>(src);
  if (dst_stride == 1) {
    load_row(n, out, in, src_stride);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * dst_stride] = in[i * src_stride];
  }
}

// Rows of a length that the compiler knows.
template <int N, class T>
inline void fixed_rows(int64_t rows, T* __restrict out, int64_t dst_row, const T* __restrict in, int64_t src_row) {
  for (int64_t r = 0; r < rows; ++r, out += dst_row, in += src_row) __builtin_memcpy(out, in, N * sizeof(T));
}

// Three elements, such as pixels, dense in the target: one instruction takes a fourth along, which the next row
// replaces. That is read from between the first row and the last, whatever the stride but 0; those two are copied as
// they are.
template <class T>
inline void rows_of_three(int64_t rows, T* __restrict out, const T* __restrict in, int64_t src_row) {
  const auto row = [&](int64_t r, int count) __attribute__((always_inline)) {
    __builtin_memcpy(out + 3 * r, in + r * src_row, count * sizeof(T));
  };
  row(0, 3);
  for (int64_t r = 1; r < rows - 1; ++r) row(r, 4);
  if (rows > 1) row(rows - 1, 3);
}

// Three elements a row, backwards: as many rows as a vector holds change places in it, and what it has besides is
// replaced by the next rows.
template <class T>
inline void rows_of_three_backwards(int64_t rows, T* __restrict out, const T* __restrict in) {
  constexpr int W = kWidth<T>, kRows = W / 3;
  const auto backwards = []<int... i>(Elements<T> v, std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    return __builtin_shufflevector(v, v, (i < 3 * kRows ? 3 * (kRows - 1 - i / 3) + i % 3 : i)...);
  };
  const auto row = [&](int64_t r)
                       __attribute__((always_inline)) { __builtin_memcpy(out + 3 * r, in - 3 * r, 3 * sizeof(T)); };
  if (rows == 0) return;
  row(0);  // the vector of the first rows would pass the end of it
  int64_t r = 1;
  for (; r + kRows < rows; r += kRows) {
    const Elements<T> some =
        backwards(load_as<Elements<T>>(in - 3 * (r + kRows - 1)), std::make_integer_sequence<int, W>());
    __builtin_memcpy(out + 3 * r, &some, sizeof(some));
  }
  for (; r < rows; ++r) row(r);
}

// Rows that are dense in the target.
template <class T>
inline void load_rows(int64_t rows, int64_t cols, T* __restrict out, int64_t dst_row, const T* __restrict in,
                      int64_t src_row, int64_t src_col) {
  if (src_col == 1) {
    switch (cols) {
      case 2:
        return fixed_rows<2>(rows, out, dst_row, in, src_row);
      case 3:
        if constexpr (kVectorBytes == 64 && sizeof(T) == 4) {
          if (dst_row == 3 && src_row == -3) return rows_of_three_backwards(rows, out, in);
        }
        if (dst_row == 3 && src_row != 0 && rows > 0) return rows_of_three(rows, out, in, src_row);
        return fixed_rows<3>(rows, out, dst_row, in, src_row);
      case 4:
        return fixed_rows<4>(rows, out, dst_row, in, src_row);
      case 8:
        return fixed_rows<8>(rows, out, dst_row, in, src_row);
      case 16:
        return fixed_rows<16>(rows, out, dst_row, in, src_row);
      default:
        break;
    }
  }
  for (int64_t r = 0; r < rows; ++r, out += dst_row, in += src_row) load_row(cols, out, in, src_col);
}

template <class T>
void rows(int64_t rows, int64_t cols, void* dst, int64_t dst_row, int64_t dst_col, const void* src, int64_t src_row,
          int64_t src_col) {
  T* out = static_cast<T*>(dst);
  const T* in = static_cast<const T*>(src);
  if (dst_col == 1) return load_rows(rows, cols, out, dst_row, in, src_row, src_col);
  for (int64_t r = 0; r < rows; ++r) strided<T>(cols, out + r * dst_row, dst_col, in + r * src_row, src_col);
}

template <int N, class T>
inline void fixed_units(int64_t rows, const int64_t* table, T* __restrict out, int64_t dst_row, const T* __restrict in,
                        int64_t src_row) {
  int64_t at[N];
  for (int i = 0; i < N; ++i) at[i] = table[i];
  for (int64_t r = 0; r < rows; ++r, out += dst_row, in += src_row) {
    for (int i = 0; i < N; ++i) out[i] = in[at[i]];
  }
}

template <class T>
void units(int64_t rows, int64_t unit, const int64_t* __restrict table, void* dst, int64_t dst_row, const void* src,
           int64_t src_row) {
  T* __restrict out = static_cast<T*>(dst);
  const T* __restrict in = static_cast<const T*>(src);
  if (unit == 2) return fixed_units<2>(rows, table, out, dst_row, in, src_row);
  if (unit == 3) return fixed_units<3>(rows, table, out, dst_row, in, src_row);
  if (unit == 4) return fixed_units<4>(rows, table, out, dst_row, in, src_row);
  for (int64_t r = 0; r < rows; ++r, out += dst_row, in += src_row) {
#pragma GCC unroll 4
    for (int64_t i = 0; i < unit; ++i) out[i] = in[table[i]];
  }
}

constexpr int kMaxRank = 64;

template <class T>
void gather(int64_t start, int64_t n, int rank, const int64_t* shape, const int64_t* strides, const void* src,
            void* dst) {
  const T* in = static_cast<const T*>(src);
  T* out = static_cast<T*>(dst);
  int64_t index[kMaxRank];
  int64_t rest = start;
  for (int axis = rank - 1; axis >= 0; --axis) {
    index[axis] = rest % shape[axis];
    rest /= shape[axis];
    in += index[axis] * strides[axis];
  }
  const int last = rank - 1;
  const int64_t inner = shape[last];
  const int64_t step = strides[last];
  while (n > 0) {
    int axis = last;
    if (rank > 1 && index[last] == 0 && n >= inner) {  // whole rows
      axis = last - 1;
      const int64_t left = shape[axis] - index[axis], wanted = n / inner;
      const int64_t rows = left < wanted ? left : wanted;
      load_rows(rows, inner, out, inner, in, strides[axis], step);
      out += rows * inner;
      n -= rows * inner;
      in += rows * strides[axis];
      index[axis] += rows;
    } else {
      const int64_t left = inner - index[last];
      const int64_t m = left < n ? left : n;
      load_row(m, out, in, step);
      out += m;
      n -= m;
      in += m * step;
      index[last] += m;
    }
    for (; axis > 0 && index[axis] == shape[axis]; --axis) {
      index[axis] = 0;
      in += strides[axis - 1] - strides[axis] * shape[axis];
      ++index[axis - 1];
    }
  }
}

template <class T>
void transpose(int64_t rows, int64_t cols, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  constexpr int64_t kSide = 128 / sizeof(T);
  T* __restrict out = static_cast<T*>(dst);
  const T* __restrict in = static_cast<const T*>(src);
  for (int64_t c0 = 0; c0 < cols; c0 += kSide) {
    const int64_t c1 = c0 + kSide < cols ? c0 + kSide : cols;
    for (int64_t r0 = 0; r0 < rows; r0 += kSide) {
      const int64_t r1 = r0 + kSide < rows ? r0 + kSide : rows;
      for (int64_t r = r0; r < r1; ++r) {
        for (int64_t c = c0; c < c1; ++c) out[r * dst_stride + c] = in[r + c * src_stride];
      }
    }
  }
}

// Squares of elements of one or two bytes. Each round interleaves the first half of the rows with the second, so that
// the bits of an element's row number and of its column number move up by one; when all have, they have changed places.
template <class T>
inline void transpose_short_square(T* out, int64_t dst_stride, const T* in, int64_t src_stride) {
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  using V = typename Vector<T, 16>::type;
  constexpr auto interleave = []<int... i>(V a, V b, int from, std::integer_sequence<int, i...>)
                                  __attribute__((always_inline)) {
                                    return from == 0 ? __builtin_shufflevector(a, b, (i / 2 + i % 2 * W)...)
                                                     : __builtin_shufflevector(a, b, (W / 2 + i / 2 + i % 2 * W)...);
                                  };
  constexpr auto lanes = std::make_integer_sequence<int, W>();
  V rows[W], next[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) rows[i] = load_as<V>(in + i * src_stride);
#pragma GCC unroll 4
  for (int round = 1; round < W; round *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; ++i) {
      next[2 * i] = interleave(rows[i], rows[i + W / 2], 0, lanes);
      next[2 * i + 1] = interleave(rows[i], rows[i + W / 2], 1, lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) rows[i] = next[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) __builtin_memcpy(out + i * dst_stride, &rows[i], sizeof(V));
}

template <class T>
void transpose_short(int64_t rows, int64_t cols, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  constexpr int64_t kColumns = kLine / sizeof(T);  // of the target
  T* out = static_cast<T*>(dst);
  const T* in = static_cast<const T*>(src);
  const int64_t whole_rows = rows / W * W, whole_cols = cols / W * W;
  for (int64_t c0 = 0; c0 < whole_cols; c0 += kColumns) {
    const int64_t c1 = c0 + kColumns < whole_cols ? c0 + kColumns : whole_cols;
    for (int64_t r = 0; r < whole_rows; r += W) {
      for (int64_t c = c0; c < c1; c += W) {
        transpose_short_square(out + r * dst_stride + c, dst_stride, in + r + c * src_stride, src_stride);
      }
    }
  }
  transpose<T>(rows - whole_rows, whole_cols, out + whole_rows * dst_stride, dst_stride, in + whole_rows, src_stride);
  transpose<T>(rows, cols - whole_cols, out + whole_cols, dst_stride, in + whole_cols * src_stride, src_stride);
}

// The same for a square of vectors, of which n_rows and n_cols are wanted.
template <class V, bool kWhole, class T>
inline void transpose_square(int n_rows, int n_cols, T* out, int64_t dst_stride, const T* in, int64_t src_stride) {
  constexpr int W = V::kWidth;
  const auto rows = V::mask(n_rows), cols = V::mask(n_cols);
  V square[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) {
    if constexpr (kWhole) {
      square[i] = V::load(in + i * src_stride);
    } else {
      square[i] = i < n_cols ? V::load(in + i * src_stride, rows) : V::zero();
    }
  }
  V::transpose(square);
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) {
    if (kWhole || (i < n_rows && n_cols == W)) {
      square[i].store(out + i * dst_stride);
    } else if (i < n_rows) {  // as long as a dozen of the others, with AVX2 on some machines
      square[i].store(out + i * dst_stride, cols);
    }
  }
}

template <class V>
concept HasHalves = requires(V (&rows)[V::kWidth / 2]) { V::transpose_halves(rows); };

// The same for half as many rows or fewer; vectors of half the length are read whole.
template <class V, class T>
inline void transpose_low(int n_rows, T* out, int64_t dst_stride, const T* in, int64_t src_stride) {
  constexpr int kHalf = V::kWidth / 2;
  V rows[kHalf];
#pragma GCC unroll 8
  for (int i = 0; i < kHalf; ++i) {
    const T* low = in + i * src_stride;
    rows[i] = V::load_halves(low, low + kHalf * src_stride - kHalf);
  }
  V::transpose_halves(rows);
#pragma GCC unroll 8
  for (int i = 0; i < kHalf; ++i) {
    if (i < n_rows) rows[i].store(out + i * dst_stride);
  }
}

template <class V, class T>
void transpose_squares(int64_t rows, int64_t cols, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  constexpr int W = V::kWidth;
  if constexpr (W == 1) return transpose<T>(rows, cols, dst, dst_stride, src, src_stride);
  constexpr int64_t kColumns = 16 * W;  // of the target, so that lines of the source are still there for the next rows
  T* out = static_cast<T*>(dst);
  const T* in = static_cast<const T*>(src);
  for (int64_t c0 = 0; c0 < cols; c0 += kColumns) {
    const int64_t c1 = c0 + kColumns < cols ? c0 + kColumns : cols;
    for (int64_t r = 0; r < rows; r += W) {
      const int n_rows = rows - r < W ? static_cast<int>(rows - r) : W;
      for (int64_t c = c0; c < c1; c += W) {
        const int n_cols = c1 - c < W ? static_cast<int>(c1 - c) : W;
        T* to = out + r * dst_stride + c;
        const T* from = in + r + c * src_stride;
        if (n_rows == W && n_cols == W) {
          transpose_square<V, true>(W, W, to, dst_stride, from, src_stride);
          continue;
        }
        if constexpr (HasHalves<V>) {
          // What is read beside the wanted rows lies before the end of the next column.
          const bool may_pass = c + W < cols && src_stride >= n_rows && src_stride + n_rows >= W / 2;
          if (n_cols == W && (n_rows == W / 2 || (n_rows < W / 2 && may_pass))) {
            transpose_low<V>(n_rows, to, dst_stride, from, src_stride);
            continue;
          }
        }
        transpose_square<V, false>(n_rows, n_cols, to, dst_stride, from, src_stride);
      }
    }
  }
}

// The same where columns of the source lie far apart: lines are brought close together first. Those a power of two
// apart share a few places of the first-level cache, and the second half of each would find it driven out. Where rows
// of the target share them as well, what is brought together takes places that they need.
template <class V, class T>
void transpose_far(int64_t rows, int64_t cols, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  constexpr int W = V::kWidth;
  constexpr int64_t kSize = sizeof(T), kFar = 1024 / kSize, kSamePlaces = 4096 / kSize;
  constexpr int64_t kRows = 2 * kLine / kSize, kColumns = 64;
  if (src_stride < kFar || rows < kLine / kSize || dst_stride % kSamePlaces == 0) {
    return transpose_squares<V, T>(rows, cols, dst, dst_stride, src, src_stride);
  }
  T* out = static_cast<T*>(dst);
  const T* in = static_cast<const T*>(src);
  alignas(kLine) T near[kColumns * kRows];
  const int64_t whole_rows = rows / W * W, whole_cols = cols / W * W;
  for (int64_t c0 = 0; c0 < whole_cols; c0 += kColumns) {
    const int64_t n_cols = kColumns < whole_cols - c0 ? kColumns : whole_cols - c0;
    for (int64_t r0 = 0; r0 < whole_rows; r0 += kRows) {
      const int64_t n_rows = kRows < whole_rows - r0 ? kRows : whole_rows - r0;
      for (int64_t c = 0; c < n_cols; ++c) {
        const T* from = in + r0 + (c0 + c) * src_stride;
#pragma GCC unroll 4
        for (int64_t r = 0; r < kRows; r += W) {  // not up to n_rows, which GCC makes a call of memcpy
          if (r < n_rows) V::load(from + r).store(near + c * kRows + r);
        }
      }
      for (int64_t r = 0; r < n_rows; r += W) {
        T* to = out + (r0 + r) * dst_stride + c0;
        for (int64_t c = 0; c < n_cols; c += W) {
          transpose_square<V, true>(W, W, to + c, dst_stride, near + c * kRows + r, kRows);
        }
      }
    }
  }
  transpose_squares<V, T>(rows - whole_rows, whole_cols, out + whole_rows * dst_stride, dst_stride, in + whole_rows,
                          src_stride);
  transpose_squares<V, T>(rows, cols - whole_cols, out + whole_cols, dst_stride, in + whole_cols * src_stride,
                          src_stride);
}

template <class V, class T>
constexpr auto transpose_numbers = kAvx2Alone ? &transpose_far<V, T> : &transpose_squares<V, T>;

void stream(int64_t n, void* dst, const void* src) {
  char* to = static_cast<char*>(dst);
  const char* from = static_cast<const char*>(src);
#if defined(__SSE2__)
  if (reinterpret_cast<uintptr_t>(to) % kLine == 0) {
    for (; n >= kLine; n -= kLine, to += kLine, from += kLine) stream_line(to, from);
  }
#endif
  __builtin_memcpy(to, from, static_cast<size_t>(n));
}

// Such stores are not ordered with those that hand the work over.
void end_stream() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

constexpr CopyTable table = {
    {&fill<Bits8>, &fill<Bits16>, &fill<Bits32>, &fill<Bits64>},
    {&strided<Bits8>, &strided<Bits16>, &strided<Bits32>, &strided<Bits64>},
    {&rows<Bits8>, &rows<Bits16>, &rows<Bits32>, &rows<Bits64>},
    {&units<Bits8>, &units<Bits16>, &units<Bits32>, &units<Bits64>},
    {&gather<Bits8>, &gather<Bits16>, &gather<Bits32>, &gather<Bits64>},
    {&transpose_short<Bits8>, &transpose_short<Bits16>, transpose_numbers<VecF32, float>,
     transpose_numbers<VecF64, double>},
    &stream,
    &end_stream,
};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::CopyTable* IST_ISA_NAME(copy)() { return &ist::cpu::table; }
