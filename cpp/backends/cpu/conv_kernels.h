// Kernels of convolutions that are not matrix products.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

struct ConvKernels {
  // One filter for each channel. out[i * out_step + c] = the contract's sum over taps t of
  // window[i * pixel_step + offsets[t] + c] * weights[t * channels + c], for i < pixels, c < channels. The contract's
  // blocks end before the taps ends[0], ends[1], ... of which the last is the number of taps.
  void (*depthwise)(int64_t pixels, int64_t channels, int n_ends, const int64_t* ends, const int64_t* offsets,
                    const void* window, int64_t pixel_step, const void* weights, void* out, int64_t out_step);
  // Some outputs of each pixel. out[r * out_row + i] = or, with `adds`, += the chain over t < depth of
  // window[offsets[t] + i] * weights[t * weight_step + r], for i < pixels and r < n_outputs <= plane_outputs.
  int plane_outputs;
  void (*planes)(int n_outputs, int64_t pixels, int64_t depth, const int64_t* offsets, const void* window,
                 const void* weights, int64_t weight_step, void* out, int64_t out_row, bool adds);
};

struct ConvTable {
  ConvKernels of[2];  // float32, float64
  // Is one of n floating-point numbers -0? For numbers of 2, 4 and 8 bytes.
  int32_t (*negative_zero[3])(int64_t n, const void* x);
};

}  // namespace ist::cpu
