// What blocks of a convolution read: windows of the input with padding and dilation written out as zeros.
#pragma once

#include <functional>

#include "backends/cpu/conv_shape.h"

namespace ist::cpu {

// Blocks of outputs and their windows: the input itself where no zeros are needed, else copies of some of its channels.
class ConvWindows {
 public:
  // `channels` of the input belong to a window. The larger of a block's window and its outputs, of `outputs` channels,
  // stays near `bytes` where taps are not far apart, its width a multiple of `unit`; there are `wanted` blocks and
  // more, if these can be large enough. `pitched`: windows are copies in which every output is one step from the next,
  // those at the ends of rows as well, with some between them that are nobody's.
  ConvWindows(const ConvShape& shape, int64_t channels, int64_t outputs, int size, int64_t bytes, int64_t unit,
              int64_t wanted, bool pitched = false);

  int64_t count() const { return grid_.count(); }
  int64_t height() const { return grid_.height; }
  int64_t width() const { return grid_.width; }
  ConvBlock block(int64_t i) const { return grid_.block(i); }

  // Bytes of memory that at() needs; 0 where windows are read in place.
  int64_t nbytes() const { return direct_ ? 0 : plane_ * shape_.d.taps * size_; }
  // The window of a block; `input` is dense, `memory` may be written to. `see` gets the elements, and maybe others.
  using See = std::function<void(int64_t count, const char* elements)>;
  const char* at(const ConvBlock& block, const char* input, int64_t first_channel, char* memory,
                 const See* see = nullptr) const;

  // Strides in elements of the window, from one output to the next and from one tap to the next.
  int64_t row_step() const { return (pitched_ ? 1 : shape_.h.stride) * row_; }
  int64_t column_step() const { return shape_.w.stride * column_; }
  // Elements of neighbouring taps and channels that lie side by side: a run. Their number, and where each begins.
  int64_t run_length() const { return runs_are_rows() ? shape_.w.taps * channels_ : channels_; }
  int64_t n_runs() const { return runs_are_rows() ? shape_.d.taps * shape_.h.taps : shape_.taps(); }
  void runs(int64_t* offsets) const;
  // The pieces of a block of k that are side by side and cross no multiple of `unit`; their number.
  int pieces(const ConvShape::Depth& depth, const int64_t* runs, int64_t unit, RowPiece* list) const;

 private:
  bool runs_are_rows() const { return column_ == channels_ && shape_.w.dilation == 1; }
  // Where a row of the window is: of a pitched one, those that are a stride apart lie together.
  int64_t row_place(int64_t row) const {
    const int64_t stride = shape_.h.stride;
    return (pitched_ ? row % stride * divide_up(shape_.h.reach(grid_.height), stride) + row / stride : row) * row_;
  }
  bool meets_taps(int64_t row) const;
  void copy_row(const ConvBlock& block, const char* row, char* to) const;

  const ConvShape& shape_;
  int64_t channels_;
  int64_t column_, row_, plane_;  // strides of the window
  int size_;
  bool pitched_, direct_;
  ConvGrid grid_;
};

}  // namespace ist::cpu
