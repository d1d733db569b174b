// The ways to compute a convolution, and what they share.
#pragma once

#include <span>

#include "backends/cpu/conv_shape.h"
#include "backends/cpu/temporary.h"

namespace ist::cpu {

inline constexpr int64_t kConvBlockBytes = 384 * 1024;  // of what a block reads or writes, for the second-level cache
inline constexpr int64_t kConvThreadWork = 256 * 1024;  // multiply-adds that are worth another thread

// For each of `parts`: several for each thread, which even out what other processes take.
inline int64_t conv_tasks_wanted(const Call& call, int64_t parts) {
  return call.threads() == 1 ? 1 : divide_up(4 * call.threads(), parts);
}

// Filters are strided, with only the taps of the shape: (outputs, d, h, w, channels of a group).
//
// One channel and one output for each group: vectors along the channels. `input` is dense, in the dtype.
void convolve_channels(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                       const View& out);
// Matrix products of windows and filters: vectors along the outputs of a group. `input` is dense, in the compute type;
// bfloat16 is in its own.
void convolve_products(const Call& call, const ConvShape& shape, const char* input, const View& filters,
                       const View& out);
// The same for bfloat16, where kernels read groups of k in place. `input` is dense.
void convolve_strips(const Call& call, const ConvShape& shape, const View& input, const View& filters, const View& out);
// Images and outputs that are neighbours in memory, as they lie there; `input` is in the dtype.
bool suits_images(const ConvShape& shape, const View& input, const View& filters);
void convolve_images(const Call& call, const ConvShape& shape, const View& input, const View& filters, const View& out);
// Few outputs for each group: vectors along the pixels of planes, one for each channel. `input` is dense, in the
// compute type, and not spread. Parts are those of a run of phases; `filters` has the outputs of all.
bool suits_planes(const Call& call, std::span<const ConvShape> parts);
void convolve_planes(const Call& call, std::span<const ConvShape> parts, const char* input, const View& filters,
                     const View& out);

inline const MatmulKernels& conv_kernels_of(const Call& call, const View& out) {
  return call.kernels().matmul->of[compute_dtype(out.dtype) - IST_FLOAT16];
}

// The filters of each group as panels of columns, for one block of k after another, as tiles of `mm` read them.
class ConvFilters {
 public:
  ConvFilters(const Call& call, const MatmulKernels& mm, const ConvShape& shape, const View& filters, int64_t panel);

  int64_t panel_width() const { return panel_; }
  // Columns [j, j + panel_width()) of a group, j a multiple of the width.
  const char* panel(int64_t group, const ConvShape::Depth& depth, int64_t j) const {
    return data_ + group * group_bytes_ + depth.begin * padded_ * mm_.packed_size +
           depth.index * padded_ / panel_ * mm_.header + j / panel_ * panel_bytes(depth.count);
  }

 private:
  // All depths but the last are multiples of the unit.
  int64_t panel_bytes(int64_t depth) const {
    return mm_.header + round_up(depth, mm_.depth_unit) * panel_ * mm_.packed_size;
  }

  const MatmulKernels& mm_;
  int64_t panel_, padded_, group_bytes_;
  char* data_;
  Temporary memory_;
};

// Rounds the channels [first, first + count) of a block to the half type of `out`.
void round_block(const Call& call, const View& out, const ConvShape& shape, const ConvBlock& block, int64_t first,
                 int64_t count, const char* wide, int64_t wide_row, int64_t wide_pixel);

}  // namespace ist::cpu
