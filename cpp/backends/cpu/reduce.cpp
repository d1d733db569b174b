// sum, prod, max, min, all and any.
#include <atomic>
#include <vector>

#include "backends/cpu/columns.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/streams.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

// Of accumulators in one lane, when lanes run across outputs: long rows suit the prefetcher, threads need pieces.
constexpr int64_t kColumnBytes = 4096, kColumnBytesMin = 512;
// Of sequences that are transposed at a time: few enough to be in the first-level cache still when they are stored,
// next to what is read; the second where that comes from memory.
constexpr int64_t kSlabBytes = 8 * 1024, kFarSlabBytes = 4 * 1024;
constexpr int64_t kTogetherAcross = 16;  // blocks of sequences that lie across memory that are taken at a time

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
  int64_t blocks() const { return (sequences.length + sequences.block() - 1) / sequences.block(); }

  size_t scratch_bytes() const {
    const int64_t panel = sequences.transposed() ? kTogetherAcross * kBlock + 2 * sequences.reduced.shape[1] : 0;
    return Sequences::kScratchBytes + static_cast<size_t>(panel) * 8;
  }

  // As few as can be where they may be the last ones that matter.
  int64_t together() const {
    if (sequences.transposed()) return kTogetherAcross;
    return reducer.deciding >= 0 ? 1 : kStreamedBlocks;
  }

  bool one_decides(int64_t n, const char* results) const {
    return reducer.deciding >= 0 && std::memchr(results, reducer.deciding, static_cast<size_t>(n)) != nullptr;
  }

  // The results of blocks [begin, end), together() of them at most.
  void some_blocks(const char* start, int64_t begin, int64_t end, char* memory, char* results) const {
    const auto size = [&](int64_t b) { return std::min(kBlock, sequences.length - b * kBlock); };
    if (!sequences.transposed()) {
      const int64_t streamed = suits_streams() ? in_streams(start, begin, end, results) : 0;
      results += streamed * acc_size;
      for (int64_t b = begin + streamed; b < end; ++b, results += acc_size) {
        if (is_in_place()) {
          rows(1, size(b), start + (b * kBlock * step() << sequences.in.log2()), 0, results);
        } else {
          reducer.block(sequences.load(start, b * kBlock, size(b), memory), size(b), results);
        }
      }
      return;
    }
    // All lines of them that hold a part, so that cache lines of the input are read once.
    const int64_t extent = sequences.reduced.shape[1], log2 = sequences.in.log2();
    const int64_t first = begin * kBlock / extent;
    const int64_t last = (std::min(end * kBlock, sequences.length) + extent - 1) / extent;
    char *converted = memory, *middle = memory + kBlock * 8, *panel = memory + Sequences::kScratchBytes;
    sequences.kernels.copy->transpose[log2](last - first, extent, panel, extent, start + (first << log2),
                                            sequences.reduced.strides[0][1]);
    for (int64_t b = begin; b < end; ++b, results += acc_size) {
      const char* x = panel + ((b * kBlock - first * extent) << log2);
      if (sequences.in.dtype != sequences.acc) {
        convert(sequences.kernels, sequences.in.dtype, sequences.acc, size(b), x, converted, middle);
        x = converted;
      }
      reducer.block(x, size(b), results);
    }
  }

  // The first of blocks [begin, end), from as many places as the kernels take rows in turns: more would be left and
  // come to again with each block. Returns how many.
  int64_t in_streams(const char* start, int64_t begin, int64_t end, char* results) const {
    return acc_size <= 4 ? in_places<kRowsInTurns<4>>(start, begin, end, results)
                         : in_places<kRowsInTurns<8>>(start, begin, end, results);
  }
  template <int64_t kPlaces>
  int64_t in_places(const char* start, int64_t begin, int64_t end, char* results) const {
    const int64_t each = (std::min(end, sequences.length / kBlock) - begin) / kPlaces;
    const int64_t block = kBlock * step();  // elements from one block to the next
    const char* first = start + (begin * block << sequences.in.log2());
    reduce_streams<kPlaces>(each, acc_size, results, [&](int64_t b, void* to) {
      rows(kPlaces, kBlock, first + (b * block << sequences.in.log2()), each * block, to);
    });
    return each * kPlaces;
  }

  // Every output by itself.
  void by_output() const {
    parallel_for(threads, sequences.count, 1 + kGrain / (sequences.length + 1), [&](int64_t begin, int64_t end) {
      char* memory = scratch(scratch_bytes());
      if (const int64_t pitch = row_pitch(); pitch != 0) {
        const char* x = sequences.in.data + ((begin * pitch) << sequences.in.log2());
        if (acc == out.dtype) return pitched_rows(end - begin, x, pitch, out.data + (begin << out.log2()));
        for (int64_t o = begin; o < end; ++o) {
          const int64_t n = std::min(kRows, end - o);
          pitched_rows(n, x + (((o - begin) * pitch) << sequences.in.log2()), pitch, memory);
          store(n, memory, out.data + (o << out.log2()));
          o += n - 1;
        }
        return;
      }
      if (converts_rows()) return converted_rows(begin, end, memory);
      for (int64_t o = begin; o < end; ++o) one_output(o, memory);
    });
  }

  void one_output(int64_t o, char* memory) const {
    alignas(8) char levels[Tree::kDepth * 8], results[kStreamedBlocks * 8];
    const char* start = sequences.start_of(o);
    Tree tree(reducer, levels, 1, acc_size);
    const int64_t n = blocks();
    bool decided = false;
    for (int64_t first = 0; first < n && !decided; first += together()) {
      const int64_t last = std::min(first + together(), n);
      some_blocks(start, first, last, memory, results);
      tree.push_each(results, last - first);
      decided = one_decides(last - first, results);
    }
    store(1, tree.finish(), out.data + (o << out.log2()));
  }

  // Few outputs, long sequences: threads share the blocks.
  void by_block() const {
    const int64_t n = blocks();
    std::vector<char> results(static_cast<size_t>(n * acc_size));
    for (int64_t o = 0; o < sequences.count; ++o) {
      const char* start = sequences.start_of(o);
      std::atomic<bool> decided = false;
      const auto reduce_blocks = [&](int64_t begin, int64_t end) {
        char* memory = scratch(scratch_bytes());
        for (int64_t b = begin; b < end && !decided.load(std::memory_order_relaxed); b += together()) {
          const int64_t last = std::min(b + together(), end);
          char* some = results.data() + b * acc_size;
          some_blocks(start, b, last, memory, some);
          if (one_decides(last - b, some)) decided = true;
        }
      };
      if (reducer.deciding >= 0) reduce_blocks(0, 1);  // threads may not be worth waking
      if (!decided) parallel_for(threads, n, kGrain / kBlock, reduce_blocks);
      char* target = out.data + (o << out.log2());
      if (decided) {
        *target = static_cast<char>(reducer.deciding);
        continue;
      }
      alignas(8) char levels[Tree::kDepth * 8];
      Tree tree(reducer, levels, 1, acc_size);
      tree.push_each(results.data(), n);
      store(1, tree.finish(), target);
    }
  }

  // Neighbouring outputs along kept dimension `across`: lanes are rows of accumulators, one for each output.
  void by_column(int across) const {
    const Columns columns(sequences, across, column_width(Columns::extent(sequences, across)));
    const int64_t row_bytes = columns.width() * acc_size, n = blocks();
    const size_t levels_bytes = static_cast<size_t>(Tree::kDepth * row_bytes);
    const size_t memory_bytes = static_cast<size_t>(kLanes * row_bytes) + columns.load_bytes();
    if (columns.count() < threads && n > 1) {
      std::vector<char> results(static_cast<size_t>(n * row_bytes)), levels(levels_bytes);
      for (int64_t i = 0; i < columns.count(); ++i) {
        const Columns::Piece piece = columns.piece(i);
        parallel_for(threads, n, 1 + kGrain / (columns.width() * sequences.block()), [&](int64_t begin, int64_t end) {
          char* memory = scratch(memory_bytes);
          for (int64_t b = begin; b < end; ++b) {
            column_block(columns, piece, b, memory, results.data() + b * outputs(piece) * acc_size);
          }
        });
        column_piece(columns, piece, levels.data(), [&](int64_t b, char* result) {
          const int64_t bytes = outputs(piece) * acc_size;
          std::memcpy(result, results.data() + b * bytes, static_cast<size_t>(bytes));
        });
      }
      return;
    }
    parallel_for(threads, columns.count(), 1 + kGrain / (columns.width() * sequences.length),
                 [&](int64_t begin, int64_t end) {
                   char* memory = scratch(memory_bytes + levels_bytes);
                   for (int64_t i = begin; i < end; ++i) {
                     const Columns::Piece piece = columns.piece(i);
                     column_piece(columns, piece, memory + memory_bytes,
                                  [&](int64_t b, char* result) { column_block(columns, piece, b, memory, result); });
                   }
                 });
  }

 private:
  static constexpr int64_t kRows = 64;
  static constexpr int64_t kAloneFrom = 128;  // elements of rows that are read one by one: their folds count for little

  int64_t outputs(const Columns::Piece& piece) const { return piece.width / sequences.neighbours; }

  int64_t column_width(int64_t extent) const {
    const int64_t outer = sequences.count * sequences.neighbours / extent;
    const int64_t wanted = (threads + outer - 1) / outer;  // pieces of each extent
    const int64_t share = (extent + wanted - 1) / wanted;
    const int64_t slab = is_from_memory() ? kFarSlabBytes : kSlabBytes;
    const int64_t widest = sequences.dense() ? slab / sequences.length : kColumnBytes;
    const int64_t width = std::clamp(share, kColumnBytesMin / acc_size, kColumnBytes / acc_size);
    const int64_t unit = sequences.neighbours;  // no output is in two pieces
    return (std::min(width, std::max(widest / acc_size / 16, int64_t{1}) * 16) + unit - 1) / unit * unit;
  }

  bool suits_streams() const { return sequences.kernels.reads_in_turns && is_in_place() && is_from_memory(); }

  // With what lies between elements; no, where sequences are not the same step through.
  bool is_from_memory() const { return (sequences.in.count() * step() << sequences.in.log2()) >= kFromMemory; }

  // From one element of a sequence to the next, where it is the same for all.
  int64_t step() const { return sequences.reduced.rank == 1 ? sequences.reduced.strides[0][0] : 0; }

  // Are elements reduced where they lie, without a copy or a conversion before?
  bool is_in_place() const {
    return sequences.in.dtype == sequences.acc && (step() == 1 || (step() == 2 && reducer.rows[1] != nullptr));
  }

  void rows(int64_t n_rows, int64_t n, const char* x, int64_t stride, void* results) const {
    reducer.rows[step() - 1](n_rows, n, x, stride, results);
  }

  void pitched_rows(int64_t n_rows, const char* x, int64_t pitch, char* results) const {
    if (sequences.kernels.reads_in_turns || sequences.length < kAloneFrom || !is_from_memory()) {
      return rows(n_rows, sequences.length, x, pitch, results);
    }
    for (int64_t r = 0; r < n_rows; ++r) {
      rows(1, sequences.length, x + ((r * pitch) << sequences.in.log2()), 0, results + r * acc_size);
    }
  }

  // Several rows are converted at once, as many as a block has room for.
  void converted_rows(int64_t begin, int64_t end, char* memory) const {
    const int64_t length = sequences.length, together = kBlock / length;
    for (int64_t o = begin; o < end; o += together) {
      const int64_t n = std::min(together, end - o);
      const void* x = sequences.load(sequences.in.data, o * length, n * length, memory);
      reducer.rows[0](n, length, x, length, out.data + (o << out.log2()));
    }
  }

  bool converts_rows() const { return sequences.gapless() && sequences.length <= kBlock && acc == out.dtype; }

  // The elements from one output's sequence to the next one's, where sequences are single blocks in place; otherwise 0.
  int64_t row_pitch() const {
    return is_in_place() && sequences.length <= kBlock && sequences.kept.rank == 1 ? sequences.kept.strides[0][0] : 0;
  }

  // n rows to the lanes, from lane 0 on, several at a time for each lane.
  void add_rows(const char* rows, int64_t stride, int64_t n, int64_t width, char* lanes) const {
    const int64_t row_bytes = stride * (int64_t{1} << size_log2(sequences.acc)), round = sequences.lanes();
    if (stride == width) {  // the rows of a round are one row
      const int64_t rounds = n / round, rest = n % round;
      reducer.columns(round * width, lanes, rows, round * width, rounds);
      reducer.columns(rest * width, lanes, rows + rounds * round * row_bytes, 0, 1);
      return;
    }
    for (int64_t first = 0; first < n; first += kRowsTogether * round) {
      const int64_t n_lanes = std::min(n - first, round);
      for (int64_t lane = 0; lane < n_lanes; ++lane) {
        const int64_t row = first + lane, n_rows = std::min<int64_t>(kRowsTogether, (n - row + round - 1) / round);
        reducer.columns(width, lanes + lane * width * acc_size, rows + row * row_bytes, round * stride, n_rows);
      }
    }
  }

  // What the first round of rows makes of the lanes.
  void start_lanes(const char* rows, int64_t stride, int64_t n, int64_t width, char* lanes) const {
    const int64_t row_bytes = stride * (int64_t{1} << size_log2(sequences.acc));
    if (stride == width) return reducer.fold_rows(n * width, lanes, rows, 0, 1);
    for (int64_t j = 0; j < n; ++j) reducer.fold_rows(width, lanes + j * width * acc_size, rows + j * row_bytes, 0, 1);
  }

  // Sequences with a lane for each element: the first two steps of the fold at once.
  void fold_short(const Columns::Slab& slab, int64_t n, int64_t width, char* lanes) const {
    constexpr int64_t kKept = kLanes / 4;
    const int64_t row_bytes = slab.stride * (int64_t{1} << size_log2(sequences.acc));
    const int64_t n_lanes = std::min(n, kKept);
    for (int64_t j = 0; j < n_lanes; ++j) {
      reducer.fold_rows(width, lanes + j * width * acc_size, slab.data + j * row_bytes, kKept * slab.stride,
                        (n - j + kKept - 1) / kKept);
    }
    fold_lanes(reducer, n_lanes, width, width * acc_size, lanes);
  }

  // The fold of lanes first, first + step, ... of n rows. Depth first: what has been folded is in the first-level
  // cache.
  void fold_some(const Columns::Slab& slab, int64_t n, int64_t width, int64_t first, int64_t step, char* result) const {
    if (step == kLanes) {
      const int64_t row_bytes = slab.stride * (int64_t{1} << size_log2(sequences.acc));
      reducer.fold_rows(width, result, slab.data + first * row_bytes, 0, 1);
      reducer.columns(width, result, slab.data + (first + kLanes) * row_bytes, kLanes * slab.stride,
                      (n - first - 1) / kLanes);
      return;
    }
    fold_some(slab, n, width, first, 2 * step, result);
    if (first + step >= n) return;
    char* other = result + width * acc_size;
    fold_some(slab, n, width, first + step, 2 * step, other);
    reducer.combine(width, result, other);
  }

  void column_block(const Columns& columns, const Columns::Piece& piece, int64_t b, char* lanes, char* result) const {
    const int64_t width = piece.width, lane_bytes = width * acc_size;
    const int64_t block = sequences.block(), loaded = columns.in_place() ? block : Columns::kPositions;
    const int64_t start = b * block, end = std::min(start + block, sequences.length);
    const int64_t n_started = std::min(end - start, sequences.lanes());
    const int64_t n_lanes = reducer.is_neutral ? n_started : sequences.lanes();
    char* memory = lanes + kLanes * columns.width() * acc_size;
    const bool has_gaps = !columns.is_gapless(width), shares_lanes = sequences.neighbours > 1;
    if (reducer.is_exact && has_gaps && !shares_lanes) {
      reducer.identity(width, result);
      for (int64_t begin = start; begin < end; begin += loaded) {
        const int64_t n = std::min(loaded, end - begin);
        const Columns::Slab slab = columns.load(piece, begin, n, memory);
        reducer.columns(width, result, slab.data, slab.stride, n);
      }
      return;
    }
    if (end <= kLanes && reducer.is_neutral && !shares_lanes) {
      fold_short(columns.load(piece, 0, end, memory), end, width, lanes);
      std::memcpy(result, lanes, static_cast<size_t>(lane_bytes));
      return;
    }
    const bool is_short = end <= std::min(loaded, kRowsTogether * kLanes) && end >= n_lanes;
    if (is_short && has_gaps && !shares_lanes) {
      fold_some(columns.load(piece, 0, end, memory), end, width, 0, 1, lanes);
      std::memcpy(result, lanes, static_cast<size_t>(lane_bytes));
      return;
    }
    for (int64_t begin = start; begin < end; begin += loaded) {
      const int64_t n = std::min(loaded, end - begin), started = begin == start ? n_started : 0;
      const Columns::Slab slab = columns.load(piece, begin, n, memory);
      start_lanes(slab.data, slab.stride, started, width, lanes);
      const char* rest = slab.data + started * slab.stride * (int64_t{1} << size_log2(sequences.acc));
      add_rows(rest, slab.stride, n - started, width, lanes);
    }
    reducer.identity((n_lanes - n_started) * width, lanes + n_started * lane_bytes);
    fold_lanes(reducer, n_lanes, width, lane_bytes, lanes);
    fold_neighbours(sequences.kernels, reducer, size_log2(acc), sequences.neighbours, outputs(piece), lanes, memory);
    std::memcpy(result, lanes, static_cast<size_t>(outputs(piece) * acc_size));
  }

  template <class Block>
  void column_piece(const Columns& columns, const Columns::Piece& piece, char* levels, Block&& block) const {
    const int64_t n = outputs(piece);
    Tree tree(reducer, levels, n, acc_size);
    for (int64_t b = 0; b < blocks(); ++b) {
      block(b, tree.next());
      tree.push();
    }
    const char* result = tree.finish();
    char* target = out.data + (piece.to << out.log2());
    if (columns.out_stride() == 1) return store(n, result, target);
    char* stored = levels + n * acc_size;
    store(n, result, stored);
    sequences.kernels.copy->strided[out.log2()](n, target, columns.out_stride(), stored, 1);
  }
};

bool is_extreme(const Call& call) {
  const ReduceKind kind = reduce_kind(call.node.op);
  return kind == kMax || kind == kMin;
}

Sequences sequences_of(const Call& call, bool in_any_order) {
  const auto& attrs = call.attrs<ist_axes_attrs>();
  const auto is_reduced = [&](int axis) {
    return std::find(attrs.axes, attrs.axes + attrs.n_axes, axis) != attrs.axes + attrs.n_axes;
  };
  return Sequences(call.kernels(), call.input(0), compute_dtype(call.output().dtype), is_reduced, in_any_order);
}

// There are kernels of half types, which convert on the way.
bool are_halves(const Sequences& sequences) { return sequences.acc == IST_FLOAT32 && is_half(sequences.in.dtype); }
void load_halves(Sequences& sequences) {
  if (are_halves(sequences)) sequences.acc = sequences.in.dtype;
}

// Sequences that are rows of memory, several of which a kernel takes at once.
bool are_rows(const Sequences& sequences) {
  const bool in_place = sequences.in.dtype == sequences.acc || are_halves(sequences);
  if (!in_place) return sequences.gapless();
  return sequences.dense() && sequences.kept.rank == 1 && sequences.kept.strides[0][0] != 0;
}

// Sequences up to this length are better transposed, each element with a lane of its own: 32, or 31 for rows that a
// kernel folds, or 1 where it has a way for those of up to kFewElements.
int64_t longest_transposed(const Call& call, const Sequences& sequences) {
  if (!are_rows(sequences)) return kLanes;
  const Reducer& reducer = call.kernels().reduce->fn[reduce_kind(call.node.op)][sequences.acc];
  const bool few = sequences.length <= kFewElements && sequences.in.dtype == sequences.acc && reducer.is_neutral;
  return few ? 1 : kLanes - 1;
}

Reduction reduction_of(const Call& call, const Sequences& sequences) {
  const View out = call.output();
  const uint32_t acc = compute_dtype(out.dtype);
  const Reducer& reducer = call.kernels().reduce->fn[reduce_kind(call.node.op)][sequences.acc];
  return {sequences, reducer, out, call.threads(), acc, int64_t{1} << size_log2(acc)};
}

// Over sequences in memory order, if they may be in any; returns whether that is another one than the contract's.
bool reduce(const Call& call, bool in_any_order) {
  Sequences sequences = sequences_of(call, in_any_order);
  if (sequences.count == 0) return false;
  int across = sequences.column_dimension(true);
  if (across < 0) across = sequences.split_columns();
  const int transposed = across < 0 ? sequences.short_dimension(longest_transposed(call, sequences)) : -1;
  if (transposed >= 0) {
    across = transposed;
  } else {
    load_halves(sequences);
  }
  const Reduction reduction = reduction_of(call, sequences);
  if (sequences.length == 0) {
    if (is_extreme(call)) fail(Code::value, "", "an empty sequence has no largest or smallest element");
    alignas(8) char identity[8];
    reduction.reducer.identity(1, identity);
    const View& out = reduction.out;
    for (int64_t i = 0; i < sequences.count; ++i) reduction.store(1, identity, out.data + (i << out.log2()));
    return false;
  }
  const bool shares = call.threads() > 1 && sequences.count < call.threads() && sequences.length >= 2 * kGrain;
  if (across >= 0) {
    reduction.by_column(across);
  } else if (shares) {
    reduction.by_block();
  } else {
    reduction.by_output();
  }
  return sequences.reordered;
}

// Of either sign.
template <class Bits>
std::vector<int64_t> zeros_of(const View& x) {
  constexpr int64_t kTogether = 512;
  const Bits* bits = reinterpret_cast<const Bits*>(x.data);
  std::vector<int64_t> zeros;
  for (int64_t begin = 0; begin < x.count(); begin += kTogether) {
    const int64_t end = std::min(begin + kTogether, x.count());
    const auto is_zero = [](Bits b) { return static_cast<Bits>(b << 1) == 0; };
    int n = 0;
    for (int64_t i = begin; i < end; ++i) n += is_zero(bits[i]) ? 1 : 0;
    for (int64_t i = begin; i < end && n > 0; ++i) {
      if (is_zero(bits[i])) zeros.push_back(i);
    }
  }
  return zeros;
}

// Reduces once more what has become zero, in the contract's order.
void repeat_zeros(const Call& call) {
  constexpr int64_t kMany = 8;  // a part of the outputs for which all are done again, together
  const View out = call.output();
  const std::vector<int64_t> zeros = out.log2() == 1   ? zeros_of<uint16_t>(out)
                                     : out.log2() == 2 ? zeros_of<uint32_t>(out)
                                                       : zeros_of<uint64_t>(out);
  const auto n = static_cast<int64_t>(zeros.size());
  if (n > out.count() / kMany) {
    reduce(call, false);
    return;
  }
  Sequences sequences = sequences_of(call, false);
  load_halves(sequences);
  const Reduction reduction = reduction_of(call, sequences);
  parallel_for(call.threads(), n, 1 + kGrain / sequences.length, [&](int64_t begin, int64_t end) {
    char* memory = scratch(reduction.scratch_bytes());
    for (int64_t i = begin; i < end; ++i) reduction.one_output(zeros[static_cast<size_t>(i)], memory);
  });
}

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
  const uint32_t dtype = call.output().dtype;
  const bool is_real = is_half(dtype) || dtype == IST_FLOAT32 || dtype == IST_FLOAT64;
  if (is_real && is_extreme(call)) {
    // Which of two zeros an extreme is depends on the order, and nothing else does.
    if (reduce(call, true)) repeat_zeros(call);
  } else {
    reduce(call, !is_real && dtype != IST_COMPLEX64);
  }
}

}  // namespace ist::cpu
