// softmax and logsumexp: the reductions of reduce.cpp, and passes of exp between them.
#include <cmath>
#include <limits>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // elements that are worth another thread

// Rows in the accumulator type T.
template <class T>
struct Row {
  const Sequences& sequences;
  const Reducer& max;
  const Reducer& sum;
  const RowKernels& row;

  explicit Row(const Sequences& s)
      : sequences(s),
        max(s.kernels.reduce->fn[kMax][s.acc]),
        sum(s.kernels.reduce->fn[kSum][s.acc]),
        row(s.kernels.row->fn[sizeof(T) == 8 ? 1 : 0]) {}

  // `memory` is kRowScratch bytes. Returns the last block, which is the whole row of up to kBlock elements. A NaN need
  // not be found here if the row has a finite element: it shows in the sum. The order of a maximum never does.
  const void* find_max(const char* start, char* memory, T& m) const {
    const void* x = nullptr;
    m = -std::numeric_limits<T>::infinity();
    for (int64_t b = 0; b < sequences.length; b += kBlock) {
      const int64_t n = std::min(kBlock, sequences.length - b);
      x = sequences.load(start, b, n, memory);
      T largest;
      row.largest(n, x, &largest);
      m = std::max(m, largest);
    }
    return x;
  }
  // NaN if there is one, else the largest element.
  T find_max_or_nan(const char* start, char* memory) const {
    T m = -std::numeric_limits<T>::infinity();
    for (int64_t b = 0; b < sequences.length; b += kBlock) {
      const int64_t n = std::min(kBlock, sequences.length - b);
      T largest;
      max.block(sequences.load(start, b, n, memory), n, &largest);
      max.combine(1, &m, &largest);
    }
    return m;
  }
  // The sum of exp(x - m); `last` is what find_max returned. The exponentials stay in `kept`, if it is not null.
  T sum_exp(const char* start, const void* last, char* memory, T m, char* kept) const {
    alignas(8) char levels[Tree::kDepth * 8];
    Tree tree(sum, levels, 1, sizeof(T));
    for (int64_t b = 0; b < sequences.length; b += kBlock) {
      const int64_t n = std::min(kBlock, sequences.length - b);
      const void* x = sequences.length <= kBlock ? last : sequences.load(start, b, n, memory);
      char* e = kept != nullptr ? kept + b * static_cast<int64_t>(sizeof(T)) : memory + Sequences::kScratchBytes;
      row.exp_sum(n, x, &m, e, tree.next());
      tree.push();
    }
    T total;
    std::memcpy(&total, tree.finish(), sizeof(T));
    return total;
  }
};

constexpr size_t kRowScratch = Sequences::kScratchBytes + kBlock * 8;

template <class T>
void logsumexp(const Call& call, const Sequences& sequences) {
  const View out = call.output();
  const Row<T> row(sequences);
  parallel_for(call.threads(), sequences.count, 1 + kGrain / sequences.length, [&](int64_t begin, int64_t end) {
    char* memory = scratch(kRowScratch);
    for (int64_t o = begin; o < end; ++o) {
      const char* start = sequences.start_of(o);
      T m, result;
      const void* last = row.find_max(start, memory, m);
      if (std::isfinite(m)) {
        const T s = row.sum_exp(start, last, memory, m, nullptr);
        row.row.log_add(&s, &m, &result);
      } else {
        result = row.find_max_or_nan(start, memory);
      }
      convert(call.kernels(), sequences.acc, out.dtype, 1, &result, out.data + (o << out.log2()), nullptr);
    }
  });
}

template <class T>
void softmax(const Call& call, const Sequences& sequences) {
  const View out = call.output();
  const int64_t n = sequences.length;
  const Row<T> row(sequences);
  const bool wide = sequences.acc != out.dtype;  // exponentials need room of their own
  parallel_for(call.threads(), sequences.count, 1 + kGrain / n, [&](int64_t begin, int64_t end) {
    char* memory = scratch(kRowScratch + (wide ? static_cast<size_t>(n) * sizeof(T) : 0));
    for (int64_t o = begin; o < end; ++o) {
      const char* start = sequences.start_of(o);
      char* target = out.data + ((o * n) << out.log2());
      char* e = wide ? memory + kRowScratch : target;
      T m;
      const void* last = row.find_max(start, memory, m);
      const T inverse = T(1) / row.sum_exp(start, last, memory, m, e);
      row.row.multiply(n, e, &inverse, e);
      if (wide) convert(call.kernels(), sequences.acc, out.dtype, n, e, target, nullptr);
    }
  });
}

}  // namespace

void run_logsumexp(const Call& call) {
  const auto& attrs = call.attrs<ist_axes_attrs>();
  const View in = call.input(0);
  const Sequences sequences(call.kernels(), in, compute_dtype(in.dtype), [&](int axis) {
    return std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) != attrs.axes + attrs.n_axes;
  });
  if (sequences.count == 0) return;
  if (sequences.length == 0) fail(Code::value, "", "an empty sequence has no largest or smallest element");
  return sequences.acc == IST_FLOAT64 ? logsumexp<double>(call, sequences) : logsumexp<float>(call, sequences);
}

void run_softmax(const Call& call) {
  const View in = call.input(0);
  const Sequences sequences(call.kernels(), in, compute_dtype(in.dtype), [&](int axis) { return axis == in.rank - 1; });
  if (sequences.count == 0 || sequences.length == 0) return;
  return sequences.acc == IST_FLOAT64 ? softmax<double>(call, sequences) : softmax<float>(call, sequences);
}

}  // namespace ist::cpu
