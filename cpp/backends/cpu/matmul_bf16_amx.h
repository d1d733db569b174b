// Kernels of bfloat16 products for CPUs with AMX.
#pragma once

#include "backends/cpu/matmul_bf16_pairs.h"

namespace ist::cpu {
namespace {

constexpr int kPanels = 2;  // packed together: 128 bytes of a row of B, which memory delivers at once

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

constexpr int kTileRow = kPairs * sizeof(uint32_t);

// Tiles 0 to 3: the squares of C; 4 and 5 of A; 6 and 7 of B. A strip of A stays in the first-level cache if panels of
// B go past it: hence the streaming loads. `meanwhile` is called for each group.
template <bool kTwoRows, bool kTwoColumns, class Strip, class Meanwhile>
inline void amx_products(int64_t n_groups, const Strip& strip, const uint32_t* b, float* sums, int64_t sums_row,
                         const Meanwhile& meanwhile) {
  _tile_zero(0);
  if constexpr (kTwoColumns) _tile_zero(1);
  if constexpr (kTwoRows) _tile_zero(2);
  if constexpr (kTwoRows && kTwoColumns) _tile_zero(3);
  for (int64_t group = 0; group < n_groups; ++group, b += kPanel * kPairs) {
    const RowGroup a = strip(group);
    _tile_loadd(4, a.data, a.step);
    _tile_stream_loadd(6, b, kTileRow);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kTwoColumns) {
      _tile_stream_loadd(7, b + kSide * kPairs, kTileRow);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kTwoRows) {
      _tile_loadd(5, static_cast<const char*>(a.data) + kSide * a.step, a.step);
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

inline auto packed_groups(const uint32_t* pairs) {
  return [=](int64_t group)
             __attribute__((always_inline)) { return RowGroup{pairs + group * kPanel * kPairs, kTileRow}; };
}

// A strip of 32 rows and two panels; the sums of the first are added while the second is multiplied.
void whole_tile(int64_t n_groups, const uint32_t* pairs, const uint32_t* b, float* c, int64_t c_row, TileMode mode,
                const Ahead* ahead) {
  const uint32_t* b_right = b + n_groups * kPanel * kPairs;
  Asking asking(ahead, 2 * n_groups);
  const auto ask = [&]() __attribute__((always_inline)) { asking(); };
  const auto a = packed_groups(pairs);
  if (mode == kTileStore) {
    amx_products<true, true>(n_groups, a, b, c, c_row, ask);
    amx_products<true, true>(n_groups, a, b_right, c + kPanel, c_row, ask);
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
  amx_products<true, true>(n_groups, a, b, sums[0], kPanel, ask);
  const int rows_each = static_cast<int>((kPanel + n_groups - 1) / n_groups);
  int added = 0;
  amx_products<true, true>(n_groups, a, b_right, sums[1], kPanel, [&]() __attribute__((always_inline)) {
    ask();
    const int last = added + rows_each < kPanel ? added + rows_each : kPanel;
    add_rows(added, last, 0);
    added = last;
  });
  add_rows(0, kPanel, 1);
}

template <bool kTwoRows, bool kTwoColumns>
void part_products(int64_t n_groups, const uint32_t* a, const uint32_t* b, float* sums, int64_t sums_row,
                   Asking& asking) {
  amx_products<kTwoRows, kTwoColumns>(n_groups, packed_groups(a), b, sums, sums_row,
                                      [&]() __attribute__((always_inline)) { asking(); });
}

void packed_tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t, int64_t a_step, const void* b, int64_t,
                 void* c, int64_t c_row, TileMode mode, const Ahead* ahead) {
  const Packed &strip = *static_cast<const Packed*>(a), &panels = *static_cast<const Packed*>(b);
  float* out = static_cast<float*>(c);
  if (!stays_normal(strip, panels)) return exact_tile(n_rows, n_cols, depth, strip, a_step, panels, out, c_row, mode);
  const int64_t n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  if (n_rows == kPanel && n_cols == kPanels * kPanel) {
    return whole_tile(n_groups, strip.pairs, panels.pairs, out, c_row, mode, ahead);
  }
  Asking asking(ahead, 2 * n_groups);
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
                                             whole_squares ? c_row : kPanel, asking);
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

// ---- strips in groups ----

static_assert(kPanel == kGroupRows);

// Operands from rows anywhere: strips, whose pairs are turned to be those of a row, or panels.
template <bool kStrip>
void pack_rows(int64_t depth, int64_t count, const void* const* rows, int64_t shift, void* dst) {
  Packed& packed = *static_cast<Packed*>(dst);
  SmallestExponent smallest;
  const int64_t n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  const auto* from = reinterpret_cast<const bfloat16* const*>(rows);
  for (int64_t group = 0; group < n_groups; ++group, from += kMatmulGroup) {
    const int words = up_to(kMatmulGroup, depth - group * kMatmulGroup);
    for (int k = 0; k < words; ++k) __builtin_prefetch(from[k] + shift + count, 0, 2);
    for (int64_t j = 0; j < count; j += kSide) {
      VecF32 square[kSide];
      load_pairs(up_to(kSide, count - j), words, smallest, square,
                 [&](int k) __attribute__((always_inline)) { return from[k] + shift + j; });
      if (kStrip) VecF32::transpose(square);
      float* to = reinterpret_cast<float*>(packed.pairs + panel_square(group, n_groups, 0, j));
#pragma GCC unroll 16
      for (int i = 0; i < kSide; ++i) square[i].store(to + i * kPairs);
    }
  }
  packed.smallest_exponent = smallest.get();
}

// The sums of a strip, and where they go.
struct StripSums {
  static constexpr int kWidth = kPanels * kPanel;
  int n_rows, n_cols;
  float* c;
  int64_t c_row;
  bool adds;
  void* const* out;
  int64_t first;
  alignas(64) float sums[kPanel * kWidth];

  // Rows [begin, end) of the panel from column j on.
  inline void take(int begin, int end, int j) const {
    const int n = n_cols - j < kPanel ? n_cols - j : kPanel;
    const auto lanes = static_cast<__mmask32>((uint64_t{1} << n) - 1);
    for (int i = begin; i < end; ++i) {
      if (out != nullptr && out[i] == nullptr) continue;
      const float* from = sums + i * kWidth + j;
      bfloat16* to = out != nullptr ? static_cast<bfloat16*>(out[i]) + first + j : nullptr;
      store_sums(VecF32::load(from), VecF32::load(from + kSide), lanes, adds, c + i * c_row + j, to);
    }
  }
};

// The sums of the first panel are taken while the second is multiplied.
template <bool kTwoRows>
void strip_products(int64_t n_groups, const RowGroup* a, const uint32_t* panel, StripSums& strip, const Ahead* ahead) {
  Asking asking(ahead, n_groups * ((strip.n_cols + kPanel - 1) / kPanel));
  const auto groups = [=](int64_t group) __attribute__((always_inline)) { return a[group]; };
  const int rows_each = static_cast<int>((strip.n_rows + n_groups - 1) / n_groups);
  int taken = strip.n_rows;
  for (int j = 0; j < strip.n_cols; j += kPanel, panel += n_groups * kPanel * kPairs) {
    const auto take = [&]() __attribute__((always_inline)) {
      asking();
      const int last = taken + rows_each < strip.n_rows ? taken + rows_each : strip.n_rows;
      strip.take(taken, last, 0);
      taken = last;
    };
    if (strip.n_cols - j > kSide) {
      amx_products<kTwoRows, true>(n_groups, groups, panel, strip.sums + j, StripSums::kWidth, take);
    } else {
      amx_products<kTwoRows, false>(n_groups, groups, panel, strip.sums + j, StripSums::kWidth, take);
    }
    if (j == 0 && strip.n_cols > kPanel) {
      taken = 0;
    } else {
      strip.take(0, strip.n_rows, j);
    }
  }
}

void exact_strip(int64_t depth, const RowGroup* a, const Packed& panels, StripSums& strip) {
  alignas(64) char memory[kHeader + kMatmulBlock * kPanel * sizeof(bfloat16)];
  Packed& packed = *reinterpret_cast<Packed*>(memory);
  copy_groups(strip.n_rows, depth, a, packed.pairs);
  exact_tile(strip.n_rows, strip.n_cols, depth, packed, 0, panels, strip.sums, StripSums::kWidth, kTileStore);
  for (int j = 0; j < strip.n_cols; j += kPanel) strip.take(0, strip.n_rows, j);
}

void strip_tile(int n_rows, int n_cols, int64_t depth, const RowGroup* a, int32_t smallest, const void* b, float* c,
                int64_t c_row, bool adds, void* const* out, int64_t first, const Ahead* ahead) {
  const Packed& panels = *static_cast<const Packed*>(b);
  StripSums strip;
  strip.n_rows = n_rows, strip.n_cols = n_cols;
  strip.c = c, strip.c_row = c_row, strip.adds = adds;
  strip.out = out, strip.first = first;
  if (!stays_normal(smallest, panels)) return exact_strip(depth, a, panels, strip);
  const int64_t n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  (n_rows > kSide ? strip_products<true> : strip_products<false>)(n_groups, a, panels.pairs, strip, ahead);
}

constexpr GroupKernels group_kernels = {&smallest_exponent, &gather_group,    nullptr,
                                        &pack_rows<false>,  &pack_rows<true>, &strip_tile};

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
    &group_kernels,
};

}  // namespace
}  // namespace ist::cpu
