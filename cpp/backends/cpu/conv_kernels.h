// Kernels of convolutions that are not matrix products.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

struct ConvTable {
  // One filter for each channel. out[i * out_step + c] = the contract's sum over t < taps of
  // window[i * pixel_step + offsets[t] + c] * weights[t * channels + c], for i < pixels, c < channels.
  // [0] float32, [1] float64.
  void (*depthwise[2])(int64_t pixels, int64_t channels, int64_t taps, const int64_t* offsets, const void* window,
                       int64_t pixel_step, const void* weights, void* out, int64_t out_step);
};

}  // namespace ist::cpu
