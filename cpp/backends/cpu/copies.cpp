// Ops that move elements.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kBlockBytes = 256 * 1024;  // of a concatenation that are made together

}  // namespace

void convert(const Kernels& kernels, uint32_t from, uint32_t to, int64_t n, const void* src, void* dst, void* middle) {
  if (from == to) {
    std::memcpy(dst, src, static_cast<size_t>(n) << size_log2(from));
    return;
  }
  if (const TileFn direct = kernels.cast->fn[from][to]) return direct(n, dst, &src);
  const void* between = src;
  if (from != IST_FLOAT32) {
    kernels.cast->fn[from][IST_FLOAT32](n, middle, &src);
    between = middle;
  }
  kernels.cast->fn[IST_FLOAT32][to](n, dst, &between);
}

namespace {

void copy_to_output(const Call& call, const View& from, char* dst, const int64_t* dst_strides) {
  copy_strided(call.kernels(), call.threads(), from.log2(), from.rank, from.shape, dst, dst_strides, from.data,
               from.strides);
}

}  // namespace

void run_contiguous(const Call& call) {
  const View out = call.output();
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  copy_to_output(call, call.input(0), out.data, strides);
}

void copy_first_operand(const Call& call) {
  if (call.output().data != call.input(0).data) run_contiguous(call);
}

void run_concatenate(const Call& call) {
  const int axis = call.attrs<ist_axis_attrs>().axis;
  const View out = call.output();
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  // Rows [begin, end) of the outermost axis.
  const auto copy_rows = [&](int threads, int64_t begin, int64_t end) {
    char* dst = out.data + ((begin * strides[0]) << out.log2());
    for (uint32_t i = 0; i < call.node.n_inputs; ++i) {
      const View in = call.input(i);
      int64_t shape[kMaxRank];
      std::copy_n(in.shape, in.rank, shape);
      shape[0] = std::min(end - begin, in.shape[0]);
      const char* src = in.data + begin * in.strides[0] * (int64_t{1} << in.log2());
      copy_strided(call.kernels(), threads, in.log2(), in.rank, shape, dst, strides, src, in.strides);
      dst += (in.shape[axis] * strides[axis]) << out.log2();
    }
  };
  const int64_t rows = out.shape[0], block = 1 + (kBlockBytes >> out.log2()) / std::max<int64_t>(strides[0], 1);
  if (axis == 0 || rows <= block) return copy_rows(call.threads(), 0, rows);
  // The inputs share lines of the output: they take turns while those are in cache.
  parallel_for(call.threads(), rows, block, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row += block) copy_rows(1, row, std::min(row + block, end));
  });
}

void run_pad(const Call& call) {
  const auto& attrs = call.attrs<ist_pad_attrs>();
  if (attrs.mode != 0) fail(Code::value, "", "only the constant mode has a kernel, got mode ", attrs.mode);
  const View in = call.input(0), constant = call.input(1), out = call.output();
  const int64_t nowhere[kMaxRank] = {};
  int64_t strides[kMaxRank], shape[kMaxRank];
  row_major(out.rank, out.shape, strides);
  std::copy_n(out.shape, out.rank, shape);
  // What is outside along one axis, and inside along the axes before.
  char* inside = out.data;
  for (int axis = 0; axis < out.rank; ++axis) {
    const auto fill = [&](char* dst, int64_t width) {
      shape[axis] = width;
      copy_strided(call.kernels(), call.threads(), out.log2(), out.rank, shape, dst, strides, constant.data, nowhere);
    };
    fill(inside, attrs.low[axis]);
    inside += (attrs.low[axis] * strides[axis]) << out.log2();
    fill(inside + ((in.shape[axis] * strides[axis]) << out.log2()), attrs.high[axis]);
    shape[axis] = in.shape[axis];
  }
  copy_to_output(call, in, inside, strides);
}

void run_slice_update(const Call& call) {
  const auto& attrs = call.attrs<ist_slice_attrs>();
  const View out = call.output();
  copy_first_operand(call);
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  int64_t offset = 0;
  for (int axis = 0; axis < out.rank; ++axis) {
    offset += attrs.starts[axis] * strides[axis];
    strides[axis] *= attrs.steps[axis];
  }
  copy_to_output(call, call.input(1), out.data + (offset << out.log2()), strides);
}

}  // namespace ist::cpu
