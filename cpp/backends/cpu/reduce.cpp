// sum, prod, max, min, all and any.
#include <vector>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 64 * 1024;  // elements that are worth another thread
// Of accumulators in one lane, when lanes run across outputs: long rows suit the prefetcher, threads need pieces.
constexpr int64_t kColumnBytes = 4096, kColumnBytesMin = 512;

struct Reduction {
  const Sequences& sequences;
  const Reducer& reducer;  // of elements as `sequences` loads them
  View out;
  int threads;
  uint32_t acc;  // dtype of accumulators
  int64_t acc_size;

  void store(int64_t n, const void* result, char* to) const {
    if (acc == out.dtype) {
      std::memcpy(to, result, static_cast<size_t>(n) << out.log2());
    } else {
      sequences.kernels.cast->fn[acc][out.dtype](n, to, &result);
    }
  }
  int64_t blocks() const { return (sequences.length + kBlock - 1) / kBlock; }

  void block(const char* start, int64_t b, char* memory, char* result) const {
    const int64_t n = std::min(kBlock, sequences.length - b * kBlock);
    reducer.block(sequences.load(start, b * kBlock, n, memory), n, result);
  }

  // Every output by itself.
  void by_output() const {
    parallel_for(threads, sequences.count, 1 + kGrain / (sequences.length + 1), [&](int64_t begin, int64_t end) {
      char* memory = scratch(Sequences::kScratchBytes);
      alignas(8) char levels[Tree::kDepth * 8];
      if (const int64_t pitch = row_pitch(); pitch != 0) {
        for (int64_t o = begin; o < end; ++o) {
          const int64_t n = std::min(kRows, end - o);
          reducer.rows(n, sequences.length, sequences.in.data + ((o * pitch) << sequences.in.log2()), pitch, memory);
          store(n, memory, out.data + (o << out.log2()));
          o += n - 1;
        }
        return;
      }
      for (int64_t o = begin; o < end; ++o) {
        const char* start = sequences.start_of(o);
        Tree tree(reducer, levels, 1, acc_size);
        const int64_t n = blocks();
        for (int64_t b = 0; b < n; ++b) {
          block(start, b, memory, tree.next());
          tree.push();
        }
        store(1, tree.finish(), out.data + (o << out.log2()));
      }
    });
  }

  // Few outputs, long sequences: threads share the blocks.
  void by_block() const {
    const int64_t n = blocks();
    std::vector<char> results(static_cast<size_t>(n * acc_size));
    for (int64_t o = 0; o < sequences.count; ++o) {
      const char* start = sequences.start_of(o);
      parallel_for(threads, n, kGrain / kBlock, [&](int64_t begin, int64_t end) {
        char* memory = scratch(Sequences::kScratchBytes);
        for (int64_t b = begin; b < end; ++b) block(start, b, memory, results.data() + b * acc_size);
      });
      alignas(8) char levels[Tree::kDepth * 8];
      Tree tree(reducer, levels, 1, acc_size);
      for (int64_t b = 0; b < n; ++b) {
        std::memcpy(tree.next(), results.data() + b * acc_size, static_cast<size_t>(acc_size));
        tree.push();
      }
      store(1, tree.finish(), out.data + (o << out.log2()));
    }
  }

  // Neighbouring outputs along kept dimension `across`, whose elements are neighbours in memory: lanes are rows of
  // accumulators, one for each output.
  void by_column(int across) const {
    const Nest<2>& kept = sequences.kept;
    Nest<2> outer;
    for (int i = 0; i < kept.rank; ++i) {
      if (i != across) outer.add(kept.shape[i], kept.strides[0][i], kept.strides[1][i]);
    }
    outer.finish();
    const int64_t extent = kept.shape[across], out_stride = kept.strides[1][across];
    const int64_t width_max = column_width(outer.count(), extent);
    const int64_t pieces = (extent + width_max - 1) / width_max;
    const int64_t work = width_max * sequences.length;
    parallel_for(threads, outer.count() * pieces, 1 + kGrain / work, [&](int64_t begin, int64_t end) {
      const size_t row_bytes = static_cast<size_t>(width_max * std::max<int64_t>(acc_size, 4));
      char* lanes = scratch(row_bytes * (kLanes + Tree::kDepth + 2));
      char* levels = lanes + kLanes * row_bytes;
      char* converted = levels + Tree::kDepth * row_bytes;
      char* middle = converted + row_bytes;
      for (int64_t task = begin; task < end; ++task) {
        const int64_t column = task % pieces * width_max;
        const int64_t width = std::min(width_max, extent - column);
        const int64_t at = task / pieces;
        const int64_t from = offset_at(at, outer.rank, outer.shape, outer.strides[0]) + column;
        const int64_t to = offset_at(at, outer.rank, outer.shape, outer.strides[1]) + column * out_stride;
        column_piece(from, to, width, out_stride, lanes, levels, converted, middle);
      }
    });
  }

 private:
  static constexpr int64_t kRows = 64;

  int64_t column_width(int64_t outer, int64_t extent) const {
    const int64_t wanted = (threads + outer - 1) / outer;  // pieces of each extent
    const int64_t share = (extent + wanted - 1) / wanted;
    return std::min(extent, std::clamp(share, kColumnBytesMin / acc_size, kColumnBytes / acc_size));
  }

  // The elements from one output's sequence to the next one's, where sequences are single blocks that need no
  // conversion; otherwise 0.
  int64_t row_pitch() const {
    const bool plain = sequences.dense() && sequences.length <= kBlock && sequences.in.dtype == sequences.acc;
    return plain && sequences.kept.rank == 1 ? sequences.kept.strides[0][0] : 0;
  }

  // Rows [start, start + n) to the lanes, several at a time where they are equally far apart.
  void add_rows(int64_t from, int64_t start, int64_t n, int64_t width, char* lanes) const {
    const int64_t stride = sequences.reduced.strides[0][0], lane_bytes = width * acc_size;
    for (int64_t first = 0; first < n; first += kRowsTogether * kLanes) {
      const int64_t n_lanes = std::min(n - first, kLanes);
      for (int64_t lane = 0; lane < n_lanes; ++lane) {
        const int64_t row = first + lane, n_rows = std::min<int64_t>(kRowsTogether, (n - row + kLanes - 1) / kLanes);
        const char* x = sequences.in.data + ((from + (start + row) * stride) << sequences.in.log2());
        reducer.columns(width, lanes + lane * lane_bytes, x, kLanes * stride, n_rows);
      }
    }
  }

  void add_uneven_rows(int64_t from, int64_t start, int64_t n, int64_t width, char* lanes, char* converted,
                       char* middle) const {
    const Nest<1>& reduced = sequences.reduced;
    const int last = reduced.rank - 1;
    const int64_t inner = reduced.shape[last], lane_bytes = width * acc_size;
    int64_t along = start % inner;
    int64_t row = offset_at(start, reduced.rank, reduced.shape, reduced.strides[0]);
    for (int64_t j = 0; j < n; ++j) {
      const void* x = sequences.in.data + (from + row) * (int64_t{1} << sequences.in.log2());
      if (sequences.in.dtype != sequences.acc) {
        convert(sequences.kernels, sequences.in.dtype, sequences.acc, width, x, converted, middle);
        x = converted;
      }
      reducer.columns(width, lanes + j % kLanes * lane_bytes, x, 0, 1);
      row += reduced.strides[0][last];
      if (++along == inner) {
        along = 0;
        row = offset_at(start + j + 1, reduced.rank, reduced.shape, reduced.strides[0]);
      }
    }
  }

  void column_piece(int64_t from, int64_t to, int64_t width, int64_t out_stride, char* lanes, char* levels,
                    char* converted, char* middle) const {
    const int64_t lane_bytes = width * acc_size;
    const bool even = sequences.reduced.rank == 1 && sequences.in.dtype == sequences.acc;
    Tree tree(reducer, levels, width, acc_size);
    for (int64_t start = 0; start < sequences.length; start += kBlock) {
      const int64_t n = std::min(kBlock, sequences.length - start);
      int64_t lanes_used = std::min(n, kLanes);
      reducer.identity(lanes_used * width, lanes);
      if (even) {
        add_rows(from, start, n, width, lanes);
      } else {
        add_uneven_rows(from, start, n, width, lanes, converted, middle);
      }
      for (int64_t half = kLanes / 2; half > 0; half /= 2) {
        if (lanes_used <= half) continue;
        reducer.combine((lanes_used - half) * width, lanes, lanes + half * lane_bytes);
        lanes_used = half;
      }
      std::memcpy(tree.next(), lanes, static_cast<size_t>(lane_bytes));
      tree.push();
    }
    const char* result = tree.finish();
    char* target = out.data + (to << out.log2());
    if (out_stride == 1) return store(width, result, target);
    store(width, result, lanes);
    sequences.kernels.copy->strided[out.log2()](width, target, out_stride, lanes, 1);
  }
};

}  // namespace

ReduceKind reduce_kind(uint32_t op) {
  switch (static_cast<Op>(op)) {
    case Op::sum:
      return kSum;
    case Op::prod:
      return kProd;
    case Op::max:
      return kMax;
    case Op::min:
      return kMin;
    case Op::all:
      return kAll;
    default:
      return kAny;
  }
}

void run_reduce(const Call& call) {
  const auto& attrs = call.attrs<ist_axes_attrs>();
  const View in = call.input(0), out = call.output();
  const ReduceKind kind = reduce_kind(call.node.op);
  const uint32_t acc = compute_dtype(out.dtype);
  // There are kernels of half types, which convert on the way.
  const uint32_t loaded = acc == IST_FLOAT32 && is_half(in.dtype) ? in.dtype : acc;
  const Sequences sequences(call.kernels(), in, loaded, [&](int axis) {
    return std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) != attrs.axes + attrs.n_axes;
  });
  if (sequences.count == 0) return;
  const Reducer& reducer = call.kernels().reduce->fn[kind][loaded];
  const int64_t acc_size = int64_t{1} << size_log2(acc);
  const Reduction reduction = {sequences, reducer, out, call.threads(), acc, acc_size};
  if (sequences.length == 0) {
    if (kind == kMax || kind == kMin) fail(Code::value, "", "an empty sequence has no largest or smallest element");
    alignas(8) char identity[8];
    reducer.identity(1, identity);
    for (int64_t i = 0; i < sequences.count; ++i) reduction.store(1, identity, out.data + (i << out.log2()));
    return;
  }
  if (const int across = sequences.column_dimension(); across >= 0) return reduction.by_column(across);
  const bool shares = call.threads() > 1 && sequences.count < call.threads() && sequences.length >= 2 * kGrain;
  if (shares) {
    reduction.by_block();
  } else {
    reduction.by_output();
  }
}

}  // namespace ist::cpu
