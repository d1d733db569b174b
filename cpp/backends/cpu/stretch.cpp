// Which steps may be cut along their leading axis, and when that is worth it.
#include "backends/cpu/stretch.h"

#include <algorithm>
#include <numeric>

#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kLookFrom = 128 * 1024;        // bytes of a first step that are worth a closer look
constexpr int64_t kReadAgainFrom = 1024 * 1024;  // bytes that are in no second-level cache any more
constexpr int64_t kSliceBytes = 512 * 1024;      // of what is alive at a time, to lie in the second-level cache
constexpr int64_t kStepBytes = 16 * 1024;        // of a slice, on average, for which the start of a step does not show

// Bytes that are addressed, those that repeat once.
int64_t addressed_bytes(const ist_tensor& t) {
  int64_t n = 1;
  for (uint32_t axis = 0; axis < t.rank; ++axis) n *= t.strides[axis] != 0 ? t.shape[axis] : 1;
  return n << size_log2(t.dtype);
}

int64_t touched_bytes(const ist_program& program, uint32_t i) {
  const ist_node& node = node_at(program, i);
  int64_t bytes = addressed_bytes(node.output);
  for (uint32_t k = 0; k < node.n_inputs; ++k) bytes += addressed_bytes(input_at(node, program.tensor_size, k));
  return bytes;
}

// The axis of the result, each index of which comes from the same index of `axis` of this operand; -1: there is none.
int axis_kept_apart(const ist_node& node, const ist_tensor& operand, int axis) {
  const int rank = static_cast<int>(operand.rank);
  const bool keeps_rank = node.output.rank == operand.rank;
  switch (static_cast<Op>(node.op)) {
    case Op::sum:
    case Op::prod:
    case Op::max:
    case Op::min:
    case Op::all:
    case Op::any:
    case Op::logsumexp: {
      const auto& attrs = *static_cast<const ist_axes_attrs*>(node.attrs);
      const int64_t* end = attrs.axes + attrs.n_axes;
      const int64_t* before = std::lower_bound(attrs.axes, end, axis);
      if (before != end && *before == axis) return -1;
      return keeps_rank ? axis : axis - static_cast<int>(before - attrs.axes);
    }
    case Op::argmax:
    case Op::argmin: {
      const auto& attrs = *static_cast<const ist_axis_attrs*>(node.attrs);
      if (attrs.has_axis == 0 || attrs.axis == axis) return -1;
      return keeps_rank || attrs.axis > axis ? axis : axis - 1;
    }
    case Op::concatenate:
      return static_cast<const ist_axis_attrs*>(node.attrs)->axis != axis ? axis : -1;
    case Op::cumsum:
    case Op::cumprod:
    case Op::cummax:
    case Op::cummin:
    case Op::logcumsumexp:
      return static_cast<const ist_scan_attrs*>(node.attrs)->axis != axis ? axis : -1;
    case Op::softmax:
    case Op::layer_norm:
    case Op::rms_norm:
      return axis != rank - 1 ? axis : -1;
    case Op::matmul:  // of one matrix for all of them, the whole is faster
      return axis < rank - 2 && operand.strides[axis] != 0 ? axis : -1;
    default:
      return node.op < static_cast<uint32_t>(kElementwiseIds) ? axis : -1;
  }
}

}  // namespace

int leading_axis(const ist_tensor& t) {
  for (uint32_t axis = 0; axis < t.rank; ++axis) {
    if (t.shape[axis] != 1) return static_cast<int>(axis);
  }
  return -1;
}

bool is_read_whole(const ist_node& node, uint32_t input) {
  const Op op = static_cast<Op>(node.op);
  return input > 0 && (op == Op::layer_norm || op == Op::rms_norm);
}

// Is part i of the operand, along `axis`, in part i of the value, which a node of the stretch makes? If it moves on by
// a part at a time, then the first part begins in the first one, and the last ends in the last one.
bool Stretch::maps_parts_to_parts(const ist_tensor& t, int axis, int64_t parts) const {
  const auto bytes = static_cast<int64_t>(value_at(context_.program, t.value).nbytes);
  const int64_t advance = t.shape[axis] / parts * t.strides[axis];
  return advance * (int64_t{1} << size_log2(t.dtype)) == bytes / parts;
}

// `parts` becomes what the node's tensors have in common with it.
bool Stretch::admit(const ist_node& node, int64_t& parts) {
  const int out_axis = leading_axis(node.output);
  if (out_axis < 0 || node.n_inputs == 0) return false;
  const int64_t extent = node.output.shape[out_axis];
  parts = std::gcd(parts, extent);
  if (parts < 2) return false;
  for (uint32_t k = 0; k < node.n_inputs; ++k) {
    const ist_tensor& t = input_at(node, context_.program.tensor_size, k);
    const auto met = numbers_.find(t.value);
    const bool made = met != numbers_.end() && values_[met->second].made;
    if (is_read_whole(node, k)) {
      if (made) return false;
      continue;
    }
    const int axis = leading_axis(t);
    if (axis < 0 || t.shape[axis] != extent || axis_kept_apart(node, t, axis) != out_axis) return false;
    if (made && !maps_parts_to_parts(t, axis, parts)) return false;
  }
  return true;
}

bool Stretch::leaves(uint32_t i) const {
  return outlives(value_at(context_.program, node_at(context_.program, i).output.value), end() - 1);
}

Stretch::Value& Stretch::meet(uint32_t value, bool made) {
  const auto [met, is_new] = numbers_.try_emplace(value, static_cast<uint32_t>(values_.size()));
  if (is_new) {
    const auto step = static_cast<uint32_t>(steps_.size());
    values_.push_back({value, step, step, 0, made, false, false});
  }
  return values_[met->second];
}

void Stretch::forget_from(size_t n) {
  for (size_t i = n; i < values_.size(); ++i) numbers_.erase(values_[i].value);
  values_.resize(n);
}

Stretch::Stretch(const Context& context, uint32_t first) : context_(context) {
  const ist_program& program = context.program;
  Step step = plan_step(context.kernels, program, first);
  if (touched_bytes(program, step.first) >= kLookFrom) {
    while (add(step)) {
      if (step.end == program.n_nodes) break;
      if (!supports_node(context.kernels, node_at(program, step.end), program.tensor_size)) break;  // fails in its turn
      step = plan_step(context.kernels, program, step.end);
    }
    if (!choose_slices()) slice_parts_ = 0;
  }
  if (steps_.empty()) steps_.push_back(step);
}

// False if the step cannot go on with the stretch.
bool Stretch::add(const Step& step) {
  const ist_program& program = context_.program;
  const size_t tensor_size = program.tensor_size;
  const size_t n_values = values_.size();
  int64_t parts = parts_;
  for (uint32_t i = step.first; i < step.end; ++i) {
    const ist_node& node = node_at(program, i);
    if (!admit(node, parts)) {
      forget_from(n_values);
      return false;
    }
    Value& made = meet(node.output.value, true);
    made.in_memory = is_in_memory(program, step, i);
    if (made.in_memory) made.bytes = static_cast<int64_t>(value_at(program, node.output.value).nbytes);
  }
  const auto number = static_cast<uint32_t>(steps_.size());
  for (uint32_t i = step.first; i < step.end; ++i) {
    const ist_node& node = node_at(program, i);
    for (uint32_t k = 0; k < node.n_inputs; ++k) {
      const ist_tensor& t = input_at(node, tensor_size, k);
      Value& value = meet(t.value, false);
      if (value.made && !value.in_memory) continue;
      const int axis = leading_axis(t);
      if (is_read_whole(node, k) || t.strides[axis] == 0) value.whole = true;
      const int64_t bytes = addressed_bytes(t);
      value.bytes = std::max(value.bytes, bytes);
      if (!value.whole && value.last_use < number) read_again_ += bytes;
      value.last_use = number;
    }
  }
  steps_.push_back(step);
  parts_ = parts;
  return true;
}

bool Stretch::choose_slices() {
  if (steps_.size() < 2 || read_again_ < kReadAgainFrom) return false;
  std::vector<int64_t> alive(steps_.size() + 1);
  int64_t whole = 0, all = 0;
  for (const Value& value : values_) {
    if (value.whole) {
      whole += value.bytes;
      continue;
    }
    all += value.bytes;
    alive[value.first_use] += value.bytes;
    alive[value.last_use + 1] -= value.bytes;
  }
  std::partial_sum(alive.begin(), alive.end(), alive.begin());
  const int64_t most_alive = *std::max_element(alive.begin(), alive.end());
  const int64_t of_part = most_alive / parts_ + 1;
  if (whole > kSliceBytes) return false;
  // A part that is longer than that may be cut along its next axis in turn.
  slice_parts_ = std::clamp<int64_t>((kSliceBytes - whole) / of_part, 1, parts_);
  if (context_.threads > 1) {
    // Threads that have as many slices as the others.
    const int64_t threads = context_.threads, rounds = (slices() + threads - 1) / threads;
    slice_parts_ = std::max<int64_t>(1, (parts_ + rounds * threads - 1) / (rounds * threads));
    const int64_t longest = (slices() + threads - 1) / threads * slice_parts_;
    if (4 * parts_ < 3 * threads * longest) return false;
  }
  const auto n_steps = static_cast<int64_t>(steps_.size());
  return slices() > 1 && all / parts_ * slice_parts_ >= n_steps * kStepBytes;
}

}  // namespace ist::cpu
