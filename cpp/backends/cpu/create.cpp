// Tensors made from attributes or a key.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/threads.h"
#include "kernels/types.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 64 * 1024;

template <class T>
void integer_range(const ist_range_attrs& attrs, char* out, int64_t begin, int64_t end) {
  T* r = reinterpret_cast<T*>(out);
  const uint64_t start = static_cast<uint64_t>(attrs.int_start), step = static_cast<uint64_t>(attrs.int_step);
  for (int64_t i = begin; i < end; ++i) r[i] = static_cast<T>(start + static_cast<uint64_t>(i) * step);
}

template <int D, class Compute>
void float_range(const ist_range_attrs& attrs, char* out, int64_t begin, int64_t end) {
  auto* r = reinterpret_cast<typename Storage<D>::type*>(out);
  const Compute start = static_cast<Compute>(attrs.start), step = static_cast<Compute>(attrs.step);
  for (int64_t i = begin; i < end; ++i) {
    const Compute product = static_cast<Compute>(i) * step;
    r[i] = Storage<D>::store(start + product);
  }
}

uint32_t rotate_left(uint32_t x, int n) { return (x << n) | (x >> (32 - n)); }

// Threefry-2x32, 20 rounds, of one pair of counters. backends/reference/random.cpp has one of its own on purpose: an
// oracle that shared this code would share its mistakes.
void threefry(const uint32_t key[3], uint32_t& x, uint32_t& y) {
  static constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  x += key[0];
  y += key[1];
  for (uint32_t round = 0; round < 20; ++round) {
    x += y;
    y = rotate_left(y, rotations[round % 8]) ^ x;
    if (round % 4 == 3) {
      const uint32_t injection = round / 4 + 1;
      x += key[injection % 3];
      y += key[(injection + 1) % 3] + injection;
    }
  }
}

}  // namespace

void run_arange(const Call& call) {
  const auto& attrs = call.attrs<ist_range_attrs>();
  const View out = call.output();
  parallel_for(call.threads(), out.count(), kGrain, [&](int64_t begin, int64_t end) {
    switch (out.dtype) {
      case IST_FLOAT16:
        return float_range<IST_FLOAT16, float>(attrs, out.data, begin, end);
      case IST_BFLOAT16:
        return float_range<IST_BFLOAT16, float>(attrs, out.data, begin, end);
      case IST_FLOAT32:
        return float_range<IST_FLOAT32, float>(attrs, out.data, begin, end);
      case IST_FLOAT64:
        return float_range<IST_FLOAT64, double>(attrs, out.data, begin, end);
    }
    switch (out.log2()) {
      case 0:
        return integer_range<uint8_t>(attrs, out.data, begin, end);
      case 1:
        return integer_range<uint16_t>(attrs, out.data, begin, end);
      case 2:
        return integer_range<uint32_t>(attrs, out.data, begin, end);
      case 3:
        return integer_range<uint64_t>(attrs, out.data, begin, end);
    }
  });
}

// The bytes of the result are cut into n words of 32 bits. Block i of the cipher makes word i and its partner, word
// i + ceil(n / 2); with an odd n the last first-half word has no partner, and takes the counter 0 in its place.
void run_random_bits(const Call& call) {
  const View key_view = call.input(0);
  const View out = call.output();
  uint32_t key[3];
  for (int i = 0; i < 2; ++i) std::memcpy(&key[i], key_view.data + i * key_view.strides[0] * 4, 4);
  key[2] = key[0] ^ key[1] ^ 0x1bd11bdau;

  const int64_t n_bytes = out.count() << out.log2();
  const int64_t n_words = (n_bytes + 3) / 4;
  const int64_t half = (n_words + 1) / 2;
  const auto put = [&](int64_t word, uint32_t bits) {
    std::memcpy(out.data + 4 * word, &bits, static_cast<size_t>(std::min<int64_t>(4, n_bytes - 4 * word)));
  };
  parallel_for(call.threads(), half, kGrain / 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t partner = i + half;
      const bool paired = partner < n_words;
      uint32_t x = static_cast<uint32_t>(i), y = paired ? static_cast<uint32_t>(partner) : 0;
      threefry(key, x, y);
      put(i, x);
      if (paired) put(partner, y);
    }
  });
}

}  // namespace ist::cpu
