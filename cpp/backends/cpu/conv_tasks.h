// How convolutions that are matrix products are shared out: a task is some blocks of outputs by a range of the columns
// of a group. Blocks of a task share what they read of the weights, which come from farther away than windows that do
// not stay in the second-level cache. Where there are few blocks, columns are divided as well.
#pragma once

#include "backends/cpu/conv.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {

inline constexpr int64_t kConvPanelBytes = 768 * 1024;  // of weights that many strips are multiplied by
inline constexpr int kConvPanes = 64;                   // blocks at most, that a thread works on together

struct ConvTask {
  int64_t group, first, n_panes;    // blocks
  int64_t first_column, n_columns;  // of the group
};

class ConvTasks {
 public:
  // Blocks that a task may have, of as many bytes each.
  static int64_t most_together(int64_t blocks, int64_t wanted, int64_t bytes) {
    const int64_t fitting = 4 * kConvBlockBytes / std::max<int64_t>(1, bytes);
    return std::clamp<int64_t>(std::min(fitting, blocks / wanted), 1, kConvPanes);
  }

  // Of blocks of so many pixels, columns in multiples of `unit`.
  ConvTasks(const ConvShape& shape, int64_t blocks, int64_t pixels, const MatmulKernels& mm, int64_t unit,
            int64_t wanted, int64_t together)
      : blocks_(blocks),
        outputs_(shape.group_outputs()),
        together_(together),
        down_(divide_up(blocks_, together)),
        columns_(round_up(divide_up(outputs_, divide_up(wanted, down_)), unit)),
        across_(divide_up(outputs_, columns_)),
        count_(shape.groups * down_ * across_) {
    const int64_t work = pixels * shape.k() * std::min(columns_, outputs_) * together;
    grain_ = 1 + kConvThreadWork * std::clamp<int64_t>(outputs_ / 4, 1, mm.speed) / work;
  }

  // Calls fn(begin, end) for tasks, on all threads.
  template <class Fn>
  void run(const Call& call, const Fn& fn) const {
    parallel_for(call.threads(), count_, grain_, fn);
  }
  ConvTask task(int64_t i) const {
    const int64_t first = i / across_ % down_ * together_, column = i % across_ * columns_;
    return {i / (down_ * across_), first, std::min(together_, blocks_ - first), column,
            std::min(columns_, outputs_ - column)};
  }

 private:
  int64_t blocks_, outputs_, together_, down_, columns_, across_, count_, grain_;
};

}  // namespace ist::cpu
