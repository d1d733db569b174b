// Near numbers of half types: four vectors of them at a time, as floats.
#pragma once

#include <type_traits>

#include "backends/cpu/simd_near.h"

#if defined(IST_NEAR_VECTORS)

namespace ist::cpu {
namespace {

// Numbers that came from a half type, and become such again.
struct Halves {
  NearFour numbers;
};
template <class Half>
inline Halves load_four(const Half* p) {
  VecF32 a, b, c, d;
  VecF32::load_two(p, a, b);
  VecF32::load_two(p + 2 * VecF32::kWidth, c, d);
  return {{{VecMath(a), VecMath(b)}, {VecMath(c), VecMath(d)}}};
}
static_assert(scalar::kNearSigmoid == 64.0f);
template <class Half>
constexpr int16_t kNearHalf = std::is_same_v<Half, bfloat16> ? 0x4280 : 0x5400;  // kNearSigmoid, less than kNearExp
template <class Half>
inline bool any_far_exp(const Half* p) {
  return VecF32::any_beyond(p, kNearHalf<Half>);
}
template <class Half>
inline bool any_far_sigmoid(const Half* p) {
  return VecF32::any_beyond(p, kNearHalf<Half>);
}

#if !defined(__AVX512F__)
template <class Half>
inline bool any_far_log(const Half* p) {
  return any(far_log(load_four(p).numbers));
}
#else
// 2^(j / 32) / 2 for 32 values of j, less what a multiple of 1 / 32 that is moved into the exponent leaves below it.
struct PowerTable {
  alignas(64) uint32_t bits[32];
};
inline constexpr PowerTable kHalfPowers = [] {
  PowerTable table{};
  constexpr float powers[32] = {
      0x1.000000p-1f, 0x1.059b0ep-1f, 0x1.0b5586p-1f, 0x1.11301ep-1f, 0x1.172b84p-1f, 0x1.1d4874p-1f, 0x1.2387a6p-1f,
      0x1.29e9e0p-1f, 0x1.306fe0p-1f, 0x1.371a74p-1f, 0x1.3dea64p-1f, 0x1.44e086p-1f, 0x1.4bfdaep-1f, 0x1.5342b6p-1f,
      0x1.5ab07ep-1f, 0x1.6247ecp-1f, 0x1.6a09e6p-1f, 0x1.71f75ep-1f, 0x1.7a1148p-1f, 0x1.82589ap-1f, 0x1.8ace54p-1f,
      0x1.93737cp-1f, 0x1.9c4918p-1f, 0x1.a5503cp-1f, 0x1.ae89fap-1f, 0x1.b7f770p-1f, 0x1.c199bep-1f, 0x1.cb720ep-1f,
      0x1.d5818ep-1f, 0x1.dfc974p-1f, 0x1.ea4afap-1f, 0x1.f50766p-1f};
  for (uint32_t j = 0; j < 32; ++j) table.bits[j] = __builtin_bit_cast(uint32_t, powers[j]) - (j << 18);
  return table;
}();
inline VecMath half_power_of_32nds(VecMath shifted) {
  const __m512i n = _mm512_castps_si512(shifted.v);
  const __m512i first = _mm512_loadu_si512(kHalfPowers.bits), second = _mm512_loadu_si512(kHalfPowers.bits + 16);
  const __m512i fraction = _mm512_permutex2var_epi32(first, n, second);
  return VecMath(_mm512_castsi512_ps(_mm512_add_epi32(fraction, _mm512_slli_epi32(n, 18))));
}
template <class V>
inline NearPairOf<V, float> half_power_of_32nds(NearPairOf<V, float> shifted) {
  return {half_power_of_32nds(shifted.first), half_power_of_32nds(shifted.second)};
}
// Half of 2^(n / 32) for the integer n in the low bits of `shifted`, times twice exp(r), for which a parabola is
// enough: 1 + r + r^2 / 2 as ((r + 1)^2 + 1) / 2. Of numbers near these two for 1, these make the rounded result that
// of scalar::exp(float) for each of the 65,536 halves, where bfloat16 rounds ties up: exp(6.84375), a little more than
// halfway between two of them, comes out as a tie.
inline Halves exp(Halves halves) {
  const NearFour x = halves.numbers, magic(scalar::kRoundMagicF);
  const NearFour shifted = fma(x, NearFour(0x1.715476p+5f), magic);
  const NearFour r = fma(shifted - magic, NearFour(-0x1.62e430p-6f), x);
  const NearFour root = r + NearFour(0x1.000076p+0f);
  return {fma(root, root, NearFour(0x1.fffe26p-1f)) * half_power_of_32nds(shifted)};
}
#endif

}  // namespace
}  // namespace ist::cpu

#endif
