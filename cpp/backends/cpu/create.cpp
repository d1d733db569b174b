// Tensors made from attributes or a key.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/create_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 64 * 1024;
constexpr int64_t kBlockCost = 8;  // of the cipher, in elements of a range

}  // namespace

void run_arange(const Call& call) {
  const auto& attrs = call.attrs<ist_range_attrs>();
  const View out = call.output();
  const CreateTable& kernels = *call.kernels().create;
  parallel_for(call.threads(), out.count(), kGrain, [&](int64_t begin, int64_t end) {
    if (const auto floats = kernels.floats[out.dtype]) return floats(begin, end, attrs.start, attrs.step, out.data);
    const uint64_t start = static_cast<uint64_t>(attrs.int_start), step = static_cast<uint64_t>(attrs.int_step);
    kernels.integers[out.log2()](begin, end, start, step, out.data);
  });
}

// The bytes of the result are cut into n words of 32 bits. Block i of the cipher makes word i and its partner, word
// i + ceil(n / 2); with an odd n the last first-half word has no partner, and takes the counter 0 in its place.
void run_random_bits(const Call& call) {
  const View key_view = call.input(0);
  const View out = call.output();
  uint32_t key[2];
  for (int i = 0; i < 2; ++i) std::memcpy(&key[i], key_view.data + i * key_view.strides[0] * 4, 4);

  const int64_t n_bytes = out.count() << out.log2();
  const int64_t n_words = (n_bytes + 3) / 4;
  const int64_t half = (n_words + 1) / 2;
  const int64_t whole = std::max<int64_t>(0, n_bytes / 4 - half);  // blocks both words of which are whole
  const auto threefry = call.kernels().create->threefry;
  parallel_for(call.threads(), whole, kGrain / kBlockCost, [&](int64_t begin, int64_t end) {
    threefry(end - begin, key, static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + half), out.data + 4 * begin,
             out.data + 4 * (begin + half));
  });
  const auto put = [&](int64_t word, uint32_t bits) {
    std::memcpy(out.data + 4 * word, &bits, static_cast<size_t>(std::min<int64_t>(4, n_bytes - 4 * word)));
  };
  for (int64_t i = whole; i < half; ++i) {
    const int64_t partner = i + half;
    const bool paired = partner < n_words;
    uint32_t x = 0, y = 0;
    threefry(1, key, static_cast<uint32_t>(i), paired ? static_cast<uint32_t>(partner) : 0, &x, &y);
    put(i, x);
    if (paired) put(partner, y);
  }
}

}  // namespace ist::cpu
