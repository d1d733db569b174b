// One filter for each channel: vectors along the channels, of some pixels at a time. The input is read where it is;
// near the borders, by tables of pointers to what each tap finds for each pixel, zeros where that is padding.
#include "backends/cpu/conv.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kUnit = 32;  // channels, a multiple of the kernel's vectors and of cache lines

// Outputs in row-major order of a rectangle `width` wide, the first at (depth, h, w).
struct Tile {
  int64_t image, depth, h, w, width;
  int count;
};

// What the kernel needs to find elements.
struct Places {
  const void* const* from;
  int64_t shift, step;
};

// Outputs [begin, end) of an axis whose taps all find elements.
struct Inside {
  int64_t begin = 0, end = 0;

  explicit Inside(const ConvAxis& axis) {
    if (axis.spread > 1) return;
    begin = std::clamp<int64_t>(divide_up(std::max<int64_t>(axis.low, 0), axis.stride), 0, axis.out);
    const int64_t last = axis.in - axis.reach(1) + axis.low;  // the largest first position, from that of output 0
    end = std::clamp<int64_t>(last < 0 ? 0 : last / axis.stride + 1, begin, axis.out);
  }
  bool has(int64_t output) const { return begin <= output && output < end; }
};

class Finder {
 public:
  Finder(const ConvShape& shape, const View& input, const char* zeros)
      : shape_(shape), d_(shape.d), h_(shape.h), w_(shape.w), input_(input.data), zeros_(zeros), log2_(input.log2()) {
    for (int64_t z = 0; z < shape.d.taps; ++z) {
      for (int64_t y = 0; y < shape.h.taps; ++y) {
        for (int64_t x = 0; x < shape.w.taps; ++x) {
          even_.push_back(at(0, z * shape.d.dilation, y * shape.h.dilation, x * shape.w.dilation));
        }
      }
    }
  }

  const Inside& columns() const { return w_; }

  // For the taps of `depth`; `table` is for tiles of several rows or with zeros.
  Places find(const Tile& tile, const ConvShape::Depth& depth, const void** table) const {
    const ConvAxis &d = shape_.d, &h = shape_.h, &w = shape_.w;
    if (tile.width == tile.count && d_.has(tile.depth) && h_.has(tile.h) && w_.has(tile.w) &&
        w_.has(tile.w + tile.count - 1)) {
      const char* first = at(tile.image, d.position(tile.depth), h.position(tile.h), w.position(tile.w));
      return {even_.data() + depth.begin, (first - input_) >> log2_, w.stride * shape_.channels};
    }
    const void** to = table;
    for (int64_t tap = depth.begin; tap < depth.begin + depth.count; ++tap) {
      const int64_t ky = tap / w.taps % h.taps, kx = tap % w.taps;
      const int64_t z = element(d, tile.depth, tap / (h.taps * w.taps));
      for (int i = 0; i < tile.count; i += static_cast<int>(tile.width)) {
        const int64_t y = element(h, tile.h + i / tile.width, ky);
        const int64_t n = std::min<int64_t>(tile.width, tile.count - i);
        const char* row = at(tile.image, z, y, 0);
        for (int64_t j = 0; j < n; ++j) {
          const int64_t x = (z | y) < 0 ? -1 : element(w, tile.w + j, kx);
          *to++ = x < 0 ? zeros_ : row + (x * shape_.channels << log2_);
        }
      }
    }
    return {table, 0, 0};
  }

 private:
  const char* at(int64_t image, int64_t z, int64_t y, int64_t x) const {
    return input_ + (((((image * shape_.d.in + z) * shape_.h.in + y) * shape_.w.in + x) * shape_.channels) << log2_);
  }
  // Where along an axis a tap finds an element for an output, or less than 0.
  static int64_t element(const ConvAxis& axis, int64_t output, int64_t tap) {
    int64_t position = axis.position(output) + tap * axis.dilation;
    if (axis.spread > 1) position = position % axis.spread == 0 ? position / axis.spread : -1;
    return position < axis.in ? position : -1;
  }

  const ConvShape& shape_;
  Inside d_, h_, w_;
  const char* input_;
  const char* zeros_;
  int log2_;
  std::vector<const void*> even_;  // of a tile in one row and without zeros whose first tap finds the first element
};

// `n` outputs as pieces of nearly the same size, at most `most`.
template <class Fn>
void in_pieces(int64_t n, int64_t most, Fn&& fn) {
  const int64_t pieces = divide_up(n, most);
  for (int64_t i = 0; i < pieces; ++i) fn(i * n / pieces, static_cast<int>((i + 1) * n / pieces - i * n / pieces));
}

// Calls fn for all tiles of some rows; those without zeros are apart.
template <class Fn>
void each_tile(const ConvShape& shape, const Inside& inside, const ConvBlock& block, int64_t most, Fn&& fn) {
  const int64_t width = shape.w.out;
  Tile tile = {block.image, block.depth, block.h0, 0, width, 0};
  if (2 * width < most && shape.row_step == width * shape.column_step) {
    in_pieces(block.rows, most / width, [&](int64_t h, int rows) {  // short rows are one
      tile.h = block.h0 + h;
      tile.count = rows * static_cast<int>(width);
      fn(tile);
    });
    return;
  }
  for (int64_t h = 0; h < block.rows; ++h) {
    tile.h = block.h0 + h;
    const auto columns = [&](int64_t begin, int64_t end) {
      in_pieces(end - begin, most, [&](int64_t w, int n) {
        tile.w = begin + w;
        tile.width = tile.count = n;
        fn(tile);
      });
    };
    columns(0, inside.begin);
    columns(inside.begin, inside.end);
    columns(inside.end, width);
  }
}

}  // namespace

void convolve_channels(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                       const View& out) {
  const bool half = is_half(out.dtype);
  const int size = out.dtype == IST_FLOAT64 ? 8 : 4;
  const int64_t channels = shape.channels;
  const ConvKernels& kernels = call.kernels().conv->of[input.dtype - IST_FLOAT16];
  // Taps outermost.
  const int64_t count[] = {filters.shape[1], filters.shape[2], filters.shape[3], channels};
  const int64_t strides[] = {filters.strides[1], filters.strides[2], filters.strides[3], filters.strides[0]};
  const View turned = {filters.data, filters.dtype, 4, count, strides};
  Temporary copy, zero_memory;
  const char* weights = turned.dense() && !is_half(turned.dtype) ? turned.data : copy.make_row_major(call, turned);
  char* zeros = zero_memory.make(call, channels * size);
  std::memset(zeros, 0, static_cast<size_t>(channels * size));

  const int64_t most = kernels.channel_pixels, rows = divide_up(shape.h.out, divide_up(shape.h.out, most));
  const int64_t down = divide_up(shape.h.out, rows), blocks = shape.batch * shape.d.out * down;
  const int64_t wanted = call.threads() == 1 ? 1 : divide_up(4 * call.threads(), blocks);
  const int64_t part = std::min(channels, round_up(divide_up(channels, wanted), kUnit));
  const int64_t parts = divide_up(channels, part);
  int64_t longest = 0;
  for (const ConvShape::Depth& depth : shape.depths) longest = std::max(longest, depth.count);
  const Finder finder(shape, input, zeros);
  const int64_t work = rows * shape.w.out * shape.taps() * part;
  parallel_for(call.threads(), blocks * parts, 1 + kConvThreadWork / work, [&](int64_t begin, int64_t end) {
    const int64_t table_bytes = round_up(longest * most * 8, 64);
    char* memory = scratch(static_cast<size_t>(table_bytes + (half ? most * part * size : 0)));
    const void** table = reinterpret_cast<const void**>(memory);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % parts * part, n = std::min(part, channels - first);
      const int64_t plane = task / parts / down, h0 = task / parts % down * rows;
      const ConvBlock block = {plane / shape.d.out, plane % shape.d.out, h0, 0, std::min(rows, shape.h.out - h0),
                               shape.w.out};
      each_tile(shape, finder.columns(), block, most, [&](const Tile& tile) {
        const int64_t place = shape.place({tile.image, tile.depth, tile.h, tile.w, 1, 1}) + first;
        char* c = half ? memory + table_bytes : out.data + place * size;
        for (const ConvShape::Depth& depth : shape.depths) {
          const Places places = finder.find(tile, depth, table);
          kernels.channels(tile.count, n, depth.count, places.from, places.shift + first, places.step,
                           weights + (depth.begin * channels + first) * size, channels, c, half ? n : shape.column_step,
                           depth.begin > 0);
        }
        const int64_t side = n == shape.column_step ? tile.count : 1;  // pixels that lie side by side
        for (int64_t i = 0; half && i < tile.count; i += side) {
          const void* wide = c + i * n * size;
          call.kernels().cast->fn[IST_FLOAT32][out.dtype](n * side, out.data + (place + i * shape.column_step) * 2,
                                                          &wide);
        }
      });
    }
  });
}

}  // namespace ist::cpu
