// The sum of (x - centre)^2, written out as three nodes: there are kernels that keep the distances in registers.
#pragma once

#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {

struct SquaredDistances {
  View x, centre;  // of one shape
  bool found = false;

  SquaredDistances(const Context& context, uint32_t first, uint32_t end) {
    if (end - first != 3) return;
    const ist_program& program = context.program;
    const ist_node &difference = node_at(program, first), &square = node_at(program, first + 1);
    const ist_node& sum = node_at(program, first + 2);
    const auto is = [&](const ist_node& node, Op op) { return node.op == static_cast<uint32_t>(op); };
    if (!is(difference, Op::subtract) || !is(square, Op::square) || !is(sum, Op::sum)) return;
    const auto reads = [&](const ist_node& node, const ist_node& made) {
      return input_at(node, program.tensor_size, 0).value == made.output.value &&
             !outlives(value_at(program, made.output.value), first + 2);
    };
    if (!reads(square, difference) || !reads(sum, square)) return;
    const Call call = {context, difference};
    x = call.input(0);
    centre = call.input(1);
    found = (x.dtype == IST_FLOAT32 || x.dtype == IST_FLOAT64) && x.dense();
  }
};

}  // namespace ist::cpu
