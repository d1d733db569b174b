// Convolutions as matrix products whose left operand, the im2col matrix, is never there: the tiles read windows of the
// input, in which a row of the matrix is a few runs of neighbouring elements.
#include <algorithm>
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/matmul_kernels.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kBlockBytes = 384 * 1024;  // of a window or of its outputs, which stay in the second-level cache
constexpr int64_t kPanelBytes = 768 * 1024;  // of weights that many strips are multiplied by
constexpr int64_t kLongRun = 48;             // elements that are worth a tile of their own
constexpr int64_t kThreadWork = 256 * 1024;  // multiply-adds that are worth another thread

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t unit) { return divide_up(a, unit) * unit; }

// The weights of each group as panels of columns, for one block of k after another.
class Weights {
 public:
  Weights(const Call& call, const MatmulKernels& mm, int64_t groups, int64_t outputs, int64_t k)
      : k_(k), panel_(std::min<int64_t>(mm.cols, outputs)), padded_(round_up(outputs, panel_)), size_(mm.size) {
    const View view = call.input(1);
    Temporary copy;
    const char* rows = view.dense() && !is_half(view.dtype) ? view.data : copy.make_row_major(call, view);
    char* packed = memory_.make(call, groups * padded_ * k * size_);
    data_ = packed;
    const int64_t panels = padded_ / panel_;
    parallel_for(call.threads(), groups * panels, 1 + kThreadWork / (k * panel_), [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t group = task / panels, j = task % panels * panel_;
        for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
          const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
          mm.pack(depth, std::min(panel_, outputs - j), panel_, rows + ((group * outputs + j) * k + k0) * size_, 1, k,
                  packed + offset(group, k0, depth, j));
        }
      }
    });
  }

  int64_t panel_width() const { return panel_; }
  const char* panel(int64_t group, int64_t k0, int64_t depth, int64_t j) const {
    return data_ + offset(group, k0, depth, j);
  }

 private:
  int64_t offset(int64_t group, int64_t k0, int64_t depth, int64_t j) const {
    return ((group * k_ + k0) * padded_ + j * depth) * size_;
  }

  int64_t k_, panel_, padded_;
  int size_;
  const char* data_;
  Temporary memory_;
};

// A part of a row of the im2col matrix: element k0 + at is `offset` elements into the window of its output.
struct Piece {
  int64_t offset, at, length;
};

// A block of outputs, its window and the place of its first output in the compute type.
struct Pane {
  ConvBlock block;
  const char* window;
  char* c;
};

struct Product {
  const Call& call;
  const MatmulKernels& mm;
  const ConvShape& shape;
  const ConvWindows& windows;
  const Weights& weights;
  const int64_t* runs;
  int64_t k, outputs;      // of a group
  int64_t c_row, c_pixel;  // strides of C in elements

  int pieces(int64_t k0, int64_t depth, Piece* list) const {
    const int64_t length = windows.run_length();
    int n = 0;
    for (int64_t t = 0; t < depth; ++n) {
      const int64_t run = (k0 + t) / length, skipped = (k0 + t) % length;
      list[n] = {runs[run] + skipped, t, std::min(length - skipped, depth - t)};
      t += list[n].length;
    }
    return n;
  }

  int64_t columns_max() const {
    const int64_t depth = std::min<int64_t>(k, kMatmulBlock);
    return std::min(round_up(outputs, mm.cols),
                    std::max<int64_t>(1, kPanelBytes / (depth * mm.size) / mm.cols) * mm.cols);
  }
  int64_t strip_bytes() const { return round_up(std::min<int64_t>(k, kMatmulBlock) * mm.rows * mm.size, 64); }
  int64_t next_bytes() const { return k > kMatmulBlock ? round_up(columns_max() * mm.rows * mm.size, 64) : 0; }

  // All of k for some panes: blocks of k on the outside, so that the panels of weights stay in cache.
  void run(const Pane* panes, int64_t n_panes, int64_t group, char* strip, char* next) const {
    const int64_t step = columns_max();
    for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
      const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
      Piece list[kMatmulBlock];
      const int n_pieces = pieces(k0, depth, list);
      for (int64_t j0 = 0; j0 < outputs; j0 += step) {
        const int64_t columns = std::min(step, outputs - j0);
        // Reading in place costs a tile for each piece and panel, gathering a copy of each strip.
        const bool gathers = n_pieces > 1 && (columns > 4 * mm.cols || windows.run_length() < kLongRun);
        for (const Pane* pane = panes; pane < panes + n_panes; ++pane) {
          const int64_t width = pane->block.columns, height = divide_up(width, divide_up(width, mm.rows));
          for (int64_t row = 0; row < pane->block.rows; ++row) {
            for (int64_t i = 0; i < width; i += height) {
              const int64_t rows = std::min(height, width - i);
              const char* a = pane->window + (row * windows.row_step() + i * windows.column_step()) * mm.size;
              char* c = pane->c + (row * c_row + i * c_pixel + j0) * mm.size;
              if (gathers) {
                gather(a, list, n_pieces, rows, depth, strip);
                const Piece whole = {0, 0, depth};
                multiply(strip, depth, &whole, 1, rows, group, k0, depth, j0, columns, c, next);
              } else {
                multiply(a, windows.column_step(), list, n_pieces, rows, group, k0, depth, j0, columns, c, next);
              }
            }
          }
        }
      }
    }
  }

  void gather(const char* a, const Piece* list, int n_pieces, int64_t rows, int64_t depth, char* strip) const {
    for (int64_t i = 0; i < rows; ++i) {
      for (const Piece* piece = list; piece < list + n_pieces; ++piece) {
        std::memcpy(strip + (i * depth + piece->at) * mm.size,
                    a + (i * windows.column_step() + piece->offset) * mm.size,
                    static_cast<size_t>(piece->length * mm.size));
      }
    }
  }

  // One strip by the columns [j0, j0 + columns). Chains that go through several pieces wait in C, or in `next` until
  // they are added to the blocks before.
  void multiply(const char* a, int64_t a_row, const Piece* list, int n_pieces, int64_t rows, int64_t group, int64_t k0,
                int64_t depth, int64_t j0, int64_t columns, char* c, char* next) const {
    const bool adds_later = k0 > 0 && n_pieces > 1;
    const int64_t panel = weights.panel_width();
    for (int64_t p = 0; p < columns; p += panel) {
      const char* b = weights.panel(group, k0, depth, j0 + p);
      char* into = (adds_later ? next : c) + p * mm.size;
      for (int i = 0; i < n_pieces; ++i) {
        const TileMode mode = i > 0 ? kTileContinue : k0 > 0 && !adds_later ? kTileAdd : kTileStore;
        mm.tile(static_cast<int>(rows), static_cast<int>(std::min(panel, columns - p)), list[i].length,
                a + list[i].offset * mm.size, a_row, 1, b + list[i].at * panel * mm.size, panel, into,
                adds_later ? columns : c_pixel, mode);
      }
    }
    if (!adds_later) return;
    const auto add = call.kernels().binary->fn[static_cast<int>(Op::add)][mm.size == 8 ? IST_FLOAT64 : IST_FLOAT32];
    for (int64_t i = 0; i < rows; ++i) {
      char* to = c + i * c_pixel * mm.size;
      const void* terms[] = {to, next + i * columns * mm.size};
      add(columns, to, terms);
    }
  }
};

// Rounds the float32 outputs of a block to the half type of `out`, from its channel `first` on.
void round_block(const Call& call, const View& out, const ConvShape& shape, const ConvBlock& block, int64_t first,
                 int64_t outputs, const char* wide, int64_t wide_row) {
  const auto cast = call.kernels().cast->fn[IST_FLOAT32][out.dtype];
  const int64_t n = outputs == shape.outputs ? block.columns : 1;  // pixels that lie side by side
  for (int64_t row = 0; row < block.rows; ++row) {
    const int64_t pixel =
        ((block.image * shape.d.out + block.depth) * shape.h.out + block.h0 + row) * shape.w.out + block.w0;
    for (int64_t i = 0; i < block.columns; i += n) {
      const void* from = wide + (row * wide_row + i * outputs) * 4;
      cast(n * outputs, out.data + ((pixel + i) * shape.outputs + first) * 2, &from);
    }
  }
}

// Where the first output of a block lies in a dense (batch, d, h, w, outputs).
int64_t first_output(const ConvShape& shape, const ConvBlock& block) {
  return (((block.image * shape.d.out + block.depth) * shape.h.out + block.h0) * shape.w.out + block.w0) *
         shape.outputs;
}

void multiply_groups(const Call& call, const ConvShape& shape, const char* input, const View& out) {
  const MatmulKernels& mm =
      call.kernels().matmul->of[(out.dtype == IST_FLOAT64 ? IST_FLOAT64 : IST_FLOAT32) - IST_FLOAT16];
  const int64_t channels = shape.channels / shape.groups, outputs = shape.outputs / shape.groups;
  const int64_t k = shape.taps() * channels;
  const Weights weights(call, mm, shape.groups, outputs, k);
  const int64_t wanted = call.threads() == 1 ? 1 : divide_up(4 * call.threads(), shape.groups);
  const ConvWindows windows(shape, channels, outputs, mm.size, kBlockBytes, mm.rows, wanted);
  std::vector<int64_t> runs(static_cast<size_t>(windows.n_runs()));
  windows.runs(runs.data());

  const bool half = is_half(out.dtype);
  const int64_t c_row = half ? windows.width() * outputs : shape.w.out * shape.outputs;
  const Product product = {call,        mm, shape,   windows, weights,
                           runs.data(), k,  outputs, c_row,   half ? outputs : shape.outputs};

  // Small panes share what they read of the weights.
  const int64_t window_bytes = round_up(windows.nbytes(), 64);
  const int64_t wide_bytes = half ? round_up(windows.height() * c_row * 4, 64) : 0;
  const int64_t fitting = kBlockBytes / std::max<int64_t>(1, window_bytes + wide_bytes);
  const int64_t together = std::clamp<int64_t>(std::min(fitting, windows.count() / wanted), 1, 64);
  const int64_t tasks = divide_up(windows.count(), together);
  const int64_t work = windows.height() * windows.width() * k * outputs * together;
  parallel_for(call.threads(), shape.groups * tasks, 1 + kThreadWork / work, [&](int64_t begin, int64_t end) {
    const int64_t strip_bytes = product.strip_bytes(), next_bytes = product.next_bytes();
    char* strip = scratch(static_cast<size_t>(strip_bytes + next_bytes + together * (window_bytes + wide_bytes)));
    char* next = strip + strip_bytes;
    char* memory = next + next_bytes;
    Pane panes[64];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t group = task / tasks, first = task % tasks * together;
      const int64_t n_panes = std::min(together, windows.count() - first);
      for (int64_t i = 0; i < n_panes; ++i) {
        char* mine = memory + i * (window_bytes + wide_bytes);
        const ConvBlock block = windows.block(first + i);
        char* c = half ? mine + window_bytes : out.data + (first_output(shape, block) + group * outputs) * mm.size;
        panes[i] = {block, windows.at(block, input, group * channels, mine), c};
      }
      product.run(panes, n_panes, group, strip, next);
      for (int64_t i = 0; half && i < n_panes; ++i) {
        round_block(call, out, shape, panes[i].block, group * outputs, outputs, panes[i].c, c_row);
      }
    }
  });
}

}  // namespace

void run_conv(const Call& call) {
  const View input = call.input(0), out = call.output();
  const ConvShape shape(call);
  if (out.count() == 0) return;
  if (shape.taps() * shape.channels == 0) {
    std::memset(out.data, 0, static_cast<size_t>(out.count()) << out.log2());
    return;
  }
  Temporary copy;
  const char* x = input.dense() && !is_half(input.dtype) ? input.data : copy.make_row_major(call, input);
  multiply_groups(call, shape, x, out);
}

}  // namespace ist::cpu
