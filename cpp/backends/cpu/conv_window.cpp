#include "backends/cpu/conv_window.h"

#include <algorithm>

namespace ist::cpu {
ConvWindows::ConvWindows(const ConvShape& shape, int64_t channels, int64_t outputs, int size, int64_t bytes,
                         int64_t unit, int64_t wanted, bool pitched)
    : shape_(shape),
      channels_(channels),
      size_(size),
      pitched_(pitched),
      direct_(!pitched && shape.d.inside() && shape.h.inside() && shape.w.inside()),
      grid_(
          shape,
          [&](int64_t height, int64_t width) {
            const int64_t window = shape.d.taps * shape.h.reach(height) * shape.w.reach(width) * channels;
            return std::max(window, height * width * outputs) * size;
          },
          bytes, unit, wanted) {
  column_ = direct_ ? shape.channels : channels;
  row_ = column_ * (direct_ ? shape.w.in : round_up(shape.w.reach(grid_.width), pitched ? shape.w.stride : 1));
  plane_ = row_ * (direct_ ? shape.h.in : round_up(shape.h.reach(grid_.height), pitched ? shape.h.stride : 1));
}

void ConvWindows::runs(int64_t* offsets) const {
  const int64_t plane_step = direct_ ? shape_.d.dilation * plane_ : plane_, columns = shape_.w.dilation * column_;
  const int64_t n_columns = runs_are_rows() ? 1 : shape_.w.taps;
  for (int64_t d = 0; d < shape_.d.taps; ++d) {
    for (int64_t h = 0; h < shape_.h.taps; ++h) {
      for (int64_t w = 0; w < n_columns; ++w) {
        *offsets++ = d * plane_step + row_place(h * shape_.h.dilation) + w * columns;
      }
    }
  }
}

int ConvWindows::pieces(const ConvShape::Depth& depth, const int64_t* runs, int64_t unit, RowPiece* list) const {
  const int64_t length = run_length();
  int n = 0;
  for (int64_t t = 0; t < depth.count; ++n) {
    const int64_t run = (depth.begin + t) / length, skipped = (depth.begin + t) % length;
    list[n] = {runs[run] + skipped, t, std::min({length - skipped, depth.count - t, unit - t % unit})};
    t += list[n].length;
  }
  return n;
}

bool ConvWindows::meets_taps(int64_t row) const {
  const ConvAxis& h = shape_.h;
  const int64_t remainder = row % h.stride;
  for (int64_t tap = 0; tap < std::min(h.taps, h.stride); ++tap) {
    if (tap * h.dilation % h.stride == remainder) return true;
  }
  return false;
}

const char* ConvWindows::at(const ConvBlock& block, const char* input, int64_t first_channel, char* memory,
                            const See* see) const {
  const ConvAxis &d = shape_.d, &h = shape_.h, &w = shape_.w;
  const int64_t plane = block.image * d.in, p = d.position(block.depth), q = h.position(block.h0);
  const auto pixel = [&](int64_t z, int64_t y, int64_t x) {
    return input + ((((plane + z) * h.in + y) * w.in + x) * shape_.channels + first_channel) * size_;
  };
  const int64_t reach = w.reach(block.columns);
  if (direct_) {
    const char* first = pixel(p, q, w.position(block.w0));
    for (int64_t tap = 0; see != nullptr && tap < d.taps; ++tap) {
      (*see)(((h.reach(block.rows) - 1) * w.in + reach - 1) * column_ + channels_,
             first + tap * d.dilation * plane_ * size_);
    }
    return first;
  }
  const auto has = [](const ConvAxis& axis, int64_t position) {
    return position >= 0 && position % axis.spread == 0 && position / axis.spread < axis.in;
  };
  for (int64_t tap = 0; tap < d.taps; ++tap) {
    const int64_t z = p + tap * d.dilation;
    for (int64_t row = 0; row < h.reach(block.rows); ++row) {
      if (!meets_taps(row)) continue;
      char* to = memory + (tap * plane_ + row_place(row)) * size_;
      if (has(d, z) && has(h, q + row)) {
        copy_row(block, pixel(z / d.spread, (q + row) / h.spread, 0), to);
        if (see != nullptr) (*see)(reach* column_, to);
      } else {
        std::memset(to, 0, static_cast<size_t>(reach * column_ * size_));
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
