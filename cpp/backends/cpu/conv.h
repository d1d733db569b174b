// The ways to compute a convolution, and what they share.
#pragma once

#include "backends/cpu/conv_shape.h"
#include "backends/cpu/temporary.h"

namespace ist::cpu {

inline constexpr int64_t kConvBlockBytes = 384 * 1024;  // of what a block reads or writes, for the second-level cache
inline constexpr int64_t kConvThreadWork = 256 * 1024;  // multiply-adds that are worth another thread

// Filters are strided, with only the taps of the shape: (outputs, d, h, w, channels of a group).
//
// One channel and one output for each group: vectors along the channels. `input` is dense.
void convolve_channels(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                       const View& out);
// Matrix products of windows and filters: vectors along the outputs of a group. `input` is dense, in the compute type.
void convolve_products(const Call& call, const ConvShape& shape, const char* input, const View& filters,
                       const View& out);
// Few outputs for each group: vectors along the pixels of planes, one for each channel. `input` is dense, in the
// compute type, and not spread.
bool suits_planes(const Call& call, const ConvShape& shape);
void convolve_planes(const Call& call, const ConvShape& shape, const char* input, const View& filters, const View& out);

inline const MatmulKernels& conv_kernels_of(const Call& call, const View& out) {
  return call.kernels().matmul->of[compute_dtype(out.dtype) - IST_FLOAT16];
}

// The filters of each group as panels of columns, for one block of k after another.
class ConvFilters {
 public:
  ConvFilters(const Call& call, const MatmulKernels& mm, const ConvShape& shape, const View& filters, int64_t panel);

  int64_t panel_width() const { return panel_; }
  // Columns [j, j + panel_width()) of a group, j a multiple of the width.
  const char* panel(int64_t group, const ConvShape::Depth& depth, int64_t j) const {
    return data_ + ((group * k_ + depth.begin) * padded_ + j * depth.count) * size_;
  }

 private:
  int64_t k_, panel_, padded_;
  int size_;
  char* data_;
  Temporary memory_;
};

// Rounds the channels [first, first + count) of a block to the half type of `out`.
void round_block(const Call& call, const View& out, const ConvShape& shape, const ConvBlock& block, int64_t first,
                 int64_t count, const char* wide, int64_t wide_row, int64_t wide_pixel);

}  // namespace ist::cpu
