// Matrix products: blocks of k in ascending order, B packed into panels, register tiles over C.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kPanelColumns = 256;       // of B packed at a time, so that they stay in the second-level cache
constexpr int64_t kThreadWork = 256 * 1024;  // multiply-adds that are worth another thread

struct Matrix {
  const char* data;
  int64_t row, column;  // strides in elements
};

struct Product {
  const Kernels& kernels;
  const MatmulKernels& tile;
  uint32_t dtype;
  int in_log2, work_log2;  // element sizes of the operands, and of packed data and C while it accumulates
  int64_t m, n, k;

  bool half() const { return is_half(dtype); }

  // dst[t * width + j] = src(t, j) in the compute type, for one k-block. bfloat16 pairs are swapped, which makes the
  // ascending chain the contract's pairwise one.
  void pack(const char* src, int64_t k_stride, int64_t j_stride, int64_t depth, int64_t count, int64_t width, char* dst,
            char* raw) const {
    char* to = half() ? raw : dst;
    const int64_t row_bytes = width << in_log2;
    if (k_stride == 1 && j_stride != 1 && count > 1) {
      kernels.copy->transpose[in_log2](depth, count, to, width, src, j_stride);
    } else {
      for (int64_t t = 0; t < depth; ++t) {
        kernels.copy->strided[in_log2](count, to + t * row_bytes, 1, src + t * k_stride * (int64_t{1} << in_log2),
                                       j_stride);
      }
    }
    if (count < width) {
      for (int64_t t = 0; t < depth; ++t) {
        std::memset(to + t * row_bytes + (count << in_log2), 0, static_cast<size_t>((width - count) << in_log2));
      }
    }
    if (!half()) return;
    if (dtype == IST_BFLOAT16) {
      for (int64_t t = 0; t + 1 < depth; t += 2) {
        std::swap_ranges(raw + t * row_bytes, raw + (t + 1) * row_bytes, raw + (t + 1) * row_bytes);
      }
    }
    const void* in = raw;
    kernels.cast->fn[dtype][IST_FLOAT32](depth * width, dst, &in);
  }

  // Rows [m0, m1) and columns [n0, n1) of C, whose rows are c_row elements apart.
  void block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t m0, int64_t m1, int64_t n0,
             int64_t n1) const {
    const int64_t rows = tile.rows, cols = tile.cols;
    const int64_t in_size = int64_t{1} << in_log2, size = int64_t{1} << work_log2;
    const int64_t depth_max = std::min<int64_t>(k, kMatmulBlock);
    const int64_t columns_max = std::min<int64_t>((n1 - n0 + cols - 1) / cols * cols, kPanelColumns);
    // A row-major or column-major A of the compute type is read where it is; so is a dense B that few rows use.
    const bool packs_a = half() || (a.column != 1 && a.row != 1);
    const bool packs_b = half() || b.column != 1 || m1 - m0 > 2 * rows;

    const int64_t b_bytes = depth_max * columns_max * size;
    const int64_t a_bytes = packs_a ? depth_max * rows * size : 0;
    const int64_t raw_bytes = half() ? depth_max * std::max(rows, cols) * in_size : 0;
    const int64_t c_bytes = half() ? (m1 - m0) * columns_max * size : 0;
    const auto rounded = [](int64_t bytes) { return (bytes + 63) / 64 * 64; };
    char* b_panels = scratch(static_cast<size_t>(rounded(b_bytes) + rounded(a_bytes) + rounded(raw_bytes) + c_bytes));
    char* a_strip = b_panels + rounded(b_bytes);
    char* raw = a_strip + rounded(a_bytes);
    char* c_wide = raw + rounded(raw_bytes);

    for (int64_t j0 = n0; j0 < n1; j0 += columns_max) {
      const int64_t width = std::min(columns_max, n1 - j0);
      char* into = half() ? c_wide : c + (m0 * c_row + j0) * size;
      const int64_t into_row = half() ? columns_max : c_row;
      for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
        const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
        for (int64_t p = 0; p < width; p += cols) {
          const int64_t count = std::min(cols, width - p);
          if (!packs_b && count == cols) continue;
          pack(b.data + (k0 * b.row + (j0 + p) * b.column) * in_size, b.row, b.column, depth, count, cols,
               b_panels + p * depth * size, raw);
        }
        for (int64_t i = m0; i < m1; i += rows) {
          const int64_t n_rows = std::min(rows, m1 - i);
          const char* strip = a.data + (i * a.row + k0 * a.column) * in_size;
          int64_t a_row = a.row, a_step = a.column;
          if (packs_a) {
            pack(strip, a.column, a.row, depth, n_rows, rows, a_strip, raw);
            strip = a_strip;
            a_row = 1;
            a_step = rows;
          }
          for (int64_t p = 0; p < width; p += cols) {
            const int64_t count = std::min(cols, width - p);
            const bool direct = !packs_b && count == cols;
            const char* panel = direct ? b.data + (k0 * b.row + (j0 + p)) * in_size : b_panels + p * depth * size;
            tile.tile(static_cast<int>(n_rows), static_cast<int>(count), depth, strip, a_row, a_step, panel,
                      direct ? b.row : cols, into + ((i - m0) * into_row + p) * size, into_row, k0 > 0);
          }
        }
      }
      if (half()) {
        for (int64_t i = m0; i < m1; ++i) {
          const void* row = c_wide + (i - m0) * columns_max * size;
          kernels.cast->fn[IST_FLOAT32][dtype](width, c + (i * c_row + j0) * in_size, &row);
        }
      }
    }
  }
};

const MatmulKernels& kernels_for(const Kernels& kernels, uint32_t dtype) {
  if (dtype == IST_FLOAT64) return kernels.matmul->f64;
  if (dtype == IST_COMPLEX64) return kernels.matmul->c64;
  return kernels.matmul->f32;
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void run_matmul(const Call& call) {
  const View a = call.input(0), b = call.input(1), out = call.output();
  const int outer = out.rank - 2;
  const uint32_t dtype = out.dtype;
  Product product = {call.kernels(),
                     kernels_for(call.kernels(), dtype),
                     dtype,
                     size_log2(dtype),
                     size_log2(compute_dtype(dtype)),
                     out.shape[outer],
                     out.shape[outer + 1],
                     a.shape[outer + 1]};
  const int64_t total = out.count();
  if (total == 0) return;
  if (product.k == 0) {
    std::memset(out.data, 0, static_cast<size_t>(total) << out.log2());
    return;
  }
  Matrix lhs = {a.data, a.strides[outer], a.strides[outer + 1]};
  Matrix rhs = {b.data, b.strides[outer], b.strides[outer + 1]};
  const int64_t* lhs_batch = a.strides;
  const int64_t* rhs_batch = b.strides;
  // A single column is a single row of the transposed product; products commute, but the parts of complex ones are
  // added in an order that does not.
  if (product.n == 1 && product.m > 1 && dtype != IST_COMPLEX64) {
    std::swap(lhs, rhs);
    std::swap(lhs.row, lhs.column);
    std::swap(rhs.row, rhs.column);
    std::swap(lhs_batch, rhs_batch);
    std::swap(product.m, product.n);
  }
  const int64_t m = product.m, n = product.n;
  const int64_t rows = product.tile.rows, cols = product.tile.cols;
  const int64_t batches = element_count(outer, out.shape);

  // Tasks are blocks of C: whole matrices of a large batch, else columns (each packs its own part of B), else rows.
  const int64_t wanted = call.threads() == 1 || batches >= 2 * call.threads() || m * n * product.k < 2 * kThreadWork
                             ? 1
                             : divide_up(2 * call.threads(), batches);
  const int64_t column_tasks = std::clamp<int64_t>(n / (4 * cols), 1, wanted);
  const int64_t row_tasks = std::clamp<int64_t>(m / (2 * rows), 1, divide_up(wanted, column_tasks));
  const int64_t task_columns = divide_up(divide_up(n, column_tasks), cols) * cols;
  const int64_t task_rows = divide_up(divide_up(m, row_tasks), rows) * rows;
  const int64_t across = divide_up(n, task_columns), down = divide_up(m, task_rows);
  const int64_t work = std::max<int64_t>(1, std::min(m, task_rows) * std::min(n, task_columns) * product.k);

  parallel_for(call.threads(), batches * down * across, 1 + kThreadWork / work, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t batch = task / (down * across);
      const int64_t m0 = task / across % down * task_rows, n0 = task % across * task_columns;
      Matrix x = lhs, y = rhs;
      x.data += offset_at(batch, outer, out.shape, lhs_batch) * (int64_t{1} << product.in_log2);
      y.data += offset_at(batch, outer, out.shape, rhs_batch) * (int64_t{1} << product.in_log2);
      product.block(x, y, out.data + (batch * m * n << product.in_log2), n, m0, std::min(m, m0 + task_rows), n0,
                    std::min(n, n0 + task_columns));
    }
  });
}

}  // namespace ist::cpu
