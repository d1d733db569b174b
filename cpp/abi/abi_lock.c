/* Prints the ABI as the compiler sees it: constants, struct layouts, function signatures and op ids, a line each.
 * cmake/abi_lock.cmake compares the lines with abi.lock. What stands after " | " is for readers: it may be reworded
 * without breaking anybody. Signatures bind. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "abi/backend.h"
#include "abi/op_ids.h"
#if defined(ISTHMUS_ABI_HAS_EMBEDDING)
#include "abi/isthmus.h"
#endif

/* Declares every function once more: a header whose signatures have changed since abi_fields.def was generated does not
 * compile here. */
#define IST_ABI_CONSTANT(name)
#define IST_ABI_STRUCT(name)
#define IST_ABI_FIELD(owner, field, text)
#define IST_ABI_FUNCTION(name, ...) __VA_ARGS__;
#include "abi/abi_fields.def"
#undef IST_ABI_CONSTANT
#undef IST_ABI_STRUCT
#undef IST_ABI_FIELD
#undef IST_ABI_FUNCTION

int main(void) {
#define IST_ABI_CONSTANT(name) printf("constant %s = %lld\n", #name, (long long)(name));
#define IST_ABI_STRUCT(name) printf("struct %s = %zu bytes\n", #name, sizeof(name));
#define IST_ABI_FIELD(owner, field, text)                                                     \
  printf("field %s.%s = offset %zu, %zu bytes%s%s\n", #owner, #field, offsetof(owner, field), \
         sizeof(((owner*)0)->field), strchr(text, '(') != NULL ? ": " : " | ", text);
#define IST_ABI_FUNCTION(name, ...) printf("function %s = %s\n", #name, #__VA_ARGS__);
#include "abi/abi_fields.def"

  /* The attribute struct and the operand count are as much a part of an op as its id. */
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) \
  printf("op %d = %s, operands %s, attributes %s\n", id, #name, #arity, #attrs);
#include "ops/ops.def"
  return 0;
}
