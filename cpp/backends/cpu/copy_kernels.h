// Kernels that move elements.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

struct CopyTable {
  // dst[i] = *src for i in [0, n).
  void (*fill[4])(int64_t n, void* dst, const void* src);
  // dst[i * dst_stride] = src[i * src_stride]; strides in elements.
  void (*strided[4])(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride);
  // The same for a matrix: dst[r * dst_row + c * dst_col] = src[r * src_row + c * src_col].
  void (*rows[4])(int64_t rows, int64_t cols, void* dst, int64_t dst_row, int64_t dst_col, const void* src,
                  int64_t src_row, int64_t src_col);
  // Rows of few elements that lie anywhere in the source: dst[r * dst_row + i] = src[r * src_row + table[i]].
  void (*units[4])(int64_t rows, int64_t unit, const int64_t* table, void* dst, int64_t dst_row, const void* src,
                   int64_t src_row);
  // Elements [start, start + n) in row-major order of a strided tensor, to a dense tile. rank >= 1.
  void (*gather[4])(int64_t start, int64_t n, int rank, const int64_t* shape, const int64_t* strides, const void* src,
                    void* dst);
  // A rows x cols transposition through cache-sized squares: dst[r * dst_stride + c] = src[r + c * src_stride].
  void (*transpose[4])(int64_t rows, int64_t cols, void* dst, int64_t dst_stride, const void* src, int64_t src_stride);
  // Bytes past the caches to memory, where the CPU has such stores. The thread that calls it calls end_stream() before
  // others may read them.
  void (*stream)(int64_t n, void* dst, const void* src);
  void (*end_stream)();
};

}  // namespace ist::cpu
