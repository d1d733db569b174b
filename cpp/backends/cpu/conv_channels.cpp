// Depthwise convolution.
#include "backends/cpu/conv.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {

void convolve_channels(const Call& call, const ConvShape& shape, const char* input, const char* filters,
                       const View& out) {
  const bool half = is_half(out.dtype), is_double = out.dtype == IST_FLOAT64;
  const int size = is_double ? 8 : 4;
  const int64_t channels = shape.channels, taps = shape.taps();
  const auto depthwise = call.kernels().conv->of[is_double ? 1 : 0].depthwise;
  // Taps outermost.
  const int64_t count[] = {taps, channels}, one_filter[] = {1, taps};
  Temporary copy;
  const char* weights =
      copy.make_row_major(call, {const_cast<char*>(filters), compute_dtype(out.dtype), 2, count, one_filter});

  const int64_t wanted = call.threads() == 1 ? 1 : 4 * call.threads();
  const ConvWindows windows(shape, channels, channels, size, kConvBlockBytes, 1, wanted);
  std::vector<int64_t> runs(static_cast<size_t>(windows.n_runs()));
  windows.runs(runs.data());
  std::vector<int64_t> offsets;
  for (const int64_t run : runs) {
    for (int64_t at = 0; at < windows.run_length(); at += channels) offsets.push_back(run + at);
  }
  std::vector<int64_t> ends;
  for (const ConvShape::Depth& depth : shape.depths) ends.push_back(depth.begin + depth.count);
  const int64_t c_row = half ? windows.width() * channels : shape.row_step;
  const int64_t c_pixel = half ? channels : shape.column_step;
  const int64_t window_bytes = round_up(windows.nbytes(), 64);
  const int64_t work = windows.height() * windows.width() * taps * channels;
  parallel_for(call.threads(), windows.count(), 1 + kConvThreadWork / work, [&](int64_t begin, int64_t end) {
    char* memory = scratch(static_cast<size_t>(window_bytes + (half ? windows.height() * c_row * size : 0)));
    for (int64_t i = begin; i < end; ++i) {
      const ConvBlock block = windows.block(i);
      const char* window = windows.at(block, input, 0, memory);
      char* c = half ? memory + window_bytes : out.data + shape.place(block) * size;
      for (int64_t row = 0; row < block.rows; ++row) {
        depthwise(block.columns, channels, static_cast<int>(ends.size()), ends.data(), offsets.data(),
                  window + row * windows.row_step() * size, windows.column_step(), weights, c + row * c_row * size,
                  c_pixel);
      }
      if (half) round_block(call, out, shape, block, 0, channels, c, c_row, channels);
    }
  });
}

}  // namespace ist::cpu
