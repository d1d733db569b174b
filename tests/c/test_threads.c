/* Several threads on the same lazy tensors, errors that stay with the thread that made them, and large programs that
 * compete for the helper threads. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 200, LARGE_ROUNDS = 4, ROWS = 96, COLUMNS = 2000 };

static ist_array* shared;

static void* work(void* context) {
  const int me = (int)(intptr_t)context;
  for (int round = 0; round < ROUNDS; ++round) {
    ist_array* own = NULL;
    OK(ist_array_scalar(me, IST_FLOAT32, &own));
    ist_array* sum = binary(IST_OP_ADD, shared, own);
    CHECK_FLOATS(sum, 2.0f + (float)me, 8.0f + (float)me);
    ist_array* out = NULL;
    char text[16];
    snprintf(text, sizeof(text), "%d", 100000 + me);
    FAILS(ist_op((uint32_t)(100000 + me), &sum, 1, NULL, &out), IST_ERROR_VALUE, text);
    ist_array_release(sum);
    ist_array_release(own);
    CHECK(strstr(ist_last_error(), text) != NULL);
  }
  return NULL;
}

static ist_array* large; /* (ROWS, COLUMNS), computed */
static float large_result[ROWS * ROWS];

/* exp(x) / sum(exp(x)) times its transpose: elementwise runs, a reduction and a product, all worth several threads. */
static void large_program(float* result) {
  const int64_t one = 1, turned[] = {1, 0};
  const ist_axes_attrs rows = {.struct_size = sizeof(rows), .n_axes = 1, .axes = &one, .keepdims = 1};
  const ist_axes_attrs turn = {.struct_size = sizeof(turn), .n_axes = 2, .axes = turned};
  ist_array *total = NULL, *transposed = NULL;
  ist_array* powers = unary(IST_OP_EXP, large);
  OK(ist_op(IST_OP_SUM, &powers, 1, &rows, &total));
  ist_array* scaled = binary(IST_OP_DIVIDE, powers, total);
  OK(ist_op(IST_OP_TRANSPOSE, &scaled, 1, &turn, &transposed));
  ist_array* product = binary(IST_OP_MATMUL, scaled, transposed);
  OK(ist_array_copy(product, result, sizeof(large_result)));
  ist_array_release(product);
  ist_array_release(transposed);
  ist_array_release(scaled);
  ist_array_release(total);
  ist_array_release(powers);
}

static void* large_work(void* context) {
  float* result = context;
  for (int round = 0; round < LARGE_ROUNDS; ++round) {
    memset(result, 0, sizeof(large_result));
    large_program(result);
    CHECK(memcmp(result, large_result, sizeof(large_result)) == 0);
  }
  return NULL;
}

static void on_all_threads(void* (*function)(void*), void* const* contexts) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, function, contexts[i]) == 0);
  for (int i = 0; i < THREADS; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
  void* numbers[THREADS];
  for (int i = 0; i < THREADS; ++i) numbers[i] = (void*)(intptr_t)i;
  for (int round = 0; round < 20; ++round) {
    ist_array* a = vector(2, (float[]){1, 2});
    ist_array* squares = unary(IST_OP_SQUARE, a);
    ist_array* cubes = binary(IST_OP_MULTIPLY, a, squares);
    ist_array* doubles = binary(IST_OP_ADD, a, a);
    shared = binary(IST_OP_MAXIMUM, cubes, doubles);
    on_all_threads(work, numbers);
    ist_array_release(shared);
    ist_array_release(doubles);
    ist_array_release(squares);
    ist_array_release(cubes);
    ist_array_release(a);
  }

  static float values[ROWS * COLUMNS], results[THREADS][ROWS * ROWS];
  for (int i = 0; i < ROWS * COLUMNS; ++i) values[i] = (float)(i % 977) / 977.0f;
  large = floats(2, (int64_t[]){ROWS, COLUMNS}, values);
  OK(ist_set_num_threads(1));
  large_program(large_result);
  OK(ist_set_num_threads(3));
  void* places[THREADS];
  for (int i = 0; i < THREADS; ++i) places[i] = results[i];
  on_all_threads(large_work, places);
  ist_array_release(large);

  CHECK(ist_last_error()[0] == '\0');
  puts("ok");
  return 0;
}
