// Where a convolution reads: its axes, and windows of the input with padding and dilation written out as zeros.
#pragma once

#include "backends/cpu/call.h"

namespace ist::cpu {

// One spatial axis. Positions count from the first element of the input, which spreads over every spread-th of them.
struct ConvAxis {
  int64_t in = 1, out = 1, taps = 1, stride = 1, low = 0, dilation = 1, spread = 1;

  // Positions that the taps of neighbouring outputs reach over.
  int64_t reach(int64_t outputs) const { return (outputs - 1) * stride + (taps - 1) * dilation + 1; }
  // Outputs that are as far apart as the window of one is long: blocks of fewer copy most of their windows again.
  int64_t overlap() const { return (taps - 1) * dilation / stride; }
  int64_t position(int64_t output) const { return output * stride - low; }
  // Is every position that any output takes an element?
  bool inside() const { return spread == 1 && low <= 0 && position(0) + reach(out) <= in; }
  bool is_pointwise() const { return taps == 1 && stride == 1 && low == 0 && spread == 1 && in == out; }
};

// Depth, height and width: fewer axes are the last ones. An input of (batch, d, h, w, channels).
struct ConvShape {
  ConvAxis d, h, w;
  int64_t batch, channels, outputs, groups;

  ConvShape(const Call& call);
  int64_t taps() const { return d.taps * h.taps * w.taps; }
};

// Outputs of one image and one depth: rows [h0, h0 + rows) and columns [w0, w0 + columns).
struct ConvBlock {
  int64_t image, depth, h0, w0, rows, columns;
};

// How outputs are cut into blocks of at most `height` rows and `width` columns, and what the windows of these are: the
// input itself where no zeros are needed, else copies of some of its channels.
class ConvWindows {
 public:
  // `channels` of the input belong to a window. The larger of a block's window and its outputs, of `outputs` channels,
  // stays near `bytes` where taps are not far apart, its width a multiple of `unit`; there are `wanted` blocks and
  // more, if these can be large enough.
  ConvWindows(const ConvShape& shape, int64_t channels, int64_t outputs, int size, int64_t bytes, int64_t unit,
              int64_t wanted);

  int64_t count() const { return shape_.batch * shape_.d.out * down_ * across_; }
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  ConvBlock block(int64_t i) const;

  // Bytes of memory that at() needs; 0 where windows are read in place.
  int64_t nbytes() const { return direct_ ? 0 : plane_ * shape_.d.taps * size_; }
  // The window of a block; `input` is dense, `memory` may be written to.
  const char* at(const ConvBlock& block, const char* input, int64_t first_channel, char* memory) const;

  // Strides in elements of the window, from one output to the next and from one tap to the next.
  int64_t row_step() const { return shape_.h.stride * row_; }
  int64_t column_step() const { return shape_.w.stride * column_; }
  // Elements of neighbouring taps and channels that lie side by side: a run. Their number, and where each begins.
  int64_t run_length() const { return runs_are_rows() ? shape_.w.taps * channels_ : channels_; }
  int64_t n_runs() const { return runs_are_rows() ? shape_.d.taps * shape_.h.taps : shape_.taps(); }
  void runs(int64_t* offsets) const;

 private:
  bool runs_are_rows() const { return column_ == channels_ && shape_.w.dilation == 1; }
  int64_t block_bytes() const;
  void copy_row(const ConvBlock& block, const char* row, char* to) const;

  const ConvShape& shape_;
  int64_t channels_, outputs_, height_, width_, down_, across_;
  int64_t column_, row_, plane_;  // strides of the window
  int size_;
  bool direct_;
};

}  // namespace ist::cpu
