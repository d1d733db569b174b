// Convolutions as products of strips that are read a group of k at a time: bfloat16 where a CPU multiplies groups from
// wherever their rows begin. A group that is one piece of each window is read there; the others are gathered first. For
// strips to go over the ends of rows, all outputs are one step apart, and some between two rows are computed for
// nothing; where those would be too many, every group is gathered.
#include <algorithm>
#include <vector>

#include "backends/cpu/conv.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kPanelBytes = 768 * 1024;  // of weights that many strips are multiplied by
constexpr int kPanes = 64;                   // at most, that a thread works on together
constexpr int kMostRows = 32;
constexpr int kMostGroups = kMatmulBlock / kMatmulGroup;
constexpr int64_t kGroupBytes = kMatmulGroup * 2;
constexpr int64_t kGatheredBytes = kMostGroups * kMostRows * kGroupBytes;

// A block of outputs and its window.
struct Pane {
  ConvBlock block;
  const char* window;
};

// The pieces of a block of k, group after group.
struct Pieces {
  RowPiece list[kMatmulBlock];
  int begin[kMostGroups + 1];
  int n_groups = 0;

  Pieces(const ConvShape::Depth& depth, const int64_t* runs, int64_t length) {
    int n = 0;
    for (int64_t t = 0; t < depth.count; ++n) {
      if (t % kMatmulGroup == 0) begin[n_groups++] = n;
      const int64_t run = (depth.begin + t) / length, skipped = (depth.begin + t) % length;
      const int64_t most = std::min(depth.count - t, kMatmulGroup - t % kMatmulGroup);
      list[n] = {runs[run] + skipped, t, std::min(length - skipped, most)};
      t += list[n].length;
    }
    begin[n_groups] = n;
  }
  int count(int group) const { return begin[group + 1] - begin[group]; }
  bool is_whole(int group) const { return list[begin[group]].length == kMatmulGroup; }
};

struct Strips {
  const MatmulKernels& mm;
  const ConvShape& shape;
  const ConvWindows& windows;
  const ConvFilters& filters;
  const View& out;
  const int64_t* runs;
  int64_t pitch;    // outputs from one row to the next; 0 where groups are gathered
  const char* end;  // of what may be read of windows, if they are the input
  bool sees_rows;   // strips are dense and read once: what makes sure of their exponents brings them into cache

  // Outputs of a pane, with those between rows.
  int64_t pixels(const ConvBlock& block) const { return (block.rows - 1) * pitch_of(block) + block.columns; }
  int64_t pitch_of(const ConvBlock& block) const { return pitch > 0 ? pitch : block.columns; }

  // All of k for some panes and the columns [begin, end) of a group. Sums wait in `wide` for those of the last block.
  void run(const Pane* panes, int64_t n_panes, int64_t group, int64_t first, int64_t last, int32_t smallest,
           char* gathered, float* wide) const {
    const int64_t depth_max = std::min<int64_t>(shape.k(), kMatmulBlock), columns = last - first;
    const int64_t step = std::max<int64_t>(1, kPanelBytes / (depth_max * mm.packed_size) / mm.cols) * mm.cols;
    // Panes of few outputs make strips together.
    const bool joins = pitch == 0;
    const int64_t n_joined = joins ? n_panes : 1;
    for (const ConvShape::Depth& depth : shape.depths) {
      const Pieces pieces(depth, runs, windows.run_length());
      const bool is_last = &depth == &shape.depths.back();
      for (int64_t j0 = first; j0 < last; j0 += step) {
        float* c = wide + j0 - first;
        for (int64_t n = 0; n < n_panes; n += n_joined) {
          const Pane* pane = panes + n;
          const int64_t count = n_joined * pixels(pane->block);
          for (int64_t i = 0; i < count; i += mm.rows, c += mm.rows * columns) {
            const int64_t rows = std::min<int64_t>(mm.rows, count - i);
            RowGroup strip[kMostGroups];
            void* to[kMostRows];
            bring(pane, i, rows, pieces, gathered, strip);
            if (sees_rows) {
              smallest = mm.groups->smallest_exponent(rows * depth.count, pane->window + i * windows.column_step() * 2);
            }
            if (is_last) places(pane, i, rows, group * shape.group_outputs(), to);
            for (int64_t j = j0; j < std::min(last, j0 + step); j += mm.cols) {
              mm.groups->tile(static_cast<int>(rows), static_cast<int>(std::min<int64_t>(mm.cols, last - j)),
                              depth.count, strip, smallest, filters.panel(group, depth, j), c + j - j0, columns,
                              depth.begin > 0, is_last ? to : nullptr, j);
            }
          }
        }
      }
    }
  }

  const char* window_at(const Pane* pane, int64_t line, int64_t x) const {
    const int64_t rows = pane->block.rows, row = line % rows * windows.row_step() + x * windows.column_step();
    return pane[line / rows].window + row * 2;
  }

  // The groups of a strip, whose first row is output i.
  void bring(const Pane* pane, int64_t i, int64_t rows, const Pieces& pieces, char* gathered, RowGroup* strip) const {
    const int64_t width = pitch_of(pane->block), step = windows.column_step();
    const char* from = pitch > 0 ? pane->window + i * step * 2 : nullptr;
    for (int g = 0; g < pieces.n_groups; ++g) {
      const RowPiece* list = pieces.list + pieces.begin[g];
      if (pitch > 0 && pieces.is_whole(g)) {
        const char* data = from + list->offset * 2;
        strip[g] = {data, step * 2};
        if (end == nullptr || data + (mm.rows - 1) * step * 2 + kGroupBytes <= end) continue;
      }
      char* to = gathered + g * mm.rows * kGroupBytes;
      strip[g] = {to, kGroupBytes};
      if (pitch > 0) {
        mm.groups->gather(rows, pieces.count(g), list, from, step, to);
        continue;
      }
      for (int64_t r = 0; r < rows;) {
        const int64_t line = (i + r) / width, x = (i + r) % width, n = std::min(rows - r, width - x);
        mm.groups->gather(n, pieces.count(g), list, window_at(pane, line, x), step, to + r * kGroupBytes);
        r += n;
      }
    }
  }

  // Where the rows of a strip belong, null for those between rows of outputs.
  void places(const Pane* pane, int64_t i, int64_t rows, int64_t first, void** to) const {
    const int64_t width = pitch_of(pane->block), columns = pane->block.columns, height = pane->block.rows;
    for (int64_t r = 0; r < rows;) {
      const int64_t line = (i + r) / width;
      int64_t x = (i + r) % width;
      char* at = out.data + (shape.place(pane[line / height].block) + line % height * shape.row_step + first) * 2;
      for (; r < rows && x < width; ++x, ++r) to[r] = x < columns ? at + x * shape.column_step * 2 : nullptr;
    }
  }
};

// Is there a group of k that need not be gathered?
bool has_whole_groups(const ConvShape& shape, const ConvWindows& windows, const int64_t* runs) {
  for (const ConvShape::Depth& depth : shape.depths) {
    const Pieces pieces(depth, runs, windows.run_length());
    for (int g = 0; g < pieces.n_groups; ++g) {
      if (pieces.is_whole(g)) return true;
    }
  }
  return false;
}

}  // namespace

void convolve_strips(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                     const View& out) {
  const MatmulKernels& mm = call.kernels().matmul->of[IST_BFLOAT16 - IST_FLOAT16];
  const int64_t channels = shape.group_channels(), outputs = shape.group_outputs(), k = shape.k();
  const ConvFilters panels(call, mm, shape, filters, mm.cols);
  const int64_t wanted = call.threads() == 1 ? 1 : divide_up(4 * call.threads(), shape.groups);
  const auto make = [&](bool pitched) {
    return ConvWindows(shape, channels, outputs, 2, kConvBlockBytes, mm.rows, wanted, pitched);
  };
  // How much of what strips compute, if they go over the ends of rows, may be for nothing: an eighth.
  const auto fits = [&](const ConvWindows& windows) {
    const int64_t row = windows.row_step(), column = windows.column_step(), width = windows.width();
    return windows.height() == 1 || (row % column == 0 && row / column * 7 <= width * 8);
  };
  const ConvWindows windows = make(!fits(make(false)) && fits(make(true)));
  std::vector<int64_t> runs(static_cast<size_t>(windows.n_runs()));
  windows.runs(runs.data());
  const bool in_place = fits(windows) && has_whole_groups(shape, windows, runs.data());
  const bool direct = windows.nbytes() == 0;
  const bool sees_rows = in_place && direct && windows.height() == 1 && windows.column_step() == k && k <= kMatmulBlock;
  const Strips strips = {mm,
                         shape,
                         windows,
                         panels,
                         out,
                         runs.data(),
                         !in_place               ? 0
                         : windows.height() == 1 ? windows.width()
                                                 : windows.row_step() / windows.column_step(),
                         direct ? input.data + input.count() * 2 : nullptr,
                         sees_rows};

  const int64_t slack = mm.rows * windows.column_step() * 2;
  const int64_t window_bytes = direct ? 0 : round_up(windows.nbytes() + slack, 64);
  const ConvBlock whole = {0, 0, 0, 0, windows.height(), windows.width()};
  const int64_t wide_bytes = shape.depths.size() == 1 ? 0 : round_up(strips.pixels(whole), mm.rows) * outputs * 4;
  const int64_t fitting = 4 * kConvBlockBytes / std::max<int64_t>(1, window_bytes + wide_bytes);
  int64_t together = std::clamp<int64_t>(std::min(fitting, windows.count() / wanted), 1, kPanes);
  if (!in_place && (windows.height() < shape.h.out || windows.width() < shape.w.out)) together = 1;
  const int64_t down = divide_up(windows.count(), together);
  const int64_t columns = round_up(divide_up(outputs, divide_up(wanted, down)), mm.cols);
  const int64_t across = divide_up(outputs, columns);
  const int64_t work = windows.height() * windows.width() * k * std::min(columns, outputs) * together;
  const int64_t thread_work = kConvThreadWork * std::clamp<int64_t>(outputs / 4, 1, mm.speed);
  parallel_for(call.threads(), shape.groups * down * across, 1 + thread_work / work, [&](int64_t begin, int64_t end) {
    mm.enter();
    char* gathered = scratch(static_cast<size_t>(kGatheredBytes + together * (window_bytes + wide_bytes)));
    char* memory = gathered + kGatheredBytes;
    float* wide = reinterpret_cast<float*>(memory + together * window_bytes);
    Pane panes[kPanes];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t group = task / (down * across), first = task / across % down * together;
      const int64_t j = task % across * columns, n_panes = std::min(together, windows.count() - first);
      int32_t smallest = INT32_MAX;
      const ConvWindows::See see = [&](int64_t n, const char* elements) {
        smallest = std::min(smallest, mm.groups->smallest_exponent(n, elements));
      };
      for (int64_t i = 0; i < n_panes; ++i) {
        const ConvBlock block = windows.block(first + i);
        panes[i] = {block, windows.at(block, input.data, group * channels, memory + i * window_bytes,
                                      sees_rows ? nullptr : &see)};
      }
      strips.run(panes, n_panes, group, j, std::min(outputs, j + columns), smallest, gathered, wide);
    }
    mm.leave();
  });
}

}  // namespace ist::cpu
