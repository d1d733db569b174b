// Convolutions as products of strips that are read a group of k at a time: bfloat16 where a CPU multiplies groups from
// wherever their rows begin. A group that is one piece of each window is read there; the others are gathered first. For
// strips to go over the ends of rows, all outputs are one step apart, and some between two rows are computed for
// nothing; where those would be too many, every group is gathered. Kernels whose groups have an order of their own read
// copies of windows, in which the groups are put in order once.
#include <algorithm>
#include <vector>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_tasks.h"
#include "backends/cpu/conv_window.h"

namespace ist::cpu {
namespace {

constexpr int kMostGroups = kMatmulBlock / kMatmulGroup;
constexpr int64_t kShortRow = 8;  // of outputs, too short for strips of their own
constexpr int64_t kGroupBytes = kMatmulGroup * 2;
constexpr int64_t kGatheredBytes = kMostGroups * kGroupRows * kGroupBytes;

// A block of outputs and its window.
struct StripPane {
  ConvBlock block;
  const char* window;
};

// The pieces of a block of k, group after group.
struct Pieces {
  RowPiece list[kMatmulBlock];
  int begin[kMostGroups + 1];
  int n_groups = 0;

  Pieces(const ConvShape::Depth& depth, const ConvWindows& windows, const int64_t* runs) {
    const int n_pieces = windows.pieces(depth, runs, kMatmulGroup, list);
    for (int n = 0; n < n_pieces; ++n) {
      if (list[n].at % kMatmulGroup == 0) begin[n_groups++] = n;
    }
    begin[n_groups] = n_pieces;
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
  int64_t pitch;     // outputs from one row to the next; 0 where strips do not go over the ends of rows by that
  bool by_rows;      // strips end where rows do
  bool over_images;  // the rows of a strip are the same output of several panes
  bool sees_rows;    // strips are dense and read once: what makes sure of their exponents brings them into cache

  bool gathers() const { return pitch == 0 && !by_rows && !over_images; }

  // Outputs of a pane, with those between rows.
  int64_t pixels(const ConvBlock& block) const { return (block.rows - 1) * pitch_of(block) + block.columns; }
  int64_t pitch_of(const ConvBlock& block) const { return pitch > 0 ? pitch : block.columns; }

  // All of k for the panes and columns of a task. Sums wait in `wide` for those of the last block. `end`: of what may
  // be read.
  void run(const StripPane* panes, const ConvTask& task, int32_t smallest, const char* end, char* gathered,
           float* wide) const {
    const int64_t n_panes = task.n_panes, first = task.first_column, columns = task.n_columns, last = first + columns;
    const int64_t depth_max = std::min<int64_t>(shape.k(), kMatmulBlock);
    const int64_t step = std::max<int64_t>(1, kConvPanelBytes / (depth_max * mm.packed_size) / mm.cols) * mm.cols;
    const int64_t n_joined = over_images || gathers() ? n_panes : 1;
    const int64_t lines = over_images ? pixels(panes->block) : n_panes / n_joined;
    std::vector<Pieces> pieces;
    pieces.reserve(shape.depths.size());
    for (const ConvShape::Depth& depth : shape.depths) pieces.emplace_back(depth, windows, runs);
    // All blocks of a strip, whose window stays in the first-level cache, if the second-level one keeps the weights.
    const bool strip_by_strip = shape.k() * round_up(columns, mm.cols) * mm.packed_size <= 2 * kConvPanelBytes;
    const size_t each = strip_by_strip ? pieces.size() : 1;
    for (size_t begin = 0; begin < pieces.size(); begin += each) {
      for (int64_t j0 = first; j0 < last; j0 += step) {
        float* c = wide + j0 - first;
        for (int64_t line = 0; line < lines; ++line) {
          const StripPane* pane = over_images ? panes : panes + line * n_joined;
          const int64_t n = over_images ? n_panes : n_joined * pixels(pane->block);
          const int64_t width = pane->block.columns, height = divide_up(width, divide_up(width, mm.rows));
          for (int64_t i = 0, rows; i < n; i += rows) {
            rows = by_rows ? std::min(height, width - i % width) : std::min<int64_t>(mm.rows, n - i);
            RowGroup strip[kMostGroups];
            void* to[kGroupRows];
            for (size_t block = begin; block < begin + each; ++block) {
              const ConvShape::Depth& depth = shape.depths[block];
              const bool is_last = block + 1 == pieces.size();
              const char* next = nullptr;  // strip, of which each tile asks for a part
              if (over_images) {
                const char* from = at(panes[i], line);
                const int64_t image = n_panes > 1 ? (panes[1].window - panes[0].window) / 2 : 0;
                bring(from, image, rows, pieces[block], end, gathered, strip);
              } else if (!gathers()) {
                const char* from = by_rows ? at(*pane, i) : pane->window + i * windows.column_step() * 2;
                bring(from, windows.column_step(), rows, pieces[block], end, gathered, strip);
                if (sees_rows) {
                  smallest = mm.groups->smallest_exponent(rows * depth.count, from);
                  next = from + rows * depth.count * 2;
                }
              } else {
                gather(pane, i, rows, pieces[block], gathered, strip);
              }
              if (is_last) {
                places(pane, over_images ? line : i, over_images ? panes + i : nullptr, rows, task.group, to);
              }
              const int64_t end_column = std::min(last, j0 + step), tiles = divide_up(end_column - j0, mm.cols);
              Ahead ahead = {next, 0, 1, static_cast<int>(divide_up(mm.rows * depth.count * 2, kLine * tiles))};
              for (int64_t j = j0; j < end_column; j += mm.cols, ahead.data += ahead.lines * kLine) {
                mm.groups->tile(static_cast<int>(rows), static_cast<int>(std::min<int64_t>(mm.cols, last - j)),
                                depth.count, strip, smallest, filters.panel(task.group, depth, j), c + j - j0, columns,
                                depth.begin > 0, is_last ? to : nullptr, j, next != nullptr ? &ahead : nullptr);
              }
            }
            if (!strip_by_strip) c += (by_rows ? rows : mm.rows) * columns;
          }
        }
      }
    }
  }

  // The window of an output of a pane.
  const char* at(const StripPane& pane, int64_t pixel) const {
    const int64_t y = pixel / pane.block.columns, x = pixel % pane.block.columns;
    return pane.window + (y * windows.row_step() + x * windows.column_step()) * 2;
  }

  // The groups of a strip whose rows are `step` elements apart.
  void bring(const char* from, int64_t step, int64_t rows, const Pieces& pieces, const char* end, char* gathered,
             RowGroup* strip) const {
    const int64_t rows_read = mm.groups->put_in_order != nullptr ? rows : mm.rows;
    for (int g = 0; g < pieces.n_groups; ++g) {
      const RowPiece* list = pieces.list + pieces.begin[g];
      const char* data = from + list->offset * 2;
      if (pieces.is_whole(g) && data + (rows_read - 1) * step * 2 + kGroupBytes <= end) {
        strip[g] = {data, step * 2};
        continue;
      }
      char* to = gathered + g * mm.rows * kGroupBytes;
      strip[g] = {to, kGroupBytes};
      mm.groups->gather(rows, pieces.count(g), list, from, step, to);
    }
  }

  // The same for rows that are outputs of some panes one after another, from output i on.
  void gather(const StripPane* pane, int64_t i, int64_t rows, const Pieces& pieces, char* gathered,
              RowGroup* strip) const {
    const int64_t width = pane->block.columns, image = pane->block.rows * width;
    for (int g = 0; g < pieces.n_groups; ++g) {
      char* to = gathered + g * mm.rows * kGroupBytes;
      strip[g] = {to, kGroupBytes};
      for (int64_t r = 0; r < rows;) {
        const int64_t pixel = i + r, n = std::min(rows - r, width - pixel % width);
        mm.groups->gather(n, pieces.count(g), pieces.list + pieces.begin[g], at(pane[pixel / image], pixel % image),
                          windows.column_step(), to + r * kGroupBytes);
        r += n;
      }
    }
  }

  // Where the rows of a strip belong, null for those between rows of outputs: output i of each of `images`, or the
  // outputs from i on.
  void places(const StripPane* pane, int64_t i, const StripPane* images, int64_t rows, int64_t group, void** to) const {
    const int64_t width = pitch_of(pane->block), columns = pane->block.columns, height = pane->block.rows;
    const auto place = [&](const ConvBlock& block, int64_t y, int64_t x) {
      const int64_t first = shape.place(block) + group * shape.group_outputs();
      return out.data + (first + y * shape.row_step + x * shape.column_step) * 2;
    };
    for (int64_t r = 0; images != nullptr && r < rows; ++r) to[r] = place(images[r].block, i / columns, i % columns);
    for (int64_t r = 0; images == nullptr && r < rows;) {
      const int64_t line = (i + r) / width;
      int64_t x = (i + r) % width;
      char* at = place(pane[line / height].block, line % height, 0);
      for (; r < rows && x < width; ++x, ++r) to[r] = x < columns ? at + x * shape.column_step * 2 : nullptr;
    }
  }
};

// Is there a group of k that need not be gathered?
bool has_whole_groups(const ConvShape& shape, const ConvWindows& windows, const int64_t* runs) {
  for (const ConvShape::Depth& depth : shape.depths) {
    const Pieces pieces(depth, windows, runs);
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
  const int64_t wanted = conv_tasks_wanted(call, shape.groups);
  const auto make = [&](bool pitched) {
    return ConvWindows(shape, channels, outputs, 2, kConvBlockBytes, mm.rows, wanted, pitched);
  };
  // How much of what strips compute, if they go over the ends of rows, may be for nothing: an eighth.
  const auto fits = [&](const ConvWindows& windows) {
    const int64_t row = windows.row_step(), column = windows.column_step(), width = windows.width();
    return windows.height() == 1 || (row % column == 0 && row / column * 7 <= width * 8);
  };
  // Windows that are copied anyway can be pitched; a copy of what is there to be read would cost more than it saves.
  const ConvWindows plain = make(false), pitched = make(true);
  const ConvWindows& windows = plain.nbytes() > 0 && !fits(plain) && fits(pitched) ? pitched : plain;
  std::vector<int64_t> runs(static_cast<size_t>(windows.n_runs()));
  windows.runs(runs.data());
  // Images of fewer outputs than fill strips, which go over several of them.
  const int64_t pixels = windows.height() * windows.width();
  const bool whole_images = shape.d.out == 1 && windows.height() == shape.h.out && windows.width() == shape.w.out;
  const bool small = whole_images && windows.count() > 1 && 8 * pixels < 7 * round_up(pixels, mm.rows);
  const bool direct = windows.nbytes() == 0;
  // Groups that are not read as they lie are put in order in copies of the windows, where all begin at multiples.
  const bool orders = mm.groups->put_in_order != nullptr;
  const bool whole_groups =
      orders ? !direct && channels % kMatmulGroup == 0 : has_whole_groups(shape, windows, runs.data());
  // Such kernels are as fast for strips of any height, so these end with rows and compute nothing for nobody.
  const bool by_rows = orders && !small && whole_groups && windows.width() >= kShortRow;
  const bool in_place = !small && !by_rows && fits(windows) && whole_groups;
  const int64_t pitch = windows.height() == 1 ? windows.width() : windows.row_step() / windows.column_step();
  Strips strips = {mm,
                   shape,
                   windows,
                   panels,
                   out,
                   runs.data(),
                   in_place ? pitch : 0,
                   by_rows,
                   false,
                   in_place && direct && windows.height() == 1 && windows.n_runs() == 1 && windows.column_step() == k &&
                       k <= kMatmulBlock};

  const int64_t slack = mm.rows * windows.column_step() * 2;
  const int64_t window_bytes = direct ? 0 : round_up(windows.nbytes() + slack, 64);
  const int64_t in_pane = round_up(strips.pixels({0, 0, 0, 0, windows.height(), windows.width()}), mm.rows);
  const int64_t wide_bytes = shape.depths.size() == 1 ? 0 : in_pane * outputs * 4;
  int64_t together = ConvTasks::most_together(windows.count(), wanted, window_bytes + wide_bytes);
  if (small && together > mm.rows) together = together / mm.rows * mm.rows;
  if (!in_place && !by_rows && !whole_images) together = 1;
  strips.over_images = small && whole_groups && 4 * std::min(together, windows.count()) >= 3 * mm.rows;
  // Strips across panes are as many as a pane has outputs.
  const int64_t all_wide =
      strips.over_images && wide_bytes > 0 ? pixels * round_up(together, mm.rows) * outputs * 4 : together * wide_bytes;
  const ConvTasks tasks(shape, windows.count(), windows.height() * windows.width(), mm, mm.cols, wanted, together);
  tasks.run(call, [&](int64_t begin, int64_t end) {
    const TileState tiles(mm);
    char* gathered = scratch(static_cast<size_t>(kGatheredBytes + together * window_bytes + all_wide));
    char* memory = gathered + kGatheredBytes;
    const char* end_of_windows = direct ? input.data + input.count() * 2 : memory + together * window_bytes;
    float* wide = reinterpret_cast<float*>(memory + together * window_bytes);
    StripPane panes[kConvPanes];
    for (int64_t i = begin; i < end; ++i) {
      const ConvTask task = tasks.task(i);
      int32_t smallest = mm.groups->smallest_exponent(0, nullptr);  // that of zeros, as windows may be all padding
      const ConvWindows::See see = [&](int64_t n, const char* elements) {
        smallest = std::min(smallest, mm.groups->smallest_exponent(n, elements));
      };
      for (int64_t n = 0; n < task.n_panes; ++n) {
        const ConvBlock block = windows.block(task.first + n);
        panes[n] = {block, windows.at(block, input.data, task.group * channels, memory + n * window_bytes,
                                      strips.sees_rows ? nullptr : &see)};
        if (orders && !strips.gathers()) {
          mm.groups->put_in_order(windows.nbytes() / kGroupBytes, memory + n * window_bytes);
        }
      }
      strips.run(panes, task, smallest, end_of_windows, gathered, wide);
    }
  });
}

}  // namespace ist::cpu
