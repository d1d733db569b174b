// Tensors made from attributes.
#include "backends/reference/kernel.h"

namespace ist::reference {

void run_arange(const Call& call) {
  const auto& attrs = attributes<ist_range_attrs>(call.node);
  const StoreFn store = storer(call.out.dtype);
  const float start = static_cast<float>(attrs.start), step = static_cast<float>(attrs.step);
  Slot result;
  for (int64_t i = 0; i < attrs.count; ++i) {
    if (is_integer(call.out.dtype)) {
      // Unsigned, so that it wraps; the conversion to a narrower integer does too.
      const uint64_t product = static_cast<uint64_t>(i) * static_cast<uint64_t>(attrs.int_step);
      Slot wide;
      put<uint64_t>(wide, static_cast<uint64_t>(attrs.int_start) + product);
      converter(IST_UINT64, call.out.dtype)(wide, result);
    } else if (call.out.dtype == IST_FLOAT64) {
      put<double>(result, attrs.start + static_cast<double>(i) * attrs.step);
    } else {
      put<float>(result, start + static_cast<float>(i) * step);
    }
    store(result, call.out.at(i));
  }
}

bool supports_arange(const ist_node& node) {
  return node.n_inputs == 0 && (is_integer(node.output.dtype) || is_float(node.output.dtype));
}

}  // namespace ist::reference
