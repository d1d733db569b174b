// Ranges and random bits.
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

template <int kBits>
inline void mix(uint32_t& x, uint32_t& y) {
  x += y;
  y = ((y << kBits) | (y >> (32 - kBits))) ^ x;
}

// 20 rounds, without a loop over them: the loop over counters is the one to become vectors.
// backends/reference/random.cpp has a Threefry of its own on purpose: an oracle that shared this code would share its
// mistakes.
void threefry(int64_t n, const uint32_t key[2], uint32_t x_start, uint32_t y_start, void* first, void* second) {
  Bits32* __restrict xs = static_cast<Bits32*>(first);
  Bits32* __restrict ys = static_cast<Bits32*>(second);
  const uint32_t a = key[0], b = key[1], c = a ^ b ^ 0x1bd11bdau;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t x = x_start + static_cast<uint32_t>(i) + a, y = y_start + static_cast<uint32_t>(i) + b;
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
    xs[i] = x + c;
    ys[i] = y + a + 5;
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
