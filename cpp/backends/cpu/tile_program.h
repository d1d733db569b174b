// A run of elementwise nodes as instructions over tiles: every node of the run is evaluated on a few thousand
// elements, each rounding to its dtype, before the next tile is touched, so that what stays inside the run never leaves
// the cache.
#pragma once

#include "backends/cpu/call.h"

namespace ist::cpu {

inline constexpr uint32_t kMaxRunNodes = 16;

// Does a tile kernel exist for this elementwise node? The caller has checked ranks.
bool supports_elementwise(const Kernels& kernels, const ist_node& node, size_t tensor_size);

// Evaluates nodes [first, end), which share their output shape. Values that outlive the run have buffers already.
void run_elementwise(const Context& context, uint32_t first, uint32_t end);

// Does the value live past node `last`, or leave the program?
inline bool outlives(const ist_value& value, uint32_t last) {
  return (value.flags & IST_VALUE_OUTPUT) != 0 || value.last_use > last;
}

}  // namespace ist::cpu
