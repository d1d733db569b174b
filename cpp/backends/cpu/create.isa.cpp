// Ranges and random bits.
#include <utility>

#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/create_kernels.h"
#include "backends/cpu/isa_common.h"

namespace ist::cpu {
namespace {

template <class T>
void integers(int64_t begin, int64_t end, uint64_t start, uint64_t step, void* out) {
  T* r = static_cast<T*>(out) + begin;
  const T first = static_cast<T>(start + static_cast<uint64_t>(begin) * step), difference = static_cast<T>(step);
  const int64_t n = end - begin;
  for (int64_t i = 0; i < n; ++i) r[i] = static_cast<T>(first + static_cast<T>(i) * difference);
}

// The product and the sum round each: the contract has no fma here.
template <int D, class Compute, class Index>
inline void range(int64_t begin, int64_t end, Compute start, Compute step, Type<D>* r) {
  for (int64_t i = begin; i < end; ++i) {
    const Compute product = static_cast<Compute>(static_cast<Index>(i)) * step;
    r[i] = Storage<D>::store(start + product);
  }
}

template <int D, class Compute>
void floats(int64_t begin, int64_t end, double start, double step, void* out) {
  Type<D>* r = static_cast<Type<D>*>(out);
  const Compute first = static_cast<Compute>(start), difference = static_cast<Compute>(step);
  if (end <= INT32_MAX) {  // most levels convert vectors of 32-bit integers only
    range<D, Compute, int32_t>(begin, end, first, difference, r);
  } else {
    range<D, Compute, int64_t>(begin, end, first, difference, r);
  }
}

// Each operation of a block of the cipher waits for that before it, so several vectors of blocks take turns. One is
// enough where an instruction rotates, and a round is short.
#if defined(__AVX512F__)
constexpr int kVectors = 1;
#else
constexpr int kVectors = 4;
#endif
constexpr int kWords = kVectors * kWidth<uint32_t>;
struct Words {
  Elements<uint32_t> v[kVectors];

  static inline Words count_from(uint32_t start) {
    constexpr int W = kWidth<uint32_t>;
    Elements<uint32_t> lanes;
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) lanes[i] = static_cast<uint32_t>(i);
    Words words;
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) words.v[j] = lanes + static_cast<uint32_t>(j * W) + start;
    return words;
  }
  inline void store(Bits32* to) const {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) __builtin_memcpy(to + j * kWidth<uint32_t>, &v[j], kVectorBytes);
  }
  inline void operator+=(uint32_t x) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] += x;
  }
  inline void operator+=(const Words& x) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] += x.v[j];
  }
  inline void operator^=(const Words& x) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] ^= x.v[j];
  }
  template <int kBits>
  inline void rotate_left() {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      if constexpr (kAvx2Alone && kBits % 8 == 0) {  // one shuffle instead of three operations
        v[j] = bytes_rotated<kBits / 8>(v[j], std::make_integer_sequence<int, kVectorBytes>());
      } else {
        v[j] = (v[j] << kBits) | (v[j] >> (32 - kBits));
      }
    }
  }
  template <int kBytes, int... i>
  static inline Elements<uint32_t> bytes_rotated(Elements<uint32_t> x, std::integer_sequence<int, i...>) {
    const auto bytes = (Elements<uint8_t>)x;
    return (Elements<uint32_t>)__builtin_shufflevector(bytes, bytes, (i / 4 * 4 + (i + 4 - kBytes) % 4)...);
  }
};

template <int kBits>
inline void mix(Words& x, Words& y) {
  x += y;
  y.rotate_left<kBits>();
  y ^= x;
}

// 20 rounds. backends/reference/random.cpp has a Threefry of its own on purpose: an oracle that shared this code would
// share its mistakes.
void threefry(int64_t n, const uint32_t key[2], uint32_t x_start, uint32_t y_start, void* first, void* second) {
  if (n < kWords) {
    uint32_t xs[kWords], ys[kWords];
    threefry(kWords, key, x_start, y_start, xs, ys);
    __builtin_memcpy(first, xs, static_cast<size_t>(n) * sizeof(uint32_t));
    __builtin_memcpy(second, ys, static_cast<size_t>(n) * sizeof(uint32_t));
    return;
  }
  Bits32* __restrict xs = static_cast<Bits32*>(first);
  Bits32* __restrict ys = static_cast<Bits32*>(second);
  const uint32_t a = key[0], b = key[1], c = a ^ b ^ 0x1bd11bdau;
  for (int64_t done = 0; done < n; done += kWords) {
    const int64_t i = done + kWords <= n ? done : n - kWords;  // the last ones overlap those before
    Words x = Words::count_from(x_start + static_cast<uint32_t>(i) + a);
    Words y = Words::count_from(y_start + static_cast<uint32_t>(i) + b);
    const auto four_rounds = [&] { mix<13>(x, y), mix<15>(x, y), mix<26>(x, y), mix<6>(x, y); };
    const auto other_four_rounds = [&] { mix<17>(x, y), mix<29>(x, y), mix<16>(x, y), mix<24>(x, y); };
    four_rounds();
    x += b, y += c + 1;
    other_four_rounds();
    x += c, y += a + 2;
    four_rounds();
    x += a, y += b + 3;
    other_four_rounds();
    x += b, y += c + 4;
    four_rounds();
    x += c, y += a + 5;
    x.store(xs + i), y.store(ys + i);
  }
}

constexpr CreateTable make_table() {
  CreateTable table{};
  table.integers[0] = &integers<uint8_t>;
  table.integers[1] = &integers<uint16_t>;
  table.integers[2] = &integers<uint32_t>;
  table.integers[3] = &integers<uint64_t>;
  table.floats[IST_FLOAT16] = &floats<IST_FLOAT16, float>;
  table.floats[IST_BFLOAT16] = &floats<IST_BFLOAT16, float>;
  table.floats[IST_FLOAT32] = &floats<IST_FLOAT32, float>;
  table.floats[IST_FLOAT64] = &floats<IST_FLOAT64, double>;
  table.threefry = &threefry;
  return table;
}

constexpr CreateTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::CreateTable* IST_ISA_NAME(create)() { return &ist::cpu::table; }
