// Ops that read elements by index tensors.
#include <algorithm>
#include <vector>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/offsets.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGatherGrain = kGrain / 4;
// Slices of a source, one behind another.
class SliceReader {
 public:
  SliceReader(const Kernels& kernels, const View& data, const int64_t* sizes)
      : kernels_(kernels), log2_(data.log2()), size_(element_count(data.rank, sizes)) {
    int64_t strides[kMaxRank];
    row_major(data.rank, sizes, strides);
    for (int i = 0; i < data.rank; ++i) nest_.add(sizes[i], strides[i], data.strides[i]);
    nest_.finish();
  }

  void run(int64_t n, char* dst, const char* src, const int64_t* offsets) const {
    const int last = nest_.rank - 1;
    const bool is_short = last == 0 && size_ <= kShort;
    if (nest_.strides[1][last] == 1 && !is_short) {
      if (last == 0 && size_ <= kLongest >> log2_) {
        return kernels_.index->pick_rows[log2_](n, size_, dst, src, offsets);
      }
      for (int64_t i = 0; i < n; ++i) run_rows(dst + i * size_ * bytes(), src + offsets[i] * bytes());
    } else {
      run_strided(n, dst, src, offsets);
    }
  }

 private:
  static constexpr int64_t kShort = 16;           // slices that are not worth a call each
  static constexpr int64_t kLongest = 16 * 1024;  // bytes of a slice, when the first-level cache keeps the next one
  static constexpr int64_t kStep = 8;             // elements of each slice that are read before those of the next
  static constexpr int64_t kMany = 64;            // slices that are worth a transposition

  int64_t bytes() const { return int64_t{1} << log2_; }

  void run_rows(char* dst, const char* src) const {
    const int last = nest_.rank - 1, outer = std::max(last - 1, 0);
    const int64_t n_rows = last > 0 ? nest_.shape[outer] : 1;
    const int64_t to = nest_.strides[0][outer], from = nest_.strides[1][outer];
    Walk<2> walk(outer, nest_.shape, nest_.strides);
    do {
      kernels_.copy->rows[log2_](n_rows, nest_.shape[last], dst + walk.offset(0) * bytes(), to, 1,
                                 src + walk.offset(1) * bytes(), from, 1);
    } while (walk.next());
  }

  // Elements that lie apart have neighbours in other slices: all of these are read a few elements at a time, or, where
  // there are many, one element of each after another and then transposed.
  void run_strided(int64_t n, char* dst, const char* src, const int64_t* offsets) const {
    const int last = nest_.rank - 1;
    const int64_t inner = nest_.shape[last], step = nest_.strides[1][last];
    const int64_t width = std::max<int64_t>(kStep, kLine >> log2_);
    const bool transposes = n >= kMany && inner >= width;
    char* columns = transposes ? scratch(static_cast<size_t>(width * n << log2_)) : nullptr;
    Walk<2> walk(last, nest_.shape, nest_.strides);
    do {
      char* to = dst + walk.offset(0) * bytes();
      const char* from = src + walk.offset(1) * bytes();
      int64_t k = 0;
      for (; transposes && k + width <= inner; k += width) {
        for (int64_t c = 0; c < width; ++c) {
          kernels_.index->pick[log2_](n, columns + (c * n << log2_), from + (k + c) * step * bytes(), offsets, 0);
        }
        kernels_.copy->transpose[log2_](n, width, to + (k << log2_), size_, columns, n);
      }
      for (; k < inner; k += kStep) {
        kernels_.index->pick_strided[log2_](n, std::min(kStep, inner - k), to + (k << log2_), size_,
                                            from + k * step * bytes(), offsets, step);
      }
    } while (walk.next());
  }

  const Kernels& kernels_;
  int log2_;
  int64_t size_;
  Nest<2> nest_;  // target, source
};

}  // namespace

void run_gather(const Call& call) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const View data = call.input(0);
  const View out = call.output();
  const int64_t slice = element_count(data.rank, attrs.slice_sizes);
  const Offsets offsets = slice_offsets(call, 1, data.shape, data.strides);
  if (out.count() == 0) return;
  const int64_t bytes = int64_t{1} << data.log2();
  if (slice == 1) {
    const auto move = call.kernels().index->pick[data.log2()];
    return parallel_for(call.threads(), offsets.count(), kGatherGrain, [&](int64_t begin, int64_t end) {
      offsets.for_parts(begin, end, [&](int64_t i, int64_t n, const int64_t* from) {
        move(n, out.data + i * bytes, data.data, from, 0);
      });
    });
  }
  const SliceReader slices(call.kernels(), data, attrs.slice_sizes);
  parallel_for(call.threads(), offsets.count(), 1 + kGatherGrain / slice, [&](int64_t begin, int64_t end) {
    offsets.for_parts(begin, end, [&](int64_t first, int64_t n, const int64_t* from) {
      slices.run(n, out.data + first * slice * bytes, data.data, from);
    });
  });
}

namespace {

bool repeats_rows(const View& index) {
  for (int i = 0; i + 1 < index.rank; ++i) {
    if (index.shape[i] > 1 && index.strides[i] != 0) return false;
  }
  return true;
}

// Lines of the next row to ask for while elements are picked from one: all of them, where most are needed, or none.
int64_t lines_ahead(int64_t n_rows, int64_t row_bytes, int64_t picked) {
  constexpr int64_t kShortRow = 2048;  // bytes that the hardware asks for by itself
  const int64_t lines = divide_up(row_bytes, kLine), near = cache_size(2);
  const bool far = n_rows > 1 && n_rows * row_bytes > 2 * near;
  return far && kShortRow <= row_bytes && row_bytes <= near / 4 && lines <= picked ? lines : 0;
}

}  // namespace

void run_take_along_axis(const Call& call) {
  const int axis = call.attrs<ist_axis_attrs>().axis;
  const View a = call.input(0);
  const View index = call.input(1);
  const View out = call.output();
  const int64_t n = out.count();
  Offsets offsets(n);
  offsets.add(call, index, axis, a.shape[axis], 1, a.strides[axis]);
  if (n == 0) return;
  Nest<1> nest;
  for (int i = 0; i < a.rank; ++i) nest.add(index.shape[i], i == axis ? 0 : a.strides[i]);
  nest.finish();
  const auto move = call.kernels().index->pick[a.log2()];
  const auto move_ahead = call.kernels().index->pick_ahead[a.log2()];
  const int64_t bytes = int64_t{1} << a.log2();
  const int last = nest.rank - 1;
  const int64_t width = nest.shape[last], step = nest.strides[0][last];
  // Every row picks the same columns: their offsets are made once.
  std::vector<int64_t> repeated;
  if (axis == a.rank - 1 && repeats_rows(index)) {
    repeated.resize(static_cast<size_t>(width));
    offsets.for_parts(0, width, [&](int64_t first, int64_t count, const int64_t* part) {
      std::copy_n(part, count, repeated.begin() + first);
    });
  }
  const bool dense = axis == a.rank - 1 && a.strides[axis] == 1 && step == 0;  // a row picks more than one element
  const int64_t lines = dense ? lines_ahead(n / width, a.shape[axis] * bytes, width) : 0;
  parallel_for(call.threads(), n, kGatherGrain, [&](int64_t begin, int64_t end) {
    Walk<1> walk(last, nest.shape, nest.strides, begin / width), next = walk;
    if (lines > 0) next.next();
    int64_t column = begin % width;
    const auto move_rows = [&](int64_t first, int64_t n, const int64_t* along) {
      for (int64_t i = 0; i < n;) {
        const int64_t count = std::min(n - i, width - column);
        const int64_t from = walk.offset(0) + column * step;
        const int64_t* row = repeated.empty() ? along + i : repeated.data() + column;
        char* to = out.data + (first + i) * bytes;
        if (lines > 0 && count == width) {
          move_ahead(width, to, a.data + from * bytes, row, a.data + next.offset(0) * bytes, lines);
        } else {
          move(count, to, a.data + from * bytes, row, step);
        }
        i += count;
        column += count;
        if (column < width) continue;
        column = 0;
        walk.next();
        if (lines > 0) next.next();
      }
    };
    if (repeated.empty()) {
      offsets.for_parts(begin, end, move_rows);
    } else {
      move_rows(begin, end - begin, nullptr);
    }
  });
}

}  // namespace ist::cpu
