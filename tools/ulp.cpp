// Measures the functions of kernels/scalar_ops.h against the C library's functions of the next wider type.
//
//   g++ -std=c++20 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -Icpp tools/ulp.cpp -o ulp
//   ulp NAME|all [STEP]   largest error in ULP over every STEP-th of all 2^32 inputs (1: all of them), and where
//   ulp double NAME|all [SAMPLES]   the same for float64, over pseudo-random inputs; needs a long double wider than
//   double ulp special           results at infinities, NaN, zeros and subnormals, compared with the C library's ulp
//   digest [STEP]     a hash of the results of every function: equal for builds at every instruction set
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/scalar_ops.h"

using namespace ist;

namespace {

constexpr int kBlock = 4096;

// Newton's method in long double from the function under test, which is far closer than its convergence needs.
template <class T>
T reference_erfinv(T x) {
  if (!(std::fabs(x) < 1)) return std::fabs(x) == 1 ? std::copysign(static_cast<T>(HUGE_VAL), x) : static_cast<T>(NAN);
  const long double a = std::fabs(x);
  long double y = scalar::erfinv(static_cast<double>(a));
  for (int i = 0; i < 2; ++i) {
    const long double residual = a < 0.5L ? std::erf(y) - a : (1 - a) - std::erfc(y);
    y -= residual * std::exp(y * y) * 0.886226925452758013649083741670572591L;
  }
  return std::copysign(static_cast<T>(y), x);
}
template <class T>
T reference_rsqrt(T x) {
  return 1 / std::sqrt(x);
}
template <class T>
T reference_sigmoid(T x) {
  const T e = std::exp(-std::fabs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

struct Function {
  const char* name;
  void (*apply)(const float*, float*);
  void (*apply_double)(const double*, double*);
  double (*reference)(double);
  long double (*reference_double)(long double);
};

#define ROW(name, reference)                                                                                       \
  Function {                                                                                                       \
    #name,                                                                                                         \
        [](const float* x, float* y) {                                                                             \
          for (int i = 0; i < kBlock; ++i) y[i] = scalar::name(x[i]);                                              \
        },                                                                                                         \
        [](const double* x, double* y) {                                                                           \
          for (int i = 0; i < kBlock; ++i) y[i] = scalar::name(x[i]);                                              \
        },                                                                                                         \
        [](double x) -> double { return reference(x); }, [](long double x) -> long double { return reference(x); } \
  }

const Function kFunctions[] = {
    ROW(sqrt, std::sqrt),
    ROW(rsqrt, reference_rsqrt),
    ROW(exp, std::exp),
    ROW(expm1, std::expm1),
    ROW(log, std::log),
    ROW(log2, std::log2),
    ROW(log10, std::log10),
    ROW(log1p, std::log1p),
    ROW(sin, std::sin),
    ROW(cos, std::cos),
    ROW(tan, std::tan),
    ROW(arcsin, std::asin),
    ROW(arccos, std::acos),
    ROW(arctan, std::atan),
    ROW(sinh, std::sinh),
    ROW(cosh, std::cosh),
    ROW(tanh, std::tanh),
    ROW(arcsinh, std::asinh),
    ROW(arccosh, std::acosh),
    ROW(arctanh, std::atanh),
    ROW(erf, std::erf),
    ROW(erfinv, reference_erfinv),
    ROW(sigmoid, reference_sigmoid),
    ROW(ceil, std::ceil),
    ROW(floor, std::floor),
    ROW(trunc, std::trunc),
    ROW(rint, std::rint),
};

// Distance in units of the last place of the float nearest to `expected`, subnormals included.
double error_in_ulp(float got, double expected) {
  const float nearest = static_cast<float>(expected);
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(nearest) || std::isinf(got)) {
    // An overflow is an error of one ULP if the other side is the largest finite number.
    if (nearest == got) return 0;
    return std::fabs(nearest) >= 0x1.fffffep127f && std::fabs(got) >= 0x1.fffffep127f ? 1 : HUGE_VAL;
  }
  if (expected == 0 || got == 0) {
    if (nearest == got) return std::signbit(nearest) == std::signbit(got) || expected != 0 ? 0 : HUGE_VAL;
  }
  const int exponent = std::fabs(expected) < 0x1p-126 ? -126 : std::ilogb(expected);
  return std::fabs(got - expected) / std::ldexp(1.0, exponent - 23);
}

void measure(const Function& f, uint64_t step) {
  static float x[kBlock], y[kBlock];
  double worst = 0;
  float worst_at = 0, worst_got = 0;
  uint64_t over_one = 0, count = 0;
  for (uint64_t next = 0; next < (1ull << 32);) {
    int n = 0;
    for (; n < kBlock && next < (1ull << 32); ++n, next += step) x[n] = scalar::float_of(static_cast<uint32_t>(next));
    f.apply(x, y);
    for (int i = 0; i < n; ++i) {
      const double error = error_in_ulp(y[i], f.reference(x[i]));
      over_one += error > 1;
      if (error > worst) worst = error, worst_at = x[i], worst_got = y[i];
    }
    count += static_cast<uint64_t>(n);
  }
  std::printf("%-10s max %.4f ULP at %a (got %a, expected %a); %llu of %llu above 1 ULP\n", f.name, worst, worst_at,
              worst_got, f.reference(worst_at), static_cast<unsigned long long>(over_one),
              static_cast<unsigned long long>(count));
  std::fflush(stdout);
}

double error_in_ulp(double got, long double expected) {
  const double nearest = static_cast<double>(expected);
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isinf(nearest) || std::isinf(got)) {
    if (nearest == got) return 0;
    return std::fabs(nearest) >= 0x1.fffffffffffffp1023 && std::fabs(got) >= 0x1.fffffffffffffp1023 ? 1 : HUGE_VAL;
  }
  if (nearest == got && (expected == 0 || got == 0))
    return std::signbit(nearest) == std::signbit(got) || expected != 0 ? 0 : HUGE_VAL;
  const int exponent = std::fabs(expected) < 0x1p-1022L ? -1022 : std::ilogb(expected);
  return static_cast<double>(std::fabs(got - expected) / std::ldexp(1.0L, exponent - 52));
}

// Half of the doubles have any exponent, half one around 0.
double next_double(uint64_t& state) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  const uint64_t exponent = (state & 1) != 0 ? (state >> 52) & 0x7ff : 1023 - 32 + ((state >> 52) & 63);
  return scalar::double_of((exponent << 52) | ((state >> 1) & 0x000fffffffffffffull) | ((state & 2) << 62));
}

void measure_double(const Function& f, uint64_t samples) {
  static double x[kBlock], y[kBlock];
  double worst = 0, worst_at = 0, worst_got = 0;
  uint64_t over_one = 0, count = 0, state = 1;
  while (count < samples) {
    for (double& v : x) v = next_double(state);
    f.apply_double(x, y);
    for (int i = 0; i < kBlock && count < samples; ++i, ++count) {
      const double error = error_in_ulp(y[i], f.reference_double(x[i]));
      over_one += error > 1;
      if (error > worst) worst = error, worst_at = x[i], worst_got = y[i];
    }
  }
  std::printf("%-10s max %.4f ULP at %a (got %a, expected %La); %llu of %llu above 1 ULP\n", f.name, worst, worst_at,
              worst_got, f.reference_double(worst_at), static_cast<unsigned long long>(over_one),
              static_cast<unsigned long long>(count));
  std::fflush(stdout);
}

int check_special() {
  const double values[] = {0.0,
                           -0.0,
                           1,
                           -1,
                           2,
                           -2,
                           0.5,
                           -0.5,
                           HUGE_VAL,
                           -HUGE_VAL,
                           NAN,
                           0x1p-149,
                           -0x1p-149,
                           0x1p-126,
                           0x1p-130,
                           0x1.fffffep127,
                           -0x1.fffffep127,
                           1e-10,
                           -1e-10,
                           88.8,
                           -104,
                           -88,
                           8388609.0,
                           1.5,
                           2.5,
                           -2.5,
                           1e22};
  static float x[kBlock], y[kBlock];
  static double xd[kBlock], yd[kBlock];
  int wrong = 0;
  for (const Function& f : kFunctions) {
    for (double v : values) {
      for (int i = 0; i < kBlock; ++i) x[i] = static_cast<float>(v), xd[i] = v;
      f.apply(x, y);
      f.apply_double(xd, yd);
      const double expected = f.reference(x[0]), expected_double = f.reference(v);
      const bool same_kind = std::isnan(expected_double) ? std::isnan(yd[0])
                             : std::isinf(expected_double) || expected_double == 0
                                 ? expected_double == yd[0] && std::signbit(expected_double) == std::signbit(yd[0])
                                 : std::fabs(yd[0] / expected_double - 1) < 1e-15;
      if (error_in_ulp(y[0], expected) > 2 || !same_kind) {
        std::printf("%s(%a): float %a, double %a, expected %a\n", f.name, v, y[0], yd[0], expected_double);
        ++wrong;
      }
    }
  }
  std::printf("%d wrong\n", wrong);
  return wrong != 0;
}

uint64_t mix(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3ull; }

void digest(uint64_t step) {
  static float x[kBlock], y[kBlock], z[kBlock];
  static double xd[kBlock], yd[kBlock], zd[kBlock];
  static complex64 c[kBlock], d[kBlock], r[kBlock];
  auto report = [](const char* name, uint64_t a, uint64_t b) {
    std::printf("%-12s %016llx %016llx\n", name, static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  };
  // NaNs are one value: their bits are not part of the contract.
  auto hash_float = [](uint64_t h, float v) { return mix(h, v != v ? 0x7fc00000u : scalar::bits_of(v)); };
  auto hash_double = [](uint64_t h, double v) { return mix(h, v != v ? 0x7ffull << 52 | 1 : scalar::bits_of(v)); };
  auto fill = [&](uint64_t& next, uint64_t& state) {
    for (int i = 0; i < kBlock; ++i, next += step) {
      xd[i] = next_double(state);
      x[i] = scalar::float_of(static_cast<uint32_t>(next));
      z[i] = scalar::float_of(static_cast<uint32_t>(state >> 32));
      zd[i] = (i & 3) == 0 ? xd[(i * 7) % kBlock] : static_cast<double>(x[i]);
      c[i] = {x[i], (i & 1) != 0 ? z[i] : static_cast<float>(xd[i])};
      d[i] = {z[i], x[i]};
    }
  };
  for (const Function& f : kFunctions) {
    uint64_t a = 0, b = 0, state = 1;
    for (uint64_t next = 0; next < (1ull << 32);) {
      fill(next, state);
      f.apply(x, y);
      f.apply_double(xd, yd);
      for (int i = 0; i < kBlock; ++i) a = hash_float(a, y[i]), b = hash_double(b, yd[i]);
    }
    report(f.name, a, b);
  }
#define BINARY(name)                                                                       \
  {                                                                                        \
    uint64_t a = 0, b = 0, state = 1;                                                      \
    for (uint64_t next = 0; next < (1ull << 32);) {                                        \
      fill(next, state);                                                                   \
      for (int i = 0; i < kBlock; ++i) y[i] = scalar::name(x[i], z[i]);                    \
      for (int i = 0; i < kBlock; ++i) yd[i] = scalar::name(xd[i], zd[i]);                 \
      for (int i = 0; i < kBlock; ++i) a = hash_float(a, y[i]), b = hash_double(b, yd[i]); \
    }                                                                                      \
    report(#name, a, b);                                                                   \
  }
  BINARY(power)
  BINARY(remainder)
  BINARY(floor_divide)
  BINARY(logaddexp)
  BINARY(arctan2)
#define COMPLEX(expression)                                                             \
  {                                                                                     \
    uint64_t a = 0, state = 1;                                                          \
    for (uint64_t next = 0; next < (1ull << 32);) {                                     \
      fill(next, state);                                                                \
      for (int i = 0; i < kBlock; ++i) r[i] = scalar::expression;                       \
      for (int i = 0; i < kBlock; ++i) a = hash_float(hash_float(a, r[i].re), r[i].im); \
    }                                                                                   \
    report(#expression, a, 0);                                                          \
  }
  COMPLEX(multiply(c[i], d[i]))
  COMPLEX(divide(c[i], d[i]))
  COMPLEX(power(c[i], d[i]))
  COMPLEX(logaddexp(c[i], d[i]))
#define COMPLEX_UNARY(name) COMPLEX(name(c[i]))
  COMPLEX_UNARY(sign)
  COMPLEX_UNARY(sqrt) COMPLEX_UNARY(rsqrt) COMPLEX_UNARY(exp) COMPLEX_UNARY(expm1) COMPLEX_UNARY(log)
      COMPLEX_UNARY(log2) COMPLEX_UNARY(log10) COMPLEX_UNARY(log1p) COMPLEX_UNARY(sin) COMPLEX_UNARY(cos)
          COMPLEX_UNARY(tan) COMPLEX_UNARY(sinh) COMPLEX_UNARY(cosh) COMPLEX_UNARY(tanh) COMPLEX_UNARY(arcsin)
              COMPLEX_UNARY(arccos) COMPLEX_UNARY(arctan) COMPLEX_UNARY(arcsinh) COMPLEX_UNARY(arccosh)
                  COMPLEX_UNARY(arctanh) COMPLEX_UNARY(sigmoid)
}

}  // namespace

int main(int argc, char** argv) {
  const bool wide = argc > 1 && std::strcmp(argv[1], "double") == 0;
  if (wide) --argc, ++argv;
  const char* name = argc > 1 ? argv[1] : "all";
  // The number after the name: a step for float32, a count for float64.
  const uint64_t number = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : wide ? 1ull << 28 : 1;
  if (number == 0) return std::fprintf(stderr, "%s must be a positive integer\n", wide ? "SAMPLES" : "STEP"), 2;
  if (wide && LDBL_MANT_DIG <= DBL_MANT_DIG) return std::fprintf(stderr, "long double is double here\n"), 2;
  if (std::strcmp(name, "special") == 0) return check_special();
  if (std::strcmp(name, "digest") == 0) return digest(number), 0;
  bool found = false;
  for (const Function& f : kFunctions) {
    if (std::strcmp(name, "all") != 0 && std::strcmp(name, f.name) != 0) continue;
    found = true;
    wide ? measure_double(f, number) : measure(f, number);
  }
  if (!found) return std::fprintf(stderr, "no function is called %s\n", name), 2;
  return 0;
}
