// Tensors made from attributes or a key.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/create_kernels.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"

namespace ist::cpu {
namespace {

constexpr int64_t kBlockCost = 8;      // of the cipher, in elements of a range
constexpr int64_t kRandomTile = 2048;  // elements that elementwise nodes take at a time

// The bytes of the result are cut into n words of 32 bits. Block i of the cipher makes word i and its partner, word
// i + ceil(n / 2); with an odd n the last first-half word has no partner, and takes the counter 0 in its place.
// `program` reads the bits while they are in cache; it may be null.
void make_bits(const Call& call, const TileProgram* program) {
  const View key_view = call.input(0);
  const View out = call.output();
  uint32_t key[2];
  for (int i = 0; i < 2; ++i) std::memcpy(&key[i], key_view.data + i * key_view.strides[0] * 4, 4);

  const int64_t n_bytes = out.count() << out.log2();
  const int64_t n_words = (n_bytes + 3) / 4;
  const int64_t half = (n_words + 1) / 2;
  const int64_t whole = std::max<int64_t>(0, n_bytes / 4 - half);  // blocks both words of which are whole
  const auto threefry = call.kernels().create->threefry;
  const int64_t per_word = 4 >> out.log2();  // elements
  const int64_t cost = kBlockCost + (program != nullptr ? 2 * per_word * program->cost() : 0);
  parallel_for(call.threads(), whole, 1 + kGrain / cost, [&](int64_t begin, int64_t end) {
    TileProgram::Frame frame;
    if (program != nullptr) program->enter(frame);
    const int64_t step = program != nullptr ? kRandomTile / per_word : end - begin;
    for (int64_t i = begin; i < end; i += step) {
      const int64_t n = std::min(step, end - i);
      threefry(n, key, static_cast<uint32_t>(i), static_cast<uint32_t>(i + half), out.data + 4 * i,
               out.data + 4 * (i + half));
      if (program == nullptr) continue;
      program->run_tiles(frame, i * per_word, (i + n) * per_word);
      program->run_tiles(frame, (i + half) * per_word, (i + half + n) * per_word);
    }
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
  if (program == nullptr) return;
  TileProgram::Frame frame;
  program->enter(frame);
  program->run_tiles(frame, whole * per_word, std::min(out.count(), half * per_word));
  program->run_tiles(frame, std::min(out.count(), (half + whole) * per_word), out.count());
}

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

void run_random_bits(const Call& call) { make_bits(call, nullptr); }

void run_random_elementwise(const Context& context, uint32_t first, uint32_t end) {
  const Call call = {context, node_at(context.program, first)};
  const int64_t n = call.output().count();
  if (n == 0) return;
  const auto plan = [&](TileProgram& program) { program.finish(std::min(kRandomTile, n), n); };
  run_planned(context, first + 1, end, end - 1, plan, [&](const TileProgram& program) { make_bits(call, &program); });
}

}  // namespace ist::cpu
