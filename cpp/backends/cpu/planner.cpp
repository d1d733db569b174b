#include "backends/cpu/planner.h"

#include <algorithm>

#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kShortest = 16;  // sequences that are worth fusing

bool is_known(uint32_t dtype) { return dtype < static_cast<uint32_t>(kDTypes); }
bool is_integer(uint32_t dtype) { return dtype >= IST_UINT8 && dtype <= IST_INT64; }
bool is_float(uint32_t dtype) { return dtype >= IST_FLOAT16 && dtype <= IST_FLOAT64; }

struct Operands {
  const ist_node& node;
  size_t tensor_size;

  uint32_t dtype(uint32_t i) const { return input_at(node, tensor_size, i).dtype; }
  uint32_t rank(uint32_t i) const { return input_at(node, tensor_size, i).rank; }
  bool are(uint32_t n, uint32_t first, uint32_t expected) const {
    if (node.n_inputs != n) return false;
    for (uint32_t i = first; i < n; ++i) {
      if (dtype(i) != expected) return false;
    }
    return true;
  }
  bool integers_from(uint32_t first) const {
    for (uint32_t i = first; i < node.n_inputs; ++i) {
      if (!is_integer(dtype(i))) return false;
    }
    return true;
  }
};

// The driver of a node that is not elementwise, or null when its dtypes have no kernel.
RunFn driver(const ist_node& node, size_t tensor_size) {
  const Operands in = {node, tensor_size};
  const uint32_t n = node.n_inputs;
  const uint32_t out = node.output.dtype;
  const bool same = n > 0 && in.dtype(0) == out;
  switch (static_cast<Op>(node.op)) {
    case Op::sum:
    case Op::prod:
      return n == 1 && (is_integer(out) ? in.dtype(0) <= IST_INT64 : same && out != IST_BOOL) ? &run_reduce : nullptr;
    case Op::max:
    case Op::min:
      return n == 1 && same ? &run_reduce : nullptr;
    case Op::all:
    case Op::any:
      return n == 1 && out == IST_BOOL ? &run_reduce : nullptr;
    case Op::argmax:
    case Op::argmin:
      return n == 1 && out == IST_UINT32 ? &run_arg_reduce : nullptr;
    case Op::logsumexp:
      return n == 1 && same && is_float(out) ? &run_logsumexp : nullptr;
    case Op::softmax:
      return n == 1 && same && is_float(out) && node.output.rank >= 1 ? &run_softmax : nullptr;
    case Op::cumsum:
      return n == 1 && same && out != IST_BOOL && node.output.rank >= 1 ? &run_scan : nullptr;
    case Op::cumprod:
    case Op::cummax:
    case Op::cummin:
      return n == 1 && same && node.output.rank >= 1 ? &run_scan : nullptr;
    case Op::logcumsumexp:
      return n == 1 && same && out >= IST_FLOAT16 && node.output.rank >= 1 ? &run_scan : nullptr;
    case Op::sort:
      return n == 1 && same && node.output.rank >= 1 ? &run_sort : nullptr;
    case Op::argsort:
      return n == 1 && out == IST_UINT32 && node.output.rank >= 1 ? &run_argsort : nullptr;
    case Op::partition:
      return n == 1 && same && node.output.rank >= 1 ? &run_partition : nullptr;
    case Op::argpartition:
      return n == 1 && out == IST_UINT32 && node.output.rank >= 1 ? &run_argpartition : nullptr;
    case Op::matmul: {
      const uint32_t rank = node.output.rank;
      const bool fits = in.are(2, 0, out) && rank >= 2 && in.rank(0) == rank && in.rank(1) == rank;
      return fits && out >= IST_FLOAT16 ? &run_matmul : nullptr;
    }
    case Op::quantized_matmul: {
      const bool ranks = n == 4 && node.output.rank >= 2 && in.rank(0) == in.rank(1) && in.rank(0) == in.rank(2) &&
                         in.rank(0) == in.rank(3) && in.rank(0) == node.output.rank;
      const bool dtypes = ranks && same && in.dtype(1) == IST_UINT32 && in.dtype(2) == out && in.dtype(3) == out;
      return dtypes && (is_half(out) || out == IST_FLOAT32) ? &run_quantized_matmul : nullptr;
    }
    case Op::conv_general: {
      const uint32_t rank = node.output.rank;
      const bool fits = in.are(2, 0, out) && rank >= 3 && rank <= 5 && in.rank(0) == rank && in.rank(1) == rank;
      return fits && is_float(out) ? &run_conv : nullptr;
    }
    case Op::concatenate:
      return n >= 1 && in.are(n, 0, out) ? &run_concatenate : nullptr;
    case Op::pad:
      return in.are(2, 0, out) ? &run_pad : nullptr;
    case Op::slice_update:
      return in.are(2, 0, out) ? &run_slice_update : nullptr;
    case Op::gather:
      return same && in.integers_from(1) ? &run_gather : nullptr;
    case Op::scatter:
    case Op::scatter_add:
      return n >= 2 && same && in.dtype(1) == out && in.integers_from(2) ? &run_scatter : nullptr;
    case Op::take_along_axis:
      return n == 2 && same && is_integer(in.dtype(1)) && node.output.rank >= 1 ? &run_take_along_axis : nullptr;
    case Op::put_along_axis:
    case Op::add_along_axis:
      return n == 3 && same && in.dtype(2) == out && is_integer(in.dtype(1)) && node.output.rank >= 1
                 ? &run_put_along_axis
                 : nullptr;
    case Op::arange:
      return n == 0 && (is_integer(out) || is_float(out)) ? &run_arange : nullptr;
    case Op::random_bits: {
      const bool bits = out == IST_UINT8 || out == IST_UINT16 || out == IST_UINT32;
      return in.are(1, 0, IST_UINT32) && in.rank(0) == 1 && bits ? &run_random_bits : nullptr;
    }
    case Op::layer_norm:
    case Op::rms_norm: {
      const bool centred = static_cast<Op>(node.op) == Op::layer_norm;
      const bool fits = in.are(centred ? 3 : 2, 0, out) && is_float(out) && node.output.rank >= 1;
      return !fits ? nullptr : centred ? &run_layer_norm : &run_rms_norm;
    }
    case Op::scaled_dot_product_attention: {
      if (n < 3 || !is_float(out) || node.output.rank != 4) return nullptr;
      for (uint32_t i = 0; i < n; ++i) {
        const bool sinks = i >= 3 && i + 1 == n && in.rank(i) == 1;
        const bool mask = i == 3 && in.rank(i) == 4;
        if (i < 3 ? in.rank(i) != 4 : !sinks && !mask) return nullptr;
        if (in.dtype(i) != out && !(mask && in.dtype(i) == IST_BOOL)) return nullptr;
      }
      return &run_attention;
    }
    default:
      return nullptr;
  }
}

bool is_elementwise(const ist_node& node) { return node.op < static_cast<uint32_t>(kElementwiseIds); }

bool tensors_are_sane(const ist_node& node, size_t tensor_size) {
  if (!is_known(node.output.dtype) || node.output.rank > static_cast<uint32_t>(kMaxRank)) return false;
  for (uint32_t i = 0; i < node.n_inputs; ++i) {
    const ist_tensor& t = input_at(node, tensor_size, i);
    if (!is_known(t.dtype) || t.rank > static_cast<uint32_t>(kMaxRank)) return false;
  }
  return true;
}

int64_t count_of(const ist_tensor& t) { return element_count(static_cast<int>(t.rank), t.shape); }

// Is this operand, if nodes [first, end) make it, read in the order in which it was made, in whatever shape?
bool is_read_as_made(const ist_program& program, uint32_t first, uint32_t end, const ist_tensor& t) {
  for (uint32_t m = end; m-- > first;) {
    const ist_tensor& made = node_at(program, m).output;
    if (made.value != t.value) continue;
    return made.dtype == t.dtype && t.offset == 0 && count_of(made) == count_of(t) &&
           is_dense(static_cast<int>(t.rank), t.shape, t.strides);
  }
  return true;
}

// May `node` join the run of nodes [first, end)? Values of the run are read as they lie in tiles, or not at all.
// `count` is that of the elements of each, `lowest` the lowest number of a value that the run makes.
bool joins(const ist_program& program, uint32_t first, uint32_t end, int64_t count, uint32_t lowest,
           const ist_node& node) {
  if (count_of(node.output) != count) return false;
  for (uint32_t k = 0; k < node.n_inputs; ++k) {
    const ist_tensor& t = input_at(node, program.tensor_size, k);
    if (t.value >= lowest && !is_read_as_made(program, first, end, t)) return false;
  }
  return true;
}

// Do nodes (first, end) read what node `first` makes?
bool reads_first(const ist_program& program, uint32_t first, uint32_t end) {
  const uint32_t value = node_at(program, first).output.value;
  for (uint32_t m = first + 1; m < end; ++m) {
    const ist_node& node = node_at(program, m);
    for (uint32_t k = 0; k < node.n_inputs; ++k) {
      if (input_at(node, program.tensor_size, k).value == value) return true;
    }
  }
  return false;
}

// Do elementwise nodes [first, end) make this operand, as it is read?
bool makes(const ist_program& program, uint32_t first, uint32_t end, const ist_tensor& in) {
  bool made = false;
  for (uint32_t m = first; m < end; ++m) made = made || node_at(program, m).output.value == in.value;
  return made && is_read_as_made(program, first, end, in);
}

// Do nodes [first, end) read many elements, and rows that are columns in memory? A run by itself reads several of them
// together.
bool reads_across(const ist_program& program, uint32_t first, uint32_t end) {
  constexpr int64_t kLeast = 4096;  // elements
  if (count_of(node_at(program, first).output) < kLeast) return false;
  for (uint32_t m = first; m < end; ++m) {
    const ist_node& node = node_at(program, m);
    for (uint32_t k = 0; k < node.n_inputs; ++k) {
      if (lies_across(input_at(node, program.tensor_size, k))) return true;
    }
  }
  return false;
}

// How elementwise nodes [first, end) and a reduction of what they make run together: if it reduces the last axes, then
// each output has neighbours in the run's order, otherwise outputs may be columns. Else null.
using RunTogether = decltype(Step::run_together);
RunTogether reduces_run(const ist_program& program, uint32_t first, uint32_t end, const ist_node& node) {
  const ist_tensor& in = input_at(node, program.tensor_size, 0);
  if (!makes(program, first, end, in) || reads_across(program, first, end)) return nullptr;
  const auto& attrs = *static_cast<const ist_axes_attrs*>(node.attrs);
  int64_t length = 1, count = 1;
  bool last = true;
  for (int axis = static_cast<int>(in.rank); axis-- > 0;) {
    if (in.shape[axis] == 1) continue;
    if (std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) == attrs.axes + attrs.n_axes) {
      count *= in.shape[axis];
    } else {
      last &= count == 1;
      length *= in.shape[axis];
    }
  }
  if (length < kShortest || count == 0) return nullptr;
  if (last) return &run_elementwise_reduce;
  return reduces_columns(node, in) ? &run_elementwise_reduce_columns : nullptr;
}

// May elementwise nodes [first, end) and a concatenation run together?
bool concatenates_run(const ist_program& program, uint32_t first, uint32_t end, const ist_node& node) {
  for (uint32_t k = 0; k < node.n_inputs; ++k) {
    if (!makes(program, first, end, input_at(node, program.tensor_size, k))) return false;
  }
  return joins_tiles(node, input_at(node, program.tensor_size, 0));
}

}  // namespace

bool supports_node(const Kernels& kernels, const ist_node& node, size_t tensor_size) {
  if (!tensors_are_sane(node, tensor_size)) return false;
  if (is_elementwise(node)) return supports_elementwise(kernels, node, tensor_size);
  return driver(node, tensor_size) != nullptr;
}

bool updates_first_operand(const ist_node& node) {
  switch (static_cast<Op>(node.op)) {
    case Op::slice_update:
    case Op::scatter:
    case Op::scatter_add:
    case Op::put_along_axis:
    case Op::add_along_axis:
      return true;
    default:
      return false;
  }
}

bool is_in_memory(const ist_program& program, const Step& step, uint32_t i) {
  const bool is_behind_first =
      step.run_together == &run_matmul_elementwise || step.run_together == &run_random_elementwise;
  if (i + 1 == step.end || (i == step.first && is_behind_first)) return true;
  return outlives(value_at(program, node_at(program, i).output.value), step.end - 1);
}

Step plan_step(const Kernels& kernels, const ist_program& program, uint32_t first) {
  const ist_node& node = node_at(program, first);
  if (!supports_node(kernels, node, program.tensor_size)) {
    fail(Code::backend, "", "the cpu backend has no kernel for this op and dtype");
  }
  const RunFn run = is_elementwise(node) ? nullptr : driver(node, program.tensor_size);
  if (run != nullptr && run != &run_matmul && run != &run_random_bits) return {first, first + 1, run, nullptr};
  uint32_t end = first + 1;
  uint32_t lowest = node.output.value;
  const int64_t count = count_of(node.output);
  while (end < program.n_nodes && end - first < kMaxRunNodes) {
    const ist_node& next = node_at(program, end);
    if (!is_elementwise(next) || !supports_node(kernels, next, program.tensor_size)) break;
    if (!joins(program, first, end, count, lowest, next)) break;
    lowest = std::min(lowest, next.output.value);
    ++end;
  }
  if (run != nullptr) {
    const Step alone = {first, first + 1, run, nullptr};
    if (end == first + 1 || !reads_first(program, first, end)) return alone;
    if (run == &run_matmul) return {first, end, nullptr, &run_matmul_elementwise};
    return reads_across(program, first + 1, end) ? alone : Step{first, end, nullptr, &run_random_elementwise};
  }
  if (end < program.n_nodes) {
    const ist_node& next = node_at(program, end);
    const bool fits = !is_elementwise(next) && supports_node(kernels, next, program.tensor_size);
    const RunFn alone = fits ? driver(next, program.tensor_size) : nullptr;
    RunTogether together = nullptr;
    if (alone == &run_reduce) together = reduces_run(program, first, end, next);
    if (alone == &run_concatenate && concatenates_run(program, first, end, next)) {
      together = &run_elementwise_concatenate;
    }
    if (together != nullptr) return {first, end + 1, nullptr, together};
  }
  return {first, end, nullptr, &run_elementwise};
}

void run_step(const Step& step, const Context& context) {
  if (step.run != nullptr) {
    step.run({context, node_at(context.program, step.first)});
  } else {
    step.run_together(context, step.first, step.end);
  }
}

}  // namespace ist::cpu
