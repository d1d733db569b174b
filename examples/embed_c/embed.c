/* Isthmus from C: fits y = w * x + b to four points by gradient descent.
 *
 *   cc -std=c11 embed.c -Iinclude -Llib -listhmus -o embed && ./embed */
#include <stdio.h>
#include <stdlib.h>

#include "isthmus.h"

static void check(ist_status status) {
  if (status == IST_OK) return;
  fprintf(stderr, "%s error: %s\n", ist_status_name(status), ist_last_error());
  exit(1);
}

static ist_array* op(uint32_t id, ist_array* a, ist_array* b, const void* attrs) {
  ist_array* const inputs[] = {a, b};
  ist_array* result = NULL;
  check(ist_op(id, inputs, b ? 2 : 1, attrs, &result));
  return result;
}

typedef struct points {
  ist_array *x, *y;
} points;

/* inputs: w and b; output: the mean squared error. */
static ist_status loss(void* context, ist_array* const* inputs, size_t n_inputs, ist_array** outputs,
                       size_t n_outputs) {
  if (n_inputs != 2 || n_outputs != 1) return IST_ERROR_VALUE;
  const points* data = context;
  const int64_t axis = 0;
  const ist_axes_attrs over = {.struct_size = sizeof(over), .n_axes = 1, .axes = &axis};
  ist_array* scaled = op(IST_OP_MULTIPLY, inputs[0], data->x, NULL);
  ist_array* fitted = op(IST_OP_ADD, scaled, inputs[1], NULL);
  ist_array* error = op(IST_OP_SUBTRACT, fitted, data->y, NULL);
  ist_array* squared = op(IST_OP_SQUARE, error, NULL, NULL);
  outputs[0] = op(IST_OP_MEAN, squared, NULL, &over);
  ist_array* const used[] = {scaled, fitted, error, squared};
  for (int i = 0; i < 4; ++i) ist_array_release(used[i]);
  return IST_OK;
}

int main(void) {
  const int64_t n = 4;
  const float xs[] = {0, 1, 2, 3}, ys[] = {1, 3, 5, 7};
  points data;
  ist_array *rate, *one, *error, *gradients[2], *parameters[2];
  check(ist_array_create(IST_FLOAT32, 1, &n, NULL, xs, &data.x));
  check(ist_array_create(IST_FLOAT32, 1, &n, NULL, ys, &data.y));
  check(ist_array_scalar(0.1, IST_FLOAT32, &rate));
  check(ist_array_scalar(1, IST_FLOAT32, &one));
  for (int i = 0; i < 2; ++i) check(ist_array_scalar(0, IST_FLOAT32, &parameters[i]));

  for (int step = 0; step < 300; ++step) {
    check(ist_vjp(loss, &data, parameters, 2, &one, 1, &error, gradients));
    for (int i = 0; i < 2; ++i) {
      ist_array* change = op(IST_OP_MULTIPLY, gradients[i], rate, NULL);
      ist_array* moved = op(IST_OP_SUBTRACT, parameters[i], change, NULL);
      ist_array* const used[] = {change, gradients[i], parameters[i]};
      for (int j = 0; j < 3; ++j) ist_array_release(used[j]);
      parameters[i] = moved;
    }
    check(ist_eval(parameters, 2));
    ist_array_release(error);
  }

  float w = 0, b = 0;
  check(ist_array_copy(parameters[0], &w, sizeof(w)));
  check(ist_array_copy(parameters[1], &b, sizeof(b)));
  printf("isthmus %s: y = %.3f x + %.3f on %s\n", ist_version_text(), (double)w, (double)b,
         ist_device_name(ist_default_device()));
  ist_array* const all[] = {data.x, data.y, rate, one, parameters[0], parameters[1]};
  for (int i = 0; i < 6; ++i) ist_array_release(all[i]);
  return w > 1.99f && w < 2.01f && b > 0.98f && b < 1.02f ? 0 : 1;
}
