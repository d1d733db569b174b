#include "graph/tensor.h"

#include "ops/op_table.h"
#include "runtime/error.h"
#include "runtime/registry.h"
#include "transforms/autograd.h"

namespace ist {
namespace {

constexpr uint32_t kInlineInputs = 3;
const Attrs kNoAttrs = NoAttrs{};
thread_local const char* scope_label = nullptr;

const char* label_for(Op op, const char* given) {
  if (given) return given;
  return scope_label ? scope_label : name(op);
}

}  // namespace

Node::~Node() {
  for (uint32_t i = 0; i < n_inputs; ++i) inputs_[i].~Tensor();
  if (n_inputs > kInlineInputs) ::operator delete(inputs_);
}

const Attrs& Node::attributes() const { return attrs ? *attrs : kNoAttrs; }

void Node::set_inputs(std::span<const Tensor> given) {
  n_inputs = static_cast<uint32_t>(given.size());
  void* storage = n_inputs > kInlineInputs ? ::operator new(n_inputs * sizeof(Tensor)) : inline_inputs_;
  inputs_ = static_cast<Tensor*>(storage);
  height = 0;
  for (uint32_t i = 0; i < n_inputs; ++i) {
    new (&inputs_[i]) Tensor(given[i]);
    if (!given[i].is_ready()) height = std::max(height, given[i]->height + 1);
  }
}

void Node::drop_inputs() {
  const uint32_t n = std::exchange(n_inputs, 0);
  for (uint32_t i = 0; i < n; ++i) inputs_[i].~Tensor();
  if (n > kInlineInputs) ::operator delete(inputs_);
  inputs_ = nullptr;
}

// Nodes whose last reference has gone are linked through `mark`, which nobody else can be using any more, and deleted
// one after another: the end of a chain of a million nodes must not recurse.
void destroy_chain(Node* node) {
  node->mark = 0;
  Node* pending = node;
  while (pending) {
    Node* current = pending;
    pending = reinterpret_cast<Node*>(current->mark);
    for (uint32_t i = 0; i < current->n_inputs; ++i) {
      Node* input = current->inputs_[i].detach();
      if (input && drops_last(input->references)) {
        input->mark = reinterpret_cast<uint64_t>(pending);
        pending = input;
      }
    }
    delete current;
  }
}

void Node::release(Node* node) {
  if (drops_last(node->references)) destroy_chain(node);
}

Tensor make_node(Op op, DType dtype, Dims shape, std::span<const Tensor> inputs, Attrs attrs, const char* label) {
  const char* public_name = label_for(op, label);
  const int64_t size = element_count(shape, public_name);
  Tensor result(new Node(op, dtype));
  Node& node = *result.node();
  node.label = public_name;
  node.size = size;
  node.shape = std::move(shape);
  if (attrs.index() != 0) node.attrs = std::make_unique<const Attrs>(std::move(attrs));
  if (inputs.empty()) {
    node.device = current_device();
    return result;
  }
  node.device = inputs[0].device();
  const bool differentiable = info(op).derivative != Derivative::zero;
  const bool recording = differentiable && grad_enabled();
  const bool tracing = differentiable && trace_depth() > 0;
  for (const Tensor& input : inputs) {
    if (input.device() != node.device)
      fail(Code::device, public_name, "operands are on different devices: ", registry::device_name(node.device),
           " and ", registry::device_name(input.device()), "; move one with to_device");
    node.taped |= recording && (input->taped || input->leaf);
    node.traced |= tracing && input->traced;
  }
  node.set_inputs(inputs);
  return result;
}

Tensor make_data(DType dtype, Dims shape, Dims strides, int64_t offset, BufferRef buffer, DeviceId device) {
  const int64_t size = element_count(shape);
  Tensor result(new Node(Op::data, dtype));
  Node& node = *result.node();
  node.label = name(Op::data);
  node.size = size;
  node.device = device;
  node.shape = std::move(shape);
  node.layout.buffer = std::move(buffer);
  node.layout.strides = std::move(strides);
  node.layout.offset = offset;
  node.state.store(State::ready, std::memory_order_release);
  return result;
}

Tensor make_empty(DType dtype, Dims shape, void** data, const char* op) {
  const int64_t nbytes = element_count(shape, op) * itemsize(dtype);
  BufferRef buffer = memory::allocate(static_cast<uint64_t>(nbytes), op);
  *data = buffer->data;
  Dims strides = row_major_strides(shape);
  return make_data(dtype, std::move(shape), std::move(strides), 0, std::move(buffer), current_device());
}

LabelScope::LabelScope(const char* label) : owner_(scope_label == nullptr) {
  if (owner_) scope_label = label;
}
LabelScope::~LabelScope() {
  if (owner_) scope_label = nullptr;
}
const char* public_name(const char* own) { return scope_label ? scope_label : own; }

}  // namespace ist
