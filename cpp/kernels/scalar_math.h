// The transcendental functions, for float and double.
//
// The float functions that networks run on work in float. The others are the double ones rounded, which costs width
// but leaves half an ULP of error.
#pragma once

#include "kernels/piecewise_float.h"
#include "kernels/special_math.h"
#include "kernels/trig_float.h"

namespace ist {
namespace {
namespace scalar {

#define IST_FLOAT_BY_DOUBLE(name) \
  inline float name(float x) { return static_cast<float>(name(static_cast<double>(x))); }
IST_FLOAT_BY_DOUBLE(expm1)
IST_FLOAT_BY_DOUBLE(sinh)
IST_FLOAT_BY_DOUBLE(cosh)
IST_FLOAT_BY_DOUBLE(arcsinh)
IST_FLOAT_BY_DOUBLE(arccosh)
IST_FLOAT_BY_DOUBLE(arctanh)
#undef IST_FLOAT_BY_DOUBLE

inline float erfinv(float x) {
  const double a = fabs(static_cast<double>(x));
  const double c = a < 1.0 ? a : 0.0;
  const double w = -log((1.0 - c) * (1.0 + c));
  const double y = c * (w < 5.0 ? erfinv_central(w) : erfinv_tail_float(sqrt(w)));
  return copysign(static_cast<float>(a < 1.0 ? y : (a == 1.0 ? kInf : kNan)), x);
}
inline float power(float x, float y) {
  const double l = log(fabs(static_cast<double>(x))) * static_cast<double>(y);
  return power_special(x, y, static_cast<float>(exp(l)), kInfF, kNanF);
}
inline float logaddexp(float a, float b) {
  return static_cast<float>(logaddexp(static_cast<double>(a), static_cast<double>(b)));
}

}  // namespace scalar
}  // namespace
}  // namespace ist
