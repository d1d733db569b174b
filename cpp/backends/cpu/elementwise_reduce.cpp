// Elementwise nodes and the reduction of their result: the result exists only in tiles, each of which is reduced while
// it is in cache.
#include <algorithm>
#include <atomic>
#include <vector>

#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/squared_distances.h"
#include "backends/cpu/streams.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

// The results of blocks, each output being reduced from `length` neighbours, and what becomes of them.
class Blocks {
 public:
  Blocks(const Call& call, const Reducer& reducer, uint32_t acc, int64_t length)
      : call_(call),
        reducer_(reducer),
        out_(call.output()),
        acc_(acc),
        acc_log2_(size_log2(acc)),
        length_(length),
        of_output_((length + kBlock - 1) / kBlock),
        decided_(reducer.deciding >= 0 && of_output_ > 1 ? static_cast<size_t>(out_.count()) : 0) {
    const bool in_place = of_output_ == 1 && acc == out_.dtype;
    if (!in_place) memory_.resize(static_cast<size_t>(count()) << acc_log2_);
    results_ = in_place ? out_.data : memory_.data();
  }

  int64_t count() const { return out_.count() * of_output_; }
  int64_t of_output() const { return of_output_; }
  // Of block i: its output, its place in the output's sequence, its elements, its result.
  int64_t output(int64_t i) const { return i / of_output_; }
  int64_t position(int64_t i) const { return i % of_output_ * kBlock; }
  int64_t size(int64_t i) const { return std::min(kBlock, length_ - position(i)); }
  char* result(int64_t i) const { return results_ + (i << acc_log2_); }

  // No other block of its output matters.
  bool is_decided(int64_t i) const {
    return !decided_.empty() && decided_[static_cast<size_t>(output(i))].load(std::memory_order_relaxed);
  }
  void note(int64_t i) {
    if (decided_.empty() || *result(i) != reducer_.deciding) return;
    decided_[static_cast<size_t>(output(i))].store(true, std::memory_order_relaxed);
  }

  void finish() const {
    const Kernels& kernels = call_.kernels();
    if (of_output_ == 1) {
      if (results_ != out_.data) convert(kernels, acc_, out_.dtype, count(), results_, out_.data, nullptr);
      return;
    }
    for (int64_t o = 0; o < out_.count(); ++o) {
      if (is_decided(o * of_output_)) {
        out_.data[o] = static_cast<char>(reducer_.deciding);
        continue;
      }
      alignas(8) char levels[Tree::kDepth * 8];
      Tree tree(reducer_, levels, 1, int64_t{1} << acc_log2_);
      tree.push_each(result(o * of_output_), of_output_);
      convert(kernels, acc_, out_.dtype, 1, tree.finish(), out_.data + (o << out_.log2()), nullptr);
    }
  }

 private:
  const Call& call_;
  const Reducer& reducer_;
  View out_;
  uint32_t acc_;
  int acc_log2_;
  int64_t length_, of_output_;
  std::vector<std::atomic<bool>> decided_;  // outputs, where there is a result that decides
  std::vector<char> memory_;
  char* results_;
};

// Those with one centre for each output.
struct DistancesInRows : SquaredDistances {
  int outer = 0;  // dimensions that outputs are along

  DistancesInRows(const Context& context, uint32_t first, uint32_t end, int64_t length)
      : SquaredDistances(context, first, end) {
    if (!found) return;
    outer = x.rank;
    int64_t inner = 1;
    for (; found && outer > 0 && inner < length; inner *= x.shape[outer]) {
      --outer;
      found = x.shape[outer] <= 1 || centre.strides[outer] == 0;
    }
    found &= inner == length && length >= kShortest;  // or another shape is summed
  }

  void sum(const Context& context, const Blocks& blocks, int64_t length) const {
    const RowKernels& row = context.kernels.row->fn[x.dtype == IST_FLOAT64 ? 1 : 0];
    const int64_t size = int64_t{1} << x.log2();
    const bool suits_streams =
        context.kernels.reads_in_turns && row.squared_together > 1 && x.count() * size >= kFromMemory;
    parallel_for(context.threads, blocks.count(), 1 + kGrain / std::min(length, kBlock), [&](int64_t b, int64_t end) {
      while (b < end) {
        const int64_t o = blocks.output(b), first = blocks.position(b);
        const char* from = x.data + (o * length + first) * size;
        const char* middle = centre.data + offset_at(o, outer, x.shape, centre.strides) * size;
        // Whole blocks of this output, some of them at a time.
        const int64_t whole = std::min({end - b, (length - first) / kBlock, kStreamedBlocks});
        const int64_t done = !suits_streams              ? 0
                             : row.squared_together == 2 ? in_places<2>(row, whole, from, middle, blocks.result(b))
                                                         : in_places<4>(row, whole, from, middle, blocks.result(b));
        if (done == 0) row.square_sum(1, blocks.size(b), from, 0, middle, blocks.result(b));
        b += std::max<int64_t>(done, 1);
      }
    });
  }

 private:
  static constexpr int64_t kShortest = 256;  // elements of an output that a call of the kernel is worth

  // As many places as the kernel takes in turns. Returns how many of the blocks are done.
  template <int64_t kPlaces>
  int64_t in_places(const RowKernels& row, int64_t blocks, const char* from, const char* middle, char* results) const {
    const int64_t size = int64_t{1} << x.log2(), each = blocks / kPlaces;
    reduce_streams<kPlaces>(each, size, results, [&](int64_t i, void* to) {
      row.square_sum(kPlaces, kBlock, from + i * kBlock * size, each * kBlock, middle, to);
    });
    return each * kPlaces;
  }
};

}  // namespace

void run_elementwise_reduce(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, end - 1)};
  const View out = call.output();
  const uint32_t acc = compute_dtype(out.dtype);
  const Reducer& reducer = context.kernels.reduce->fn[reduce_kind(call.node.op)][acc];
  const ist_tensor& input = input_at(call.node, context.program.tensor_size, 0);
  const int64_t count = out.count();
  const int64_t length = element_count(static_cast<int>(input.rank), input.shape) / count;
  Blocks blocks(call, reducer, acc, length);

  if (const DistancesInRows distances(context, first, end, length); distances.found) {
    distances.sum(context, blocks, length);
    return blocks.finish();
  }

  // Short sequences share a tile, long ones are a block for each tile.
  const bool whole = blocks.of_output() == 1;
  const int64_t rows_of_tile = whole ? kBlock / length : 1;
  const auto plan = [&](TileProgram& program) {
    const bool is_of_rows = whole && rows_of_tile > 1;
    program.value_as(input, acc);
    program.finish(whole ? std::min(rows_of_tile, count) * length : kBlock, is_of_rows ? count * length : length);
  };
  bool leaves = false;  // of what is reduced, or made on the way, all is wanted then
  for (uint32_t i = first; i + 1 < end; ++i) {
    leaves |= outlives(value_at(context.program, node_at(context.program, i).output.value), end - 1);
  }
  run_planned(context, first, end - 1, end - 1, plan, [&](const TileProgram& program) {
    const int64_t grain = 1 + kGrain / (std::min(length, kBlock) * (program.cost() + 1));
    parallel_for(context.threads, blocks.count(), grain, [&](int64_t begin, int64_t end) {
      TileProgram::Frame frame;
      program.enter(frame);
      int64_t n_rows = 1;
      for (int64_t i = begin; i < end; i += n_rows) {
        const int64_t n = blocks.size(i);
        if (!leaves && blocks.is_decided(i)) continue;
        if (whole) n_rows = std::min(rows_of_tile, end - i);
        program.run(frame, blocks.output(i) * length + blocks.position(i), n_rows * n);
        reducer.rows[0](n_rows, n, frame.at[program.asked()], n, blocks.result(i));
        blocks.note(i);
      }
    });
  });
  blocks.finish();
}

}  // namespace ist::cpu
