#include "backends/cpu/conv_window.h"

#include <algorithm>

namespace ist::cpu {
namespace {

constexpr int64_t kEnough = 8;  // units of outputs in a block, below which it is not cut for more blocks alone

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

ConvShape::ConvShape(const Call& call) {
  const auto& attrs = call.attrs<ist_conv_attrs>();
  const View input = call.input(0), weight = call.input(1), out = call.output();
  const int n_dims = out.rank - 2;
  ConvAxis* axes[] = {&d, &h, &w};
  for (int i = 0; i < n_dims; ++i) {
    *axes[3 - n_dims + i] = {input.shape[i + 1],   out.shape[i + 1],         weight.shape[i + 1],    attrs.strides[i],
                             attrs.padding_low[i], attrs.kernel_dilation[i], attrs.input_dilation[i]};
  }
  batch = out.shape[0];
  channels = input.shape[n_dims + 1];
  outputs = weight.shape[0];
  groups = attrs.groups;
  if (!d.is_pointwise() || !h.is_pointwise() || !w.is_pointwise()) return;
  // A matrix product: all pixels are one row.
  w.in = w.out = batch * d.out * h.out * w.out;
  d = h = ConvAxis();
  batch = 1;
}

ConvWindows::ConvWindows(const ConvShape& shape, int64_t channels, int64_t outputs, int size, int64_t bytes,
                         int64_t unit, int64_t wanted)
    : shape_(shape),
      channels_(channels),
      outputs_(outputs),
      height_(shape.h.out),
      width_(shape.w.out),
      size_(size),
      direct_(shape.d.inside() && shape.h.inside() && shape.w.inside()) {
  const auto cut = [&] {
    down_ = divide_up(shape.h.out, height_);
    across_ = divide_up(shape.w.out, width_);
  };
  cut();
  for (;;) {
    const bool few = count() < wanted && height_ * width_ >= 2 * kEnough * unit;
    if (block_bytes() <= bytes && !few) break;
    if (height_ > 1 && height_ / 2 >= shape.h.overlap()) {
      height_ = divide_up(height_, 2);
    } else if (width_ > 4 * unit && width_ / 2 >= shape.w.overlap()) {
      width_ = divide_up(divide_up(width_, 2), unit) * unit;
    } else {
      break;
    }
    cut();
  }
  height_ = divide_up(shape.h.out, down_);  // all alike
  down_ = divide_up(shape.h.out, height_);
  column_ = direct_ ? shape.channels : channels;
  row_ = column_ * (direct_ ? shape.w.in : shape.w.reach(width_));
  plane_ = row_ * (direct_ ? shape.h.in : shape.h.reach(height_));
}

int64_t ConvWindows::block_bytes() const {
  const int64_t window = shape_.d.taps * shape_.h.reach(height_) * shape_.w.reach(width_) * channels_;
  return std::max(window, height_ * width_ * outputs_) * size_;
}

ConvBlock ConvWindows::block(int64_t i) const {
  const int64_t w0 = i % across_ * width_, h0 = i / across_ % down_ * height_, plane = i / (across_ * down_);
  return {plane / shape_.d.out,
          plane % shape_.d.out,
          h0,
          w0,
          std::min(height_, shape_.h.out - h0),
          std::min(width_, shape_.w.out - w0)};
}

void ConvWindows::runs(int64_t* offsets) const {
  const int64_t plane_step = direct_ ? shape_.d.dilation * plane_ : plane_, row_step = shape_.h.dilation * row_;
  const int64_t n_columns = runs_are_rows() ? 1 : shape_.w.taps;
  for (int64_t d = 0; d < shape_.d.taps; ++d) {
    for (int64_t h = 0; h < shape_.h.taps; ++h) {
      for (int64_t w = 0; w < n_columns; ++w) {
        *offsets++ = d * plane_step + h * row_step + w * shape_.w.dilation * column_;
      }
    }
  }
}

const char* ConvWindows::at(const ConvBlock& block, const char* input, int64_t first_channel, char* memory) const {
  const ConvAxis &d = shape_.d, &h = shape_.h, &w = shape_.w;
  const int64_t plane = block.image * d.in, p = d.position(block.depth), q = h.position(block.h0);
  const auto pixel = [&](int64_t z, int64_t y, int64_t x) {
    return input + ((((plane + z) * h.in + y) * w.in + x) * shape_.channels + first_channel) * size_;
  };
  if (direct_) return pixel(p, q, w.position(block.w0));
  const auto has = [](const ConvAxis& axis, int64_t position) {
    return position >= 0 && position % axis.spread == 0 && position / axis.spread < axis.in;
  };
  for (int64_t tap = 0; tap < d.taps; ++tap) {
    const int64_t z = p + tap * d.dilation;
    for (int64_t row = 0; row < h.reach(block.rows); ++row) {
      char* to = memory + (tap * plane_ + row * row_) * size_;
      if (has(d, z) && has(h, q + row)) {
        copy_row(block, pixel(z / d.spread, (q + row) / h.spread, 0), to);
      } else {
        std::memset(to, 0, static_cast<size_t>(w.reach(block.columns) * column_ * size_));
      }
    }
  }
  return memory;
}

// The columns of a block's window, from a row of the input.
void ConvWindows::copy_row(const ConvBlock& block, const char* row, char* to) const {
  const ConvAxis& w = shape_.w;
  const int64_t first = w.position(block.w0), n = w.reach(block.columns);
  const int64_t pixel = column_ * size_, step = shape_.channels * size_;
  if (w.spread > 1) {
    std::memset(to, 0, static_cast<size_t>(n * pixel));
    for (int64_t x = std::max<int64_t>(0, divide_up(first, w.spread)); x < w.in && x * w.spread < first + n; ++x) {
      std::memcpy(to + (x * w.spread - first) * pixel, row + x * step, static_cast<size_t>(pixel));
    }
    return;
  }
  const int64_t begin = std::clamp<int64_t>(-first, 0, n), end = std::clamp<int64_t>(w.in - first, begin, n);
  std::memset(to, 0, static_cast<size_t>(begin * pixel));
  if (pixel == step) {
    std::memcpy(to + begin * pixel, row + (first + begin) * step, static_cast<size_t>((end - begin) * pixel));
  } else {
    for (int64_t x = begin; x < end; ++x) {
      std::memcpy(to + x * pixel, row + (first + x) * step, static_cast<size_t>(pixel));
    }
  }
  std::memset(to + end * pixel, 0, static_cast<size_t>((n - end) * pixel));
}

}  // namespace ist::cpu
