// A stretch, slice by slice: its nodes with narrowed tensors are a program of their own, which one thread runs.
#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "backends/cpu/stretch.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

void keep(ist_buffer*) {}

// For slices of one length, and one thread at a time.
class SliceProgram {
 public:
  // `node`: the one that is being planned or run, or has failed.
  SliceProgram(const Stretch& stretch, const Context& context, int64_t parts, uint32_t& node);
  SliceProgram(const SliceProgram&) = delete;

  // The slice that begins with this part.
  void run(int64_t part, uint32_t& node);

 private:
  struct Operand {
    uint32_t tensor;         // in tensors_
    int64_t start, advance;  // its offset in the first part, and what it grows by from part to part
  };
  struct Window {
    uint32_t number;
    char* start;  // of the whole
    int64_t advance;
  };
  struct Release {
    void operator()(ist_buffer* buffer) const { buffer->release(buffer); }
  };
  struct Slot {
    std::unique_ptr<ist_buffer, Release> buffer;
    bool used;
  };

  void add_nodes(const Context& whole);
  ist_tensor narrow(ist_tensor t);
  void place_values(const Context& whole);
  ist_buffer* take_slot(uint64_t nbytes);
  void plan(uint32_t& node);
  template <class Wants>
  void place_results(uint32_t first, uint32_t end, Wants&& wants);

  const Stretch& stretch_;
  int64_t parts_;
  ist_program program_;
  Context context_;
  std::vector<ist_node> nodes_;
  std::vector<ist_tensor> tensors_;  // operands
  std::vector<int64_t> extents_;     // of all shapes
  std::vector<ist_value> values_;
  std::vector<Operand> operands_;  // that move
  std::vector<ist_buffer> windows_;
  std::vector<Window> moves_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Stretch>> stretches_;
  KeptPrograms kept_;
};

SliceProgram::SliceProgram(const Stretch& stretch, const Context& context, int64_t parts, uint32_t& node)
    : stretch_(stretch), parts_(parts), context_{context.kernels, context.host, program_, 1, &kept_} {
  add_nodes(context);
  place_values(context);
  program_ = {sizeof(ist_program),
              sizeof(ist_value),
              sizeof(ist_node),
              sizeof(ist_tensor),
              static_cast<uint32_t>(values_.size()),
              static_cast<uint32_t>(nodes_.size()),
              values_.data(),
              nodes_.data()};
  kept_.of.resize(nodes_.size());
  plan(node);
}

ist_tensor SliceProgram::narrow(ist_tensor t) {
  const int axis = leading_axis(t);
  int64_t* extents = extents_.data() + extents_.size();
  extents_.insert(extents_.end(), t.shape, t.shape + t.rank);
  extents[axis] = t.shape[axis] / stretch_.parts() * parts_;
  t.shape = extents;
  return t;
}

void SliceProgram::add_nodes(const Context& whole) {
  const ist_program& program = whole.program;
  size_t n_tensors = 0, n_extents = 0;
  for (uint32_t i = stretch_.first(); i < stretch_.end(); ++i) {
    const ist_node& node = node_at(program, i);
    n_tensors += node.n_inputs;
    n_extents += node.output.rank;
    for (uint32_t k = 0; k < node.n_inputs; ++k) n_extents += input_at(node, program.tensor_size, k).rank;
  }
  nodes_.reserve(stretch_.end() - stretch_.first());
  tensors_.reserve(n_tensors);
  extents_.reserve(n_extents);
  for (uint32_t i = stretch_.first(); i < stretch_.end(); ++i) {
    ist_node node = node_at(program, i);
    const size_t first = tensors_.size();
    for (uint32_t k = 0; k < node.n_inputs; ++k) {
      ist_tensor t = input_at(node, program.tensor_size, k);
      const int axis = leading_axis(t);
      const bool made = stretch_.values()[stretch_.number_of(t.value)].made;
      if (!is_read_whole(node, k)) {
        const int64_t advance = t.strides[axis] * (t.shape[axis] / stretch_.parts());
        if (!made && advance != 0) operands_.push_back({static_cast<uint32_t>(tensors_.size()), t.offset, advance});
        t = narrow(t);
      }
      t.value = stretch_.number_of(t.value);
      tensors_.push_back(t);
    }
    node.inputs = tensors_.data() + first;
    node.output = narrow(node.output);
    node.output.value = stretch_.number_of(node.output.value);
    nodes_.push_back(node);
  }
}

void SliceProgram::place_values(const Context& whole) {
  windows_.reserve(stretch_.values().size());
  for (const Stretch::Value& value : stretch_.values()) {
    ist_value entry = value_at(whole.program, value.value);
    const bool leaves = value.made && outlives(entry, stretch_.end() - 1);
    const int64_t part_bytes = static_cast<int64_t>(entry.nbytes) / stretch_.parts();
    if (leaves) {
      const auto nbytes = static_cast<uint64_t>(part_bytes * parts_);
      char* start = static_cast<char*>(entry.buffer->data);
      moves_.push_back({static_cast<uint32_t>(values_.size()), start, part_bytes});
      windows_.push_back({sizeof(ist_buffer), 0, start, nbytes, &keep, &keep});
      entry.buffer = &windows_.back();
    }
    entry.flags = leaves ? IST_VALUE_OUTPUT : value.made ? 0 : IST_VALUE_INPUT;
    if (value.made) entry.nbytes = static_cast<uint64_t>(part_bytes * parts_);
    if (value.made && !leaves) entry.buffer = nullptr;
    entry.last_use = 0;
    values_.push_back(entry);
  }
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    values_[nodes_[i].output.value].last_use = i;
    for (uint32_t k = 0; k < nodes_[i].n_inputs; ++k) values_[nodes_[i].inputs[k].value].last_use = i;
  }
}

// The smallest free one that is large enough.
ist_buffer* SliceProgram::take_slot(uint64_t nbytes) {
  Slot* best = nullptr;
  for (Slot& slot : slots_) {
    if (!slot.used && slot.buffer->nbytes >= nbytes && (!best || slot.buffer->nbytes < best->buffer->nbytes)) {
      best = &slot;
    }
  }
  if (best == nullptr) {
    best = &slots_.emplace_back();
    best->buffer.reset(context_.host.allocate(nbytes));
    if (best->buffer == nullptr) fail(Code::memory, "", "cannot allocate ", nbytes, " bytes");
  }
  best->used = true;
  return best->buffer.get();
}

void SliceProgram::plan(uint32_t& node) {
  slots_.reserve(values_.size());
  for (uint32_t i = 0; i < nodes_.size(); i = stretches_.back()->end()) {
    node = i;
    const Stretch& stretch = *stretches_.emplace_back(std::make_unique<Stretch>(context_, i));
    if (stretch.is_sliced()) {
      place_results(stretch.first(), stretch.end(), [&](uint32_t k) { return stretch.leaves(k); });
    } else {
      for (const Step& step : stretch.steps()) {
        place_results(step.first, step.end, [&](uint32_t k) { return is_in_memory(program_, step, k); });
      }
    }
  }
}

// `wants(k)`: node k of these needs memory for its result.
template <class Wants>
void SliceProgram::place_results(uint32_t first, uint32_t end, Wants&& wants) {
  for (uint32_t k = first; k < end; ++k) {
    ist_value& value = values_[nodes_[k].output.value];
    if (value.buffer == nullptr && wants(k)) value.buffer = take_slot(value.nbytes);
  }
  for (Slot& slot : slots_) {
    const auto is_read = [&](const ist_value& value) {
      return value.buffer == slot.buffer.get() && value.last_use >= end;
    };
    slot.used = std::any_of(values_.begin(), values_.end(), is_read);
  }
}

void SliceProgram::run(int64_t part, uint32_t& node) {
  for (const Operand& operand : operands_) tensors_[operand.tensor].offset = operand.start + part * operand.advance;
  for (const Window& move : moves_) values_[move.number].buffer->data = move.start + part * move.advance;
  for (const auto& stretch : stretches_) {
    if (stretch->is_sliced()) {
      run_slices(*stretch, context_, node);
      continue;
    }
    for (const Step& step : stretch->steps()) {
      node = step.first;
      run_step(step, context_);
    }
  }
}

}  // namespace

void run_slices(const Stretch& stretch, const Context& context, uint32_t& failed) {
  std::mutex mutex;
  std::atomic<bool> fails{false};  // then the other slices are not begun
  std::optional<Error> error;
  std::vector<std::unique_ptr<SliceProgram>> idle;  // for full slices
  const auto take = [&]() -> std::unique_ptr<SliceProgram> {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return nullptr;
    std::unique_ptr<SliceProgram> program = std::move(idle.back());
    idle.pop_back();
    return program;
  };
  const int64_t parts = stretch.slice_parts(), rest = stretch.parts() % parts;
  const int64_t full = stretch.parts() / parts;
  parallel_for(context.threads, stretch.slices(), 1, [&](int64_t begin, int64_t end) {
    if (fails) return;
    uint32_t node = 0;  // of the slice
    try {
      if (begin < full) {
        std::unique_ptr<SliceProgram> program = take();
        if (program == nullptr) program = std::make_unique<SliceProgram>(stretch, context, parts, node);
        for (int64_t i = begin; i < std::min(end, full) && !fails; ++i) program->run(i * parts, node);
        if (end <= full) {  // otherwise its memory is freed before the shorter slice takes some
          const std::lock_guard lock(mutex);
          idle.push_back(std::move(program));
        }
      }
      if (end > full) SliceProgram(stretch, context, rest, node).run(full * parts, node);
    } catch (const Error& e) {
      const std::lock_guard lock(mutex);
      if (!error) failed = stretch.first() + node;
      if (!error) error = e;
      fails = true;
    }
  });
  if (error) throw *error;
}

}  // namespace ist::cpu
