// Convolutions of images that are neighbours in memory, element by element: gradients of weights, whose images are the
// channels of what was convolved, and whose outputs those of its result. Panels are the same pixel of neighbouring
// images, and strips are outputs, so that each k of both is a row of memory, and nothing is transposed but the sums.
#include <cassert>

#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_tasks.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"

namespace ist::cpu {
namespace {

constexpr int64_t kTogether = 8;      // strips that are packed side by side
constexpr int64_t kTurn = 32;         // rows of each in turn
constexpr int64_t kMostColumns = 64;  // of the panels of any kernels

struct Images {
  const Call& call;
  const MatmulKernels& mm;
  const ConvShape& shape;
  const View &input, &filters, &out;
  int element;                // bytes
  int64_t height, depth_max;  // of strips, all alike, and of blocks of k
  int64_t h_step, d_step;     // of the input

  Images(const Call& call, const MatmulKernels& mm, const ConvShape& shape, const View& input, const View& filters,
         const View& out)
      : call(call),
        mm(mm),
        shape(shape),
        input(input),
        filters(filters),
        out(out),
        element(1 << out.log2()),
        height(divide_up(shape.outputs, divide_up(shape.outputs, mm.rows))),
        depth_max(round_up(std::min<int64_t>(shape.k(), kMatmulBlock), mm.depth_unit)),
        h_step(input.rank > 3 ? input.strides[input.rank - 3] : 0),
        d_step(input.rank > 4 ? input.strides[1] : 0) {
    assert(mm.cols <= kMostColumns);
  }

  bool half() const { return is_half(out.dtype); }
  int64_t pixels() const { return shape.d.out * shape.h.out * shape.w.out; }
  int64_t n_strips() const { return divide_up(shape.outputs, height); }
  int64_t n_panels() const { return divide_up(shape.batch, mm.cols) * pixels(); }
  int64_t gathered_bytes() const {
    return mm.in_place ? 0 : round_up(depth_max * std::max(mm.rows, mm.cols) << out.log2(), 64);
  }
  int64_t strip_bytes() const { return packed(mm.rows); }
  int64_t packed(int64_t count) const { return round_up(mm.header + depth_max * count * mm.packed_size, 64); }
  // Kernels may read a panel to its padded width.
  int64_t panel_bytes() const { return packed(mm.cols) + mm.cols * mm.packed_size; }
  int64_t sums_bytes() const { return shape.outputs * mm.cols * mm.size; }  // of a panel

  // Panels of the same images follow each other: what they read overlaps.
  ConvBlock block(int64_t panel) const {
    const int64_t pixel = panel % pixels();
    return {panel / pixels() * mm.cols,
            pixel / (shape.h.out * shape.w.out),
            pixel / shape.w.out % shape.h.out,
            pixel % shape.w.out,
            1,
            1};
  }
  int64_t columns(const ConvBlock& block) const { return std::min<int64_t>(mm.cols, shape.batch - block.image); }

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

  void find_window(const ConvShape::Depth& depth, const ConvBlock& block, const void** rows) const {
    const ConvAxis &d = shape.d, &h = shape.h, &w = shape.w;
    const int64_t z0 = d.position(block.depth), y0 = h.position(block.h0), x0 = w.position(block.w0);
    const int64_t w_step = input.strides[input.rank - 2];
    const auto inside = [](const ConvAxis& axis, int64_t position) { return position >= 0 && position < axis.in; };
    const auto place = [&](int64_t d_tap, int64_t h_tap, int64_t w_tap) -> const char* {
      const int64_t z = z0 + d_tap * d.dilation, y = y0 + h_tap * h.dilation, x = x0 + w_tap * w.dilation;
      if (!inside(d, z) || !inside(h, y) || !inside(w, x)) return nullptr;
      return input.data + (z * d_step + y * h_step + x * w_step + block.image) * element;
    };
    find_rows(depth, input.strides[input.rank - 1] * element, place, rows);
  }

  // Strips [begin, end) of a block of k, some rows in turn: memory delivers what lies side by side.
  void pack_strips(const ConvShape::Depth& depth, int64_t begin, int64_t end, char* gathered, char* packed) const {
    const void* rows[kMatmulBlock];
    find_filters(depth, rows);
    const int64_t most = mm.header > 0 ? depth.count : kTurn;
    for (int64_t t = 0; t < depth.count; t += most) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t n = std::min(height, shape.outputs - i * height);
        char* to = packed + (depth.index * n_strips() + i) * strip_bytes() + t * n * mm.packed_size;
        pack(std::min(most, depth.count - t), rows + t, i * height, n, true, gathered, to);
      }
    }
  }

  // `count` elements of some rows, as a strip or as a panel.
  void pack(int64_t depth, const void* const* rows, int64_t shift, int64_t count, bool is_strip, char* gathered,
            char* to) const {
    const auto copy_rows = call.kernels().conv->of[out.dtype - IST_FLOAT16].copy_rows;
    if (mm.groups != nullptr) {
      (is_strip ? mm.groups->pack_a_rows : mm.groups->pack_rows)(depth, count, rows, shift, to);
      return;
    }
    copy_rows(depth, count, rows, shift, mm.in_place ? to : gathered);
    if (mm.in_place) return;
    if (mm.header == 0) {
      const void* elements = gathered;
      call.kernels().cast->fn[out.dtype][IST_FLOAT32](depth * count, to, &elements);
    } else {
      (is_strip ? mm.pack_a : mm.pack)(depth, count, is_strip ? count : mm.cols, gathered, count, 1, to);
    }
  }

  // All of k for the panels and outputs of a task. `sums` has the tiles of one panel after another.
  void run(const ConvTask& task, const char* strips, char* gathered, char* panel, char* sums) const {
    const int64_t end = task.first_column + task.n_columns, panel_sums = task.n_columns * mm.cols * mm.size;
    const void* rows[kMatmulBlock];
    for (const ConvShape::Depth& depth : shape.depths) {
      for (int64_t i = 0; i < task.n_panes; ++i) {
        const ConvBlock at = block(task.first + i);
        const int64_t n = columns(at);
        find_window(depth, at, rows);
        // Packed by the first tile, where it is large.
        const bool by_tile =
            mm.packing_rows_tile != nullptr && n == mm.cols && 2 * std::min(height, task.n_columns) > mm.rows;
        if (!by_tile) pack(depth.count, rows, 0, n, false, gathered, panel);
        const TileMode mode = depth.index == 0 ? kTileStore : kTileAdd;
        for (int64_t j = task.first_column; j < end; j += height) {
          const int n_rows = static_cast<int>(std::min(height, end - j));
          const char* strip = strips + (depth.index * n_strips() + j / height) * strip_bytes();
          char* c = sums + i * panel_sums + (j - task.first_column) * mm.cols * mm.size;
          if (by_tile && j == task.first_column) {
            mm.packing_rows_tile(n_rows, depth.count, strip, rows, panel, c, mm.cols, mode);
            continue;
          }
          mm.tile(n_rows, static_cast<int>(n), depth.count, strip, 1, n_rows, panel, mm.header > 0 ? mm.cols : n, c,
                  mm.cols, mode, nullptr);
        }
      }
    }
    const auto transpose = call.kernels().copy->transpose[mm.size == 8 ? 3 : 2];
    for (int64_t i = 0; i < task.n_panes; ++i) {
      const ConvBlock at = block(task.first + i);
      const int64_t n = columns(at), row = half() ? task.n_columns : shape.image_step;
      char* to = out.data + ((shape.place(at) + task.first_column) << out.log2());
      transpose(n, task.n_columns, half() ? panel : to, row, sums + i * panel_sums, mm.cols);
      if (half()) {
        mm.round(static_cast<int>(n), static_cast<int>(task.n_columns), panel, row, to, shape.image_step);
      }
    }
  }
};

}  // namespace

bool suits_images(const Call& call, const ConvShape& shape, const View& input, const View& filters) {
  constexpr int64_t kDeep = 16;  // k for each pixel: where the sums are few, transposing them is cheap
  const MatmulKernels& mm = call.kernels().matmul->of[input.dtype - IST_FLOAT16];
  const int64_t pixels = shape.d.out * shape.h.out * shape.w.out;
  const bool is_deep = shape.k() >= std::max<int64_t>(kMatmulBlock, kDeep * pixels);
  const bool fills_panels = 2 * shape.batch >= round_up(shape.batch, mm.cols);
  // A pointwise convolution is a single image, and not as it lies in memory.
  return shape.batch > 1 && shape.groups == 1 && !shape.is_spread() && input.strides[0] == 1 &&
         filters.strides[0] == 1 && is_deep && fills_panels;
}

void convolve_images(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                     const View& out) {
  const MatmulKernels& mm = call.kernels().matmul->of[out.dtype - IST_FLOAT16];
  const Images images(call, mm, shape, input, filters, out);
  const int64_t strip_bytes = images.strip_bytes(), gathered_bytes = images.gathered_bytes();
  const int64_t strips = images.n_strips(), n_depths = static_cast<int64_t>(shape.depths.size());
  Temporary memory;
  char* packed = memory.make(call, n_depths * strips * strip_bytes);
  const int64_t across = divide_up(strips, kTogether);
  const int64_t work = images.depth_max * images.height * std::min(strips, kTogether);
  parallel_for(call.threads(), n_depths * across, 1 + kConvThreadWork / work, [&](int64_t begin, int64_t end) {
    char* gathered = scratch(static_cast<size_t>(gathered_bytes));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % across * kTogether;
      images.pack_strips(shape.depths[static_cast<size_t>(i / across)], first, std::min(strips, first + kTogether),
                         gathered, packed);
    }
  });

  const int64_t wanted = conv_tasks_wanted(call, 1), sums_bytes = images.sums_bytes();
  const int64_t panel_bytes = std::max(images.panel_bytes(), images.half() ? sums_bytes : 0);
  const int64_t together = ConvTasks::most_together(images.n_panels(), wanted, sums_bytes);
  const ConvTasks tasks(shape, images.n_panels(), mm.cols, mm, images.height, wanted, together);
  tasks.run(call, [&](int64_t begin, int64_t end) {
    const TileState tiles(mm);
    char* gathered = scratch(static_cast<size_t>(gathered_bytes + panel_bytes + together * sums_bytes));
    char* panel = gathered + gathered_bytes;
    for (int64_t i = begin; i < end; ++i) images.run(tasks.task(i), packed, gathered, panel, panel + panel_bytes);
  });
}

}  // namespace ist::cpu
