#include "runtime/axis_order.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace ist {
namespace {

bool matters(int64_t extent, int64_t stride) { return extent != 1 && stride != 0; }

// Do strides descend along these axes, leaving out those that repeat?
template <class AxisAt>
bool descends(std::span<const int64_t> shape, std::span<const int64_t> strides, AxisAt axis_at) {
  int64_t outer = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < shape.size(); ++i) {
    const auto axis = static_cast<size_t>(axis_at(i));
    if (!matters(shape[axis], strides[axis])) continue;
    const int64_t stride = std::abs(strides[axis]);
    if (stride > outer) return false;
    outer = stride;
  }
  return true;
}

bool repeats(const ist_tensor& t) {
  for (uint32_t axis = 0; axis < t.rank; ++axis) {
    if (t.shape[axis] != 1 && t.strides[axis] == 0) return true;
  }
  return false;
}

AxisOrder order_of(const ist_tensor& t) {
  AxisOrder order(t.rank, 0);
  std::iota(order.begin(), order.end(), 0);
  const auto stride = [&](int64_t axis) {
    return matters(t.shape[axis], t.strides[axis]) ? std::abs(t.strides[axis]) : std::numeric_limits<int64_t>::max();
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return stride(a) > stride(b); });
  return order;
}

}  // namespace

bool lies_in_order(std::span<const int64_t> shape, std::span<const int64_t> strides) {
  return descends(shape, strides, [](size_t i) { return i; });
}

AxisOrder common_order(std::span<const ist_tensor> operands) {
  const auto whole = std::find_if_not(operands.begin(), operands.end(), repeats);
  if (whole == operands.end() || lies_in_order({whole->shape, whole->rank}, {whole->strides, whole->rank})) return {};
  AxisOrder order = order_of(*whole);
  const bool alike = std::all_of(operands.begin(), operands.end(), [&](const ist_tensor& t) {
    return descends({t.shape, t.rank}, {t.strides, t.rank}, [&](size_t i) { return order[i]; });
  });
  return alike ? order : AxisOrder();
}

AxisOrder order_to_reduce(const ist_tensor& operand, const ist_axes_attrs& attrs, bool in_any_order) {
  if (lies_in_order({operand.shape, operand.rank}, {operand.strides, operand.rank})) return {};
  AxisOrder order = order_of(operand);
  int64_t last = -1;
  for (const int64_t axis : order) {
    if (in_any_order || operand.shape[axis] == 1) continue;
    if (std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) == attrs.axes + attrs.n_axes) continue;
    if (axis < last) return {};
    last = axis;
  }
  return order;
}

}  // namespace ist
