// Products with a quantized matrix: a panel of it at a time becomes float32, and the matrix kernels do the rest.
#include <algorithm>

#include "backends/cpu/call.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/quantized_kernels.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

// An operand with dense matrices over a batch, float16 and bfloat16 as float32.
class Operand {
 public:
  Operand(const Call& call, const View& view) : view_(view), outer_(view.rank - 2) {
    const bool half = is_half(view.dtype);
    const int64_t* last = view.strides + outer_;
    const bool rows_are_dense =
        (last[1] == 1 || view.shape[outer_ + 1] <= 1) && (last[0] == view.shape[outer_ + 1] || view.shape[outer_] <= 1);
    if (rows_are_dense && !half) {
      data_ = view.data;
      batch_strides_ = view.strides;
      return;
    }
    // Row-major over the batch as well. (A broadcast matrix is repeated here, which is rare: one that all of a batch
    // share comes without batch axes.)
    row_major(view.rank, view.shape, dense_strides_);
    batch_strides_ = dense_strides_;
    data_ = copy_.make_row_major(call, view);
  }

  template <class T>
  const T* matrix(int64_t batch) const {
    return reinterpret_cast<const T*>(data_) + offset_at(batch, outer_, view_.shape, batch_strides_);
  }

 private:
  const View& view_;
  int outer_;
  char* data_ = nullptr;
  const int64_t* batch_strides_ = nullptr;
  int64_t dense_strides_[kMaxRank];
  Temporary copy_;
};

}  // namespace

void run_quantized_matmul(const Call& call) {
  const auto& attrs = call.attrs<ist_quantized_attrs>();
  const View x = call.input(0), w = call.input(1), scales = call.input(2), biases = call.input(3), out = call.output();
  const int outer = out.rank - 2;
  const int64_t m = out.shape[outer], n = out.shape[outer + 1], k = x.shape[outer + 1];
  const int64_t total = out.count();
  if (total == 0) return;
  if (k == 0) {
    std::memset(out.data, 0, static_cast<size_t>(total) << out.log2());
    return;
  }
  const Operand a(call, x), words(call, w), scale(call, scales), bias(call, biases);
  Temporary wide;
  float* c = reinterpret_cast<float*>(is_half(out.dtype) ? wide.make(call, total * 4) : out.data);

  const MatmulKernels& tile = call.kernels().matmul->of[IST_FLOAT32 - IST_FLOAT16];
  const QuantizedTable& table = *call.kernels().quantized;
  const auto unpack = (attrs.transpose ? table.rows : table.columns)[attrs.bits];
  const int64_t cols = tile.cols, panels = (n + cols - 1) / cols;
  const int64_t grain = 1 + kGrain / (k * cols);
  parallel_for(call.threads(), element_count(outer, out.shape) * panels, grain, [&](int64_t begin, int64_t end) {
    float* panel =
        reinterpret_cast<float*>(scratch(static_cast<size_t>(std::min<int64_t>(k, kMatmulBlock) * cols * 4)));
    for (int64_t task = begin; task < end; ++task) {
      const int64_t batch = task / panels, j = task % panels * cols, count = std::min(cols, n - j);
      const QuantizedMatrix matrix = {words.matrix<uint32_t>(batch),
                                      scale.matrix<float>(batch),
                                      bias.matrix<float>(batch),
                                      w.shape[outer] * w.shape[outer + 1],
                                      w.shape[outer + 1],
                                      scales.shape[outer + 1],
                                      attrs.group_size};
      const float* rows = a.matrix<float>(batch);
      for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
        const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
        unpack(matrix, j, count, k0, depth, cols, panel);
        for (int64_t i = 0; i < m; i += tile.rows) {
          tile.tile(static_cast<int>(std::min<int64_t>(tile.rows, m - i)), static_cast<int>(count), depth,
                    rows + i * k + k0, k, 1, panel, cols, c + (batch * m + i) * n + j, n,
                    k0 == 0 ? kTileStore : kTileAdd, nullptr);
        }
      }
    }
  });
  if (!is_half(out.dtype)) return;
  parallel_for(call.threads(), total, kGrain, [&](int64_t begin, int64_t end) {
    const void* from = c + begin;
    call.kernels().cast->fn[IST_FLOAT32][out.dtype](end - begin, out.data + begin * 2, &from);
  });
}

}  // namespace ist::cpu
