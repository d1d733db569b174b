/* The corpus: for every kernel op, calls over dtypes, layouts and sizes. Sizes reach over the borders of the canonical
 * orders (blocks of 4096, k-blocks of 384), and some are large enough for several threads. */
#include "digest.h"

#define SHAPE(...)                                                      \
  (digest_shape) {                                                      \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), { __VA_ARGS__ } \
  }
#define ATTRS(type, ...) &(ist_##type##_attrs){.struct_size = sizeof(ist_##type##_attrs), __VA_ARGS__}
#define LIST(...) ((const int64_t[]){__VA_ARGS__})
#define TAKE(state, op, attrs, ...)                                                                               \
  digest_op((state), (op), (ist_array*[]){__VA_ARGS__}, sizeof((ist_array*[]){__VA_ARGS__}) / sizeof(ist_array*), \
            (attrs))

static const uint32_t floating[] = {IST_FLOAT32, IST_FLOAT16, IST_BFLOAT16, IST_FLOAT64, IST_COMPLEX64};
#define FOR_FLOATING(dtype, n) for (uint32_t i_ = 0, dtype; i_ < (n) && (dtype = floating[i_], 1); ++i_)
#define FOR_DTYPES(dtype) for (uint32_t dtype = IST_BOOL; dtype <= IST_COMPLEX64; ++dtype)

static uint64_t next_random(uint64_t* state) { /* SplitMix64 */
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static float wild_float(uint64_t random) {
  static const float special[] = {0.0f, -0.0f,     1.0f,        -1.0f,           0.5f,   INFINITY, -INFINITY,
                                  NAN,  0x1p-149f, 0x1.8p-127f, 0x1.fffffep127f, 88.72f, -103.9f,  1e-20f,
                                  3.0f, -2.5f};
  const uint32_t bits = (uint32_t)(random >> 32);
  float x;
  memcpy(&x, &bits, sizeof(x));
  switch (random & 7) {
    case 0:
      return special[(random >> 3) & 15];
    case 1:
      return x; /* any bits at all */
    case 2:
      return (float)((int32_t)bits >> 20);
    default:
      return ((float)(bits >> 8) * 0x1p-24f - 0.5f) * (float)(1 << ((random >> 3) & 7));
  }
}

static void store(uint32_t dtype, void* data, size_t i, digest_values values, int64_t limit, uint64_t* state) {
  const uint64_t random = next_random(state);
  const float mild = ((float)(random >> 40) * 0x1p-24f - 0.5f) * 8.0f;
  const float x = values == WILD ? wild_float(random) : mild;
  const uint64_t whole = values == INDEX ? random % (uint64_t)limit : values == WILD ? random : random % 5;
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  switch (dtype) {
    case IST_BOOL:
      ((uint8_t*)data)[i] = random >> 63;
      break;
    case IST_FLOAT32:
      ((float*)data)[i] = x;
      break;
    case IST_FLOAT64:
      ((double*)data)[i] =
          values == WILD && (random & 24) == 0 ? (double)x * 0x1p-1000 : (double)x + (double)mild * 0x1p-40;
      break;
    case IST_COMPLEX64:
      ((float*)data)[2 * i] = x;
      ((float*)data)[2 * i + 1] = values == WILD ? wild_float(next_random(state)) : mild * 0.5f;
      break;
    case IST_BFLOAT16:
      ((uint16_t*)data)[i] = (uint16_t)(bits >> 16);
      break;
    case IST_FLOAT16: /* wild: any bits; mild: 2^-4 .. 2^2 of both signs */
      ((uint16_t*)data)[i] =
          (uint16_t)(values == WILD ? random >> 16 : 0x2c00u + (random >> 20) % 0x1600u + ((random >> 50 & 1) << 15));
      break;
    default:
      memcpy((char*)data + i * ist_dtype_size(dtype), &whole, ist_dtype_size(dtype)); /* little-endian */
  }
}

ist_array* digest_input(uint32_t dtype, digest_shape shape, digest_values values, int64_t limit) {
  static uint64_t seed = 1; /* the corpus is one sequence: inputs differ, runs do not */
  size_t n = 1;
  for (uint32_t i = 0; i < shape.rank; ++i) n *= (size_t)shape.dims[i];
  void* data = malloc(n * ist_dtype_size(dtype) + 1);
  CHECK(data != NULL);
  uint64_t state = seed++;
  for (size_t i = 0; i < n; ++i) store(dtype, data, i, values, limit, &state);
  ist_array* made = NULL;
  OK(ist_array_create(dtype, shape.rank, shape.dims, NULL, data, &made));
  free(data);
  return made;
}

static ist_array* wild(uint32_t dtype, digest_shape shape) { return digest_input(dtype, shape, WILD, 0); }
static ist_array* mild(uint32_t dtype, digest_shape shape) { return digest_input(dtype, shape, MILD, 0); }
static ist_array* index_of(digest_shape shape, int64_t limit) { return digest_input(IST_INT32, shape, INDEX, limit); }

static ist_array* viewed(uint32_t op, ist_array* a, const void* attrs) {
  ist_array* view = NULL;
  OK(ist_op(op, &a, 1, attrs, &view));
  ist_array_release(a);
  return view;
}
/* A matrix read by columns, and every second row of one from the end. */
static ist_array* turned(ist_array* a) {
  return viewed(IST_OP_TRANSPOSE, a, ATTRS(axes, .n_axes = 2, .axes = LIST(1, 0)));
}
static ist_array* backwards(ist_array* a) {
  const int64_t* shape = ist_array_shape(a);
  return viewed(IST_OP_SLICE, a,
                ATTRS(slice, .n_dims = 2, .starts = LIST(shape[0] - 1, 0), .steps = LIST(-2, 1),
                      .sizes = LIST(shape[0] / 2, shape[1])));
}

static void elementwise(digest_state* s, uint32_t op, int arity) {
  FOR_DTYPES(dtype) {
    if (op == IST_OP_ASTYPE) {
      FOR_DTYPES(to) TAKE(s, op, ATTRS(dtype, .dtype = to), wild(dtype, SHAPE(1037)));
    } else if (arity == 1) {
      TAKE(s, op, NULL, wild(dtype, SHAPE(4133)));
      TAKE(s, op, NULL, turned(wild(dtype, SHAPE(37, 29))));
      if (dtype >= IST_FLOAT16) TAKE(s, op, NULL, mild(dtype, SHAPE(70001)));
    } else if (arity == 2) {
      TAKE(s, op, NULL, wild(dtype, SHAPE(4133)), wild(dtype, SHAPE(4133)));
      TAKE(s, op, NULL, turned(wild(dtype, SHAPE(29, 37))), wild(dtype, SHAPE(29)));
      TAKE(s, op, NULL, mild(dtype, SHAPE(37, 1)), backwards(mild(dtype, SHAPE(74, 29))));
    } else {
      ist_array* condition = wild(IST_BOOL, SHAPE(37, 29));
      TAKE(s, op, NULL, condition, turned(wild(dtype, SHAPE(29, 37))), wild(dtype, SHAPE(37, 1)));
    }
  }
}

static void reduction(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    if (op == IST_OP_LOGSUMEXP && dtype == IST_COMPLEX64) continue; /* not supported */
    ist_array* (*const input)(uint32_t, digest_shape) = op == IST_OP_MAX || op == IST_OP_MIN ? wild : mild;
    TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(0)), input(dtype, SHAPE(9001)));
    TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(0)), input(dtype, SHAPE(300, 41)));
    TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(1)), turned(input(dtype, SHAPE(300, 41))));
    TAKE(s, op, ATTRS(axes, .n_axes = 2, .axes = LIST(0, 2), .keepdims = 1), input(dtype, SHAPE(9, 5, 500)));
    TAKE(s, op, ATTRS(axes, .n_axes = 2, .axes = LIST(0, 1)), backwards(input(dtype, SHAPE(150, 300))));
  }
  TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(0)), mild(IST_FLOAT32, SHAPE(1000003)));
}

static void sorting(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    TAKE(s, op, ATTRS(axis, .axis = 0, .has_axis = 1), wild(dtype, SHAPE(9001)));
    TAKE(s, op, ATTRS(axis, .axis = 1, .has_axis = 1), turned(wild(dtype, SHAPE(300, 41))));
    TAKE(s, op, ATTRS(axis, .axis = 0, .has_axis = 1), backwards(mild(dtype, SHAPE(600, 7))));
    TAKE(s, op, ATTRS(axis, .axis = 0, .has_axis = 1), mild(dtype, SHAPE(200003)));
  }
}

static void selection(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    TAKE(s, op, ATTRS(count, .count = 30, .axis = 0, .has_axis = 1), wild(dtype, SHAPE(9001)));
    TAKE(s, op, ATTRS(count, .count = 40, .axis = 1, .has_axis = 1), turned(wild(dtype, SHAPE(300, 41))));
    TAKE(s, op, ATTRS(count, .count = 299, .axis = 0, .has_axis = 1), backwards(mild(dtype, SHAPE(600, 7))));
    TAKE(s, op, ATTRS(count, .count = 150000, .axis = 0, .has_axis = 1), mild(dtype, SHAPE(200003)));
  }
}

static void softmax(digest_state* s, uint32_t op) {
  FOR_FLOATING(dtype, 4) {
    TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(1)), mild(dtype, SHAPE(41, 300)));
    TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(1)), turned(wild(dtype, SHAPE(5000, 3))));
    TAKE(s, op, ATTRS(axes, .n_axes = 1, .axes = LIST(0)), mild(dtype, SHAPE(90001)));
  }
}

static void arg_reduction(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    TAKE(s, op, ATTRS(axis, .axis = 0, .has_axis = 1), wild(dtype, SHAPE(300, 41)));
    TAKE(s, op, ATTRS(axis, .axis = 1, .has_axis = 1, .keepdims = 1), turned(mild(dtype, SHAPE(300, 41))));
    TAKE(s, op, ATTRS(axis, .has_axis = 0), mild(dtype, SHAPE(9001)));
  }
}

static void scan(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    if (op == IST_OP_LOGCUMSUMEXP && dtype < IST_FLOAT16) continue; /* becomes float32 before */
    ist_array* (*const input)(uint32_t, digest_shape) = op == IST_OP_CUMMAX || op == IST_OP_CUMMIN ? wild : mild;
    TAKE(s, op, ATTRS(scan, .axis = 0, .inclusive = 1), input(dtype, SHAPE(9001)));
    TAKE(s, op, ATTRS(scan, .axis = 0, .reverse = 1), input(dtype, SHAPE(8193)));
    TAKE(s, op, ATTRS(scan, .axis = 1, .inclusive = 1), turned(input(dtype, SHAPE(300, 41))));
    TAKE(s, op, ATTRS(scan, .axis = 1, .reverse = 1, .inclusive = 1), input(dtype, SHAPE(3, 4500)));
    TAKE(s, op, ATTRS(scan, .axis = 1, .reverse = 1), input(dtype, SHAPE(2, 300, 41)));
    TAKE(s, op, ATTRS(scan, .axis = 0, .inclusive = 1), backwards(input(dtype, SHAPE(8300, 3))));
  }
  TAKE(s, op, ATTRS(scan, .axis = 0, .inclusive = 1), mild(IST_FLOAT32, SHAPE(1000003)));
}

static void matmul(digest_state* s, uint32_t op) {
  FOR_FLOATING(dtype, 5) {
    TAKE(s, op, NULL, mild(dtype, SHAPE(67, 801)), mild(dtype, SHAPE(801, 71)));
    TAKE(s, op, NULL, turned(mild(dtype, SHAPE(33, 65))), turned(mild(dtype, SHAPE(130, 33))));
    TAKE(s, op, NULL, backwards(mild(dtype, SHAPE(50, 9))), wild(dtype, SHAPE(9, 35)));
    TAKE(s, op, NULL, mild(dtype, SHAPE(5, 1, 4, 17)), mild(dtype, SHAPE(3, 17, 16)));
    TAKE(s, op, NULL, mild(dtype, SHAPE(1, 700)), mild(dtype, SHAPE(700, 333)));
    TAKE(s, op, NULL, mild(dtype, SHAPE(1, 700)), turned(mild(dtype, SHAPE(333, 700))));
    TAKE(s, op, NULL, mild(dtype, SHAPE(333, 700)), mild(dtype, SHAPE(700, 1)));
  }
  TAKE(s, op, NULL, mild(IST_FLOAT32, SHAPE(160, 200)), mild(IST_FLOAT32, SHAPE(200, 160)));
  TAKE(s, op, NULL, mild(IST_FLOAT32, SHAPE(140, 9)), mild(IST_FLOAT32, SHAPE(9, 1025)));
  TAKE(s, op, NULL, mild(IST_FLOAT64, SHAPE(140, 9)), mild(IST_FLOAT64, SHAPE(9, 1025)));
  TAKE(s, op, NULL, mild(IST_FLOAT32, SHAPE(20, 400)), mild(IST_FLOAT32, SHAPE(400, 900)));
}

static void quantized(digest_state* s, uint32_t op) {
  const int widths[] = {1, 2, 3, 4, 5, 6, 8};
  FOR_FLOATING(dtype, 3) {
    for (int i = 0; i < 7; ++i) {
      const int bits = widths[i];
      TAKE(s, op, ATTRS(quantized, .bits = bits, .group_size = 64, .transpose = 1), mild(dtype, SHAPE(14, 448)),
           wild(IST_UINT32, SHAPE(69, 14 * bits)), mild(dtype, SHAPE(69, 7)), mild(dtype, SHAPE(69, 7)));
      TAKE(s, op, ATTRS(quantized, .bits = bits, .group_size = 32, .transpose = 0), turned(mild(dtype, SHAPE(391, 2))),
           wild(IST_UINT32, SHAPE(391, 3 * bits)), mild(dtype, SHAPE(391, 3)), mild(dtype, SHAPE(391, 3)));
    }
  }
}

static void conv(digest_state* s, uint32_t op) {
  FOR_FLOATING(dtype, 4) {
    TAKE(s, op,
         ATTRS(conv, .n_dims = 2, .strides = LIST(1, 1), .padding_low = LIST(1, 1), .padding_high = LIST(1, 1),
               .kernel_dilation = LIST(1, 1), .input_dilation = LIST(1, 1), .groups = 1),
         mild(dtype, SHAPE(2, 19, 23, 67)), mild(dtype, SHAPE(35, 3, 3, 67)));
    TAKE(s, op,
         ATTRS(conv, .n_dims = 2, .strides = LIST(2, 1), .padding_low = LIST(2, -1), .padding_high = LIST(0, 3),
               .kernel_dilation = LIST(1, 2), .input_dilation = LIST(3, 2), .groups = 3, .flip = 1),
         mild(dtype, SHAPE(2, 9, 11, 12)), mild(dtype, SHAPE(9, 3, 2, 4)));
    TAKE(s, op,
         ATTRS(conv, .n_dims = 2, .strides = LIST(1, 2), .padding_low = LIST(1, 2), .padding_high = LIST(1, 2),
               .kernel_dilation = LIST(1, 1), .input_dilation = LIST(1, 1), .groups = 37),
         mild(dtype, SHAPE(2, 13, 17, 37)), mild(dtype, SHAPE(37, 3, 5, 1)));
    TAKE(s, op,
         ATTRS(conv, .n_dims = 1, .strides = LIST(1), .padding_low = LIST(0), .padding_high = LIST(0),
               .kernel_dilation = LIST(1), .input_dilation = LIST(1), .groups = 1),
         mild(dtype, SHAPE(3, 900, 41)), mild(dtype, SHAPE(70, 1, 41)));
    TAKE(s, op,
         ATTRS(conv, .n_dims = 3, .strides = LIST(1, 1, 2), .padding_low = LIST(1, 0, 1), .padding_high = LIST(1, 0, 1),
               .kernel_dilation = LIST(2, 1, 1), .input_dilation = LIST(1, 1, 1), .groups = 1),
         mild(dtype, SHAPE(1, 5, 6, 21, 5)), mild(dtype, SHAPE(3, 2, 3, 4, 5)));
  }
}

static void copies(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    ist_array* a = turned(wild(dtype, SHAPE(37, 29)));
    if (op == IST_OP_CONCATENATE) {
      TAKE(s, op, ATTRS(axis, .axis = 1, .has_axis = 1), a, wild(dtype, SHAPE(29, 3)),
           backwards(wild(dtype, SHAPE(58, 5))));
    } else if (op == IST_OP_PAD) {
      TAKE(s, op, ATTRS(pad, .n_dims = 2, .low = LIST(1, 0), .high = LIST(2, 5)), a, wild(dtype, SHAPE(1)));
    } else {
      TAKE(s, op, ATTRS(slice, .n_dims = 2, .starts = LIST(20, 1), .steps = LIST(-2, 3), .sizes = LIST(7, 4)), a,
           wild(dtype, SHAPE(7, 4)));
    }
  }
}

static void indexed(digest_state* s, uint32_t op) {
  FOR_DTYPES(dtype) {
    ist_array* a = mild(dtype, SHAPE(90, 17));
    const ist_index_attrs* rows = ATTRS(index, .n_axes = 1, .axes = LIST(0), .n_dims = 2, .slice_sizes = LIST(1, 17));
    const ist_axis_attrs* down = ATTRS(axis, .axis = 0, .has_axis = 1);
    switch (op) {
      case IST_OP_GATHER:
        TAKE(s, op, rows, a, index_of(SHAPE(211), 90));
        break;
      case IST_OP_SCATTER:
      case IST_OP_SCATTER_ADD:
        TAKE(s, op, rows, a, mild(dtype, SHAPE(1000, 1, 17)), index_of(SHAPE(1000), 90));
        break;
      case IST_OP_TAKE_ALONG_AXIS:
        TAKE(s, op, down, a, index_of(SHAPE(211, 17), 90));
        break;
      default:
        TAKE(s, op, down, a, index_of(SHAPE(211, 17), 90), mild(dtype, SHAPE(211, 17)));
    }
  }
}

static void created(digest_state* s, uint32_t op) {
  ist_array* result = NULL;
  FOR_DTYPES(dtype) {
    if (dtype == IST_BOOL || dtype == IST_COMPLEX64) continue;
    OK(ist_op(op, NULL, 0,
              ATTRS(range, .dtype = dtype, .start = -1.3, .step = 0.37, .stop = 40, .int_start = -3, .int_step = 5,
                    .count = 1037),
              &result));
    digest_take(s, result);
  }
}

static void random_bits(digest_state* s, uint32_t op) {
  const uint32_t widths[] = {IST_UINT8, IST_UINT16, IST_UINT32};
  for (int i = 0; i < 3; ++i) {
    TAKE(s, op, ATTRS(create, .n_dims = 2, .dims = LIST(101, 41), .dtype = widths[i]), wild(IST_UINT32, SHAPE(2)));
  }
}

static void norm(digest_state* s, uint32_t op) {
  const ist_norm_attrs* attrs = ATTRS(norm, .eps = 1e-5);
  FOR_FLOATING(dtype, 4) {
    const int64_t sizes[] = {77, 300, 9001};
    for (int i = 0; i < 3; ++i) {
      ist_array *x = turned(mild(dtype, SHAPE(sizes[i], 5))), *weight = mild(dtype, SHAPE(sizes[i]));
      if (op == IST_OP_LAYER_NORM) {
        TAKE(s, op, attrs, x, weight, mild(dtype, SHAPE(sizes[i])));
      } else {
        TAKE(s, op, attrs, x, weight);
      }
    }
  }
}

static void attention(digest_state* s, uint32_t op) {
  FOR_FLOATING(dtype, 4) {
    TAKE(s, op, ATTRS(attention, .scale = 0.3), mild(dtype, SHAPE(2, 4, 37, 24)), mild(dtype, SHAPE(2, 2, 421, 24)),
         mild(dtype, SHAPE(2, 2, 421, 35)));
    TAKE(s, op, ATTRS(attention, .scale = 0.3, .causal = 1), mild(dtype, SHAPE(1, 2, 70, 8)),
         mild(dtype, SHAPE(1, 1, 61, 8)), mild(dtype, SHAPE(1, 1, 61, 8)), mild(dtype, SHAPE(2)));
    TAKE(s, op, ATTRS(attention, .scale = 0.1), mild(dtype, SHAPE(1, 6, 1, 400)), mild(dtype, SHAPE(1, 2, 4500, 400)),
         mild(dtype, SHAPE(1, 2, 4500, 3)), mild(dtype, SHAPE(1, 6, 1, 4500)), mild(dtype, SHAPE(6)));
    TAKE(s, op, ATTRS(attention, .scale = 0.1), mild(dtype, SHAPE(1, 2, 9, 16)), mild(dtype, SHAPE(1, 2, 50, 16)),
         wild(dtype, SHAPE(1, 2, 50, 16)), wild(IST_BOOL, SHAPE(1, 2, 9, 50)));
  }
}

static const struct {
  uint32_t op;
  void (*run)(digest_state*, uint32_t op);
} corpus[] = {
    {IST_OP_SUM, reduction},
    {IST_OP_PROD, reduction},
    {IST_OP_MAX, reduction},
    {IST_OP_MIN, reduction},
    {IST_OP_ALL, reduction},
    {IST_OP_ANY, reduction},
    {IST_OP_LOGSUMEXP, reduction},
    {IST_OP_ARGMAX, arg_reduction},
    {IST_OP_SORT, sorting},
    {IST_OP_ARGSORT, sorting},
    {IST_OP_PARTITION, selection},
    {IST_OP_ARGPARTITION, selection},
    {IST_OP_ARGMIN, arg_reduction},
    {IST_OP_SOFTMAX, softmax},
    {IST_OP_CUMSUM, scan},
    {IST_OP_CUMPROD, scan},
    {IST_OP_CUMMAX, scan},
    {IST_OP_CUMMIN, scan},
    {IST_OP_LOGCUMSUMEXP, scan},
    {IST_OP_MATMUL, matmul},
    {IST_OP_QUANTIZED_MATMUL, quantized},
    {IST_OP_CONCATENATE, copies},
    {IST_OP_PAD, copies},
    {IST_OP_SLICE_UPDATE, copies},
    {IST_OP_GATHER, indexed},
    {IST_OP_SCATTER, indexed},
    {IST_OP_SCATTER_ADD, indexed},
    {IST_OP_TAKE_ALONG_AXIS, indexed},
    {IST_OP_PUT_ALONG_AXIS, indexed},
    {IST_OP_ADD_ALONG_AXIS, indexed},
    {IST_OP_ARANGE, created},
    {IST_OP_RANDOM_BITS, random_bits},
    {IST_OP_CONV_GENERAL, conv},
    {IST_OP_RANDOM_BITS, random_bits},
    {IST_OP_LAYER_NORM, norm},
    {IST_OP_RMS_NORM, norm},
    {IST_OP_SCALED_DOT_PRODUCT_ATTENTION, attention},
};

int digest_run(digest_state* state, uint32_t op, int arity, int is_elementwise) {
  if (is_elementwise) {
    elementwise(state, op, arity);
    return 1;
  }
  for (size_t i = 0; i < sizeof(corpus) / sizeof(corpus[0]); ++i) {
    if (corpus[i].op != op) continue;
    corpus[i].run(state, op);
    return 1;
  }
  return 0;
}

static ist_array* step(int one_at_a_time, ist_array* result) {
  if (one_at_a_time) OK(ist_eval(&result, 1));
  return result;
}

/* sum over the last axis of exp(tanh(a * b) - b) * a, and that matrix. */
static void chain(uint32_t dtype, int one_at_a_time, ist_array* a, ist_array* b, ist_array* results[2]) {
  ist_array* product = step(one_at_a_time, binary(IST_OP_MULTIPLY, a, b));
  ist_array* tanh = step(one_at_a_time, unary(IST_OP_TANH, product));
  ist_array* difference = step(one_at_a_time, binary(IST_OP_SUBTRACT, tanh, b));
  ist_array* exp = step(one_at_a_time, unary(IST_OP_EXP, difference));
  results[0] = step(one_at_a_time, binary(IST_OP_MULTIPLY, exp, a));
  OK(ist_op(IST_OP_SUM, &results[0], 1, ATTRS(axes, .n_axes = 1, .axes = LIST(1)), &results[1]));
  OK(ist_eval(results, 2));
  ist_array* between[] = {product, tanh, difference, exp};
  for (int i = 0; i < 4; ++i) ist_array_release(between[i]);
  CHECK(ist_array_dtype(results[0]) == dtype);
}

void digest_chains(digest_state* state) {
  FOR_FLOATING(dtype, 5) {
    ist_array *a = turned(mild(dtype, SHAPE(4200, 33))), *b = mild(dtype, SHAPE(33, 1));
    digest_state hashes[2] = {*state, *state};
    for (int one_at_a_time = 0; one_at_a_time < 2; ++one_at_a_time) {
      ist_array* results[2];
      chain(dtype, one_at_a_time, a, b, results);
      digest_take(&hashes[one_at_a_time], results[0]);
      digest_take(&hashes[one_at_a_time], results[1]);
    }
    if (hashes[0].hash != hashes[1].hash) {
      fprintf(stderr, "a chain of ops gives other bits in one program than one at a time (%s)\n",
              ist_dtype_name(dtype));
      exit(1);
    }
    *state = hashes[0];
    ist_array_release(a);
    ist_array_release(b);
  }
}
