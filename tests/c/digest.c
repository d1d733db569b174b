/* Prints one number over the results of every kernel op on a fixed corpus. The bit contract says that it is the same at
 * every ISA level, thread count and processor, and on `cpu` and `reference`: cmake/check_digest.cmake compares.
 *
 *   digest [--ops] [DEVICE [THREADS]]        --ops: a line for every op as well, to find the one that differs
 *
 * Exits with 77 if ISTHMUS_CPU_ISA names a level that this machine does not have. */
#include "digest.h"

static uint64_t hash_bytes(uint64_t hash, const void* data, size_t n) {
  const unsigned char* bytes = data;
  for (size_t i = 0; i < n; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

/* The bit contract leaves sign and payload of a NaN open. */
static void one_nan(uint32_t dtype, void* data, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (dtype == IST_FLOAT32) {
      uint32_t* x = (uint32_t*)data + i;
      if ((*x & 0x7fffffffu) > 0x7f800000u) *x = 0x7fc00000u;
    } else if (dtype == IST_FLOAT64) {
      uint64_t* x = (uint64_t*)data + i;
      if ((*x & 0x7fffffffffffffffu) > 0x7ff0000000000000u) *x = 0x7ff8000000000000u;
    } else {
      uint16_t* x = (uint16_t*)data + i;
      const uint16_t infinity = dtype == IST_FLOAT16 ? 0x7c00 : 0x7f80;
      if ((*x & 0x7fff) > infinity) *x = 0x7fff;
    }
  }
}

void digest_take(digest_state* state, ist_array* result) {
  const uint32_t dtype = ist_array_dtype(result), rank = ist_array_rank(result);
  const size_t n = (size_t)ist_array_size(result), nbytes = (size_t)ist_array_nbytes(result);
  void* data = malloc(nbytes + 1);
  CHECK(data != NULL);
  OK(ist_array_copy(result, data, nbytes));
  if (dtype == IST_COMPLEX64) one_nan(IST_FLOAT32, data, 2 * n);
  if (dtype >= IST_FLOAT16 && dtype <= IST_FLOAT64) one_nan(dtype, data, n);
  state->hash = hash_bytes(state->hash, &dtype, sizeof(dtype));
  state->hash = hash_bytes(state->hash, ist_array_shape(result), rank * sizeof(int64_t));
  state->hash = hash_bytes(state->hash, data, nbytes);
  ++state->results;
  free(data);
  ist_array_release(result);
}

void digest_op(digest_state* state, uint32_t op, ist_array** inputs, size_t n_inputs, const void* attrs) {
  ist_array* result = NULL;
  const ist_status status = ist_op(op, inputs, n_inputs, attrs, &result);
  if (status == IST_OK) {
    digest_take(state, result);
  } else if (status == IST_ERROR_DTYPE) {
    state->hash = hash_bytes(state->hash, &status, sizeof(status));
  } else {
    fprintf(stderr, "%s: %s\n", ist_op_name(op), ist_last_error());
    exit(1);
  }
  for (size_t i = 0; i < n_inputs; ++i) ist_array_release(inputs[i]);
}

static const struct {
  uint32_t op;
  int arity, is_kernel, is_elementwise;
} ops[] = {
#define VARIADIC -1
#define IS_kernel 1
#define IS_view 0
#define IS_composite 0
#define IS_many 0
#define IS_data 0
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) \
  {id, arity, IS_##execution, sizeof(#family) == sizeof("elementwise") && #family[0] == 'e'},
#include "ops/ops.def"
};

int main(int argc, char** argv) {
  int each = 0;
  const char* device = "cpu";
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--ops") == 0) {
      each = 1;
    } else if (argv[i][0] >= '0' && argv[i][0] <= '9') {
      OK(ist_set_num_threads(atoi(argv[i])));
    } else {
      device = argv[i];
    }
  }
  uint32_t index = 0;
  if (ist_device_find(device, &index) != IST_OK) {
    fprintf(stderr, "%s\n", ist_last_error());
    return strstr(ist_last_error(), "ISTHMUS_CPU_ISA") != NULL ? 77 : 1;
  }
  OK(ist_set_default_device(index));

  digest_state all = {0xcbf29ce484222325u, 0};
  int missing = 0;
  for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); ++i) {
    if (!ops[i].is_kernel) continue;
    digest_state state = {0xcbf29ce484222325u, 0};
    if (!digest_run(&state, ops[i].op, ops[i].arity, ops[i].is_elementwise)) {
      fprintf(stderr, "%s: the corpus of tests/c/digest_corpus.c has no entry for this op\n", ist_op_name(ops[i].op));
      missing = 1;
    }
    if (each)
      printf("%016llx %6llu %s\n", (unsigned long long)state.hash, (unsigned long long)state.results,
             ist_op_name(ops[i].op));
    all.hash = hash_bytes(all.hash, &state.hash, sizeof(state.hash));
    all.results += state.results;
  }
  digest_chains(&all);
  printf("%016llx over %llu results\n", (unsigned long long)all.hash, (unsigned long long)all.results);
  return missing;
}
