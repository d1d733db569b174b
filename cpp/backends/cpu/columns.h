// Neighbouring outputs of a reduction that are walked together: lanes run across outputs, not along sequences.
#pragma once

#include "backends/cpu/sequence.h"

namespace ist::cpu {

class Columns {
 public:
  // Positions of the sequences that are loaded at a time: whole rounds of the lanes.
  static constexpr int64_t kPositions = 4 * kLanes;

  struct Piece {
    int64_t from, to, width;  // the first output's first element, its place, columns
  };
  struct Slab {
    const char* data;
    int64_t stride;  // elements from one position's row to the next one's
  };

  // How many outputs there are along kept dimension `across`, and along the one that is walked together with it.
  static int64_t extent(const Sequences& sequences, int across) {
    const int joined = joined_dimension(sequences, across);
    return sequences.kept.shape[across] * (joined < 0 ? 1 : sequences.kept.shape[joined]);
  }

  // Those outputs, in pieces of up to `width`: of whole rows, where several are walked together.
  Columns(const Sequences& sequences, int across, int64_t width) : sequences_(sequences) {
    const Nest<2>& kept = sequences.kept;
    const int joined = kept.shape[across] <= width ? joined_dimension(sequences, across) : -1;
    for (int i = 0; i < kept.rank; ++i) {
      if (i != across && i != joined) outer_.add(kept.shape[i], kept.strides[0][i], kept.strides[1][i]);
    }
    outer_.finish();
    extent_ = kept.shape[across] * (joined < 0 ? 1 : kept.shape[joined]);
    in_stride_ = kept.strides[0][across];
    out_stride_ = kept.strides[1][across];
    row_ = kept.shape[across];
    row_stride_ = joined < 0 ? row_ : kept.strides[0][joined];
    width_ = std::min(extent_, width);
    if (joined >= 0) width_ = width_ / row_ * row_;
    pieces_ = (extent_ + width_ - 1) / width_;
  }

  int64_t count() const { return outer_.count() * pieces_; }
  int64_t width() const { return width_; }  // of all pieces but the last ones
  int64_t out_stride() const { return out_stride_; }

  Piece piece(int64_t i) const {
    const int64_t column = i % pieces_ * width_, at = i / pieces_;
    const int64_t from = column / row_ * row_stride_ + column % row_ * in_stride_;
    return {offset_at(at, outer_.rank, outer_.shape, outer_.strides[0]) + from,
            offset_at(at, outer_.rank, outer_.shape, outer_.strides[1]) + column / sequences_.neighbours * out_stride_,
            std::min(width_, extent_ - column)};
  }

  // Can rows be read where they are?
  bool in_place() const {
    return in_stride_ == 1 && sequences_.reduced.rank == 1 && sequences_.in.dtype == sequences_.acc;
  }
  // Are they next to each other there, if they are so wide?
  bool is_gapless(int64_t width) const { return in_place() && sequences_.reduced.strides[0][0] == width; }
  size_t load_bytes() const { return static_cast<size_t>(3 * slab_size()) * 8; }

  // Positions [begin, begin + n) of a piece's sequences in the accumulator type, n <= kPositions.
  Slab load(const Piece& piece, int64_t begin, int64_t n, char* memory) const {
    const Nest<1>& reduced = sequences_.reduced;
    const View& in = sequences_.in;
    if (in_place()) return {element(piece.from + begin * reduced.strides[0][0]), reduced.strides[0][0]};
    if (in_stride_ != 1) {
      load_sequences(piece, begin, n, memory);
    } else {
      const int64_t row_bytes = piece.width << size_log2(sequences_.acc);
      char *middle = memory + slab_size() * 8, *collected = middle + slab_size() * 8;
      for (int64_t j = 0; j < n; ++j) {
        const int64_t row = offset_at(begin + j, reduced.rank, reduced.shape, reduced.strides[0]);
        const char* x = element(piece.from + row);
        if (piece.width > row_) {
          const int64_t shape[] = {piece.width / row_, row_}, strides[] = {row_stride_, 1};
          sequences_.kernels.copy->gather[in.log2()](0, piece.width, 2, shape, strides, x, collected);
          x = collected;
        }
        convert(sequences_.kernels, in.dtype, sequences_.acc, piece.width, x, memory + j * row_bytes, middle);
      }
    }
    return {memory, piece.width};
  }

 private:
  // Rows that have to be copied anyway, and are short, are copied several at a time: then the kept dimension that those
  // are along, otherwise -1.
  static int joined_dimension(const Sequences& sequences, int across) {
    constexpr int64_t kShort = 256;  // elements
    const Nest<2>& kept = sequences.kept;
    const bool are_copied = sequences.reduced.rank > 1 || sequences.in.dtype != sequences.acc;
    if (!are_copied || across == 0 || sequences.neighbours > 1 || sequences.length > kPositions) return -1;
    const bool are_short = kept.strides[0][across] == 1 && kept.shape[across] < kShort;
    return are_short && kept.strides[1][across - 1] == kept.shape[across] * kept.strides[1][across] ? across - 1 : -1;
  }

  int64_t slab_size() const { return width_ * std::min(sequences_.length, kPositions); }
  const char* element(int64_t offset) const {
    return sequences_.in.data + offset * (int64_t{1} << sequences_.in.log2());
  }

  // Dense sequences, transposed.
  void load_sequences(const Piece& piece, int64_t begin, int64_t n, char* memory) const {
    const View& in = sequences_.in;
    const int log2 = size_log2(sequences_.acc);
    const char* x = element(piece.from + begin);
    int64_t stride = in_stride_;
    if (in.dtype != sequences_.acc) {
      char *converted = memory + slab_size() * 8, *middle = converted + slab_size() * 8;
      const bool together = stride == n;
      const int64_t rows = together ? 1 : piece.width, row = together ? n * piece.width : n;
      for (int64_t r = 0; r < rows; ++r) {
        convert(sequences_.kernels, in.dtype, sequences_.acc, row, x + r * stride * (int64_t{1} << in.log2()),
                converted + ((r * row) << log2), middle);
      }
      x = converted;
      stride = n;
    }
    sequences_.kernels.copy->transpose[log2](n, piece.width, memory, piece.width, x, stride);
  }

  const Sequences& sequences_;
  Nest<2> outer_;
  int64_t extent_, in_stride_, out_stride_, width_, pieces_;
  int64_t row_, row_stride_;  // of neighbours in memory, and between rows that are walked together
};

}  // namespace ist::cpu
