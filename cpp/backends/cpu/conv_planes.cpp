// Convolutions with few outputs for each group: vectors along the pixels. The input of a block is turned into planes,
// one for each channel, in which positions that are a stride apart are neighbours. So a tap of all outputs of a block
// is one run of elements, the columns that the rows of a plane have more than the outputs being computed as well.
#include <numeric>

#include "backends/cpu/conv.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kPixelsTogether = 16;  // channels, or pixels, that are worth being read together

// The positions of an axis by their remainders of the stride.
struct Remainders {
  const ConvAxis& axis;
  int64_t count;  // of remainders that taps meet; tap t meets the one of tap t % count

  explicit Remainders(const ConvAxis& of)
      : axis(of), count(std::min(of.taps, of.stride / std::gcd(of.stride, of.dilation))) {}
  int64_t of(int64_t i) const { return i * axis.dilation % axis.stride; }
  int64_t shift(int64_t tap) const { return tap * axis.dilation / axis.stride; }
  int64_t extent(int64_t outputs) const { return outputs + shift(axis.taps - 1); }
};

class Planes {
 public:
  Planes(const Call& call, const ConvShape& shape, const char* input, int size)
      : shape_(shape), input_(input), size_(size), copy_(*call.kernels().copy), h_(shape.h), w_(shape.w) {}

  // Elements of the plane of one channel, and of one output's pixels, for a block.
  int64_t plane(int64_t height, int64_t width) const {
    return shape_.d.taps * h_.count * w_.count * h_.extent(height) * w_.extent(width);
  }
  int64_t pixels(int64_t height, int64_t width) const { return (height - 1) * w_.extent(width) + width; }
  int64_t row(int64_t width) const { return w_.extent(width); }

  // Where the channels of each tap begin in planes of `plane` elements, k after k.
  void offsets(const ConvBlock& block, int64_t plane, int64_t* to) const {
    const int64_t across = w_.extent(block.columns), part = h_.extent(block.rows) * across;
    for (int64_t d = 0; d < shape_.d.taps; ++d) {
      for (int64_t h = 0; h < shape_.h.taps; ++h) {
        for (int64_t w = 0; w < shape_.w.taps; ++w) {
          const int64_t at =
              ((d * h_.count + h % h_.count) * w_.count + w % w_.count) * part + h_.shift(h) * across + w_.shift(w);
          for (int64_t c = 0; c < shape_.group_channels(); ++c) *to++ = c * plane + at;
        }
      }
    }
  }

  // Writes the planes of some channels.
  void fill(const ConvBlock& block, int64_t first, int64_t channels, int64_t plane, char* to) const {
    const ConvAxis &d = shape_.d, &h = shape_.h, &w = shape_.w;
    const int64_t down = h_.extent(block.rows), across = w_.extent(block.columns);
    for (int64_t tap = 0; tap < d.taps; ++tap) {
      const int64_t z = d.position(block.depth) + tap * d.dilation;
      for (int64_t i = 0; i < h_.count; ++i) {
        for (int64_t j = 0; j < w_.count; ++j) {
          for (int64_t q = 0; q < down; ++q, to += across * size_) {
            const int64_t y = h.position(block.h0 + q) + h_.of(i);
            const bool inside = z >= 0 && z < d.in && y >= 0 && y < h.in;
            const char* row = input_ + (((block.image * d.in + z) * h.in + y) * w.in * shape_.channels + first) * size_;
            fill_row(inside ? row : nullptr, w.position(block.w0) + w_.of(j), across, channels, plane, to);
          }
        }
      }
    }
  }

 private:
  // Positions x, x + stride, ... of a row of the input, where there is one.
  void fill_row(const char* row, int64_t x, int64_t n, int64_t channels, int64_t plane, char* to) const {
    const int64_t stride = shape_.w.stride, step = stride * shape_.channels;
    const int64_t begin = row == nullptr ? n : std::clamp<int64_t>(divide_up(std::max<int64_t>(-x, 0), stride), 0, n);
    const int64_t last = shape_.w.in - x;
    const int64_t end = row == nullptr ? n : std::clamp<int64_t>(last > 0 ? divide_up(last, stride) : 0, begin, n);
    for (int64_t c = 0; c < channels; ++c) {
      char* line = to + c * plane * size_;
      std::memset(line, 0, static_cast<size_t>(begin * size_));
      std::memset(line + end * size_, 0, static_cast<size_t>((n - end) * size_));
    }
    if (begin == end) return;
    const char* from = row + (x + begin * stride) * shape_.channels * size_;
    char* start = to + begin * size_;
    const int log2 = size_ == 8 ? 3 : 2;
    if (channels == 1) {
      copy_.strided[log2](end - begin, start, 1, from, step);
    } else {
      copy_.transpose[log2](channels, end - begin, start, plane, from, step);
    }
  }

  const ConvShape& shape_;
  const char* input_;
  int size_;
  const CopyTable& copy_;
  Remainders h_, w_;
};

ConvShape joined(std::span<const ConvShape> parts) {
  ConvShape all = parts[0];
  for (const ConvShape& part : parts.subspan(1)) all.outputs += part.outputs;
  return all;
}

// Where the blocks of k end, for each strip of outputs of a group.
std::vector<std::vector<ConvCut>> cuts_of(std::span<const ConvShape> parts, int64_t strip) {
  std::vector<std::vector<ConvCut>> cuts;
  int64_t output = 0;
  for (const ConvShape& part : parts) {
    for (int64_t i = 0; i < part.group_outputs(); ++i, ++output) {
      if (output % strip == 0) cuts.emplace_back();
      const uint32_t bit = uint32_t{1} << output % strip;
      for (const ConvShape::Depth& depth : part.depths) {
        cuts.back().push_back({depth.begin + depth.count, bit, depth.begin > 0 ? bit : 0});
      }
    }
  }
  for (std::vector<ConvCut>& of_strip : cuts) {
    std::sort(of_strip.begin(), of_strip.end(), [](const ConvCut& a, const ConvCut& b) { return a.at < b.at; });
    size_t n = 0;
    for (const ConvCut& cut : of_strip) {
      if (n > 0 && of_strip[n - 1].at == cut.at) {
        of_strip[n - 1].ends |= cut.ends;
        of_strip[n - 1].adds |= cut.adds;
      } else {
        of_strip[n++] = cut;
      }
    }
    of_strip.resize(n);
  }
  return cuts;
}

// The filters of each strip with k outermost, group after group and without gaps.
const char* pack_strips(const Call& call, const MatmulKernels& mm, int64_t strip, int64_t groups, const View& filters,
                        Temporary& memory) {
  const int64_t k = filters.count() / filters.shape[0], outputs = filters.shape[0] / groups;
  const int64_t taps_h = filters.shape[2], taps_w = filters.shape[3], channels = filters.shape[4];
  Temporary copy;
  int64_t steps[5];
  std::copy(filters.strides, filters.strides + 5, steps);
  const char* rows = filters.data;
  const bool copies = is_half(filters.dtype) || (!filters.dense() && channels < kPixelsTogether);
  if (copies) {
    rows = copy.make_row_major(call, filters);
    row_major(5, filters.shape, steps);
  }
  const bool is_dense = copies || filters.dense();
  const int64_t length = is_dense ? k : channels;  // of k, packed at once
  char* data = memory.make(call, filters.count() * mm.size);
  const int64_t strips = divide_up(outputs, strip);
  parallel_for(call.threads(), groups * strips, 1 + kConvThreadWork / (k * strip), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % strips * strip, n = std::min(strip, outputs - first);
      const int64_t row = task / strips * outputs + first;
      char* to = data + row * k * mm.size;
      for (int64_t t = 0; t < k; t += length, to += length * n * mm.size) {
        const int64_t tap = t / channels;
        const int64_t at = row * steps[0] + tap / (taps_h * taps_w) * steps[1] + tap / taps_w % taps_h * steps[2] +
                           tap % taps_w * steps[3];
        mm.pack(length, n, n, rows + at * mm.size, is_dense ? 1 : steps[4], steps[0], to);
      }
    }
  });
  return data;
}

}  // namespace

bool suits_planes(const Call& call, std::span<const ConvShape> parts) {
  const ConvShape& shape = parts[0];
  const MatmulKernels& mm = conv_kernels_of(call, call.output());
  const int64_t outputs = divide_up(joined(parts).group_outputs(), static_cast<int64_t>(parts.size()));
  const int64_t width = mm.cols / 2;
  if (shape.is_spread() || 2 * outputs > width) return false;
  // A tile of a matrix product has `width` columns at least, of which outputs are few; a vector here as many pixels.
  const Planes planes(call, shape, nullptr, mm.size);
  const int64_t pixels = round_up(planes.pixels(shape.h.out, shape.w.out), width);
  return outputs * pixels <= width * shape.h.out * shape.w.out;
}

void convolve_planes(const Call& call, std::span<const ConvShape> parts, const char* input, const View& filters,
                     const View& out) {
  const ConvShape shape = joined(parts);
  const bool half = is_half(out.dtype);
  const MatmulKernels& mm = conv_kernels_of(call, out);
  const ConvKernels& kernels = call.kernels().conv->of[out.dtype - IST_FLOAT16];
  const int64_t channels = shape.group_channels(), outputs = shape.group_outputs(), k = shape.k();
  const int64_t strip = divide_up(outputs, divide_up(outputs, kernels.plane_outputs));
  const std::vector<std::vector<ConvCut>> cuts = cuts_of(parts, strip);
  Temporary packed;
  const char* weights = pack_strips(call, mm, strip, shape.groups, filters, packed);

  // As many groups together as a block of some rows has room for.
  const Planes planes(call, shape, input, mm.size);
  int64_t together = shape.groups;
  const auto nbytes = [&](int64_t height, int64_t width) {
    const int64_t line = planes.plane(height, width) * channels + planes.pixels(height, width) * outputs;
    return line * together * mm.size;
  };
  constexpr int64_t kRows = 8;
  while (together * std::max(channels, outputs) > kPixelsTogether &&
         nbytes(std::min(kRows, shape.h.out), std::min(kRows * kPixelsTogether, shape.w.out)) > kConvBlockBytes &&
         together > 1) {
    together = divide_up(together, 2);
  }
  const int64_t slices = divide_up(shape.groups, together);
  const int64_t wanted = conv_tasks_wanted(call, slices);
  const ConvGrid grid(shape, nbytes, kConvBlockBytes, kPixelsTogether, wanted);

  const int64_t plane = planes.plane(grid.height, grid.width);
  const int64_t line = round_up(planes.pixels(grid.height, grid.width), kPixelsTogether);
  const int64_t plane_bytes = round_up(plane * channels * together * mm.size, 64);
  const int64_t line_bytes = round_up(line * outputs * together * mm.size, 64);
  const int64_t wide_bytes = half ? grid.height * grid.width * outputs * together * mm.size : 0;
  const int64_t work = grid.height * grid.width * k * outputs * together;
  const auto transpose = call.kernels().copy->transpose[mm.size == 8 ? 3 : 2];
  const auto strided = call.kernels().copy->strided[mm.size == 8 ? 3 : 2];
  parallel_for(call.threads(), grid.count() * slices, 1 + kConvThreadWork / work, [&](int64_t begin, int64_t end) {
    const int64_t offset_bytes = round_up(k * 8, 64);
    char* memory = scratch(static_cast<size_t>(offset_bytes + plane_bytes + line_bytes + wide_bytes));
    int64_t* offsets = reinterpret_cast<int64_t*>(memory);
    char* window = memory + offset_bytes;
    char* sums = window + plane_bytes;
    char* wide = sums + line_bytes;
    for (int64_t task = begin; task < end; ++task) {
      const ConvBlock block = grid.block(task / slices);
      const int64_t group = task % slices * together, n_groups = std::min(together, shape.groups - group);
      const int64_t pixels = planes.pixels(block.rows, block.columns), row = planes.row(block.columns);
      planes.offsets(block, plane, offsets);
      planes.fill(block, group * channels, n_groups * channels, plane, window);
      for (int64_t g = 0; g < n_groups; ++g) {
        for (int64_t j = 0; j < outputs; j += strip) {
          const std::vector<ConvCut>& of_strip = cuts[static_cast<size_t>(j / strip)];
          kernels.planes(static_cast<int>(std::min(strip, outputs - j)), pixels, static_cast<int64_t>(of_strip.size()),
                         of_strip.data(), offsets, window + g * channels * plane * mm.size,
                         weights + ((group + g) * outputs + j) * k * mm.size, sums + (g * outputs + j) * line * mm.size,
                         line);
        }
      }
      const int64_t n = n_groups * outputs;
      const int64_t c_row = half ? block.columns * n : shape.row_step, c_pixel = half ? n : shape.column_step;
      char* c = half ? wide : out.data + (shape.place(block) + group * outputs) * mm.size;
      for (int64_t i = 0; i < block.rows; ++i) {
        char* to = c + i * c_row * mm.size;
        const char* from = sums + i * row * mm.size;
        if (n == 1 && c_pixel == 1) {
          std::memcpy(to, from, static_cast<size_t>(block.columns * mm.size));
        } else if (n == 1) {
          strided(block.columns, to, c_pixel, from, 1);
        } else {
          transpose(block.columns, n, to, c_pixel, from, line);
        }
      }
      if (half) round_block(call, out, shape, block, group * outputs, n, wide, c_row, n);
    }
  });
}

}  // namespace ist::cpu
