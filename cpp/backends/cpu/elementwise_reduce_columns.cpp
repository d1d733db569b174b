// Elementwise nodes and the reduction of their result over its first axes: the rows of a tile are added to the
// contract's lanes, each of which is a row of accumulators, while the tile is in cache.
#include <algorithm>
#include <bit>

#include "backends/cpu/columns.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 64 * 1024;  // elements times their cost that are worth another thread
constexpr int64_t kTile = 2048;        // elements
constexpr int64_t kWidest = 1024;      // outputs that lanes are kept for at a time

// How the rows of all sequences are cut: blocks of 4096, in each of them groups of lanes, and pieces of the outputs.
struct Cut {
  int64_t length, count;       // rows, outputs
  int64_t n_blocks, n_pieces;  // pieces are `width` outputs wide
  int64_t width, rows;         // of a tile, either all lanes of several rounds, or a part of them
  int64_t group;               // lanes that a thread takes

  Cut(int64_t length, int64_t count, int threads) : length(length), count(count) {
    n_blocks = (length + kBlock - 1) / kBlock;
    width = std::min(count, kWidest);
    n_pieces = (count + width - 1) / width;
    rows = n_pieces > 1 ? 1 : kTile / width;
    if (rows >= kLanes) {
      rows -= rows % kLanes;
    } else {
      rows = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows)));
    }
    group = kLanes;
    while (group > rows && tasks() < 2 * threads) group /= 2;
  }
  int64_t groups() const { return kLanes / group; }
  int64_t tasks() const { return n_blocks * groups() * n_pieces; }
};

}  // namespace

void run_elementwise_reduce_columns(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, end - 1)};
  const View out = call.output();
  const uint32_t acc = compute_dtype(out.dtype);
  const Reducer& reducer = context.kernels.reduce->fn[reduce_kind(call.node.op)][acc];
  const ist_tensor& input = input_at(call.node, context.program.tensor_size, 0);
  const int64_t count = out.count(), acc_size = int64_t{1} << size_log2(acc), lane_bytes = count * acc_size;
  const Cut cut(element_count(static_cast<int>(input.rank), input.shape) / count, count, context.threads);

  TileProgram program(context, first, end - 1, end - 1);
  const uint16_t reduced = program.value_as(input, acc);
  program.finish(cut.rows * cut.width, false);
  Temporary memory;
  char* lanes = memory.make(call, cut.n_blocks * kLanes * lane_bytes);

  const int64_t work = cut.length * count * (program.cost() + 1);
  parallel_for(context.threads, cut.tasks(), 1 + kGrain * cut.tasks() / work, [&](int64_t begin, int64_t end) {
    TileProgram::Frame frame;
    program.enter(frame);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t column = task % cut.n_pieces * cut.width, width = std::min(cut.width, count - column);
      const int64_t lane = task / cut.n_pieces % cut.groups() * cut.group;
      const int64_t block = task / (cut.n_pieces * cut.groups()), start = block * kBlock;
      const int64_t stop = std::min(start + kBlock, cut.length);
      char* at = lanes + (block * kLanes + lane) * lane_bytes + column * acc_size;
      for (int64_t k = 0; k < cut.group; ++k) reducer.identity(width, at + k * lane_bytes);
      const int64_t round = std::max(kLanes, cut.rows), taken = std::max(cut.group, cut.rows);
      for (int64_t r = start + lane; r < stop; r += round) {
        for (int64_t row = r; row < std::min(r + taken, stop); row += cut.rows) {
          const int64_t n_rows = std::min(cut.rows, stop - row), rounds = n_rows / kLanes, rest = n_rows % kLanes;
          program.run(frame, row * count + column, n_rows * width);
          const char* x = frame.at[reduced];
          char* to = at + (row - r) * lane_bytes;
          if (rounds > 0) reducer.columns(kLanes * width, to, x, kLanes * width, rounds);
          if (rest > 0) reducer.columns(rest * width, to, x + rounds * kLanes * width * acc_size, 0, 1);
        }
      }
    }
  });

  parallel_for(context.threads, cut.n_blocks, 1 + kGrain / (kLanes * count), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      fold_lanes(reducer, kLanes, count, lane_bytes, lanes + b * kLanes * lane_bytes);
    }
  });
  Temporary levels;
  Tree tree(reducer, levels.make(call, Tree::kDepth * lane_bytes), count, acc_size);
  for (int64_t b = 0; b < cut.n_blocks; ++b) tree.push(lanes + b * kLanes * lane_bytes);
  convert(context.kernels, acc, out.dtype, count, tree.finish(), out.data, nullptr);
}

}  // namespace ist::cpu
