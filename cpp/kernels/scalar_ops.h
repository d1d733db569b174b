// The scalar body of every elementwise kernel row of ops/ops.def, by the row's name, for the compute types that the
// row's DTypeClass admits. Every backend of ours runs these, and so gives the same bits.
#pragma once

#include "kernels/complex_math.h"
#include "kernels/scalar_cast.h"

namespace ist {
namespace {
namespace scalar {

template <class T>
inline constexpr bool is_bool_v = std::is_same_v<T, bool>;
template <class T>
inline constexpr bool is_float_v = std::is_floating_point_v<T>;
// Integers compute in the unsigned type of their width, or in 32 bits if narrower: signed overflow must wrap.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
template <class T>
inline constexpr int kWidth = is_bool_v<T> ? 1 : static_cast<int>(8 * sizeof(T));

// ---- one operand ----
template <class T>
inline T negative(T x) {
  if constexpr (is_float_v<T>) {
    return -x;
  } else {
    return static_cast<T>(Wrapping<T>{0} - static_cast<Wrapping<T>>(x));
  }
}
template <class T>
inline T abs(T x) {
  if constexpr (is_float_v<T>) {
    return fabs(x);
  } else if constexpr (std::is_signed_v<T>) {
    return x < 0 ? negative(x) : x;
  } else {
    return x;
  }
}
// NaN gives 0, as upstream has it.
template <class T>
inline T sign(T x) {
  if constexpr (is_bool_v<T>) {
    return x;
  } else if constexpr (std::is_unsigned_v<T>) {
    return x != 0 ? T(1) : T(0);
  } else {
    return x > 0 ? T(1) : (x < 0 ? T(-1) : T(0));
  }
}
template <class T>
inline T square(T x) {
  if constexpr (is_bool_v<T>) {
    return x;
  } else if constexpr (is_float_v<T>) {
    return x * x;
  } else {
    return static_cast<T>(static_cast<Wrapping<T>>(x) * static_cast<Wrapping<T>>(x));
  }
}
template <class T>
inline T conjugate(T x) {
  return x;
}

#define IST_ROUNDING(name)               \
  template <class T>                     \
  inline T name(T x) {                   \
    return x;                            \
  }                                      \
  template <>                            \
  inline float name<float>(float x) {    \
    return __builtin_##name##f(x);       \
  }                                      \
  template <>                            \
  inline double name<double>(double x) { \
    return __builtin_##name(x);          \
  }
IST_ROUNDING(ceil)
IST_ROUNDING(floor)
IST_ROUNDING(trunc)
IST_ROUNDING(rint)
#undef IST_ROUNDING
inline complex64 rint(complex64 x) { return {rint(x.re), rint(x.im)}; }

inline bool logical_not(bool x) { return !x; }
template <class T>
inline T bitwise_invert(T x) {
  if constexpr (is_bool_v<T>) {
    return !x;
  } else {
    return static_cast<T>(~x);
  }
}

template <class T>
inline bool isnan(T x) {
  if constexpr (is_float_v<T>) {
    return x != x;
  } else {
    return false;
  }
}
template <class T>
inline bool isinf(T x) {
  if constexpr (is_float_v<T>) {
    return fabs(x) == static_cast<T>(kInf);
  } else {
    return false;
  }
}
template <class T>
inline bool isfinite(T x) {
  if constexpr (is_float_v<T>) {
    return fabs(x) < static_cast<T>(kInf);
  } else {
    return true;
  }
}
inline bool isnan(complex64 x) { return (x.re != x.re) | (x.im != x.im); }
inline bool isinf(complex64 x) { return isinf(x.re) | isinf(x.im); }
inline bool isfinite(complex64 x) { return isfinite(x.re) & isfinite(x.im); }

// ---- arithmetic ----
template <class T>
inline T add(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a | b;
  } else if constexpr (is_float_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
}
template <class T>
inline T subtract(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a != b;
  } else if constexpr (is_float_v<T>) {
    return a - b;
  } else {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
}
template <class T>
inline T multiply(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a & b;
  } else if constexpr (is_float_v<T>) {
    return a * b;
  } else {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
}
inline float divide(float a, float b) { return a / b; }
inline double divide(double a, double b) { return a / b; }

// a / b toward zero for b != 0; the lowest number divided by -1 wraps. Vectors have no division of integers, so those
// of up to 32 bits go by a float with some bits more: a quotient that is no integer is away from the next one by
// 1 / (|a| + |b|) of it or more, and rounding moves it by less.
template <class T>
inline T truncated_quotient(T a, T b) {
  if constexpr (sizeof(T) < 8) {
    using Float = std::conditional_t<sizeof(T) == 4, double, float>;
    const Float quotient = static_cast<Float>(a) / static_cast<Float>(b);
    if constexpr (std::is_same_v<T, uint32_t>) {
      return static_cast<T>(quotient);
    } else if constexpr (std::is_same_v<T, int32_t>) {
      return static_cast<T>(quotient == Float(0x1p31) ? -quotient : quotient);
    } else {
      return static_cast<T>(static_cast<int32_t>(quotient));
    }
  } else if constexpr (std::is_signed_v<T>) {
    return b == -1 ? negative(a) : static_cast<T>(a / (b == -1 ? T(1) : b));
  } else {
    return a / b;
  }
}
// A divisor of 0 becomes 1, by arithmetic: a condition would become a branch.
template <class T>
inline T nonzero(T b) {
  return static_cast<T>(b + (b == 0));
}
template <class T>
inline bool signs_differ(T a, T b) {
  return (a ^ b) < 0;
}

// Rounded toward minus infinity. Division by zero gives 0; the lowest number divided by -1 wraps.
template <class T>
inline T floor_divide(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a & b;
  } else if constexpr (is_float_v<T>) {
    return floor(a / b);
  } else {
    const T divisor = nonzero(b);
    T quotient = truncated_quotient(a, divisor);
    if constexpr (std::is_signed_v<T>) {
      const T rest = subtract(a, multiply(quotient, divisor));
      quotient = static_cast<T>(quotient - ((rest != 0) & signs_differ(rest, divisor)));
    }
    return static_cast<T>(quotient & -static_cast<T>(b != 0));
  }
}
// Upstream does not round the quotient of complex numbers.
inline complex64 floor_divide(complex64 a, complex64 b) { return divide(a, b); }

// The magnitude of a, b >= 0: a modulo b, exactly. The quotient of two floats has up to 277 bits; each step takes 48
// of them off, and the product of quotient and divisor is exact inside the fma.
inline double fmod_step(double a, double b) {
  const double q = __builtin_trunc(a / b);
  const double r = fma(-q, b, a);
  const double raised = r < 0.0 ? r + b : r;  // the quotient may have been rounded up to the next integer
  return raised >= b ? raised - b : raised;
}
inline float fmod(float a, float b) {
  const double divisor = b;
  double r = a;
  r = fmod_step(r, divisor * 0x1p240);
  r = fmod_step(r, divisor * 0x1p192);
  r = fmod_step(r, divisor * 0x1p144);
  r = fmod_step(r, divisor * 0x1p96);
  r = fmod_step(r, divisor * 0x1p48);
  return static_cast<float>(fmod_step(r, divisor));
}
// Exact by definition, so the C library's gives the same bits everywhere.
inline double fmod(double a, double b) { return __builtin_fmod(a, b); }

// The sign of the divisor, as in Python; a nonzero remainder of the other sign is moved by one divisor.
template <class T>
inline T remainder(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return false;
  } else if constexpr (is_float_v<T>) {
    const T infinity = static_cast<T>(kInf);
    const T aa = fabs(a), ab = fabs(b);
    const bool valid = (aa < infinity) & (ab > 0) & (ab == ab);
    const T r = copysign(fmod(valid ? aa : T(0), ab < infinity ? (ab > 0 ? ab : T(1)) : T(1)), a);
    const T magnitude = ab == infinity ? a : r;
    const T moved = (magnitude != 0) & ((magnitude < 0) != (b < 0)) ? magnitude + b : magnitude;
    return valid ? moved : static_cast<T>(kNan);
  } else {
    const T divisor = nonzero(b);
    const T rest = subtract(a, multiply(truncated_quotient(a, divisor), divisor));
    if constexpr (std::is_unsigned_v<T>) {
      return rest;
    } else {
      return add(rest, (rest != 0) & signs_differ(rest, divisor) ? divisor : T(0));
    }
  }
}
// The same bits for most pairs. Below 2^24, or 2^53, the quotient's integer part is the right one or, where rounding
// reached the next integer, one more; the remainder is a float in either case, and exact inside the fma.
template <class T>
inline constexpr T kNearQuotient = sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52);
template <class T>
inline bool remainder_is_near(T a, T b) {
  const T ab = fabs(b);
  return (fabs(a) * kNearQuotient<T> <= ab) & (ab > T(0)) & (ab < static_cast<T>(kInf));
}
template <class T>
inline T remainder_near(T a, T b) {
  const T aa = fabs(a), ab = fabs(b);
  const T rest = fma(-trunc(aa / ab), ab, aa);
  const T r = copysign(rest < T(0) ? rest + ab : rest, a);
  return (r != T(0)) & ((r < T(0)) != (b < T(0))) ? r + b : r;
}
// a - b * floor(a / b), the floor of each part: upstream has none for complex numbers.
inline complex64 remainder(complex64 a, complex64 b) {
  const complex64 q = divide(a, b);
  return subtract(a, multiply(b, complex64{floor(q.re), floor(q.im)}));
}

// Integers modulo 2^n; a negative exponent gives 0, as upstream has it. 0^0 is 1.
template <class T>
inline T power(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a | !b;
  } else {
    Wrapping<T> base = static_cast<Wrapping<T>>(a), result = 1;
    std::make_unsigned_t<T> exponent = static_cast<std::make_unsigned_t<T>>(b);
    for (int bit = 0; bit < kWidth<T>; ++bit) {
      result = (exponent & 1) != 0 ? result * base : result;
      base = base * base;
      exponent = static_cast<std::make_unsigned_t<T>>(exponent >> 1);
    }
    if constexpr (std::is_signed_v<T>) result = b < 0 ? 0 : result;
    return static_cast<T>(result);
  }
}

// ---- comparisons: complex numbers order by real part, then imaginary part ----
template <class T>
inline bool equal(T a, T b) {
  return a == b;
}
template <class T>
inline bool not_equal(T a, T b) {
  return a != b;
}
template <class T>
inline bool less(T a, T b) {
  return a < b;
}
template <class T>
inline bool less_equal(T a, T b) {
  return a <= b;
}
template <class T>
inline bool greater(T a, T b) {
  return a > b;
}
template <class T>
inline bool greater_equal(T a, T b) {
  return a >= b;
}
inline bool equal(complex64 a, complex64 b) { return (a.re == b.re) & (a.im == b.im); }
inline bool not_equal(complex64 a, complex64 b) { return (a.re != b.re) | (a.im != b.im); }
inline bool less(complex64 a, complex64 b) { return (a.re < b.re) | ((a.re == b.re) & (a.im < b.im)); }
inline bool less_equal(complex64 a, complex64 b) { return (a.re < b.re) | ((a.re == b.re) & (a.im <= b.im)); }
inline bool greater(complex64 a, complex64 b) { return less(b, a); }
inline bool greater_equal(complex64 a, complex64 b) { return less_equal(b, a); }

// The first operand wins if it is NaN, the second if they are equal (or the second is NaN). Two selections become
// vectors where one by both conditions becomes branches.
template <class T>
inline T maximum(T a, T b) {
  const T chosen = a > b ? a : b;
  return isnan(a) ? a : chosen;
}
template <class T>
inline T minimum(T a, T b) {
  const T chosen = a < b ? a : b;
  return isnan(a) ? a : chosen;
}
inline complex64 maximum(complex64 a, complex64 b) {
  const bool first = isnan(a) | (!isnan(b) & greater(a, b));
  return {first ? a.re : b.re, first ? a.im : b.im};
}
inline complex64 minimum(complex64 a, complex64 b) {
  const bool first = isnan(a) | (!isnan(b) & less(a, b));
  return {first ? a.re : b.re, first ? a.im : b.im};
}

// ---- logic and bits ----
inline bool logical_and(bool a, bool b) { return a & b; }
inline bool logical_or(bool a, bool b) { return a | b; }
inline bool logical_xor(bool a, bool b) { return a != b; }
template <class T>
inline T bitwise_and(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
inline T bitwise_or(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
inline T bitwise_xor(T a, T b) {
  return static_cast<T>(a ^ b);
}
// Counts below 0 or past the width shift everything out. A bool has one bit. Vectors shift their bytes by one count
// only, so bytes are shifted for each bit of their count in turn.
template <class T>
inline T left_shift(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a & !b;
  } else {
    const auto count = static_cast<std::make_unsigned_t<T>>(b);
    const bool inside = count < static_cast<unsigned>(kWidth<T>);
    T shifted = a;
    if constexpr (sizeof(T) == 1) {
      shifted = (count & 4) != 0 ? static_cast<T>(shifted << 4) : shifted;
      shifted = (count & 2) != 0 ? static_cast<T>(shifted << 2) : shifted;
      shifted = (count & 1) != 0 ? static_cast<T>(shifted << 1) : shifted;
    } else {
      shifted = static_cast<T>(static_cast<Wrapping<T>>(a) << (count & static_cast<unsigned>(kWidth<T> - 1)));
    }
    return inside ? shifted : T(0);
  }
}
template <class T>
inline T right_shift(T a, T b) {
  if constexpr (is_bool_v<T>) {
    return a & !b;
  } else {
    const auto count = static_cast<std::make_unsigned_t<T>>(b);
    const bool inside = count < static_cast<unsigned>(kWidth<T>);
    T shifted = a;
    if constexpr (sizeof(T) == 1) {
      shifted = (count & 4) != 0 ? static_cast<T>(shifted >> 4) : shifted;
      shifted = (count & 2) != 0 ? static_cast<T>(shifted >> 2) : shifted;
      shifted = (count & 1) != 0 ? static_cast<T>(shifted >> 1) : shifted;
    } else {
      shifted = static_cast<T>(a >> (count & static_cast<unsigned>(kWidth<T> - 1)));
    }
    return inside ? shifted : (a < T(0) ? T(-1) : T(0));
  }
}

template <class T>
inline T where(bool condition, T x, T y) {
  return condition ? x : y;
}
inline complex64 where(bool condition, complex64 x, complex64 y) {
  return {condition ? x.re : y.re, condition ? x.im : y.im};
}

}  // namespace scalar
}  // namespace
}  // namespace ist
