/* Isthmus as a C library: tensors, ops by id, evaluation, gradients, files and devices.
 *
 * Handles are counted: a function that hands one out through `out` gives the caller one reference, which
 * ist_array_release takes back. Inputs are borrowed. Ops are lazy; ist_eval, ist_array_data and ist_array_copy compute.
 * Every function may be called from any thread. A function that returns a status other than IST_OK has changed
 * nothing the caller can see, and leaves a message for ist_last_error on the calling thread. C11, also valid C++. */
#ifndef ISTHMUS_H
#define ISTHMUS_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h" /* ist_dtype, ist_status, the attribute structs */
#include "op_ids.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version: a library of the same major version and no smaller minor one serves a program ---- */
#define IST_ABI_MAJOR 1u
#define IST_ABI_MINOR 0u
#define IST_ABI_VERSION (IST_ABI_MAJOR << 16 | IST_ABI_MINOR)

#define IST_API IST_BACKEND_EXPORT

IST_API uint32_t ist_version(void);         /* IST_ABI_VERSION of the library that is loaded */
IST_API const char* ist_version_text(void); /* "0.1.0" */

/* ---- errors ---- */
/* Of the last call on this thread that failed: "matmul: inner dimensions differ: lhs (2, 3), rhs (4, 5)". Never NULL;
 * valid until the next call that fails on this thread. */
IST_API const char* ist_last_error(void);
IST_API ist_status ist_last_status(void);
IST_API void ist_clear_error(void);
IST_API const char* ist_status_name(ist_status status); /* "shape" */

/* ---- tensors: `dtype` is an ist_dtype everywhere ---- */
typedef struct ist_array ist_array;

/* Copies the elements. `strides` count elements and may be NULL for row-major; with strides, `data` points to the
 * element at index 0 on every axis. `shape` may be NULL when rank is 0. */
IST_API ist_status ist_array_create(uint32_t dtype, uint32_t rank, const int64_t* shape, const int64_t* strides,
                                    const void* data, ist_array** out);
/* Row-major memory of the caller, not copied: it must stay as it is until `release(context)` is called, on whatever
 * thread drops the last tensor that needs it. `data` is aligned to the dtype's size. On failure release is not
 * called. */
IST_API ist_status ist_array_wrap(uint32_t dtype, uint32_t rank, const int64_t* shape, void* data,
                                  void (*release)(void* context), void* context, ist_array** out);
IST_API ist_status ist_array_scalar(double value, uint32_t dtype, ist_array** out);
IST_API ist_status ist_array_scalar_int(int64_t value, uint32_t dtype, ist_array** out);

IST_API ist_array* ist_array_retain(ist_array* array); /* returns its argument; NULL is allowed */
IST_API void ist_array_release(ist_array* array);      /* NULL is allowed */

/* `array` must not be NULL. */
IST_API ist_dtype ist_array_dtype(const ist_array* array);
IST_API uint32_t ist_array_rank(const ist_array* array);
IST_API const int64_t* ist_array_shape(const ist_array* array); /* `rank` extents, as long as the array lives */
IST_API int64_t ist_array_size(const ist_array* array);         /* number of elements */
IST_API uint64_t ist_array_nbytes(const ist_array* array);
IST_API uint32_t ist_array_device(const ist_array* array);
IST_API const char* ist_dtype_name(uint32_t dtype); /* "unknown" for what is none */
IST_API uint64_t ist_dtype_size(uint32_t dtype);    /* 0 for what is none */

/* ---- evaluation ---- */
IST_API ist_status ist_eval(ist_array* const* arrays, size_t n);
/* Evaluates. The pointer is to the element at index 0 on every axis, read-only, and lives as long as the array;
 * `strides` gets `rank` values, in elements, and may be NULL; they need not be row-major, whatever made the array. */
IST_API ist_status ist_array_data(ist_array* array, const void** data, int64_t* strides);
/* Evaluates and copies all elements, row-major. `nbytes` must be ist_array_nbytes. */
IST_API ist_status ist_array_copy(ist_array* array, void* destination, uint64_t nbytes);

/* ---- ops: ids are in op_ids.h, operands and attributes of each in docs/ops.md ---- */
/* For ops with one result. `attrs` is the op's attribute struct of backend.h, or NULL if it has none. */
IST_API ist_status ist_op(uint32_t op, ist_array* const* inputs, size_t n_inputs, const void* attrs, ist_array** out);
/* For ops with several results (split, meshgrid, ...), and for all others too. `*n_outputs` is the room in `outputs`
 * and becomes the number of results; if the room is too small the call fails with IST_ERROR_VALUE, `*n_outputs` tells
 * how much is needed, and no reference is handed out. */
IST_API ist_status ist_op_many(uint32_t op, ist_array* const* inputs, size_t n_inputs, const void* attrs,
                               ist_array** outputs, size_t* n_outputs);
IST_API const char* ist_op_name(uint32_t op);                   /* NULL for an unknown id */
IST_API ist_status ist_op_find(const char* name, uint32_t* op); /* IST_ERROR_VALUE for an unknown name */

/* ---- gradients ---- */
/* Tape: mark leaves, compute, call ist_backward, read the grads. Grads of several calls add up. */
IST_API ist_status ist_set_requires_grad(ist_array* array, int32_t value);
IST_API ist_status ist_requires_grad(const ist_array* array, int32_t* out);
/* `cotangent` may be NULL when the array has one element. */
IST_API ist_status ist_backward(ist_array* array, ist_array* cotangent);
IST_API ist_status ist_grad(const ist_array* array, ist_array** out); /* *out is NULL where there is none yet */
IST_API ist_status ist_clear_grad(ist_array* array);
IST_API ist_status ist_detach(ist_array* array, ist_array** out);

/* Computes `n_outputs` results of `inputs`; each result is a reference that the caller of the function takes over.
 * Returns IST_OK, or the status of the call that failed (results already stored are released by the caller). */
typedef ist_status (*ist_function)(void* context, ist_array* const* inputs, size_t n_inputs, ist_array** outputs,
                                   size_t n_outputs);
/* Functional: the results of `function` at `primals`, and the cotangents of the primals for those of the results.
 * `outputs` has room for n_outputs handles, or is NULL; `gradients` has room for n_primals. */
IST_API ist_status ist_vjp(ist_function function, void* context, ist_array* const* primals, size_t n_primals,
                           ist_array* const* cotangents, size_t n_outputs, ist_array** outputs, ist_array** gradients);

/* ---- safetensors files ---- */
typedef struct ist_file ist_file;

IST_API ist_status ist_load_safetensors(const char* path, ist_file** out);
IST_API void ist_file_release(ist_file* file); /* arrays taken from it stay valid; NULL is allowed */
IST_API size_t ist_file_count(const ist_file* file);
IST_API const char* ist_file_name(const ist_file* file, size_t i); /* NULL beyond the end; lives as long as the file */
IST_API ist_status ist_file_array(const ist_file* file, size_t i, ist_array** out);
IST_API ist_status ist_file_find(const ist_file* file, const char* name, ist_array** out);
IST_API size_t ist_file_metadata_count(const ist_file* file);
IST_API ist_status ist_file_metadata(const ist_file* file, size_t i, const char** key, const char** value);
/* Metadata may be NULL when n_metadata is 0. */
IST_API ist_status ist_save_safetensors(const char* path, const char* const* names, ist_array* const* arrays, size_t n,
                                        const char* const* keys, const char* const* values, size_t n_metadata);

/* ---- devices: indices below ist_device_count() ---- */
IST_API uint32_t ist_device_count(void);
IST_API const char* ist_device_name(uint32_t device); /* NULL beyond the end */
IST_API ist_status ist_device_find(const char* name, uint32_t* out);
IST_API ist_status ist_load_backend(const char* path, uint32_t* out); /* a shared library; `out` may be NULL */
IST_API ist_status ist_set_default_device(uint32_t device);           /* for tensors made from now on */
IST_API uint32_t ist_default_device(void);
/* May an op that its device does not support run on "cpu" instead? Not unless this says so. */
IST_API void ist_allow_fallback(int32_t allowed);
IST_API ist_status ist_to_device(ist_array* array, uint32_t device, ist_array** out);

/* ---- threads and memory ---- */
IST_API int32_t ist_num_threads(void);
IST_API ist_status ist_set_num_threads(int32_t n);

typedef struct ist_memory {
  uint32_t struct_size; /* set by the caller */
  uint32_t reserved;
  uint64_t active; /* bytes in live buffers */
  uint64_t peak;   /* highest `active` since the last reset */
  uint64_t cache;  /* bytes kept for reuse */
  uint64_t limit;  /* allocations beyond this fail */
  uint64_t cache_limit;
} ist_memory;
IST_API ist_status ist_memory_figures(ist_memory* out);
IST_API void ist_memory_reset_peak(void);
IST_API void ist_memory_clear_cache(void);
IST_API uint64_t ist_memory_set_limit(uint64_t bytes);       /* returns the previous one */
IST_API uint64_t ist_memory_set_cache_limit(uint64_t bytes); /* returns the previous one */

#ifdef __cplusplus
}
#endif
#endif
