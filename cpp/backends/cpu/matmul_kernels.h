// Kernels of matrix products, for every driver that multiplies: matmul, convolution, attention.
//
// A product is computed in k-blocks of kMatmulBlock. For each block, `pack` brings a strip of A (up to `rows` rows) and
// panels of B (`cols` columns) into the compute type with k outermost, and `tile` multiplies a strip by a panel:
//
//   const MatmulKernels& mm = kernels.matmul->of[dtype - IST_FLOAT16];
//   for (k0 = 0; k0 < k; k0 += kMatmulBlock)
//     mm.pack(depth, columns, mm.cols, b_at(k0, j), b.k_stride, b.j_stride, panel);     // for each panel
//     mm.pack(depth, n_rows, n_rows, a_at(i, k0), a.k_stride, a.i_stride, strip);       // for each strip
//     mm.tile(n_rows, columns, depth, strip, 1, n_rows, panel, mm.cols, c, c_row, k0 == 0 ? kTileStore : kTileAdd,
//             nullptr);
//
// (bfloat16 has more to say: see the last fields of MatmulKernels.)
// C is in the compute type: float16 and bfloat16 accumulate in float32 and are rounded once, after the last block.
// Every element of C is the contract's chain whatever the tiles: cutting C in other places changes no bit.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

inline constexpr int kMatmulBlock = 384;  // the contract's k-block
inline constexpr int kMatmulGroup = 32;   // of k, that the contract sums bfloat16 products by
inline constexpr int kGroupRows = 32;     // of the largest tile of GroupKernels
inline constexpr int kStreamedSums = 4;   // of each column while rows of B stream through

// What `tile` does with C: overwrites it, adds its own sums as those of the next k-block, or goes on with the chains
// that it holds. A block may be cut into tiles at multiples of kMatmulGroup.
enum TileMode : int { kTileStore, kTileAdd, kTileContinue };

// A part of a row of A: element `at` of a k-block, and those after it, are `offset` elements behind the row's place.
struct RowPiece {
  int64_t offset, at, length;
};

// Memory that is wanted soon: rows of as many cache lines, `stride` bytes apart.
struct Ahead {
  const char* data;
  int64_t stride;
  int rows, lines;
};

// Some elements of k for each row of a strip: kMatmulGroup of row i at data + i * step bytes. There are kGroupRows
// rows, the last of which may hold anything, or with GroupKernels::put_in_order those of the strip; of elements past
// the depth, all rows hold +0.
struct RowGroup {
  const void* data;
  int64_t step;
};

struct GroupKernels {
  // The smallest exponent of some elements, which tells `tile` what it may multiply as it is.
  int32_t (*smallest_exponent)(int64_t n, const void* x);
  // A group of `count` rows i_stride elements apart, from pieces in ascending order, with +0 beyond them, in the order
  // that `tile` reads.
  void (*gather)(int64_t count, int n_pieces, const RowPiece* pieces, const void* src, int64_t i_stride, void* dst);
  // Puts groups of k into that order where they are. Null where k ascends in it.
  void (*put_in_order)(int64_t n_groups, void* x);
  // `pack` and `pack_a` where each k has a row of its own: element i is rows[k][shift + i]. What lies behind them in
  // each row is prefetched. Squares beyond `count` hold anything.
  void (*pack_rows)(int64_t depth, int64_t count, const void* const* rows, int64_t shift, void* dst);
  void (*pack_a_rows)(int64_t depth, int64_t count, const void* const* rows, int64_t shift, void* dst);
  // A strip by a packed panel: the sums of a k-block that, with `adds`, are added to C. Into C where `out` is null,
  // else rounded into columns [first, first + n_cols) of the rows that are not null. `ahead` may be null.
  void (*tile)(int n_rows, int n_cols, int64_t depth, const RowGroup* a, int32_t smallest_exponent, const void* b,
               float* c, int64_t c_row, bool adds, void* const* out, int64_t first, const Ahead* ahead);
};

struct MatmulKernels {
  int rows, cols;  // of the largest tile
  int size;        // bytes of an element of the compute type
  bool in_place;   // the compute type is the type in memory, and `tile` may read operands that are not packed
  // dst[t * width + j] = src[t * k_stride + j * j_stride] for t < depth, j < count; zero for count <= j < width.
  // complex64: at dst + t * width, `width` real parts, then as many imaginary ones.
  void (*pack)(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t j_stride,
               void* dst);
  // a: element (i, k) at a[i * a_row + k * a_step]; b: row k at b + k * b_row, dense, read in its first n_cols elements
  // or to its padded width; c: row i at c + i * c_row, written in its first n_cols elements. n_rows <= rows and
  // n_cols <= cols. complex64 reads packed operands alone: a_step and b_row are their widths. Large tiles of float ask
  // for what is `ahead` meanwhile, which may be null.
  void (*tile)(int n_rows, int n_cols, int64_t depth, const void* a, int64_t a_row, int64_t a_step, const void* b,
               int64_t b_row, void* c, int64_t c_row, TileMode mode, const Ahead* ahead);
  // float16 and bfloat16: rows of C rounded to the type in memory; otherwise null.
  void (*round)(int n_rows, int n_cols, const void* c, int64_t c_row, void* out, int64_t out_row);
  // A row times up to row_cols columns of B as they lie in memory, each of them dense, over all of k. The row and C are
  // in the compute type. 0 and null where there is no such kernel.
  int row_cols;
  void (*row)(int n_cols, int64_t k, const void* a, const void* b, int64_t j_stride, void* c);
  // ---- what differs for bfloat16 on CPUs that multiply it by themselves ----
  // Packs strips of A, where panels of B need another layout; else the same as `pack`.
  void (*pack_a)(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t i_stride,
                 void* dst);
  int packed_size;  // bytes of a packed element
  int depth_unit;   // packed depths are multiples of it
  int header;       // bytes before a packed strip or panel; if not 0, a k-block may not be cut into tiles
  int speed;        // multiply-adds in the time of one of float32
  void (*enter)();  // around a thread's calls of `tile`; may be null
  void (*leave)();
  // Products whose strips of A are not packed, but read a group of k at a time; may be null.
  const GroupKernels* groups;
  // ---- and for float32 and float64 ----
  // `tile` of a packed strip of more than half of `rows`, and of a panel whose rows are dense in memory, which is
  // packed meanwhile. Of what is ahead it asks for one row. May be null.
  void (*packing_tile)(int n_rows, int n_cols, int64_t depth, const void* a, const void* b, int64_t b_row, void* panel,
                       void* c, int64_t c_row, TileMode mode, const Ahead* ahead) = nullptr;
  // The same for `cols` columns of rows that are anywhere.
  void (*packing_rows_tile)(int n_rows, int64_t depth, const void* a, const void* const* rows, void* panel, void* c,
                            int64_t c_row, TileMode mode) = nullptr;
  // ---- and for half types ----
  // `tile` of packed operands for the last k-block, whose sums, with those of C where `adds` says so, are rounded into
  // `out`; C may hold anything behind it. May be null.
  void (*rounding_tile)(int n_rows, int n_cols, int64_t depth, const void* a, const void* b, void* c, int64_t c_row,
                        bool adds, void* out, int64_t out_row, const Ahead* ahead) = nullptr;
};

// While it lives, its thread may call `tile`.
struct TileState {
  explicit TileState(const MatmulKernels& mm) : mm(mm) {
    if (mm.enter != nullptr) mm.enter();
  }
  TileState(const TileState&) = delete;
  ~TileState() {
    if (mm.leave != nullptr) mm.leave();
  }
  const MatmulKernels& mm;
};

struct MatmulTable {
  MatmulKernels of[5];  // by dtype, from IST_FLOAT16 to IST_COMPLEX64
  // The same as `pack` of these, but bfloat16 always becomes float32, for those who multiply it as such.
  decltype(MatmulKernels::pack) widening_pack[5];
  // The sums of the k-blocks of a row times a column, both dense, the row and the sums in the compute type. Null where
  // there is no such kernel.
  void (*block_sums[5])(int64_t k, const void* a, const void* b, void* sums);
  // A row times dense rows of B, of `cols` elements and a cache line or more, over all of k, rounded to the type in
  // memory. The row and `sums` are in the compute type; these are kStreamedSums times as many as columns, rounded up to
  // what a row has at least. Null where there is no such kernel.
  void (*streamed_row[5])(int64_t n_cols, int64_t k, const void* a, const void* b, int64_t b_row, void* sums, void* c);
};

}  // namespace ist::cpu
