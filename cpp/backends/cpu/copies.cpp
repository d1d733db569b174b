// Ops that move elements, and the strided copy under them.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 64 * 1024;  // elements that are worth another thread

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

void copy_strided(const Kernels& kernels, int threads, int log2, int rank, const int64_t* shape, char* dst,
                  const int64_t* dst_strides, const char* src, const int64_t* src_strides) {
  Nest<2> nest;
  for (int i = 0; i < rank; ++i) {
    if (shape[i] == 0) return;
    nest.add(shape[i], dst_strides[i], src_strides[i]);
  }
  nest.finish();
  const int last = nest.rank - 1;
  const int64_t* to = nest.strides[0];
  const int64_t* from = nest.strides[1];
  const auto strided = kernels.copy->strided[log2];

  if (last == 0) {
    parallel_for(threads, nest.shape[0], kGrain, [&](int64_t begin, int64_t end) {
      strided(end - begin, dst + ((begin * to[0]) << log2), to[0], src + ((begin * from[0]) << log2), from[0]);
    });
    return;
  }

  // Where the source runs along the second-last dimension, squares keep both sides in cache.
  const bool transposes = to[last] == 1 && from[last - 1] == 1 && from[last] != 0 && nest.shape[last - 1] >= 8;
  const int outer = transposes ? last - 1 : last;
  const int64_t n_outer = element_count(outer, nest.shape);
  const int64_t per_outer = nest.count() / n_outer;
  if (transposes && n_outer < threads) {
    const int64_t rows = nest.shape[last - 1];
    for (int64_t o = 0; o < n_outer; ++o) {
      char* d = dst + (offset_at(o, outer, nest.shape, to) << log2);
      const char* s = src + (offset_at(o, outer, nest.shape, from) << log2);
      parallel_for(threads, rows, std::max<int64_t>(1, kGrain / nest.shape[last]), [&](int64_t begin, int64_t end) {
        kernels.copy->transpose[log2](end - begin, nest.shape[last], d + ((begin * to[last - 1]) << log2), to[last - 1],
                                      s + (begin << log2), from[last]);
      });
    }
    return;
  }
  parallel_for(threads, n_outer, std::max<int64_t>(1, kGrain / per_outer), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      char* d = dst + (offset_at(o, outer, nest.shape, to) * (int64_t{1} << log2));
      const char* s = src + (offset_at(o, outer, nest.shape, from) * (int64_t{1} << log2));
      if (transposes) {
        kernels.copy->transpose[log2](nest.shape[last - 1], nest.shape[last], d, to[last - 1], s, from[last]);
      } else {
        strided(nest.shape[last], d, to[last], s, from[last]);
      }
    }
  });
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

void run_concatenate(const Call& call) {
  const int axis = call.attrs<ist_axis_attrs>().axis;
  const View out = call.output();
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  char* dst = out.data;
  for (uint32_t i = 0; i < call.node.n_inputs; ++i) {
    const View in = call.input(i);
    copy_to_output(call, in, dst, strides);
    dst += (in.shape[axis] * strides[axis]) << out.log2();
  }
}

void run_pad(const Call& call) {
  const auto& attrs = call.attrs<ist_pad_attrs>();
  if (attrs.mode != 0) fail(Code::value, "", "only the constant mode has a kernel, got mode ", attrs.mode);
  const View out = call.output();
  const View constant = call.input(1);
  const int log2 = out.log2();
  parallel_for(call.threads(), out.count(), kGrain, [&](int64_t begin, int64_t end) {
    call.kernels().copy->fill[log2](end - begin, out.data + (begin << log2), constant.data);
  });
  int64_t strides[kMaxRank];
  row_major(out.rank, out.shape, strides);
  int64_t offset = 0;
  for (int axis = 0; axis < out.rank; ++axis) offset += attrs.low[axis] * strides[axis];
  copy_to_output(call, call.input(0), out.data + (offset << log2), strides);
}

void run_slice_update(const Call& call) {
  const auto& attrs = call.attrs<ist_slice_attrs>();
  const View out = call.output();
  run_contiguous(call);
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
