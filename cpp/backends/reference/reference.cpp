// The reference backend: the bit contract written as plain loops, one node after another on the calling thread.
#include <new>

#include "backends/builtin.h"
#include "backends/program_view.h"
#include "backends/reference/kernel.h"
#include "ops/op_ids.h"

namespace ist::reference {
namespace {

const ist_host* host_ = nullptr;

struct Kernel {
  void (*run)(const Call&) = nullptr;
  bool (*supports)(const ist_node&) = nullptr;
};

Kernel find_kernel(uint32_t op) {
  switch (op) {
#define IST_CASE_kernel(id, name) \
  case id:                        \
    return {run_##name, supports_##name};
#define IST_CASE_view(id, name)
#define IST_CASE_composite(id, name)
#define IST_CASE_many(id, name)
#define IST_CASE_data(id, name)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_CASE_##execution(id, name)
#include "ops/ops.def"
#undef IST_OP
    default:
      return {};
  }
}

// The buffers of one run. They reach the program only when all of it has succeeded.
class Values {
 public:
  explicit Values(const ist_program& program) : program_(program), buffers_(program.n_values, nullptr) {
    for (uint32_t i = 0; i < program.n_values; ++i) {
      if (is_input(i)) buffers_[i] = value_at(program, i).buffer;
    }
  }
  Values(const Values&) = delete;
  ~Values() {
    for (uint32_t i = 0; i < buffers_.size(); ++i) drop(i);
  }

  std::byte* data(uint32_t i) const {
    if (i >= buffers_.size() || buffers_[i] == nullptr) {
      fail(Code::backend, "", "value ", i, " is read before it is made");
    }
    return static_cast<std::byte*>(buffers_[i]->data);
  }

  std::byte* make(uint32_t i) {
    if (i >= buffers_.size() || buffers_[i] != nullptr) fail(Code::backend, "", "value ", i, " has two makers");
    const uint64_t nbytes = value_at(program_, i).nbytes;
    buffers_[i] = host_->allocate(nbytes);
    if (buffers_[i] == nullptr) fail(Code::memory, "", "cannot allocate ", nbytes, " bytes");
    return static_cast<std::byte*>(buffers_[i]->data);
  }

  // Frees a value that stays in the program, if `node` was its last reader.
  void drop_after(uint32_t node, uint32_t i) {
    const ist_value& value = value_at(program_, i);
    if ((value.flags & IST_VALUE_OUTPUT) == 0 && value.last_use <= node) drop(i);
  }

  void hand_over() {
    for (uint32_t i = 0; i < buffers_.size(); ++i) {
      if ((value_at(program_, i).flags & IST_VALUE_OUTPUT) == 0 || is_input(i)) continue;
      if (buffers_[i] == nullptr) fail(Code::backend, "", "no node makes the output value ", i);
    }
    for (uint32_t i = 0; i < buffers_.size(); ++i) {
      ist_value& value = value_at(program_, i);
      if ((value.flags & IST_VALUE_OUTPUT) == 0 || is_input(i)) continue;
      value.buffer = buffers_[i];
      buffers_[i] = nullptr;
    }
  }

 private:
  bool is_input(uint32_t i) const { return (value_at(program_, i).flags & IST_VALUE_INPUT) != 0; }

  void drop(uint32_t i) {
    if (!is_input(i) && buffers_[i] != nullptr) buffers_[i]->release(buffers_[i]);
    if (!is_input(i)) buffers_[i] = nullptr;
  }

  const ist_program& program_;
  std::vector<ist_buffer*> buffers_;
};

void run_node(const ist_program& program, uint32_t position, Values& values) {
  ist_node node = node_at(program, position);
  std::vector<ist_tensor> operands;
  for (uint32_t i = 0; i < node.n_inputs; ++i) operands.push_back(input_at(node, program.tensor_size, i));
  node.inputs = operands.data();  // from here on side by side, whatever size the program gave them

  const Kernel kernel = find_kernel(node.op);
  if (kernel.run == nullptr || !kernel.supports(node)) {
    fail(Code::backend, "", "the reference backend has no kernel for this op and dtype");
  }
  Call call = {node, {}, {}};
  for (const ist_tensor& t : operands) {
    call.inputs.push_back({values.data(t.value), t.dtype, static_cast<int>(t.rank), t.shape, t.strides, t.offset});
  }
  const ist_tensor& out = node.output;
  call.out = {values.make(out.value), out.dtype, static_cast<int>(out.rank), out.shape};
  kernel.run(call);
  for (const ist_tensor& t : operands) values.drop_after(position, t.value);
  values.drop_after(position, out.value);
}

int32_t supports(void*, const ist_node* node) {
  const Kernel kernel = find_kernel(node->op);
  return kernel.supports != nullptr && kernel.supports(*node) ? 1 : 0;
}

// Nothing is enqueued, but a queue must be something other than NULL.
ist_status queue_create(void*, uint32_t device, ist_queue** out, ist_error* error) {
  static char queue;
  if (device != 0) return report(error, IST_ERROR_DEVICE, IST_NO_NODE, "the reference backend has one device");
  *out = reinterpret_cast<ist_queue*>(&queue);
  return IST_OK;
}

void queue_destroy(void*, ist_queue*) {}

ist_status run(void*, ist_queue*, const ist_program* program, ist_error* error) {
  uint32_t node = IST_NO_NODE;
  try {
    Values values(*program);
    for (uint32_t i = 0; i < program->n_nodes; ++i) {
      node = i;
      run_node(*program, i, values);
    }
    node = IST_NO_NODE;
    values.hand_over();
    return IST_OK;
  } catch (const Error& e) {
    return report(error, static_cast<ist_status>(e.code), node, e.message.c_str());
  } catch (const std::bad_alloc&) {
    return report(error, IST_ERROR_MEMORY, node, "memory for intermediate results ran out");
  } catch (const std::exception& e) {
    return report(error, IST_ERROR_BACKEND, node, e.what());
  }
}

const char* describe(void*) { return "plain loops in the canonical order"; }

const ist_backend backend = {
    sizeof(ist_backend),
    IST_BACKEND_ABI_MAJOR,
    IST_BACKEND_ABI_MINOR,
    "reference",
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
}  // namespace ist::reference

extern "C" ist_status ist_reference_query(const ist_host* host, const ist_backend** out, ist_error* error) {
  if (const ist_status status = ist::check_host(host, "reference", error); status != IST_OK) return status;
  ist::reference::host_ = host;
  *out = &ist::reference::backend;
  return IST_OK;
}
