// From lazy nodes to programs: layouts of views, values and their lifetimes, one program for each stage and device.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "abi/backend.h"
#include "graph/tensor.h"
#include "ops/op_table.h"
#include "runtime/axis_order.h"

namespace ist {

// Memory for shapes, strides and attributes that programs point to; freed as a whole.
class Arena {
 public:
  template <class T>
  T* allocate(size_t n) {
    return static_cast<T*>(allocate_bytes(n * sizeof(T)));
  }
  void reset();

 private:
  void* allocate_bytes(size_t nbytes);

  static constexpr size_t kBlock = 1 << 14;
  std::vector<std::unique_ptr<uint64_t[]>> blocks_;
  std::unique_ptr<uint64_t[]> first_;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

// Storage that one node makes, or that was there before.
struct Value {
  ist_buffer* buffer = nullptr;  // of an input: its node's, which outlives the plan; else the plan's, once it is made
  uint64_t nbytes = 0;
  const Node* node = nullptr;  // of an input: whose buffer it is
  int step = -1;               // that makes it; -1: an input of the plan
  int last_stage = -1;         // of the steps that read it
  bool crosses = false;        // read by a step other than its maker
  bool leaves = false;         // a tensor outside will hold it
  bool given = false;          // an input that the last node may overwrite
  int chosen = -1;             // number of the choice by which its axes lie in another order; -1: they do not
};

// A node whose result lies as its operands do, because none of them is row-major.
struct Choice {
  uint32_t node_index;
  std::span<const ist_tensor> operands;
  bool refused;  // by a reader, who would rather have it row-major
};

// Where a node of the plan has its elements. The strides, one for each of its axes, are in the arena or in a node.
struct Place {
  int value = -1;
  int64_t offset = 0;
  const int64_t* strides = nullptr;
};

// The nodes of one program. Values are numbered across the whole plan.
struct Step {
  DeviceId device = 0;
  int stage = 0;
  std::vector<ist_node> nodes;
};

// What one call of eval() will do. Reused from call to call, so that a small graph allocates next to nothing.
class Plan {
 public:
  // `order`: lazy nodes, inputs before users, each with mark_index = its position. `epoch` marks nodes met here, and
  // goes on where it takes several attempts. Call under the graph lock. Raises IST_ERROR_BACKEND for an op that no
  // device may run.
  void build(std::span<Node* const> order, uint64_t& epoch);
  void clear();
  // Values from here on may be made again where they are read, if that is cheap: they leave the caches meanwhile.
  static constexpr uint64_t kRemadeBytes = 1 << 20;
  // Gives up a made value before the end of the plan.
  void drop(Value& value);

  // In an order of execution: a step reads what earlier ones made.
  std::span<Step> steps() { return {steps_.data(), n_steps_}; }
  std::vector<Value>& values() { return values_; }
  const Place& place(size_t node_index) const { return places_[node_index]; }
  bool leaves(size_t node_index) const { return leaving_[node_index] != 0; }

 private:
  const Place& place_of(const Node& node);
  Place add_view(const Node& node);
  Place add_kernel(Op op, const char* label, const Attrs* attrs, std::span<const Tensor> inputs, const Node& output);
  ist_tensor operand(const Node& input, const Dims* broadcast_to);
  void lay_out(std::span<Node* const> order);
  AxisOrder choose_order(Op op, const ist_node& node, const Node& output);
  const int64_t* permute(ist_node& node, ist_tensor* operands, const AxisOrder& order);
  bool drop_refused(std::span<Node* const> order);
  void remake_cheap();
  int step_for(int stage, DeviceId device);
  void sort_steps();
  void mark_leaving(std::span<Node* const> order);
  void mark_given(std::span<Node* const> order);
  size_t count_reads(uint32_t value);

  uint64_t epoch_ = 0;
  uint64_t longest_made_ = 0;  // bytes
  std::vector<Value> values_;
  std::vector<Place> places_;    // of the nodes in `order`, then of the ready nodes that they read
  std::vector<Choice> choices_;  // inputs before users
  std::vector<char> row_major_;  // nodes for which no choice is made; empty: it is for all
  std::vector<char> leaving_;
  std::vector<uint32_t> internal_uses_;
  std::vector<Step> steps_;  // the first n_steps_ are in use; the rest keep their memory
  size_t n_steps_ = 0;
  Arena arena_;
};

// Will this node keep its edges after evaluation, for a gradient to come?
bool keeps_inputs(const Node& node);

}  // namespace ist
