// softmax and logsumexp: the reductions of reduce.cpp, and passes of exp between them.
#include <cmath>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // elements that are worth another thread

bool is_finite(const void* value, uint32_t acc) {
  return acc == IST_FLOAT64 ? std::isfinite(*static_cast<const double*>(value))
                            : std::isfinite(*static_cast<const float*>(value));
}

void invert(void* value, uint32_t acc) {
  if (acc == IST_FLOAT64) {
    *static_cast<double*>(value) = 1.0 / *static_cast<double*>(value);
  } else {
    *static_cast<float*>(value) = 1.0f / *static_cast<float*>(value);
  }
}

struct Row {
  const Sequences& sequences;
  const Reducer& max;
  const Reducer& sum;
  const RowKernels& row;
  int64_t size;  // of an accumulator

  explicit Row(const Sequences& s)
      : sequences(s),
        max(s.kernels.reduce->fn[kMax][s.acc]),
        sum(s.kernels.reduce->fn[kSum][s.acc]),
        row(s.kernels.row->fn[s.acc == IST_FLOAT64 ? 1 : 0]),
        size(int64_t{1} << size_log2(s.acc)) {}

  // `memory` is kRowScratch bytes. Returns the last block, which is the whole row of up to kBlock elements.
  const void* find_max(const char* start, char* memory, void* m) const {
    alignas(8) char levels[Tree::kDepth * 8];
    Tree tree(max, levels, 1, size);
    const void* x = nullptr;
    for (int64_t b = 0; b < sequences.length; b += kBlock) {
      const int64_t n = std::min(kBlock, sequences.length - b);
      x = sequences.load(start, b, n, memory);
      max.block(x, n, tree.next());
      tree.push();
    }
    std::memcpy(m, tree.finish(), static_cast<size_t>(size));
    return x;
  }
  // The sum of exp(x - m); `last` is what find_max returned. The exponentials stay in `kept`, if it is not null.
  void sum_exp(const char* start, const void* last, char* memory, const void* m, char* kept, void* s) const {
    alignas(8) char levels[Tree::kDepth * 8];
    Tree tree(sum, levels, 1, size);
    for (int64_t b = 0; b < sequences.length; b += kBlock) {
      const int64_t n = std::min(kBlock, sequences.length - b);
      const void* x = sequences.length <= kBlock ? last : sequences.load(start, b, n, memory);
      row.exp_sum(n, x, m, kept != nullptr ? kept + b * size : memory + Sequences::kScratchBytes, tree.next());
      tree.push();
    }
    std::memcpy(s, tree.finish(), static_cast<size_t>(size));
  }
};

constexpr size_t kRowScratch = Sequences::kScratchBytes + kBlock * 8;

}  // namespace

void run_logsumexp(const Call& call) {
  const auto& attrs = call.attrs<ist_axes_attrs>();
  const View in = call.input(0), out = call.output();
  const uint32_t acc = compute_dtype(in.dtype);
  const Sequences sequences(call.kernels(), in, acc, [&](int axis) {
    return std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) != attrs.axes + attrs.n_axes;
  });
  if (sequences.count == 0) return;
  if (sequences.length == 0) fail(Code::value, "", "an empty sequence has no largest or smallest element");
  const Row row(sequences);
  parallel_for(call.threads(), sequences.count, 1 + kGrain / sequences.length, [&](int64_t begin, int64_t end) {
    char* memory = scratch(kRowScratch);
    for (int64_t o = begin; o < end; ++o) {
      const char* start = sequences.start_of(o);
      alignas(8) char m[8], s[8], result[8];
      const void* last = row.find_max(start, memory, m);
      const void* value = m;
      if (is_finite(m, acc)) {
        row.sum_exp(start, last, memory, m, nullptr, s);
        row.row.log_add(s, m, result);
        value = result;
      }
      convert(call.kernels(), acc, out.dtype, 1, value, out.data + (o << out.log2()), nullptr);
    }
  });
}

void run_softmax(const Call& call) {
  const View in = call.input(0), out = call.output();
  const uint32_t acc = compute_dtype(in.dtype);
  const Sequences sequences(call.kernels(), in, acc, [&](int axis) { return axis == in.rank - 1; });
  const int64_t n = sequences.length;
  if (sequences.count == 0 || n == 0) return;
  const Row row(sequences);
  const bool wide = acc != out.dtype;  // exponentials need room of their own
  parallel_for(call.threads(), sequences.count, 1 + kGrain / n, [&](int64_t begin, int64_t end) {
    char* memory = scratch(kRowScratch + (wide ? static_cast<size_t>(n * row.size) : 0));
    for (int64_t o = begin; o < end; ++o) {
      const char* start = sequences.start_of(o);
      char* target = out.data + ((o * n) << out.log2());
      char* e = wide ? memory + kRowScratch : target;
      alignas(8) char m[8], s[8];
      const void* last = row.find_max(start, memory, m);
      row.sum_exp(start, last, memory, m, e, s);
      invert(s, acc);
      row.row.multiply(n, e, s, e);
      if (wide) convert(call.kernels(), acc, out.dtype, n, e, target, nullptr);
    }
  });
}

}  // namespace ist::cpu
