// The null device: makes outputs and computes nothing, so that scheduling can be tested and timed without arithmetic.
#include "backends/builtin.h"
#include "backends/program_view.h"

namespace ist {
namespace {

const ist_host* host_ = nullptr;

int32_t supports(void*, const ist_node*) { return 1; }

// The program's outputs are all the state there is, but a queue must be something other than NULL.
ist_status queue_create(void*, uint32_t device, ist_queue** out, ist_error* error) {
  static char queue;
  if (device != 0) return report(error, IST_ERROR_DEVICE, IST_NO_NODE, "the null backend has one device");
  *out = reinterpret_cast<ist_queue*>(&queue);
  return IST_OK;
}

void queue_destroy(void*, ist_queue*) {}

bool is_made_here(const ist_value& value) {
  return (value.flags & IST_VALUE_OUTPUT) != 0 && (value.flags & IST_VALUE_INPUT) == 0;
}

ist_status run(void*, ist_queue*, const ist_program* program, ist_error* error) {
  for (uint32_t i = 0; i < program->n_values; ++i) {
    ist_value& value = value_at(*program, i);
    if (!is_made_here(value)) continue;
    value.buffer = host_->allocate(value.nbytes);
    if (value.buffer != nullptr) continue;
    for (uint32_t j = 0; j < i; ++j) {
      ist_value& made = value_at(*program, j);
      if (!is_made_here(made)) continue;
      made.buffer->release(made.buffer);
      made.buffer = nullptr;
    }
    char message[80];
    std::snprintf(message, sizeof(message), "cannot allocate %llu bytes",
                  static_cast<unsigned long long>(value.nbytes));
    return report(error, IST_ERROR_MEMORY, IST_NO_NODE, message);
  }
  return IST_OK;
}

const char* describe(void*) { return "computes nothing"; }

const ist_backend backend = {
    sizeof(ist_backend),
    IST_BACKEND_ABI_MAJOR,
    IST_BACKEND_ABI_MINOR,
    "null",
    "1",
    1,
    IST_BACKEND_COMPUTES_NOTHING | IST_BACKEND_CONCURRENT,
    nullptr,
    supports,
    queue_create,
    queue_destroy,
    run,
    nullptr,
    describe,
};

}  // namespace
}  // namespace ist

extern "C" ist_status ist_null_query(const ist_host* host, const ist_backend** out, ist_error* error) {
  if (const ist_status status = ist::check_host(host, "null", error); status != IST_OK) return status;
  ist::host_ = host;
  *out = &ist::backend;
  return IST_OK;
}
