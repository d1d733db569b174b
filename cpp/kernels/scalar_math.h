// The transcendental functions, for float and double.
//
// The float functions below are the double ones rounded, which costs width but leaves half an ULP of error.
#pragma once

#include "kernels/exp_log.h"
#include "kernels/special_math.h"
#include "kernels/trig.h"

namespace ist {
namespace {
namespace scalar {

#define IST_FLOAT_BY_DOUBLE(name) \
  inline float name(float x) { return static_cast<float>(name(static_cast<double>(x))); }
IST_FLOAT_BY_DOUBLE(exp)
IST_FLOAT_BY_DOUBLE(log)
IST_FLOAT_BY_DOUBLE(tanh)
IST_FLOAT_BY_DOUBLE(sigmoid)
IST_FLOAT_BY_DOUBLE(erf)
IST_FLOAT_BY_DOUBLE(expm1)
IST_FLOAT_BY_DOUBLE(log2)
IST_FLOAT_BY_DOUBLE(log10)
IST_FLOAT_BY_DOUBLE(log1p)
IST_FLOAT_BY_DOUBLE(arcsin)
IST_FLOAT_BY_DOUBLE(arccos)
IST_FLOAT_BY_DOUBLE(arctan)
IST_FLOAT_BY_DOUBLE(sinh)
IST_FLOAT_BY_DOUBLE(cosh)
IST_FLOAT_BY_DOUBLE(arcsinh)
IST_FLOAT_BY_DOUBLE(arccosh)
IST_FLOAT_BY_DOUBLE(arctanh)
#undef IST_FLOAT_BY_DOUBLE

inline float erfinv(float x) {
  const double a = fabs(static_cast<double>(x));
  const double c = a < 1.0 ? a : 0.0;
  const double y = erfinv_estimate(c, -log((1.0 - c) * (1.0 + c)));
  return copysign(static_cast<float>(a < 1.0 ? y : (a == 1.0 ? kInf : kNan)), x);
}
inline float power(float x, float y) {
  const double l = log(fabs(static_cast<double>(x))) * static_cast<double>(y);
  return power_special(x, y, static_cast<float>(exp(l)), kInfF, kNanF);
}
inline float logaddexp(float a, float b) {
  return static_cast<float>(logaddexp(static_cast<double>(a), static_cast<double>(b)));
}
inline float arctan2(float y, float x) {
  return static_cast<float>(arctan2(static_cast<double>(y), static_cast<double>(x)));
}

}  // namespace scalar
}  // namespace
}  // namespace ist
