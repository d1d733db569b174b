// Convolutions as matrix products whose left operand, the im2col matrix, is never there: the tiles read windows of the
// input, in which a row of the matrix is a few runs of neighbouring elements.
#include <algorithm>
#include <vector>

#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_tasks.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/temporary.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kLongRun = 16;            // elements that are worth a tile of their own, for each panel
constexpr int64_t kFewWeights = 24 * 1024;  // bytes that leave room for others in the first-level cache

// A block of k and a range of the columns of a group.
struct ProductPart {
  int64_t group;
  ConvShape::Depth depth;
  int64_t j0, columns;
};

// A block of outputs, its window and the place of its first output in the compute type.
struct Pane {
  ConvBlock block;
  const char* window;
  char* c;
};

// Rows of the im2col matrix as tiles read them.
struct Rows {
  const char* data;
  int64_t row, step;
};

struct Product {
  const Call& call;
  const MatmulKernels& mm;
  int element;  // bytes of one in a window
  const ConvShape& shape;
  const ConvWindows& windows;
  const ConvFilters& filters;
  const int64_t* runs;
  decltype(ConvKernels::gather) gather;
  int64_t k, outputs;               // of a group
  int64_t c_image, c_row, c_pixel;  // strides of C in elements

  int64_t columns_max() const {
    const int64_t depth = std::min<int64_t>(k, kMatmulBlock);
    return std::min(round_up(outputs, mm.cols),
                    std::max<int64_t>(1, kConvPanelBytes / (depth * mm.size) / mm.cols) * mm.cols);
  }
  int64_t gathered_bytes() const { return round_up(std::min<int64_t>(k, kMatmulBlock) * mm.rows * element, 64); }
  int64_t strip_bytes() const {
    const int64_t depth = round_up(std::min<int64_t>(k, kMatmulBlock), mm.depth_unit);
    return gathered_bytes() + (mm.in_place ? 0 : round_up(mm.header + depth * mm.rows * mm.packed_size, 64));
  }
  int64_t next_bytes() const {
    return shape.depths.size() > 1 ? round_up(columns_max() * windows.width() * mm.size, 64) : 0;
  }
  // Strips are alike.
  int64_t strip_height(int64_t pixels) const { return divide_up(pixels, divide_up(pixels, mm.rows)); }

  // All of k for some panes and the columns [begin, end): blocks of k on the outside, so that the panels of weights
  // stay in cache.
  void run(const Pane* panes, int64_t n_panes, int64_t group, int64_t begin, int64_t end, char* strip,
           char* next) const {
    const int64_t step = columns_max();
    for (const ConvShape::Depth& depth : shape.depths) {
      RowPiece list[kMatmulBlock];
      const int n_pieces = windows.pieces(depth, runs, kMatmulBlock, list);
      for (int64_t j0 = begin; j0 < end; j0 += step) {
        const ProductPart part = {group, depth, j0, std::min(step, end - j0)};
        if (n_panes > 1 && are_small_images(panes[0].block)) {
          if (c_row == shape.w.out * c_pixel && c_image == shape.h.out * c_row) {
            multiply_gathered(panes, n_panes, list, n_pieces, part, panes[0].c + j0 * mm.size, strip);
          } else {
            multiply_across(panes, n_panes, list, n_pieces, part, panes[0].c + j0 * mm.size, strip);
          }
          continue;
        }
        for (const Pane* pane = panes; pane < panes + n_panes; ++pane) {
          const ConvBlock& block = pane->block;
          char* c = pane->c + j0 * mm.size;
          // Reading in place costs a tile for each piece and panel and stays within rows, gathering a copy of strips.
          const bool narrow = block.rows > 1 && 4 * strip_height(block.columns) < 3 * mm.rows;
          if (!mm.in_place || (n_pieces > 1 && (narrow || part.columns > 4 * mm.cols ||
                                                windows.run_length() < kLongRun * divide_up(part.columns, mm.cols)))) {
            multiply_gathered(pane, 1, list, n_pieces, part, c, strip);
            continue;
          }
          for (int64_t row = 0; row < block.rows; ++row) {
            const Rows rows = {pane->window + row * windows.row_step() * mm.size, windows.column_step(), 1};
            multiply(rows, list, n_pieces, block.columns, part, c + row * c_row * mm.size, c_pixel, next);
          }
        }
      }
    }
  }

  // Whole images of fewer pixels than fill strips, which go over several of them.
  bool are_small_images(const ConvBlock& block) const {
    return shape.d.out == 1 && block.rows == shape.h.out && block.columns == shape.w.out &&
           8 * strip_height(block.rows * block.columns) < 7 * mm.rows;
  }

  // Puts `n` rows into a strip, as its rows from `first` on.
  void bring(int64_t depth, int64_t first, int64_t n, int n_pieces, const RowPiece* list, const char* from,
             int64_t from_row, char* strip) const {
    gather(n, n_pieces, list, from, from_row, strip + first * depth * element, depth);
  }

  // A strip that all of its rows are in.
  Rows rows_of(char* strip, int64_t rows, int64_t depth) const {
    if (mm.in_place) return {strip, depth, 1};
    char* packed = strip + gathered_bytes();
    mm.pack_a(depth, rows, rows, strip, 1, depth, packed);
    return {packed, 1, rows};
  }

  // One pixel of all images after another: C need not be dense.
  void multiply_across(const Pane* panes, int64_t n_panes, const RowPiece* list, int n_pieces, const ProductPart& part,
                       char* c, char* strip) const {
    const RowPiece whole = {0, 0, part.depth.count};
    const int64_t height = strip_height(n_panes), step = (panes[1].window - panes[0].window) / element;
    for (int64_t y = 0; y < shape.h.out; ++y) {
      for (int64_t x = 0; x < shape.w.out; ++x) {
        const int64_t pixel = y * windows.row_step() + x * windows.column_step();
        for (int64_t i = 0; i < n_panes; i += height) {
          const int64_t rows = std::min(height, n_panes - i);
          bring(part.depth.count, 0, rows, n_pieces, list, panes[i].window + pixel * element, step, strip);
          multiply(rows_of(strip, rows, part.depth.count), &whole, 1, rows, part,
                   c + (y * c_row + x * c_pixel + i * c_image) * mm.size, c_image, nullptr);
        }
      }
    }
  }

  void multiply_gathered(const Pane* panes, int64_t n_panes, const RowPiece* list, int n_pieces,
                         const ProductPart& part, char* c, char* strip) const {
    const RowPiece whole = {0, 0, part.depth.count};
    const int64_t width = panes->block.columns, image = panes->block.rows * width;
    const bool flat = c_row == width * c_pixel;  // strips may go over the ends of rows
    const int64_t lines = flat ? 1 : panes->block.rows, pixels = flat ? n_panes * image : width;
    const int64_t height = strip_height(pixels);
    for (int64_t line = 0; line < lines; ++line) {
      for (int64_t i = 0; i < pixels; i += height) {
        const int64_t rows = std::min(height, pixels - i);
        for (int64_t r = 0; r < rows;) {
          const int64_t pixel = line * width + i + r, y = pixel % image / width, x = pixel % width;
          const int64_t n = std::min(rows - r, width - x);
          const char* from =
              panes[pixel / image].window + (y * windows.row_step() + x * windows.column_step()) * element;
          bring(part.depth.count, r, n, n_pieces, list, from, windows.column_step(), strip);
          r += n;
        }
        multiply(rows_of(strip, rows, part.depth.count), &whole, 1, rows, part,
                 c + (line * c_row + i * c_pixel) * mm.size, c_pixel, nullptr);
      }
    }
  }

  // Some pixels by the columns of a part, piece after piece, so that what strips share stays in the first-level cache.
  // Chains that go through several pieces wait in C, or in `next` until they are added to the blocks before.
  void multiply(const Rows& a, const RowPiece* list, int n_pieces, int64_t pixels, const ProductPart& part, char* c,
                int64_t c_step, char* next) const {
    const bool adds_later = part.depth.begin > 0 && n_pieces > 1;
    const int64_t panel = filters.panel_width(), into_row = adds_later ? part.columns : c_step;
    const int64_t height = strip_height(pixels);
    const auto tile = [&](int64_t p, const RowPiece& piece, int64_t i, TileMode mode) {
      const char* b = filters.panel(part.group, part.depth, part.j0 + p);
      mm.tile(static_cast<int>(std::min(height, pixels - i)), static_cast<int>(std::min(panel, part.columns - p)),
              piece.length, a.data + (i * a.row + piece.offset) * mm.size, a.row, a.step,
              b + piece.at * panel * mm.size, panel, (adds_later ? next : c) + (i * into_row + p) * mm.size, into_row,
              mode, nullptr);
    };
    const TileMode first = part.depth.begin > 0 && !adds_later ? kTileAdd : kTileStore;
    if (n_pieces == 1 && part.depth.count * part.columns * mm.size <= kFewWeights) {  // C row after row
      for (int64_t i = 0; i < pixels; i += height) {
        for (int64_t p = 0; p < part.columns; p += panel) tile(p, *list, i, first);
      }
      return;
    }
    for (int64_t p = 0; p < part.columns; p += panel) {
      for (int n = 0; n < n_pieces; ++n) {
        for (int64_t i = 0; i < pixels; i += height) tile(p, list[n], i, n > 0 ? kTileContinue : first);
      }
    }
    if (!adds_later) return;
    const auto add = call.kernels().binary->fn[static_cast<int>(Op::add)][mm.size == 8 ? IST_FLOAT64 : IST_FLOAT32];
    for (int64_t i = 0; i < pixels; ++i) {
      char* to = c + i * c_step * mm.size;
      const void* terms[] = {to, next + i * part.columns * mm.size};
      add(part.columns, to, terms);
    }
  }
};

}  // namespace

void convolve_products(const Call& call, const ConvShape& shape, const char* input, const View& filters,
                       const View& out) {
  const bool half = is_half(out.dtype), bfloat16 = out.dtype == IST_BFLOAT16;
  const MatmulKernels& mm =
      bfloat16 ? call.kernels().matmul->of[IST_BFLOAT16 - IST_FLOAT16] : conv_kernels_of(call, out);
  const int element = bfloat16 ? 2 : mm.size;
  const int64_t channels = shape.group_channels(), outputs = shape.group_outputs(), k = shape.k();
  const ConvFilters panels(call, mm, shape, filters, mm.in_place ? std::min<int64_t>(mm.cols, outputs) : mm.cols);
  const int64_t wanted = conv_tasks_wanted(call, shape.groups);
  const ConvWindows windows(shape, channels, outputs, element, kConvBlockBytes, mm.rows, wanted);
  std::vector<int64_t> runs(static_cast<size_t>(windows.n_runs()));
  windows.runs(runs.data());

  const int64_t c_row = half ? windows.width() * outputs : shape.row_step;
  const int64_t c_image = half ? windows.height() * c_row : shape.image_step;
  const Product product = {call,
                           mm,
                           element,
                           shape,
                           windows,
                           panels,
                           runs.data(),
                           call.kernels().conv->of[out.dtype - IST_FLOAT16].gather,
                           k,
                           outputs,
                           c_image,
                           c_row,
                           half ? outputs : shape.column_step};

  const int64_t window_bytes = round_up(windows.nbytes(), 64);
  const int64_t wide_bytes = half ? c_image * 4 : 0;
  int64_t together = ConvTasks::most_together(windows.count(), wanted, window_bytes + wide_bytes);
  if (product.are_small_images(windows.block(0))) {  // strips go over as many of them as they have rows
    const int64_t strip = product.strip_height(windows.count());
    if (strip <= kConvPanes) together = std::max<int64_t>(1, together / strip) * strip;
  }
  const ConvTasks tasks(shape, windows.count(), windows.height() * windows.width(), mm, mm.cols, wanted, together);
  tasks.run(call, [&](int64_t begin, int64_t end) {
    const int64_t strip_bytes = product.strip_bytes(), next_bytes = product.next_bytes();
    char* strip = scratch(static_cast<size_t>(strip_bytes + next_bytes + together * (window_bytes + wide_bytes)));
    char* next = strip + strip_bytes;
    char* memory = next + next_bytes;
    char* wide = memory + together * window_bytes;
    Pane panes[kConvPanes];
    for (int64_t t = begin; t < end; ++t) {
      const auto [group, first, n_panes, j, n_columns] = tasks.task(t);
      for (int64_t i = 0; i < n_panes; ++i) {
        const ConvBlock block = windows.block(first + i);
        char* c = half ? wide + i * wide_bytes : out.data + (shape.place(block) + group * outputs) * mm.size;
        panes[i] = {block, windows.at(block, input, group * channels, memory + i * window_bytes), c};
      }
      product.run(panes, n_panes, group, j, j + n_columns, strip, next);
      for (int64_t i = 0; half && i < n_panes; ++i) {
        round_block(call, out, shape, panes[i].block, group * outputs + j, n_columns, panes[i].c + j * 4, c_row,
                    outputs);
      }
    }
  });
}

}  // namespace ist::cpu
