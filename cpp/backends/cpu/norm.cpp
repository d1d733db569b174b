// layer_norm and rms_norm: row by row, each while it is in the first-level cache.
#include <cmath>
#include <vector>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kNormGrain = kGrain / 2;  // elements that are worth another thread

Sequences rows_of(const Call& call, const View& view) {
  return Sequences(call.kernels(), view, compute_dtype(view.dtype), [&](int axis) { return axis == view.rank - 1; });
}

// A weight or a bias: dense, in the accumulator type T.
template <class T>
std::vector<T> parameter(const Call& call, const View& view) {
  const Sequences row = rows_of(call, view);
  std::vector<T> dense(static_cast<size_t>(row.length));
  std::vector<char> memory(Sequences::kScratchBytes);
  for (int64_t b = 0; b < row.length; b += kBlock) {
    const int64_t n = std::min(kBlock, row.length - b);
    std::memcpy(dense.data() + b, row.load(view.data, b, n, memory.data()), static_cast<size_t>(n) * sizeof(T));
  }
  return dense;
}

// Without a bias, nothing is subtracted from x and -0 is added, which changes no bit.
template <class T>
void normalize_rows(const Call& call, const std::vector<T>& weight, const std::vector<T>* bias) {
  const View in = call.input(0), out = call.output();
  const Sequences rows = rows_of(call, in);
  const int64_t n = rows.length;
  if (rows.count == 0 || n == 0) return;
  const Reducer& sum = call.kernels().reduce->fn[kSum][rows.acc];
  const RowKernels& row = call.kernels().row->fn[sizeof(T) == 8 ? 1 : 0];
  const T eps = static_cast<T>(call.attrs<ist_norm_attrs>().eps), count = static_cast<T>(n);
  const std::vector<T> nothing(bias == nullptr ? static_cast<size_t>(n) : 0, T(-0.0));
  const T* addend = bias == nullptr ? nothing.data() : bias->data();
  const bool wide = rows.acc != out.dtype;

  parallel_for(call.threads(), rows.count, 1 + kNormGrain / n, [&](int64_t begin, int64_t end) {
    char* memory = scratch(Sequences::kScratchBytes + kBlock * sizeof(T));
    char* converted = memory + Sequences::kScratchBytes;
    alignas(8) char levels[Tree::kDepth * 8];
    for (int64_t o = begin; o < end; ++o) {
      const char* start = rows.start_of(o);
      const void* whole = n <= kBlock ? rows.load(start, 0, n, memory) : nullptr;
      const auto block = [&](int64_t b) {
        return whole != nullptr ? whole : rows.load(start, b, std::min(kBlock, n - b), memory);
      };
      const auto sum_blocks = [&](auto sum_block) {
        Tree tree(sum, levels, 1, sizeof(T));
        for (int64_t b = 0; b < n; b += kBlock) {
          sum_block(std::min(kBlock, n - b), block(b), tree.next());
          tree.push();
        }
        T total;
        std::memcpy(&total, tree.finish(), sizeof(T));
        return total;
      };
      T mean = 0;
      if (bias != nullptr) mean = sum_blocks([&](int64_t m, const void* x, void* to) { sum.block(x, m, to); }) / count;
      const T squares = sum_blocks([&](int64_t m, const void* x, void* to) { row.square_sum(1, m, x, 0, &mean, to); });
      const T scale = T(1) / std::sqrt(squares / count + eps);
      for (int64_t b = 0; b < n; b += kBlock) {
        const int64_t m = std::min(kBlock, n - b);
        char* target = out.data + ((o * n + b) << out.log2());
        row.normalize(m, block(b), &mean, &scale, weight.data() + b, addend + b, wide ? converted : target);
        if (wide) convert(call.kernels(), rows.acc, out.dtype, m, converted, target, nullptr);
      }
    }
  });
}

template <class T>
void run_as(const Call& call, bool centred) {
  const std::vector<T> weight = parameter<T>(call, call.input(1));
  if (!centred) return normalize_rows<T>(call, weight, nullptr);
  const std::vector<T> bias = parameter<T>(call, call.input(2));
  normalize_rows<T>(call, weight, &bias);
}

void run(const Call& call, bool centred) {
  if (call.output().dtype == IST_FLOAT64) {
    run_as<double>(call, centred);
  } else {
    run_as<float>(call, centred);
  }
}

}  // namespace

void run_layer_norm(const Call& call) { run(call, true); }
void run_rms_norm(const Call& call) { run(call, false); }

}  // namespace ist::cpu
