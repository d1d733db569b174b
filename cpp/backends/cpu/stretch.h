// Stretches of steps that may run slice by slice along their leading axis, so that what one step leaves for the next
// is still in cache: the first indices of that axis go through all steps, then the next ones. The bits are the same,
// because no op of a stretch looks from one index to another, and what an op makes does not depend on the extent.
#pragma once

#include <unordered_map>
#include <vector>

#include "backends/cpu/planner.h"

namespace ist::cpu {

// The axis that a tensor is cut along: the first with more than one element. -1: none has.
int leading_axis(const ist_tensor& t);

// A node's operand is cut along its leading axis, or read as a whole by each slice (a weight).
bool is_read_whole(const ist_node& node, uint32_t input);

class Stretch {
 public:
  struct Value {
    uint32_t value;                // of the program
    uint32_t first_use, last_use;  // steps, by number in the stretch
    int64_t bytes;                 // that are read or written, of all slices
    bool made, in_memory, whole;
  };

  // The steps from node `first` on, as far as they go together; one at least.
  Stretch(const Context& context, uint32_t first);
  Stretch(const Stretch&) = delete;

  // Is there something to be had from slices?
  bool is_sliced() const { return slice_parts_ > 0; }
  const std::vector<Step>& steps() const { return steps_; }
  uint32_t first() const { return steps_.front().first; }  // nodes
  uint32_t end() const { return steps_.back().end; }
  int64_t parts() const { return parts_; }              // that the values could be cut into
  int64_t slice_parts() const { return slice_parts_; }  // of a slice; the last one may have fewer
  int64_t slices() const { return (parts_ + slice_parts_ - 1) / slice_parts_; }

  // Is the result of node i read behind the stretch?
  bool leaves(uint32_t i) const;

  // Every value that the nodes read or make, and the number of one among them.
  const std::vector<Value>& values() const { return values_; }
  uint32_t number_of(uint32_t value) const { return numbers_.at(value); }

 private:
  bool add(const Step& step);
  bool choose_slices();
  bool admit(const ist_node& node, int64_t& parts);
  bool maps_parts_to_parts(const ist_tensor& t, int axis, int64_t parts) const;
  Value& meet(uint32_t value, bool made);
  void forget_from(size_t n);

  const Context& context_;
  std::vector<Step> steps_;
  std::vector<Value> values_;
  std::unordered_map<uint32_t, uint32_t> numbers_;  // by value of the program
  int64_t parts_ = 0, slice_parts_ = 0;
  int64_t read_again_ = 0;  // bytes that a step reads after another one has read or written them
};

// Runs one that is sliced. Values that outlive it have buffers already. On failure `failed` is the node that failed.
void run_slices(const Stretch& stretch, const Context& context, uint32_t& failed);

}  // namespace ist::cpu
