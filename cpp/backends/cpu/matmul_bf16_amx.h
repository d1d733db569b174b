// Kernels of bfloat16 products for CPUs with AMX.
#pragma once

#include "backends/cpu/matmul_bf16_pairs.h"

namespace ist::cpu {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

void enter_tiles() {
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
}
void leave_tiles() { _tile_release(); }

// Strips as tiles want them: groups of 32 rows, each the pairs of a row side by side. Rows past `count` hold anything.
void pack_strip(int64_t depth, int64_t count, int64_t, const void* src, int64_t k_stride, int64_t i_stride, void* dst) {
  Packed& packed = *static_cast<Packed*>(dst);
  SmallestExponent smallest;
  const bfloat16* data = static_cast<const bfloat16*>(src);
  if (k_stride == 1) {
    for (int64_t i = 0; i < count; ++i, data += i_stride) {
      uint32_t* out = packed.pairs + i * kPairs;
      const auto put = [&](__m512i words) __attribute__((always_inline)) {
        smallest.see(words);
        _mm512_store_si512(out, words);
        out += kPanel * kPairs;
      };
      int64_t k = 0;
      for (; k + kMatmulGroup <= depth; k += kMatmulGroup) put(_mm512_loadu_si512(data + k));
      if (k < depth) put(_mm512_maskz_loadu_epi16((1u << (depth - k)) - 1, data + k));
    }
  } else {
    uint32_t* out = packed.pairs;
    for (int64_t k = 0; k < depth; k += kMatmulGroup, out += kPanel * kPairs) {
      for (int64_t i = 0; i < count; i += kSide) {
        VecF32 square[kSide];
        load_square<true>({data + k * k_stride + i * i_stride, k_stride, i_stride}, depth - k, count - i, smallest,
                          square);
#pragma GCC unroll 16
        for (int r = 0; r < kSide; ++r) square[r].store(reinterpret_cast<float*>(out + (i + r) * kPairs));
      }
    }
  }
  packed.smallest_exponent = smallest.get();
}

void pack_pieces(int64_t depth, int64_t first, int64_t count, int n_pieces, const RowPiece* pieces, const void* src,
                 int64_t i_stride, void* dst) {
  Packed& packed = *static_cast<Packed*>(dst);
  SmallestExponent smallest;
  for (const RowPiece* piece = pieces; piece < pieces + n_pieces; ++piece) {
    const bfloat16* data = static_cast<const bfloat16*>(src) + piece->offset;
    const int64_t place = piece->at % kMatmulGroup;
    uint16_t* out = reinterpret_cast<uint16_t*>(packed.pairs) + piece->at / kMatmulGroup * kPanel * kMatmulGroup +
                    first * kMatmulGroup + place;
    const auto read = static_cast<__mmask32>((uint64_t{1} << piece->length) - 1);
    const bool is_last = piece->at + piece->length == depth;  // zeros to the end of its group
    const __mmask32 written = is_last ? static_cast<__mmask32>(0xffffffffu >> place) : read;
    for (int64_t i = 0; i < count; ++i, data += i_stride, out += kMatmulGroup) {
      const __m512i words = _mm512_maskz_loadu_epi16(read, data);
      smallest.see(words);
      _mm512_mask_storeu_epi16(out, written, words);
    }
  }
  const int32_t least = smallest.get();
  if (first == 0 || least < packed.smallest_exponent) packed.smallest_exponent = least;
}

// Tiles 0 to 3: the squares of C; 4 and 5 of A; 6 and 7 of B. A strip of A stays in the first-level cache if panels of
// B go past it: hence the streaming loads. `meanwhile` is called for each group.
template <bool kTwoRows, bool kTwoColumns, class Meanwhile>
inline void amx_products(int64_t n_groups, const uint32_t* a, const uint32_t* b, float* sums, int64_t sums_row,
                         const Meanwhile& meanwhile) {
  constexpr int kTileRow = kPairs * sizeof(uint32_t);
  _tile_zero(0);
  if constexpr (kTwoColumns) _tile_zero(1);
  if constexpr (kTwoRows) _tile_zero(2);
  if constexpr (kTwoRows && kTwoColumns) _tile_zero(3);
  for (int64_t group = 0; group < n_groups; ++group, a += kPanel * kPairs, b += kPanel * kPairs) {
    _tile_loadd(4, a, kTileRow);
    _tile_stream_loadd(6, b, kTileRow);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoColumns) {
      _tile_stream_loadd(7, b + kSide * kPairs, kTileRow);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTwoRows) {
      _tile_loadd(5, a + kSide * kPairs, kTileRow);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kTwoColumns) _tile_dpbf16ps(3, 5, 7);
    }
    meanwhile();
  }
  const int64_t stride = sums_row * static_cast<int64_t>(sizeof(float));
  _tile_stored(0, sums, stride);
  if constexpr (kTwoColumns) _tile_stored(1, sums + kSide, stride);
  if constexpr (kTwoRows) _tile_stored(2, sums + kSide * sums_row, stride);
  if constexpr (kTwoRows && kTwoColumns) _tile_stored(3, sums + kSide * sums_row + kSide, stride);
}

// A strip of 32 rows and two panels; the sums of the first are added while the second is multiplied.
void whole_tile(int64_t n_groups, const uint32_t* a, const uint32_t* b, float* c, int64_t c_row, TileMode mode) {
  const uint32_t* b_right = b + n_groups * kPanel * kPairs;
  const auto nothing = [] {};
  if (mode == kTileStore) {
    amx_products<true, true>(n_groups, a, b, c, c_row, nothing);
    amx_products<true, true>(n_groups, a, b_right, c + kPanel, c_row, nothing);
    return;
  }
  alignas(64) float sums[2][kPanel * kPanel];
  const auto add_rows = [&](int first, int last, int panel) __attribute__((always_inline)) {
    for (int i = first; i < last; ++i) {
      float* at = c + i * c_row + panel * kPanel;
      const float* from = sums[panel] + i * kPanel;
      VecF32::add(VecF32::load(at), VecF32::load(from)).store(at);
      VecF32::add(VecF32::load(at + kSide), VecF32::load(from + kSide)).store(at + kSide);
    }
  };
  amx_products<true, true>(n_groups, a, b, sums[0], kPanel, nothing);
  const int rows_each = static_cast<int>((kPanel + n_groups - 1) / n_groups);
  int added = 0;
  amx_products<true, true>(n_groups, a, b_right, sums[1], kPanel, [&]() __attribute__((always_inline)) {
    const int last = added + rows_each < kPanel ? added + rows_each : kPanel;
    add_rows(added, last, 0);
    added = last;
  });
  add_rows(0, kPanel, 1);
}

template <bool kTwoRows, bool kTwoColumns>
void part_products(int64_t n_groups, const uint32_t* a, const uint32_t* b, float* sums, int64_t sums_row) {
  amx_products<kTwoRows, kTwoColumns>(n_groups, a, b, sums, sums_row, [] {});
}

void packed_tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t, int64_t a_step, const void* b, int64_t,
                 void* c, int64_t c_row, TileMode mode, const Ahead*) {
  const Packed &strip = *static_cast<const Packed*>(a), &panels = *static_cast<const Packed*>(b);
  float* out = static_cast<float*>(c);
  if (!stays_normal(strip, panels)) return exact_tile(n_rows, n_cols, depth, strip, a_step, panels, out, c_row, mode);
  const int64_t n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  if (n_rows == kPanel && n_cols == kPanels * kPanel) {
    return whole_tile(n_groups, strip.pairs, panels.pairs, out, c_row, mode);
  }
  alignas(64) float sums[kPanel * kPanel];
  static constexpr decltype(&part_products<true, true>) products[2][2] = {
      {&part_products<false, false>, &part_products<false, true>},
      {&part_products<true, false>, &part_products<true, true>}};
  const bool whole_squares = n_rows % kSide == 0 && n_cols % kSide == 0 && mode == kTileStore;
  for (int j = 0; j < n_cols; j += kSide) {
    const int left = n_cols - j;
    if (j % kPanel == 0) {
      const uint32_t* panel = panels.pairs + panel_square(0, n_groups, 0, j);
      products[n_rows > kSide][left > kSide](n_groups, strip.pairs, panel, whole_squares ? out + j : sums,
                                             whole_squares ? c_row : kPanel);
    }
    if (whole_squares) continue;
    const auto lanes = VecF32::mask(left < kSide ? left : kSide);
    for (int i = 0; i < n_rows; ++i) {
      float* at = out + i * c_row + j;
      const VecF32 sum = VecF32::load(sums + i * kPanel + j % kPanel);
      (mode == kTileAdd ? VecF32::add(VecF32::load(at, lanes), sum) : sum).store(at, lanes);
    }
  }
}

constexpr MatmulKernels bfloat16_kernels = {
    kPanel,
    kPanels * kPanel,
    4,
    false,
    &pack_pairs,
    &packed_tile,
    &round_rows<IST_BFLOAT16>,
    kSide,
    &group_row_product<VecF32>,
    &pack_strip,
    2,
    kMatmulGroup,
    kHeader,
    48,
    &enter_tiles,
    &leave_tiles,
    &pack_pieces,
};

}  // namespace
}  // namespace ist::cpu
