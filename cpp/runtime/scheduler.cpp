#include "runtime/scheduler.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "ops/ops.h"
#include "runtime/error.h"
#include "runtime/program.h"
#include "runtime/registry.h"

namespace ist {
namespace {

// Held while walking lazy nodes, claiming them and publishing results; never while computing.
std::mutex graph_mutex;
std::condition_variable published;
uint64_t last_epoch = 0;

// What an evaluation needs, kept by its thread for the next one.
struct Workspace {
  bool busy = false;
  std::vector<Node*> order;
  std::vector<bool> is_early;
  std::vector<std::pair<Node*, uint32_t>> stack;
  std::vector<Node*> held;
  std::vector<ist_value> values;
  std::vector<int> local, global;  // value numbers: plan to program, and back
  Plan plan;
};

uint32_t highest_input(const Node& node) {
  uint32_t highest = 0;
  for (uint32_t i = 1; i < node.n_inputs; ++i) {
    if (node.inputs()[i]->height > node.inputs()[highest]->height) highest = i;
  }
  return highest;
}

// What is small and made from what is small alone, like the exponent less one in the gradient of a power, or a bias as
// another dtype, comes before everything else: between ops on more elements it would keep backends from fusing those.
void put_small_first(Workspace& work) {
  constexpr int64_t kSmall = 4096;  // elements
  std::vector<Node*>& order = work.order;
  if (order.size() < 3) return;
  work.is_early.assign(order.size(), false);
  const auto is_early = [&](const Tensor& input) {
    return input->size <= kSmall && (input.is_ready() || work.is_early[input->mark_index]);
  };
  size_t n_early = 0;
  bool are_first = true;
  for (size_t i = 0; i < order.size(); ++i) {
    const auto inputs = order[i]->inputs();
    if (order[i]->size > kSmall || !std::all_of(inputs.begin(), inputs.end(), is_early)) continue;
    work.is_early[i] = true;
    are_first &= n_early++ == i;
  }
  if (are_first) return;
  std::stable_partition(order.begin(), order.end(), [&](const Node* node) { return work.is_early[node->mark_index]; });
  for (size_t i = 0; i < order.size(); ++i) order[i]->mark_index = static_cast<uint32_t>(i);
}

// Every lazy node that `tensors` need, inputs before users, and the highest input first: what an op reads besides is
// then made right before it, where backends can fuse the two. False when another thread is computing one of them.
bool collect(std::span<const Tensor> tensors, uint64_t epoch, Workspace& work) {
  work.order.clear();
  work.stack.clear();
  const auto visit = [&](Node* node) {
    const State state = node->state.load(std::memory_order_acquire);
    if (state == State::running) return false;
    if (state == State::lazy && node->mark != epoch) {
      node->mark = epoch;
      work.stack.emplace_back(node, 0);
    }
    return true;
  };
  for (const Tensor& tensor : tensors) {
    if (!visit(tensor.node())) return false;
    while (!work.stack.empty()) {
      auto& [node, next] = work.stack.back();
      const bool chooses = node->n_inputs > 1;  // one more visit, which comes first
      if (next < node->n_inputs + chooses) {
        const uint32_t input = !chooses ? next : next == 0 ? highest_input(*node) : next - 1;
        ++next;
        if (!visit(node->inputs()[input].node())) return false;
        continue;
      }
      node->mark_index = static_cast<uint32_t>(work.order.size());
      work.order.push_back(node);
      work.stack.pop_back();
    }
  }
  put_small_first(work);
  return true;
}

void claim(std::span<const Tensor> tensors, Workspace& work) {
  std::unique_lock lock(graph_mutex);
  while (!collect(tensors, ++last_epoch, work)) published.wait(lock);
  work.held.clear();
  work.held.reserve(work.order.size());  // nothing may fail once nodes are claimed
  work.plan.build(work.order, last_epoch);
  for (size_t i = 0; i < work.order.size(); ++i) {
    Node* node = work.order[i];
    node->state.store(State::running, std::memory_order_relaxed);
    if (!work.plan.leaves(i)) continue;
    node->retain();
    work.held.push_back(node);
  }
}

// Numbers the values of one step from 0, as its program wants them.
void number_values(Step& step, Workspace& work) {
  std::vector<Value>& values = work.plan.values();
  work.local.resize(values.size(), -1);
  work.global.clear();
  work.values.clear();
  const int self = static_cast<int>(&step - work.plan.steps().data());
  const auto number = [&](uint32_t& id, uint32_t node_index) {
    int& local = work.local[id];
    if (local < 0) {
      local = static_cast<int>(work.values.size());
      const Value& value = values[id];
      ist_value entry{};
      entry.nbytes = value.nbytes;
      if (value.step != self) {
        entry.flags = value.given ? IST_VALUE_INPUT | IST_VALUE_GIVEN : IST_VALUE_INPUT;
        entry.buffer = value.buffer;
      } else if (value.leaves || value.crosses) {
        entry.flags = IST_VALUE_OUTPUT;
      }
      work.values.push_back(entry);
      work.global.push_back(static_cast<int>(id));
    }
    work.values[local].last_use = node_index;
    id = static_cast<uint32_t>(local);
  };
  for (uint32_t i = 0; i < step.nodes.size(); ++i) {
    ist_node& node = step.nodes[i];
    // The arrays belong to the plan's arena; only the line to the backend sees them as constant.
    auto* inputs = const_cast<ist_tensor*>(node.inputs);
    for (uint32_t k = 0; k < node.n_inputs; ++k) number(inputs[k].value, i);
    number(node.output.value, i);
  }
  for (int id : work.global) work.local[id] = -1;
}

[[noreturn]] void raise(const ist_error& error, ist_status status, const Step& step, const char* device) {
  const char* label = error.node < step.nodes.size() ? step.nodes[error.node].label : device;
  const size_t length = strnlen(error.message, sizeof(error.message));
  std::string text(error.message, length);
  if (text.empty()) text = std::string("device '") + device + "' failed and gave no reason";
  const bool known = status >= IST_ERROR_VALUE && status <= IST_ERROR_STATE;
  throw Error(known ? static_cast<Code>(status) : Code::backend, label, text);
}

void run_step(Step& step, Workspace& work) {
  number_values(step, work);
  const Backend& backend = registry::backend(step.device);
  ist_program program{};
  program.struct_size = sizeof(program);
  program.value_size = sizeof(ist_value);
  program.node_size = sizeof(ist_node);
  program.tensor_size = sizeof(ist_tensor);
  program.n_values = static_cast<uint32_t>(work.values.size());
  program.n_nodes = static_cast<uint32_t>(step.nodes.size());
  program.values = work.values.data();
  program.nodes = step.nodes.data();
  ist_error error;
  error.struct_size = sizeof(error);
  error.node = IST_NO_NODE;
  error.message[0] = '\0';

  static std::array<std::mutex, 64> run_mutex;  // for backends that take one call at a time
  std::unique_lock<std::mutex> exclusive;
  if (!(backend.table->flags & IST_BACKEND_CONCURRENT))
    exclusive = std::unique_lock(run_mutex[step.device % run_mutex.size()]);
  ist_status status = backend.table->run(backend.table->self, backend.queue, &program, &error);
  if (status == IST_OK && backend.table->synchronize) {
    status = backend.table->synchronize(backend.table->self, backend.queue, &error);
    if (status != IST_OK)
      for (ist_value& value : work.values)
        if ((value.flags & IST_VALUE_OUTPUT) && value.buffer) value.buffer->release(value.buffer);
  }
  if (status != IST_OK) raise(error, status, step, backend.table->name);

  bool complete = true;
  for (size_t i = 0; i < work.values.size(); ++i) {
    if (!(work.values[i].flags & IST_VALUE_OUTPUT)) continue;
    ist_buffer* buffer = work.values[i].buffer;
    complete &= buffer && buffer->nbytes >= work.values[i].nbytes;
    work.plan.values()[work.global[i]].buffer = buffer;
  }
  if (!complete)
    fail(Code::backend, backend.table->name, "run() succeeded but left an output without a buffer of its size");
}

void run(Workspace& work) {
  for (Step& step : work.plan.steps()) {
    run_step(step, work);
    for (int id : work.global) {
      Value& value = work.plan.values()[id];
      if (!value.leaves && value.last_stage <= step.stage && value.crosses) work.plan.drop(value);
    }
  }
}

void publish(Workspace& work, bool succeeded) {
  {
    const std::lock_guard lock(graph_mutex);
    for (size_t i = 0; i < work.order.size(); ++i) {
      Node* node = work.order[i];
      if (succeeded && work.plan.leaves(i)) {
        const Place& place = work.plan.place(i);
        node->layout = {BufferRef::share(work.plan.values()[place.value].buffer),
                        Dims(std::span<const int64_t>(place.strides, node->shape.size())), place.offset};
        node->state.store(State::ready, std::memory_order_release);
      } else {
        node->state.store(State::lazy, std::memory_order_relaxed);
      }
    }
  }
  published.notify_all();
  // Outside the lock: the end of a buffer may call into its owner.
  work.plan.clear();
  for (Node* node : work.held) {
    if (succeeded && !keeps_inputs(*node)) node->drop_inputs();
    Node::release(node);
  }
  work.held.clear();
}

void evaluate(std::span<const Tensor> tensors, Workspace& work) {
  try {
    claim(tensors, work);
  } catch (...) {
    work.plan.clear();
    throw;
  }
  try {
    run(work);
  } catch (...) {
    publish(work, false);
    throw;
  }
  publish(work, true);
}

}  // namespace

void eval(std::span<const Tensor> tensors) {
  const bool ready = std::all_of(tensors.begin(), tensors.end(), [](const Tensor& t) { return t.is_ready(); });
  if (ready) return;
  thread_local Workspace own;
  if (own.busy) {  // a buffer's owner evaluates while we release it
    Workspace nested;
    return evaluate(tensors, nested);
  }
  own.busy = true;
  try {
    evaluate(tensors, own);
  } catch (...) {
    own.busy = false;
    throw;
  }
  own.busy = false;
}

const void* data(const Tensor& tensor) {
  eval(tensor);
  const ist_backend* table = registry::backend(tensor.device()).table;
  if (table->flags & IST_BACKEND_COMPUTES_NOTHING)
    fail(Code::state, "data", "device '", table->name, "' computes nothing: its tensors have no contents to read");
  const Layout& layout = tensor->layout;
  return static_cast<const char*>(layout.buffer->data) + layout.offset * itemsize(tensor.dtype());
}

Tensor evaluated_row_major(const Tensor& tensor) {
  eval(tensor);
  if (is_row_major(tensor.shape(), tensor->layout.strides)) return tensor;
  Tensor copy = ops::contiguous(tensor);
  eval(copy);
  return copy;
}

}  // namespace ist
