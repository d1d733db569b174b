// Convolutions: what all ways of computing them share, and which of them is taken.
#include "backends/cpu/conv.h"

#include <atomic>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {

namespace {

// The elements in row-major order, in the compute type.
char* dense(const Call& call, const View& view, Temporary& copy) {
  return view.dense() && !is_half(view.dtype) ? view.data : copy.make_row_major(call, view);
}

// The input in row-major order, copied when that is asked for.
class Input {
 public:
  Input(const Call& call, const View& view) : call_(call), view_(view) {}

  const View& view() const { return view_; }
  View dense() {
    View view = view_;
    if (!view.dense() && dense_ == nullptr) dense_ = dense_memory_.make_copy(call_, view_);
    if (dense_ != nullptr) view.data = dense_;
    return view;
  }
  // In the compute type.
  const char* wide() {
    if (!is_half(view_.dtype)) return dense().data;
    if (wide_ == nullptr) wide_ = wide_memory_.make_row_major(call_, view_);
    return wide_;
  }

 private:
  const Call& call_;
  View view_;
  char* dense_ = nullptr;
  char* wide_ = nullptr;
  Temporary dense_memory_, wide_memory_;
};

}  // namespace

ConvFilters::ConvFilters(const Call& call, const MatmulKernels& mm, const ConvShape& shape, const View& filters,
                         int64_t panel)
    : mm_(mm), panel_(panel), padded_(round_up(shape.group_outputs(), panel)) {
  const int64_t k_count = shape.k(), size = mm.in_place ? mm.size : int64_t{1} << filters.log2();
  const int64_t outputs = shape.group_outputs(), channels = shape.group_channels(), panels = padded_ / panel_;
  // Columns that lie side by side, as those of a gradient do, are packed tap by tap, others from filters that are
  // dense.
  const bool beside = filters.strides[0] == 1 && panel_ * size >= kLine && !is_half(filters.dtype) && !filters.dense();
  Temporary copy;
  const char* rows = filters.data;
  if (mm.in_place && !beside) rows = dense(call, filters, copy);
  if (!mm.in_place && !filters.dense()) rows = copy.make_copy(call, filters);
  const ConvShape::Depth& last = shape.depths.back();
  group_bytes_ =
      last.begin * padded_ * mm.packed_size + last.index * panels * mm.header + panels * panel_bytes(last.count);
  data_ = memory_.make(call, shape.groups * group_bytes_);
  // Some panels from column j on. Memory has the rows of those that lie beside each other.
  const auto pack = [&](int64_t group, const ConvShape::Depth& depth, int64_t j, int64_t end) {
    const int64_t first = group * outputs;
    const auto to = [&](int64_t column) { return const_cast<char*>(this->panel(group, depth, column)); };
    if (!beside) {
      for (; j < end; j += panel_) {
        mm.pack(depth.count, std::min(panel_, outputs - j), panel_, rows + ((first + j) * k_count + depth.begin) * size,
                1, k_count, to(j));
      }
      return;
    }
    const int64_t* steps = filters.strides;
    for (int64_t t = 0; t < depth.count;) {
      const int64_t tap = (depth.begin + t) / channels, c = (depth.begin + t) % channels;
      const int64_t n = std::min(channels - c, depth.count - t);
      const int64_t at = tap / (shape.h.taps * shape.w.taps) * steps[1] + tap / shape.w.taps % shape.h.taps * steps[2] +
                         tap % shape.w.taps * steps[3] + c * steps[4] + first;
      for (int64_t p = j; p < end; p += panel_) {
        mm.pack(n, std::min(panel_, outputs - p), panel_, rows + (at + p) * size, steps[4], 1,
                to(p) + t * panel_ * size);
      }
      t += n;
    }
  };
  constexpr int64_t kTogether = 8;  // panels
  const int64_t width = std::min(panels, kTogether) * panel_, across = divide_up(outputs, width);
  const auto n_depths = static_cast<int64_t>(shape.depths.size());
  const int64_t work = divide_up(k_count, n_depths) * width;
  parallel_for(call.threads(), shape.groups * n_depths * across, 1 + kConvThreadWork / work,
               [&](int64_t begin, int64_t end) {
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t j = task % across * width;
                   pack(task / across / n_depths, shape.depths[static_cast<size_t>(task / across % n_depths)], j,
                        std::min(outputs, j + width));
                 }
               });
}

void round_block(const Call& call, const View& out, const ConvShape& shape, const ConvBlock& block, int64_t first,
                 int64_t count, const char* wide, int64_t wide_row, int64_t wide_pixel) {
  const auto round = call.kernels().matmul->of[out.dtype - IST_FLOAT16].round;
  const bool beside = count == shape.column_step && count == wide_pixel;  // one pixel after another
  for (int64_t row = 0; row < block.rows; ++row) {
    char* to = out.data + (shape.place(block) + row * shape.row_step + first) * 2;
    const int64_t rows = beside ? 1 : block.columns, columns = beside ? block.columns * count : count;
    round(static_cast<int>(rows), static_cast<int>(columns), wide + row * wide_row * 4, wide_pixel, to,
          shape.column_step);
  }
}

namespace {

// Rather than planes: where groups of k are many, or need not be gathered.
bool suits_strips(const ConvShape& shape) {
  return shape.groups == 1 && (shape.k() >= 4 * kMatmulGroup || shape.channels % kMatmulGroup == 0);
}

bool has_one_filter_a_channel(const ConvShape& shape) {
  return shape.groups > 1 && shape.groups == shape.channels && shape.groups == shape.outputs;
}

void convolve(const Call& call, const ConvShape& shape, Input& input, const View& filters, const View& out) {
  const bool groups = call.kernels().matmul->of[out.dtype - IST_FLOAT16].groups != nullptr;
  const bool planes = !(groups && suits_strips(shape)) && suits_planes(call, {&shape, 1});
  // Less than a vector of channels: vectors along the pixels are fuller.
  const bool few_channels = 2 * shape.channels < conv_kernels_of(call, out).cols;
  if (has_one_filter_a_channel(shape) && !(planes && few_channels)) {
    convolve_channels(call, shape, input.dense(), filters, out);
  } else if (planes) {
    convolve_planes(call, {&shape, 1}, input.wide(), filters, out);
  } else if (suits_images(shape, input.view(), filters)) {
    convolve_images(call, shape, input.view(), filters, out);
  } else if (groups) {
    convolve_strips(call, shape, input.dense(), filters, out);
  } else {
    convolve_products(call, shape, out.dtype == IST_BFLOAT16 ? input.dense().data : input.wide(), filters, out);
  }
}

// `filters` has all taps of the whole that the run may be a part of.
void convolve_run(const Call& call, const ConvPhases::Run& run, Input& input, const View& filters, const View& out) {
  const ConvShape& first = run.parts[0];
  // (phases, outputs, d, h, w, channels) with the taps of the run
  const ConvAxis* axes[] = {&first.d, &first.h, &first.w};
  int64_t count[6], strides[6];
  count[0] = run.phases;
  strides[0] = run.tap_shift * filters.strides[3];
  std::copy(filters.shape, filters.shape + 5, count + 1);
  std::copy(filters.strides, filters.strides + 5, strides + 1);
  char* data = filters.data;
  for (int i = 0; i < 3; ++i) {
    count[i + 2] = axes[i]->taps;
    data += axes[i]->first_tap * filters.strides[i + 1] * (int64_t{1} << filters.log2());
    strides[i + 2] *= axes[i]->tap_step;
  }
  Temporary copy;
  if (run.phases > 1 && count[1] == 1) {
    count[1] = run.phases;
    strides[1] = strides[0];
  } else if (run.phases > 1) {
    data = copy.make_copy(call, {data, filters.dtype, 6, count, strides});
    count[1] *= run.phases;
    row_major(5, count + 1, strides + 1);
  }
  View part = {data, filters.dtype, 5, count + 1, strides + 1};
  if (run.parts.size() > 1 && suits_planes(call, run.parts)) {
    convolve_planes(call, run.parts, input.wide(), part, out);
    return;
  }
  for (const ConvShape& shape : run.parts) {
    count[1] = shape.outputs;
    convolve(call, shape, input, part, out);
    part.data += shape.outputs * strides[1] * (int64_t{1} << filters.log2());
  }
}

// Are the elements a dense stretch of memory, in whatever order?
bool fills_memory(const View& view) {
  int64_t last = 0;
  for (int i = 0; i < view.rank; ++i) {
    if (view.shape[i] > 1 && view.strides[i] <= 0) return false;
    last += (view.shape[i] - 1) * view.strides[i];
  }
  return last + 1 == view.count();
}

bool all_finite(const Call& call, const View& view) {
  Temporary copy;
  const bool copies = is_half(view.dtype) || !fills_memory(view);
  const char* data = copies ? copy.make_row_major(call, view) : view.data;
  return call.kernels().row->fn[view.dtype == IST_FLOAT64 ? 1 : 0].all_finite(view.count(), data) != 0;
}

// In a dense tensor.
bool has_negative_zero(const Call& call, const View& out) {
  std::atomic<bool> found = false;
  const auto any = call.kernels().conv->negative_zero[out.log2() - 1];
  parallel_for(call.threads(), out.count(), kConvThreadWork, [&](int64_t begin, int64_t end) {
    if (any(end - begin, out.data + (begin << out.log2())) != 0) found.store(true, std::memory_order_relaxed);
  });
  return found;
}

}  // namespace

void run_conv(const Call& call) {
  const View input = call.input(0), weight = call.input(1), out = call.output();
  const ConvShape whole(call);
  if (out.count() == 0) return;
  const size_t nbytes = static_cast<size_t>(out.count()) << out.log2();
  if (whole.k() == 0) {
    std::memset(out.data, 0, nbytes);
    return;
  }
  Input x(call, input);
  // (outputs, d, h, w, channels)
  int64_t count[] = {whole.outputs, whole.d.taps, whole.h.taps, whole.w.taps, whole.group_channels()}, strides[5] = {};
  const int n_dims = weight.rank - 2;
  strides[0] = weight.strides[0];
  std::copy(weight.strides + 1, weight.strides + weight.rank, strides + 4 - n_dims);
  const View filters = {weight.data, weight.dtype, 5, count, strides};
  // The zeros between the elements of a spread input are left out where the weights are finite. What they add is zero,
  // which changes nothing but -0 (of products too small for the dtype) to +0: so the result is right unless it has
  // a -0.
  const bool keeps_groups = out.dtype != IST_BFLOAT16 || whole.group_channels() % kMatmulGroup == 0;
  if (whole.is_spread() && keeps_groups && all_finite(call, filters)) {
    const ConvPhases phases(whole);
    if (!phases.all_have_taps()) std::memset(out.data, 0, nbytes);
    phases.for_each_run([&](const ConvPhases::Run& run) { convolve_run(call, run, x, filters, out); });
    if (out.dtype == IST_BFLOAT16 || !has_negative_zero(call, out)) return;
  }
  convolve(call, whole, x, filters, out);
}

}  // namespace ist::cpu
