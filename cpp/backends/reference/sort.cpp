// sort, argsort, partition and argpartition, in the order of docs/bit_contract.md.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

template <class T>
bool is_nan(T x) {
  return x != x;
}
bool is_nan(complex64 x) { return is_nan(x.re) || is_nan(x.im); }

template <class T>
bool is_less(T a, T b) {
  return a < b;
}
bool is_less(complex64 a, complex64 b) { return a.re < b.re || (a.re == b.re && a.im < b.im); }

// NaN behind everything.
template <class T>
bool before(T a, T b) {
  if (is_nan(a) || is_nan(b)) return is_nan(b) && !is_nan(a);
  return is_less(a, b);
}

// Values of real floating types: -0 before +0, so that equal values have equal bits.
template <class T>
bool value_before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a == 0 && b == 0) return std::signbit(a) && !std::signbit(b);
  }
  return before(a, b);
}

// Rearranges the sequences along an axis: order(values) gives, for one of them, which element goes to each place.
template <int D, class Order>
void rearrange(const Call& call, int axis, bool indices, const Order& order_of) {
  using T = typename Storage<D>::compute;
  const View& in = call.inputs[0];
  const int64_t n = in.shape[axis];
  const Extents out_strides = row_major(in.rank, in.shape);
  Extents outer(in.shape, in.shape + in.rank), in_strides(in.strides, in.strides + in.rank), to = out_strides;
  outer[axis] = n == 0 ? 0 : 1;
  Walk walk(outer);
  walk.follow(in_strides.data(), in.offset);
  walk.follow(to.data(), 0);
  for (; !walk.done(); walk.next()) {
    std::vector<T> values;
    for (int64_t i = 0; i < n; ++i) {
      Slot slot;
      loader(D)(in.at(walk[0] + i * in.strides[axis]), slot);
      values.push_back(get<T>(slot));
    }
    const std::vector<uint32_t> order = order_of(values);
    for (int64_t i = 0; i < n; ++i) {
      Slot slot;
      if (indices) {
        put<uint32_t>(slot, order[i]);
        storer(IST_UINT32)(slot, call.out.at(walk[1] + i * out_strides[axis]));
      } else {
        put<T>(slot, values[order[i]]);
        storer(D)(slot, call.out.at(walk[1] + i * out_strides[axis]));
      }
    }
  }
}

std::vector<uint32_t> in_place(size_t n) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

template <int D>
void sort(const Call& call, bool indices) {
  using T = typename Storage<D>::compute;
  rearrange<D>(call, attributes<ist_axis_attrs>(call.node).axis, indices, [&](const std::vector<T>& values) {
    std::vector<uint32_t> order = in_place(values.size());
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return indices ? before(values[a], values[b]) : value_before(values[a], values[b]);
    });
    return order;
  });
}

template <int D>
void partition(const Call& call, bool indices) {
  using T = typename Storage<D>::compute;
  const auto& attrs = attributes<ist_count_attrs>(call.node);
  rearrange<D>(call, attrs.axis, indices, [&](const std::vector<T>& values) {
    std::vector<T> sorted = values;
    std::nth_element(sorted.begin(), sorted.begin() + attrs.count, sorted.end(), value_before<T>);
    const T kth = sorted[attrs.count];
    std::vector<uint32_t> order = in_place(values.size());
    const auto equal =
        std::stable_partition(order.begin(), order.end(), [&](uint32_t i) { return value_before(values[i], kth); });
    std::stable_partition(equal, order.end(), [&](uint32_t i) { return !value_before(kth, values[i]); });
    return order;
  });
}

void run(const Call& call, bool partitions, bool indices) {
  switch (call.inputs[0].dtype) {
#define IST_SORT_CASE(dtype) \
  case dtype:                \
    return partitions ? partition<dtype>(call, indices) : sort<dtype>(call, indices);
    IST_SORT_CASE(IST_BOOL)
    IST_SORT_CASE(IST_UINT8)
    IST_SORT_CASE(IST_UINT16)
    IST_SORT_CASE(IST_UINT32)
    IST_SORT_CASE(IST_UINT64)
    IST_SORT_CASE(IST_INT8)
    IST_SORT_CASE(IST_INT16)
    IST_SORT_CASE(IST_INT32)
    IST_SORT_CASE(IST_INT64)
    IST_SORT_CASE(IST_FLOAT16)
    IST_SORT_CASE(IST_BFLOAT16)
    IST_SORT_CASE(IST_FLOAT32)
    IST_SORT_CASE(IST_FLOAT64)
    IST_SORT_CASE(IST_COMPLEX64)
#undef IST_SORT_CASE
  }
}

}  // namespace

void run_sort(const Call& call) { run(call, false, false); }
void run_argsort(const Call& call) { run(call, false, true); }
void run_partition(const Call& call) { run(call, true, false); }
void run_argpartition(const Call& call) { run(call, true, true); }

bool supports_sort(const ist_node& node) {
  return node.n_inputs == 1 && node.output.rank >= 1 && node.inputs[0].dtype == node.output.dtype;
}
bool supports_argsort(const ist_node& node) {
  return node.n_inputs == 1 && node.output.rank >= 1 && node.output.dtype == IST_UINT32;
}
bool supports_partition(const ist_node& node) { return supports_sort(node); }
bool supports_argpartition(const ist_node& node) { return supports_argsort(node); }

}  // namespace ist::reference
