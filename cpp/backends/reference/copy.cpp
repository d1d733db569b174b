// Kernels that move elements: astype, contiguous, concatenate, pad, slice_update.
#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

// Writes the elements of `from`, in row-major order, to the places of `to` that a strided window addresses.
void copy_into(const View& from, const Output& to, const int64_t* strides, int64_t offset) {
  const size_t size = static_cast<size_t>(size_of(from.dtype));
  Walk walk(from.rank, from.shape);
  walk.follow(from);
  walk.follow(strides, offset);
  for (; !walk.done(); walk.next()) std::memcpy(to.at(walk[1]), from.at(walk[0]), size);
}

bool supports_move(const ist_node& node, uint32_t n_inputs) {
  return node.n_inputs == n_inputs && is_known(node.output.dtype) && all_of_dtype(node, 0, node.output.dtype);
}

}  // namespace

void copy_elements(const View& from, std::byte* to) {
  const size_t size = static_cast<size_t>(size_of(from.dtype));
  Walk walk(from.rank, from.shape);
  walk.follow(from);
  for (; !walk.done(); walk.next(), to += size) std::memcpy(to, from.at(walk[0]), size);
}

void run_astype(const Call& call) {
  const View& in = call.inputs[0];
  // Through the compute type and back, a NaN of float16 would change its payload.
  if (in.dtype == call.out.dtype) return copy_elements(in, call.out.data);
  const LoadFn load = loader(in.dtype);
  const ConvertFn convert = converter(in.dtype, call.out.dtype);
  const StoreFn store = storer(call.out.dtype);
  Slot loaded, converted;
  Walk walk(in.rank, in.shape);
  walk.follow(in);
  for (int64_t position = 0; !walk.done(); walk.next(), ++position) {
    load(in.at(walk[0]), loaded);
    convert(loaded, converted);
    store(converted, call.out.at(position));
  }
}
bool supports_astype(const ist_node& node) {
  return node.n_inputs == 1 && is_known(node.inputs[0].dtype) && is_known(node.output.dtype);
}

void run_contiguous(const Call& call) { copy_elements(call.inputs[0], call.out.data); }
bool supports_contiguous(const ist_node& node) { return supports_move(node, 1); }

void run_concatenate(const Call& call) {
  const int axis = attributes<ist_axis_attrs>(call.node).axis;
  const Extents strides = row_major(call.out.rank, call.out.shape);
  int64_t start = 0;
  for (const View& input : call.inputs) {
    copy_into(input, call.out, strides.data(), start * strides[axis]);
    start += input.shape[axis];
  }
}
bool supports_concatenate(const ist_node& node) { return node.n_inputs >= 1 && supports_move(node, node.n_inputs); }

void run_pad(const Call& call) {
  const auto& attrs = attributes<ist_pad_attrs>(call.node);
  if (attrs.mode != 0) fail(Code::value, "", "only the constant mode has a kernel, got mode ", attrs.mode);
  const View& constant = call.inputs[1];
  const size_t size = static_cast<size_t>(size_of(constant.dtype));
  const int64_t n = count_of(call.out.rank, call.out.shape);
  for (int64_t i = 0; i < n; ++i) std::memcpy(call.out.at(i), constant.at(constant.offset), size);
  const Extents strides = row_major(call.out.rank, call.out.shape);
  int64_t offset = 0;
  for (int axis = 0; axis < call.out.rank; ++axis) offset += attrs.low[axis] * strides[axis];
  copy_into(call.inputs[0], call.out, strides.data(), offset);
}
bool supports_pad(const ist_node& node) { return supports_move(node, 2); }

void run_slice_update(const Call& call) {
  const auto& attrs = attributes<ist_slice_attrs>(call.node);
  copy_elements(call.inputs[0], call.out.data);
  Extents strides = row_major(call.out.rank, call.out.shape);
  int64_t offset = 0;
  for (int axis = 0; axis < call.out.rank; ++axis) {
    offset += attrs.starts[axis] * strides[axis];
    strides[axis] *= attrs.steps[axis];
  }
  copy_into(call.inputs[1], call.out, strides.data(), offset);
}
bool supports_slice_update(const ist_node& node) { return supports_move(node, 2); }

}  // namespace ist::reference
