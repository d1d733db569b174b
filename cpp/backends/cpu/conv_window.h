// What blocks of a convolution read: windows of the input with padding and dilation written out as zeros.
#pragma once

#include "backends/cpu/conv_shape.h"

namespace ist::cpu {

// Blocks of outputs and their windows: the input itself where no zeros are needed, else copies of some of its channels.
class ConvWindows {
 public:
  // `channels` of the input belong to a window. The larger of a block's window and its outputs, of `outputs` channels,
  // stays near `bytes` where taps are not far apart, its width a multiple of `unit`; there are `wanted` blocks and
  // more, if these can be large enough.
  ConvWindows(const ConvShape& shape, int64_t channels, int64_t outputs, int size, int64_t bytes, int64_t unit,
              int64_t wanted);

  int64_t count() const { return grid_.count(); }
  int64_t height() const { return grid_.height; }
  int64_t width() const { return grid_.width; }
  ConvBlock block(int64_t i) const { return grid_.block(i); }

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
  void copy_row(const ConvBlock& block, const char* row, char* to) const;

  const ConvShape& shape_;
  int64_t channels_;
  int64_t column_, row_, plane_;  // strides of the window
  int size_;
  bool direct_;
  ConvGrid grid_;
};

}  // namespace ist::cpu
