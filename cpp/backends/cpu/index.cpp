// Ops that address elements by index tensors. Indices are read and checked first, on the calling thread, so that an
// error leaves nothing half written.
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

template <class T>
void add_starts(const T* index, int64_t n, int64_t axis, int64_t extent, int64_t slice_size, int64_t stride,
                int64_t* offsets) {
  for (int64_t i = 0; i < n; ++i) {
    // An index beyond int64 must not wrap before it is compared.
    bool outside = std::is_unsigned_v<T> && static_cast<uint64_t>(index[i]) > static_cast<uint64_t>(extent);
    int64_t start = outside ? 0 : static_cast<int64_t>(index[i]);
    if (start < 0) start += extent;
    outside = outside || start < 0 || start > extent - slice_size;
    if (outside) fail(Code::index, "", "index ", +index[i], " is out of bounds for axis ", axis, " with size ", extent);
    offsets[i] += start * stride;
  }
}

// offsets[i] += stride * (element i of the index tensor, wrapped and checked).
void add_index(const Call& call, const View& index, int64_t axis, int64_t extent, int64_t slice_size, int64_t stride,
               int64_t* offsets) {
  const int64_t n = index.count();
  const char* dense = index.data;
  std::vector<char> copied;
  if (!index.dense()) {
    copied.resize(static_cast<size_t>(n) << index.log2());
    int64_t strides[kMaxRank];
    row_major(index.rank, index.shape, strides);
    copy_strided(call.kernels(), 1, index.log2(), index.rank, index.shape, copied.data(), strides, index.data,
                 index.strides);
    dense = copied.data();
  }
#define IST_CASE(id, T) \
  case id:              \
    return add_starts(reinterpret_cast<const T*>(dense), n, axis, extent, slice_size, stride, offsets);
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

// The offset, in elements, of the slice that each position of the index operands addresses.
std::vector<int64_t> slice_offsets(const Call& call, uint32_t first, const int64_t* shape, const int64_t* strides) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const uint32_t n_indices = call.node.n_inputs - first;
  if (n_indices != attrs.n_axes) fail(Code::value, "", "the index operands do not match the attributes");
  std::vector<int64_t> offsets(n_indices == 0 ? 1 : static_cast<size_t>(call.input(first).count()), 0);
  for (uint32_t i = 0; i < n_indices; ++i) {
    const int64_t axis = attrs.axes[i];
    add_index(call, call.input(first + i), axis, shape[axis], attrs.slice_sizes[axis], strides[axis], offsets.data());
  }
  return offsets;
}

// What a write does: dst[i * dst_stride] = or += src[i].
using WriteFn = void (*)(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride);

template <int D>
void accumulate(int64_t n, void* dst, int64_t dst_stride, const void* src, int64_t src_stride) {
  using Stored = typename Storage<D>::type;
  Stored* to = static_cast<Stored*>(dst);
  const Stored* from = static_cast<const Stored*>(src);
  for (int64_t i = 0; i < n; ++i) {
    Stored& place = to[i * dst_stride];
    if constexpr (D == IST_BOOL) {
      place = place || from[i * src_stride];
    } else {
      place = Storage<D>::store(scalar::add(Storage<D>::load(place), Storage<D>::load(from[i * src_stride])));
    }
  }
}

WriteFn writer(const Call& call, bool adds, uint32_t dtype) {
  static constexpr WriteFn accumulators[kDTypes] = {
      &accumulate<IST_BOOL>,    &accumulate<IST_UINT8>,    &accumulate<IST_UINT16>,   &accumulate<IST_UINT32>,
      &accumulate<IST_UINT64>,  &accumulate<IST_INT8>,     &accumulate<IST_INT16>,    &accumulate<IST_INT32>,
      &accumulate<IST_INT64>,   &accumulate<IST_FLOAT16>,  &accumulate<IST_BFLOAT16>, &accumulate<IST_FLOAT32>,
      &accumulate<IST_FLOAT64>, &accumulate<IST_COMPLEX64>};
  return adds ? accumulators[dtype] : call.kernels().copy->strided[size_log2(dtype)];
}

// Copies one slice; the inner dimension is a single call, the outer ones are walked.
struct SliceLoop {
  Nest<2> nest;  // destination, source
  int log2;
  WriteFn write;
  int64_t inner, rows;

  void prepare(int size, WriteFn fn) {
    nest.finish();
    log2 = size;
    write = fn;
    inner = nest.shape[nest.rank - 1];
    rows = element_count(nest.rank - 1, nest.shape);
  }
  void run(char* dst, const char* src) const {
    const int last = nest.rank - 1;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t to = offset_at(row, last, nest.shape, nest.strides[0]);
      const int64_t from = offset_at(row, last, nest.shape, nest.strides[1]);
      write(inner, dst + to * (int64_t{1} << log2), nest.strides[0][last], src + from * (int64_t{1} << log2),
            nest.strides[1][last]);
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
  const std::vector<int64_t> offsets = slice_offsets(call, 1, data.shape, data.strides);
  if (out.count() == 0) return;
  int64_t strides[kMaxRank];
  row_major(data.rank, attrs.slice_sizes, strides);
  SliceLoop loop;
  for (int i = 0; i < data.rank; ++i) loop.nest.add(attrs.slice_sizes[i], strides[i], data.strides[i]);
  loop.prepare(data.log2(), writer(call, false, data.dtype));
  const int64_t bytes = int64_t{1} << data.log2();
  const int64_t n = static_cast<int64_t>(offsets.size());
  parallel_for(call.threads(), n, 1 + kGrain / slice, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) loop.run(out.data + i * slice * bytes, data.data + offsets[i] * bytes);
  });
}

// Sequential: the order of writes to one place is the contract.
void run_scatter(const Call& call) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const bool adds = call.node.op == static_cast<uint32_t>(Op::scatter_add);
  const View out = call.output();
  int64_t strides[kMaxRank], slice_strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  const std::vector<int64_t> offsets = slice_offsets(call, 2, out.shape, strides);
  run_contiguous(call);
  const View updates = call.input(1);
  if (updates.count() == 0) return;
  std::vector<char> memory;
  const char* src = dense_data(call, updates, memory);
  const int64_t slice = element_count(out.rank, attrs.slice_sizes);
  row_major(out.rank, attrs.slice_sizes, slice_strides);
  SliceLoop loop;
  for (int i = 0; i < out.rank; ++i) loop.nest.add(attrs.slice_sizes[i], strides[i], slice_strides[i]);
  loop.prepare(out.log2(), writer(call, adds, out.dtype));
  const int64_t bytes = int64_t{1} << out.log2();
  for (size_t i = 0; i < offsets.size(); ++i) {
    loop.run(out.data + offsets[i] * bytes, src + static_cast<int64_t>(i) * slice * bytes);
  }
}

void run_take_along_axis(const Call& call) {
  const int axis = call.attrs<ist_axis_attrs>().axis;
  const View a = call.input(0);
  const View index = call.input(1);
  const View out = call.output();
  const int64_t n = out.count();
  std::vector<int64_t> offsets(static_cast<size_t>(n), 0);
  add_index(call, index, axis, a.shape[axis], 1, a.strides[axis], offsets.data());
  int64_t strides[kMaxRank];
  for (int i = 0; i < a.rank; ++i) strides[i] = i == axis ? 0 : a.strides[i];
  const int log2 = a.log2();
  const auto move = call.kernels().copy->strided[log2];
  const int64_t bytes = int64_t{1} << log2;
  parallel_for(call.threads(), n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t from = offsets[i] + offset_at(i, index.rank, index.shape, strides);
      move(1, out.data + i * bytes, 1, a.data + from * bytes, 1);
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
  std::vector<int64_t> offsets(static_cast<size_t>(index.count()), 0);
  add_index(call, index, axis, out.shape[axis], 1, strides[axis], offsets.data());
  run_contiguous(call);
  strides[axis] = 0;
  std::vector<char> memory;
  const char* src = dense_data(call, values, memory);
  const WriteFn write = writer(call, adds, out.dtype);
  const int64_t bytes = int64_t{1} << out.log2();
  for (size_t i = 0; i < offsets.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i);
    const int64_t to = offsets[i] + offset_at(at, index.rank, index.shape, strides);
    write(1, out.data + to * bytes, 1, src + at * bytes, 1);
  }
}

}  // namespace ist::cpu
