// Kernels of bfloat16 products for CPUs with VDPBF16PS.
#pragma once

#include "backends/cpu/matmul_bf16_pairs.h"

namespace ist::cpu {
namespace {

constexpr int kStripRows = 32;  // of a strip, which is multiplied a few rows at a time
constexpr int kRowsAtOnce = 4;  // whose two chains and sums fit in registers
static_assert(kStripRows <= kGroupRows);

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

// Pairs of a group: those of row i at data + i * step.
struct RowPairs {
  const uint32_t* data;
  int64_t step;
};

// Some rows by one or two vectors of columns: take(i, sums) gets what a row comes to. Both chains go on at once, for an
// instruction waits for the one before it in its chain several times as long as the next one takes.
template <int kRows, int kVecs, class Group, class Take>
[[gnu::always_inline]] inline void pair_products(int64_t n_groups, const Group& rows_of, const uint32_t* b,
                                                 const Take& take) {
  VecF32 sum[kRows][kVecs];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int h = 0; h < kVecs; ++h) sum[i][h] = VecF32::zero();
  }
  for (int64_t group = 0; group < n_groups; ++group, b += kPairs * kPanel) {
    const RowPairs rows = rows_of(group);
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
          const auto value = (__m512bh)_mm512_set1_epi32(static_cast<int>(rows.data[i * rows.step + pair]));
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
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) take(i, sum[i]);
}

// Calls fn.operator()<kRows>(first) for a few of the rows at a time.
template <class Fn>
[[gnu::always_inline]] inline void for_few_rows(int n_rows, const Fn& fn) {
  const int turns = (n_rows + kRowsAtOnce - 1) / kRowsAtOnce;
  for (int t = 0; t < turns; ++t) {
    const int first = n_rows * t / turns, rows = n_rows * (t + 1) / turns - first;
    switch (rows) {
      case 1:
        fn.template operator()<1>(first);
        break;
      case 2:
        fn.template operator()<2>(first);
        break;
      case 3:
        fn.template operator()<3>(first);
        break;
      default:
        fn.template operator()<kRowsAtOnce>(first);
    }
  }
}
static_assert(kRowsAtOnce == 4);

template <int kVecs, bool kPart>
void packed_products(int n_rows, int n_cols, int64_t n_groups, const uint32_t* a, int64_t a_group, const uint32_t* b,
                     float* c, int64_t c_row, TileMode mode, Asking& asking) {
  const auto mask = VecF32::mask(n_cols - (kVecs - 1) * kSide);
  for_few_rows(n_rows, [&]<int kRows>(int first) __attribute__((always_inline)) {
    asking();
    const auto rows_of = [=](int64_t group) { return RowPairs{a + group * a_group + first * kPairs, kPairs}; };
    const auto take = [&](int i, const VecF32(&sums)[kVecs]) __attribute__((always_inline)) {
#pragma GCC unroll 2
      for (int h = 0; h < kVecs; ++h) {
        float* at = c + (first + i) * c_row + h * kSide;
        if (kPart && h == kVecs - 1) {
          (mode == kTileAdd ? VecF32::add(VecF32::load(at, mask), sums[h]) : sums[h]).store(at, mask);
        } else {
          (mode == kTileAdd ? VecF32::add(VecF32::load(at), sums[h]) : sums[h]).store(at);
        }
      }
    };
    pair_products<kRows, kVecs>(n_groups, rows_of, b, take);
  });
}

void packed_tile(int n_rows, int n_cols, int64_t depth, const void* a, int64_t, int64_t a_step, const void* b, int64_t,
                 void* c, int64_t c_row, TileMode mode, const Ahead* ahead) {
  const Packed &strip = *static_cast<const Packed*>(a), &panel = *static_cast<const Packed*>(b);
  float* out = static_cast<float*>(c);
  if (!stays_normal(strip, panel)) return exact_tile(n_rows, n_cols, depth, strip, a_step, panel, out, c_row, mode);
  const auto products = n_cols == kPanel ? &packed_products<2, false>
                        : n_cols > kSide ? &packed_products<2, true>
                                         : &packed_products<1, true>;
  Asking asking(ahead, (n_rows + kRowsAtOnce - 1) / kRowsAtOnce);
  products(n_rows, n_cols, (depth + kMatmulGroup - 1) / kMatmulGroup, strip.pairs, strip_group(a_step), panel.pairs,
           out, c_row, mode, asking);
}

// The same, rounded. In a pass of its own that would make small products a tenth slower.
template <int kVecs>
void rounded_products(int n_rows, int n_cols, int64_t n_groups, const uint32_t* a, int64_t a_group, const uint32_t* b,
                      float* c, int64_t c_row, bool adds, bfloat16* out, int64_t out_row, Asking& asking) {
  const auto lanes = static_cast<__mmask32>((uint64_t{1} << n_cols) - 1);
  for_few_rows(n_rows, [&]<int kRows>(int first) __attribute__((always_inline)) {
    asking();
    const auto rows_of = [=](int64_t group) { return RowPairs{a + group * a_group + first * kPairs, kPairs}; };
    const auto take = [&](int i, const VecF32(&sums)[kVecs]) __attribute__((always_inline)) {
      store_sums(sums[0], kVecs == 1 ? VecF32::zero() : sums[kVecs - 1], lanes, adds, c + (first + i) * c_row,
                 out + (first + i) * out_row);
    };
    pair_products<kRows, kVecs>(n_groups, rows_of, b, take);
  });
}

void rounding_tile(int n_rows, int n_cols, int64_t depth, const void* a, const void* b, void* c, int64_t c_row,
                   bool adds, void* out, int64_t out_row, const Ahead* ahead) {
  const Packed &strip = *static_cast<const Packed*>(a), &panel = *static_cast<const Packed*>(b);
  float* sums = static_cast<float*>(c);
  if (!stays_normal(strip, panel)) {
    exact_tile(n_rows, n_cols, depth, strip, n_rows, panel, sums, c_row, adds ? kTileAdd : kTileStore);
    return round_rows<IST_BFLOAT16>(n_rows, n_cols, c, c_row, out, out_row);
  }
  Asking asking(ahead, (n_rows + kRowsAtOnce - 1) / kRowsAtOnce);
  const auto products = n_cols > kSide ? &rounded_products<2> : &rounded_products<1>;
  products(n_rows, n_cols, (depth + kMatmulGroup - 1) / kMatmulGroup, strip.pairs, strip_group(n_rows), panel.pairs,
           sums, c_row, adds, static_cast<bfloat16*>(out), out_row, asking);
}

// ---- strips in groups ----

void put_in_word_order(int64_t n_groups, void* x) {
  uint32_t* pairs = static_cast<uint32_t*>(x);
  for (int64_t group = 0; group < n_groups; ++group, pairs += kPairs) {
    _mm512_storeu_si512(pairs, in_word_order(_mm512_loadu_si512(pairs)));
  }
}

// Operands from rows anywhere: strips, whose pairs are turned to be those of a row, or panels.
template <bool kStrip>
void pack_rows(int64_t depth, int64_t count, const void* const* rows, int64_t shift, void* dst) {
  Packed& packed = *static_cast<Packed*>(dst);
  SmallestExponent smallest;
  const auto* from = reinterpret_cast<const bfloat16* const*>(rows);
  uint32_t* out = packed.pairs;
  for (int64_t k = 0; k < depth; k += kMatmulGroup, from += kMatmulGroup) {
    const int words = up_to(kMatmulGroup, depth - k);
    for (int t = 0; t < words; ++t) __builtin_prefetch(from[t] + shift + count, 0, 2);
    for (int64_t j = 0; j < count; j += kSide) {
      VecF32 square[kSide];
      load_pairs(up_to(kSide, count - j), words, smallest, square,
                 [&](int t) __attribute__((always_inline)) { return from[t] + shift + j; });
      if (kStrip) VecF32::transpose(square);
      const int n = kStrip ? up_to(kSide, count - j) : kPairs;
      float* to = reinterpret_cast<float*>(out + (kStrip ? j * kPairs : j));
#pragma GCC unroll 16
      for (int i = 0; i < kSide; ++i) {
        if (i < n) square[i].store(to + i * (kStrip ? kPairs : kPanel));
      }
    }
    out += kStrip ? strip_group(count) : kPanel * kPairs;
  }
  packed.smallest_exponent = smallest.get();
}

// The sums of rows of a strip, and where they go.
struct StripSums {
  float* c;
  int64_t c_row;
  bool adds;
  void* const* out;
  int64_t first;
  __mmask32 lanes;

  inline void take(int i, VecF32 left, VecF32 right) const {
    if (out != nullptr && out[i] == nullptr) return;
    bfloat16* to = out != nullptr ? static_cast<bfloat16*>(out[i]) + first : nullptr;
    store_sums(left, right, lanes, adds, c + i * c_row, to);
  }
};

template <int kVecs>
void strip_products(int n_rows, int64_t n_groups, const RowGroup* a, const uint32_t* panel, const StripSums& strip,
                    Asking& asking) {
  for_few_rows(n_rows, [&]<int kRows>(int first) __attribute__((always_inline)) {
    asking();
    const auto rows_of = [=](int64_t group) {
      const char* data = static_cast<const char*>(a[group].data) + first * a[group].step;
      return RowPairs{reinterpret_cast<const uint32_t*>(data), a[group].step / static_cast<int64_t>(sizeof(uint32_t))};
    };
    const auto take = [&](int i, const VecF32(&sums)[kVecs]) __attribute__((always_inline)) {
      strip.take(first + i, sums[0], kVecs == 1 ? VecF32::zero() : sums[kVecs - 1]);
    };
    pair_products<kRows, kVecs>(n_groups, rows_of, panel, take);
  });
}

void exact_strip(int n_rows, int n_cols, int64_t depth, const RowGroup* a, const Packed& panel,
                 const StripSums& strip) {
  alignas(64) char memory[kHeader + kMatmulBlock * kStripRows * sizeof(bfloat16)];
  alignas(64) float sums[kStripRows * kPanel];
  Packed& packed = *reinterpret_cast<Packed*>(memory);
  copy_groups(n_rows, depth, a, packed.pairs);
  exact_tile(n_rows, n_cols, depth, packed, n_rows, panel, sums, kPanel, kTileStore);
  for (int i = 0; i < n_rows; ++i) {
    strip.take(i, VecF32::load(sums + i * kPanel), VecF32::load(sums + i * kPanel + kSide));
  }
}

void strip_tile(int n_rows, int n_cols, int64_t depth, const RowGroup* a, int32_t smallest, const void* b, float* c,
                int64_t c_row, bool adds, void* const* out, int64_t first, const Ahead* ahead) {
  const Packed& panel = *static_cast<const Packed*>(b);
  const StripSums strip = {c, c_row, adds, out, first, static_cast<__mmask32>((uint64_t{1} << n_cols) - 1)};
  if (!stays_normal(smallest, panel)) return exact_strip(n_rows, n_cols, depth, a, panel, strip);
  Asking asking(ahead, (n_rows + kRowsAtOnce - 1) / kRowsAtOnce);
  (n_cols > kSide ? strip_products<2> : strip_products<1>)(n_rows, (depth + kMatmulGroup - 1) / kMatmulGroup, a,
                                                           panel.pairs, strip, asking);
}

constexpr GroupKernels group_kernels = {&smallest_exponent, &gather_group,    &put_in_word_order,
                                        &pack_rows<false>,  &pack_rows<true>, &strip_tile};

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
    &group_kernels,
    nullptr,
    nullptr,
    &rounding_tile,
};

}  // namespace
}  // namespace ist::cpu
