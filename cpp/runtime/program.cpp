#include "runtime/program.h"

#include <algorithm>
#include <numeric>

#include "runtime/error.h"
#include "runtime/registry.h"
#include "transforms/autograd.h"

namespace ist {

void Arena::reset() {
  blocks_.clear();
  if (!first_) first_ = std::make_unique_for_overwrite<uint64_t[]>(kBlock / sizeof(uint64_t));
  at_ = reinterpret_cast<char*>(first_.get());
  end_ = at_ + kBlock;
}

void* Arena::allocate_bytes(size_t nbytes) {
  nbytes = (nbytes + 7) / 8 * 8;
  if (static_cast<size_t>(end_ - at_) < nbytes) {
    const size_t size = std::max(nbytes, kBlock);
    blocks_.push_back(std::make_unique_for_overwrite<uint64_t[]>(size / sizeof(uint64_t)));
    at_ = reinterpret_cast<char*>(blocks_.back().get());
    end_ = at_ + size;
  }
  return std::exchange(at_, at_ + nbytes);
}

bool keeps_inputs(const Node& node) { return node.taped || (node.traced && any_trace_open()); }

namespace {

// Strides that repeat `view` of `shape` over the larger `target`.
const int64_t* broadcast_strides(Arena& arena, const StridedView& view, const Dims& shape, const Dims& target) {
  int64_t* strides = arena.allocate<int64_t>(target.size());
  const int lead = target.size() - shape.size();
  for (int i = 0; i < target.size(); ++i) {
    const bool repeated = i < lead || (shape[i - lead] == 1 && target[i] != 1);
    strides[i] = repeated ? 0 : view.strides[i - lead];
  }
  return strides;
}

const int64_t* copy_dims(Arena& arena, const Dims& dims) {
  int64_t* copy = arena.allocate<int64_t>(dims.size());
  std::copy(dims.begin(), dims.end(), copy);
  return copy;
}

}  // namespace

void Plan::clear() {
  values_.clear();
  places_.clear();
  for (Step& step : steps()) step.nodes.clear();
  n_steps_ = 0;
}

const Place& Plan::place_of(const Node& node) {
  if (node.mark == epoch_) return places_[node.mark_index];
  // A ready node met for the first time: its buffer becomes an input.
  Node& met = const_cast<Node&>(node);
  met.mark = epoch_;
  met.mark_index = static_cast<uint32_t>(places_.size());
  Value value;
  value.buffer = node.layout.buffer;
  value.nbytes = value.buffer->nbytes;
  places_.push_back({static_cast<int>(values_.size()), {node.layout.strides, node.layout.offset}});
  values_.push_back(std::move(value));
  return places_.back();
}

ist_tensor Plan::operand(const Node& input, const Dims* broadcast_to) {
  const Place& place = place_of(input);
  ist_tensor tensor{};
  tensor.value = static_cast<uint32_t>(place.value);
  tensor.dtype = static_cast<uint32_t>(input.dtype);
  tensor.offset = place.view.offset;
  const Dims& shape = broadcast_to ? *broadcast_to : input.shape;
  tensor.rank = static_cast<uint32_t>(shape.size());
  tensor.shape = shape.data();  // of a node that outlives the plan
  tensor.strides =
      broadcast_to ? broadcast_strides(arena_, place.view, input.shape, shape) : copy_dims(arena_, place.view.strides);
  return tensor;
}

int Plan::step_for(int stage, DeviceId device) {
  for (size_t i = n_steps_; i-- > 0;)  // most nodes belong to the step of their inputs, which is a late one
    if (steps_[i].stage == stage && steps_[i].device == device) return static_cast<int>(i);
  if (n_steps_ == steps_.size()) steps_.emplace_back();
  steps_[n_steps_].stage = stage;
  steps_[n_steps_].device = device;
  return static_cast<int>(n_steps_++);
}

// Returns the new value. An op that the device does not support goes to "cpu" if the user allowed that.
int Plan::add_kernel(Op op, const char* label, const Attrs* attrs, std::span<const ist_tensor> inputs,
                     const Dims& shape, DType dtype, DeviceId device) {
  ist_node node{};
  node.op = static_cast<uint32_t>(op);
  node.n_inputs = static_cast<uint32_t>(inputs.size());
  ist_tensor* operands = arena_.allocate<ist_tensor>(inputs.size());
  std::copy(inputs.begin(), inputs.end(), operands);
  node.inputs = operands;
  node.label = label;
  if (attrs) node.attrs = lower(*attrs, arena_.allocate<char>(kLoweredAttrsSize));
  node.output.value = static_cast<uint32_t>(values_.size());
  node.output.dtype = static_cast<uint32_t>(dtype);
  node.output.rank = static_cast<uint32_t>(shape.size());
  node.output.shape = shape.data();
  node.output.strides = copy_dims(arena_, row_major_strides(shape));

  const auto supported = [&](DeviceId candidate) {
    const ist_backend* table = registry::backend(candidate).table;
    return table->supports(table->self, &node) != 0;
  };
  if (!supported(device)) {
    if (shape.size() > 64)
      fail(Code::shape, label, "tensors of rank ", shape.size(), " are not computed; 64 is the most");
    constexpr DeviceId kCpu = 0;
    if (!fallback_allowed() || !supported(kCpu)) {
      const DType type = inputs.empty() ? dtype : static_cast<DType>(inputs[0].dtype);
      fail(Code::backend, label, "device '", registry::device_name(device), "' does not support '", name(op), "' for ",
           type, fallback_allowed() ? "" : "; allow_fallback(True) lets such ops run on cpu");
    }
    device = kCpu;
  }

  int stage = 0;
  for (const ist_tensor& input : inputs) {
    const int maker = values_[input.value].step;
    if (maker >= 0) stage = std::max(stage, steps_[maker].stage + (steps_[maker].device != device));
  }
  const int step = step_for(stage, device);
  for (const ist_tensor& input : inputs) {
    Value& value = values_[input.value];
    value.last_stage = std::max(value.last_stage, stage);
    value.crosses |= value.step != step;
  }
  Value value;
  value.nbytes = static_cast<uint64_t>(element_count(shape)) * itemsize(dtype);
  value.step = step;
  value.last_stage = stage;
  values_.push_back(std::move(value));
  steps_[step].nodes.push_back(node);
  return static_cast<int>(values_.size()) - 1;
}

void Plan::add_view(const Node& node, Place& place) {
  const Node& input = *node.inputs()[0].node();
  const Place from = place_of(input);
  const LayoutFn layout = info(node.op).layout;
  place.value = from.value;
  if (layout(node, from.view, place.view)) return;
  // Not to be had with strides: view a row-major copy instead.
  const ist_tensor source = operand(input, nullptr);
  place.value =
      add_kernel(Op::contiguous, node.label, nullptr, std::span(&source, 1), input.shape, input.dtype, input.device);
  if (!layout(node, {row_major_strides(input.shape), 0}, place.view))
    fail(Code::state, node.label, "no layout for shape ", node.shape, " over a row-major ", input.shape);
}

void Plan::build(std::span<Node* const> order, uint64_t epoch) {
  clear();
  arena_.reset();
  epoch_ = epoch;
  places_.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const Node& node = *order[i];
    Place place;
    if (info(node.op).execution == Execution::view) {
      add_view(node, place);
    } else {
      const Dims* target = info(node.op).family == Family::elementwise ? &node.shape : nullptr;
      operands_.clear();
      for (const Tensor& input : node.inputs()) operands_.push_back(operand(*input.node(), target));
      place.value = add_kernel(node.op, node.label, node.attrs.get(), operands_, node.shape, node.dtype, node.device);
      place.view.strides = row_major_strides(node.shape);
    }
    places_[i] = std::move(place);
  }
  mark_leaving(order);
  sort_steps();
}

// A node's result is needed afterwards if somebody other than the nodes computed here, which are about to drop their
// edges, holds it.
void Plan::mark_leaving(std::span<Node* const> order) {
  internal_uses_.assign(order.size(), 0);
  for (const Node* node : order) {
    if (keeps_inputs(*node)) continue;
    for (const Tensor& input : node->inputs())
      if (input->mark_index < order.size() && order[input->mark_index] == input.node())
        ++internal_uses_[input->mark_index];
  }
  leaving_.assign(order.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i]->references.load(std::memory_order_relaxed) <= internal_uses_[i]) continue;
    leaving_[i] = 1;
    values_[places_[i].value].leaves = true;
  }
}

void Plan::sort_steps() {
  if (n_steps_ <= 1) return;
  std::vector<int> by_stage(n_steps_);
  std::iota(by_stage.begin(), by_stage.end(), 0);
  std::stable_sort(by_stage.begin(), by_stage.end(), [&](int a, int b) { return steps_[a].stage < steps_[b].stage; });
  std::vector<int> new_index(n_steps_);
  std::vector<Step> sorted;
  for (size_t i = 0; i < n_steps_; ++i) {
    new_index[by_stage[i]] = static_cast<int>(i);
    sorted.push_back(std::move(steps_[by_stage[i]]));
  }
  for (size_t i = n_steps_; i < steps_.size(); ++i) sorted.push_back(std::move(steps_[i]));
  steps_ = std::move(sorted);
  for (Value& value : values_)
    if (value.step >= 0) value.step = new_index[value.step];
}

}  // namespace ist
