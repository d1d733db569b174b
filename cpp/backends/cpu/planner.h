// A program as steps: runs of elementwise nodes, perhaps behind a matrix product or with a reduction or concatenation
// at the end, and single nodes.
#pragma once

#include "backends/cpu/call.h"

namespace ist::cpu {

// Does the cpu backend compute this node?
bool supports_node(const Kernels& kernels, const ist_node& node, size_t tensor_size);

// Is the node's result its first operand, but for some elements?
bool updates_first_operand(const ist_node& node);

struct Step {
  uint32_t first, end;  // nodes
  RunFn run;            // of a single node; null for a run
  // Runs nodes [first, end) together; null for a single node.
  void (*run_together)(const Context& context, uint32_t first, uint32_t end);
};

// Does the result of the step's node i exist in memory? It may live in tiles alone, but for a matrix product.
bool is_in_memory(const ist_program& program, const Step& step, uint32_t i);

// The step that starts at node `first`. Raises IST_ERROR_BACKEND for a node that has no kernel.
Step plan_step(const Kernels& kernels, const ist_program& program, uint32_t first);

// Runs it; what it makes in memory has buffers already.
void run_step(const Step& step, const Context& context);

}  // namespace ist::cpu
