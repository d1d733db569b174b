// Tensor: what users hold, a value; a counted handle to a Node. Node: one op of the lazy graph, or data.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "graph/dims.h"
#include "graph/dtype.h"
#include "ops/attrs.h"
#include "ops/op_ids.h"
#include "runtime/memory.h"

namespace ist {

struct Node;
using DeviceId = uint16_t;  // index into the registry's list of devices; see runtime/registry.h

class Tensor {
 public:
  Tensor() = default;  // empty: no node; only useful as a place to assign to
  explicit Tensor(Node* adopted) : node_(adopted) {}
  Tensor(const Tensor& other);
  Tensor(Tensor&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Tensor();

  explicit operator bool() const { return node_ != nullptr; }
  Node* node() const { return node_; }
  Node* operator->() const { return node_; }
  Node* detach() { return std::exchange(node_, nullptr); }

  const Dims& shape() const;
  int64_t shape(int axis) const;  // negative axes count from the end; unchecked
  DType dtype() const;
  DeviceId device() const;
  int rank() const;
  int64_t size() const;
  int64_t nbytes() const;
  bool is_ready() const;

 private:
  Node* node_ = nullptr;
};

// A list of tensors for the time of a call whose caller keeps the references: nothing is counted.
template <size_t N>
class Borrowed {
 public:
  template <class... T>
  explicit Borrowed(const T&... tensors) : tensors_{Tensor(tensors.node())...} {
    static_assert(sizeof...(T) == N);
  }
  Borrowed(const Borrowed&) = delete;
  ~Borrowed() {
    for (Tensor& tensor : tensors_) tensor.detach();
  }
  operator std::span<const Tensor>() const { return tensors_; }

 private:
  Tensor tensors_[N];
};

// Where an evaluated tensor's elements are. Strides and offset count elements of the tensor's dtype.
struct Layout {
  BufferRef buffer;
  Dims strides;
  int64_t offset = 0;
};

enum class State : uint8_t { lazy, running, ready };

// What `requires_grad` and `.grad` of a leaf stand on.
struct Leaf {
  Tensor grad;
};

struct Node {
  std::atomic<uint32_t> references{1};
  std::atomic<State> state{State::lazy};
  Op op;
  DType dtype;
  DeviceId device = 0;
  bool taped = false;   // depends on a tensor with requires_grad: edges stay after evaluation
  bool traced = false;  // made inside a functional transform from its arguments: edges stay until the transform ends
  uint32_t n_inputs = 0;
  uint32_t height = 0;          // of the lazy nodes below this one when it was made
  int64_t size = 0;             // number of elements
  uint64_t mark = 0;            // scratch of the scheduler under its lock: the walk that met this node last,
  uint32_t mark_index = 0;      // and its number there
  const char* label = nullptr;  // public name of the function that made it, a string literal; for messages
  Dims shape;
  Layout layout;                       // valid when state is ready
  std::unique_ptr<const Attrs> attrs;  // null means NoAttrs
  std::unique_ptr<Leaf> leaf;          // set on tensors with requires_grad

  std::span<const Tensor> inputs() const { return {inputs_, n_inputs}; }
  const Attrs& attributes() const;
  template <class A>
  const A& get() const {
    return std::get<A>(attributes());
  }
  void set_inputs(std::span<const Tensor> inputs);
  // Drops the edges to the inputs; iterative, so that the end of a long chain does not recurse.
  void drop_inputs();
  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  static void release(Node* node);

  Node(Op op, DType dtype) : op(op), dtype(dtype) {}
  Node(const Node&) = delete;
  ~Node();

 private:
  friend void destroy_chain(Node*);
  Tensor* inputs_ = nullptr;  // points to inline_inputs_ or to the heap
  alignas(Tensor) unsigned char inline_inputs_[3 * sizeof(Tensor)];
};

inline Tensor::Tensor(const Tensor& other) : node_(other.node_) {
  if (node_) node_->retain();
}
inline Tensor::~Tensor() {
  if (node_) Node::release(node_);
}
inline const Dims& Tensor::shape() const { return node_->shape; }
inline int64_t Tensor::shape(int axis) const { return node_->shape[axis < 0 ? axis + node_->shape.size() : axis]; }
inline DType Tensor::dtype() const { return node_->dtype; }
inline DeviceId Tensor::device() const { return node_->device; }
inline int Tensor::rank() const { return node_->shape.size(); }
inline int64_t Tensor::size() const { return node_->size; }
inline int64_t Tensor::nbytes() const { return size() * itemsize(dtype()); }
inline bool Tensor::is_ready() const { return node_->state.load(std::memory_order_acquire) == State::ready; }

// A lazy node. Inputs must share a device (IST_ERROR_DEVICE otherwise); with no inputs the node goes to the current
// device. Autograd flags are inherited from the inputs. `label` defaults to the op's name.
Tensor make_node(Op op, DType dtype, Dims shape, std::span<const Tensor> inputs, Attrs attrs = NoAttrs{},
                 const char* label = nullptr);
// A ready tensor over existing bytes. `strides` in elements.
Tensor make_data(DType dtype, Dims shape, Dims strides, int64_t offset, BufferRef buffer, DeviceId device);
// A ready row-major tensor on the current device with memory to be filled by the caller through `data`.
Tensor make_empty(DType dtype, Dims shape, void** data, const char* op = "");

// The public name for messages that user-facing functions pass down to the ops they are made of: while a LabelScope
// lives, nodes made on this thread carry its label, unless an outer scope is there already.
class LabelScope {
 public:
  explicit LabelScope(const char* label);
  ~LabelScope();
  LabelScope(const LabelScope&) = delete;

 private:
  bool owner_;
};
// The name to put into errors: the label of the scope this thread is in, otherwise `own`.
const char* public_name(const char* own);

}  // namespace ist
