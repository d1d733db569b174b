// Cheap values that are read far from where they are made are made again there, rather than kept in memory meanwhile:
// of `gelu`, what the gradient reads are four values, and two of them are a sum and a product away from the others.
// Backends fuse what stands together, so it costs an operation in registers and saves a store and a load.
#include <algorithm>

#include "runtime/program.h"

namespace ist {
namespace {

bool is_elementwise(const ist_node& node) { return info(static_cast<Op>(node.op)).family == Family::elementwise; }

// One operation in registers, or two.
bool is_cheap(const ist_node& node) {
  const Op op = static_cast<Op>(node.op);
  if (op == Op::power || op == Op::floor_divide || op == Op::contiguous) return false;
  switch (info(op).dtypes) {
    case DTypeClass::any:
    case DTypeClass::logical:
    case DTypeClass::bitwise:
    case DTypeClass::select:
      return true;
    default:
      return false;
  }
}

// Does the operand have all of the value's elements, in the order in which they were made?
bool reads_as_made(const ist_tensor& t, uint64_t nbytes) {
  int64_t expected = 1;
  for (uint32_t axis = t.rank; axis-- > 0;) {
    if (t.shape[axis] != 1 && t.strides[axis] != expected) return false;
    expected *= t.shape[axis];
  }
  return t.offset == 0 && static_cast<uint64_t>(expected) * itemsize(static_cast<DType>(t.dtype)) == nbytes;
}

// Rows and columns that repeat have to be gathered, which costs more than an operation.
bool is_scalar(const ist_tensor& t) {
  for (uint32_t axis = 0; axis < t.rank; ++axis) {
    if (t.shape[axis] != 1 && t.strides[axis] != 0) return false;
  }
  return true;
}

// Passages are elementwise nodes between others; a node that is not elementwise begins one.
class Remaker {
 public:
  Remaker(Step& step, int number, std::vector<Value>& values, Arena& arena)
      : nodes_(step.nodes), stage_(step.stage), number_(number), values_(values), arena_(arena) {}

  void run() {
    find_readers();
    for (uint32_t i = 0; i < nodes_.size(); ++i) {
      if (is_candidate(i)) remake(i);
    }
    insert();
  }

 private:
  struct Readers {
    uint32_t last = 0;         // node
    bool in_passages = false;  // are all of them elementwise, and read it as it was made?
  };
  struct Remade {
    uint32_t before;  // node
    ist_node node;
  };

  void find_readers() {
    readers_.assign(values_.size(), {});
    passages_.reserve(nodes_.size());
    uint32_t passage = 0;
    for (uint32_t i = 0; i < nodes_.size(); ++i) {
      const ist_node& node = nodes_[i];
      const bool elementwise = is_elementwise(node);
      passages_.push_back(elementwise ? passage : ++passage);
      readers_[node.output.value] = {i, elementwise};
      for (uint32_t k = 0; k < node.n_inputs; ++k) {
        const ist_tensor& t = node.inputs[k];
        Readers& readers = readers_[t.value];
        readers.last = i;
        readers.in_passages &= elementwise && reads_as_made(t, values_[t.value].nbytes);
      }
    }
  }

  bool is_candidate(uint32_t i) const {
    const ist_node& node = nodes_[i];
    const Value& value = values_[node.output.value];
    const Readers& readers = readers_[node.output.value];
    return value.nbytes >= Plan::kRemadeBytes && !value.leaves && !value.crosses && readers.in_passages &&
           passages_[readers.last] > passages_[i] && is_cheap(node);
  }

  bool reads(const ist_node& node, uint32_t value) const {
    return std::any_of(node.inputs, node.inputs + node.n_inputs, [&](const ist_tensor& t) { return t.value == value; });
  }

  // Is the value in memory until after this passage, whatever happens here?
  bool is_kept(uint32_t id, uint32_t passage) const {
    if (id >= readers_.size()) return false;  // made again itself
    const Value& value = values_[id];
    return value.step != number_ || value.leaves || value.crosses || passages_[readers_[id].last] >= passage;
  }

  // Can the node be made again until this passage, from scalars and one value that is there as it was made?
  bool can_be_made(const ist_node& node, uint32_t passage) const {
    uint32_t value = UINT32_MAX;
    for (uint32_t k = 0; k < node.n_inputs; ++k) {
      const ist_tensor& t = node.inputs[k];
      if (is_scalar(t)) continue;
      const bool is_other = value != UINT32_MAX && value != t.value;
      if (is_other || !is_kept(t.value, passage) || !reads_as_made(t, values_[node.output.value].nbytes)) return false;
      value = t.value;
    }
    return true;
  }

  void remake(uint32_t i) {
    const uint32_t value = nodes_[i].output.value;
    const uint32_t last = readers_[value].last;
    std::vector<uint32_t> far_readers;  // the first of each passage
    bool is_read_near = false;
    for (uint32_t r = i + 1; r <= last; ++r) {
      if (!reads(nodes_[r], value)) continue;
      if (passages_[r] == passages_[i]) {
        is_read_near = true;
      } else if (far_readers.empty() || passages_[far_readers.back()] != passages_[r]) {
        far_readers.push_back(r);
      }
    }
    if (!is_read_near || !can_be_made(nodes_[i], passages_[last])) return;
    for (const uint32_t first : far_readers) {
      const uint32_t again = add_copy(i, first);
      for (uint32_t r = first; r <= last && passages_[r] == passages_[first]; ++r) {
        // The arrays belong to the plan's arena; only the line to the backend sees them as constant.
        auto* inputs = const_cast<ist_tensor*>(nodes_[r].inputs);
        for (uint32_t k = 0; k < nodes_[r].n_inputs; ++k) {
          if (inputs[k].value == value) inputs[k].value = again;
        }
      }
    }
    readers_[value].last = i;  // or near it
  }

  // Returns the number of the value that the copy of node i makes.
  uint32_t add_copy(uint32_t i, uint32_t before) {
    ist_node node = nodes_[i];
    auto* inputs = arena_.allocate<ist_tensor>(node.n_inputs);
    std::copy_n(node.inputs, node.n_inputs, inputs);
    node.inputs = inputs;
    node.output.value = static_cast<uint32_t>(values_.size());
    Value value;
    value.nbytes = values_[nodes_[i].output.value].nbytes;
    value.step = number_;
    value.last_stage = stage_;
    values_.push_back(value);
    remade_.push_back({before, node});
    return node.output.value;
  }

  void insert() {
    if (remade_.empty()) return;
    std::stable_sort(remade_.begin(), remade_.end(), [](const auto& a, const auto& b) { return a.before < b.before; });
    std::vector<ist_node> nodes;
    nodes.reserve(nodes_.size() + remade_.size());
    size_t next = 0;
    for (uint32_t i = 0; i < nodes_.size(); ++i) {
      for (; next < remade_.size() && remade_[next].before == i; ++next) nodes.push_back(remade_[next].node);
      nodes.push_back(nodes_[i]);
    }
    nodes_ = std::move(nodes);
  }

  std::vector<ist_node>& nodes_;
  int stage_, number_;
  std::vector<Value>& values_;
  Arena& arena_;
  std::vector<uint32_t> passages_;  // by node
  std::vector<Readers> readers_;    // by value
  std::vector<Remade> remade_;
};

}  // namespace

void Plan::remake_cheap() {
  if (longest_made_ < kRemadeBytes) return;
  for (size_t i = 0; i < n_steps_; ++i) Remaker(steps_[i], static_cast<int>(i), values_, arena_).run();
}

}  // namespace ist
