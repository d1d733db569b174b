/* A backend that a stranger could write: plain C11, the two headers of cpp/abi and nothing else of the project.
 *
 * Device "toy" adds, multiplies and negates float32 tensors of any rank and layout; it supports nothing else.
 * To make a run fail: negate a tensor that has an axis of exactly 13 elements. run() then returns IST_ERROR_BACKEND
 * with "toy: 13 is unlucky" and leaves no output behind. supports() cannot foresee it: it looks at no extents.
 *
 * Built with one of these, the library is one that a runtime has to refuse:
 *   TOY_WRONG_MAJOR   the table names another major version of the ABI
 *   TOY_SHORT_STRUCT  the table's struct_size ends before run()
 *   TOY_NO_SYMBOL     ist_backend_query is not exported
 *   TOY_NULL_RUN      run is NULL
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"
#include "op_ids.h"

#define UNLUCKY_EXTENT 13

static const ist_host* host;

/* A queue needs no state here, but counts its runs so that it is an object of its own. */
struct ist_queue {
  uint64_t runs;
};

static ist_status refuse(ist_error* error, ist_status status, uint32_t node, const char* message) {
  if (error != NULL && error->struct_size >= sizeof(ist_error)) {
    error->node = node;
    snprintf(error->message, sizeof(error->message), "%s", message);
  }
  return status;
}

static ist_value* value_at(const ist_program* program, uint32_t i) {
  return (ist_value*)((char*)program->values + (size_t)i * program->value_size);
}

static const ist_node* node_at(const ist_program* program, uint32_t i) {
  return (const ist_node*)((const char*)program->nodes + (size_t)i * program->node_size);
}

static const ist_tensor* input_at(const ist_node* node, size_t tensor_size, uint32_t i) {
  return (const ist_tensor*)((const char*)node->inputs + (size_t)i * tensor_size);
}

static uint32_t arity_of(uint32_t op) {
  switch (op) {
    case IST_OP_NEGATIVE:
      return 1;
    case IST_OP_ADD:
    case IST_OP_MULTIPLY:
      return 2;
    default:
      return 0;
  }
}

static int32_t is_supported(const ist_node* node, size_t tensor_size) {
  if (arity_of(node->op) == 0 || node->n_inputs != arity_of(node->op)) return 0;
  for (uint32_t i = 0; i < node->n_inputs; ++i) {
    if (input_at(node, tensor_size, i)->dtype != IST_FLOAT32) return 0;
  }
  return node->output.dtype == IST_FLOAT32;
}

static int32_t toy_supports(void* self, const ist_node* node) {
  (void)self;
  return is_supported(node, sizeof(ist_tensor));
}

static ist_status toy_queue_create(void* self, uint32_t device, ist_queue** out, ist_error* error) {
  (void)self;
  if (device != 0) return refuse(error, IST_ERROR_DEVICE, IST_NO_NODE, "toy: there is one device");
  *out = calloc(1, sizeof(ist_queue));
  return *out != NULL ? IST_OK : refuse(error, IST_ERROR_MEMORY, IST_NO_NODE, "toy: no memory for a queue");
}

static void toy_queue_destroy(void* self, ist_queue* queue) {
  (void)self;
  free(queue);
}

/* Element `position`, in row-major order, of a strided tensor. */
static float element(const ist_program* program, const ist_tensor* tensor, uint64_t position) {
  const float* data = value_at(program, tensor->value)->buffer->data;
  int64_t at = tensor->offset;
  for (uint32_t axis = tensor->rank; axis-- > 0;) {
    const uint64_t extent = (uint64_t)tensor->shape[axis];
    at += (int64_t)(position % extent) * tensor->strides[axis];
    position /= extent;
  }
  return data[at];
}

static ist_status run_node(const ist_program* program, uint32_t index, ist_error* error) {
  const ist_node* node = node_at(program, index);
  const ist_tensor* output = &node->output;
  ist_value* value = value_at(program, output->value);
  uint64_t count = 1;
  if (!is_supported(node, program->tensor_size)) {
    return refuse(error, IST_ERROR_BACKEND, index, "toy: the op is not supported");
  }
  for (uint32_t axis = 0; axis < output->rank; ++axis) {
    count *= (uint64_t)output->shape[axis];
    if (node->op == IST_OP_NEGATIVE && output->shape[axis] == UNLUCKY_EXTENT) {
      return refuse(error, IST_ERROR_BACKEND, index, "toy: 13 is unlucky");
    }
  }
  value->buffer = host->allocate(value->nbytes);
  if (value->buffer == NULL) return refuse(error, IST_ERROR_MEMORY, index, "toy: no memory for a result");

  float* result = value->buffer->data;
  for (uint64_t i = 0; i < count; ++i) {
    const float a = element(program, input_at(node, program->tensor_size, 0), i);
    if (node->op == IST_OP_NEGATIVE) {
      result[i] = -a;
    } else {
      const float b = element(program, input_at(node, program->tensor_size, 1), i);
      result[i] = node->op == IST_OP_ADD ? a + b : a * b;
    }
  }
  return IST_OK;
}

/* Intermediate values are kept until the end of the program: it is a toy. */
static void release_values(const ist_program* program, uint32_t kept_flags) {
  for (uint32_t i = 0; i < program->n_values; ++i) {
    ist_value* value = value_at(program, i);
    if ((value->flags & (IST_VALUE_INPUT | kept_flags)) != 0 || value->buffer == NULL) continue;
    value->buffer->release(value->buffer);
    value->buffer = NULL;
  }
}

static ist_status toy_run(void* self, ist_queue* queue, const ist_program* program, ist_error* error) {
  (void)self;
  ++queue->runs;
  for (uint32_t i = 0; i < program->n_nodes; ++i) {
    const ist_status status = run_node(program, i, error);
    if (status != IST_OK) {
      release_values(program, 0);
      return status;
    }
  }
  release_values(program, IST_VALUE_OUTPUT);
  return IST_OK;
}

static const char* toy_describe(void* self) {
  (void)self;
  return "three float32 ops in plain C";
}

static const ist_backend toy = {
#if defined(TOY_SHORT_STRUCT)
    .struct_size = offsetof(ist_backend, run),
#else
    .struct_size = sizeof(ist_backend),
#endif
#if defined(TOY_WRONG_MAJOR)
    .abi_major = IST_BACKEND_ABI_MAJOR + 1,
#else
    .abi_major = IST_BACKEND_ABI_MAJOR,
#endif
    .abi_minor = IST_BACKEND_ABI_MINOR,
    .name = "toy",
    .version = "1.0",
    .n_devices = 1,
    .flags = 0,
    .self = NULL,
    .supports = toy_supports,
    .queue_create = toy_queue_create,
    .queue_destroy = toy_queue_destroy,
#if !defined(TOY_NULL_RUN)
    .run = toy_run,
#endif
    .synchronize = NULL,
    .describe = toy_describe,
};

#if defined(TOY_NO_SYMBOL)
/* The table is reachable all the same, so that the compiler warns of nothing unused. */
IST_BACKEND_EXPORT ist_status toy_query(const ist_host* runtime, const ist_backend** out, ist_error* error);
IST_BACKEND_EXPORT ist_status toy_query(const ist_host* runtime, const ist_backend** out, ist_error* error) {
#else
IST_BACKEND_EXPORT ist_status ist_backend_query(const ist_host* runtime, const ist_backend** out, ist_error* error);
IST_BACKEND_EXPORT ist_status ist_backend_query(const ist_host* runtime, const ist_backend** out, ist_error* error) {
#endif
  if (runtime->abi_major != IST_BACKEND_ABI_MAJOR) {
    return refuse(error, IST_ERROR_BACKEND, IST_NO_NODE, "toy: built for another major version of the ABI");
  }
#if defined(TOY_NULL_RUN)
  (void)toy_run;
#endif
  host = runtime;
  *out = &toy;
  return IST_OK;
}
