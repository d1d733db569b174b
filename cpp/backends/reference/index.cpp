// Kernels that address elements by index tensors.
#include "backends/reference/kernel.h"
#include "kernels/scalar_ops.h"

namespace ist::reference {
namespace {

template <class T>
int64_t checked(T index, int64_t axis, int64_t extent, int64_t slice_size) {
  // uint64 indices beyond int64 are out of bounds too, but must not wrap before they are compared and printed.
  const bool huge = index > T(0) && static_cast<uint64_t>(index) > static_cast<uint64_t>(extent);
  int64_t start = huge ? extent : static_cast<int64_t>(index);
  if (start < 0) start += extent;
  if (huge || start < 0 || start + slice_size > extent) {
    fail(Code::index, "", "index ", +index, " is out of bounds for axis ", axis, " with size ", extent);
  }
  return start;
}

// The start that index element `at` names along an axis: negative ones count from the end.
int64_t read_index(const View& indices, int64_t at, int64_t axis, int64_t extent, int64_t slice_size) {
  Slot slot;
  loader(indices.dtype)(indices.at(at), slot);
  int64_t start = 0;
  visit_dtype(indices.dtype, [&](auto id) {
    using T = typename Storage<decltype(id)::value>::compute;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      start = checked(get<T>(slot), axis, extent, slice_size);
    }
  });
  return start;
}

using CombineFn = void (*)(std::byte* to, const std::byte* from);

template <int D>
void write(std::byte* to, const std::byte* from) {
  std::memcpy(to, from, sizeof(typename Storage<D>::type));
}

// Rounds to the dtype after every addition.
template <int D>
void accumulate(std::byte* to, const std::byte* from) {
  using Stored = typename Storage<D>::type;
  Stored a, b;
  std::memcpy(&a, to, sizeof(a));
  std::memcpy(&b, from, sizeof(b));
  if constexpr (D == IST_BOOL) {
    a = a || b;
  } else {
    a = Storage<D>::store(scalar::add(Storage<D>::load(a), Storage<D>::load(b)));
  }
  std::memcpy(to, &a, sizeof(a));
}

CombineFn writer(uint32_t dtype) {
  CombineFn fn = nullptr;
  visit_dtype(dtype, [&](auto id) { fn = &write<decltype(id)::value>; });
  return fn;
}

CombineFn accumulator(uint32_t dtype) {
  CombineFn fn = nullptr;
  visit_dtype(dtype, [&](auto id) { fn = &accumulate<decltype(id)::value>; });
  return fn;
}

// Calls `visit(offset)` for each position of the index operands, in row-major order, with the element offset of the
// slice of `data` that they address there.
template <class Visit>
void for_each_slice(const Call& call, size_t first_index, const int64_t* shape, const int64_t* strides,
                    int64_t data_offset, Visit visit) {
  const auto& attrs = attributes<ist_index_attrs>(call.node);
  const size_t n_indices = call.inputs.size() - first_index;
  if (n_indices != attrs.n_axes) fail(Code::backend, "", "the index operands do not match the attributes");
  Walk walk = n_indices == 0 ? Walk(0, nullptr) : Walk(call.inputs[first_index].rank, call.inputs[first_index].shape);
  for (size_t i = 0; i < n_indices; ++i) walk.follow(call.inputs[first_index + i]);
  for (; !walk.done(); walk.next()) {
    int64_t offset = data_offset;
    for (size_t i = 0; i < n_indices; ++i) {
      const int64_t axis = attrs.axes[i];
      offset +=
          strides[axis] * read_index(call.inputs[first_index + i], walk[i], axis, shape[axis], attrs.slice_sizes[axis]);
    }
    visit(offset);
  }
}

void scatter_with(const Call& call, CombineFn combine) {
  const auto& attrs = attributes<ist_index_attrs>(call.node);
  const View& updates = call.inputs[1];
  copy_elements(call.inputs[0], call.out.data);
  const Extents strides = row_major(call.out.rank, call.out.shape);
  Walk update(updates.rank, updates.shape);
  update.follow(updates);
  for_each_slice(call, 2, call.out.shape, strides.data(), 0, [&](int64_t offset) {
    Walk slice(call.out.rank, attrs.slice_sizes);
    slice.follow(strides.data(), offset);
    for (; !slice.done(); slice.next(), update.next()) combine(call.out.at(slice[0]), updates.at(update[0]));
  });
}

// put_along_axis and add_along_axis: operands a, indices, values.
void along_axis_with(const Call& call, CombineFn combine) {
  const int axis = attributes<ist_axis_attrs>(call.node).axis;
  const View& indices = call.inputs[1];
  const View& values = call.inputs[2];
  copy_elements(call.inputs[0], call.out.data);
  Extents strides = row_major(call.out.rank, call.out.shape);
  const int64_t axis_stride = strides[axis];
  strides[axis] = 0;
  Walk walk(indices.rank, indices.shape);
  walk.follow(indices);
  walk.follow(values);
  walk.follow(strides.data(), 0);
  for (; !walk.done(); walk.next()) {
    const int64_t i = read_index(indices, walk[0], axis, call.out.shape[axis], 1);
    combine(call.out.at(walk[2] + i * axis_stride), values.at(walk[1]));
  }
}

bool supports_scatter_like(const ist_node& node) {
  return node.n_inputs >= 2 && is_known(node.output.dtype) && node.inputs[0].dtype == node.output.dtype &&
         node.inputs[1].dtype == node.output.dtype && all_integers(node, 2);
}

bool supports_along_axis(const ist_node& node, uint32_t n_inputs) {
  return node.n_inputs == n_inputs && is_known(node.output.dtype) && node.inputs[0].dtype == node.output.dtype &&
         is_integer(node.inputs[1].dtype) && (n_inputs == 2 || node.inputs[2].dtype == node.output.dtype) &&
         node.inputs[0].rank == node.inputs[1].rank && node.output.rank >= 1;
}

}  // namespace

void run_gather(const Call& call) {
  const auto& attrs = attributes<ist_index_attrs>(call.node);
  const View& data = call.inputs[0];
  const size_t size = static_cast<size_t>(size_of(data.dtype));
  std::byte* to = call.out.data;
  for_each_slice(call, 1, data.shape, data.strides, data.offset, [&](int64_t offset) {
    Walk slice(data.rank, attrs.slice_sizes);
    slice.follow(data.strides, offset);
    for (; !slice.done(); slice.next(), to += size) std::memcpy(to, data.at(slice[0]), size);
  });
}
bool supports_gather(const ist_node& node) {
  return node.n_inputs >= 1 && is_known(node.output.dtype) && node.inputs[0].dtype == node.output.dtype &&
         all_integers(node, 1);
}

void run_scatter(const Call& call) { scatter_with(call, writer(call.out.dtype)); }
bool supports_scatter(const ist_node& node) { return supports_scatter_like(node); }

void run_scatter_add(const Call& call) { scatter_with(call, accumulator(call.out.dtype)); }
bool supports_scatter_add(const ist_node& node) { return supports_scatter_like(node); }

void run_take_along_axis(const Call& call) {
  const int axis = attributes<ist_axis_attrs>(call.node).axis;
  const View& a = call.inputs[0];
  const View& indices = call.inputs[1];
  const size_t size = static_cast<size_t>(size_of(a.dtype));
  Extents strides(a.strides, a.strides + a.rank);
  const int64_t axis_stride = strides[axis];
  strides[axis] = 0;
  std::byte* to = call.out.data;
  Walk walk(indices.rank, indices.shape);
  walk.follow(indices);
  walk.follow(strides.data(), a.offset);
  for (; !walk.done(); walk.next(), to += size) {
    const int64_t i = read_index(indices, walk[0], axis, a.shape[axis], 1);
    std::memcpy(to, a.at(walk[1] + i * axis_stride), size);
  }
}
bool supports_take_along_axis(const ist_node& node) { return supports_along_axis(node, 2); }

void run_put_along_axis(const Call& call) { along_axis_with(call, writer(call.out.dtype)); }
bool supports_put_along_axis(const ist_node& node) { return supports_along_axis(node, 3); }

void run_add_along_axis(const Call& call) { along_axis_with(call, accumulator(call.out.dtype)); }
bool supports_add_along_axis(const ist_node& node) { return supports_along_axis(node, 3); }

}  // namespace ist::reference
