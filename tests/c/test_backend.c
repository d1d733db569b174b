/* Backends from shared libraries. Arguments: the toy backend, then its variants that have to be refused, in the order
 * wrong major version, short table, no symbol, no run(). */
#include "check.h"

static void refusals(char** paths) {
  uint32_t device = 77;
  char versions[2][16];
  snprintf(versions[0], sizeof(versions[0]), "%u.", IST_BACKEND_ABI_MAJOR);
  snprintf(versions[1], sizeof(versions[1]), "%u.", IST_BACKEND_ABI_MAJOR + 1);
  FAILS(ist_load_backend(paths[0], &device), IST_ERROR_BACKEND, paths[0], versions[0], versions[1]);
  char sizes[2][16];
  snprintf(sizes[0], sizeof(sizes[0]), "%zu", offsetof(ist_backend, run));
  snprintf(sizes[1], sizeof(sizes[1]), "%zu", sizeof(ist_backend));
  FAILS(ist_load_backend(paths[1], &device), IST_ERROR_BACKEND, paths[1], sizes[0], sizes[1]);
  FAILS(ist_load_backend(paths[2], &device), IST_ERROR_BACKEND, paths[2], "ist_backend_query");
  FAILS(ist_load_backend(paths[3], &device), IST_ERROR_BACKEND, paths[3], "run");
  FAILS(ist_load_backend("no/such/library.so", &device), IST_ERROR_BACKEND, "no/such/library.so");
  FAILS(ist_load_backend(NULL, &device), IST_ERROR_VALUE, "path");
  FAILS(ist_device_find("toy", &device), IST_ERROR_DEVICE, "toy", "cpu");
  CHECK(device == 77);
}

static uint32_t load(const char* path) {
  uint32_t toy = 0, found = 0, cpu = 77;
  const uint32_t before = ist_device_count();
  OK(ist_load_backend(path, &toy));
  CHECK(ist_device_count() == before + 1 && toy == before);
  CHECK(strcmp(ist_device_name(toy), "toy") == 0 && ist_device_name(toy + 1) == NULL);
  OK(ist_device_find("toy", &found));
  CHECK(found == toy);
  OK(ist_device_find("cpu", &cpu));
  CHECK(cpu == 0);
  FAILS(ist_load_backend(path, &found), IST_ERROR_BACKEND, "toy", "already");
  return toy;
}

static void computes(uint32_t toy) {
  ist_array* a = vector(3, (float[]){1, 2, 3});
  ist_array *here = NULL, *back = NULL;
  OK(ist_to_device(a, toy, &here));
  CHECK(ist_array_device(here) == toy);
  ist_array* squares = binary(IST_OP_MULTIPLY, here, here);
  ist_array* sum = binary(IST_OP_ADD, squares, here);
  ist_array* negative = unary(IST_OP_NEGATIVE, sum);
  CHECK(ist_array_device(negative) == toy);
  CHECK_FLOATS(negative, -2, -6, -12);
  OK(ist_to_device(negative, 0, &back));
  ist_array* root = unary(IST_OP_ABS, back);
  CHECK_FLOATS(root, 2, 6, 12);

  ist_array* const mixed[] = {a, here};
  ist_array* out = NULL;
  FAILS(ist_op(IST_OP_ADD, mixed, 2, NULL, &out), IST_ERROR_DEVICE, "add", "cpu", "toy");

  /* Strides of 0 and turned axes arrive as they are. */
  const int64_t shape[] = {2, 3}, order[] = {1, 0};
  const ist_dims_attrs wide = {.struct_size = sizeof(wide), .n_dims = 2, .dims = shape};
  const ist_axes_attrs turn = {.struct_size = sizeof(turn), .n_axes = 2, .axes = order};
  ist_array *repeated = NULL, *turned = NULL;
  OK(ist_op(IST_OP_BROADCAST_TO, &here, 1, &wide, &repeated));
  OK(ist_op(IST_OP_TRANSPOSE, &repeated, 1, &turn, &turned));
  ist_array* doubled = binary(IST_OP_ADD, turned, turned);
  CHECK_FLOATS(doubled, 2, 2, 4, 4, 6, 6);

  ist_array* all[] = {a, here, back, squares, sum, negative, root, repeated, turned, doubled};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); ++i) ist_array_release(all[i]);
}

static void refuses_ops(uint32_t toy) {
  OK(ist_set_default_device(toy));
  CHECK(ist_default_device() == toy);
  ist_array* a = vector(2, (float[]){0, 1});
  CHECK(ist_array_device(a) == toy);
  ist_array* sine = unary(IST_OP_SIN, a);
  FAILS(ist_eval(&sine, 1), IST_ERROR_BACKEND, "sin", "float32", "toy");
  ist_allow_fallback(1);
  OK(ist_eval(&sine, 1));
  ist_allow_fallback(0);
  ist_array_release(sine);
  ist_array_release(a);
  OK(ist_set_default_device(0));
}

/* A run that fails leaves the nodes as they were, and the backend usable. */
static void failing_run(uint32_t toy) {
  const float values[13] = {1};
  ist_array *a = vector(13, values), *here = NULL;
  OK(ist_to_device(a, toy, &here));
  ist_array* sum = binary(IST_OP_ADD, here, here);
  ist_array* negative = unary(IST_OP_NEGATIVE, sum);
  FAILS(ist_eval(&negative, 1), IST_ERROR_BACKEND, "negative", "13 is unlucky");
  FAILS(ist_eval(&negative, 1), IST_ERROR_BACKEND, "13 is unlucky");
  CHECK_FLOATS(sum, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  ist_array_release(negative);
  ist_array_release(sum);
  ist_array_release(here);
  ist_array_release(a);
}

int main(int argc, char** argv) {
  CHECK(argc == 6);
  refusals(argv + 2);
  const uint32_t toy = load(argv[1]);
  computes(toy);
  refuses_ops(toy);
  failing_run(toy);
  puts("ok");
  return 0;
}
