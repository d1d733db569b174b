// Ops that address elements by index tensors. Indices are checked first, so that an error leaves nothing half written.
#include <algorithm>
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/offsets.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/threads.h"
#include "kernels/scalar_ops.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 16 * 1024;
constexpr int64_t kMinColumns = 64;  // of a slice that are worth another thread, however many slices there are

Offsets slice_offsets(const Call& call, uint32_t first, const int64_t* shape, const int64_t* strides) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const uint32_t n_indices = call.node.n_inputs - first;
  if (n_indices != attrs.n_axes) fail(Code::value, "", "the index operands do not match the attributes");
  Offsets offsets(n_indices == 0 ? 1 : call.input(first).count());
  for (uint32_t i = 0; i < n_indices; ++i) {
    const int64_t axis = attrs.axes[i];
    offsets.add(call, call.input(first + i), axis, shape[axis], attrs.slice_sizes[axis], strides[axis]);
  }
  return offsets;
}

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

// Writes one slice; the inner dimension is a single call, the outer ones are walked.
struct SliceLoop {
  Nest<2> nest;  // destination, source
  int log2;
  decltype(Writer::strided) write;
  int64_t inner, rows;

  void prepare(int size, decltype(Writer::strided) fn) {
    nest.finish();
    log2 = size;
    write = fn;
    inner = nest.shape[nest.rank - 1];
    rows = element_count(nest.rank - 1, nest.shape);
  }
  // Elements [begin, end) of the inner dimension.
  void run(char* dst, const char* src, int64_t begin, int64_t end) const {
    const int last = nest.rank - 1;
    const int64_t to = nest.strides[0][last], from = nest.strides[1][last], bytes = int64_t{1} << log2;
    dst += begin * to * bytes;
    src += begin * from * bytes;
    Walk<2> walk(last, nest.shape, nest.strides);
    do {
      write(end - begin, dst + walk.offset(0) * bytes, to, src + walk.offset(1) * bytes, from);
    } while (walk.next());
  }
};

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
      for (int64_t i = 0; i < n; ++i) run_rows(dst + i * size_ * bytes(), src + offsets[i] * bytes());
    } else {
      run_strided(n, dst, src, offsets);
    }
  }

 private:
  static constexpr int64_t kShort = 16;  // slices that are not worth a call each
  static constexpr int64_t kStep = 8;    // elements of each slice that are read before those of the next
  static constexpr int64_t kMany = 64;   // slices that are worth a transposition
  static constexpr int64_t kLine = 64;   // bytes of a slice that are written together

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
    return parallel_for(call.threads(), offsets.count(), kGrain, [&](int64_t begin, int64_t end) {
      offsets.for_parts(begin, end, [&](int64_t i, int64_t n, const int64_t* from) {
        move(n, out.data + i * bytes, data.data, from, 0);
      });
    });
  }
  const SliceReader slices(call.kernels(), data, attrs.slice_sizes);
  parallel_for(call.threads(), offsets.count(), 1 + kGrain / slice, [&](int64_t begin, int64_t end) {
    offsets.for_parts(begin, end, [&](int64_t first, int64_t n, const int64_t* from) {
      slices.run(n, out.data + first * slice * bytes, data.data, from);
    });
  });
}

// The order of writes to one place is the contract: threads share out the columns of the slices.
void run_scatter(const Call& call) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const bool adds = call.node.op == static_cast<uint32_t>(Op::scatter_add);
  const View out = call.output();
  int64_t strides[kMaxRank], slice_strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  const Offsets offsets = slice_offsets(call, 2, out.shape, strides);
  const View updates = call.input(1);
  std::vector<char> memory;
  const char* src = dense_data(call, updates, memory);
  copy_first_operand(call);  // from here on nothing fails: the operand may be what is written to
  if (updates.count() == 0) return;
  const int64_t n_slices = offsets.count(), slice = element_count(out.rank, attrs.slice_sizes);
  const int64_t bytes = int64_t{1} << out.log2();
  const Writer& write = writer(adds, out.dtype);
  if (slice == 1) {
    return offsets.for_parts(0, n_slices, [&](int64_t i, int64_t n, const int64_t* to) {
      write.places(n, out.data, to, 0, src + i * bytes);
    });
  }
  row_major(out.rank, attrs.slice_sizes, slice_strides);
  SliceLoop loop;
  for (int i = 0; i < out.rank; ++i) loop.nest.add(attrs.slice_sizes[i], strides[i], slice_strides[i]);
  loop.prepare(out.log2(), write.strided);
  const int64_t grain = std::max(kMinColumns, kGrain / (n_slices * loop.rows));
  // One stretch of columns each: of shorter ones, far apart, memory delivers fewer.
  constexpr int kChunksEach = 1;
  parallel_for(
      call.threads(), loop.inner, grain,
      [&](int64_t begin, int64_t end) {
        offsets.for_parts(0, n_slices, [&](int64_t first, int64_t n, const int64_t* to) {
          const char* from = src + first * slice * bytes;
          for (int64_t i = 0; i < n; ++i, from += slice * bytes) loop.run(out.data + to[i] * bytes, from, begin, end);
        });
      },
      kChunksEach);
}

namespace {

bool repeats_rows(const View& index) {
  for (int i = 0; i + 1 < index.rank; ++i) {
    if (index.shape[i] > 1 && index.strides[i] != 0) return false;
  }
  return true;
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
  parallel_for(call.threads(), n, kGrain, [&](int64_t begin, int64_t end) {
    Walk<1> walk(last, nest.shape, nest.strides, begin / width);
    int64_t column = begin % width;
    const auto move_rows = [&](int64_t first, int64_t n, const int64_t* along) {
      for (int64_t i = 0; i < n;) {
        const int64_t count = std::min(n - i, width - column);
        const int64_t from = walk.offset(0) + column * step;
        const int64_t* row = repeated.empty() ? along + i : repeated.data() + column;
        move(count, out.data + (first + i) * bytes, a.data + from * bytes, row, step);
        i += count;
        column += count;
        if (column < width) continue;
        column = 0;
        walk.next();
      }
    };
    if (repeated.empty()) {
      offsets.for_parts(begin, end, move_rows);
    } else {
      move_rows(begin, end - begin, nullptr);
    }
  });
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
  parallel_for(threads, rows, 1 + kGrain / width, [&](int64_t begin, int64_t end) {
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
