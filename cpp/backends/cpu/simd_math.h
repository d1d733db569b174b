// Transcendental functions of whole vectors, where the level has instructions that no loop over the scalar bodies is
// compiled to: scaling by a power of two and rounding once is one of AVX-512. The bodies are those of scalar_math.h.
#pragma once

#include "backends/cpu/simd.h"
#include "kernels/scalar_math.h"

#if defined(__AVX512F__)
#define IST_VECTOR_MATH 1

namespace ist::cpu {
namespace {

struct VecMath {
  __m512 v;
  VecMath() = default;
  explicit inline VecMath(__m512 x) : v(x) {}
  explicit inline VecMath(float x) : v(_mm512_set1_ps(x)) {}
};
using VecMask = __mmask16;

inline VecMath operator+(VecMath a, VecMath b) { return VecMath(a.v + b.v); }
inline VecMath operator-(VecMath a, VecMath b) { return VecMath(a.v - b.v); }
inline VecMath operator*(VecMath a, VecMath b) { return VecMath(a.v * b.v); }
inline VecMath operator/(VecMath a, VecMath b) { return VecMath(a.v / b.v); }
inline VecMath operator-(VecMath a) { return VecMath(_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))); }
inline VecMask operator<(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ); }
inline VecMask operator>(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
inline VecMask operator>=(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
inline VecMask operator==(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ); }
inline VecMask operator!=(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ); }
inline VecMath fma(VecMath a, VecMath b, VecMath c) { return VecMath(_mm512_fmadd_ps(a.v, b.v, c.v)); }
inline VecMath select(VecMask m, VecMath a, VecMath b) { return VecMath(_mm512_mask_blend_ps(m, b.v, a.v)); }
inline VecMath at_most(VecMath x, VecMath limit) { return VecMath(_mm512_min_ps(limit.v, x.v)); }
inline VecMath at_least(VecMath x, VecMath limit) { return VecMath(_mm512_max_ps(limit.v, x.v)); }
inline VecMath sqrt(VecMath a) { return VecMath(_mm512_sqrt_ps(a.v)); }
inline VecMath trunc_of(VecMath a) {
  return VecMath(_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
}
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
inline VecMath scaled(VecMath y, VecMath k) { return VecMath(_mm512_scalef_ps(y.v, k.v)); }
inline VecMath exp2_integer(VecMath k) { return scaled(VecMath(1.0f), k); }

inline VecMath exp(VecMath x) { return scalar::exp_of(x); }
inline VecMath sigmoid(VecMath x) { return scalar::sigmoid_of(x); }
inline VecMath tanh(VecMath x) { return scalar::tanh_of(x); }
inline VecMath log(VecMath x) { return scalar::log_of(x); }
inline VecMath log2(VecMath x) { return scalar::log2_of(x); }
inline VecMath log10(VecMath x) { return scalar::log10_of(x); }
inline VecMath log1p(VecMath x) { return scalar::log1p_of(x); }
inline VecMath expm1(VecMath x) { return scalar::expm1_of(x); }
inline VecMath sinh(VecMath x) { return scalar::sinh_of(x); }
inline VecMath cosh(VecMath x) { return scalar::cosh_of(x); }
inline VecMath arcsinh(VecMath x) { return scalar::arcsinh_of(x); }
inline VecMath arccosh(VecMath x) { return scalar::arccosh_of(x); }
inline VecMath erfinv(VecMath x) { return scalar::erfinv_of(x); }
inline VecMath power(VecMath x, VecMath y) { return scalar::power_of(x, y); }
inline VecMath logaddexp(VecMath a, VecMath b) { return scalar::logaddexp_of(a, b); }

}  // namespace
}  // namespace ist::cpu

#endif
