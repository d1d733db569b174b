// Kernels that turn parts of a quantized matrix into panels for the matrix kernels.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// A packed matrix, row-major, of `n_words` words: `row_words` words and `row_groups` scales and biases from one row to
// the next.
struct QuantizedMatrix {
  const uint32_t* words;
  const float* scales;
  const float* biases;
  int64_t n_words, row_words, row_groups;
  int group_size;
};

struct QuantizedTable {
  // panel[t * width + j] = element (j0 + j, k0 + t) for t < depth, j < n; columns [n, width) get anything finite or
  // not. k0 and depth are multiples of 32. By bits.
  void (*rows[9])(const QuantizedMatrix& matrix, int64_t j0, int64_t n, int64_t k0, int64_t depth, int64_t width,
                  float* panel);
  // The same of element (k0 + t, j0 + j), for any k0 and depth; j0 is a multiple of the vectors' width.
  void (*columns[9])(const QuantizedMatrix& matrix, int64_t j0, int64_t n, int64_t k0, int64_t depth, int64_t width,
                     float* panel);
};

}  // namespace ist::cpu
