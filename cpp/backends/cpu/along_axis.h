// Ops that take the sequences along an axis one by one, each of them dense.
#pragma once

#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {

class AlongAxis {
 public:
  View in, out;
  int64_t length, count;

  AlongAxis(const Call& call, int axis) : in(call.input(0)), out(call.output()), length(in.shape[axis]), call_(call) {
    constexpr int64_t kLongest = INT64_C(1) << 32;  // positions have 32 bits
    if (length >= kLongest) fail(Code::value, "", "an axis of ", length, " elements is too long");
    int64_t strides[kMaxRank];
    row_major(out.rank, out.shape, strides);
    in_step_ = length == 1 ? 1 : in.strides[axis];
    out_step_ = length == 1 ? 1 : strides[axis];
    for (int i = 0; i < in.rank; ++i) {
      if (i != axis) outer_.add(in.shape[i], in.strides[i], strides[i]);
    }
    outer_.finish();
    count = length == 0 ? 0 : outer_.count();
  }

  // Calls row(threads, x, memory, out) for each sequence: its elements, `memory_bytes` of memory, and where the results
  // go. Long sequences get several threads, others one.
  template <class Row>
  void for_each(int64_t memory_bytes, const Row& row) const {
    if (count == 0) return;
    memory_bytes = aligned(memory_bytes);
    if (call_.threads() > 1 && count < call_.threads() && length >= kLong) {
      Temporary memory;
      char* buffer = memory.make(call_, memory_bytes + copied_bytes(1) + result_bytes(1));
      for (int64_t i = 0; i < count; ++i) run(i, 1, call_.threads(), buffer, memory_bytes, row);
      return;
    }
    const int64_t together = columns_together(), last = outer_.shape[outer_.rank - 1];
    const int64_t groups_of_last = (last + together - 1) / together;
    const int64_t grain = 1 + kGrain / (length * together);
    parallel_for(call_.threads(), count / last * groups_of_last, grain, [&](int64_t begin, int64_t end) {
      char* buffer = scratch(static_cast<size_t>(memory_bytes + copied_bytes(together) + result_bytes(together)));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t column = i % groups_of_last * together;
        const int64_t columns = std::min(together, last - column);
        run(i / groups_of_last * last + column, columns, 1, buffer, memory_bytes, row);
      }
    });
  }

 private:
  static constexpr int64_t kGrain = 8 * 1024;    // elements that are worth another thread
  static constexpr int64_t kLong = 64 * 1024;    // and of one sequence, all of them
  static constexpr int64_t kTogether = 1 << 20;  // bytes of columns that are transposed together

  bool copies() const { return in_step_ != 1; }
  bool places() const { return out_step_ != 1; }
  static int64_t aligned(int64_t bytes) { return (bytes + 63) & ~int64_t{63}; }
  int64_t copied_bytes(int64_t columns) const { return copies() ? aligned(columns * (length << in.log2())) : 0; }
  int64_t result_bytes(int64_t columns) const { return places() ? aligned(columns * (length << out.log2())) : 0; }

  // How many neighbouring sequences to take together: where neighbours in memory belong to them, those of a cache line;
  // where nothing is copied, some short ones.
  int64_t columns_together() const {
    const int last = outer_.rank - 1;
    const int64_t others = outer_.shape[last];
    if (!copies() && !places()) return std::min(1 + kGrain / 8 / length, others);
    const bool neighbours = (copies() && outer_.strides[0][last] == 1) || (places() && outer_.strides[1][last] == 1);
    const int64_t columns = 64 >> std::min(in.log2(), out.log2());
    return neighbours && length * 64 <= kTogether ? std::min(columns, others) : 1;
  }

  // `columns` sequences from number i on, all of them in the last dimension of the others.
  template <class Row>
  void run(int64_t i, int64_t columns, int threads, char* buffer, int64_t memory_bytes, const Row& row) const {
    const CopyTable& copy = *call_.kernels().copy;
    const int last = outer_.rank - 1, in_log2 = in.log2(), out_log2 = out.log2();
    const int64_t in_next = outer_.strides[0][last], out_next = outer_.strides[1][last];
    const char* from = in.data + (offset_at(i, outer_.rank, outer_.shape, outer_.strides[0]) * (int64_t{1} << in_log2));
    char* to = out.data + (offset_at(i, outer_.rank, outer_.shape, outer_.strides[1]) * (int64_t{1} << out_log2));
    char *copied = buffer + memory_bytes, *result = copied + copied_bytes(columns);
    const bool gathers = copies() && columns > 1 && in_next == 1;
    const bool scatters = places() && columns > 1 && out_next == 1;
    if (gathers) copy.transpose[in_log2](columns, length, copied, length, from, in_step_);
    for (int64_t j = 0; j < columns; ++j) {
      const char* x = from + j * in_next * (int64_t{1} << in_log2);
      char* own = copied + j * (length << in_log2);
      if (copies() && !gathers) copy.strided[in_log2](length, own, 1, x, in_step_);
      char* target = to + j * out_next * (int64_t{1} << out_log2);
      char* own_result = places() ? result + j * (length << out_log2) : target;
      row(threads, copies() ? own : x, buffer, own_result);
      if (places() && !scatters) copy.strided[out_log2](length, target, out_step_, own_result, 1);
    }
    if (scatters) copy.transpose[out_log2](length, columns, to, out_step_, result, length);
  }

  const Call& call_;
  int64_t in_step_, out_step_;
  Nest<2> outer_;
};

}  // namespace ist::cpu
