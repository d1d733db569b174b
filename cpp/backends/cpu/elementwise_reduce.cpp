// Elementwise nodes and the reduction of their result: the result exists only in tiles, each of which is reduced while
// it is in cache.
#include <algorithm>
#include <vector>

#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 64 * 1024;  // elements times their cost that are worth another thread

}  // namespace

void run_elementwise_reduce(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, end - 1)};
  const View out = call.output();
  const uint32_t acc = compute_dtype(out.dtype);
  const int acc_log2 = size_log2(acc);
  const Reducer& reducer = context.kernels.reduce->fn[reduce_kind(call.node.op)][acc];
  TileProgram program(context, first, end - 1, end - 1);
  const uint16_t reduced = program.value_as(input_at(call.node, context.program.tensor_size, 0), acc);

  // Each output has a sequence of neighbours. Short sequences share a tile, long ones are a block for each tile.
  const int64_t count = out.count(), length = program.size() / count;
  const int64_t blocks = (length + kBlock - 1) / kBlock;
  const int64_t rows_of_tile = blocks == 1 ? kBlock / length : 1;
  program.finish(blocks == 1 ? std::min(rows_of_tile, count) * length : kBlock);
  const bool in_place = blocks == 1 && acc == out.dtype;
  std::vector<char> memory(in_place ? 0 : static_cast<size_t>(count * blocks) << acc_log2);
  char* const results = in_place ? out.data : memory.data();
  const int64_t grain = 1 + kGrain / (std::min(length, kBlock) * (program.cost() + 1));
  parallel_for(context.threads, count * blocks, grain, [&](int64_t begin, int64_t end) {
    TileProgram::Frame frame;
    program.enter(frame);
    int64_t n_rows = 1;
    for (int64_t i = begin; i < end; i += n_rows) {
      const int64_t position = i % blocks * kBlock;
      const int64_t n = std::min(kBlock, length - position);
      if (blocks == 1) n_rows = std::min(rows_of_tile, end - i);
      program.run(frame, i / blocks * length + position, n_rows * n);
      reducer.rows(n_rows, n, frame.at[reduced], n, results + (i << acc_log2));
    }
  });

  if (blocks == 1) {
    if (!in_place) convert(context.kernels, acc, out.dtype, count, results, out.data, nullptr);
    return;
  }
  for (int64_t o = 0; o < count; ++o) {
    alignas(8) char levels[Tree::kDepth * 8];
    Tree tree(reducer, levels, 1, int64_t{1} << acc_log2);
    for (int64_t b = 0; b < blocks; ++b) {
      std::memcpy(tree.next(), results + ((o * blocks + b) << acc_log2), size_t{1} << acc_log2);
      tree.push();
    }
    convert(context.kernels, acc, out.dtype, 1, tree.finish(), out.data + (o << out.log2()), nullptr);
  }
}

}  // namespace ist::cpu
