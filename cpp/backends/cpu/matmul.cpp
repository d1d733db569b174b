// How matrix products are shared out among threads.
#include <algorithm>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/matmul_product.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kTasks = 4;          // for each thread, at most
constexpr int64_t kBlockSide = 2048;   // of blocks of C that are worth more tasks than threads
constexpr int64_t kPackCost = 16;      // multiply-adds that take as long as packing an element
constexpr int64_t kSharedLine = 5000;  // those that take as long as a line that two threads write
constexpr int64_t kTailTile = 1024;    // elements that elementwise nodes take at a time

// Multiply-adds that are worth another thread. Where C is narrow, fast kernels wait for memory like any other.
int64_t thread_work(const Product& product) {
  return kProductGrain * std::clamp<int64_t>(std::min(product.m, product.n) / 4, 1, product.mm.speed);
}

struct Grid {
  int64_t rows, columns;  // of a block of C
};

// Blocks pack what they read for themselves: threads that packed for each other would wait, and fetch the panels from
// each other's caches. The grid is the one by which the thread with most to do is done first.
Grid choose_grid(const Product& product, int64_t batches) {
  const MatmulKernels& mm = product.mm;
  const int64_t m = product.m, n = product.n, k = product.k;
  const int threads = product.call.threads();
  if (threads == 1 || batches >= 2 * threads || m * n * k < 2 * thread_work(product)) return {m, n};
  const bool flat = m <= mm.rows;
  const int64_t spare = flat ? kTasks : std::clamp<int64_t>(m * n / (threads * kBlockSide * kBlockSide), 1, kTasks);
  const int64_t tasks = divide_up(std::min(spare * threads, m * n * k / thread_work(product)), batches);
  const int64_t most_down = std::clamp<int64_t>(m / (2 * mm.rows), 1, tasks);
  Grid best = {m, n};
  int64_t least = 0;
  for (int64_t down = 1; down <= most_down; ++down) {
    const int64_t across = std::clamp<int64_t>(n / (flat ? 8 * mm.cols : mm.cols), 1, divide_up(tasks, down));
    const Grid grid = {divide_up(m, down), round_up(divide_up(n, across), mm.cols)};
    const int64_t rounds = divide_up(batches * divide_up(m, grid.rows) * divide_up(n, grid.columns), threads);
    const bool shares_lines = grid.columns < n && (n << product.in_log2) % kLine != 0;
    const int64_t cost = rounds * (grid.rows * grid.columns + kPackCost * (grid.rows + grid.columns) +
                                   (shares_lines ? grid.rows * kSharedLine / k : 0));
    if (least == 0 || cost < least) least = cost, best = grid;
  }
  return best;
}

// Whole rows so short are taken several at a time by elementwise nodes.
bool share_tiles(int64_t row_length) { return 2 * row_length <= kTailTile; }

// `program` may be null.
void multiply(const Call& call, const TileProgram* program) {
  const View a = call.input(0), b = call.input(1), out = call.output();
  const int outer = out.rank - 2;
  const uint32_t dtype = out.dtype;
  const MatmulKernels& mm = call.kernels().matmul->of[dtype - IST_FLOAT16];
  Product product = {
      call, nullptr, mm, dtype, size_log2(dtype), out.shape[outer], out.shape[outer + 1], a.shape[outer + 1]};
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
  // A single column is a single row of the transposed product, and the other way round; products commute, but the parts
  // of complex ones are added in an order that does not.
  if (product.n == 1 && product.m > 1 && dtype != IST_COMPLEX64) {
    std::swap(lhs, rhs);
    std::swap(lhs.row, lhs.column);
    std::swap(rhs.row, rhs.column);
    std::swap(lhs_batch, rhs_batch);
    std::swap(product.m, product.n);
  }
  const int64_t m = product.m, n = product.n;
  const Tail tail = {program, n};
  if (program != nullptr) product.tail = &tail;
  const int64_t batches = element_count(outer, out.shape);

  // Tasks are matrices, or blocks of them where the batch has few.
  const Grid grid = choose_grid(product, batches);
  const int64_t work = std::max<int64_t>(1, std::min(m, grid.rows) * std::min(n, grid.columns) * product.k);
  const int64_t across = divide_up(n, grid.columns), down = divide_up(m, grid.rows);

  parallel_for(
      call.threads(), batches * down * across, 1 + thread_work(product) / work, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t batch = task / (down * across);
          const int64_t m0 = task / across % down * grid.rows, n0 = task % across * grid.columns;
          Matrix x = lhs, y = rhs;
          x.data += offset_at(batch, outer, out.shape, lhs_batch) * (int64_t{1} << product.in_log2);
          y.data += offset_at(batch, outer, out.shape, rhs_batch) * (int64_t{1} << product.in_log2);
          product.block(x, y, out.data, n, batch, m0, std::min(m, m0 + grid.rows), n0, std::min(n, n0 + grid.columns));
        }
      });
}

}  // namespace

void Tail::run(int64_t row, int64_t n_rows, int64_t column, int64_t n) const {
  TileProgram::Frame frame;
  program->enter(frame);
  const bool together = n == row_length && share_tiles(row_length);
  const int64_t runs = together ? 1 : n_rows, length = together ? n_rows * n : n;
  for (int64_t i = 0; i < runs; ++i) {
    for (int64_t j = 0; j < length; j += program->tile()) {
      program->run(frame, (row + i) * row_length + column + j, std::min(program->tile(), length - j));
    }
  }
}

void run_matmul(const Call& call) { multiply(call, nullptr); }

void run_matmul_elementwise(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, first)};
  const View a = call.input(0), out = call.output();
  if (out.count() == 0) return;
  if (a.shape[a.rank - 1] == 0) {
    multiply(call, nullptr);
    return run_elementwise(context, first + 1, end);
  }
  const auto plan = [&](TileProgram& program) {
    // A single column is computed as a row.
    const int64_t m = out.shape[out.rank - 2], n = out.shape[out.rank - 1];
    const int64_t row = n > 1 ? n : m;
    program.finish(std::min<int64_t>(kTailTile, out.count()), share_tiles(row) ? m * n : row);
  };
  run_planned(context, first + 1, end, end - 1, plan, [&](const TileProgram& program) { multiply(call, &program); });
}

}  // namespace ist::cpu
