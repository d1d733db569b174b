// Random bits: Threefry-2x32 with 20 rounds, as published with Random123 (Salmon et al., 2011).
#include <algorithm>

#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

struct Words {
  uint32_t x, y;
};

uint32_t rotate_left(uint32_t value, int count) { return (value << count) | (value >> (32 - count)); }

Words threefry(const uint32_t key[2], Words counter) {
  constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t schedule[3] = {key[0], key[1], key[0] ^ key[1] ^ 0x1bd11bdau};
  Words w = {counter.x + schedule[0], counter.y + schedule[1]};
  for (uint32_t group = 0; group < 5; ++group) {
    for (int rotation : rotations[group % 2]) {
      w.x += w.y;
      w.y = rotate_left(w.y, rotation) ^ w.x;
    }
    w.x += schedule[(group + 1) % 3];
    w.y += schedule[(group + 2) % 3] + group + 1;
  }
  return w;
}

}  // namespace

// The bytes of the result are cut into n 32-bit words. Counter i in the first half gives word i and, from its partner
// counter, the word as far into the second half. Of an odd n the middle word is left over: its partner is 0, and
// the second word of that pair is dropped.
void run_random_bits(const Call& call) {
  const View& keys = call.inputs[0];
  uint32_t key[2];
  for (int i = 0; i < 2; ++i) std::memcpy(&key[i], keys.at(keys.offset + i * keys.strides[0]), sizeof(uint32_t));

  const int64_t n_bytes = count_of(call.out.rank, call.out.shape) * size_of(call.out.dtype);
  const int64_t n = (n_bytes + 3) / 4;
  const int64_t second_half = (n + 1) / 2;
  std::vector<uint32_t> words(n);
  for (int64_t i = 0; i < second_half; ++i) {
    const bool paired = i + second_half < n;
    const int64_t partner = paired ? i + second_half : 0;
    const Words w = threefry(key, {static_cast<uint32_t>(i), static_cast<uint32_t>(partner)});
    words[i] = w.x;
    if (paired) words[partner] = w.y;
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = i * 4;
    std::memcpy(call.out.data + at, &words[i], static_cast<size_t>(std::min<int64_t>(4, n_bytes - at)));
  }
}

bool supports_random_bits(const ist_node& node) {
  const uint32_t dtype = node.output.dtype;
  return node.n_inputs == 1 && node.inputs[0].dtype == IST_UINT32 && node.inputs[0].rank == 1 &&
         (dtype == IST_UINT8 || dtype == IST_UINT16 || dtype == IST_UINT32);
}

}  // namespace ist::reference
