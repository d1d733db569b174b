// Kernels of bfloat16 products for CPUs with instructions for them: what AMX (matmul_bf16_amx.h) and VDPBF16PS
// (matmul_bf16_vectors.h) share.
//
// The instructions take subnormal numbers for zero. They do not meet any when every product is a multiple of the
// smallest normal number, for then every sum is: packing finds the smallest exponent of each strip and panel, and where
// they are too small, the chains are done with fma.
#pragma once

#include "backends/cpu/matmul_bf16.h"

namespace ist::cpu {
namespace {

constexpr int kPairs = kMatmulGroup / 2;
constexpr int kSide = 16;   // pairs of a group, and lanes of a vector
constexpr int kPanel = 32;  // columns of a packed panel
constexpr int kHeader = 64;

// A packed strip or panel: this header, then its groups.
struct Packed {
  int32_t smallest_exponent;  // of its numbers other than zero, as they are stored; very negative for subnormal ones
  int32_t reserved[15];
  uint32_t pairs[];  // two bfloat16 each, the first in the lower half
};
static_assert(sizeof(Packed) == kHeader);

// Which k of a group the words of its pairs are. AMX: its own order. VDPBF16PS does the upper half of a pair first, so
// that a chain's pairs are k + 2 under k: first those of the even chain, then those of the odd one.
#if defined(__AMX_BF16__)
constexpr int word_to_k(int word) { return word; }
constexpr int k_to_word(int k) { return k; }
#else
constexpr int word_to_k(int word) {
  const int pair = word / 2;
  return pair / 8 + pair % 8 * 4 + (word % 2 == 0 ? 2 : 0);
}
constexpr int k_to_word(int k) { return 2 * (k % 2 * 8 + k / 4) + (k % 4 < 2 ? 1 : 0); }
#endif

struct WordOrder {
  uint16_t k[kMatmulGroup];
};
constexpr WordOrder make_word_order() {
  WordOrder order{};
  for (int word = 0; word < kMatmulGroup; ++word) order.k[word] = static_cast<uint16_t>(word_to_k(word));
  return order;
}
alignas(64) constexpr WordOrder word_order = make_word_order();

class SmallestExponent {
 public:
  inline void see(__m512i words) {
    const __m512i magnitude = _mm512_and_si512(words, _mm512_set1_epi16(0x7fff));
    least_ = _mm512_min_epu16(least_, _mm512_sub_epi16(magnitude, _mm512_set1_epi16(1)));  // zero becomes the largest
  }
  inline int32_t get() const {
    const __m256i half = _mm256_min_epu16(_mm512_castsi512_si256(least_), _mm512_extracti64x4_epi64(least_, 1));
    const __m128i lanes = _mm_min_epu16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    const int32_t least = _mm_extract_epi16(_mm_minpos_epu16(lanes), 0);
    return least < 0x7f ? -1000 : (least + 1) >> 7;
  }

 private:
  __m512i least_ = _mm512_set1_epi16(-1);
};

struct Source {
  const bfloat16* data;
  int64_t k_stride, j_stride;
};

inline int up_to(int most, int64_t n) { return n >= most ? most : n > 0 ? static_cast<int>(n) : 0; }

// The pairs of a group, each of `n` columns that lie side by side at row(k), k < words.
template <class Row>
inline void load_pairs(int n, int words, SmallestExponent& smallest, VecF32 (&square)[kSide], const Row& row) {
  const auto mask = static_cast<__mmask16>((1u << n) - 1);
  const auto load = [&](int k) __attribute__((always_inline)) {
    if (k >= words) return _mm512_setzero_si512();
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row(k)));
  };
#pragma GCC unroll 16
  for (int p = 0; p < kPairs; ++p) {
    const __m512i pairs = _mm512_or_si512(load(word_to_k(2 * p)), _mm512_slli_epi32(load(word_to_k(2 * p + 1)), 16));
    smallest.see(pairs);
    square[p].v = _mm512_castsi512_ps(pairs);
  }
}

// A square of up to 16 columns and the 16 pairs of a group, zero beyond `count` columns and `depth` k. kByColumn:
// vector j holds the pairs of column j, else vector p holds pair p of the columns.
template <bool kByColumn>
void load_square(const Source& from, int64_t depth, int64_t count, SmallestExponent& smallest,
                 VecF32 (&square)[kSide]) {
  const int n = up_to(kSide, count), words = up_to(kMatmulGroup, depth);
  const auto put = [&](int i, __m512i v) __attribute__((always_inline)) {
    smallest.see(v);
    square[i].v = _mm512_castsi512_ps(v);
  };
  bool by_column = true;
  if (from.j_stride == 1) {
    by_column = false;
    load_pairs(n, words, smallest, square,
               [&](int k) __attribute__((always_inline)) { return from.data + k * from.k_stride; });
  } else if (from.k_stride == 1) {
    const auto mask = static_cast<__mmask32>((uint64_t{1} << words) - 1);
    const __m512i order = _mm512_load_si512(&word_order);
    for (int j = 0; j < kSide; ++j) {
      __m512i v = _mm512_setzero_si512();
      if (j < n) v = _mm512_maskz_loadu_epi16(mask, from.data + j * from.j_stride);
      put(j, _mm512_permutexvar_epi16(order, v));
    }
  } else {
    for (int j = 0; j < kSide; ++j) {
      alignas(64) uint16_t column[kMatmulGroup] = {};
      for (int word = 0; j < n && word < kMatmulGroup; ++word) {
        const int k = word_to_k(word);
        if (k < words) column[word] = from.data[k * from.k_stride + j * from.j_stride].bits;
      }
      put(j, _mm512_load_si512(column));
    }
  }
  if (by_column != kByColumn) VecF32::transpose(square);
}

// Words of a group of a strip, in which the pairs of a row lie side by side; and where a square of a group of a panel
// starts, from column j on, whose pairs are rows of panel_row() words.
#if defined(__AMX_BF16__)
inline int64_t strip_group(int64_t) { return kPanel * kPairs; }
inline int64_t panel_row(int64_t) { return kSide; }
inline int64_t panel_square(int64_t group, int64_t n_groups, int64_t, int64_t j) {
  return ((j / kPanel * n_groups + group) * kPanel + j % kPanel) * kPairs;
}
#else
inline int64_t strip_group(int64_t rows) { return rows * kPairs; }
inline int64_t panel_row(int64_t width) { return width; }
inline int64_t panel_square(int64_t group, int64_t, int64_t width, int64_t j) { return group * width * kPairs + j; }
#endif

// Packs panels of B.
void pack_pairs(int64_t depth, int64_t count, int64_t width, const void* src, int64_t k_stride, int64_t j_stride,
                void* dst) {
  Packed& packed = *static_cast<Packed*>(dst);
  SmallestExponent smallest;
  const bfloat16* data = static_cast<const bfloat16*>(src);
  const int64_t row = panel_row(width), n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  for (int64_t group = 0; group < n_groups; ++group) {
    const int64_t k = group * kMatmulGroup;
    for (int64_t j = 0; j < width; j += kSide) {
      VecF32 square[kSide];
      load_square<false>({data + k * k_stride + j * j_stride, k_stride, j_stride}, depth - k, count - j, smallest,
                         square);
      const auto mask = VecF32::mask(width - j < kSide ? static_cast<int>(width - j) : kSide);
      float* to = reinterpret_cast<float*>(packed.pairs + panel_square(group, n_groups, width, j));
#pragma GCC unroll 16
      for (int p = 0; p < kPairs; ++p) square[p].store(to + p * row, mask);
    }
  }
  packed.smallest_exponent = smallest.get();
}

inline VecF32 half_of(__m512i pairs, int word) {
  const __m512i upper = word % 2 == 0 ? _mm512_slli_epi32(pairs, 16) : pairs;
  return {_mm512_castsi512_ps(_mm512_and_si512(upper, _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
}

// The chains with fma, subnormal numbers and all: rare, so a row at a time.
void exact_tile(int n_rows, int n_cols, int64_t depth, const Packed& a, int64_t rows, const Packed& b, float* c,
                int64_t c_row, TileMode mode) {
  const int64_t n_groups = (depth + kMatmulGroup - 1) / kMatmulGroup;
  for (int j = 0; j < n_cols; j += kPanel) {
    for (int i = 0; i < n_rows; ++i) {
      group_tile<VecF32, 1, true>(
          n_cols - j < kPanel ? n_cols - j : kPanel, n_groups, c + i * c_row + j, c_row, mode,
          [&](int parity, int64_t group, VecF32(&acc)[1][2]) {
            const uint32_t* x = a.pairs + group * strip_group(rows);
            const int64_t left = depth - group * kMatmulGroup;
            const int n = left < kMatmulGroup ? static_cast<int>(left) : kMatmulGroup;
            acc[0][0] = acc[0][1] = VecF32::zero();
            for (int k = parity; k < n; k += 2) {
              const int word = k_to_word(k);
              const VecF32 value = half_of(_mm512_set1_epi32(static_cast<int>(x[i * kPairs + word / 2])), word);
              for (int h = 0; h < 2; ++h) {
                const uint32_t* square = b.pairs + panel_square(group, n_groups, kPanel, j + h * kSide);
                const __m512i pairs = _mm512_loadu_si512(square + word / 2 * panel_row(kPanel));
                acc[0][h] = VecF32::fma(value, half_of(pairs, word), acc[0][h]);
              }
            }
          });
    }
  }
}

// Both exponents are biased by 127, and the last bits of the products' significands are 14 places down.
inline bool stays_normal(int32_t a_exponent, const Packed& b) {
  return a_exponent + b.smallest_exponent - 2 * 127 - 14 >= -126;
}
inline bool stays_normal(const Packed& a, const Packed& b) { return stays_normal(a.smallest_exponent, b); }

// Asks for what is ahead, as much in each of so many calls.
struct Asking {
  const char* row;
  int64_t stride, each;
  int rows, lines, line = 0;

  Asking(const Ahead* ahead, int64_t calls)
      : row(ahead ? ahead->data : nullptr),
        stride(ahead ? ahead->stride : 0),
        each(ahead ? 1 + ahead->rows * ahead->lines / calls : 0),
        rows(ahead ? ahead->rows : 0),
        lines(ahead ? ahead->lines : 0) {}
  inline void operator()() {
    for (int64_t n = 0; n < each && rows > 0; ++n) {
      __builtin_prefetch(row + 64 * line, 0, 2);
      if (++line == lines) line = 0, --rows, row += stride;
    }
  }
};

// ---- strips in groups ----

int32_t smallest_exponent(int64_t n, const void* x) {
  SmallestExponent smallest;
  const bfloat16* data = static_cast<const bfloat16*>(x);
  int64_t i = 0;
  for (; i + kMatmulGroup <= n; i += kMatmulGroup) smallest.see(_mm512_loadu_si512(data + i));
  if (i < n) smallest.see(_mm512_maskz_loadu_epi16((1u << (n - i)) - 1, data + i));
  return smallest.get();
}

// A group whose k ascend, as its pairs.
inline __m512i in_word_order(__m512i words) {
#if defined(__AMX_BF16__)
  return words;
#else
  return _mm512_permutexvar_epi16(_mm512_load_si512(&word_order), words);
#endif
}

// A load reads under its mask alone, so each piece can be loaded to its place.
template <int kPieces>
void gather_pieces(int64_t count, int n_pieces, const RowPiece* pieces, const bfloat16* src, int64_t i_stride,
                   uint32_t* out) {
  const int n = kPieces > 0 ? kPieces : n_pieces;
  __mmask32 masks[kPieces > 0 ? kPieces : kMatmulGroup];
  int64_t offsets[kPieces > 0 ? kPieces : kMatmulGroup];
  for (int p = 0; p < n; ++p) {
    const int64_t place = pieces[p].at % kMatmulGroup;
    masks[p] = static_cast<__mmask32>(((uint64_t{1} << pieces[p].length) - 1) << place);
    offsets[p] = pieces[p].offset - place;
  }
  for (int64_t i = 0; i < count; ++i, src += i_stride, out += kPairs) {
    __m512i words = _mm512_setzero_si512();
    for (int p = 0; p < n; ++p) words = _mm512_mask_loadu_epi16(words, masks[p], src + offsets[p]);
    _mm512_store_si512(out, in_word_order(words));
  }
}

void gather_group(int64_t count, int n_pieces, const RowPiece* pieces, const void* src, int64_t i_stride, void* dst) {
  static constexpr decltype(&gather_pieces<0>) of_pieces[] = {&gather_pieces<0>, &gather_pieces<1>, &gather_pieces<2>,
                                                              &gather_pieces<3>};
  of_pieces[n_pieces <= 3 ? n_pieces : 0](count, n_pieces, pieces, static_cast<const bfloat16*>(src), i_stride,
                                          static_cast<uint32_t*>(dst));
}

// The instruction takes subnormal numbers for zero.
inline void store_rounded(VecF32 left, VecF32 right, __mmask32 lanes, bfloat16* to) {
  constexpr int kSubnormal = 0x20;
  __m512i rounded;
  if (_mm512_fpclass_ps_mask(left.v, kSubnormal) == 0 && _mm512_fpclass_ps_mask(right.v, kSubnormal) == 0) {
    rounded = (__m512i)_mm512_cvtne2ps_pbh(right.v, left.v);
  } else {
    alignas(64) bfloat16 halves[kPanel];
    left.store(halves);
    right.store(halves + kSide);
    rounded = _mm512_load_si512(halves);
  }
  _mm512_mask_storeu_epi16(to, lanes, rounded);
}

// What a row of a strip comes to, with `adds` added to C: into C at `at`, or rounded to where `to` is not null.
inline void store_sums(VecF32 left, VecF32 right, __mmask32 lanes, bool adds, float* at, bfloat16* to) {
  const auto low = static_cast<__mmask16>(lanes), high = static_cast<__mmask16>(lanes >> kSide);
  if (adds) {
    left = VecF32::add(VecF32::load(at, low), left);
    right = VecF32::add(VecF32::load(at + kSide, high), right);
  }
  if (to != nullptr) return store_rounded(left, right, lanes, to);
  left.store(at, low);
  right.store(at + kSide, high);
}

// The groups of a strip side by side, as those of a packed one.
inline void copy_groups(int n_rows, int64_t depth, const RowGroup* a, uint32_t* pairs) {
  for (int64_t group = 0; group * kMatmulGroup < depth; ++group, pairs += strip_group(n_rows)) {
    for (int i = 0; i < n_rows; ++i) {
      const char* from = static_cast<const char*>(a[group].data) + i * a[group].step;
      __builtin_memcpy(pairs + i * kPairs, from, kPairs * sizeof(uint32_t));
    }
  }
}

}  // namespace
}  // namespace ist::cpu
