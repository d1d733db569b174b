// Transcendental functions of whole vectors, where the level has instructions that no loop over the scalar bodies is
// compiled to: looking up eight numbers by lane, and with AVX-512 scaling by a power of two with one rounding
// (IST_VECTOR_SCALE: all that is made of it). The bodies are those of scalar_math.h. Shorter ones for usual
// numbers are in simd_near.h, and AVX2's exp and logarithms of any in simd_near_avx2.h.
#pragma once

#include "backends/cpu/simd_sqrt.h"
#include "kernels/scalar_math.h"

#if defined(__AVX512F__) || defined(__AVX2__) || defined(__ARM_NEON)
#define IST_VECTOR_MATH 1

namespace ist::cpu {
namespace {

struct VecMath {
  decltype(VecF32::v) v;
  VecMath() = default;
  explicit inline VecMath(VecF32 x) : v(x.v) {}
  explicit inline VecMath(decltype(VecF32::v) x) : v(x) {}
  explicit inline VecMath(float x) : v(VecF32::broadcast(x).v) {}
  static constexpr int kWidth = VecF32::kWidth;
  static inline VecMath load(const float* p) { return VecMath(VecF32::load(p)); }
  inline void store(float* p) const { VecF32{v}.store(p); }
#if defined(__AVX2__)
  inline void stream(float* p) const { VecF32{v}.stream(p); }  // past the caches, to where vectors are aligned
#endif
};

inline VecMath operator+(VecMath a, VecMath b) { return VecMath(a.v + b.v); }
inline VecMath operator-(VecMath a, VecMath b) { return VecMath(a.v - b.v); }
inline VecMath operator*(VecMath a, VecMath b) { return VecMath(a.v * b.v); }
inline VecMath operator/(VecMath a, VecMath b) { return VecMath(a.v / b.v); }
inline VecMath fma(VecMath a, VecMath b, VecMath c) { return VecMath(VecF32::fma({a.v}, {b.v}, {c.v})); }

#if defined(__AVX512F__)
#define IST_VECTOR_SCALE 1
using VecMask = __mmask16;
inline VecMath operator-(VecMath a) { return VecMath(_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))); }
inline VecMask operator<(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline VecMask operator>(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
inline VecMask operator>=(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
inline VecMath select(VecMask m, VecMath a, VecMath b) { return VecMath(_mm512_mask_blend_ps(m, b.v, a.v)); }
inline VecMath select_by_sign(VecMath x, VecMath positive, VecMath negative) {
  return select(_mm512_movepi32_mask(_mm512_castps_si512(x.v)), negative, positive);
}
inline VecMath at_most(VecMath x, VecMath limit) { return VecMath(_mm512_min_ps(limit.v, x.v)); }
inline VecMath at_least(VecMath x, VecMath limit) { return VecMath(_mm512_max_ps(limit.v, x.v)); }
inline VecMath sqrt(VecMath a) { return VecMath(sqrt(VecF32{a.v})); }
inline VecMath rsqrt(VecMath a) { return VecMath(rsqrt(VecF32{a.v})); }
inline VecMath fabs(VecMath a) { return VecMath(_mm512_abs_ps(a.v)); }
inline VecMath copysign(VecMath magnitude, VecMath sign) {
  constexpr int kTakeWhereSet = 0xca;  // of the mask in the first operand
  const __m512i mask = _mm512_set1_epi32(0x7fffffff);
  return VecMath(_mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(mask, _mm512_castps_si512(magnitude.v), _mm512_castps_si512(sign.v), kTakeWhereSet)));
}
inline scalar::Split<VecMath> split(VecMath x) {
  const __m512 significand = _mm512_getmant_ps(x.v, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  const VecMath exponent(_mm512_getexp_ps(x.v)), below_one(_mm512_getexp_ps(significand));
  return {exponent - below_one, VecMath(significand) - VecMath(1.0f)};
}
inline scalar::Split<VecMath> split_normal(VecMath x) { return split(x); }
inline VecMath log_special(VecMath x, VecMath y) {
  enum { kY = 0, kQuietX = 2, kNan = 3, kMinusInfinity = 4, kInfinity = 5 };
  constexpr int kOfQuietNan = 4 * 0, kOfSignallingNan = 4 * 1, kOfZero = 4 * 2, kOfOne = 4 * 3;
  constexpr int kOfMinusInfinity = 4 * 4, kOfInfinity = 4 * 5, kOfNegative = 4 * 6, kOfPositive = 4 * 7;
  constexpr int kChoices = kQuietX << kOfQuietNan | kQuietX << kOfSignallingNan | kMinusInfinity << kOfZero |
                           kY << kOfOne | kNan << kOfMinusInfinity | kInfinity << kOfInfinity | kNan << kOfNegative |
                           kY << kOfPositive;
  return VecMath(_mm512_fixupimm_ps(y.v, x.v, _mm512_set1_epi32(kChoices), 0));
}
inline VecMath scaled(VecMath y, VecMath k) { return VecMath(_mm512_scalef_ps(y.v, k.v)); }
inline VecMath exp2_integer(VecMath k) { return scaled(VecMath(1.0f), k); }
inline VecMath limited_below(VecMath x, VecMath) { return x; }
// The processor takes a hundred cycles for a vector of which scalef makes something subnormal, or 0 because it is too
// small. Such lanes are left out, and go by scalar::scaled_bits(). They may hold a NaN on the way.
inline VecMath scaled_exp(VecMath y, scalar::ReducedExp<VecMath> e) {
  constexpr float kNormalFrom = -125.0f, kZeroBelow = -151.0f;  // less than half of 2^-149
  const VecMask normal = _mm512_cmp_ps_mask(e.k.v, _mm512_set1_ps(kNormalFrom), _CMP_NLT_UQ);
  const VecMask zero = _mm512_cmp_ps_mask(e.k.v, _mm512_set1_ps(kZeroBelow), _CMP_LT_OQ);
  if ((normal | zero) == 0xffff) [[likely]]
    return VecMath(_mm512_maskz_scalef_ps(normal, y.v, e.k.v));
  const __m512i smallest = _mm512_set1_epi32(scalar::kSmallestNormalF);
  const __m512i k = _mm512_slli_epi32(_mm512_castps_si512(e.shifted.v), 23), unit = _mm512_sub_epi32(smallest, k);
  const __m512i sum = _mm512_castps_si512(y.v + _mm512_castsi512_ps(unit));
  const __m512i shifted = _mm512_add_epi32(_mm512_castps_si512(y.v), k);
  const VecMask subnormal = _mm512_cmplt_epi32_mask(shifted, smallest);
  const __m512i small = _mm512_mask_sub_epi32(shifted, subnormal, sum, unit);
  const __m512 others = _mm512_castsi512_ps(_mm512_maskz_mov_epi32(static_cast<VecMask>(~zero), small));
  return VecMath(_mm512_mask_scalef_ps(others, normal, y.v, e.k.v));
}
inline VecMath scaled_down(VecMath y, scalar::ReducedExp<VecMath> e) { return scaled_exp(y, e); }

struct VecPiece {
  __m512i v;
};
template <int kShift>
inline VecPiece piece_of(VecMath place) {
  return {_mm512_srli_epi32(_mm512_castps_si512(place.v), kShift)};
}
// Sixteen places: the table twice, so that the bits above the third do not matter.
inline VecMath lookup(const float (&table)[scalar::kPieces], VecPiece piece) {
  return VecMath(_mm512_permutexvar_ps(piece.v, _mm512_broadcast_f32x8(_mm256_loadu_ps(table))));
}

// Most vectors need neither limits nor what scaled_exp() has for small results.
inline bool any_beyond(VecMath x, float limit) {
  return _mm512_cmp_ps_mask(fabs(x).v, _mm512_set1_ps(limit), _CMP_GT_OQ) != 0;
}
inline VecMath exp_near(VecMath x) {
  const scalar::ReducedExp<VecMath> e = scalar::reduce_exp(x);
  return scaled(scalar::exp_reduced(e.r), e.k);
}
inline VecMath exp(VecMath x) {
  if (any_beyond(x, scalar::kNearExp)) [[unlikely]]
    return scalar::exp_of(x);
  return exp_near(x);
}
inline VecMath sigmoid_near(VecMath x) { return scalar::sigmoid_by_exp(x, exp_near(-fabs(x))); }
inline VecMath sigmoid(VecMath x) {
  if (any_beyond(x, scalar::kNearSigmoid)) [[unlikely]]
    return scalar::sigmoid_of(x);
  return sigmoid_near(x);
}
inline VecMath log(VecMath x) { return scalar::log_of(x); }
inline VecMath log2(VecMath x) { return scalar::log2_of(x); }
inline VecMath log10(VecMath x) { return scalar::log10_of(x); }
inline VecMath log1p(VecMath x) { return scalar::log1p_of(x); }
#elif defined(__AVX2__)
inline VecMath limited_below(VecMath x, VecMath limit) { return VecMath(_mm256_max_ps(limit.v, x.v)); }
// As for scalars.
inline __m256i scaled_bits(VecMath y, scalar::ReducedExp<VecMath> e) {
  const __m256i k = _mm256_slli_epi32(_mm256_castps_si256(e.shifted.v), 23);
  const __m256i smallest = _mm256_set1_epi32(scalar::kSmallestNormalF), unit = _mm256_sub_epi32(smallest, k);
  const __m256i normal = _mm256_add_epi32(_mm256_castps_si256(y.v), k);
  const __m256i subnormal = _mm256_sub_epi32(_mm256_castps_si256(y.v + _mm256_castsi256_ps(unit)), unit);
  return _mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(smallest, normal));
}
inline VecMath times_power(VecMath y, VecMath shifted) {
  const __m256i k = _mm256_slli_epi32(_mm256_castps_si256(shifted.v), 23);
  return VecMath(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y.v), k)));
}
// 2^k is an addition to the exponent, but where that does not do.
inline VecMath scaled_down(VecMath y, scalar::ReducedExp<VecMath> e) {
  constexpr float kNormalFrom = -125.0f;
  const __m256 normal = _mm256_cmp_ps(e.k.v, _mm256_set1_ps(kNormalFrom), _CMP_GE_OQ);
  if (_mm256_movemask_ps(normal) == 0xff) [[likely]]
    return times_power(y, e.shifted);
  return VecMath(_mm256_castsi256_ps(scaled_bits(y, e)) + (y.v - y.v));
}
inline VecMath sqrt(VecMath a) { return VecMath(_mm256_sqrt_ps(a.v)); }
inline VecMath at_most(VecMath x, VecMath limit) { return VecMath(_mm256_min_ps(limit.v, x.v)); }
inline VecMath fabs(VecMath a) { return VecMath(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)); }
inline VecMath copysign(VecMath magnitude, VecMath sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return VecMath(_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.v), _mm256_and_ps(bit, sign.v)));
}

struct VecPiece {
  __m256i v;
};
template <int kShift>
inline VecPiece piece_of(VecMath place) {
  return {_mm256_srli_epi32(_mm256_castps_si256(place.v), kShift)};
}
inline VecMath lookup(const float (&table)[scalar::kPieces], VecPiece piece) {
  return VecMath(_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), piece.v));
}
#else
// Not vminq_f32, which would replace the NaN.
inline VecMath at_most(VecMath x, VecMath limit) { return VecMath(vbslq_f32(vcgtq_f32(x.v, limit.v), limit.v, x.v)); }
inline VecMath fabs(VecMath a) { return VecMath(vabsq_f32(a.v)); }
inline VecMath copysign(VecMath magnitude, VecMath sign) {
  return VecMath(vbslq_f32(vdupq_n_u32(0x7fffffff), magnitude.v, sign.v));
}

struct VecPiece {
  uint8x16_t v;  // places of the bytes of the numbers
};
template <int kShift>
inline VecPiece piece_of(VecMath place) {
  const uint32x4_t bits = vreinterpretq_u32_f32(place.v);
  uint32x4_t shifted = bits;
  if constexpr (kShift > 0) shifted = vshrq_n_u32(bits, kShift);
  const uint32x4_t piece = vandq_u32(shifted, vdupq_n_u32(scalar::kPieces - 1));
  return {vreinterpretq_u8_u32(vmlaq_n_u32(vdupq_n_u32(0x03020100), piece, 0x04040404))};
}
inline VecMath lookup(const float (&table)[scalar::kPieces], VecPiece piece) {
  const uint8x16x2_t both = {vreinterpretq_u8_f32(vld1q_f32(table)), vreinterpretq_u8_f32(vld1q_f32(table + 4))};
  return VecMath(vreinterpretq_f32_u8(vqtbl2q_u8(both, piece.v)));
}
#endif

inline VecMath tanh(VecMath x) { return scalar::tanh_of(x); }
inline VecMath erf(VecMath x) { return scalar::erf_of(x); }

}  // namespace
}  // namespace ist::cpu

#endif
