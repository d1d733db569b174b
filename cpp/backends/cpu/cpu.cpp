// The cpu backend: plans a program into steps, and runs them with the kernels of the best ISA level.
#include <new>

#include "backends/builtin.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/stretch.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

const Kernels* kernels_ = nullptr;
const ist_host* host_ = nullptr;

// Intermediates keep their buffers in the program too: fields of values that are neither input nor output are ours
// while it runs.
class Values {
 public:
  Values(const ist_program& program, const ist_host& host) : program_(program), host_(host) {
    for (uint32_t i = 0; i < program.n_values; ++i) {
      ist_value& value = value_at(program, i);
      if (is_input(value)) continue;
      value.buffer = nullptr;
      nbytes_ += value.nbytes;
    }
  }
  Values(const Values&) = delete;
  ~Values() {
    for (uint32_t i = 0; i < program_.n_values; ++i) {
      ist_value& value = value_at(program_, i);
      if (!keep_outputs_ || (value.flags & IST_VALUE_OUTPUT) == 0) drop(value);
    }
  }

  void make(uint32_t i) {
    ist_value& value = value_at(program_, i);
    value.buffer = host_.allocate(value.nbytes);
    if (value.buffer == nullptr) fail(Code::memory, "", "cannot allocate ", value.nbytes, " bytes");
  }

  // Ops that change some elements of their first operand do so in its memory, where nobody reads it afterwards.
  bool take_over(uint32_t i) {
    const ist_node& node = node_at(program_, i);
    if (!updates_first_operand(node)) return false;
    const ist_tensor& t = input_at(node, program_.tensor_size, 0);
    const ist_value& from = value_at(program_, t.value);
    ist_value& to = value_at(program_, node.output.value);
    const bool given = (from.flags & IST_VALUE_GIVEN) != 0;
    if (from.buffer == nullptr || outlives(from, i) || (is_input(from) && !given)) return false;
    if (t.offset != 0 || from.nbytes != to.nbytes) return false;
    if (!is_dense(static_cast<int>(t.rank), t.shape, t.strides)) return false;
    for (uint32_t k = 1; k < node.n_inputs; ++k) {
      if (input_at(node, program_.tensor_size, k).value == t.value) return false;
    }
    to.buffer = from.buffer;
    to.buffer->retain(to.buffer);
    return true;
  }

  // Frees what nodes [first, end) have read or made and no later one reads.
  void drop_read(uint32_t first, uint32_t end) {
    const auto drop_after = [&](uint32_t i) {
      ist_value& value = value_at(program_, i);
      if (!outlives(value, end - 1)) drop(value);
    };
    for (uint32_t i = first; i < end; ++i) {
      const ist_node& node = node_at(program_, i);
      for (uint32_t k = 0; k < node.n_inputs; ++k) drop_after(input_at(node, program_.tensor_size, k).value);
      drop_after(node.output.value);
    }
  }

  // Does what the nodes make exceed a cache?
  bool are_long() const { return nbytes_ >= kLong; }
  void keep_outputs() { keep_outputs_ = true; }

 private:
  static bool is_input(const ist_value& value) { return (value.flags & IST_VALUE_INPUT) != 0; }
  static void drop(ist_value& value) {
    if (is_input(value) || value.buffer == nullptr) return;
    value.buffer->release(value.buffer);
    value.buffer = nullptr;
  }

  const ist_program& program_;
  const ist_host& host_;
  static constexpr uint64_t kLong = 1024 * 1024;
  uint64_t nbytes_ = 0;
  bool keep_outputs_ = false;
};

void evaluate(const Context& context, const Step& step, Values& values) {
  const ist_program& program = context.program;
  for (uint32_t i = step.first; i < step.end; ++i) {
    if (!is_in_memory(program, step, i)) continue;
    if (!values.take_over(i)) values.make(node_at(program, i).output.value);
  }
  run_step(step, context);
  values.drop_read(step.first, step.end);
}

void evaluate(const Context& context, const Stretch& stretch, Values& values, uint32_t& node) {
  if (!stretch.is_sliced()) {
    for (const Step& step : stretch.steps()) {
      node = step.first;
      evaluate(context, step, values);
    }
    return;
  }
  for (uint32_t i = stretch.first(); i < stretch.end(); ++i) {
    node = i;
    if (stretch.leaves(i)) values.make(node_at(context.program, i).output.value);
  }
  run_slices(stretch, context, node);
  values.drop_read(stretch.first(), stretch.end());
}

int32_t supports(void*, const ist_node* node) { return supports_node(*kernels_, *node, sizeof(ist_tensor)) ? 1 : 0; }

// Nothing is enqueued, but a queue must be something other than NULL.
ist_status queue_create(void*, uint32_t device, ist_queue** out, ist_error* error) {
  static char queue;
  if (device != 0) return report(error, IST_ERROR_DEVICE, IST_NO_NODE, "the cpu backend has one device");
  *out = reinterpret_cast<ist_queue*>(&queue);
  return IST_OK;
}

void queue_destroy(void*, ist_queue*) {}

ist_status run(void*, ist_queue*, const ist_program* program, ist_error* error) {
  uint32_t node = IST_NO_NODE;
  try {
    Values values(*program, *host_);
    const Context context = {*kernels_, *host_, *program, host_->num_threads()};
    for (uint32_t i = 0; i < program->n_nodes;) {
      node = i;
      if (values.are_long()) {
        const Stretch stretch(context, i);
        evaluate(context, stretch, values, node);
        i = stretch.end();
      } else {
        const Step step = plan_step(*kernels_, *program, i);
        evaluate(context, step, values);
        i = step.end;
      }
    }
    values.keep_outputs();
    return IST_OK;
  } catch (const Error& e) {
    return report(error, static_cast<ist_status>(e.code), node, e.message.c_str());
  } catch (const std::bad_alloc&) {
    return report(error, IST_ERROR_MEMORY, node, "memory for intermediate results ran out");
  } catch (const std::exception& e) {
    return report(error, IST_ERROR_BACKEND, node, e.what());
  }
}

const char* describe(void*) { return kernels_->isa; }

const ist_backend backend = {
    sizeof(ist_backend),
    IST_BACKEND_ABI_MAJOR,
    IST_BACKEND_ABI_MINOR,
    "cpu",
    "1",
    1,
    IST_BACKEND_CONCURRENT,
    nullptr,
    supports,
    queue_create,
    queue_destroy,
    run,
    nullptr,
    describe,
};

}  // namespace
}  // namespace ist::cpu

extern "C" ist_status ist_cpu_query(const ist_host* host, const ist_backend** out, ist_error* error) {
  if (const ist_status status = ist::check_host(host, "cpu", error); status != IST_OK) return status;
  char message[400];
  const ist::cpu::Kernels* kernels = ist::cpu::choose_kernels(message, sizeof(message));
  if (kernels == nullptr) return ist::report(error, IST_ERROR_BACKEND, IST_NO_NODE, message);
  ist::cpu::kernels_ = kernels;
  ist::cpu::host_ = host;
  *out = &ist::cpu::backend;
  return IST_OK;
}
