/* Checks for plain C tests: a failed one says where and what, and the program ends with a failure. */
#ifndef ISTHMUS_TESTS_CHECK_H
#define ISTHMUS_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isthmus.h"

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

/* A call that must succeed. */
#define OK(call)                                                                                          \
  do {                                                                                                    \
    const ist_status status_ = (call);                                                                    \
    if (status_ != IST_OK) {                                                                              \
      fprintf(stderr, "%s:%d: %s failed (%s): %s\n", __FILE__, __LINE__, #call, ist_status_name(status_), \
              ist_last_error());                                                                          \
      exit(1);                                                                                            \
    }                                                                                                     \
  } while (0)

/* A call that must fail with `wanted`, with every one of the texts in its message. */
static inline void check_failed(ist_status got, ist_status wanted, const char* const* texts, const char* call,
                                const char* file, int line) {
  if (got != wanted) {
    fprintf(stderr, "%s:%d: %s gave status '%s', wanted '%s': %s\n", file, line, call, ist_status_name(got),
            ist_status_name(wanted), ist_last_error());
    exit(1);
  }
  if (ist_last_status() != wanted) {
    fprintf(stderr, "%s:%d: %s: ist_last_status() is '%s'\n", file, line, call, ist_status_name(ist_last_status()));
    exit(1);
  }
  for (; *texts != NULL; ++texts) {
    if (strstr(ist_last_error(), *texts) == NULL) {
      fprintf(stderr, "%s:%d: %s: the message lacks '%s': %s\n", file, line, call, *texts, ist_last_error());
      exit(1);
    }
  }
}
#define FAILS(call, wanted, ...) \
  check_failed((call), (wanted), (const char* const[]){__VA_ARGS__, NULL}, #call, __FILE__, __LINE__)

/* Float32 elements, row-major; bit for bit. */
#define CHECK_FLOATS(array, ...)                                                                           \
  do {                                                                                                     \
    const float wanted_[] = {__VA_ARGS__};                                                                 \
    float got_[sizeof(wanted_) / sizeof(float)];                                                           \
    CHECK(ist_array_dtype(array) == IST_FLOAT32);                                                          \
    OK(ist_array_copy(array, got_, sizeof(got_)));                                                         \
    for (size_t i_ = 0; i_ < sizeof(wanted_) / sizeof(float); ++i_) {                                      \
      if (got_[i_] != wanted_[i_]) {                                                                       \
        fprintf(stderr, "%s:%d: element %zu of %s is %.9g, wanted %.9g\n", __FILE__, __LINE__, i_, #array, \
                (double)got_[i_], (double)wanted_[i_]);                                                    \
        exit(1);                                                                                           \
      }                                                                                                    \
    }                                                                                                      \
  } while (0)

static inline ist_array* floats(uint32_t rank, const int64_t* shape, const float* values) {
  ist_array* made = NULL;
  OK(ist_array_create(IST_FLOAT32, rank, shape, NULL, values, &made));
  return made;
}
static inline ist_array* vector(int64_t n, const float* values) { return floats(1, &n, values); }

static inline ist_array* unary(uint32_t op, ist_array* a) {
  ist_array* result = NULL;
  OK(ist_op(op, &a, 1, NULL, &result));
  return result;
}
static inline ist_array* binary(uint32_t op, ist_array* a, ist_array* b) {
  ist_array* const inputs[] = {a, b};
  ist_array* result = NULL;
  OK(ist_op(op, inputs, 2, NULL, &result));
  return result;
}

#endif
