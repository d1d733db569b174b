// Division of integers by one divisor: a multiplication by its inverse (Granlund and Montgomery 1994), which vectors
// have, and a tenth of the time of a division. Quotients are exact, so the bits are those of scalar_ops.h.
#pragma once

#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "backends/cpu/compiler_vectors.h"
#include "backends/cpu/isa_common.h"
#include "backends/cpu/simd.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

constexpr int64_t kInverseFrom = 64;  // elements that are worth an inverse

// Dividends are computed with in lanes of this type; vectors have no products of bytes.
template <class T>
using Lane = Unsigned<sizeof(T) == 1 ? 2 : sizeof(T)>;
template <class U>
constexpr int kLaneBits = 8 * static_cast<int>(sizeof(U));
__extension__ typedef unsigned __int128 Unsigned128;
template <class U>
using Double = std::conditional_t<sizeof(U) == 2, uint32_t, std::conditional_t<sizeof(U) == 4, uint64_t, Unsigned128>>;

template <class U>
inline U high_product(U a, U b) {
  return static_cast<U>(static_cast<Double<U>>(a) * b >> kLaneBits<U>);
}

#if defined(__SSE2__)
// The products that vectors have are those of the low halves of 64-bit lanes. GCC 12 multiplies all of these lanes.
using Lanes64 = Elements<uint64_t>;
inline Lanes64 product_of_lows(Lanes64 a, Lanes64 b) {
#if defined(__AVX512F__)
  return (Lanes64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Lanes64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return (Lanes64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}
// Lanes are moved by shuffles: shifts would be one too many for their port.
template <int... i>
inline Elements<uint32_t> high_product(Elements<uint32_t> a, Elements<uint32_t> b, std::integer_sequence<int, i...>) {
  constexpr int W = kWidth<uint32_t>;
  const Lanes64 even = product_of_lows((Lanes64)a, (Lanes64)b);
  const Lanes64 odd = product_of_lows((Lanes64)__builtin_shufflevector(a, a, (i | 1)...), (Lanes64)b);
  return __builtin_shufflevector((Elements<uint32_t>)even, (Elements<uint32_t>)odd, (i % 2 == 0 ? i + 1 : i + W)...);
}
inline Elements<uint32_t> high_product(Elements<uint32_t> a, Elements<uint32_t> b) {
  return high_product(a, b, std::make_integer_sequence<int, kWidth<uint32_t>>());
}
inline Elements<uint64_t> high_product(Elements<uint64_t> a, Elements<uint64_t> b) {
  const Lanes64 a_high = a >> 32, b_high = b >> 32;
  const Lanes64 middle = product_of_lows(a_high, b) + (product_of_lows(a, b) >> 32);
  const Lanes64 other = product_of_lows(a, b_high) + (middle << 32 >> 32);
  return product_of_lows(a_high, b_high) + (middle >> 32) + (other >> 32);
}
template <class T>
constexpr bool kDividesVectors = sizeof(T) >= 4;
#else
template <class T>
constexpr bool kDividesVectors = false;
#endif

// x / d for d > 1 and all magnitudes x of T: the high half of x * factor, shifted. What is unsigned wants a bit more of
// the factor than a lane has, and gets that bit by adding x.
template <class T>
struct Inverse {
  using U = Lane<T>;
  U factor, scale;
  int shift;

  // (GCC finds no products of two 16-bit lanes in a row.)
  static constexpr bool kAdds = std::is_unsigned_v<T> || sizeof(T) == 2;
  // Bytes have bits to spare in their lanes, and halving wants no shift.
  static constexpr inline bool is_direct(U d) { return sizeof(T) == 1 || (sizeof(T) == 2 && d == 2); }

  explicit inline Inverse(U d) {
    const int bits = 64 - __builtin_clzll(uint64_t{d} - 1);  // d <= 2^bits
    shift = bits - 1;
    scale = static_cast<U>(Double<U>{1} << (kLaneBits<U> - shift));
    Double<U> numerator = (Double<U>{1} << bits) - d;
    if (!kAdds) numerator = Double<U>{1} << shift;
    if (is_direct(d)) numerator = 1;
    factor = static_cast<U>(((numerator << kLaneBits<U>)+(d - 1)) / d);
  }
  // X: U, or a vector of it.
  template <bool kDirect, class X>
  inline X quotient(X x) const {
    X t = high_product(x, static_cast<X>(X{} + factor));
    if constexpr (kDirect) return t;
    if constexpr (kAdds) t = static_cast<X>(t + static_cast<X>(static_cast<X>(x - t) >> 1));
    // Vectors of 16 bits are shifted by a product.
    if constexpr (sizeof(U) == 2) return high_product(t, scale);
    return static_cast<X>(t >> shift);
  }
};

// Negative dividends by way of ~x, which is not negative: floor(x / d) = ~floor(~x / d). Not to be inlined: GCC would
// see that the factor came out of a wider number, and multiply wider ones.
template <class T, bool kRemainder, bool kDirect>
__attribute__((noinline)) void divide_all(int64_t n, T divisor, const Inverse<T>& inverse, const T* __restrict a,
                                          T* __restrict r) {
  constexpr int kSignBit = 8 * sizeof(T) - 1;
  int64_t i = 0;
  if constexpr (kDividesVectors<T>) {
    using U = Elements<Unsigned<sizeof(T)>>;
    for (; i + kWidth<T> <= n; i += kWidth<T>) {
      const Elements<T> x = load(a + i);
      const U sign = std::is_signed_v<T> ? (U)(x >> kSignBit) : U{};
      U result = inverse.template quotient<kDirect>((U)x ^ sign) ^ sign;
      if constexpr (kRemainder) result = (U)x - result * static_cast<Unsigned<sizeof(T)>>(divisor);
      __builtin_memcpy(r + i, &result, sizeof(result));
    }
  }
  for (; i < n; ++i) {
    const T x = a[i];
    const T sign = std::is_signed_v<T> ? static_cast<T>(x >> kSignBit) : T(0);
    const auto magnitude = static_cast<Lane<T>>(static_cast<Unsigned<sizeof(T)>>(x ^ sign));
    const T quotient = static_cast<T>(static_cast<T>(inverse.template quotient<kDirect>(magnitude)) ^ sign);
    r[i] = kRemainder ? scalar::subtract(x, scalar::multiply(quotient, divisor)) : quotient;
  }
}

template <class T>
inline bool are_equal(int64_t n, const T* __restrict x) {
  if (x[0] != x[n - 1]) return false;
  T different = 0;
  for (int64_t i = 0; i < n; ++i) different = static_cast<T>(different | (x[i] ^ x[0]));
  return different == 0;
}

// floor_divide or remainder if all n divisors are one above 1; otherwise returns false. It may be known that they are
// equal.
template <class T, bool kRemainder, bool kEqual>
inline bool divide_by_one(int64_t n, const T* __restrict a, const T* __restrict b, T* __restrict r) {
  if (n < kInverseFrom || b[0] <= 1 || (!kEqual && !are_equal(n, b))) return false;
  const Lane<T> divisor = static_cast<Lane<T>>(b[0]);
  const Inverse<T> inverse(divisor);
  if (Inverse<T>::is_direct(divisor)) {
    divide_all<T, kRemainder, true>(n, b[0], inverse, a, r);
  } else {
    divide_all<T, kRemainder, false>(n, b[0], inverse, a, r);
  }
  return true;
}

}  // namespace
}  // namespace ist::cpu
