#include "ops/shape_checks.h"

#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {

void check_slice(const Dims& shape, const SliceAttrs& slice, const char* op) {
  const auto& [starts, steps, sizes] = slice;
  if (starts.size() != shape.size() || steps.size() != shape.size() || sizes.size() != shape.size())
    fail(Code::value, op, "starts, steps and sizes need one value for each axis of shape ", shape, ", but have ",
         starts.size(), ", ", steps.size(), " and ", sizes.size());
  for (int i = 0; i < shape.size(); ++i) {
    if (steps[i] == 0) fail(Code::value, op, "slice step cannot be zero (axis ", i, ")");
    if (sizes[i] < 0) fail(Code::value, op, "negative slice size ", sizes[i], " on axis ", i);
    if (sizes[i] == 0) continue;
    int64_t last = 0;
    const bool overflow =
        __builtin_mul_overflow(sizes[i] - 1, steps[i], &last) || __builtin_add_overflow(last, starts[i], &last);
    if (starts[i] < 0 || starts[i] >= shape[i] || overflow || last < 0 || last >= shape[i])
      fail(Code::index, op, "slice of ", sizes[i], " elements from ", starts[i], " by ", steps[i],
           " is out of bounds for axis ", i, " with size ", shape[i]);
  }
}

SliceAttrs whole_slice(const Dims& shape) {
  return {Dims(static_cast<size_t>(shape.size()), 0), Dims(static_cast<size_t>(shape.size()), 1), shape};
}

Tensor imaginary_unit(DeviceId device) {
  const DeviceScope scope(device);
  void* data = nullptr;
  const Tensor unit = make_empty(DType::complex64, {}, &data);
  const float parts[] = {0.0f, 1.0f};
  std::memcpy(data, parts, sizeof parts);
  return unit;
}

}  // namespace ist
