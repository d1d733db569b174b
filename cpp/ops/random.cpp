// Keys and distributions, built on the one random node, random_bits. The order of every operation matters: equal seeds
// give the bits that upstream gives.
#include "ops/random.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <random>

#include "ops/shape_checks.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {

Tensor call_random_bits(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("random.bits");
  const Tensor& key = inputs[0];
  const auto& create = std::get<CreateAttrs>(attrs);
  if (key.dtype() != DType::uint32) fail(Code::value, "random.bits", "a key must be uint32, but is ", key.dtype());
  if (!(key.shape() == Dims{2}))
    fail(Code::value, "random.bits", "a key has shape (2,), but this one has ", key.shape());
  if (create.dtype != DType::uint8 && create.dtype != DType::uint16 && create.dtype != DType::uint32)
    fail(Code::value, "random.bits", "bits come as uint8, uint16 or uint32, not as ", create.dtype);
  element_count(create.dims, "random.bits");
  return make_node(Op::random_bits, create.dtype, create.dims, inputs, attrs);
}

Tensor ops::random_bits(const Tensor& key, const Dims& shape, DType dtype) {
  return call_random_bits({&key, 1}, CreateAttrs{shape, dtype});
}

namespace random {
namespace {

using Key = std::array<uint32_t, 2>;

// Threefry-2x32, 20 rounds. The process-wide key advances on the host: its sequence must not grow a graph.
Key threefry(Key key, Key counter) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t keys[3] = {key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDAu};
  uint32_t x = counter[0] + keys[0], y = counter[1] + keys[1];
  for (uint32_t group = 0; group < 5; ++group) {
    for (const int r : kRotations[group % 2]) {
      x += y;
      y = ((y << r) | (y >> (32 - r))) ^ x;
    }
    x += keys[(group + 1) % 3];
    y += keys[(group + 2) % 3] + group + 1;
  }
  return {x, y};
}

Key key_of(uint64_t seed) { return {static_cast<uint32_t>(seed >> 32), static_cast<uint32_t>(seed)}; }

Tensor key_tensor(Key key) {
  void* data = nullptr;
  const Tensor result = make_empty(DType::uint32, {2}, &data, "random.key");
  std::memcpy(data, key.data(), sizeof key);
  return result;
}

struct Global {
  std::mutex mutex;
  Key key;
  Global() {
    // Unlike runs unless seeded.
    std::random_device entropy;
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    key = key_of((static_cast<uint64_t>(entropy()) << 32 | entropy()) ^ static_cast<uint64_t>(now));
  }
};
Global& global() {
  static Global state;
  return state;
}

Tensor key_or_next(const std::optional<Tensor>& key) { return key ? *key : next_key(); }

void check_parameters(const Dims& shape, const Tensor& a, const Tensor& b, const char* op) {
  element_count(shape, op);
  const Dims joint = broadcast_shapes(a.shape(), b.shape(), op);
  if (!(broadcast_shapes(shape, joint, op) == shape))
    fail(Code::shape, op, "parameters of shape ", joint, " do not fit samples of shape ", shape);
}

// The largest value below 1 of a floating dtype.
double below_one(DType dtype) {
  switch (dtype) {
    case DType::float16:
      return 1 - 0x1p-11;
    case DType::bfloat16:
      return 1 - 0x1p-8;
    default:
      return 1 - 0x1p-24;
  }
}

// Uniform in [0, 1): 32 bits over 2^32 in float32, kept below 1 in `dtype`, then rounded to it. (The product is exact,
// and faster than a division.)
Tensor unit_uniform(const Tensor& key, const Dims& shape, DType dtype) {
  const Tensor bits = ops::astype(ops::random_bits(key, shape, DType::uint32), DType::float32);
  const Tensor unit = ops::multiply(bits, ops::scalar_like(0x1p-32, bits));
  return ops::astype(ops::minimum(unit, ops::scalar_like(below_one(dtype), unit)), dtype);
}

Tensor scaled_uniform(const Tensor& low, const Tensor& high, const Dims& shape, DType dtype, const Tensor& key) {
  const Tensor from = ops::astype(low, dtype);
  const Tensor range = ops::subtract(ops::astype(high, dtype), from);
  return ops::add(ops::multiply(range, unit_uniform(key, shape, dtype)), from);
}

// erfinv of a uniform in (-1, 1), in float32: a normal distribution with variance 1/2.
Tensor half_normal(const Tensor& key, const Dims& shape) {
  const Tensor unit = unit_uniform(key, shape, DType::float32);
  const Tensor low = ops::scalar_like(-below_one(DType::float32), unit);
  const Tensor range = ops::subtract(ops::scalar_like(1, unit), low);
  return ops::erfinv(ops::add(ops::multiply(range, unit), low));
}

}  // namespace

Tensor key(uint64_t seed) { return key_tensor(key_of(seed)); }

void seed(uint64_t seed) {
  const std::lock_guard lock(global().mutex);
  global().key = key_of(seed);
}

// The key splits in two: the first half replaces it, the second is handed out. Splitting draws four words, and word i
// and i + 2 come from one Threefry block.
Tensor next_key() {
  Key result;
  {
    const std::lock_guard lock(global().mutex);
    const Key first = threefry(global().key, {0, 2});
    const Key second = threefry(global().key, {1, 3});
    global().key = {first[0], second[0]};
    result = {first[1], second[1]};
  }
  return key_tensor(result);
}

Tensor split(const Tensor& key, int64_t num) {
  const LabelScope label("random.split");
  if (num < 0) fail(Code::value, "random.split", "the number of keys cannot be negative, but is ", num);
  return ops::random_bits(key, {num, 2}, DType::uint32);
}

Tensor bits(const Dims& shape, int width, const std::optional<Tensor>& key) {
  const LabelScope label("random.bits");
  if (width != 1 && width != 2 && width != 4)
    fail(Code::value, "random.bits", "the width must be 1, 2 or 4 bytes, but is ", width);
  const DType dtype = width == 1 ? DType::uint8 : width == 2 ? DType::uint16 : DType::uint32;
  return ops::random_bits(key_or_next(key), shape, dtype);
}

Tensor uniform(const std::optional<Tensor>& low, const std::optional<Tensor>& high, const Dims& shape, DType dtype,
               const std::optional<Tensor>& key) {
  const LabelScope label("random.uniform");
  if (dtype != DType::float32 && dtype != DType::float16 && dtype != DType::bfloat16)
    fail(Code::value, "random.uniform", "dtype must be float32, float16 or bfloat16, but is ", dtype);
  // Neither a product with 1 nor a sum with 0 would change a bit.
  if (!low && !high) {
    element_count(shape, "random.uniform");
    return unit_uniform(key_or_next(key), shape, dtype);
  }
  const Tensor from = low ? *low : ops::scalar_like(0, *high), to = high ? *high : ops::scalar_like(1, *low);
  check_parameters(shape, from, to, "random.uniform");
  return scaled_uniform(from, to, shape, dtype, key_or_next(key));
}

Tensor normal(const Dims& shape, DType dtype, const std::optional<Tensor>& loc, const std::optional<Tensor>& scale,
              const std::optional<Tensor>& key) {
  const LabelScope label("random.normal");
  if (!is_inexact(dtype)) fail(Code::value, "random.normal", "dtype must be floating or complex64, but is ", dtype);
  for (const auto* parameter : {&loc, &scale}) {
    if (*parameter) check_parameters(shape, **parameter, **parameter, "random.normal");
  }
  const Tensor chosen = key_or_next(key);
  Tensor sample;
  if (is_complex(dtype)) {
    // Neighbours in an axis of two are the parts; each has variance 1/2, so that the whole has 1.
    element_count(shape, "random.normal");
    Dims pairs = shape;
    pairs.push_back(2);
    const Tensor parts = half_normal(chosen, pairs);
    SliceAttrs one_part = whole_slice(pairs);
    one_part.sizes.back() = 1;
    const Tensor re = ops::reshape(call_slice({&parts, 1}, one_part), shape);
    one_part.starts.back() = 1;
    const Tensor im = ops::reshape(call_slice({&parts, 1}, one_part), shape);
    sample = ops::add(ops::astype(re, dtype), ops::multiply(ops::astype(im, dtype), imaginary_unit(parts.device())));
    if (scale) sample = ops::multiply(sample, ops::astype(*scale, dtype));
  } else {
    const Tensor half = ops::astype(half_normal(chosen, shape), dtype);
    Tensor factor = ops::scalar_like(std::sqrt(2.0), half);
    if (scale) factor = ops::multiply(factor, ops::astype(*scale, dtype));
    sample = ops::multiply(half, factor);
  }
  return loc ? ops::add(sample, ops::astype(*loc, dtype)) : sample;
}

Tensor randint(const Tensor& low, const Tensor& high, const Dims& shape, DType dtype,
               const std::optional<Tensor>& key) {
  const LabelScope label("random.randint");
  if (!is_integer(dtype) && !is_bool(dtype))
    fail(Code::value, "random.randint", "dtype must be an integer type or bool, but is ", dtype);
  check_parameters(shape, low, high, "random.randint");
  const Tensor sample = ops::floor(scaled_uniform(low, high, shape, DType::float32, key_or_next(key)));
  // float32 may round up to `high`, and the range may be empty: the limits have the last word, the lower one before
  // all.
  const Tensor limit = is_bool(high.dtype()) ? ops::astype(high, DType::int32) : high;
  const Tensor top = ops::astype(ops::subtract(limit, ops::scalar_like(1, limit)), dtype);
  return ops::maximum(ops::minimum(ops::astype(sample, dtype), top), ops::astype(low, dtype));
}

}  // namespace random
}  // namespace ist
