// One filter for each channel: vectors along the channels, of some pixels at a time. The rows of the input that a block
// of outputs needs are copied for some channels at a time, with zeros around them and in the compute type, just before
// the first row of outputs that reads them. So a tap finds the elements of neighbouring outputs in even steps, in the
// first-level cache.
#include "backends/cpu/conv.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kUnit = 32;                 // channels, a multiple of the kernel's vectors and of cache lines
constexpr int64_t kLongUnits = 8;             // of channels, where weights are read from memory
constexpr int64_t kNearBytes = 22 * 1024;     // of the input that a call of the kernel reads
constexpr int64_t kFewPixels = 4;             // whose chains hide the latency of fma
constexpr int64_t kWindowBytes = 512 * 1024;  // of the rows of a block

// Outputs [begin, end) of an axis whose taps all find elements.
struct Inside {
  int64_t begin = 0, end = 0;

  explicit Inside(const ConvAxis& axis) {
    if (axis.spread > 1) return;
    begin = std::clamp<int64_t>(divide_up(std::max<int64_t>(axis.low, 0), axis.stride), 0, axis.out);
    const int64_t last = axis.in - axis.reach(1) + axis.low;  // the largest first position, from that of output 0
    end = std::clamp<int64_t>(last < 0 ? 0 : last / axis.stride + 1, begin, axis.out);
  }
};

// An axis cut into pieces of nearly the same size, at most `most`; those that are `inside` are apart from the others,
// which are at least `least` long where that is possible.
std::vector<int64_t> cuts(const ConvAxis& axis, const Inside& inside, int64_t least, int64_t most) {
  int64_t begin = inside.begin == 0 ? 0 : std::max(inside.begin, least);
  int64_t end = inside.end == axis.out ? axis.out : std::min(inside.end, axis.out - least);
  if (end - begin < least) begin = end = axis.out;
  std::vector<int64_t> cuts = {0};
  for (const int64_t next : {begin, end, axis.out}) {
    const int64_t from = cuts.back(), pieces = divide_up(next - from, most);
    for (int64_t i = 1; i <= pieces; ++i) cuts.push_back(from + i * (next - from) / pieces);
  }
  return cuts;
}

// Rows of the input for some channels of a block of outputs.
class ChannelRows {
 public:
  ChannelRows(const Call& call, const ConvShape& shape, const View& input, int size)
      : shape_(shape), kernels_(call.kernels().conv->of[input.dtype - IST_FLOAT16]), input_(input), size_(size) {}

  int64_t row(int64_t width, int64_t channels) const { return shape_.w.reach(width) * channels; }
  int64_t nbytes(int64_t height, int64_t width, int64_t channels) const {
    return shape_.d.taps * shape_.h.reach(height) * row(width, channels) * size_;
  }

  // From one position to the next in elements, in the input and in a window.
  struct Steps {
    int64_t plane, row, column;
  };
  Steps steps() const {
    const int64_t line = shape_.w.in * shape_.channels;
    return {shape_.d.dilation * shape_.h.in * line, line, shape_.channels};
  }
  Steps steps(const ConvBlock& block, int64_t channels) const {
    const int64_t line = row(block.columns, channels);
    return {shape_.h.reach(block.rows) * line, line, channels};
  }

  // The first element of a block that is inside.
  const char* at(const ConvBlock& block, int64_t first) const {
    const ConvAxis &d = shape_.d, &h = shape_.h, &w = shape_.w;
    const int64_t y = (block.image * d.in + d.position(block.depth)) * h.in + h.position(block.h0);
    return input_.data + ((y * w.in + w.position(block.w0)) * shape_.channels + first) * size_;
  }

  // Where the taps of a block's first output are.
  void taps(const Steps& steps, const char* window, const void** to) const {
    const ConvAxis &d = shape_.d, &h = shape_.h, &w = shape_.w;
    for (int64_t z = 0; z < d.taps; ++z) {
      for (int64_t y = 0; y < h.taps; ++y) {
        const int64_t line = z * steps.plane + y * h.dilation * steps.row;
        for (int64_t x = 0; x < w.taps; ++x) *to++ = window + (line + x * w.dilation * steps.column) * size_;
      }
    }
  }

  // Which row of a window, one plane after another, a tap finds for the first of `height` outputs of a block.
  int64_t row_of(int64_t tap, int64_t height) const {
    const int64_t line = tap / shape_.w.taps;
    return line / shape_.h.taps * shape_.h.reach(height) + line % shape_.h.taps * shape_.h.dilation;
  }
  // The rows [begin, end) that the taps of `depth` find for some outputs.
  int64_t begin(const ConvShape::Depth& depth, int64_t height) const { return row_of(depth.begin, height); }
  int64_t end(const ConvShape::Depth& depth, int64_t height, int64_t outputs) const {
    return row_of(depth.begin + depth.count - 1, height) + (outputs - 1) * shape_.h.stride + 1;
  }

  // Rows [begin, end) to where the first of them is.
  void fill(const ConvBlock& block, int64_t begin, int64_t end, int64_t first, int64_t channels, char* to) const {
    const ConvAxis &d = shape_.d, &h = shape_.h;
    const int64_t bytes = row(block.columns, channels) * size_, rows = h.reach(block.rows);
    for (int64_t i = begin; i < end; ++i, to += bytes) {
      const int64_t z = element(d, d.position(block.depth) + i / rows * d.dilation);
      const int64_t y = element(h, h.position(block.h0) + i % rows);
      if (z < 0 || y < 0) {
        std::memset(to, 0, static_cast<size_t>(bytes));
      } else {
        fill_row(block, ((block.image * d.in + z) * h.in + y) * shape_.w.in * shape_.channels + first, channels, to);
      }
    }
  }

 private:
  // Which element a position has, or -1.
  static int64_t element(const ConvAxis& axis, int64_t position) {
    if (position < 0 || position % axis.spread != 0) return -1;
    return position / axis.spread < axis.in ? position / axis.spread : -1;
  }

  // `from` is the place of the row's first element.
  void fill_row(const ConvBlock& block, int64_t from, int64_t channels, char* to) const {
    const ConvAxis& w = shape_.w;
    const int64_t n = w.reach(block.columns), pixel = channels * size_, position = w.position(block.w0);
    const int64_t skipped = divide_up(std::max<int64_t>(position, 0), w.spread);  // elements
    const int64_t begin = std::min(n, skipped * w.spread - position);
    const int64_t count = std::clamp<int64_t>(divide_up(n - begin, w.spread), 0, std::max<int64_t>(w.in - skipped, 0));
    const int64_t end = count == 0 ? begin : begin + (count - 1) * w.spread + 1;
    std::memset(to, 0, static_cast<size_t>((w.spread == 1 ? begin : end) * pixel));
    std::memset(to + end * pixel, 0, static_cast<size_t>((n - end) * pixel));
    kernels_.widen(count, channels, input_.data + ((from + skipped * shape_.channels) << input_.log2()),
                   shape_.channels, to + begin * pixel, w.spread * channels);
  }

  const ConvShape& shape_;
  const ConvKernels& kernels_;
  const View& input_;
  int size_;
};

}  // namespace

void convolve_channels(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                       const View& out) {
  const bool half = is_half(out.dtype);
  const int size = out.dtype == IST_FLOAT64 ? 8 : 4;
  const int64_t channels = shape.channels, taps = shape.taps();
  const ConvKernels& kernels = call.kernels().conv->of[input.dtype - IST_FLOAT16];
  // Taps outermost.
  const int64_t count[] = {filters.shape[1], filters.shape[2], filters.shape[3], channels};
  const int64_t strides[] = {filters.strides[1], filters.strides[2], filters.strides[3], filters.strides[0]};
  const View turned = {filters.data, filters.dtype, 4, count, strides};
  Temporary copy;
  const char* weights = turned.dense() && !is_half(turned.dtype) ? turned.data : copy.make_row_major(call, turned);

  const ChannelRows input_rows(call, shape, input, size);
  const int64_t most = kernels.channel_pixels;
  // What lies inside is read where it is, where that is worth blocks of their own.
  Inside inside_h(shape.h), inside_w(shape.w);
  const bool reads = !half && shape.d.inside() && inside_w.end - inside_w.begin >= 2 * most;
  if (!reads) inside_h.begin = inside_h.end = inside_w.begin = inside_w.end = 0;
  const int64_t near_bytes = input_rows.nbytes(1, std::min(reads ? most : 4 * most, shape.w.out), kUnit);
  // Weights of several blocks come from memory, which has their channels side by side, and outputs are few.
  const bool single = shape.depths.size() == 1;
  const int64_t fair = divide_up(channels, kUnit * conv_tasks_wanted(call, 1));  // units, for tasks that are as many
  const int64_t near = !single ? std::min(kLongUnits, fair) : std::max<int64_t>(1, kNearBytes / near_bytes);
  const int64_t parts = divide_up(channels, near * kUnit);
  const int64_t part = std::min(channels, round_up(divide_up(channels, parts), kUnit));
  const int64_t wanted = conv_tasks_wanted(call, parts);
  const auto nbytes = [&](int64_t height, int64_t width) { return input_rows.nbytes(height, width, part); };
  const ConvGrid grid(shape, nbytes, kWindowBytes, most, wanted);
  const std::vector<int64_t> down = cuts(shape.h, inside_h, 1, grid.height);
  const std::vector<int64_t> across = cuts(shape.w, inside_w, kFewPixels, grid.width);
  const auto n_down = static_cast<int64_t>(down.size()) - 1, n_across = static_cast<int64_t>(across.size()) - 1;
  const int64_t planes = shape.batch * shape.d.out, tasks = planes * n_down * n_across * parts;

  // Short rows of outputs make a tile together. Of several blocks of k, the weights of one serve all outputs, as they
  // are the larger part.
  const bool is_short = 2 * shape.w.out <= most && grid.width >= shape.w.out &&
                        (half || shape.row_step == shape.w.out * shape.column_step);
  const int64_t tile_rows = is_short ? std::min(most / shape.w.out, grid.height) : 1;
  const int64_t together = single ? tile_rows : grid.height;
  const int64_t wide_bytes = half ? together * grid.width * part * size : 0;
  // A window has what the taps of one block of k find; of a single block, row after row as outputs need them.
  int64_t window_rows = 0;
  for (const ConvShape::Depth& depth : shape.depths) {
    window_rows =
        std::max(window_rows, input_rows.end(depth, grid.height, grid.height) - input_rows.begin(depth, grid.height));
  }
  const int64_t window_bytes = round_up(window_rows * input_rows.row(grid.width, part) * size, 64);
  const int64_t work = planes * shape.h.out * shape.w.out * taps * channels / tasks;
  parallel_for(call.threads(), tasks, 1 + kConvThreadWork / (1 + work), [&](int64_t begin, int64_t end) {
    const int64_t table_bytes = round_up(taps * 8, 64);
    char* memory = scratch(static_cast<size_t>(table_bytes + window_bytes + wide_bytes));
    const void** table = reinterpret_cast<const void**>(memory);
    char* window = memory + table_bytes;
    char* wide = window + window_bytes;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % parts * part, n = std::min(part, channels - first);
      const auto x = static_cast<size_t>(task / parts % n_across),
                 y = static_cast<size_t>(task / parts / n_across % n_down);
      const int64_t plane = task / parts / n_across / n_down;
      const ConvBlock block = {plane / shape.d.out, plane % shape.d.out,   down[y],
                               across[x],           down[y + 1] - down[y], across[x + 1] - across[x]};
      const bool in_place = inside_h.begin <= down[y] && down[y + 1] <= inside_h.end && inside_w.begin <= across[x] &&
                            across[x + 1] <= inside_w.end;
      const ChannelRows::Steps steps = in_place ? input_rows.steps() : input_rows.steps(block, n);
      input_rows.taps(steps, in_place ? input_rows.at(block, first) : window, table);
      const int64_t step = shape.w.stride * steps.column, pieces = divide_up(block.columns, most);
      std::vector<int64_t> bends(static_cast<size_t>(tile_rows > 1 ? tile_rows * block.columns : 0), step);
      for (size_t i = 1; i <= bends.size(); ++i) {
        if (static_cast<int64_t>(i) % block.columns != 0) continue;
        bends[i - 1] = shape.h.stride * steps.row - (block.columns - 1) * step;
      }
      int64_t filled = 0;
      for (int64_t h0 = 0; h0 < block.rows; h0 += together) {
        const int64_t lines = std::min(together, block.rows - h0);
        const int64_t place = shape.place({block.image, block.depth, block.h0 + h0, block.w0, 1, 1}) + first;
        char* c = half ? wide : out.data + place * size;
        const int64_t c_row = half ? block.columns * n : shape.row_step, c_pixel = half ? n : shape.column_step;
        for (const ConvShape::Depth& depth : shape.depths) {
          const int64_t base = in_place ? 0 : input_rows.begin(depth, block.rows);
          if (!in_place) {
            const int64_t begin = single ? filled : base, end = input_rows.end(depth, block.rows, h0 + lines);
            input_rows.fill(block, begin, end, first, n, window + (begin - base) * steps.row * size);
            filled = end;
          }
          const auto tile = [&](int64_t h, int64_t w, int64_t n_pixels, const int64_t* bends) {
            kernels.channels(static_cast<int>(n_pixels), n, depth.count, table + depth.begin,
                             ((h0 + h) * shape.h.stride - base) * steps.row + w * step, step, bends,
                             weights + (depth.begin * channels + first) * size, channels,
                             c + (h * c_row + w * c_pixel) * size, c_pixel, depth.begin > 0);
          };
          for (int64_t h = 0; h < lines; h += tile_rows) {
            if (tile_rows > 1) {
              tile(h, 0, std::min(tile_rows, lines - h) * block.columns, bends.data());
              continue;
            }
            for (int64_t i = 0; i < pieces; ++i) {
              const int64_t w = i * block.columns / pieces;
              tile(h, w, (i + 1) * block.columns / pieces - w, nullptr);
            }
          }
        }
        if (half) {
          round_block(call, out, shape, {block.image, block.depth, block.h0 + h0, block.w0, lines, block.columns},
                      first, n, wide, c_row, c_pixel);
        }
      }
    }
  });
}

}  // namespace ist::cpu
