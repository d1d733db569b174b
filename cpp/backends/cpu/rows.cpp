// softmax and logsumexp: the reductions of reduce.cpp, and passes of exp between them.
#include <cmath>
#include <limits>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/columns.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kRowGrain = kGrain / 4;  // elements that are worth another thread

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

// A row, or several short ones that lie one after another: one step of all of them before the next step of any, or each
// would wait for its maximum and its sum.
template <class T>
struct RowsTogether {
  static constexpr int64_t kMost = 64;
  static constexpr int64_t kElements = kBlock / 2;  // that stay in the first-level cache

  // How many rows at a time.
  static int64_t count(const Sequences& sequences) {
    return sequences.gapless() ? std::clamp<int64_t>(kElements / sequences.length, 1, kMost) : 1;
  }

  T largest[kMost], sums[kMost];

  // Of n rows from row o on, in `memory` of kRowScratch bytes. Their exponentials stay in `kept`, row by row, if it is
  // not null.
  RowsTogether(const Row<T>& row, int64_t o, int64_t n, char* memory, char* kept) {
    const Sequences& sequences = row.sequences;
    if (n == 1) {
      const char* start = sequences.start_of(o);
      const void* last = row.find_max(start, memory, largest[0]);
      sums[0] = row.sum_exp(start, last, memory, largest[0], kept);
      return;
    }
    if (kept == nullptr) kept = memory + Sequences::kScratchBytes;
    const int64_t length = sequences.length, bytes = length * static_cast<int64_t>(sizeof(T));
    const char* x = static_cast<const char*>(sequences.load(sequences.in.data, o * length, n * length, memory));
    for (int64_t r = 0; r < n; ++r) row.row.largest(length, x + r * bytes, &largest[r]);
    for (int64_t r = 0; r < n; ++r) row.row.exp_sum(length, x + r * bytes, &largest[r], kept + r * bytes, &sums[r]);
  }
};

// Many rows at once, which are columns here: one for each lane of a vector, in accumulator type T.
template <class T>
class ColumnRows {
 public:
  ColumnRows(const Call& call, const Sequences& sequences, int across, bool keeps)
      : call_(call),
        sequences_(sequences),
        columns_(sequences, across, width_of(call, sequences, keeps)),
        row_(sequences),
        n_(sequences.length) {}

  // The kept dimension that rows are neighbours along, -1 if they are better taken one by one.
  static int dimension(const Sequences& sequences, bool keeps) {
    if (keeps && sequences.length > kKept / kWidthMin) return -1;
    const int across = sequences.column_dimension();
    return across >= 0 ? across : sequences.short_dimension(keeps && sequences.gapless() ? kShortKept : kShort);
  }

  void logsumexp() const {
    const View out = call_.output();
    for_pieces(1, [&](const Columns::Piece& piece, const Memory& memory) {
      sum_exp(piece, false, memory);
      char* result = memory.lanes;
      row_.row.log_add(piece.width, memory.sums, memory.largest, result);
      char* target = out.data + (piece.to << out.log2());
      if (sequences_.acc != out.dtype) {
        char* converted = result + piece.width * kSize;
        convert(call_.kernels(), sequences_.acc, out.dtype, piece.width, result, converted, nullptr);
        result = converted;
      }
      call_.kernels().copy->strided[out.log2()](piece.width, target, columns_.out_stride(), result, 1);
    });
  }

  void softmax() const {
    const Reducer& product = call_.kernels().reduce->fn[kProd][sequences_.acc];
    for_pieces(n_, [&](const Columns::Piece& piece, const Memory& memory) {
      sum_exp(piece, true, memory);
      T* factors = reinterpret_cast<T*>(memory.sums);
      for (int64_t i = 0; i < piece.width; ++i) factors[i] = T(1) / factors[i];
      for (int64_t begin = 0; begin < n_; begin += Columns::kPositions) {
        const int64_t n = std::min(Columns::kPositions, n_ - begin);
        char* e = memory.kept + begin * piece.width * kSize;
        for (int64_t j = 0; j < n; ++j) product.combine(piece.width, e + j * piece.width * kSize, factors);
        store(piece, begin, n, e, memory.slab);
      }
    });
  }

 private:
  static constexpr int64_t kSize = sizeof(T);
  static constexpr int64_t kKept = 4 << 20;   // exponentials of a piece at most
  static constexpr int64_t kNear = 64 << 10;  // of them that stay in the second-level cache
  // Where that has so many bytes, longer pieces of rows win more than is lost when exponentials go to the last cache.
  static constexpr int64_t kSmallCache = 512 << 10;
  static constexpr int64_t kFar = (2 << 20) / kSize, kWidthFar = 256;  // exponentials, and columns, of such pieces
  static constexpr int64_t kSlab = 8 << 10;  // elements that are transposed in the first-level cache
  static constexpr int64_t kWidthMin = 16, kWidthMax = 512;
  static constexpr int64_t kShort = Columns::kPositions;
  static constexpr int64_t kShortKept = 63;  // exponentials of columns are transposed once more

  struct Memory {
    char *largest, *sums, *lanes, *levels, *slab, *kept;
  };

  const Call& call_;
  const Sequences& sequences_;
  const Columns columns_;
  const Row<T> row_;
  const int64_t n_;

  static int64_t width_of(const Call& call, const Sequences& sequences, bool keeps) {
    const int64_t cache = cache_size(2);
    int64_t near = (sequences.dense() ? kSlab : keeps ? kNear : 4 * kNear) / sequences.length;
    if (keeps && !sequences.dense() && cache > 0 && cache <= kSmallCache) {
      near = std::max(near, std::min(kFar / sequences.length, kWidthFar));
    }
    const int64_t share = sequences.count / call.threads();
    return std::clamp(std::min(near, share) / kWidthMin * kWidthMin, kWidthMin, kWidthMax);
  }

  // Transposed as numbers of the accumulator type, for which there are vectors.
  void store(const Columns::Piece& piece, int64_t begin, int64_t n, const char* e, char* transposed) const {
    const View out = call_.output();
    const Kernels& kernels = call_.kernels();
    const auto transpose = kernels.copy->transpose[size_log2(sequences_.acc)];
    const int64_t pitch = columns_.out_stride() * n_;
    char* target = out.data + ((piece.to * n_ + begin) << out.log2());
    if (sequences_.acc == out.dtype) return transpose(piece.width, n, target, pitch, e, piece.width);
    transpose(piece.width, n, transposed, n, e, piece.width);
    const bool together = pitch == n;
    const int64_t n_rows = together ? 1 : piece.width, row = together ? n * piece.width : n;
    for (int64_t i = 0; i < n_rows; ++i) {
      char* to = target + ((i * pitch) << out.log2());
      convert(kernels, sequences_.acc, out.dtype, row, transposed + i * row * kSize, to, nullptr);
    }
  }

  // The largest elements and the sums of the exponentials. These stay in memory.kept, one row upon another if not
  // `keeps`.
  void sum_exp(const Columns::Piece& piece, bool keeps, const Memory& memory) const {
    const int64_t row_bytes = piece.width * kSize;
    Columns::Slab slab;
    row_.max.identity(piece.width, memory.largest);
    for (int64_t begin = 0; begin < n_; begin += Columns::kPositions) {
      const int64_t n = std::min(Columns::kPositions, n_ - begin);
      slab = columns_.load(piece, begin, n, memory.slab);
      row_.max.columns(piece.width, memory.largest, slab.data, slab.stride, n);
    }
    Tree tree(row_.sum, memory.levels, piece.width, kSize);
    for (int64_t block = 0; block < n_; block += kBlock) {
      const int64_t end = std::min(block + kBlock, n_), n_lanes = std::min(kLanes, end - block);
      row_.sum.identity(n_lanes * piece.width, memory.lanes);
      for (int64_t begin = block; begin < end; begin += Columns::kPositions) {
        const int64_t n = std::min(Columns::kPositions, end - begin);
        if (n_ > Columns::kPositions) slab = columns_.load(piece, begin, n, memory.slab);
        char* e = memory.kept + (keeps ? begin * row_bytes : 0);
        row_.row.exp_columns(piece.width, n, slab.data, slab.stride, memory.largest, e, keeps ? piece.width : 0,
                             memory.lanes);
      }
      fold_lanes(row_.sum, n_lanes, piece.width, row_bytes, memory.lanes);
      tree.push(memory.lanes);
    }
    std::memcpy(memory.sums, tree.finish(), static_cast<size_t>(row_bytes));
  }

  // With room for the exponentials of `kept` positions.
  template <class Fn>
  void for_pieces(int64_t kept, Fn&& fn) const {
    const int64_t row_bytes = columns_.width() * kSize;
    parallel_for(call_.threads(), columns_.count(), 1 + kRowGrain / (columns_.width() * n_),
                 [&](int64_t begin, int64_t end) {
                   const size_t n_rows = static_cast<size_t>(2 + kLanes + Tree::kDepth + kept);
                   Memory memory;
                   memory.largest = scratch(n_rows * static_cast<size_t>(row_bytes) + columns_.load_bytes());
                   memory.sums = memory.largest + row_bytes;
                   memory.lanes = memory.sums + row_bytes;
                   memory.levels = memory.lanes + kLanes * row_bytes;
                   memory.kept = memory.levels + Tree::kDepth * row_bytes;
                   memory.slab = memory.kept + kept * row_bytes;
                   for (int64_t i = begin; i < end; ++i) fn(columns_.piece(i), memory);
                 });
  }
};

template <class T>
void logsumexp(const Call& call, const Sequences& sequences) {
  const int across = ColumnRows<T>::dimension(sequences, false);
  if (across >= 0) return ColumnRows<T>(call, sequences, across, false).logsumexp();
  const View out = call.output();
  const Row<T> row(sequences);
  const int64_t together = RowsTogether<T>::count(sequences);
  parallel_for(call.threads(), sequences.count, 1 + kRowGrain / sequences.length, [&](int64_t begin, int64_t end) {
    char* memory = scratch(kRowScratch);
    for (int64_t o = begin; o < end; o += together) {
      const int64_t n = std::min(together, end - o);
      const RowsTogether<T> rows(row, o, n, memory, nullptr);
      T results[RowsTogether<T>::kMost];
      row.row.log_add(n, rows.sums, rows.largest, results);
      for (int64_t r = 0; r < n; ++r) {
        if (!std::isfinite(rows.largest[r])) results[r] = row.find_max_or_nan(sequences.start_of(o + r), memory);
      }
      convert(call.kernels(), sequences.acc, out.dtype, n, results, out.data + (o << out.log2()), nullptr);
    }
  });
}

template <class T>
void softmax(const Call& call, const Sequences& sequences) {
  const int across = ColumnRows<T>::dimension(sequences, true);
  if (across >= 0) return ColumnRows<T>(call, sequences, across, true).softmax();
  const View out = call.output();
  const int64_t n = sequences.length;
  const Row<T> row(sequences);
  const bool wide = sequences.acc != out.dtype;  // exponentials need room of their own
  const int64_t together = RowsTogether<T>::count(sequences);
  parallel_for(call.threads(), sequences.count, 1 + kRowGrain / n, [&](int64_t begin, int64_t end) {
    char* memory = scratch(kRowScratch + (wide ? static_cast<size_t>(together * n) * sizeof(T) : 0));
    for (int64_t o = begin; o < end; o += together) {
      const int64_t n_rows = std::min(together, end - o);
      char* target = out.data + ((o * n) << out.log2());
      char* e = wide ? memory + kRowScratch : target;
      const RowsTogether<T> rows(row, o, n_rows, memory, e);
      for (int64_t r = 0; r < n_rows; ++r) {
        const T inverse = T(1) / rows.sums[r];
        char* x = e + r * n * static_cast<int64_t>(sizeof(T));
        row.row.multiply(n, x, &inverse, x);
      }
      if (wide) convert(call.kernels(), sequences.acc, out.dtype, n_rows * n, e, target, nullptr);
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
