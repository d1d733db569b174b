// Codes of 1 to 8 bits to float32, fma(scale, code, bias): one rounding, as the contract has it.
#include "backends/cpu/isa_common.h"
#include "backends/cpu/quantized_kernels.h"
#include "backends/cpu/simd.h"

namespace ist::cpu {
namespace {

constexpr int kLanes = VecF32::kWidth;
constexpr int kChunk = 32;  // codes that fill whole words, whatever their width
constexpr int kAhead = 24;  // chunks between a row's prefetch and its use: rows are too far apart for the hardware's

using Words = uint32_t __attribute__((vector_size(kLanes * 4)));
using Codes = int32_t __attribute__((vector_size(kLanes * 4)));
using Floats = float __attribute__((vector_size(kLanes * 4)));

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

template <int kBits>
inline VecF32 value_of(Words code, VecF32 scale, VecF32 bias) {
  // A code is small: the signed conversion is the one that every level has.
  const Floats value = __builtin_convertvector((Codes)(code & ((1u << kBits) - 1)), Floats);
  VecF32 x;
  __builtin_memcpy(&x, &value, sizeof(x));
  return VecF32::fma(scale, x, bias);
}

// Code number `i` of 32, of every lane, from the kBits words of each. The indices are known to the compiler.
template <int kBits, int i = 0>
inline void expand(const Words* words, VecF32 scale, VecF32 bias, float* out, int64_t width) {
  constexpr int first = i * kBits / 32, shift = i * kBits % 32;
  Words code = words[first] >> shift;
  if constexpr (shift + kBits > 32) code |= words[first + 1] << (32 - shift);
  value_of<kBits>(code, scale, bias).store(out + i * width);
  if constexpr (i + 1 < kChunk) expand<kBits, i + 1>(words, scale, bias, out, width);
}

// Lanes are rows of the matrix, so that the chain over k stays in order: the words of a chunk are turned, not its
// codes.
template <int kBits>
void rows(const QuantizedMatrix& m, int64_t j0, int64_t n, int64_t k0, int64_t depth, int64_t width, float* panel) {
  for (int64_t j = 0; j < n; j += kLanes) {
    int64_t row[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) row[lane] = j0 + least(j + lane, n - 1);
    float scale[kLanes], bias[kLanes];
    for (int64_t t = 0; t < depth; t += kChunk) {
      const int64_t k = k0 + t;
      if (t == 0 || k % m.group_size == 0) {
        for (int lane = 0; lane < kLanes; ++lane) {
          const int64_t group = row[lane] * m.row_groups + k / m.group_size;
          scale[lane] = m.scales[group];
          bias[lane] = m.biases[group];
        }
      }
      uint32_t turned[kBits][kLanes];
      for (int lane = 0; lane < kLanes; ++lane) {
        const uint32_t* from = m.words + row[lane] * m.row_words + k / kChunk * kBits;
        __builtin_prefetch(from + kAhead * kBits);
        for (int word = 0; word < kBits; ++word) turned[word][lane] = from[word];
      }
      Words words[kBits];
      __builtin_memcpy(words, turned, sizeof(words));
      expand<kBits>(words, VecF32::load(scale), VecF32::load(bias), panel + t * width + j, width);
    }
  }
}

// Lane i is word index[i] of the words from `from` on, of which as many as there are lanes may be read.
inline Words shuffled(const uint32_t* from, Codes index) {
  if constexpr (kLanes == 1) return Words{from[index[0]]};
  Words words;
  __builtin_memcpy(&words, from, sizeof(words));
#if defined(__clang__)
  Words result;
  for (int lane = 0; lane < kLanes; ++lane) result[lane] = words[index[lane]];
  return result;
#else
  return __builtin_shuffle(words, index);
#endif
}

// Lanes are neighbours in a row; they share a group, which is no smaller than 32.
template <int kBits>
void columns(const QuantizedMatrix& m, int64_t j0, int64_t n, int64_t k0, int64_t depth, int64_t width, float* panel) {
  for (int64_t j = 0; j < n; j += kLanes) {
    const int64_t start = (j0 + j) * kBits / 32;
    Codes first, second;
    Words right, left;
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t position = (j0 + least(j + lane, n - 1)) * kBits;
      first[lane] = static_cast<int32_t>(position / 32 - start);
      right[lane] = static_cast<uint32_t>(position % 32);
      // Where a code lies in one word, that word comes again, behind the mask.
      const bool straddles = right[lane] + kBits > 32;
      second[lane] = first[lane] + (straddles ? 1 : 0);
      left[lane] = straddles ? 32 - right[lane] : 31;
    }
    const int64_t group = (j0 + j) / m.group_size;
    for (int64_t t = 0; t < depth; ++t) {
      const int64_t word = (k0 + t) * m.row_words + start, at = (k0 + t) * m.row_groups + group;
      const uint32_t* from = m.words + word;
      uint32_t last[kLanes];
      if (word + kLanes > m.n_words) {  // the end of the matrix
        for (int lane = 0; lane < kLanes; ++lane) last[lane] = m.words[least(word + lane, m.n_words - 1)];
        from = last;
      }
      Words code = shuffled(from, first) >> right;
      if constexpr (32 % kBits != 0) code |= shuffled(from, second) << left;
      value_of<kBits>(code, VecF32::broadcast(m.scales[at]), VecF32::broadcast(m.biases[at]))
          .store(panel + t * width + j);
    }
  }
}

constexpr QuantizedTable table = {
    {nullptr, &rows<1>, &rows<2>, &rows<3>, &rows<4>, &rows<5>, &rows<6>, nullptr, &rows<8>},
    {nullptr, &columns<1>, &columns<2>, &columns<3>, &columns<4>, &columns<5>, &columns<6>, nullptr, &columns<8>},
};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::QuantizedTable* IST_ISA_NAME(quantized)() { return &ist::cpu::table; }
