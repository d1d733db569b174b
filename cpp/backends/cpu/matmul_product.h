// Matrix products, block by block: see matmul.cpp for how they are shared out, matmul_blocks.cpp for what is done with
// each.
#pragma once

#include "backends/cpu/call.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {

struct Matrix {
  const char* data;
  int64_t row, column;  // strides in elements
};

// Elementwise nodes that go on with parts of C as they are finished, while those are in cache.
struct Tail {
  const TileProgram* program;
  int64_t row_length;

  // Rows [row, row + n_rows), counted over the batch, and columns [column, column + n).
  void run(int64_t row, int64_t n_rows, int64_t column, int64_t n) const;
};

struct Product {
  const Call& call;
  const Tail* tail;  // may be null
  const MatmulKernels& mm;
  uint32_t dtype;
  int in_log2;
  int64_t m, n, k;

  // Rows [m0, m1) and columns [n0, n1) of matrix number `batch` of C, whose rows are c_row elements apart.
  void block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t batch, int64_t m0, int64_t m1,
             int64_t n0, int64_t n1) const;

 private:
  // A block of C: where it begins, counted over the batch.
  struct Finished {
    const Tail* tail;
    int64_t row, column;
    void operator()(int64_t i, int64_t n_rows, int64_t j, int64_t n_columns) const {
      if (tail != nullptr) tail->run(row + i, n_rows, column + j, n_columns);
    }
  };

  bool half() const { return is_half(dtype); }
  auto block_sums() const { return call.kernels().matmul->block_sums[dtype - IST_FLOAT16]; }
  auto streamed_row() const { return call.kernels().matmul->streamed_row[dtype - IST_FLOAT16]; }
  const char* at(const Matrix& x, int64_t i, int64_t j) const {
    return x.data + (i * x.row + j * x.column) * (int64_t{1} << in_log2);
  }
  // Bytes of a packed strip or panel.
  int64_t packed(int64_t depth, int64_t width) const {
    return round_up(mm.header + round_up(depth, mm.depth_unit) * width * mm.packed_size, 64);
  }

  // Columns of B that are read where they are, while they stay in the first-level cache.
  int64_t small_columns() const;
  bool reads_in_place(const Matrix& b, int64_t rows, int64_t columns) const;
  bool reads_both_in_place(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns) const;

  void small_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t rows, int64_t columns,
                   const Finished& finished) const;
  void tall_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t rows, int64_t columns,
                  const Finished& finished) const;
  void half_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t rows, int64_t columns,
                  const Finished& finished) const;
  void flat_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int rows, int64_t columns,
                  const Finished& finished) const;
  void row_block(const Matrix& a, const Matrix& b, char* c, int64_t columns) const;
  void streamed_block(const Matrix& a, const Matrix& b, char* c, int64_t columns, const Finished& finished) const;
  void dot_block(const Matrix& a, const Matrix& b, char* c) const;

  // A tail takes the columns of several passes at once where those are narrow: [done, end) are through.
  static void finish_passes(const Finished& finished, int64_t rows, int64_t columns, int64_t end, int64_t& done);

  // And the rows of several strips where these are short.
  static void finish_strips(const Finished& finished, int64_t rows, int64_t j0, int64_t width, int64_t end,
                            int64_t& done);

  Ahead ahead_of(const Matrix& b, int64_t k0, int64_t j0, int64_t columns, int64_t columns_max, int64_t part,
                 int64_t parts) const;
  Ahead strips_ahead(const Matrix& a, int64_t k0, int64_t i0, int64_t rows, int64_t rows_max, int64_t part,
                     int64_t parts) const;
  void pack_strips(const Matrix& a, int64_t k0, int64_t depth, int64_t i, int64_t end, int64_t height, char* strips,
                   int64_t strip_bytes) const;
  void pack_panels(const Matrix& b, int64_t k0, int64_t depth, int64_t j0, int64_t width, char* panels,
                   int64_t panel_bytes) const;
  void widen(const Matrix& a, int64_t k0, int64_t depth, char* to) const;
  void add_row(int64_t n_elements, void* out, const void* const* terms) const;
};

}  // namespace ist::cpu
