// Rows of k from operands of which images, or outputs, are neighbours in memory: those of gradients of weights.
#pragma once

#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_shape.h"
#include "backends/cpu/elementwise_kernels.h"

namespace ist::cpu {

inline constexpr int64_t kNowhere = INT64_MIN;  // the place of zeros

// Copies elements in their own type.
inline auto gather_of(const Kernels& kernels, uint32_t dtype) {
  const uint32_t same_size = is_half(dtype) ? static_cast<uint32_t>(IST_BFLOAT16) : dtype;
  return kernels.conv->of[same_size - IST_FLOAT16].gather;
}

// to[t * count + i] = from[place(d, h, w) + c * channel_step + i] for each element t of a block of k, which is channel
// c of a tap (d, h, w), and i < count; zeros where the place is nowhere.
template <class Place>
void gather_neighbours(decltype(ConvKernels::gather) gather, const ConvShape& shape, const ConvShape::Depth& depth,
                       int64_t channel_step, int64_t count, int size, const Place& place, const char* from, char* to) {
  const int64_t channels = shape.group_channels(), first = depth.begin / channels;
  int64_t c = depth.begin % channels, w = first % shape.w.taps;
  int64_t h = first / shape.w.taps % shape.h.taps, d = first / (shape.w.taps * shape.h.taps);
  RowPiece list[kMatmulBlock];  // of whole taps
  int n_pieces = 0;
  for (int64_t t = 0; t < depth.count; c = 0) {
    const int64_t n = std::min(channels - c, depth.count - t), at = place(d, h, w);
    if (at == kNowhere) {
      std::memset(to + t * count * size, 0, static_cast<size_t>(n * count * size));
    } else if (n == channels) {
      list[n_pieces++] = {at, t * count, count};
    } else {
      const RowPiece part = {at + c * channel_step, t * count, count};
      gather(n, 1, &part, from, channel_step, to, count);
    }
    t += n;
    if (++w == shape.w.taps) {
      w = 0;
      if (++h == shape.h.taps) h = 0, ++d;
    }
  }
  gather(channels, n_pieces, list, from, channel_step, to, count);
}

}  // namespace ist::cpu
