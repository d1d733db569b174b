// Convolutions of images that are neighbours in memory, element by element: gradients of weights, whose images are the
// channels of what was convolved, and whose outputs those of its result. Panels are the same pixel of neighbouring
// images, or some pixels where images are few, and strips are outputs, so that each k of both is read as it lies in
// memory, and nothing is transposed but the sums.
#include <cassert>

#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_tasks.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kStripsTogether = 8;      // strips that are packed side by side
constexpr int64_t kTurn = 32;               // rows of each in turn
constexpr int64_t kLongLine = 16;           // elements that fill panels which pack lines as they lie in memory
constexpr int64_t kMostColumns = 64;        // of the panels of any kernels
constexpr int64_t kSumsBytes = 512 * 1024;  // of all sums, that stay in the second-level cache

// Some lines of the input, of each the elements [begin, begin + count). A line is a pixel of all images or, where these
// lie side by side, a row of pixels.
struct Panel {
  int64_t first, n_lines, begin, count;
  int64_t columns() const { return n_lines * count; }
};

struct Images {
  const Call& call;
  const MatmulKernels& mm;
  const ConvShape& shape;
  const View &filters, &out;
  int element;                // bytes
  int64_t height, depth_max;  // of strips, all alike, and of blocks of k
  const char* input;
  ConvAxis w;                              // of the input as it is read
  int64_t d_step, h_step, w_step, c_step;  // of it
  bool joins;                              // are lines rows of pixels?
  int64_t length, lines, together;         // elements of a line, all lines, and lines of a panel
  Temporary padded;

  Images(const Call& call, const MatmulKernels& mm, const ConvShape& shape, const View& view, const View& filters,
         const View& out)
      : call(call),
        mm(mm),
        shape(shape),
        filters(filters),
        out(out),
        element(1 << out.log2()),
        height(divide_up(shape.outputs, divide_up(shape.outputs, mm.rows))),
        depth_max(round_up(std::min<int64_t>(shape.k(), kMatmulBlock), mm.depth_unit)),
        input(view.data),
        w(shape.w),
        d_step(view.rank > 4 ? view.strides[1] : 0),
        h_step(view.rank > 3 ? view.strides[view.rank - 3] : 0),
        w_step(view.strides[view.rank - 2]),
        c_step(view.strides[view.rank - 1]) {
    assert(mm.cols <= kMostColumns);
    const bool are_few = 2 * shape.batch < mm.cols, beside = w.stride == 1 && w_step == shape.batch;
    if (are_few && beside && !w.inside()) pad();
    joins = are_few && beside;
    length = shape.batch * (joins ? w.out : 1);
    lines = pixels() / (joins ? w.out : 1);
    const int64_t most = mm.groups != nullptr && length >= kLongLine ? 1 : mm.cols / length;
    together = std::clamp<int64_t>(most, 1, lines);
  }

  bool half() const { return is_half(out.dtype); }
  int64_t pixels() const { return shape.d.out * shape.h.out * shape.w.out; }
  int64_t n_strips() const { return divide_up(shape.outputs, height); }
  int64_t n_panels() const { return divide_up(lines, together) * divide_up(length, mm.cols); }
  int64_t gathered_bytes() const {
    return mm.in_place ? 0 : round_up(depth_max * std::max(mm.rows, mm.cols) << out.log2(), 64);
  }
  int64_t strip_bytes() const { return packed(mm.rows); }
  int64_t packed(int64_t count) const { return round_up(mm.header + depth_max * count * mm.packed_size, 64); }
  // Kernels may read a panel to its padded width. Its sums, transposed, take its place.
  int64_t panel_bytes() const {
    return std::max(packed(mm.cols) + mm.cols * mm.packed_size, half() ? sums_bytes() : 0);
  }
  int64_t sums_bytes() const { return shape.outputs * mm.cols * mm.size; }  // of a panel

  // Panels of the same images follow each other: what they read overlaps.
  Panel panel(int64_t i) const {
    const int64_t across = divide_up(lines, together), first = i % across * together, begin = i / across * mm.cols;
    return {first, std::min(together, lines - first), begin, std::min<int64_t>(mm.cols, length - begin)};
  }
  // The first output of a line.
  ConvBlock block(int64_t line) const {
    const int64_t columns = joins ? 1 : shape.w.out;
    return {0, line / (shape.h.out * columns), line / columns % shape.h.out, line % columns, 1, 1};
  }

  // Copies the rows of the input with the zeros that are beside them.
  void pad() {
    const int64_t n = w.reach(w.out), begin = std::clamp<int64_t>(w.low, 0, n);
    const int64_t skipped = std::max<int64_t>(-w.low, 0), end = std::clamp(w.in - skipped + begin, begin, n);
    const int64_t pixel = shape.batch * element, planes = shape.channels * shape.d.in;
    char* memory = padded.make(call, planes * shape.h.in * n * pixel);
    parallel_for(call.threads(), planes * shape.h.in, 1 + kConvThreadWork / (n * pixel), [&](int64_t i, int64_t last) {
      for (; i < last; ++i) {
        const int64_t c = i / (shape.d.in * shape.h.in), z = i / shape.h.in % shape.d.in, y = i % shape.h.in;
        char* to = memory + i * n * pixel;
        const char* from = input + (c * c_step + z * d_step + y * h_step + skipped * w_step) * element;
        std::memset(to, 0, static_cast<size_t>(begin * pixel));
        std::memcpy(to + begin * pixel, from, static_cast<size_t>((end - begin) * pixel));
        std::memset(to + end * pixel, 0, static_cast<size_t>((n - end) * pixel));
      }
    });
    input = memory;
    w.low = 0, w.in = n;
    h_step = n * w_step, d_step = shape.h.in * h_step, c_step = shape.d.in * d_step;
  }

  // Where the row of each element of a block of k begins; place(d, h, w) is that of the first channel of a tap, or null
  // for zeros.
  template <class Place>
  void find_rows(const ConvShape::Depth& depth, int64_t channel_bytes, const Place& place, const void** rows) const {
    alignas(64) static constexpr char kZeros[kMostColumns * 8] = {};
    const int64_t channels = shape.group_channels(), first = depth.begin / channels;
    int64_t c = depth.begin % channels, w = first % shape.w.taps;
    int64_t h = first / shape.w.taps % shape.h.taps, d = first / (shape.w.taps * shape.h.taps);
    for (int64_t t = 0; t < depth.count; c = 0) {
      const int64_t n = std::min(channels - c, depth.count - t);
      const char* at = place(d, h, w);
      const int64_t step = at == nullptr ? 0 : channel_bytes;
      at = at == nullptr ? kZeros : at + c * channel_bytes;
      for (int64_t i = 0; i < n; ++i, at += step) rows[t + i] = at;
      t += n;
      if (++w < shape.w.taps) continue;
      w = 0;
      if (++h == shape.h.taps) h = 0, ++d;
    }
  }

  void find_filters(const ConvShape::Depth& depth, const void** rows) const {
    const int64_t* steps = filters.strides;
    const auto place = [&](int64_t d, int64_t h, int64_t w) {
      return filters.data + (d * steps[1] + h * steps[2] + w * steps[3]) * element;
    };
    find_rows(depth, steps[4] * element, place, rows);
  }

  // Of a line from element `begin` on.
  void find_line(const ConvShape::Depth& depth, int64_t line, int64_t begin, const void** rows) const {
    const ConvAxis &d = shape.d, &h = shape.h;
    const ConvBlock at = block(line);
    const int64_t z0 = d.position(at.depth), y0 = h.position(at.h0), x0 = w.position(at.w0);
    const auto inside = [](const ConvAxis& axis, int64_t position) { return position >= 0 && position < axis.in; };
    const auto place = [&](int64_t d_tap, int64_t h_tap, int64_t w_tap) -> const char* {
      const int64_t z = z0 + d_tap * d.dilation, y = y0 + h_tap * h.dilation, x = x0 + w_tap * w.dilation;
      if (!inside(d, z) || !inside(h, y) || !inside(w, x)) return nullptr;
      return input + (z * d_step + y * h_step + x * w_step + begin) * element;
    };
    find_rows(depth, c_step * element, place, rows);
  }

  // Strips [begin, end) of a block of k, some rows in turn: memory delivers what lies side by side.
  void pack_strips(const ConvShape::Depth& depth, int64_t begin, int64_t end, char* gathered, char* strips) const {
    const void* rows[kMatmulBlock];
    find_filters(depth, rows);
    const int64_t most = mm.header > 0 ? depth.count : kTurn;
    for (int64_t t = 0; t < depth.count; t += most) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t n = std::min(height, shape.outputs - i * height), count = std::min(most, depth.count - t);
        char* to = strips + i * strip_bytes() + t * n * mm.packed_size;
        if (mm.groups != nullptr) {
          mm.groups->pack_a_rows(count, n, rows + t, i * height, to);
        } else {
          copy_rows(count, n, rows + t, i * height, mm.in_place ? to : gathered, n);
          pack(count, n, true, gathered, to);
        }
      }
    }
  }

  void copy_rows(int64_t depth, int64_t n, const void* const* rows, int64_t shift, void* to, int64_t to_row) const {
    call.kernels().conv->of[out.dtype - IST_FLOAT16].copy_rows(depth, n, rows, shift, to, to_row);
  }

  // Rows of `count` elements, which are already there where kernels read them in place.
  void pack(int64_t depth, int64_t count, bool is_strip, const char* gathered, char* to) const {
    if (mm.in_place) return;
    if (mm.header == 0) {
      const void* elements = gathered;
      call.kernels().cast->fn[out.dtype][IST_FLOAT32](depth * count, to, &elements);
    } else {
      (is_strip ? mm.pack_a : mm.pack)(depth, count, is_strip ? count : mm.cols, gathered, count, 1, to);
    }
  }

  // A block of k of a panel and of the strips of outputs [first, end). A row of the sums is an output.
  void multiply(const ConvShape::Depth& depth, const Panel& panel, int64_t first, int64_t end, const char* strips,
                char* gathered, char* memory, TileMode mode, char* sums) const {
    const void* rows[kMatmulBlock];
    const int64_t n = panel.columns();
    // Packed by the first tile, where it is large.
    const bool by_tile = mm.packing_rows_tile != nullptr && panel.n_lines == 1 && n == mm.cols &&
                         2 * std::min(height, end - first) > mm.rows;
    const bool by_groups = mm.groups != nullptr && panel.n_lines == 1;
    for (int64_t line = 0; line < panel.n_lines; ++line) {
      find_line(depth, panel.first + line, panel.begin, rows);
      if (by_tile || by_groups) continue;
      char* to = (mm.in_place ? memory : gathered) + line * panel.count * element;
      copy_rows(depth.count, panel.count, rows, 0, to, n);
    }
    if (by_groups) {
      mm.groups->pack_rows(depth.count, n, rows, 0, memory);
    } else if (!by_tile) {
      pack(depth.count, n, false, gathered, memory);
    }
    for (int64_t j = first; j < end; j += height, sums += height * mm.cols * mm.size) {
      const int n_rows = static_cast<int>(std::min(height, end - j));
      const char* strip = strips + j / height * strip_bytes();
      if (by_tile && j == first) {
        mm.packing_rows_tile(n_rows, depth.count, strip, rows, memory, sums, mm.cols, mode);
        continue;
      }
      mm.tile(n_rows, static_cast<int>(n), depth.count, strip, 1, n_rows, memory, mm.header > 0 ? mm.cols : n, sums,
              mm.cols, mode, nullptr);
    }
  }

  // The sums of a panel and some outputs go to where they belong.
  void store(const Panel& panel, int64_t first, int64_t outputs, const char* sums, char* memory) const {
    const auto transpose = call.kernels().copy->transpose[mm.size == 8 ? 3 : 2];
    for (int64_t line = 0; line < panel.n_lines; ++line) {
      for (int64_t i = panel.begin; i < panel.begin + panel.count;) {
        const int64_t image = i % shape.batch, n = std::min(shape.batch - image, panel.begin + panel.count - i);
        ConvBlock at = block(panel.first + line);
        at.image = image, at.w0 += i / shape.batch;
        char* to = out.data + ((shape.place(at) + first) << out.log2());
        const char* from = sums + (line * panel.count + i - panel.begin) * mm.size;
        transpose(n, outputs, half() ? memory : to, half() ? outputs : shape.image_step, from, mm.cols);
        if (half()) mm.round(static_cast<int>(n), static_cast<int>(outputs), memory, outputs, to, shape.image_step);
        i += n;
      }
    }
  }

  // Tasks are blocks of k. Their sums are added in the order of k: each has its own, if several are computed at once.
  void run_blocks() const {
    const int threads = call.threads();
    const auto n_depths = static_cast<int64_t>(shape.depths.size());
    const int64_t all = n_panels() * sums_bytes();
    const int64_t turn = threads == 1 ? 0 : std::min(n_depths, threads * std::max<int64_t>(1, kSumsBytes / all));
    Temporary memory;
    char* sums = memory.make(call, (1 + turn) * all);
    const int64_t work = depth_max * shape.outputs * pixels() * shape.batch;
    for (int64_t begin = 0; begin < n_depths;) {
      const int64_t end = turn == 0 ? n_depths : std::min(n_depths, begin + turn);
      const auto sums_of = [&](int64_t i) { return turn == 0 || i == 0 ? sums : sums + (1 + i - begin) * all; };
      parallel_for(threads, end - begin, 1 + kConvThreadWork / work, [&](int64_t i, int64_t last) {
        const TileState tiles(mm);
        char* gathered = scratch(static_cast<size_t>(gathered_bytes() + panel_bytes() + n_strips() * strip_bytes()));
        char* packed_panel = gathered + gathered_bytes();
        char* strips = packed_panel + panel_bytes();
        for (; i < last; ++i) {
          const ConvShape::Depth& depth = shape.depths[static_cast<size_t>(begin + i)];
          pack_strips(depth, 0, n_strips(), gathered, strips);
          const TileMode mode = turn == 0 && depth.index > 0 ? kTileAdd : kTileStore;
          for (int64_t p = 0; p < n_panels(); ++p) {
            multiply(depth, panel(p), 0, shape.outputs, strips, gathered, packed_panel, mode,
                     sums_of(begin + i) + p * sums_bytes());
          }
        }
      });
      if (turn > 0) add(std::max<int64_t>(1, begin), end, all / mm.size, sums, sums_of);
      begin = end;
    }
    parallel_for(threads, n_panels(), 1 + kConvThreadWork / (sums_bytes() / mm.size), [&](int64_t p, int64_t last) {
      char* packed_panel = scratch(static_cast<size_t>(panel_bytes()));
      for (; p < last; ++p) store(panel(p), 0, shape.outputs, sums + p * sums_bytes(), packed_panel);
    });
  }

  // Adds the sums of blocks [begin, end), one after another.
  template <class Sums>
  void add(int64_t begin, int64_t end, int64_t n, char* to, const Sums& sums_of) const {
    constexpr int64_t kPiece = 2048;
    const auto add = call.kernels().binary->fn[static_cast<int>(Op::add)][mm.size == 8 ? IST_FLOAT64 : IST_FLOAT32];
    parallel_for(call.threads(), divide_up(n, kPiece), 1 + kConvThreadWork / (kPiece * 8),
                 [&](int64_t i, int64_t last) {
                   for (; i < last; ++i) {
                     const int64_t at = i * kPiece * mm.size;
                     for (int64_t block = begin; block < end; ++block) {
                       const void* terms[] = {to + at, sums_of(block) + at};
                       add(std::min(kPiece, n - i * kPiece), to + at, terms);
                     }
                   }
                 });
  }

  // Tasks are panels and ranges of outputs, which all read the same strips.
  void run_panels() const {
    const auto n_depths = static_cast<int64_t>(shape.depths.size());
    const int64_t block_bytes = n_strips() * strip_bytes();
    Temporary memory;
    char* packed = memory.make(call, n_depths * block_bytes);
    const int64_t across = divide_up(n_strips(), kStripsTogether);
    const int64_t work = depth_max * height * std::min(n_strips(), kStripsTogether);
    parallel_for(call.threads(), n_depths * across, 1 + kConvThreadWork / work, [&](int64_t begin, int64_t end) {
      char* gathered = scratch(static_cast<size_t>(gathered_bytes()));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % across * kStripsTogether;
        const ConvShape::Depth& depth = shape.depths[static_cast<size_t>(i / across)];
        pack_strips(depth, first, std::min(n_strips(), first + kStripsTogether), gathered,
                    packed + depth.index * block_bytes);
      }
    });

    const int64_t wanted = conv_tasks_wanted(call, 1);
    const int64_t most = ConvTasks::most_together(n_panels(), wanted, sums_bytes());
    const ConvTasks tasks(shape, n_panels(), mm.cols, mm, height, wanted, most);
    tasks.run(call, [&](int64_t begin, int64_t end) {
      const TileState tiles(mm);
      char* gathered = scratch(static_cast<size_t>(gathered_bytes() + panel_bytes() + most * sums_bytes()));
      char* packed_panel = gathered + gathered_bytes();
      char* sums = packed_panel + panel_bytes();
      for (int64_t t = begin; t < end; ++t) {
        const ConvTask task = tasks.task(t);
        const int64_t first = task.first_column, sums_each = task.n_columns * mm.cols * mm.size;
        for (const ConvShape::Depth& depth : shape.depths) {
          for (int64_t i = 0; i < task.n_panes; ++i) {
            multiply(depth, panel(task.first + i), first, first + task.n_columns, packed + depth.index * block_bytes,
                     gathered, packed_panel, depth.index == 0 ? kTileStore : kTileAdd, sums + i * sums_each);
          }
        }
        for (int64_t i = 0; i < task.n_panes; ++i) {
          store(panel(task.first + i), first, task.n_columns, sums + i * sums_each, packed_panel);
        }
      }
    });
  }
};

}  // namespace

bool suits_images(const ConvShape& shape, const View& input, const View& filters) {
  constexpr int64_t kDeep = 16;  // k for each pixel: where the sums are few, transposing them is cheap
  const int64_t pixels = shape.d.out * shape.h.out * shape.w.out;
  // A pointwise convolution is a single image, and not as it lies in memory.
  const bool is_pointwise = shape.d.is_pointwise() && shape.h.is_pointwise() && shape.w.is_pointwise();
  return !is_pointwise && shape.groups == 1 && !shape.is_spread() && input.strides[0] == 1 && filters.strides[0] == 1 &&
         shape.k() >= std::max<int64_t>(kMatmulBlock, kDeep * pixels);
}

void convolve_images(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                     const View& out) {
  const MatmulKernels& mm = call.kernels().matmul->of[out.dtype - IST_FLOAT16];
  const Images images(call, mm, shape, input, filters, out);
  if (images.n_panels() * images.sums_bytes() <= kSumsBytes) {
    images.run_blocks();
  } else {
    images.run_panels();
  }
}

}  // namespace ist::cpu
