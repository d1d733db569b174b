// Elementwise nodes and the concatenation of their results, which go to their places from tiles in cache.
#include <algorithm>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

constexpr int64_t kSharedUnit = 1024;  // elements that threads share work in

// A part's results in the whole: rows of `length`, one every `pitch`.
struct Part {
  char* to;
  int64_t length, pitch;
  int log2;

  // Elements [start, start + n) of the part.
  void store(const CopyTable& kernels, int64_t start, int64_t n, const char* from) const {
    const auto place = [&](int64_t i) { return to + ((i / length * pitch + i % length) << log2); };
    const auto move = [&](int64_t count) {
      std::memcpy(place(start), from, static_cast<size_t>(count << log2));
      start += count;
      from += count << log2;
      n -= count;
    };
    if (start % length != 0) move(std::min(length - start % length, n));
    if (const int64_t rows = n / length; rows > 0) {
      kernels.rows[log2](rows, length, place(start), pitch, 1, from, length, 1);
      start += rows * length;
      from += (rows * length) << log2;
      n -= rows * length;
    }
    if (n > 0) move(n);
  }
};

int64_t row_length(const ist_node& node, const ist_tensor& part) {
  const int axis = static_cast<const ist_axis_attrs*>(node.attrs)->axis;
  return element_count(static_cast<int>(part.rank) - axis, part.shape + axis);
}

}  // namespace

bool joins_tiles(const ist_node& node, const ist_tensor& part) {
  constexpr int64_t kShortest = 16;  // elements
  return node.n_inputs <= kMaxRunNodes && row_length(node, part) >= kShortest;
}

void run_elementwise_concatenate(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, end - 1)};
  const View out = call.output();
  const uint32_t n_parts = call.node.n_inputs;
  TileProgram program(context, first, end - 1, end - 1);
  uint16_t made[kMaxRunNodes];
  Part parts[kMaxRunNodes];
  for (uint32_t k = 0; k < n_parts; ++k) {
    const ist_tensor& t = input_at(call.node, context.program.tensor_size, k);
    const int64_t length = row_length(call.node, t);
    made[k] = program.value_as(t, t.dtype);
    parts[k] = {out.data + ((k * length) << out.log2()), length, n_parts * length, out.log2()};
  }
  program.finish();
  const int64_t n = program.size(), grain = 1 + kGrain / ((program.cost() + n_parts) * kSharedUnit);
  parallel_for(context.threads, (n + kSharedUnit - 1) / kSharedUnit, grain, [&](int64_t begin, int64_t end) {
    TileProgram::Frame frame;
    program.enter(frame);
    const int64_t stop = std::min(n, end * kSharedUnit);
    int64_t count = 0;
    for (int64_t start = begin * kSharedUnit; start < stop; start += count) {
      count = std::min(program.length_at(start), stop - start);
      program.run(frame, start, count);
      for (uint32_t k = 0; k < n_parts; ++k) parts[k].store(*context.kernels.copy, start, count, frame.at[made[k]]);
    }
    program.leave();
  });
}

}  // namespace ist::cpu
