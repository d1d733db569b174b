// Ops that write elements by index tensors. Indices are checked first, so that an error leaves nothing half written.
#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/offsets.h"
#include "backends/cpu/stretch.h"
#include "backends/cpu/threads.h"
#include "kernels/scalar_ops.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kScatterGrain = kGrain / 4;
constexpr int64_t kMinColumns = 64;  // of a slice that are worth another thread, however many slices there are

// What a write does to one place.
template <class T>
struct Replace {
  using Stored = T;
  static void apply(T& place, T x) { place = x; }
};
template <int D>
struct Accumulate {
  using Stored = typename Storage<D>::type;
  static void apply(Stored& place, Stored x) {
    if constexpr (D == IST_BOOL) {
      place = place || x;
    } else {
      place = Storage<D>::store(scalar::add(Storage<D>::load(place), Storage<D>::load(x)));
    }
  }
};

template <class Write>
void write_strided(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  using Stored = typename Write::Stored;
  Stored* __restrict to = static_cast<Stored*>(dst);
  const Stored* __restrict from = static_cast<const Stored*>(src);
  if (dst_stride == 1 && src_stride == 1) {
    for (int64_t i = 0; i < n; ++i) Write::apply(to[i], from[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) Write::apply(to[i * dst_stride], from[i * src_stride]);
  }
}

template <class Write>
void write_places(int64_t n, void* dst, const int64_t* offsets, int64_t step, const void* src) {
  using Stored = typename Write::Stored;
  Stored* to = static_cast<Stored*>(dst);
  const Stored* from = static_cast<const Stored*>(src);
  if (step == 0) {
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; ++i) Write::apply(to[offsets[i]], from[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) Write::apply(to[offsets[i] + i * step], from[i]);
  }
}

struct Writer {
  // dst[i * dst_stride] takes src[i * src_stride]; no two of them are one place.
  void (*strided)(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride);
  // dst[offsets[i] + i * step] takes src[i], in ascending order.
  void (*places)(int64_t n, void* dst, const int64_t* offsets, int64_t step, const void* src);
};

template <class Write>
constexpr Writer writer_of() {
  return {&write_strided<Write>, &write_places<Write>};
}

template <int D>
constexpr Writer adder() {
  return writer_of<Accumulate<D>>();
}

const Writer& writer(bool adds, uint32_t dtype) {
  static constexpr Writer replace[] = {writer_of<Replace<uint8_t>>(), writer_of<Replace<uint16_t>>(),
                                       writer_of<Replace<uint32_t>>(), writer_of<Replace<uint64_t>>()};
  static constexpr Writer add[kDTypes] = {
      adder<IST_BOOL>(),     adder<IST_UINT8>(),   adder<IST_UINT16>(),  adder<IST_UINT32>(),   adder<IST_UINT64>(),
      adder<IST_INT8>(),     adder<IST_INT16>(),   adder<IST_INT32>(),   adder<IST_INT64>(),    adder<IST_FLOAT16>(),
      adder<IST_BFLOAT16>(), adder<IST_FLOAT32>(), adder<IST_FLOAT64>(), adder<IST_COMPLEX64>()};
  return adds ? add[dtype] : replace[size_log2(dtype)];
}

// Writes slices; the inner dimension is a single call, the outer ones are walked.
class SliceLoop {
 public:
  SliceLoop(const Call& call, bool adds, const View& out, const int64_t* out_strides, const int64_t* sizes)
      : log2_(out.log2()), write_(writer(adds, out.dtype).strided) {
    int64_t strides[kMaxRank];
    row_major(out.rank, sizes, strides);
    for (int i = 0; i < out.rank; ++i) nest_.add(sizes[i], out_strides[i], strides[i]);
    nest_.finish();
    const int last = nest_.rank - 1;
    const BinaryTable& binary = *call.kernels().binary;
    if (adds && nest_.strides[0][last] == 1) add_ = binary.fn[static_cast<int>(Op::add)][out.dtype];
  }
  int64_t inner() const { return nest_.shape[nest_.rank - 1]; }
  int64_t rows() const { return element_count(nest_.rank - 1, nest_.shape); }

  // Elements [begin, end) of the inner dimension.
  void run(char* dst, const char* src, int64_t begin, int64_t end) const {
    const int last = nest_.rank - 1;
    const int64_t to = nest_.strides[0][last], from = nest_.strides[1][last], bytes = int64_t{1} << log2_;
    dst += begin * to * bytes;
    src += begin * from * bytes;
    Walk<2> walk(last, nest_.shape, nest_.strides);
    do {
      char* place = dst + walk.offset(0) * bytes;
      const char* x = src + walk.offset(1) * bytes;
      if (add_ != nullptr) {
        const void* terms[] = {place, x};
        add_(end - begin, place, terms);
      } else {
        write_(end - begin, place, to, x, from);
      }
    } while (walk.next());
  }

 private:
  Nest<2> nest_;  // destination, source
  int log2_;
  decltype(Writer::strided) write_;
  TileFn add_ = nullptr;  // where elements are neighbours
};

// Rows of the output, the indices of its leading axis, in regions that stay in the second-level cache while a region is
// copied from the first operand and written to. Each has its slices in ascending order. Where slices are whole rows, a
// region is one row: the first update is added to the operand's elements on the way.
class Regions {
 public:
  struct Slice {
    int64_t to, number;  // the place in the output, and in the updates
  };

  Regions(const Call& call, bool adds, const View& out, const Offsets& offsets, const int64_t* sizes) : adds_(adds) {
    const int64_t slice = element_count(out.rank, sizes);
    if (out.count() << out.log2() < kLeast || slice * offsets.count() < out.count() / kSparse) return;
    axis_ = leading_axis(call.node.output);
    if (sizes[axis_] != 1) return;
    row_ = out.count() / out.shape[axis_];
    const int64_t group = std::max<int64_t>(1, (kBytes >> out.log2()) / row_);
    by_row_ = slice == row_ && suits_rows(call, out);
    streams_ = by_row_ && may_stream(call, out);
    rows_ = by_row_ ? 1 : group;
    grain_ = by_row_ ? group : 1;
    starts_.resize(static_cast<size_t>(divide_up(out.shape[axis_], rows_)) + 1);
    const int64_t size = rows_ * row_;
    offsets.for_parts(0, offsets.count(), [&](int64_t, int64_t n, const int64_t* to) {
      for (int64_t i = 0; i < n; ++i) ++starts_[static_cast<size_t>(to[i] / size) + 1];
    });
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    for (int64_t i = 0; i < count(); i += grain_) {
      most_ = std::max(most_,
                       starts_[static_cast<size_t>(std::min(i + grain_, count()))] - starts_[static_cast<size_t>(i)]);
    }
    slices_.resize(static_cast<size_t>(offsets.count()));
    std::vector<int64_t> next(starts_.begin(), starts_.end() - 1);
    offsets.for_parts(0, offsets.count(), [&](int64_t first, int64_t n, const int64_t* to) {
      for (int64_t i = 0; i < n; ++i) {
        slices_[static_cast<size_t>(next[static_cast<size_t>(to[i] / size)]++)] = {to[i], first + i};
      }
    });
  }

  // Are there any, and can threads share them out?
  bool fit(int threads) const {
    const auto all = static_cast<int64_t>(slices_.size());
    return all > 0 && (threads == 1 || most_ * threads <= all + all / kUneven);
  }

  // The whole output. `src` holds the updates.
  void run(const Call& call, const View& out, const int64_t* strides, const SliceLoop& loop, const char* src) const {
    parallel_for(call.threads(), count(), grain_, [&](int64_t begin, int64_t end) {
      if (by_row_) return make_rows(call, out, src, begin, end);
      const int64_t bytes = int64_t{1} << out.log2(), slice = loop.rows() * loop.inner();
      for (int64_t region = begin; region < end; ++region) {
        copy(call, out, strides, region);
        for (const auto [to, number] : slices(region)) {
          loop.run(out.data + to * bytes, src + number * slice * bytes, 0, loop.inner());
        }
      }
    });
  }

 private:
  static constexpr int64_t kBytes = 256 * 1024;   // of a region
  static constexpr int64_t kLeast = 1024 * 1024;  // bytes of an output that is not in cache anyway
  static constexpr int64_t kSparse = 16;          // of so many elements one is written to, at least
  static constexpr int64_t kUneven = 4;           // part of the slices that one thread may have beyond its share
  static constexpr int64_t kShortest = 1024;      // bytes of a row that is made by itself
  static constexpr int64_t kPiece = 4096;         // of such a row, that are put together at a time
  static constexpr int64_t kAhead = 512;          // bytes of the next update that are asked for, as it may be anywhere

  int64_t count() const { return static_cast<int64_t>(starts_.size()) - 1; }
  std::span<const Slice> slices(int64_t region) const {
    const auto i = static_cast<size_t>(region);
    return std::span(slices_).subspan(static_cast<size_t>(starts_[i]),
                                      static_cast<size_t>(starts_[i + 1] - starts_[i]));
  }

  bool suits_rows(const Call& call, const View& out) const {
    const View from = call.input(0);
    return row_ << out.log2() >= kShortest && from.data != out.data && from.dense() &&
           (!adds_ || call.kernels().binary->fn[static_cast<int>(Op::add)][out.dtype] != nullptr);
  }

  bool may_stream(const Call& call, const View& out) const {
    const int64_t bytes = out.count() << out.log2(), touched = 2 * bytes + (call.input(1).count() << out.log2());
    return outlasts_caches(bytes, touched) && (row_ << out.log2()) % kLine == 0;
  }

  // The first operand's elements in this region.
  void copy(const Call& call, const View& out, const int64_t* strides, int64_t region) const {
    const View from = call.input(0);
    if (from.data == out.data) return;
    int64_t shape[kMaxRank];
    std::copy_n(out.shape, out.rank, shape);
    const int64_t row = region * rows_;
    shape[axis_] = std::min(rows_, out.shape[axis_] - row);
    copy_strided(call.kernels(), 1, out.log2(), out.rank, shape, out.data + ((row * strides[axis_]) << out.log2()),
                 strides, from.data + row * from.strides[axis_] * (int64_t{1} << out.log2()), from.strides);
  }

  // Rows [begin, end), of which those that nothing is written to are copied together.
  void make_rows(const Call& call, const View& out, const char* src, int64_t begin, int64_t end) const {
    const auto store = streams_ ? call.kernels().copy->stream : [](int64_t n, void* dst, const void* x) {
      std::memcpy(dst, x, static_cast<size_t>(n));
    };
    const TileFn add = call.kernels().binary->fn[static_cast<int>(Op::add)][out.dtype];
    const int64_t bytes = row_ << out.log2();
    const char* from = call.input(0).data;
    alignas(kLine) char piece[kPiece];
    for (int64_t row = begin; row < end;) {
      char* to = out.data + row * bytes;
      const std::span<const Slice> written = slices(row);
      if (written.empty()) {
        const int64_t first = row;
        while (row < end && slices(row).empty()) ++row;
        store((row - first) * bytes, to, from + first * bytes);
        continue;
      }
      if (adds_) {
        ask_for_update(row + 1, src, bytes);
        for (int64_t at = 0; at < bytes; at += kPiece) {
          const int64_t size = std::min(kPiece, bytes - at);
          const char* sum = from + row * bytes + at;
          char* next = streams_ ? piece : to + at;
          for (const auto [place, number] : written) {
            const void* terms[] = {sum, src + number * bytes + at};
            add(size >> out.log2(), next, terms);
            sum = next;
          }
          if (streams_) store(size, to + at, piece);
        }
      } else {
        store(bytes, to, src + written.back().number * bytes);
      }
      ++row;
    }
    if (streams_) call.kernels().copy->end_stream();
  }

  // The first that is written to this row or one behind it.
  void ask_for_update(int64_t row, const char* src, int64_t bytes) const {
    const auto next = static_cast<size_t>(starts_[static_cast<size_t>(row)]);
    if (next >= slices_.size()) return;
    const char* update = src + slices_[next].number * bytes;
    for (int64_t i = 0; i < kAhead; i += kLine) __builtin_prefetch(update + i);
  }

  bool adds_, by_row_ = false, streams_ = false;
  int axis_ = -1;
  int64_t row_ = 0, rows_ = 0;    // elements of a row, and rows of a region
  int64_t grain_ = 1, most_ = 0;  // regions that a thread takes at least, and slices in so many
  std::vector<int64_t> starts_;
  std::vector<Slice> slices_;
};

}  // namespace

// The order of writes to one place is the contract: threads share out regions of the output, or the columns of slices.
void run_scatter(const Call& call) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const bool adds = call.node.op == static_cast<uint32_t>(Op::scatter_add);
  const View out = call.output();
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  const Offsets offsets = slice_offsets(call, 2, out.shape, strides);
  const View updates = call.input(1);
  if (updates.count() == 0) return copy_first_operand(call);
  std::vector<char> memory;
  const char* src = dense_data(call, updates, memory);
  const int64_t n_slices = offsets.count(), slice = element_count(out.rank, attrs.slice_sizes);
  const int64_t bytes = int64_t{1} << out.log2();
  if (slice == 1) {
    copy_first_operand(call);  // from here on nothing fails: the operand may be what is written to
    return offsets.for_parts(0, n_slices, [&](int64_t i, int64_t n, const int64_t* to) {
      writer(adds, out.dtype).places(n, out.data, to, 0, src + i * bytes);
    });
  }
  const SliceLoop loop(call, adds, out, strides, attrs.slice_sizes);
  if (const Regions regions(call, adds, out, offsets, attrs.slice_sizes); regions.fit(call.threads())) {
    return regions.run(call, out, strides, loop, src);
  }
  copy_first_operand(call);
  const int64_t grain = std::max(kMinColumns, kScatterGrain / (n_slices * loop.rows()));
  // One stretch of columns each: of shorter ones, far apart, memory delivers fewer.
  constexpr int kChunksEach = 1;
  parallel_for(
      call.threads(), loop.inner(), grain,
      [&](int64_t begin, int64_t end) {
        offsets.for_parts(0, n_slices, [&](int64_t first, int64_t n, const int64_t* to) {
          const char* from = src + first * slice * bytes;
          for (int64_t i = 0; i < n; ++i, from += slice * bytes) loop.run(out.data + to[i] * bytes, from, begin, end);
        });
      },
      kChunksEach);
}

void run_put_along_axis(const Call& call) {
  const int axis = call.attrs<ist_axis_attrs>().axis;
  const bool adds = call.node.op == static_cast<uint32_t>(Op::add_along_axis);
  const View index = call.input(1);
  const View values = call.input(2);
  const View out = call.output();
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  Offsets offsets(index.count());
  offsets.add(call, index, axis, out.shape[axis], 1, strides[axis]);
  std::vector<char> memory;
  const char* src = dense_data(call, values, memory);
  copy_first_operand(call);  // from here on nothing fails
  if (offsets.count() == 0) return;
  strides[axis] = 0;
  const Writer& write = writer(adds, out.dtype);
  const int64_t bytes = int64_t{1} << out.log2();
  const int last = index.rank - 1;
  const int64_t width = index.shape[last], rows = offsets.count() / width;
  // Rows along the last axis write to places of their own; those along others may meet.
  const int threads = axis == last ? call.threads() : 1;
  parallel_for(threads, rows, 1 + kScatterGrain / width, [&](int64_t begin, int64_t end) {
    offsets.for_parts(begin * width, end * width, [&](int64_t first, int64_t n, const int64_t* along) {
      for (int64_t i = first; i < first + n;) {
        const int64_t stop = std::min(first + n, (i / width + 1) * width);
        const int64_t to = offset_at(i, index.rank, index.shape, strides);
        write.places(stop - i, out.data + to * bytes, along + (i - first), strides[last], src + i * bytes);
        i = stop;
      }
    });
  });
}

}  // namespace ist::cpu
