/* The C library against its own header: tensors, ops, errors, gradients. */
#include "check.h"

static void versions(void) {
  CHECK(ist_version() >> 16 == IST_ABI_MAJOR && ist_version() >= IST_ABI_VERSION);
  CHECK(strchr(ist_version_text(), '.') != NULL);
  CHECK(strcmp(ist_status_name(IST_ERROR_SHAPE), "shape") == 0);
}

static void tensors(void) {
  const int64_t shape[] = {2, 3};
  const float values[] = {1, 2, 3, 4, 5, 6};
  ist_array* a = floats(2, shape, values);
  CHECK(ist_array_rank(a) == 2 && ist_array_shape(a)[0] == 2 && ist_array_shape(a)[1] == 3);
  CHECK(ist_array_size(a) == 6 && ist_array_nbytes(a) == 24);
  CHECK(strcmp(ist_dtype_name(ist_array_dtype(a)), "float32") == 0);
  CHECK(strcmp(ist_device_name(ist_array_device(a)), "cpu") == 0);
  CHECK_FLOATS(a, 1, 2, 3, 4, 5, 6);

  /* The columns of a column-major 3 x 2, and rows from the last to the first. */
  const int64_t turned[] = {3, 2}, strides[] = {1, 3}, backward[] = {-3, 1};
  ist_array* b = NULL;
  OK(ist_array_create(IST_FLOAT32, 2, turned, strides, values, &b));
  CHECK_FLOATS(b, 1, 4, 2, 5, 3, 6);
  ist_array_release(b);
  OK(ist_array_create(IST_FLOAT32, 2, shape, backward, values + 3, &b));
  CHECK_FLOATS(b, 4, 5, 6, 1, 2, 3);
  ist_array_release(b);

  /* A transposed view keeps its strides; copying it makes it row-major. */
  const int64_t order[] = {1, 0};
  const ist_axes_attrs axes = {.struct_size = sizeof(axes), .n_axes = 2, .axes = order};
  OK(ist_op(IST_OP_TRANSPOSE, &a, 1, &axes, &b));
  const void* data = NULL;
  int64_t found[2] = {0, 0};
  OK(ist_array_data(b, &data, found));
  CHECK(((const float*)data)[1 * found[0] + 1 * found[1]] == 5);
  CHECK_FLOATS(b, 1, 4, 2, 5, 3, 6);
  CHECK(ist_array_retain(b) == b);
  ist_array_release(b);
  ist_array_release(b);

  ist_array* scalar = NULL;
  OK(ist_array_scalar(0.5, IST_FLOAT32, &scalar));
  CHECK(ist_array_rank(scalar) == 0);
  CHECK_FLOATS(scalar, 0.5f);
  ist_array_release(scalar);
  OK(ist_array_scalar_int(INT64_MIN + 1, IST_INT64, &scalar));
  int64_t integer = 0;
  OK(ist_array_copy(scalar, &integer, sizeof(integer)));
  CHECK(integer == INT64_MIN + 1);
  ist_array_release(scalar);

  ist_array* empty = vector(0, NULL);
  OK(ist_array_copy(empty, NULL, 0));
  ist_array_release(empty);
  ist_array_release(a);
  ist_array_release(NULL);
}

static void count_release(void* context) { ++*(int*)context; }

static void wrapped(void) {
  float values[] = {1, 2, 3};
  const int64_t n = 3;
  int released = 0;
  ist_array* a = NULL;
  OK(ist_array_wrap(IST_FLOAT32, 1, &n, values, count_release, &released, &a));
  const void* data = NULL;
  OK(ist_array_data(a, &data, NULL));
  CHECK(data == values);
  ist_array* doubled = binary(IST_OP_ADD, a, a);
  ist_array_release(a);
  CHECK_FLOATS(doubled, 2, 4, 6);
  ist_array_release(doubled);
  CHECK(released == 1);
  void* const odd = (char*)values + 1;
  FAILS(ist_array_wrap(IST_FLOAT32, 1, &n, odd, count_release, &released, &a), IST_ERROR_VALUE, "aligned");
  CHECK(released == 1);
}

static void operations(void) {
  const int64_t left[] = {2, 3}, right[] = {3, 2};
  const float values[] = {1, 2, 3, 4, 5, 6};
  ist_array* a = floats(2, left, values);
  ist_array* b = floats(2, right, values);
  ist_array* product = binary(IST_OP_MATMUL, a, b);
  CHECK_FLOATS(product, 22, 28, 49, 64);

  const int64_t last = 1;
  const ist_axes_attrs axes = {.struct_size = sizeof(axes), .n_axes = 1, .axes = &last};
  ist_array* total = NULL;
  OK(ist_op(IST_OP_SUM, &a, 1, &axes, &total));
  ist_array* both[] = {product, total};
  OK(ist_eval(both, 2));
  CHECK_FLOATS(total, 6, 15);

  uint32_t id = 0;
  OK(ist_op_find("multiply", &id));
  CHECK(id == IST_OP_MULTIPLY && strcmp(ist_op_name(id), "multiply") == 0 && ist_op_name(999999) == NULL);
  FAILS(ist_op_find("multiplicate", &id), IST_ERROR_VALUE, "multiplicate");

  /* Several results: cut before index 1 of axis 1. */
  const ist_index_attrs cut = {
      .struct_size = sizeof(cut), .n_axes = 1, .axes = &last, .n_dims = 1, .slice_sizes = &last};
  ist_array* parts[2] = {NULL, NULL};
  size_t n = 1;
  FAILS(ist_op_many(IST_OP_SPLIT, &a, 1, &cut, parts, &n), IST_ERROR_VALUE, "split", "room");
  CHECK(n == 2 && parts[0] == NULL);
  OK(ist_op_many(IST_OP_SPLIT, &a, 1, &cut, parts, &n));
  CHECK(n == 2);
  CHECK_FLOATS(parts[0], 1, 4);
  CHECK_FLOATS(parts[1], 2, 3, 5, 6);
  FAILS(ist_op(IST_OP_SPLIT, &a, 1, &cut, &total), IST_ERROR_VALUE, "ist_op_many");

  ist_array_release(parts[0]);
  ist_array_release(parts[1]);
  ist_array_release(total);
  ist_array_release(product);
  ist_array_release(b);
  ist_array_release(a);
}

static void errors(void) {
  const int64_t left[] = {2, 3}, right[] = {4, 5}, axis = 7, negative = -1;
  const float values[20] = {0};
  ist_array* a = floats(2, left, values);
  ist_array* b = floats(2, right, values);
  ist_array* const pair[] = {a, b};
  ist_array* const hole[] = {a, NULL};
  ist_array* out = NULL;
  FAILS(ist_op(IST_OP_MATMUL, pair, 2, NULL, &out), IST_ERROR_SHAPE, "matmul", "(2, 3)", "(4, 5)");
  FAILS(ist_op(IST_OP_ADD, pair, 2, NULL, &out), IST_ERROR_SHAPE, "add", "(2, 3)", "(4, 5)");
  FAILS(ist_op(IST_OP_ADD, pair, 1, NULL, &out), IST_ERROR_VALUE, "add", "takes 2", "got 1");
  FAILS(ist_op(IST_OP_ADD, hole, 2, NULL, &out), IST_ERROR_VALUE, "inputs", "position 1");
  FAILS(ist_op(IST_OP_ADD, NULL, 2, NULL, &out), IST_ERROR_VALUE, "inputs", "NULL");
  FAILS(ist_op(IST_OP_ADD, pair, 2, NULL, NULL), IST_ERROR_VALUE, "out");
  FAILS(ist_op(IST_OP_CONCATENATE, NULL, 0, NULL, &out), IST_ERROR_VALUE, "concatenate");
  FAILS(ist_op(424242, pair, 2, NULL, &out), IST_ERROR_VALUE, "424242");
  FAILS(ist_op(IST_OP_DATA, NULL, 0, NULL, &out), IST_ERROR_VALUE, "data");
  FAILS(ist_op(IST_OP_SUM, &a, 1, NULL, &out), IST_ERROR_VALUE, "sum", "attributes");
  const ist_axes_attrs short_struct = {.struct_size = 4};
  FAILS(ist_op(IST_OP_SUM, &a, 1, &short_struct, &out), IST_ERROR_VALUE, "sum", "4 bytes");
  const ist_axes_attrs bad_axis = {.struct_size = sizeof(bad_axis), .n_axes = 1, .axes = &axis};
  FAILS(ist_op(IST_OP_SUM, &a, 1, &bad_axis, &out), IST_ERROR_INDEX, "sum", "7");
  FAILS(ist_array_copy(a, (void*)&values, 1), IST_ERROR_VALUE, "24 bytes");
  FAILS(ist_array_create(IST_FLOAT32, 1, &negative, NULL, values, &out), IST_ERROR_VALUE, "negative");
  FAILS(ist_array_create(77, 0, NULL, NULL, values, &out), IST_ERROR_DTYPE, "77");
  FAILS(ist_device_find("toaster", &(uint32_t){0}), IST_ERROR_DEVICE, "toaster", "cpu");
  FAILS(ist_set_default_device(1000), IST_ERROR_DEVICE, "1000");
  FAILS(ist_to_device(a, 1000, &out), IST_ERROR_DEVICE, "1000");
  FAILS(ist_set_num_threads(0), IST_ERROR_VALUE, "0");
  CHECK(out == NULL);
  ist_clear_error();
  CHECK(ist_last_status() == IST_OK && ist_last_error()[0] == '\0');
  ist_array_release(a);
  ist_array_release(b);
}

static void tape(void) {
  ist_array* x = vector(3, (float[]){1, 2, 3});
  int32_t flag = 1;
  OK(ist_requires_grad(x, &flag));
  CHECK(flag == 0);
  OK(ist_set_requires_grad(x, 1));
  ist_array* grad = NULL;
  OK(ist_grad(x, &grad));
  CHECK(grad == NULL);

  ist_array* squares = unary(IST_OP_SQUARE, x);
  FAILS(ist_backward(squares, NULL), IST_ERROR_VALUE, "backward", "(3,)");
  ist_array* weights = vector(3, (float[]){1, 10, 100});
  OK(ist_backward(squares, weights));
  OK(ist_grad(x, &grad));
  CHECK_FLOATS(grad, 2, 40, 600);
  ist_array_release(grad);

  ist_array* cut = NULL;
  OK(ist_detach(squares, &cut));
  OK(ist_requires_grad(cut, &flag));
  CHECK(flag == 0);
  OK(ist_clear_grad(x));
  OK(ist_grad(x, &grad));
  CHECK(grad == NULL);
  ist_array_release(cut);
  ist_array_release(weights);
  ist_array_release(squares);
  ist_array_release(x);
}

/* (x * y, x + context) */
static ist_status product_and_sum(void* context, ist_array* const* inputs, size_t n_inputs, ist_array** outputs,
                                  size_t n_outputs) {
  CHECK(n_inputs == 2 && n_outputs == 2);
  const ist_status status = ist_op(IST_OP_MULTIPLY, inputs, 2, NULL, &outputs[0]);
  if (status != IST_OK) return status;
  ist_array* const shifted[] = {inputs[0], context};
  return ist_op(IST_OP_ADD, shifted, 2, NULL, &outputs[1]);
}
static ist_status gives_up(void* context, ist_array* const* inputs, size_t n_inputs, ist_array** outputs,
                           size_t n_outputs) {
  (void)context, (void)n_inputs, (void)n_outputs;
  outputs[0] = ist_array_retain(inputs[0]);
  return IST_ERROR_DTYPE;
}
static ist_status fails_inside(void* context, ist_array* const* inputs, size_t n_inputs, ist_array** outputs,
                               size_t n_outputs) {
  (void)context, (void)n_outputs;
  return ist_op(IST_OP_MATMUL, inputs, n_inputs, NULL, outputs);
}

static void functional(void) {
  ist_array* const primals[] = {vector(2, (float[]){2, 3}), vector(2, (float[]){5, 7})};
  ist_array* const cotangents[] = {vector(2, (float[]){1, 1}), vector(2, (float[]){10, 100})};
  ist_array* ten = vector(1, (float[]){10});
  ist_array *outputs[2], *gradients[2];
  OK(ist_vjp(product_and_sum, ten, primals, 2, cotangents, 2, outputs, gradients));
  CHECK_FLOATS(outputs[0], 10, 21);
  CHECK_FLOATS(outputs[1], 12, 13);
  CHECK_FLOATS(gradients[0], 15, 107);
  CHECK_FLOATS(gradients[1], 2, 3);
  for (int i = 0; i < 2; ++i) {
    ist_array_release(outputs[i]);
    ist_array_release(gradients[i]);
  }
  FAILS(ist_vjp(gives_up, NULL, primals, 2, cotangents, 1, NULL, gradients), IST_ERROR_DTYPE, "ist_vjp", "dtype");
  const int64_t shape[] = {2, 3};
  const float values[6] = {0};
  ist_array* const matrices[] = {floats(2, shape, values), floats(2, shape, values)};
  FAILS(ist_vjp(fails_inside, NULL, matrices, 2, cotangents, 1, NULL, gradients), IST_ERROR_SHAPE, "matmul", "(2, 3)");
  for (int i = 0; i < 2; ++i) {
    ist_array_release(primals[i]);
    ist_array_release(cotangents[i]);
    ist_array_release(matrices[i]);
  }
  ist_array_release(ten);
}

static void figures(void) {
  ist_memory now = {.struct_size = sizeof(now)};
  OK(ist_memory_figures(&now));
  const uint64_t before = now.active;
  const int64_t n = 1 << 20;
  float* values = calloc((size_t)n, sizeof(float));
  ist_array* a = vector(n, values);
  OK(ist_memory_figures(&now));
  CHECK(now.active >= before + sizeof(float) * (uint64_t)n && now.peak >= now.active);
  ist_array_release(a);
  free(values);
  ist_memory_clear_cache();
  OK(ist_memory_figures(&now));
  CHECK(now.cache == 0);
  ist_memory unset = {0};
  FAILS(ist_memory_figures(&unset), IST_ERROR_VALUE, "struct_size");
  CHECK(ist_num_threads() >= 1);
  OK(ist_set_num_threads(1));
  CHECK(ist_num_threads() == 1);
}

int main(void) {
  versions();
  tensors();
  wrapped();
  operations();
  errors();
  tape();
  functional();
  figures();
  puts("ok");
  return 0;
}
