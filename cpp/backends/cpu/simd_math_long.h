// More functions of whole vectors, whose bodies are so long that they want a loop and all registers for themselves.
#pragma once

#include "backends/cpu/simd_math.h"

#if defined(IST_VECTOR_SCALE)

namespace ist::cpu {
namespace {

inline VecMask operator==(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ); }
inline VecMask operator!=(VecMath a, VecMath b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ); }
inline VecMath trunc_of(VecMath a) {
  return VecMath(_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
}

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
