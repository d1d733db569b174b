// Ops that address elements by index tensors. Indices are read and checked first, so that an error leaves nothing half
// written.
#include <algorithm>
#include <atomic>
#include <memory>
#include <type_traits>
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/threads.h"
#include "kernels/scalar_ops.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 16 * 1024;
constexpr int64_t kMinColumns = 64;  // of a slice that are worth another thread, however many slices there are

// Element offsets of slices or places, left uninitialised until add_index writes the first time.
using Offsets = std::unique_ptr<int64_t[]>;

Offsets make_offsets(int64_t n) { return Offsets(new int64_t[static_cast<size_t>(n)]); }

// Where index element `given` starts, or -1 when that is out of bounds. `last` is the largest start.
template <class T>
int64_t start_of(T given, int64_t extent, int64_t last) {
  // An index beyond int64 must not wrap before it is compared.
  if (std::is_unsigned_v<T> && static_cast<uint64_t>(given) > static_cast<uint64_t>(extent)) return -1;
  int64_t start = static_cast<int64_t>(given);
  start += start < 0 ? extent : 0;
  return start > last ? -1 : start;
}

template <class T>
void add_starts(int threads, const T* index, int64_t n, int64_t axis, int64_t extent, int64_t slice_size,
                int64_t stride, bool first, int64_t* offsets) {
  const int64_t last = extent - slice_size;
  std::atomic<bool> fails = false;
  parallel_for(threads, n, kGrain, [&](int64_t begin, int64_t end) {
    int64_t signs = 0;  // negative once a start is
    for (int64_t i = begin; i < end; ++i) {
      const int64_t start = start_of(index[i], extent, last);
      signs |= start;
      offsets[i] = (first ? 0 : offsets[i]) + start * stride;
    }
    if (signs < 0) fails = true;
  });
  if (!fails) return;
  const T* bad = std::find_if(index, index + n, [&](T given) { return start_of(given, extent, last) < 0; });
  fail(Code::index, "", "index ", +*bad, " is out of bounds for axis ", axis, " with size ", extent);
}

// offsets[i] += stride * (element i of the index tensor, wrapped and checked); `first` writes instead of adding.
void add_index(const Call& call, const View& index, int64_t axis, int64_t extent, int64_t slice_size, int64_t stride,
               bool first, int64_t* offsets) {
  const int64_t n = index.count();
  const char* dense = index.data;
  std::vector<char> copied;
  if (!index.dense()) {
    copied.resize(static_cast<size_t>(n) << index.log2());
    int64_t strides[kMaxRank];
    row_major(index.rank, index.shape, strides);
    copy_strided(call.kernels(), call.threads(), index.log2(), index.rank, index.shape, copied.data(), strides,
                 index.data, index.strides);
    dense = copied.data();
  }
#define IST_CASE(id, T)                                                                                              \
  case id:                                                                                                           \
    return add_starts(call.threads(), reinterpret_cast<const T*>(dense), n, axis, extent, slice_size, stride, first, \
                      offsets);
  switch (index.dtype) {
    IST_CASE(IST_UINT8, uint8_t)
    IST_CASE(IST_UINT16, uint16_t)
    IST_CASE(IST_UINT32, uint32_t)
    IST_CASE(IST_UINT64, uint64_t)
    IST_CASE(IST_INT8, int8_t)
    IST_CASE(IST_INT16, int16_t)
    IST_CASE(IST_INT32, int32_t)
    IST_CASE(IST_INT64, int64_t)
  }
#undef IST_CASE
}

// How many slices the index operands address.
int64_t slice_count(const Call& call, uint32_t first) {
  return call.node.n_inputs == first ? 1 : call.input(first).count();
}

// The offset, in elements, of the slice that each position of the index operands addresses.
Offsets slice_offsets(const Call& call, uint32_t first, const int64_t* shape, const int64_t* strides) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const uint32_t n_indices = call.node.n_inputs - first;
  if (n_indices != attrs.n_axes) fail(Code::value, "", "the index operands do not match the attributes");
  Offsets offsets = make_offsets(slice_count(call, first));
  if (n_indices == 0) offsets[0] = 0;
  for (uint32_t i = 0; i < n_indices; ++i) {
    const int64_t axis = attrs.axes[i];
    add_index(call, call.input(first + i), axis, shape[axis], attrs.slice_sizes[axis], strides[axis], i == 0,
              offsets.get());
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
  for (int64_t i = 0; i < n; ++i) Write::apply(to[offsets[i] + i * step], from[i]);
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

// dst[i] = src[offsets[i] + i * step].
using PickFn = void (*)(int64_t n, void* dst, const void* src, const int64_t* offsets, int64_t step);

template <class T>
void pick(int64_t n, void* dst, const void* src, const int64_t* offsets, int64_t step) {
  T* __restrict to = static_cast<T*>(dst);
  const T* __restrict from = static_cast<const T*>(src);
  for (int64_t i = 0; i < n; ++i) to[i] = from[offsets[i] + i * step];
}

PickFn picker(int log2) {
  static constexpr PickFn fns[] = {&pick<uint8_t>, &pick<uint16_t>, &pick<uint32_t>, &pick<uint64_t>};
  return fns[log2];
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
    const int64_t bytes = int64_t{1} << log2;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t to = offset_at(row, last, nest.shape, nest.strides[0]) + begin * nest.strides[0][last];
      const int64_t from = offset_at(row, last, nest.shape, nest.strides[1]) + begin * nest.strides[1][last];
      write(end - begin, dst + to * bytes, nest.strides[0][last], src + from * bytes, nest.strides[1][last]);
    }
  }
};

// A dense copy of an operand, or the operand's own memory.
const char* dense_data(const Call& call, const View& view, std::vector<char>& memory) {
  if (view.dense()) return view.data;
  memory.resize(static_cast<size_t>(view.count()) << view.log2());
  int64_t strides[kMaxRank];
  row_major(view.rank, view.shape, strides);
  copy_strided(call.kernels(), call.threads(), view.log2(), view.rank, view.shape, memory.data(), strides, view.data,
               view.strides);
  return memory.data();
}

}  // namespace

void run_gather(const Call& call) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const View data = call.input(0);
  const View out = call.output();
  const int64_t slice = element_count(data.rank, attrs.slice_sizes);
  const Offsets offsets = slice_offsets(call, 1, data.shape, data.strides);
  if (out.count() == 0) return;
  const int64_t n = slice_count(call, 1), bytes = int64_t{1} << data.log2();
  if (slice == 1) {
    const PickFn move = picker(data.log2());
    return parallel_for(call.threads(), n, kGrain, [&](int64_t begin, int64_t end) {
      move(end - begin, out.data + begin * bytes, data.data, &offsets[begin], 0);
    });
  }
  int64_t strides[kMaxRank];
  row_major(data.rank, attrs.slice_sizes, strides);
  SliceLoop loop;
  for (int i = 0; i < data.rank; ++i) loop.nest.add(attrs.slice_sizes[i], strides[i], data.strides[i]);
  loop.prepare(data.log2(), call.kernels().copy->strided[data.log2()]);
  parallel_for(call.threads(), n, 1 + kGrain / slice, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      loop.run(out.data + i * slice * bytes, data.data + offsets[i] * bytes, 0, loop.inner);
    }
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
  run_contiguous(call);
  const View updates = call.input(1);
  if (updates.count() == 0) return;
  std::vector<char> memory;
  const char* src = dense_data(call, updates, memory);
  const int64_t n = slice_count(call, 2), slice = element_count(out.rank, attrs.slice_sizes);
  const Writer& write = writer(adds, out.dtype);
  if (slice == 1) return write.places(n, out.data, offsets.get(), 0, src);
  row_major(out.rank, attrs.slice_sizes, slice_strides);
  SliceLoop loop;
  for (int i = 0; i < out.rank; ++i) loop.nest.add(attrs.slice_sizes[i], strides[i], slice_strides[i]);
  loop.prepare(out.log2(), write.strided);
  const int64_t bytes = int64_t{1} << out.log2(), column = n * loop.rows;
  parallel_for(call.threads(), loop.inner, std::max(kMinColumns, kGrain / column), [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) loop.run(out.data + offsets[i] * bytes, src + i * slice * bytes, begin, end);
  });
}

void run_take_along_axis(const Call& call) {
  const int axis = call.attrs<ist_axis_attrs>().axis;
  const View a = call.input(0);
  const View index = call.input(1);
  const View out = call.output();
  const int64_t n = out.count();
  const Offsets offsets = make_offsets(n);
  add_index(call, index, axis, a.shape[axis], 1, a.strides[axis], true, offsets.get());
  if (n == 0) return;
  int64_t strides[kMaxRank];
  for (int i = 0; i < a.rank; ++i) strides[i] = i == axis ? 0 : a.strides[i];
  const PickFn move = picker(a.log2());
  const int64_t bytes = int64_t{1} << a.log2();
  const int last = index.rank - 1;
  const int64_t width = index.shape[last];
  parallel_for(call.threads(), n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {
      const int64_t stop = std::min(end, (i / width + 1) * width);
      const int64_t from = offset_at(i, index.rank, index.shape, strides);
      move(stop - i, out.data + i * bytes, a.data + from * bytes, &offsets[i], strides[last]);
      i = stop;
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
  const int64_t n = index.count();
  const Offsets offsets = make_offsets(n);
  add_index(call, index, axis, out.shape[axis], 1, strides[axis], true, offsets.get());
  run_contiguous(call);
  if (n == 0) return;
  strides[axis] = 0;
  std::vector<char> memory;
  const char* src = dense_data(call, values, memory);
  const Writer& write = writer(adds, out.dtype);
  const int64_t bytes = int64_t{1} << out.log2();
  const int last = index.rank - 1;
  const int64_t width = index.shape[last], rows = n / width;
  // Rows along the last axis write to places of their own; those along others may meet.
  const int threads = axis == last ? call.threads() : 1;
  parallel_for(threads, rows, 1 + kGrain / width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row * width, to = offset_at(row, last, index.shape, strides);
      write.places(width, out.data + to * bytes, &offsets[i], strides[last], src + i * bytes);
    }
  });
}

}  // namespace ist::cpu
