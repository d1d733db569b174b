// The strided copy under the ops that move elements: two inner dimensions are a kernel's, an odometer walks the others.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kShortRow = 8;      // rows shorter than this are units
constexpr int64_t kLongestUnit = 32;  // elements of the longest unit

// Dimensions [0, outer) are walked, the next one is that of rows, the rest are a row: one dimension, or a unit of
// several short ones whose elements are neighbours in the target.
class StridedCopy {
 public:
  StridedCopy(const CopyTable& kernels, int log2, Nest<2>& nest, char* dst, const char* src)
      : kernels_(kernels), log2_(log2), nest_(nest), dst_(dst), src_(src), rows_end_(nest.rank - 1) {
    if (nest.strides[0][rows_end_] == 1 && nest.shape[rows_end_] < kShortRow) make_unit();
    sort();
    if (unit_ > 0 || rows_end_ == 0) return;
    const int row = rows_end_ - 1, last = rows_end_;
    // Where the source runs along the rows, squares keep both sides in cache.
    transposes_ = nest.strides[0][last] == 1 && nest.strides[1][row] == 1 && nest.strides[1][last] != 0 &&
                  nest.shape[row] >= kShortRow;
  }

  void run(int threads) const {
    const int n = unit_ > 0 ? rows_end_ : nest_.rank;
    if (n == 0) return run(0, 0, 0);
    const int shared = static_cast<int>(std::max_element(nest_.shape, nest_.shape + n) - nest_.shape);
    const int64_t grain = 1 + kGrain * nest_.shape[shared] / nest_.count();
    parallel_for(threads, nest_.shape[shared], grain, [&](int64_t begin, int64_t end) { run(shared, begin, end); });
  }

 private:
  void make_unit() {
    unit_ = 1;
    table_[0] = 0;
    while (rows_end_ >= 0 && nest_.strides[0][rows_end_] == unit_ && unit_ * nest_.shape[rows_end_] <= kLongestUnit) {
      const int64_t extent = nest_.shape[rows_end_], stride = nest_.strides[1][rows_end_];
      for (int64_t i = unit_; i < unit_ * extent; ++i) table_[i] = table_[i - unit_] + stride;
      unit_ *= extent;
      --rows_end_;
    }
    ++rows_end_;
    const bool is_run = rows_end_ == nest_.rank - 1 && nest_.strides[1][rows_end_] == 1;
    if (is_run) unit_ = 0;  // rows are copied as they are
  }

  // Dimensions in which either side has its neighbours come last.
  void sort() {
    const auto distance = [this](int axis) {
      const int64_t to = std::abs(nest_.strides[0][axis]), from = std::abs(nest_.strides[1][axis]);
      return from == 0 ? to : std::min(to, from);
    };
    for (int i = 1; i < rows_end_; ++i) {
      for (int k = i; k > 0 && distance(k - 1) < distance(k); --k) {
        std::swap(nest_.shape[k - 1], nest_.shape[k]);
        std::swap(nest_.strides[0][k - 1], nest_.strides[0][k]);
        std::swap(nest_.strides[1][k - 1], nest_.strides[1][k]);
      }
    }
  }

  // The part of the copy where dimension `shared` is in [begin, end).
  void run(int shared, int64_t begin, int64_t end) const {
    const int64_t* to = nest_.strides[0];
    const int64_t* from = nest_.strides[1];
    const int64_t bytes = int64_t{1} << log2_;
    int64_t shape[kMaxRank];
    std::copy_n(nest_.shape, nest_.rank, shape);
    char* dst = dst_;
    const char* src = src_;
    if (end > 0) {
      shape[shared] = end - begin;
      dst += begin * to[shared] * bytes;
      src += begin * from[shared] * bytes;
    }
    const int outer = std::max(rows_end_ - 1, 0), last = nest_.rank - 1;
    const int64_t rows = rows_end_ > 0 ? shape[outer] : 1;
    const int64_t to_row = rows_end_ > 0 ? to[outer] : 0, from_row = rows_end_ > 0 ? from[outer] : 0;
    Walk<2> walk(outer, shape, nest_.strides);
    do {
      char* d = dst + walk.offset(0) * bytes;
      const char* s = src + walk.offset(1) * bytes;
      if (unit_ > 0) {
        kernels_.units[log2_](rows, unit_, table_, d, to_row, s, from_row);
      } else if (transposes_) {
        kernels_.transpose[log2_](rows, shape[last], d, to_row, s, from[last]);
      } else {
        kernels_.rows[log2_](rows, shape[last], d, to_row, to[last], s, from_row, from[last]);
      }
    } while (walk.next());
  }

  const CopyTable& kernels_;
  int log2_;
  Nest<2>& nest_;  // target, source
  char* dst_;
  const char* src_;
  int rows_end_;  // the dimensions that are not a row's
  int64_t unit_ = 0;
  int64_t table_[kLongestUnit];  // offsets of a unit's elements in the source
  bool transposes_ = false;
};

}  // namespace

void copy_strided(const Kernels& kernels, int threads, int log2, int rank, const int64_t* shape, char* dst,
                  const int64_t* dst_strides, const char* src, const int64_t* src_strides) {
  Nest<2> nest;
  for (int i = 0; i < rank; ++i) {
    if (shape[i] == 0) return;
    nest.add(shape[i], dst_strides[i], src_strides[i]);
  }
  nest.finish();
  StridedCopy(*kernels.copy, log2, nest, dst, src).run(threads);
}

}  // namespace ist::cpu
