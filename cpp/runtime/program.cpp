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

bool may_permute(Op op, int64_t size) {
  constexpr int64_t kLeast = 4096;  // elements that are worth it
  const Family family = info(op).family;
  if (family == Family::elementwise) return size >= kLeast && op != Op::contiguous;
  return family == Family::reduce && op != Op::softmax;
}

// Is operand i, which does not lie as its axes are named, read as well as one that does?
bool reads_well(Op op, uint32_t i, const ist_tensor& t) {
  const bool has_rows = t.rank >= 1 && t.strides[t.rank - 1] == 1;
  switch (info(op).family) {
    case Family::linalg:  // the columns of a left operand would be transposed
      return has_rows || (i == 1 && t.strides[t.rank - 2] == 1);
    case Family::attention:
      return has_rows;
    case Family::reduce:
      return op != Op::softmax || lies_in_order({t.shape, t.rank}, {t.strides, t.rank});
    default:
      return lies_in_order({t.shape, t.rank}, {t.strides, t.rank});
  }
}

// Does an op read enough of a value that lies in another order to have a say in it?
bool reads_much(Op op, const ist_tensor& t, const Node& output, uint64_t nbytes) {
  constexpr uint64_t kPart = 8;
  uint64_t n = 1;
  for (uint32_t axis = 0; axis < t.rank; ++axis) {
    if (t.strides[axis] != 0) n *= static_cast<uint64_t>(t.shape[axis]);
  }
  if (op == Op::gather) n = std::min(n, static_cast<uint64_t>(output.size));
  return kPart * n * itemsize(static_cast<DType>(t.dtype)) >= nbytes;
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
  choices_.clear();
  for (Step& step : steps()) step.nodes.clear();
  n_steps_ = 0;
  longest_made_ = 0;
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

// The order in which the operands lie, where the result had better lie in it, too.
AxisOrder Plan::choose_order(Op op, const ist_node& node, const Node& output) {
  if (!row_major_.empty() && row_major_[output.mark_index]) return {};
  if (info(op).family == Family::elementwise) return common_order({node.inputs, node.n_inputs});
  // A reduction need not undo what the maker of its operand has chosen.
  if (values_[node.inputs[0].value].chosen < 0) return {};
  const bool in_any_order = is_integer(output.dtype) || output.dtype == DType::bool_;
  return order_to_reduce(node.inputs[0], *static_cast<const ist_axes_attrs*>(node.attrs), in_any_order);
}

// Describes the node with the axes of its operands in that order, so that its result lies in it. Returns the strides
// of the result's axes as they are named.
const int64_t* Plan::permute(ist_node& node, ist_tensor* operands, const AxisOrder& order) {
  const auto permuted = [&](const int64_t* of_axes, const AxisOrder& axes) {
    int64_t* made = arena_.allocate<int64_t>(axes.size());
    for (int i = 0; i < axes.size(); ++i) made[i] = of_axes[axes[i]];
    return made;
  };
  for (uint32_t k = 0; k < node.n_inputs; ++k) {
    operands[k].shape = permuted(operands[k].shape, order);
    operands[k].strides = permuted(operands[k].strides, order);
  }
  AxisOrder kept = order;  // as axes of the result
  if (info(static_cast<Op>(node.op)).family == Family::reduce) {
    auto* attrs = arena_.allocate<ist_axes_attrs>(1);
    *attrs = *static_cast<const ist_axes_attrs*>(node.attrs);
    const std::span<const int64_t> reduced = {attrs->axes, attrs->n_axes};
    const auto reduced_before = [&](int64_t axis) { return std::lower_bound(reduced.begin(), reduced.end(), axis); };
    int64_t* axes = arena_.allocate<int64_t>(reduced.size());
    attrs->axes = axes;
    node.attrs = attrs;
    if (!attrs->keepdims) kept.clear();
    for (int i = 0; i < order.size(); ++i) {
      const auto before = reduced_before(order[i]);
      if (before != reduced.end() && *before == order[i]) {
        *axes++ = i;
      } else if (!attrs->keepdims) {
        kept.push_back(order[i] - (before - reduced.begin()));
      }
    }
  }
  node.output.shape = permuted(node.output.shape, kept);
  node.output.strides = row_major_strides(arena_, Dims({node.output.shape, static_cast<size_t>(kept.size())}));
  int64_t* strides = arena_.allocate<int64_t>(kept.size());
  for (int i = 0; i < kept.size(); ++i) strides[kept[i]] = node.output.strides[i];
  return strides;
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
  if (may_permute(op, output.size)) {
    const AxisOrder order = choose_order(op, node, output);
    if (!order.empty()) strides = permute(node, operands, order);
  }

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
    if (value.chosen >= 0 && !reads_well(op, i, operands[i]) && reads_much(op, operands[i], output, value.nbytes))
      choices_[value.chosen].refused = true;
  }
  Value value;
  value.nbytes = static_cast<uint64_t>(output.size) * itemsize(output.dtype);
  value.step = step;
  value.last_stage = stage;
  longest_made_ = std::max(longest_made_, value.nbytes);
  if (strides != node.output.strides && !lies_in_order(shape, {strides, static_cast<size_t>(shape.size())})) {
    value.chosen = static_cast<int>(choices_.size());
    choices_.push_back({output.mark_index, {operands, node.n_inputs}, false});
  }
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

void Plan::lay_out(std::span<Node* const> order) {
  clear();
  arena_.reset();
  places_.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const Node& node = *order[i];
    const bool is_view = info(node.op).execution == Execution::view;
    const Place place =
        is_view ? add_view(node) : add_kernel(node.op, node.label, node.attrs.get(), node.inputs(), node);
    places_[i] = place;  // which may have moved meanwhile
  }
}

// Lets only those choices be made again that no reader refuses, nor one of what was made of them. Returns whether there
// are others.
bool Plan::drop_refused(std::span<Node* const> order) {
  const auto refused = [](const Choice& choice) { return choice.refused; };
  if (std::none_of(choices_.begin(), choices_.end(), refused)) return false;
  row_major_.assign(order.size(), 1);
  for (size_t i = choices_.size(); i-- > 0;) {  // users before inputs
    if (!choices_[i].refused) {
      row_major_[choices_[i].node_index] = 0;
      continue;
    }
    for (const ist_tensor& t : choices_[i].operands) {
      if (const int chosen = values_[t.value].chosen; chosen >= 0) choices_[chosen].refused = true;
    }
  }
  return true;
}

void Plan::build(std::span<Node* const> order, uint64_t& epoch) {
  constexpr int kAttempts = 4;  // with choices, of which there are fewer each time
  epoch_ = epoch;
  row_major_.clear();
  lay_out(order);
  for (int attempt = 1; drop_refused(order); ++attempt) {
    if (attempt == kAttempts) row_major_.assign(order.size(), 1);
    epoch_ = ++epoch;
    for (Node* node : order) node->mark = epoch_;
    lay_out(order);
  }
  mark_leaving(order);
  sort_steps();
  remake_cheap();
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
