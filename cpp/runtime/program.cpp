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

// Strides that repeat elements of `shape` over the larger `target`.
const int64_t* broadcast_strides(Arena& arena, const int64_t* given, const Dims& shape, const Dims& target) {
  int64_t* strides = arena.allocate<int64_t>(target.size());
  const int lead = target.size() - shape.size();
  for (int i = 0; i < target.size(); ++i) {
    const bool repeated = i < lead || (shape[i - lead] == 1 && target[i] != 1);
    strides[i] = repeated ? 0 : given[i - lead];
  }
  return strides;
}

const int64_t* row_major_strides(Arena& arena, const Dims& shape) {
  int64_t* strides = arena.allocate<int64_t>(shape.size());
  int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

StridedView view_of(const Place& place, const Dims& shape) {
  return {Dims(std::span<const int64_t>(place.strides, shape.size())), place.offset};
}

bool same_elements(const ist_tensor& a, const ist_tensor& b) {
  return a.value == b.value && a.dtype == b.dtype && a.offset == b.offset && a.rank == b.rank &&
         std::equal(a.shape, a.shape + a.rank, b.shape) && std::equal(a.strides, a.strides + a.rank, b.strides);
}

// A node like `node`, a reduction, among the last ones before it, or null: `mean` and `var` of one tensor both begin
// with its sum. Kept dimensions make no difference to the elements.
const ist_node* same_reduction(const std::vector<ist_node>& nodes, const ist_node& node) {
  constexpr size_t kLookBack = 16;
  const auto& attrs = *static_cast<const ist_axes_attrs*>(node.attrs);
  for (size_t i = nodes.size(); i-- > 0 && nodes.size() - i <= kLookBack;) {
    if (nodes[i].op != node.op || nodes[i].output.dtype != node.output.dtype) continue;
    const auto& other = *static_cast<const ist_axes_attrs*>(nodes[i].attrs);
    const bool same_axes = std::equal(attrs.axes, attrs.axes + attrs.n_axes, other.axes, other.axes + other.n_axes);
    if (same_axes && attrs.ddof == other.ddof && same_elements(nodes[i].inputs[0], node.inputs[0])) return &nodes[i];
  }
  return nullptr;
}

}  // namespace

void Plan::clear() {
  for (Value& value : values_) drop(value);
  values_.clear();
  places_.clear();
  for (Step& step : steps()) step.nodes.clear();
  n_steps_ = 0;
}

void Plan::drop(Value& value) {
  if (value.step >= 0 && value.buffer) value.buffer->release(value.buffer);
  value.buffer = nullptr;
}

const Place& Plan::place_of(const Node& node) {
  if (node.mark == epoch_) return places_[node.mark_index];
  // A ready node met for the first time: its buffer becomes an input.
  Node& met = const_cast<Node&>(node);
  met.mark = epoch_;
  met.mark_index = static_cast<uint32_t>(places_.size());
  Value value;
  value.buffer = node.layout.buffer.get();
  value.nbytes = value.buffer->nbytes;
  value.node = &node;
  places_.push_back({static_cast<int>(values_.size()), node.layout.offset, node.layout.strides.data()});
  values_.push_back(value);
  return places_.back();
}

ist_tensor Plan::operand(const Node& input, const Dims* broadcast_to) {
  const Place& place = place_of(input);
  ist_tensor tensor;
  tensor.value = static_cast<uint32_t>(place.value);
  tensor.dtype = static_cast<uint32_t>(input.dtype);
  tensor.reserved = 0;
  tensor.offset = place.offset;
  const bool repeats = broadcast_to && !(*broadcast_to == input.shape);
  const Dims& shape = repeats ? *broadcast_to : input.shape;
  tensor.rank = static_cast<uint32_t>(shape.size());
  tensor.shape = shape.data();  // of a node that outlives the plan
  tensor.strides = repeats ? broadcast_strides(arena_, place.strides, input.shape, shape) : place.strides;
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

// A step's node for `op`, whose result is like `output`. An op that the device does not support goes to "cpu" if the
// user allowed that.
Place Plan::add_kernel(Op op, const char* label, const Attrs* attrs, std::span<const Tensor> inputs,
                       const Node& output) {
  const Dims& shape = output.shape;
  const Dims* target = info(op).family == Family::elementwise ? &shape : nullptr;
  ist_node node;
  node.op = static_cast<uint32_t>(op);
  node.n_inputs = static_cast<uint32_t>(inputs.size());
  ist_tensor* operands = arena_.allocate<ist_tensor>(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) operands[i] = operand(*inputs[i].node(), target);
  node.inputs = operands;
  node.label = label;
  node.attrs = attrs ? lower(*attrs, arena_.allocate<char>(kLoweredAttrsSize)) : nullptr;
  const int made = static_cast<int>(values_.size());
  const int64_t* strides = row_major_strides(arena_, shape);
  node.output = {static_cast<uint32_t>(made),
                 static_cast<uint32_t>(output.dtype),
                 static_cast<uint32_t>(shape.size()),
                 0,
                 0,
                 shape.data(),
                 strides};

  DeviceId device = output.device;
  const auto supported = [&](DeviceId candidate) {
    const ist_backend* table = registry::backend(candidate).table;
    return table->supports(table->self, &node) != 0;
  };
  if (!supported(device)) {
    if (shape.size() > 64)
      fail(Code::shape, label, "tensors of rank ", shape.size(), " are not computed; 64 is the most");
    constexpr DeviceId kCpu = 0;
    if (!fallback_allowed() || !supported(kCpu)) {
      const DType type = inputs.empty() ? output.dtype : inputs[0].dtype();
      fail(Code::backend, label, "device '", registry::device_name(device), "' does not support '", name(op), "' for ",
           type, fallback_allowed() ? "" : "; allow_fallback(True) lets such ops run on cpu");
    }
    device = kCpu;
  }

  int stage = 0;
  for (uint32_t i = 0; i < node.n_inputs; ++i) {
    const int maker = values_[operands[i].value].step;
    if (maker >= 0) stage = std::max(stage, steps_[maker].stage + (steps_[maker].device != device));
  }
  const int step = step_for(stage, device);
  const bool reduces = info(op).family == Family::reduce && attrs && std::holds_alternative<AxesAttrs>(*attrs);
  if (const ist_node* made_before = reduces ? same_reduction(steps_[step].nodes, node) : nullptr) {
    return {static_cast<int>(made_before->output.value), 0, strides};
  }
  for (uint32_t i = 0; i < node.n_inputs; ++i) {
    Value& value = values_[operands[i].value];
    value.last_stage = std::max(value.last_stage, stage);
    value.crosses |= value.step != step;
  }
  Value value;
  value.nbytes = static_cast<uint64_t>(output.size) * itemsize(output.dtype);
  value.step = step;
  value.last_stage = stage;
  values_.push_back(value);
  steps_[step].nodes.push_back(node);
  return {made, 0, strides};
}

Place Plan::add_view(const Node& node) {
  const Tensor& input = node.inputs()[0];
  const LayoutFn layout = info(node.op).layout;
  Place from = place_of(*input.node());
  StridedView view;
  if (!layout(node, view_of(from, input.shape()), view)) {
    // Not to be had with strides: view a row-major copy instead.
    from = add_kernel(Op::contiguous, node.label, nullptr, node.inputs().first(1), *input.node());
    if (!layout(node, view_of(from, input.shape()), view))
      fail(Code::state, node.label, "no layout for shape ", node.shape, " over a row-major ", input.shape());
  }
  int64_t* strides = arena_.allocate<int64_t>(view.strides.size());
  std::copy(view.strides.begin(), view.strides.end(), strides);
  return {from.value, view.offset, strides};
}

void Plan::build(std::span<Node* const> order, uint64_t epoch) {
  clear();
  arena_.reset();
  epoch_ = epoch;
  places_.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const Node& node = *order[i];
    const bool is_view = info(node.op).execution == Execution::view;
    const Place place =
        is_view ? add_view(node) : add_kernel(node.op, node.label, node.attrs.get(), node.inputs(), node);
    places_[i] = place;  // which may have moved meanwhile
  }
  mark_leaving(order);
  sort_steps();
  mark_given(order);
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

// An input that only edges of this plan keep alive, which are about to be dropped, may be overwritten by its last
// reader, if that is the last node of all: an evaluation that fails later would want to read it again.
void Plan::mark_given(std::span<Node* const> order) {
  if (n_steps_ == 0) return;
  const ist_node& last = steps_[n_steps_ - 1].nodes.back();
  for (uint32_t k = 0; k < last.n_inputs; ++k) {
    Value& value = values_[last.inputs[k].value];
    if (value.step >= 0 || value.leaves) continue;
    // Its one reference is an edge: one led here. None can be taken from it, as nobody but this thread walks the edges
    // of nodes that no gradient needs.
    if (value.node->references.load(std::memory_order_acquire) != 1 || !memory::has_one_owner(value.buffer)) continue;
    if (std::any_of(order.begin(), order.end(), [](const Node* node) { return node->taped || node->traced; })) return;
    value.given = count_reads(last.inputs[k].value) == 1;
  }
}

size_t Plan::count_reads(uint32_t id) {
  size_t n = 0;
  for (const Step& step : steps()) {
    for (const ist_node& node : step.nodes)
      n += std::count_if(node.inputs, node.inputs + node.n_inputs, [id](const ist_tensor& t) { return t.value == id; });
  }
  return n;
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
