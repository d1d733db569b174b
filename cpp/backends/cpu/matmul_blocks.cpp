// Blocks of matrix products: blocks of k in ascending order, panels of B in the second-level cache, strips of A in the
// first, register tiles over C.
#include <algorithm>
#include <vector>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/matmul_product.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kPanelBytes = 1280 * 1024;      // of B packed at a time, so that they stay in the second-level cache
constexpr int64_t kKeptBytes = 32 * 1024 * 1024;  // of A packed, at most, for all the columns of B
constexpr int64_t kFewBytes = 512 * 1024;         // of A packed, beside which panels of B come one or two at a time
constexpr int64_t kFarBytes = 512 * 1024;         // of A whose columns are packed even for few columns of B
constexpr int64_t kFewColumns = 128;              // bytes of their rows at least, which memory delivers at once
constexpr int64_t kSmallPanel = 32 * 1024;        // of B read where it is, while it stays in the first-level cache
constexpr int64_t kSmallResult = 512 * 1024;      // bytes of C up to which B is not packed, if so
constexpr int64_t kSmallDepth = 128;              // of B, if so: more rows, far apart, meet in the same sets
constexpr int64_t kSmallRows = 64;                // of C that do not pay for packing these either
constexpr int64_t kFewRows = 8;                   // of a tile, whose places in A fit in registers
constexpr int64_t kFewPanels = 4;                 // of B, for which strips of A are not packed
constexpr int64_t kSameSet = 4096;                // bytes apart, lines meet in the first-level cache
constexpr int64_t kSmallMatrix = 128 * 1024;      // of B beside them, which stay in the second-level cache
constexpr int64_t kDotBlocks = 128;               // of k that are worth another thread, in a row times a column
constexpr int64_t kDotPacked = 64;                // of them packed at a time, which stay in the second-level cache
constexpr int64_t kPackPanels = 8;                // or strips, packed side by side
constexpr int64_t kPackRows = 16;                 // of each in turn
constexpr int64_t kTailColumns = 256;             // that elementwise nodes take at once, or more
constexpr int64_t kTailElements = 4096;           // or of several strips together
constexpr int64_t kFlatColumns = 2048;            // of C kept in cache while rows of B stream through
constexpr int64_t kFlatDepth = 32;                // of these rows at a time
constexpr int64_t kStreamedWidth = 16 * 1024;     // bytes of sums of all columns, where one row is multiplied
constexpr int64_t kFlatPackedDepth = 128;         // of columns of B transposed at a time

// All of them into the first.
template <class T>
void add_in_order(int64_t n, char* sums) {
  T* x = reinterpret_cast<T*>(sums);
  for (int64_t i = 1; i < n; ++i) x[0] = x[0] + x[i];
}

// Columns of A that are dense in memory: strips of them are packed several at a time, so that what memory delivers is
// used while it is in cache.
bool is_upright(const Matrix& a) { return a.row == 1 && a.column != 1; }
int64_t strips_together(int64_t strips, int64_t most) { return divide_up(strips, divide_up(strips, most)); }

}  // namespace

void Product::block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t batch, int64_t m0, int64_t m1,
                    int64_t n0, int64_t n1) const {
  Matrix rows = a, columns = b;
  rows.data = at(a, m0, 0);
  columns.data = at(b, 0, n0);
  c += ((batch * m + m0) * c_row + n0) << in_log2;
  const Finished finished = {tail, batch * m + m0, n0};
  if (m1 - m0 == 1 && mm.row != nullptr && b.row == 1) {
    row_block(rows, columns, c, n1 - n0);
    return finished(0, 1, 0, n1 - n0);
  }
  const int64_t streamed_least = std::max<int64_t>(mm.cols, kLine >> in_log2);
  if (m1 - m0 == 1 && streamed_row() != nullptr && b.column == 1 && n1 - n0 >= streamed_least) {
    return streamed_block(rows, columns, c, n1 - n0, finished);
  }
  const TileState tiles(mm);
  const bool streams = m1 - m0 <= 2 * mm.rows && mm.in_place && b.column == 1 && k * (n1 - n0) * mm.size > kPanelBytes;
  if (m1 - m0 <= mm.rows || streams) {
    flat_block(rows, columns, c, c_row, static_cast<int>(m1 - m0), n1 - n0, finished);
  } else if (half()) {
    half_block(rows, columns, c, c_row, m1 - m0, n1 - n0, finished);
  } else if (reads_both_in_place(a, b, m1 - m0, n1 - n0)) {
    small_block(rows, columns, c, c_row, m1 - m0, n1 - n0, finished);
  } else {
    tall_block(rows, columns, c, c_row, m1 - m0, n1 - n0, finished);
  }
}

int64_t Product::small_columns() const {
  return kSmallPanel / (std::min<int64_t>(k, kMatmulBlock) * mm.size) / mm.cols * mm.cols;
}

// Does a small result not pay for packing B?
bool Product::reads_in_place(const Matrix& b, int64_t rows, int64_t columns) const {
  const int64_t depth = std::min<int64_t>(k, kMatmulBlock);
  return mm.in_place && b.column == 1 && small_columns() >= 2 * mm.cols &&
         (depth <= kSmallDepth || rows <= kSmallRows) && rows * columns * mm.size <= kSmallResult;
}

// Nor for packing A, whose rows few panels read, or tiles by addresses that fit in registers? All of B comes anew for
// each strip.
bool Product::reads_both_in_place(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns) const {
  return (mm.rows <= kFewRows || columns <= kFewPanels * mm.cols) && a.column == 1 && k <= kMatmulBlock &&
         k * columns * mm.size <= kSmallMatrix && reads_in_place(b, rows, columns);
}

void Product::small_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t rows, int64_t columns,
                          const Finished& finished) const {
  const int64_t height = divide_up(rows, divide_up(rows, mm.rows));
  int64_t done = 0;
  for (int64_t i = 0; i < rows; i += height) {
    const int64_t n_rows = std::min(height, rows - i);
    for (int64_t j = 0; j < columns; j += mm.cols) {
      const int n_columns = static_cast<int>(std::min<int64_t>(mm.cols, columns - j));
      mm.tile(static_cast<int>(n_rows), n_columns, k, at(a, i, 0), a.row, 1, at(b, 0, j), b.row,
              c + (i * c_row + j) * mm.size, c_row, kTileStore, nullptr);
    }
    finish_strips(finished, rows, 0, columns, i + n_rows, done);
  }
}

// Every panel of B meets several strips of A. B is packed once, strips are packed as they come, and kept where B
// takes several passes.
void Product::tall_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t rows, int64_t columns,
                         const Finished& finished) const {
  const int64_t cols = mm.cols, size = mm.size;
  const int64_t strips = divide_up(rows, mm.rows), height = divide_up(rows, strips);  // of the strips, all alike
  const int64_t depth_max = std::min<int64_t>(k, kMatmulBlock);
  const int64_t panel_bytes = packed(depth_max, cols), strip_bytes = packed(depth_max, mm.rows);
  // Panels that are read where they are come a few at a time, in the first-level cache.
  const bool narrow = reads_in_place(b, rows, columns);
  const bool upright = is_upright(a);
  const bool is_far = upright && rows * k * size > kFarBytes;
  // More rows than a set of the first-level cache has lines would drive each other out of it.
  const bool meet = mm.rows > kFewRows && a.row * size % kSameSet == 0;
  const bool packs_a = !mm.in_place || columns > (is_far || meet ? cols : kFewPanels * cols);
  const bool packs_b =
      !mm.in_place || b.column != 1 || (!narrow && rows > 2 * mm.rows && depth_max * columns * size > kSmallPanel);
  const bool is_near = k * columns * size <= kPanelBytes;
  const bool packs_by_tile =
      packs_b && packs_a && mm.packing_tile != nullptr && b.column == 1 && (is_near || call.kernels().packs_from_afar);
  // Few strips leave packing B no time to hide: each pass, a panel or two, brings the next one then, instead of rows
  // of A.
  const bool few = packs_a && packs_b && !packs_by_tile && strips * strip_bytes <= kFewBytes;
  const int64_t passes = divide_up(columns, narrow ? small_columns() : kPanelBytes / panel_bytes * cols);
  const int64_t columns_max = few ? round_up(cols, kFewColumns / size) : round_up(divide_up(columns, passes), cols);
  const bool keeps_a = packs_a && columns_max < columns && strips * strip_bytes <= kKeptBytes;
  const int64_t group = packs_a && upright ? strips_together(strips, kPackPanels) : 1;
  // Packed strips that outlast the first of them: what finishes it takes the scratch memory.
  const int64_t held = keeps_a ? strips : group > 1 ? group : 0;
  const int64_t panels_bytes = packs_b ? columns_max / cols * panel_bytes : 0;
  Temporary memory;
  char* panels = packs_b || held > 0 ? memory.make(call, panels_bytes + held * strip_bytes) : nullptr;
  char* kept = panels + panels_bytes;
  const bool gathers = columns_max < std::min(columns, kTailColumns);
  int64_t done = 0;

  for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
    const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
    for (int64_t j0 = 0; j0 < columns; j0 += columns_max) {
      const int64_t width = std::min(columns_max, columns - j0);
      if (packs_b && !packs_by_tile) pack_panels(b, k0, depth, j0, width, panels, panel_bytes);
      int64_t done_rows = 0;
      for (int64_t i = 0; i < rows; i += height) {
        const int64_t n_rows = std::min(height, rows - i);
        const char* strip = at(a, i, k0);
        const bool packs_strips = packs_a && (!keeps_a || j0 == 0);
        const int64_t in_group = i / height % group;
        if (packs_a) {
          char* strips_at = held > 0 ? kept + (i / height - in_group) % held * strip_bytes
                                     : scratch(static_cast<size_t>(strip_bytes));
          if (packs_strips && in_group == 0) {
            pack_strips(a, k0, depth, i, std::min(i + group * height, rows), height, strips_at, strip_bytes);
          }
          strip = strips_at + in_group * strip_bytes;
        }
        for (int64_t p = 0; p < width; p += cols) {
          Ahead ahead = {};
          if (few) {
            ahead = ahead_of(b, k0, j0 + columns_max, columns, columns_max,
                             i / height * (columns_max / cols) + p / cols, strips * (columns_max / cols));
          } else if (packs_strips && group > 1) {
            const int64_t panels_wide = divide_up(width, cols);
            ahead = strips_ahead(a, k0, i + (group - in_group) * height, rows, group * height,
                                 in_group * panels_wide + p / cols, group * panels_wide);
          } else if (packs_strips && a.column == 1 && i + height + p / cols < std::min(i + 2 * height, rows)) {
            // Each panel brings a row of the next strip.
            ahead = {at(a, i + height + p / cols, k0), 0, 1, static_cast<int>(divide_up(depth * size, kLine))};
          }
          const int n_columns = static_cast<int>(std::min(cols, width - p));
          const TileMode mode = k0 == 0 ? kTileStore : kTileAdd;
          char* panel = panels + p / cols * panel_bytes;
          char* tile = c + (i * c_row + j0 + p) * size;
          if (i == 0 && packs_by_tile) {
            mm.packing_tile(static_cast<int>(n_rows), n_columns, depth, strip, at(b, k0, j0 + p), b.row, panel, tile,
                            c_row, mode, &ahead);
            continue;
          }
          mm.tile(static_cast<int>(n_rows), n_columns, depth, strip, packs_a ? 1 : a.row, packs_a ? n_rows : a.column,
                  packs_b ? panel : at(b, k0, j0 + p), packs_b ? cols : b.row, tile, c_row, mode, &ahead);
        }
        if (k0 + depth == k && !gathers) finish_strips(finished, rows, j0, width, i + n_rows, done_rows);
      }
      if (k0 + depth == k && gathers) finish_passes(finished, rows, columns, j0 + width, done);
    }
  }
}

void Product::finish_strips(const Finished& finished, int64_t rows, int64_t j0, int64_t width, int64_t end,
                            int64_t& done) {
  if ((end - done) * width < kTailElements && end < rows) return;
  finished(done, end - done, j0, width);
  done = end;
}

void Product::finish_passes(const Finished& finished, int64_t rows, int64_t columns, int64_t end, int64_t& done) {
  if (end - done < kTailColumns && end < columns) return;
  finished(0, rows, done, end - done);
  done = end;
}

// Part number `part` of `parts` of what B has for the pass at (k0, j0).
Ahead Product::ahead_of(const Matrix& b, int64_t k0, int64_t j0, int64_t columns, int64_t columns_max, int64_t part,
                        int64_t parts) const {
  if (j0 >= columns) j0 = 0, k0 += kMatmulBlock;
  if (k0 >= k || (b.row != 1 && b.column != 1)) return {};
  const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0), width = std::min(columns_max, columns - j0);
  const bool by_rows = b.column == 1;
  const int64_t rows = by_rows ? depth : width, length = by_rows ? width : depth;
  const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
  return {by_rows ? at(b, k0 + first, j0) : at(b, k0, j0 + first), (by_rows ? b.row : b.column) << in_log2,
          static_cast<int>(last - first), static_cast<int>(divide_up(length << in_log2, kLine))};
}

// Part number `part` of `parts` of what A has for the columns that are packed next, from row i0 on.
Ahead Product::strips_ahead(const Matrix& a, int64_t k0, int64_t i0, int64_t rows, int64_t rows_max, int64_t part,
                            int64_t parts) const {
  if (i0 >= rows) i0 = 0, k0 += kMatmulBlock;
  if (k0 >= k) return {};
  const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0), width = std::min(rows_max, rows - i0);
  const int64_t first = depth * part / parts, last = depth * (part + 1) / parts;
  return {at(a, i0, k0 + first), a.column << in_log2, static_cast<int>(last - first),
          static_cast<int>(divide_up(width << in_log2, kLine))};
}

// The same where C is wider than what lies in memory: a strip of it stays in cache through all of k, tile by tile,
// and is rounded.
void Product::half_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int64_t rows, int64_t columns,
                         const Finished& finished) const {
  const int64_t cols = mm.cols, k_blocks = divide_up(k, kMatmulBlock);
  const int64_t height = divide_up(rows, divide_up(rows, mm.rows));
  const int64_t depth_max = std::min<int64_t>(k, kMatmulBlock);
  const int64_t panel_bytes = packed(depth_max, cols), strip_bytes = packed(depth_max, mm.rows);
  const int64_t passes = divide_up(columns, std::max<int64_t>(1, kPanelBytes / (k_blocks * panel_bytes)) * cols);
  const int64_t strips = divide_up(rows, height), a_bytes = strips * k_blocks * strip_bytes;
  const bool few = a_bytes <= kFewBytes && columns > cols;
  const int64_t columns_max = few ? round_up(cols, kFewColumns >> in_log2) : round_up(divide_up(columns, passes), cols);
  const int64_t block_bytes = columns_max / cols * panel_bytes;
  const int64_t tile_bytes = round_up(height * cols * mm.size, 64);
  const bool keeps_a = few || (mm.speed <= 2 && passes > 1 && a_bytes <= kKeptBytes);
  const bool upright = is_upright(a);
  const int64_t most = std::clamp<int64_t>(kFewBytes / (k_blocks * strip_bytes), 1, kPackPanels);
  const int64_t group = upright ? strips_together(strips, most) : 1;
  const int64_t held = keeps_a ? strips : group > 1 ? group : 0;
  Temporary memory;
  char* panels = memory.make(call, k_blocks * block_bytes + held * k_blocks * strip_bytes);
  char* kept = panels + k_blocks * block_bytes;

  const bool gathers = columns_max < std::min(columns, kTailColumns);
  int64_t done = 0;

  for (int64_t j0 = 0; j0 < columns; j0 += columns_max) {
    const int64_t width = std::min(columns_max, columns - j0);
    for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
      pack_panels(b, k0, std::min<int64_t>(kMatmulBlock, k - k0), j0, width, panels + k0 / kMatmulBlock * block_bytes,
                  panel_bytes);
    }
    int64_t done_rows = 0;
    for (int64_t i = 0; i < rows; i += height) {
      char* tiles = scratch(static_cast<size_t>(strip_bytes + columns_max / cols * tile_bytes));
      const bool packs_strips = !keeps_a || j0 == 0;
      const int64_t in_group = i / height % group;
      char* strips_at = held > 0 ? kept + (i / height - in_group) % held * k_blocks * strip_bytes
                                 : tiles + columns_max / cols * tile_bytes;
      const int n_rows = static_cast<int>(std::min(height, rows - i));
      for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
        const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
        const char* block = panels + k0 / kMatmulBlock * block_bytes;
        const int64_t k_block = held > 0 ? k0 / kMatmulBlock : 0;  // else they take turns in one place
        const char* a_strip = strips_at + (in_group * k_blocks + k_block) * strip_bytes;
        if (packs_strips && in_group == 0) {
          pack_strips(a, k0, depth, i, std::min(i + group * height, rows), height, strips_at + k_block * strip_bytes,
                      k_blocks * strip_bytes);
        }
        for (int64_t p = 0; p < width; p += cols) {
          const int n_cols = static_cast<int>(std::min(cols, width - p));
          char* tile = tiles + p / cols * tile_bytes;
          Ahead ahead = {};
          if (few && j0 + width < columns) {
            ahead = ahead_of(b, k0, j0 + width, columns, columns_max, i / height * (columns_max / cols) + p / cols,
                             strips * (columns_max / cols));
          } else if (packs_strips && upright && i + (group - in_group) * height < rows) {
            const int64_t panels_wide = divide_up(width, cols);
            ahead = strips_ahead(a, k0, i + (group - in_group) * height, rows, group * height,
                                 in_group * panels_wide + p / cols, group * panels_wide);
          }
          const char* panel = block + p / cols * panel_bytes;
          const bool is_last = k0 + depth == k;
          char* out = c + ((i * c_row + j0 + p) << in_log2);
          if (is_last && mm.rounding_tile != nullptr) {
            mm.rounding_tile(n_rows, n_cols, depth, a_strip, panel, tile, cols, k0 > 0, out, c_row, &ahead);
            continue;
          }
          mm.tile(n_rows, n_cols, depth, a_strip, 1, n_rows, panel, cols, tile, cols, k0 == 0 ? kTileStore : kTileAdd,
                  &ahead);
          if (is_last) mm.round(n_rows, n_cols, tile, cols, out, c_row);
        }
      }
      if (!gathers) finish_strips(finished, rows, j0, width, i + n_rows, done_rows);
    }
    if (gathers) finish_passes(finished, rows, columns, j0 + width, done);
  }
}

// Rows [i, end) of A as strips of so much height. Columns that are dense in memory are read across all of them.
void Product::pack_strips(const Matrix& a, int64_t k0, int64_t depth, int64_t i, int64_t end, int64_t height,
                          char* strips, int64_t strip_bytes) const {
  const int64_t step = mm.header == 0 && i + height < end ? kPackRows : depth;
  for (int64_t t = 0; t < depth; t += step) {
    char* to = strips;
    for (int64_t row = i; row < end; row += height, to += strip_bytes) {
      const int64_t n_rows = std::min(height, end - row);
      mm.pack_a(std::min(step, depth - t), n_rows, n_rows, at(a, row, k0 + t), a.column, a.row,
                to + t * n_rows * mm.packed_size);
    }
  }
}

void Product::pack_panels(const Matrix& b, int64_t k0, int64_t depth, int64_t j0, int64_t width, char* panels,
                          int64_t panel_bytes) const {
  const int64_t cols = mm.cols;
  // Dense rows are read over several panels: the hardware's prefetcher wants more of a row than one panel has.
  const bool across = mm.header == 0 && b.column == 1;
  const int64_t n_panels = divide_up(width, cols);
  const int64_t group = across ? kPackPanels : 1;
  const int64_t rows = across ? kPackRows : depth;
  for (int64_t first = 0; first < n_panels; first += group) {
    const int64_t last = std::min(first + group, n_panels);
    for (int64_t t = 0; t < depth; t += rows) {
      for (int64_t p = first; p < last; ++p) {
        mm.pack(std::min(rows, depth - t), std::min(cols, width - p * cols), cols, at(b, k0 + t, j0 + p * cols), b.row,
                b.column, panels + p * panel_bytes + t * cols * mm.packed_size);
      }
    }
  }
}

// One strip, or two of an operand that is not packed: reading B decides. Rows stream through a few at a time, as wide
// as they are; columns are transposed in pieces that stay in the first-level cache.
void Product::flat_block(const Matrix& a, const Matrix& b, char* c, int64_t c_row, int rows, int64_t columns,
                         const Finished& finished) const {
  const int64_t cols = mm.cols, size = mm.size;
  const bool packs_a = !mm.in_place || (columns > kFewPanels * cols && b.column == 1);
  const bool packs_b = !mm.in_place || b.column != 1;
  const int64_t depth_max = std::min<int64_t>(k, kMatmulBlock);
  // Rows of B stream as wide as they are; of columns, as many as a panel has go down through all of k.
  const int64_t columns_max = std::min(round_up(columns, cols), b.column != 1 ? cols : kFlatColumns);
  const bool whole = mm.header != 0 || (b.column == 1 && columns <= kFewPanels * cols);
  const int64_t piece = whole ? kMatmulBlock : b.column != 1 ? kFlatPackedDepth : kFlatDepth;
  const bool adds = k > kMatmulBlock;

  const int64_t strip_bytes = packs_a ? packed(depth_max, mm.rows) : 0;
  const int64_t strips = divide_up(rows, mm.rows), height = divide_up(rows, strips), a_bytes = strips * strip_bytes;
  // A is packed once, not for each panel of columns, where all of it stays in the second-level cache.
  const int64_t all_bytes = divide_up(k, kMatmulBlock) * a_bytes;
  const bool keeps_a = packs_a && columns_max < columns && all_bytes <= kFewBytes;
  const int64_t b_bytes = packs_b ? packed(std::min(piece, depth_max), cols) : 0;
  const int64_t c_bytes = rows * columns_max * size;
  const auto bytes =
      static_cast<size_t>((keeps_a ? 0 : a_bytes) + b_bytes + (half() ? c_bytes : 0) + (adds ? c_bytes : 0));
  Temporary memory;
  char* kept = keeps_a ? memory.make(call, all_bytes) : nullptr;

  for (int64_t j0 = 0; j0 < columns; j0 += columns_max) {
    char* b_panel = scratch(bytes);
    char* c_next = b_panel + b_bytes;  // of the second k-block and those after it
    char* c_wide = c_next + (adds ? c_bytes : 0);
    const int64_t width = std::min(columns_max, columns - j0);
    char* total = half() ? c_wide : c + j0 * size;
    const int64_t total_row = half() ? columns_max : c_row;
    for (int64_t k0 = 0; k0 < k; k0 += kMatmulBlock) {
      const int64_t depth = std::min<int64_t>(kMatmulBlock, k - k0);
      char* into = k0 == 0 ? total : c_next;
      const int64_t into_row = k0 == 0 ? total_row : columns_max;
      char* a_strip = keeps_a ? kept + k0 / kMatmulBlock * a_bytes : c_wide + (half() ? c_bytes : 0);
      for (int64_t i = 0; packs_a && (!keeps_a || j0 == 0) && i < rows; i += height) {
        const int64_t n_rows = std::min(height, rows - i);
        mm.pack_a(depth, n_rows, n_rows, at(a, i, k0), a.column, a.row, a_strip + i / height * strip_bytes);
      }
      for (int64_t t = 0; t < depth; t += piece) {
        const int64_t part = std::min(piece, depth - t);
        for (int64_t i = 0; i < rows; i += height) {
          const int64_t n_rows = std::min(height, rows - i);
          const char* strip = packs_a ? a_strip + i / height * strip_bytes + t * n_rows * size : at(a, i, k0 + t);
          for (int64_t p = 0; p < width; p += cols) {
            const int64_t count = std::min(cols, width - p);
            const char* panel = at(b, k0 + t, j0 + p);
            if (packs_b) {
              mm.pack(part, count, cols, panel, b.row, b.column, b_panel);
              panel = b_panel;
            }
            mm.tile(static_cast<int>(n_rows), static_cast<int>(count), part, strip, packs_a ? 1 : a.row,
                    packs_a ? n_rows : a.column, panel, packs_b ? cols : b.row, into + (i * into_row + p) * size,
                    into_row, t == 0 ? kTileStore : kTileContinue, nullptr);
          }
        }
      }
      for (int i = 0; k0 > 0 && i < rows; ++i) {
        char* row = total + i * total_row * size;
        const void* terms[] = {row, c_next + i * columns_max * size};
        add_row(width, row, terms);
      }
    }
    if (half()) mm.round(rows, static_cast<int>(width), c_wide, columns_max, c + (j0 << in_log2), c_row);
    finished(0, rows, j0, width);
  }
}

// One row and dense columns.
void Product::row_block(const Matrix& a, const Matrix& b, char* c, int64_t columns) const {
  if (columns == 1 && block_sums() != nullptr) return dot_block(a, b, c);
  const bool packs = !mm.in_place || a.column != 1;
  const int64_t row_bytes = packs ? round_up(k * mm.size, kLine) : 0;
  char* packed_row = scratch(static_cast<size_t>(row_bytes + mm.row_cols * mm.size));
  char* wide = packed_row + row_bytes;
  if (packs) widen(a, 0, k, packed_row);
  const char* row = packs ? packed_row : a.data;
  for (int64_t j = 0; j < columns; j += mm.row_cols) {
    const int count = static_cast<int>(std::min<int64_t>(mm.row_cols, columns - j));
    char* into = c + (j << in_log2);
    mm.row(count, k, row, at(b, 0, j), b.column, half() ? wide : into);
    if (half()) mm.round(1, count, wide, mm.row_cols, into, mm.row_cols);
  }
}

// One row, and dense rows that stream through as wide as their sums stay in the first-level cache.
void Product::streamed_block(const Matrix& a, const Matrix& b, char* c, int64_t columns,
                             const Finished& finished) const {
  const bool packs = !mm.in_place || a.column != 1;
  constexpr int64_t kUnit = 64;  // columns, at least a line of memory and of sums
  const int64_t stretches = divide_up(columns, kStreamedWidth / mm.size);
  const auto start = [&](int64_t s) { return s < stretches ? columns * s / stretches / kUnit * kUnit : columns; };
  const int64_t row_bytes = packs ? round_up(k * mm.size, kLine) : 0;
  const int64_t sums_bytes = kStreamedSums * (divide_up(columns, stretches) + 2 * kUnit) * mm.size;
  for (int64_t s = 0; s < stretches; ++s) {
    char* packed_row = scratch(static_cast<size_t>(row_bytes + sums_bytes));
    if (packs) widen(a, 0, k, packed_row);
    const int64_t j = start(s), width = start(s + 1) - j;
    streamed_row()(width, k, packs ? packed_row : a.data, at(b, 0, j), b.row, packed_row + row_bytes,
                   c + (j << in_log2));
    finished(0, 1, j, width);
  }
}

// One row and one dense column: threads share the k-blocks.
void Product::dot_block(const Matrix& a, const Matrix& b, char* c) const {
  const bool packs = !mm.in_place || a.column != 1;
  const int64_t n_blocks = divide_up(k, kMatmulBlock);
  std::vector<char> sums(static_cast<size_t>(n_blocks * mm.size));
  parallel_for(call.threads(), n_blocks, kDotBlocks, [&](int64_t begin, int64_t end) {
    const int64_t together = packs ? kDotPacked : end - begin;
    char* packed_row = packs ? scratch(static_cast<size_t>(together * kMatmulBlock * mm.size)) : nullptr;
    for (int64_t first = begin; first < end; first += together) {
      const int64_t k0 = first * kMatmulBlock, k1 = std::min(k, std::min(first + together, end) * kMatmulBlock);
      if (packs) widen(a, k0, k1 - k0, packed_row);
      block_sums()(k1 - k0, packs ? packed_row : at(a, 0, k0), at(b, k0, 0), sums.data() + first * mm.size);
    }
  });
  if (mm.size == sizeof(float)) {
    add_in_order<float>(n_blocks, sums.data());
  } else {
    add_in_order<double>(n_blocks, sums.data());
  }
  if (half()) return mm.round(1, 1, sums.data(), 1, c, 1);
  std::memcpy(c, sums.data(), static_cast<size_t>(mm.size));
}

// Elements of a row, dense and in the compute type.
void Product::widen(const Matrix& a, int64_t k0, int64_t depth, char* to) const {
  call.kernels().matmul->widening_pack[dtype - IST_FLOAT16](1, depth, depth, at(a, 0, k0), 0, a.column, to);
}

void Product::add_row(int64_t n_elements, void* out, const void* const* terms) const {
  call.kernels().binary->fn[static_cast<int>(Op::add)][compute_dtype(dtype)](n_elements, out, terms);
}

}  // namespace ist::cpu
