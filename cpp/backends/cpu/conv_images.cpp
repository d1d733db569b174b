// Convolutions of images that are neighbours in memory, element by element: gradients of weights, whose images are the
// channels of what was convolved, and whose outputs those of its result. Panels are the same output of neighbouring
// images, and strips are outputs, so that each k of both is a row of memory, and nothing is transposed but the sums.
#include "backends/cpu/conv_neighbours.h"
#include "backends/cpu/conv_tasks.h"
#include "backends/cpu/copy_kernels.h"

namespace ist::cpu {
namespace {

struct Images {
  const Call& call;
  const MatmulKernels& mm;
  const ConvShape& shape;
  const View &input, &filters, &out;
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
        height(divide_up(shape.outputs, divide_up(shape.outputs, mm.rows))),
        depth_max(round_up(std::min<int64_t>(shape.k(), kMatmulBlock), mm.depth_unit)),
        h_step(input.rank > 3 ? input.strides[input.rank - 3] : 0),
        d_step(input.rank > 4 ? input.strides[1] : 0) {}

  bool half() const { return is_half(out.dtype); }
  int64_t outputs_of_image() const { return shape.d.out * shape.h.out * shape.w.out; }
  int64_t n_strips() const { return divide_up(shape.outputs, height); }
  int64_t n_panels() const { return divide_up(shape.batch, mm.cols) * outputs_of_image(); }
  int64_t gathered_bytes() const { return mm.in_place ? 0 : round_up(depth_max * mm.cols << out.log2(), 64); }
  int64_t packed(int64_t count) const { return round_up(mm.header + depth_max * count * mm.packed_size, 64); }
  // Kernels may read a panel to its padded width.
  int64_t panel_bytes() const { return packed(mm.cols) + mm.cols * mm.packed_size; }
  int64_t sums_bytes() const { return shape.outputs * mm.cols * mm.size; }  // of a panel

  // Panels of the same images follow each other: what they read overlaps.
  ConvBlock block(int64_t panel) const {
    const int64_t output = panel % outputs_of_image();
    return {panel / outputs_of_image() * mm.cols,
            output / (shape.h.out * shape.w.out),
            output / shape.w.out % shape.h.out,
            output % shape.w.out,
            1,
            1};
  }
  int64_t columns(const ConvBlock& block) const { return std::min<int64_t>(mm.cols, shape.batch - block.image); }

  // `count` neighbours of each k as a strip or a panel.
  template <class Place>
  void pack(const ConvShape::Depth& depth, const View& from, int64_t first, int64_t count, const Place& place,
            decltype(MatmulKernels::pack) pack, int64_t width, char* gathered, char* to) const {
    gather_neighbours(gather_of(call.kernels(), from.dtype), shape, depth, from.strides[from.rank - 1], count,
                      1 << from.log2(), place, from.data + (first << from.log2()), mm.in_place ? to : gathered);
    if (mm.in_place) return;
    if (mm.header == 0) {
      const void* elements = gathered;
      call.kernels().cast->fn[from.dtype][IST_FLOAT32](depth.count * count, to, &elements);
    } else {
      pack(depth.count, count, width, gathered, count, 1, to);
    }
  }

  void pack_strip(const ConvShape::Depth& depth, int64_t strip, char* gathered, char* to) const {
    const int64_t *steps = filters.strides, n = std::min(height, shape.outputs - strip * height);
    const auto place = [&](int64_t d, int64_t h, int64_t w) { return d * steps[1] + h * steps[2] + w * steps[3]; };
    pack(depth, filters, strip * height, n, place, mm.pack_a, n, gathered, to);
  }

  void pack_panel(const ConvShape::Depth& depth, const ConvBlock& block, char* gathered, char* to) const {
    const ConvAxis &d = shape.d, &h = shape.h, &w = shape.w;
    const int64_t z = d.position(block.depth), y = h.position(block.h0), x = w.position(block.w0);
    const int64_t w_step = input.strides[input.rank - 2];
    const auto place = [&](int64_t d_tap, int64_t h_tap, int64_t w_tap) {
      const int64_t at[] = {z + d_tap * d.dilation, y + h_tap * h.dilation, x + w_tap * w.dilation};
      const bool inside = at[0] >= 0 && at[0] < d.in && at[1] >= 0 && at[1] < h.in && at[2] >= 0 && at[2] < w.in;
      return inside ? at[0] * d_step + at[1] * h_step + at[2] * w_step : kNowhere;
    };
    pack(depth, input, block.image, columns(block), place, mm.pack, mm.cols, gathered, to);
  }

  // All of k for the panels and outputs of a task. `sums` has the tiles of one panel after another.
  void run(const ConvTask& task, const char* strips, char* gathered, char* panel, char* sums) const {
    const int64_t end = task.first_column + task.n_columns, panel_sums = task.n_columns * mm.cols * mm.size;
    for (const ConvShape::Depth& depth : shape.depths) {
      for (int64_t i = 0; i < task.n_panes; ++i) {
        const ConvBlock at = block(task.first + i);
        const int64_t n = columns(at);
        pack_panel(depth, at, gathered, panel);
        for (int64_t j = task.first_column; j < end; j += height) {
          const int64_t rows = std::min(height, end - j);
          mm.tile(static_cast<int>(rows), static_cast<int>(n), depth.count,
                  strips + (depth.index * n_strips() + j / height) * packed(mm.rows), 1, rows, panel,
                  mm.header > 0 ? mm.cols : n, sums + i * panel_sums + (j - task.first_column) * mm.cols * mm.size,
                  mm.cols, depth.index == 0 ? kTileStore : kTileAdd, nullptr);
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
  const MatmulKernels& mm = call.kernels().matmul->of[input.dtype - IST_FLOAT16];
  return shape.groups == 1 && !shape.is_spread() && input.strides[0] == 1 && filters.strides[0] == 1 &&
         2 * shape.batch >= mm.cols;
}

void convolve_images(const Call& call, const ConvShape& shape, const View& input, const View& filters,
                     const View& out) {
  const MatmulKernels& mm = call.kernels().matmul->of[out.dtype - IST_FLOAT16];
  const Images images(call, mm, shape, input, filters, out);
  const int64_t strip_bytes = images.packed(mm.rows), gathered_bytes = images.gathered_bytes();
  const int64_t strips = images.n_strips(), n = static_cast<int64_t>(shape.depths.size()) * strips;
  Temporary memory;
  char* packed = memory.make(call, n * strip_bytes);
  parallel_for(call.threads(), n, 1 + kConvThreadWork / (images.depth_max * images.height),
               [&](int64_t begin, int64_t end) {
                 char* gathered = scratch(static_cast<size_t>(gathered_bytes));
                 for (int64_t i = begin; i < end; ++i) {
                   images.pack_strip(shape.depths[static_cast<size_t>(i / strips)], i % strips, gathered,
                                     packed + i * strip_bytes);
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
