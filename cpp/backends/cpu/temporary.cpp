#include "backends/cpu/temporary.h"

#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {

char* Temporary::make(const Call& call, int64_t nbytes) {
  buffer_ = call.context.host.allocate(static_cast<uint64_t>(nbytes));
  if (buffer_ == nullptr) fail(Code::memory, "", "cannot allocate ", nbytes, " bytes");
  return static_cast<char*>(buffer_->data);
}

char* Temporary::make_copy(const Call& call, const View& view) {
  char* data = make(call, view.count() << view.log2());
  int64_t strides[kMaxRank];
  row_major(view.rank, view.shape, strides);
  copy_strided(call.kernels(), call.threads(), view.log2(), view.rank, view.shape, data, strides, view.data,
               view.strides);
  return data;
}

char* Temporary::make_row_major(const Call& call, const View& view) {
  if (!is_half(view.dtype)) return make_copy(call, view);
  Temporary copy;
  const char* elements = view.dense() ? view.data : copy.make_copy(call, view);
  const int64_t n = view.count();
  char* data = make(call, n * 4);
  parallel_for(call.threads(), n, kGrain, [&](int64_t begin, int64_t end) {
    const void* from = elements + begin * 2;
    call.kernels().cast->fn[view.dtype][IST_FLOAT32](end - begin, data + begin * 4, &from);
  });
  return data;
}

}  // namespace ist::cpu
