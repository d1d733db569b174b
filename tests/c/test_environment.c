/* Runs with ISTHMUS_BACKENDS naming two bad libraries, then the toy backend. */
#include "check.h"

int main(void) {
  uint32_t toy = 0;
  OK(ist_device_find("toy", &toy));
  CHECK(ist_device_count() == 4 && toy == 3);
  OK(ist_set_default_device(toy));
  ist_array* a = vector(2, (float[]){1, 2});
  ist_array* sum = binary(IST_OP_ADD, a, a);
  CHECK(ist_array_device(sum) == toy);
  CHECK_FLOATS(sum, 2, 4);
  ist_array_release(sum);
  ist_array_release(a);
  puts("ok");
  return 0;
}
