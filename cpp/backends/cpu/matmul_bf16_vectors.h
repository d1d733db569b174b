// Kernels of bfloat16 products for CPUs with VDPBF16PS.
#pragma once

#include "backends/cpu/matmul_bf16_pairs.h"

namespace ist::cpu {
namespace {

constexpr int kStripRows = 16;  // of a strip, which is multiplied a few rows at a time
constexpr int kRowsAtOnce = 4;  // whose two chains and sums fit in registers

// A panel whose rows are dense, and as wide: two of them become two vectors of pairs. Rows that lie far apart, which no
// prefetcher follows, are asked for in time, with the line behind them for the next panel.
void pack_rows_of_panel(int64_t depth, const bfloat16* src, int64_t k_stride, Packed& packed) {
  constexpr int kAhead = 2 * kMatmulGroup;
  struct Columns {
    uint16_t of_word[2 * kPanel];
  };
  static constexpr auto columns = [] {
    Columns order{};
    for (int word = 0; word < 2 * kPanel; ++word) {
      order.of_word[word] = static_cast<uint16_t>(word / 2 + word % 2 * kPanel);
    }
    return order;
  }();
  const __m512i left = _mm512_loadu_si512(columns.of_word), right = _mm512_loadu_si512(columns.of_word + kPanel);
  SmallestExponent smallest;
  uint32_t* to = packed.pairs;
  for (int64_t group = 0; group < depth; group += kMatmulGroup, src += kMatmulGroup * k_stride) {
    const int words = up_to(kMatmulGroup, depth - group);
    const auto load = [&](int k) __attribute__((always_inline)) {
      if (k >= words) return _mm512_setzero_si512();
      const bfloat16* row = src + k * k_stride;
      __builtin_prefetch(row + kAhead * k_stride, 0, 2);
      __builtin_prefetch(row + kAhead * k_stride + kPanel, 0, 2);
      const __m512i words_of_row = _mm512_loadu_si512(row);
      smallest.see(words_of_row);
      return words_of_row;
    };
#pragma GCC unroll 16
    for (int p = 0; p < kPairs; ++p, to += kPanel) {
      const __m512i lower = load(word_to_k(2 * p)), upper = load(word_to_k(2 * p + 1));
      _mm512_storeu_si512(to, _mm512_permutex2var_epi16(lower, left, upper));
      _mm512_storeu_si512(to + kSide, _mm512_permutex2var_epi16(lower, right, upper));
    }
  }
  packed.smallest_exponent = smallest.get();
}

// The same of dense columns, in squares that are transposed.
void pack_columns_of_panel(int64_t depth, const bfloat16* src, int64_t j_stride, Packed& packed) {
  constexpr int64_t kAhead = 4 * kMatmulGroup;
  const __m512i order = _mm512_load_si512(&word_order);
  SmallestExponent smallest;
  float* to = reinterpret_cast<float*>(packed.pairs);
  for (int64_t k = 0; k < depth; k += kMatmulGroup, to += kPairs * kPanel) {
    const int words = up_to(kMatmulGroup, depth - k);
    const auto mask = static_cast<__mmask32>((uint64_t{1} << words) - 1);
    for (int j = 0; j < kPanel; j += kSide) {
      VecF32 square[kSide];
#pragma GCC unroll 16
      for (int i = 0; i < kSide; ++i) {
        const bfloat16* from = src + (j + i) * j_stride + k;
        __builtin_prefetch(from + kAhead, 0, 2);
        const __m512i column = _mm512_maskz_loadu_epi16(mask, from);
        smallest.see(column);
        square[i].v = _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, column));
      }
      VecF32::transpose(square);
#pragma GCC unroll 16
      for (int p = 0; p < kPairs; ++p) square[p].store(to + p * kPanel + j);
    }
  }
  packed.smallest_exponent = smallest.get();
}

void pack_panel(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t j_stride,
                void* dst) {
  if (j_stride == 1 && count == kPanel) {
    return pack_rows_of_panel(depth, static_cast<const bfloat16*>(src), k_stride, *static_cast<Packed*>(dst));
  }
  if (k_stride == 1 && count == kPanel) {
    return pack_columns_of_panel(depth, static_cast<const bfloat16*>(src), j_stride, *static_cast<Packed*>(dst));
  }
  pack_pairs(depth, count, width, src, k_stride, j_stride, dst);
}

// Strips: groups of `width` rows, each the pairs of a row side by side.
void pack_strip(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t i_stride,
                void* dst) {
  Packed& packed = *static_cast<Packed*>(dst);
  SmallestExponent smallest;
  const bfloat16* data = static_cast<const bfloat16*>(src);
  const int64_t group = strip_group(width);
  if (k_stride == 1) {
    constexpr int kRowsAhead = 2;
    const __m512i order = _mm512_load_si512(&word_order);
    for (int64_t i = 0; i < count; ++i, data += i_stride) {
      uint32_t* out = packed.pairs + i * kPairs;
      const auto put = [&](__m512i words) __attribute__((always_inline)) {
        const __m512i pairs = _mm512_permutexvar_epi16(order, words);
        smallest.see(words);
        _mm512_storeu_si512(out, pairs);
        out += group;
      };
      int64_t k = 0;
      for (; k + kMatmulGroup <= depth; k += kMatmulGroup) {
        __builtin_prefetch(data + kRowsAhead * i_stride + k);
        put(_mm512_loadu_si512(data + k));
      }
      if (k < depth) put(_mm512_maskz_loadu_epi16((1u << (depth - k)) - 1, data + k));
    }
  } else {
    uint32_t* out = packed.pairs;
    for (int64_t k = 0; k < depth; k += kMatmulGroup, data += kMatmulGroup * k_stride, out += group) {
      for (int64_t i = 0; i < count; i += kSide) {
        VecF32 square[kSide];
        load_square<true>({data + i * i_stride, k_stride, i_stride}, depth - k, count - i, smallest, square);
        const int n = up_to(kSide, count - i);
#pragma GCC unroll 16
        for (int r = 0; r < kSide; ++r) {
          if (r < n) square[r].store(reinterpret_cast<float*>(out + (i + r) * kPairs));
        }
      }
    }
  }
  packed.smallest_exponent = smallest.get();
}

// Some rows of a strip by one or two vectors of columns. Both chains go on at once: what an instruction waits for is
// several times as far away as the next one.
template <int kRows, int kVecs, bool kPart>
void pair_tile(int n_cols, int64_t n_groups, const uint32_t* a, int64_t a_group, const uint32_t* b, float* c,
               int64_t c_row, TileMode mode) {
  VecF32 sum[kRows][kVecs];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kVecs; ++h) sum[i][h] = VecF32::zero();
  }
  for (int64_t group = 0; group < n_groups; ++group, a += a_group, b += kPairs * kPanel) {
    __m512 chain[2][kRows][kVecs];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int h = 0; h < kVecs; ++h) chain[0][i][h] = chain[1][i][h] = _mm512_setzero_ps();
    }
#pragma GCC unroll 8
    for (int p = 0; p < kPairs / 2; ++p) {
#pragma GCC unroll 2
      for (int parity = 0; parity < 2; ++parity) {
        const int pair = parity * (kPairs / 2) + p;
        __m512bh columns[kVecs];
#pragma GCC unroll 2
        for (int h = 0; h < kVecs; ++h) columns[h] = (__m512bh)_mm512_loadu_si512(b + pair * kPanel + h * kSide);
#pragma GCC unroll 4
        for (int i = 0; i < kRows; ++i) {
          const auto value = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[i * kPairs + pair]));
#pragma GCC unroll 2
          for (int h = 0; h < kVecs; ++h) {
            chain[parity][i][h] = _mm512_dpbf16_ps(chain[parity][i][h], value, columns[h]);
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int h = 0; h < kVecs; ++h) {
        sum[i][h].v = _mm512_add_ps(sum[i][h].v, _mm512_add_ps(chain[0][i][h], chain[1][i][h]));
      }
    }
  }
  const auto mask = VecF32::mask(kPart ? n_cols - (kVecs - 1) * kSide : kSide);
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kVecs; ++h) {
      float* at = c + i * c_row + h * kSide;
      if (kPart && h == kVecs - 1) {
        (mode == kTileAdd ? VecF32::add(VecF32::load(at, mask), sum[i][h]) : sum[i][h]).store(at, mask);
      } else {
        (mode == kTileAdd ? VecF32::add(VecF32::load(at), sum[i][h]) : sum[i][h]).store(at);
      }
    }
  }
}

using PairTileFn = void (*)(int, int64_t, const uint32_t*, int64_t, const uint32_t*, float*, int64_t, TileMode);
struct PairTileFns {
  PairTileFn of_rows[kRowsAtOnce + 1];
};
template <int kVecs, bool kPart, int kRows = kRowsAtOnce>
constexpr PairTileFns pair_tile_fns(PairTileFns fns = {}) {
  fns.of_rows[kRows] = &pair_tile<kRows, kVecs, kPart>;
  if constexpr (kRows > 1) fns = pair_tile_fns<kVecs, kPart, kRows - 1>(fns);
  return fns;
}

void packed_tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t, int64_t a_step, const void* b, int64_t,
                 void* c, int64_t c_row, TileMode mode, const Ahead* ahead) {
  static constexpr PairTileFns whole = pair_tile_fns<2, false>(), part = pair_tile_fns<2, true>(),
                               narrow = pair_tile_fns<1, true>();
  const Packed &strip = *static_cast<const Packed*>(a), &panel = *static_cast<const Packed*>(b);
  float* out = static_cast<float*>(c);
  if (!stays_normal(strip, panel)) return exact_tile(n_rows, n_cols, depth, strip, a_step, panel, out, c_row, mode);
  const PairTileFns& fns = n_cols == kPanel ? whole : n_cols > kSide ? part : narrow;
  const int64_t n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  const int tiles = (n_rows + kRowsAtOnce - 1) / kRowsAtOnce;
  Asking asking(ahead, tiles);
  for (int t = 0; t < tiles; ++t) {
    const int begin = n_rows * t / tiles, end = n_rows * (t + 1) / tiles;
    asking();
    fns.of_rows[end - begin](n_cols, n_groups, strip.pairs + begin * kPairs, strip_group(a_step), panel.pairs,
                             out + begin * c_row, c_row, mode);
  }
}

constexpr MatmulKernels bfloat16_kernels = {
    kStripRows,
    kPanel,
    4,
    false,
    &pack_panel,
    &packed_tile,
    &round_rows<IST_BFLOAT16>,
    kSide,
    &group_row_product<VecF32>,
    &pack_strip,
    2,
    kMatmulGroup,
    kHeader,
    2,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace
}  // namespace ist::cpu
