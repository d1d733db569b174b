// What a convolution computes and where: its axes, where its outputs lie, and how they are cut into blocks.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/matmul_kernels.h"

namespace ist::cpu {

// One spatial axis. Positions count from the first element of the input, which spreads over every spread-th of them.
struct ConvAxis {
  int64_t in = 1, out = 1, taps = 1, stride = 1, low = 0, dilation = 1, spread = 1;
  // Which outputs and taps of the whole these are: the first, and every step-th after it.
  int64_t first_out = 0, out_step = 1, first_tap = 0, tap_step = 1;

  // Positions that the taps of neighbouring outputs reach over.
  int64_t reach(int64_t outputs) const { return (outputs - 1) * stride + (taps - 1) * dilation + 1; }
  // Outputs that are as far apart as the window of one is long: blocks of fewer copy most of their windows again.
  int64_t overlap() const { return (taps - 1) * dilation / stride; }
  int64_t position(int64_t output) const { return output * stride - low; }
  // Is every position that any output takes an element?
  bool inside() const { return spread == 1 && low <= 0 && position(0) + reach(out) <= in; }
  bool is_pointwise() const { return taps == 1 && stride == 1 && low == 0 && spread == 1 && in == out; }
};

// Outputs of one image and one depth: rows [h0, h0 + rows) and columns [w0, w0 + columns).
struct ConvBlock {
  int64_t image, depth, h0, w0, rows, columns;
};

// Depth, height and width: fewer axes are the last ones. An input of (batch, d, h, w, channels).
struct ConvShape {
  // One of the contract's blocks of k: as many elements of k in this shape, fewer where taps are left out.
  struct Depth {
    int64_t begin, count;
    int64_t index;  // of the block
    bool operator==(const Depth&) const = default;
  };

  ConvAxis d, h, w;
  int64_t batch, channels, outputs, groups;
  int64_t first_out = 0;                                  // the place of the first output, in elements
  int64_t image_step, plane_step, row_step, column_step;  // and from one output to the next
  std::vector<Depth> depths;

  explicit ConvShape(const Call& call);
  int64_t taps() const { return d.taps * h.taps * w.taps; }
  int64_t group_channels() const { return channels / groups; }
  int64_t group_outputs() const { return outputs / groups; }
  int64_t k() const { return taps() * group_channels(); }
  bool is_spread() const { return d.spread * h.spread * w.spread > 1; }
  int64_t place(const ConvBlock& block) const {
    return first_out + block.image * image_step + block.depth * plane_step + block.h0 * row_step +
           block.w0 * column_step;
  }

  // Fills `depths`. `h_taps` and `w_taps` are those of the whole.
  void find_depths(int64_t h_taps, int64_t w_taps);
};

// A spread input has elements at few positions. Outputs whose taps meet elements together are a convolution of their
// own, of an input that is not spread and with fewer taps: one for each residue of the positions, maybe without taps.
class ConvPhases {
 public:
  explicit ConvPhases(const ConvShape& whole);
  // Neighbours along the width that read the same elements: one convolution, whose outputs are those of all phases. It
  // has a part for each cut of k into blocks.
  struct Run {
    std::vector<ConvShape> parts;       // outputs beside each other; otherwise alike
    int64_t phases = 0, tap_shift = 0;  // from a phase's first tap along the width to that of the next
  };

  bool all_have_taps() const;
  // Of the phases that have taps.
  void for_each_run(const std::function<void(const Run&)>& fn) const;

 private:
  ConvShape phase(const ConvAxis& d, const ConvAxis& h, const ConvAxis& w) const;

  ConvShape whole_;  // without depths
  std::vector<ConvAxis> d_, h_, w_;
};

// Outputs cut into blocks of at most `height` rows and `width` columns.
struct ConvGrid {
  int64_t images, depths, h_out, w_out;
  int64_t height, width, down = 1, across = 1;

  // Blocks have at most `bytes`, by the function nbytes(height, width), where taps are not far apart, and widths that
  // are multiples of `unit`; there are `wanted` and more, if these can be large enough.
  template <class Size>
  ConvGrid(const ConvShape& shape, Size&& nbytes, int64_t bytes, int64_t unit, int64_t wanted)
      : images(shape.batch),
        depths(shape.d.out),
        h_out(shape.h.out),
        w_out(shape.w.out),
        height(shape.h.out),
        width(shape.w.out) {
    constexpr int64_t kEnough = 8;  // units of outputs, below which a block is not cut for more blocks alone
    for (;;) {
      const bool few = count() < wanted && height * width >= 2 * kEnough * unit;
      if (nbytes(height, width) <= bytes && !few) break;
      if (height > 1 && height / 2 >= shape.h.overlap()) {
        height = divide_up(height, 2);
      } else if (width > 4 * unit && width / 2 >= shape.w.overlap()) {
        width = round_up(divide_up(width, 2), unit);
      } else {
        break;
      }
      down = divide_up(h_out, height);
      across = divide_up(w_out, width);
    }
    height = divide_up(h_out, down);  // all alike
    down = divide_up(h_out, height);
  }

  int64_t count() const { return images * depths * down * across; }
  ConvBlock block(int64_t i) const {
    const int64_t w0 = i % across * width, h0 = i / across % down * height, plane = i / (across * down);
    return {plane / depths, plane % depths, h0, w0, std::min(height, h_out - h0), std::min(width, w_out - w0)};
  }
};

}  // namespace ist::cpu
