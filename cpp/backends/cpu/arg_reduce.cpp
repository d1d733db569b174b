// argmax and argmin.
#include <atomic>
#include <vector>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kColumns = 512;  // outputs that are walked together

struct ArgReduction {
  const Sequences& sequences;
  const ArgReducer& reducer;
  uint32_t* result;
  int threads;

  // Elements [begin, end) of the sequence at `start`, where begin starts a block, or those up to the first block after
  // which no others matter: because of one in it, which is what is returned, or because `stops` says so.
  template <class Stops>
  bool range(const char* start, int64_t begin, int64_t end, char* memory, char* best, uint32_t* index,
             Stops&& stops) const {
    bool ends = false;
    const bool together = sequences.dense() && sequences.in.dtype == sequences.acc;
    int64_t n = 0;
    for (int64_t b = begin; b < end && !ends && !stops(); b += n) {
      const bool is_long = together && end - b >= kArgTogether;
      const auto step = is_long ? reducer.long_steps[sequences.kernels.reads_in_turns ? 1 : 0] : reducer.step;
      n = is_long ? kArgTogether : std::min(kBlock, end - b);
      // Base 0 initialises, so a range counts from itself until it is done.
      ends = step(sequences.load(start, b, n, memory), n, b - begin, best, index);
    }
    *index += static_cast<uint32_t>(begin);
    return ends;
  }

  // The elements from one output's sequence to the next one's, where the kernel takes many of them; otherwise 0.
  int64_t row_pitch() const {
    if (!sequences.dense() || sequences.length > kBlock || sequences.kept.rank != 1) return 0;
    const int64_t pitch = sequences.kept.strides[0][0];
    return sequences.in.dtype == sequences.acc || pitch == sequences.length ? pitch : 0;
  }

  void by_row(int64_t pitch) const {
    const View& in = sequences.in;
    const int64_t length = sequences.length, together = kBlock / length;
    parallel_for(threads, sequences.count, 1 + kGrain / length, [&](int64_t begin, int64_t end) {
      char* memory = scratch(Sequences::kScratchBytes);
      for (int64_t o = begin; o < end; o += together) {
        const int64_t n = std::min(together, end - o);
        const char* x = in.data + o * pitch * (int64_t{1} << in.log2());
        if (in.dtype != sequences.acc) {
          convert(sequences.kernels, in.dtype, sequences.acc, n * length, x, memory, memory + kBlock * 8);
          x = memory;
        }
        reducer.rows(n, length, x, pitch, &result[o]);
      }
    });
  }

  // Every output by itself.
  void by_output() const {
    parallel_for(threads, sequences.count, 1 + kGrain / sequences.length, [&](int64_t begin, int64_t end) {
      char* memory = scratch(Sequences::kScratchBytes);
      alignas(8) char best[8] = {};
      for (int64_t o = begin; o < end; ++o) {
        range(sequences.start_of(o), 0, sequences.length, memory, best, &result[o], [] { return false; });
      }
    });
  }

  // Has the first block an element after which no others matter? Then threads are not worth waking.
  bool ends_at_once(const char* start, uint32_t* index) const {
    alignas(8) char best[8];
    return range(start, 0, kBlock, scratch(Sequences::kScratchBytes), best, index, [] { return false; });
  }

  // Few outputs, long sequences: threads share the pieces, whose best elements then meet in ascending order.
  void by_piece() const {
    struct Piece {
      alignas(8) char best[8] = {};
      uint32_t index = 0;
    };
    const int64_t share = std::max(kGrain, (sequences.length / threads / kBlock + 1) * kBlock);
    std::vector<Piece> pieces(static_cast<size_t>((sequences.length + share - 1) / share));
    for (int64_t o = 0; o < sequences.count; ++o) {
      const char* start = sequences.start_of(o);
      if (ends_at_once(start, &result[o])) continue;
      const int64_t n_pieces = static_cast<int64_t>(pieces.size());
      std::atomic<int64_t> last = n_pieces - 1;  // piece that matters
      parallel_for(threads, n_pieces, 1, [&](int64_t begin, int64_t end) {
        char* memory = scratch(Sequences::kScratchBytes);
        for (int64_t i = begin; i < end; ++i) {
          const int64_t stop = std::min(sequences.length, (i + 1) * share);
          const auto stops = [&] { return last.load(std::memory_order_relaxed) < i; };
          if (!range(start, i * share, stop, memory, pieces[i].best, &pieces[i].index, stops)) continue;
          int64_t old = last;
          while (i < old && !last.compare_exchange_weak(old, i)) {
          }
        }
      });
      Piece first = pieces[0];
      for (int64_t i = 1; i <= last; ++i) {
        reducer.step(pieces[i].best, 1, pieces[i].index, first.best, &first.index);
      }
      result[o] = first.index;
    }
  }

  // Outputs along kept dimension `across`, whose elements are neighbours in memory, together.
  void by_column(int across) const {
    const Nest<2>& kept = sequences.kept;
    const Nest<1>& reduced = sequences.reduced;
    Nest<2> outer;
    for (int i = 0; i < kept.rank; ++i) {
      if (i != across) outer.add(kept.shape[i], kept.strides[0][i], kept.strides[1][i]);
    }
    outer.finish();
    const int64_t extent = kept.shape[across], out_stride = kept.strides[1][across];
    const int64_t width_max = std::min(extent, kColumns);
    const int64_t pieces = (extent + width_max - 1) / width_max;
    const int in_log2 = sequences.in.log2();
    parallel_for(threads, outer.count() * pieces, 1 + kGrain / (width_max * sequences.length),
                 [&](int64_t begin, int64_t end) {
                   alignas(64) char best[kColumns * 8], converted[kColumns * 8], middle[kColumns * 8];
                   uint32_t index[kColumns];
                   for (int64_t task = begin; task < end; ++task) {
                     const int64_t column = task % pieces * width_max, at = task / pieces;
                     const int64_t width = std::min(width_max, extent - column);
                     const int64_t from = offset_at(at, outer.rank, outer.shape, outer.strides[0]) + column;
                     const int64_t to = offset_at(at, outer.rank, outer.shape, outer.strides[1]) + column * out_stride;
                     for (int64_t j = 0; j < sequences.length; ++j) {
                       const int64_t row = offset_at(j, reduced.rank, reduced.shape, reduced.strides[0]);
                       const void* x = sequences.in.data + (from + row) * (int64_t{1} << in_log2);
                       if (sequences.in.dtype != sequences.acc) {
                         convert(sequences.kernels, sequences.in.dtype, sequences.acc, width, x, converted, middle);
                         x = converted;
                       }
                       reducer.row(x, width, j, best, index);
                     }
                     for (int64_t i = 0; i < width; ++i) result[to + i * out_stride] = index[i];
                   }
                 });
  }
};

}  // namespace

void run_arg_reduce(const Call& call) {
  const auto& attrs = call.attrs<ist_axis_attrs>();
  const View in = call.input(0), out = call.output();
  const uint32_t acc = compute_dtype(in.dtype);
  const Sequences sequences(call.kernels(), in, acc,
                            [&](int axis) { return attrs.has_axis == 0 || axis == attrs.axis; });
  if (sequences.count == 0) return;
  if (sequences.length == 0) fail(Code::value, "", "an empty sequence has no largest or smallest element");
  const bool minimum = call.node.op == static_cast<uint32_t>(Op::argmin);
  const ArgReducer& reducer = call.kernels().arg_reduce->fn[minimum ? 1 : 0][acc];
  const ArgReduction reduction = {sequences, reducer, reinterpret_cast<uint32_t*>(out.data), call.threads()};
  if (const int across = sequences.column_dimension(); across >= 0) return reduction.by_column(across);
  if (const int64_t pitch = reduction.row_pitch(); pitch != 0) return reduction.by_row(pitch);
  const bool shares = call.threads() > 1 && sequences.count < call.threads() && sequences.length >= 2 * kGrain;
  if (shares) {
    reduction.by_piece();
  } else {
    reduction.by_output();
  }
}

}  // namespace ist::cpu
