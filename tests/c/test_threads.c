/* Several threads on the same lazy tensors, and errors that stay with the thread that made them. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 200 };

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

int main(void) {
  for (int round = 0; round < 20; ++round) {
    ist_array* a = vector(2, (float[]){1, 2});
    ist_array* squares = unary(IST_OP_SQUARE, a);
    ist_array* cubes = binary(IST_OP_MULTIPLY, a, squares);
    ist_array* doubles = binary(IST_OP_ADD, a, a);
    shared = binary(IST_OP_MAXIMUM, cubes, doubles);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, work, (void*)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
    ist_array_release(shared);
    ist_array_release(doubles);
    ist_array_release(squares);
    ist_array_release(cubes);
    ist_array_release(a);
  }
  CHECK(ist_last_error()[0] == '\0');
  puts("ok");
  return 0;
}
