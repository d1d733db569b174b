/* Isthmus backend ABI: the one line between the runtime and everything that computes.
 *
 * A backend is a library with one exported symbol, `ist_backend_query`. The runtime hands it programs: lists of
 * nodes, each an op id, strided tensor descriptors and a pointer to typed attributes. The rules (ownership, threads,
 * errors, growth) are in docs/abi.md; what each op computes is in docs/ops.md. C11, also valid C++. */
#ifndef ISTHMUS_BACKEND_H
#define ISTHMUS_BACKEND_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A runtime accepts a backend of the same major version. Minor versions only append fields. */
#define IST_BACKEND_ABI_MAJOR 1u
#define IST_BACKEND_ABI_MINOR 2u

#if defined(_WIN32)
#define IST_BACKEND_EXPORT __declspec(dllexport)
#else
#define IST_BACKEND_EXPORT __attribute__((visibility("default")))
#endif

/* ---- dtypes: values are append-only ---- */
typedef enum ist_dtype {
  IST_BOOL = 0, /* one byte, 0 or 1 */
  IST_UINT8 = 1,
  IST_UINT16 = 2,
  IST_UINT32 = 3,
  IST_UINT64 = 4,
  IST_INT8 = 5,
  IST_INT16 = 6,
  IST_INT32 = 7,
  IST_INT64 = 8,
  IST_FLOAT16 = 9,
  IST_BFLOAT16 = 10,
  IST_FLOAT32 = 11,
  IST_FLOAT64 = 12,
  IST_COMPLEX64 = 13 /* two float32: real, imaginary */
} ist_dtype;

/* ---- status and errors ---- */
typedef enum ist_status {
  IST_OK = 0,
  IST_ERROR_VALUE = 1,   /* an argument has no meaning */
  IST_ERROR_SHAPE = 2,   /* shapes do not fit each other */
  IST_ERROR_DTYPE = 3,   /* the op does not take this dtype */
  IST_ERROR_INDEX = 4,   /* an axis or an index is out of bounds */
  IST_ERROR_DEVICE = 5,  /* unknown device, or devices mixed */
  IST_ERROR_MEMORY = 6,  /* an allocation failed */
  IST_ERROR_IO = 7,      /* a file cannot be opened, read or written */
  IST_ERROR_FORMAT = 8,  /* a file's content is malformed */
  IST_ERROR_BACKEND = 9, /* a backend refused or failed */
  IST_ERROR_STATE = 10   /* the call is not possible now (a tape is missing, a thread is inside a transform) */
} ist_status;

#define IST_NO_NODE UINT32_MAX

/* Filled by whoever returns a status other than IST_OK; the caller owns the memory and sets struct_size. */
typedef struct ist_error {
  uint32_t struct_size;
  uint32_t node; /* index of the failing node in the program, or IST_NO_NODE */
  char message[496];
} ist_error;

/* ---- buffers ---- */
/* Bytes in host-visible memory, reference counted by its maker. `data` is never NULL, also when nbytes is 0. Those of
 * ist_host.allocate are 64-byte aligned, and the 16 bytes before `data` are theirs and unused; of others (wrapped
 * arrays, mapped files, other backends' buffers) nothing is known but that the nbytes from `data` on may be read. */
typedef struct ist_buffer {
  uint32_t struct_size;
  uint32_t reserved;
  void* data;
  uint64_t nbytes;
  void (*retain)(struct ist_buffer* self);
  void (*release)(struct ist_buffer* self);
} ist_buffer;

/* ---- attributes: one struct for each kind of op; which op takes which is in docs/ops.md ---- */
typedef struct ist_axes_attrs { /* reductions, permutations, new or dropped axes */
  uint32_t struct_size;
  uint32_t n_axes;
  const int64_t* axes; /* in [0, rank); reductions: ascending */
  int32_t keepdims;
  int32_t ddof; /* variance: the divisor is N - ddof */
} ist_axes_attrs;

typedef struct ist_axis_attrs { /* ops along one axis */
  uint32_t struct_size;
  int32_t axis;
  int32_t keepdims;
  int32_t has_axis; /* 0: the op works on the flattened input */
} ist_axis_attrs;

typedef struct ist_dims_attrs { /* a target shape, or counts for each axis */
  uint32_t struct_size;
  uint32_t n_dims;
  const int64_t* dims;
} ist_dims_attrs;

typedef struct ist_slice_attrs { /* element start + i * step for i in [0, size) on every axis; steps are not 0 */
  uint32_t struct_size;
  uint32_t n_dims;
  const int64_t* starts;
  const int64_t* steps;
  const int64_t* sizes;
} ist_slice_attrs;

typedef struct ist_index_attrs { /* gather and scatter: index operand i addresses axes[i] */
  uint32_t struct_size;
  uint32_t n_axes;
  const int64_t* axes;
  uint32_t n_dims;
  uint32_t reserved;
  const int64_t* slice_sizes; /* extent taken along each axis of the data; 1 on the indexed axes */
} ist_index_attrs;

typedef struct ist_pad_attrs {
  uint32_t struct_size;
  uint32_t n_dims;
  const int64_t* low;
  const int64_t* high;
  uint32_t mode; /* 0 constant, 1 edge, 2 reflect, 3 symmetric */
  uint32_t reserved;
} ist_pad_attrs;

typedef struct ist_range_attrs { /* element i is start + i * step; integers use the int fields */
  uint32_t struct_size;
  uint32_t dtype; /* ist_dtype of the result */
  double start, step, stop;
  int64_t int_start, int_step;
  int64_t count;
} ist_range_attrs;

typedef struct ist_create_attrs { /* a new tensor of a shape; `offset` is the diagonal of eye and tri */
  uint32_t struct_size;
  uint32_t n_dims;
  const int64_t* dims;
  uint32_t dtype; /* ist_dtype */
  uint32_t reserved;
  int64_t offset;
} ist_create_attrs;

typedef struct ist_scale_attrs {
  uint32_t struct_size;
  uint32_t reserved;
  double alpha, beta;
} ist_scale_attrs;

typedef struct ist_count_attrs { /* one whole number: a width in bytes, an offset, decimals, repeats */
  uint32_t struct_size;
  int32_t axis;
  int64_t count;
  int32_t has_axis;
  int32_t reserved;
} ist_count_attrs;

typedef struct ist_dtype_attrs {
  uint32_t struct_size;
  uint32_t dtype; /* ist_dtype */
} ist_dtype_attrs;

typedef struct ist_scan_attrs { /* cumulative ops */
  uint32_t struct_size;
  int32_t axis;
  int32_t reverse;   /* from the end of the axis */
  int32_t inclusive; /* 0: element i leaves itself out */
} ist_scan_attrs;

typedef struct ist_conv_attrs { /* n_dims values for each spatial axis */
  uint32_t struct_size;
  uint32_t n_dims;
  const int64_t* strides;
  const int64_t* padding_low;
  const int64_t* padding_high;
  const int64_t* kernel_dilation;
  const int64_t* input_dilation;
  int64_t groups;
  int32_t flip; /* the kernel is read backwards: a convolution rather than a correlation */
  int32_t reserved;
} ist_conv_attrs;

typedef struct ist_attention_attrs {
  uint32_t struct_size;
  int32_t causal;
  double scale; /* of the scores, before the softmax */
} ist_attention_attrs;

typedef struct ist_quantized_attrs {
  uint32_t struct_size;
  int32_t bits;
  int32_t group_size; /* elements that share a scale and a bias */
  int32_t transpose;  /* the quantized matrix is (columns, depth) */
} ist_quantized_attrs;

typedef struct ist_norm_attrs {
  uint32_t struct_size;
  uint32_t reserved;
  double eps; /* added to the variance or the mean of squares */
} ist_norm_attrs;

/* ---- programs ---- */
#define IST_VALUE_INPUT 1u /* `buffer` is set by the host and must not be written */
#define IST_VALUE_OUTPUT \
  2u /* the value leaves the program: the backend sets `buffer`, with one reference for the host */
/* An input that nobody reads but the program's last node, by one of its operands: the node may write to the buffer and
 * give it out, retained, as its output's. A backend that has begun to write must not fail any more. */
#define IST_VALUE_GIVEN 4u

/* Storage for one tensor of the program. A value that is neither input nor output may never exist in memory. */
typedef struct ist_value {
  uint32_t flags;
  uint32_t last_use; /* index of the last node that reads it (its maker if none does) */
  uint64_t nbytes;
  ist_buffer* buffer;
} ist_value;

/* A strided window into a value. Strides and offset count elements of `dtype`; strides may be 0 or negative; every
 * addressed element lies inside the value. The one struct that never grows within a major version: ist_node holds one
 * by value, and supports() gets a node without a program that could state sizes. */
typedef struct ist_tensor {
  uint32_t value; /* index into ist_program.values */
  uint32_t dtype; /* ist_dtype */
  uint32_t rank;
  uint32_t reserved;
  int64_t offset;
  const int64_t* shape;
  const int64_t* strides;
} ist_tensor;

/* One op. Elementwise ops get all operands broadcast to the output's shape. The output is dense and row-major, at
 * offset 0 of its value. */
typedef struct ist_node {
  uint32_t op; /* ist_op_id */
  uint32_t n_inputs;
  const ist_tensor* inputs; /* ist_program.tensor_size bytes apart, which is sizeof(ist_tensor) */
  ist_tensor output;
  const void* attrs; /* NULL, or the op's attribute struct */
  const char* label; /* public name of the function that the caller used, for messages */
} ist_node;

/* Nodes are in an order in which every value is made before it is read; each value has one maker. */
typedef struct ist_program {
  uint32_t struct_size;
  uint32_t value_size; /* bytes from one element of `values` to the next: elements may grow in a later minor version */
  uint32_t node_size;
  uint32_t tensor_size;
  uint32_t n_values;
  uint32_t n_nodes;
  ist_value* values;
  const ist_node* nodes;
} ist_program;

/* ---- what the runtime offers a backend ---- */
typedef struct ist_host {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  const char* version;                      /* of the runtime, "0.1.0" */
  ist_buffer* (*allocate)(uint64_t nbytes); /* cached host memory, one reference; NULL when memory is out */
  int32_t (*num_threads)(void);             /* how many threads a backend may use now, at least 1 */
  const char* (*op_name)(uint32_t op);      /* "unknown" for an id that this runtime does not know */
  const char* (*dtype_name)(uint32_t dtype);
} ist_host;

/* ---- what a backend offers ---- */
typedef struct ist_queue ist_queue; /* a backend's own type: an ordered stream of work */

typedef struct ist_backend {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  const char* name;    /* the device name that users write; letters, digits, '_' */
  const char* version; /* of the backend, free text */
  uint32_t n_devices;
  uint32_t flags; /* IST_BACKEND_* */
  void* self;     /* passed back in every call */

  /* Nonzero when run() can execute this node. Must look at op, dtypes and ranks only; called from any thread. */
  int32_t (*supports)(void* self, const ist_node* node);
  ist_status (*queue_create)(void* self, uint32_t device, ist_queue** out, ist_error* error);
  void (*queue_destroy)(void* self, ist_queue* queue);
  /* Executes the program, or enqueues it. On failure no output buffer is left set. */
  ist_status (*run)(void* self, ist_queue* queue, const ist_program* program, ist_error* error);
  /* Returns when the outputs of everything run so far on the queue may be read through their `data`. NULL: run() is
   * synchronous. */
  ist_status (*synchronize)(void* self, ist_queue* queue, ist_error* error);
  /* A line for people: the ISA level, the library version. May be NULL. The text lives as long as the backend. */
  const char* (*describe)(void* self);
} ist_backend;

#define IST_BACKEND_COMPUTES_NOTHING 1u /* contents of outputs are undefined (a null device) */
#define IST_BACKEND_CONCURRENT 2u /* run() takes calls from several threads on one queue; otherwise one at a time */

/* Sets *out to a table that lives as long as the process. The backend checks host->abi_major itself too. */
typedef ist_status (*ist_backend_query_fn)(const ist_host* host, const ist_backend** out, ist_error* error);
#define IST_BACKEND_QUERY_SYMBOL "ist_backend_query"

#ifdef __cplusplus
}
#endif
#endif
