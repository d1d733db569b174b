// Attention: a strip of query rows at a time against all keys. The strip's scores stay in the caches, the whole matrix
// of scores never exists.
#include <limits>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kLeastStrips = 4;  // for which a task packs keys of its own

const char* at(const View& view, int64_t offset) { return view.data + offset * (int64_t{1} << view.log2()); }

// T: the accumulator type.
template <class T>
class Attention {
 public:
  explicit Attention(const Call& call)
      : call_(call),
        q_(call.input(0)),
        k_(call.input(1)),
        v_(call.input(2)),
        out_(call.output()),
        has_mask_(call.node.n_inputs > 3 && call.input(3).rank == 4),
        has_sinks_(call.node.n_inputs > 3 && call.input(call.node.n_inputs - 1).rank == 1),
        causal_(call.attrs<ist_attention_attrs>().causal != 0),
        scale_(static_cast<T>(call.attrs<ist_attention_attrs>().scale)),
        acc_(compute_dtype(out_.dtype)),
        mm_(call.kernels().matmul->of[acc_ - IST_FLOAT16]),
        pack_(call.kernels().matmul->widening_pack[out_.dtype - IST_FLOAT16]),
        row_(call.kernels().row->fn[acc_ == IST_FLOAT64 ? 1 : 0]),
        sum_(call.kernels().reduce->fn[kSum][acc_]),
        heads_(q_.shape[1]),
        group_(heads_ / k_.shape[1]),
        queries_(q_.shape[2]),
        keys_(k_.shape[2]),
        depth_(q_.shape[3]),
        width_(v_.shape[3]),
        by_group_(queries_ == 1),
        lines_(by_group_ ? group_ : queries_),
        // Rows that do not start in the same sets of the first-level cache.
        scores_row_(round_up(keys_, 16) + 16),
        values_in_place_(out_.dtype == acc_ && (v_.strides[3] == 1 || width_ == 1)) {
    if (has_mask_) mask_ = call.input(3);
    if (has_sinks_) sinks_ = call.input(call.node.n_inputs - 1);
  }

  void run() const {
    if (out_.count() == 0) return;
    // A task takes lines of one matrix of keys: the queries of a head, or the heads of a group if there is one query.
    const int64_t matrices = q_.shape[0] * (by_group_ ? k_.shape[1] : heads_);
    const int64_t strips = divide_up(lines_, mm_.rows);
    const int threads = call_.threads();
    const int64_t wanted = threads == 1 || matrices >= 2 * threads ? 1 : divide_up(4 * threads, matrices);
    const int64_t pieces = std::clamp<int64_t>(strips / kLeastStrips, 1, wanted);
    const int64_t piece = divide_up(lines_, pieces);
    const int64_t work = std::max<int64_t>(1, piece * keys_ * (depth_ + width_));
    parallel_for(threads, matrices * pieces, 1 + kProductGrain / work, [&](int64_t begin, int64_t end) {
      Memory memory = make_memory();
      int64_t packed = -1;
      for (int64_t task = begin; task < end; ++task) {
        const int64_t matrix = task / pieces, from = task % pieces * piece;
        if (matrix != packed) pack_matrix(matrix, memory);
        packed = matrix;
        const int64_t to = std::min(lines_, from + piece);
        const int64_t height = to > from ? divide_up(to - from, divide_up(to - from, mm_.rows)) : 1;
        for (int64_t line = from; line < to; line += height) {
          strip(matrix, line, static_cast<int>(std::min(height, to - line)), memory);
        }
      }
    });
  }

 private:
  struct Memory {
    T *keys, *packed_values, *queries, *scores, *sums, *totals, *mask;
    char* raw;
    const T* values;
    int64_t values_row;
    bool values_finite;
  };

  Memory make_memory() const {
    const int64_t rows = mm_.rows;
    const int64_t sizes[] = {round_up(keys_, mm_.cols) * depth_,
                             values_in_place_ ? 0 : keys_ * width_,
                             rows * depth_,
                             rows * scores_row_,
                             rows * width_,
                             rows,
                             2 * keys_};
    T* parts[7];
    int64_t total = 0;
    for (const int64_t size : sizes) total += round_up(size, 16);
    T* next = reinterpret_cast<T*>(scratch(static_cast<size_t>(total + keys_) * sizeof(T)));
    for (int i = 0; i < 7; ++i) {
      parts[i] = next;
      next += round_up(sizes[i], 16);
    }
    return {parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6], reinterpret_cast<char*>(next),
            nullptr,  0,        true};
  }

  // Where a line of a matrix lies among (batch, head, query).
  struct Line {
    int64_t batch, head, query;
  };
  Line line_of(int64_t matrix, int64_t line) const {
    const int64_t per_batch = by_group_ ? k_.shape[1] : heads_;
    const int64_t batch = matrix / per_batch, head = matrix % per_batch;
    return by_group_ ? Line{batch, head * group_ + line, 0} : Line{batch, head, line};
  }

  void pack_matrix(int64_t matrix, Memory& memory) const {
    const Line first = line_of(matrix, 0);
    const int64_t head = first.head / group_, cols = mm_.cols;
    const int64_t key = first.batch * k_.strides[0] + head * k_.strides[1];
    for (int64_t j = 0; j < keys_; j += cols) {
      pack_(depth_, std::min(cols, keys_ - j), cols, at(k_, key + j * k_.strides[2]), k_.strides[3], k_.strides[2],
            memory.keys + j * depth_);
    }
    const char* value = at(v_, first.batch * v_.strides[0] + head * v_.strides[1]);
    if (values_in_place_) {
      memory.values = reinterpret_cast<const T*>(value);
      memory.values_row = v_.strides[2];
    } else {
      pack_(keys_, width_, width_, value, v_.strides[2], v_.strides[3], memory.packed_values);
      memory.values = memory.packed_values;
      memory.values_row = width_;
    }
    memory.values_finite = true;
    for (int64_t j = 0; causal_ && memory.values_finite && j < keys_; ++j) {
      memory.values_finite = row_.all_finite(width_, memory.values + j * memory.values_row) != 0;
    }
  }

  int64_t visible_keys(int64_t query) const { return std::clamp<int64_t>(query + 1 + keys_ - queries_, 0, keys_); }

  void strip(int64_t matrix, int64_t line, int n_rows, const Memory& memory) const {
    const Line first = line_of(matrix, line), last = line_of(matrix, line + n_rows - 1);
    const int64_t query = first.batch * q_.strides[0] + first.head * q_.strides[1] + first.query * q_.strides[2];
    pack_(depth_, n_rows, n_rows, at(q_, query), q_.strides[3], by_group_ ? q_.strides[1] : q_.strides[2],
          memory.queries);
    row_.multiply(depth_ * n_rows, memory.queries, &scale_, memory.queries);

    // Hidden keys have the weight +0, which with finite values changes nothing, unless a row has no other keys.
    int64_t keys = causal_ && memory.values_finite ? std::max<int64_t>(1, visible_keys(last.query)) : keys_;
    while (!weights(matrix, line, n_rows, keys, memory)) keys = keys_;

    const int64_t cols = mm_.cols;
    for (int64_t j = 0; j < keys; j += kMatmulBlock) {
      const int64_t depth = std::min<int64_t>(kMatmulBlock, keys - j);
      for (int64_t i = 0; i < width_; i += cols) {
        mm_.tile(n_rows, static_cast<int>(std::min(cols, width_ - i)), depth, memory.scores + j, scores_row_, 1,
                 memory.values + j * memory.values_row + i, memory.values_row, memory.sums + i, width_,
                 j == 0 ? kTileStore : kTileAdd, nullptr);
      }
    }
    char* target = out_.data + (((first.batch * heads_ + first.head) * queries_ + first.query) * width_ << out_.log2());
    const bool wide = acc_ != out_.dtype;
    for (int i = 0; i < n_rows; ++i) {
      T* sums = memory.sums + i * width_;
      row_.divide(width_, sums, &memory.totals[i], wide ? sums : reinterpret_cast<T*>(target) + i * width_);
    }
    if (wide) convert(call_.kernels(), acc_, out_.dtype, n_rows * width_, memory.sums, target, nullptr);
  }

  // The weights exp(score - m) of the first `keys` keys and their totals. False if the others have weights, too.
  bool weights(int64_t matrix, int64_t line, int n_rows, int64_t keys, const Memory& memory) const {
    const int64_t cols = mm_.cols;
    for (int64_t j = 0; j < keys; j += cols) {
      for (int64_t d = 0; d < depth_; d += kMatmulBlock) {
        mm_.tile(n_rows, static_cast<int>(std::min(cols, keys - j)), std::min<int64_t>(kMatmulBlock, depth_ - d),
                 memory.queries + d * n_rows, 1, n_rows, memory.keys + j * depth_ + d * cols, cols, memory.scores + j,
                 scores_row_, d == 0 ? kTileStore : kTileAdd, nullptr);
      }
    }
    for (int i = 0; i < n_rows; ++i) {
      T* scores = memory.scores + i * scores_row_;
      if (depth_ == 0) std::fill(scores, scores + keys, T(0));
      const Line place = line_of(matrix, line + i);
      if (has_mask_) apply_mask(place, keys, scores, memory);
      constexpr T lowest = std::numeric_limits<T>::lowest();
      if (causal_) std::fill(scores + std::min(visible_keys(place.query), keys), scores + keys, lowest);
      T m;
      row_.largest(keys, scores, &m);  // a NaN shows in the total
      const T sink = has_sinks_ ? load_sink(place.head) : m;
      m = std::max(m, sink);
      if (keys < keys_ && m <= lowest) return false;
      alignas(8) char levels[Tree::kDepth * 8];
      Tree tree(sum_, levels, 1, sizeof(T));
      for (int64_t j = 0; j < keys; j += kBlock) {
        row_.exp_sum(std::min(kBlock, keys - j), scores + j, &m, scores + j, tree.next());
        tree.push();
      }
      std::memcpy(&memory.totals[i], tree.finish(), sizeof(T));
      if (has_sinks_) {
        T share, sum;
        row_.exp_sum(1, &sink, &m, &share, &sum);
        memory.totals[i] += share;
      }
    }
    return true;
  }

  T load_sink(int64_t head) const {
    T sink;
    T middle;
    convert(call_.kernels(), sinks_.dtype, acc_, 1, at(sinks_, head * sinks_.strides[0]), &sink, &middle);
    return sink;
  }

  void apply_mask(const Line& line, int64_t keys, T* scores, const Memory& memory) const {
    const char* mask =
        at(mask_, line.batch * mask_.strides[0] + line.head * mask_.strides[1] + line.query * mask_.strides[2]);
    if (mask_.strides[3] != 1) {
      call_.kernels().copy->gather[mask_.log2()](0, keys, 1, &keys, &mask_.strides[3], mask, memory.raw);
      mask = memory.raw;
    }
    if (mask_.dtype == IST_BOOL) return row_.hide(keys, scores, reinterpret_cast<const uint8_t*>(mask));
    const void* terms[] = {scores, mask};
    if (mask_.dtype != acc_) {
      convert(call_.kernels(), mask_.dtype, acc_, keys, mask, memory.mask, memory.mask + keys_);
      terms[1] = memory.mask;
    }
    call_.kernels().binary->fn[static_cast<int>(Op::add)][acc_](keys, scores, terms);
  }

  const Call& call_;
  const View q_, k_, v_, out_;
  View mask_{}, sinks_{};
  bool has_mask_, has_sinks_, causal_;
  T scale_;
  uint32_t acc_;
  const MatmulKernels& mm_;
  decltype(MatmulKernels::pack) pack_;
  const RowKernels& row_;
  const Reducer& sum_;
  int64_t heads_, group_, queries_, keys_, depth_, width_;
  bool by_group_;
  int64_t lines_, scores_row_;
  bool values_in_place_;
};

}  // namespace

void run_attention(const Call& call) {
  if (call.output().dtype == IST_FLOAT64) {
    Attention<double>(call).run();
  } else {
    Attention<float>(call).run();
  }
}

}  // namespace ist::cpu
