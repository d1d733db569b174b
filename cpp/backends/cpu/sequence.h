// The sequences that reductions go through: one for each output element, in the contract's blocks.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/reduce_kernels.h"

namespace ist::cpu {

inline constexpr int64_t kBlock = 4096;
inline constexpr int64_t kLanes = 32;

// The input of a reduction, its axes parted into those reduced and those kept. Kept dimensions also carry the strides
// of the dense output.
struct Sequences {
  const Kernels& kernels;
  View in;
  uint32_t acc;  // dtype that elements are converted to
  Nest<1> reduced;
  Nest<2> kept;  // input, output
  int64_t length = 1, count = 1;
  int64_t neighbours = 1;  // elements of a sequence that split_columns() has made columns of
  bool reordered = false;  // sequences are as they lie in memory, not as the contract has them

  template <class IsReduced>
  Sequences(const Kernels& kernels, const View& in, uint32_t acc, IsReduced is_reduced, bool in_any_order = false)
      : kernels(kernels), in(in), acc(acc) {
    int64_t out_strides[kMaxRank];
    for (int axis = in.rank - 1; axis >= 0; --axis) {
      out_strides[axis] = count;
      if (is_reduced(axis)) {
        length *= in.shape[axis];
      } else {
        count *= in.shape[axis];
      }
    }
    int axes[kMaxRank], n_axes = 0;
    for (int axis = 0; axis < in.rank; ++axis) {
      if (is_reduced(axis)) {
        if (in.shape[axis] != 1) axes[n_axes++] = axis;
      } else {
        kept.add(in.shape[axis], in.strides[axis], out_strides[axis]);
      }
    }
    const auto lies_outside = [&](int a, int b) { return std::abs(in.strides[a]) > std::abs(in.strides[b]); };
    reordered = in_any_order && !std::is_sorted(axes, axes + n_axes, lies_outside);
    if (reordered) std::stable_sort(axes, axes + n_axes, lies_outside);
    for (int i = 0; i < n_axes; ++i) reduced.add(in.shape[axes[i]], in.strides[axes[i]]);
    reduced.finish();
    kept.finish();
  }

  static constexpr size_t kScratchBytes = 3 * kBlock * 8;

  const char* start_of(int64_t output) const {
    return in.data + offset_at(output, kept.rank, kept.shape, kept.strides[0]) * (int64_t{1} << in.log2());
  }
  bool dense() const { return reduced.rank == 1 && reduced.strides[0][0] == 1; }
  // Dense, each behind the one before.
  bool gapless() const { return dense() && kept.rank == 1 && kept.strides[0][0] == length; }

  // Elements that are neighbours in memory should be read together, whether one output takes them or many: then the
  // kept dimension whose outputs are to be walked together, otherwise -1. It may be `narrow` where rows leave no gaps.
  int column_dimension(bool narrow = false) const {
    if (reduced.strides[0][reduced.rank - 1] == 1 && reduced.shape[reduced.rank - 1] >= 4) return -1;
    for (int i = kept.rank - 1; i >= 0; --i) {
      if (kept.strides[0][i] != 1) continue;
      const bool gapless = reduced.rank == 1 && reduced.strides[0][0] == kept.shape[i];
      if (kept.shape[i] >= 8 || (narrow && gapless && kept.shape[i] > 1)) return i;
    }
    return -1;
  }

  // Sequences that have a few neighbours in memory, behind which those of the next sequence lie: their places become
  // columns, each of which has a part of the lanes, and what remains of a sequence is rows of them. Then the kept
  // dimension whose columns are to be walked together, otherwise -1.
  int split_columns() {
    const int last = reduced.rank - 1;
    const int64_t run = reduced.shape[last];
    if (last == 0 || reduced.strides[0][last] != 1 || run == 0 || kLanes % run != 0) return -1;
    for (int i = kept.rank - 1; i >= 0; --i) {
      if (kept.strides[0][i] != run || kept.shape[i] * run < 8) continue;
      reduced.rank = last;
      length /= run;
      neighbours = run;
      kept.shape[i] *= run;
      kept.strides[0][i] = 1;
      return i;
    }
    return -1;
  }
  int64_t lanes() const { return kLanes / neighbours; }  // of a column
  int64_t block() const { return kBlock / neighbours; }  // rows

  // Dense sequences that are too short to have lanes of their own: the longest kept dimension, otherwise -1.
  int short_dimension(int64_t longest) const {
    if (!dense() || length > longest) return -1;
    int best = 0;
    for (int i = 1; i < kept.rank; ++i) best = kept.shape[i] > kept.shape[best] ? i : best;
    return kept.shape[best] >= 8 ? best : -1;
  }

  // Neighbours in memory are far apart in the sequence, but not too far for a few blocks to have all of their cache
  // line.
  bool transposed() const {
    constexpr int64_t kLongest = 2 * kBlock;
    return reduced.rank == 2 && reduced.strides[0][0] == 1 && reduced.strides[0][1] != 1 && reduced.shape[0] >= 8 &&
           reduced.shape[1] <= kLongest;
  }

  // Elements [begin, begin + n) of a sequence in the accumulator type, n <= kBlock; in place where they lie so.
  const void* load(const char* start, int64_t begin, int64_t n, char* memory) const {
    const void* x = start + (begin << in.log2());
    if (!dense()) {
      kernels.copy->gather[in.log2()](begin, n, reduced.rank, reduced.shape, reduced.strides[0], start, memory);
      x = memory;
    }
    if (in.dtype == acc) return x;
    convert(kernels, in.dtype, acc, n, x, memory + kBlock * 8, memory + 2 * kBlock * 8);
    return memory + kBlock * 8;
  }
};

// Combines the lanes that hold elements, each of which is a row of accumulators.
inline void fold_lanes(const Reducer& reducer, int64_t n_lanes, int64_t width, int64_t row_bytes, char* lanes) {
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    if (n_lanes <= half) continue;
    reducer.combine((n_lanes - half) * width, lanes, lanes + half * row_bytes);
    n_lanes = half;
  }
}

// The same for lanes that are neighbours: each `neighbours` accumulators of a row become one. `memory` is as large.
inline void fold_neighbours(const Kernels& kernels, const Reducer& reducer, int log2, int64_t neighbours, int64_t count,
                            char* row, char* memory) {
  if (neighbours == 1) return;
  kernels.copy->transpose[log2](neighbours, count, memory, count, row, neighbours);
  fold_lanes(reducer, neighbours, count, count << log2, memory);
  std::memcpy(row, memory, static_cast<size_t>(count << log2));
}

// Combines block results, or rows of them, in the contract's tree as they come: a run of 2^i results is combined as
// soon as it is complete, what is left over at the end from the right.
class Tree {
 public:
  static constexpr int kDepth = 56;

  Tree(const Reducer& reducer, char* memory, int64_t width, int64_t size)
      : reducer_(reducer), memory_(memory), width_(width), row_(width * size) {}

  void clear() { depth_ = 0, count_ = 0; }
  char* next() { return memory_ + depth_ * row_; }
  void push() { push_run(1); }
  void push(const char* result) {
    std::memcpy(next(), result, static_cast<size_t>(row_));
    push();
  }
  // n results one after another, where each is one accumulator: those of whole runs by pairs, many in a call.
  void push_each(const char* results, int64_t n) {
    for (int64_t run = 0; n > 0; n -= run, results += run * row_) {
      run = run_at(n);
      if (run == 1) {
        push(results);
        continue;
      }
      alignas(8) char some[2][kRun / 2 * 8];
      const char* from = results;
      for (int64_t left = run / 2, i = 0; left > 0; left /= 2, ++i) {
        char* to = left > 1 ? some[i % 2] : next();
        reducer_.pairs(left, from, to);
        from = to;
      }
      push_run(static_cast<uint64_t>(run));
    }
  }
  const char* finish() {
    while (depth_ > 1) fold();
    return memory_;
  }

 private:
  static constexpr int64_t kRun = 64;

  // The longest run that starts here, of at most n results.
  int64_t run_at(int64_t n) const {
    int64_t run = 1;
    while (run < kRun && 2 * run <= n && (count_ & static_cast<uint64_t>(run)) == 0) run *= 2;
    return run;
  }

  void push_run(uint64_t run) {
    ++depth_;
    count_ += run;
    for (uint64_t done = count_ / run; (done & 1) == 0; done >>= 1) fold();
  }

  void fold() {
    --depth_;
    reducer_.combine(width_, memory_ + (depth_ - 1) * row_, memory_ + depth_ * row_);
  }

  const Reducer& reducer_;
  char* memory_;
  int64_t width_, row_;
  int64_t depth_ = 0;
  uint64_t count_ = 0;
};

}  // namespace ist::cpu
