// Kernels of convolutions that are not matrix products.
#pragma once

#include "backends/cpu/kernels_table.h"
#include "backends/cpu/matmul_kernels.h"

namespace ist::cpu {

// A cut of k, at which chains of some outputs end. Bits are outputs: those that end, and of them those that are added
// to the blocks before.
struct ConvCut {
  int64_t at;
  uint32_t ends, adds;
};

struct ConvKernels {
  // One filter for each channel, n_pixels <= channel_pixels, all in the compute type. out[i * out_step + c] = or, with
  // `adds`, += the chain over t < depth of from[t][shift + i * step + c] * weights[t * weight_step + c], c <
  // n_channels. Where pixels are not all a step apart, bends[i] is the distance from pixel i to the next; else it is
  // null.
  int channel_pixels;
  void (*channels)(int n_pixels, int64_t n_channels, int64_t depth, const void* const* from, int64_t shift,
                   int64_t step, const int64_t* bends, const void* weights, int64_t weight_step, void* out,
                   int64_t out_step, bool adds);
  // Rows of the dtype as rows of the compute type.
  void (*widen)(int64_t rows, int64_t columns, const void* from, int64_t from_row, void* to, int64_t to_row);
  // Some outputs of each pixel, all in the compute type. out[r * out_row + i] = the sum of the chains over t of
  // window[offsets[t] + i] * weights[t * n_outputs + r], for i < pixels and r < n_outputs <= plane_outputs. All chains
  // end at the last cut; the others are at multiples of kMatmulGroup where the dtype is summed in groups.
  int plane_outputs;
  void (*planes)(int n_outputs, int64_t pixels, int64_t n_cuts, const ConvCut* cuts, const int64_t* offsets,
                 const void* window, const void* weights, void* out, int64_t out_row);
  // Pieces of some rows, in the compute type: to[r * to_row + at + i] = from[r * from_row + offset + i] for i < length.
  void (*gather)(int64_t rows, int n_pieces, const RowPiece* pieces, const void* from, int64_t from_row, void* to,
                 int64_t to_row);
  // Rows from anywhere, in the dtype: to[t * to_row + i] = rows[t][shift + i], i < n. What lies behind them in each row
  // is prefetched.
  void (*copy_rows)(int64_t n_rows, int64_t n, const void* const* rows, int64_t shift, void* to, int64_t to_row);
};

struct ConvTable {
  ConvKernels of[4];  // by dtype, from IST_FLOAT16 to IST_FLOAT64
  // Is one of n floating-point numbers -0? For numbers of 2, 4 and 8 bytes.
  int32_t (*negative_zero[3])(int64_t n, const void* x);
};

}  // namespace ist::cpu
