/* What the corpus of the digest is made of: reproducible inputs, and a hash of results. */
#ifndef ISTHMUS_TESTS_DIGEST_H
#define ISTHMUS_TESTS_DIGEST_H

#include "check.h"
#include "op_ids.h"

/* wild: every kind of number, infinities, NaN, zeros and subnormals among them. mild: in (-4, 4). index: whole numbers
 * in [0, limit). */
typedef enum { WILD, MILD, INDEX } digest_values;

typedef struct {
  uint64_t hash;
  uint64_t results;
} digest_state;

/* Shapes are a rank and up to four extents. */
typedef struct {
  uint32_t rank;
  int64_t dims[5];
} digest_shape;

ist_array* digest_input(uint32_t dtype, digest_shape shape, digest_values values, int64_t limit);
/* Adds dtype, shape and elements to the hash (every NaN counts as one and the same), and releases the array. */
void digest_take(digest_state* state, ist_array* result);
/* Makes the node, takes its result and releases the inputs. An op that refuses the dtypes adds its refusal. */
void digest_op(digest_state* state, uint32_t op, ist_array** inputs, size_t n_inputs, const void* attrs);

/* Runs one kernel op over its part of the corpus; 0 if the corpus has none. */
int digest_run(digest_state* state, uint32_t op, int arity, int elementwise);
/* Many nodes evaluated at once, which a backend may fuse, beside the same nodes one at a time: the results must be
 * equal, and are hashed once. */
void digest_chains(digest_state* state);

#endif
