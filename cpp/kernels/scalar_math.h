// The transcendental functions, for float and double.
#pragma once

#include "kernels/exp_log_float.h"
#include "kernels/hyperbolic_float.h"
#include "kernels/power_float.h"
#include "kernels/special_math.h"
#include "kernels/trig_float.h"

namespace ist {
namespace {
namespace scalar {

inline float erf(float x) {
  const float a = fabs(x);
  const float c = a > 4.0f ? 4.0f : a;
  const float z = c * c;
  const float p = polynomial(z, -0x1.56d132p-17f, 0x1.e05216p-14f, -0x1.be17c2p-11f, 0x1.5644e0p-8f, -0x1.b82bf2p-6f,
                             0x1.ce2f1ep-4f, -0x1.812746p-2f);
  const float small = fma(x, 0x1.20dd76p+0f, x * fma(z, p, -0x1.f7ac92p-25f));
  const float scaled_complement =
      polynomial(c - 2.0f, -0x1.bab8160p-22f, 0x1.083edc0p-18f, -0x1.2b86a40p-16f, 0x1.ee2ca20p-15f, -0x1.83a8300p-13f,
                 0x1.34f4120p-11f, -0x1.dfdd900p-10f, 0x1.64a51a0p-8f, -0x1.faa1680p-7f, 0x1.56725e0p-5f,
                 -0x1.b570280p-4f, 0x1.0586720p-2f);
  const float large = 1.0f - exp_core(-z) * scaled_complement;
  const float y = copysign(a < 1.0f ? small : large, x);
  return x != x ? x : y;
}

}  // namespace scalar
}  // namespace
}  // namespace ist
