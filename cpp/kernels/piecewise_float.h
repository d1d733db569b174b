// tanh and erf of float: both rise from 0 to 1 within a few units, so eight polynomials do for all arguments.
//
// Each element looks up the coefficients of its own piece: eight floats are what an instruction can permute at AVX2,
// and at AVX-512 and NEON as well. There is no division and no exponential, and the only roundings that show are those
// of the last two steps. tools/fit_pieces.py made the tables and says how.
#pragma once

#include "kernels/exp_log_float.h"

namespace ist {
namespace {
namespace scalar {

inline constexpr int kPieces = 8;

// Which piece: the lowest bits of `place` after a shift.
template <int kShift>
inline uint32_t piece_of(float place) {
  return (bits_of(place) >> kShift) % kPieces;
}
inline float lookup(const float (&table)[kPieces], uint32_t piece) { return table[piece]; }

// f(centre + h) = value + h * q(h). Infinities have been limited by the caller; NaN looks up any piece and stays NaN.
template <class F, class Piece>
struct Expansion {
  F h, q, value;
  Piece piece;
};
// A table's rows: centres, values, the coefficients of q from the highest on.
template <int kShift, int kRows, class F>
inline auto expand(const float (&table)[kRows][kPieces], F x, F place) {
  const auto piece = piece_of<kShift>(place);
  const F h = x - lookup(table[0], piece);
  F q = lookup(table[2], piece);
  for (int k = 3; k < kRows; ++k) q = fma(q, h, lookup(table[k], piece));
  return Expansion<F, decltype(piece)>{h, q, lookup(table[1], piece), piece};
}

inline constexpr float kTanh[9][kPieces] = {
    {0.0f, 0x1.fff858p-2f, 0x1.000d0ep+0f, 0x1.aa9f6cp+0f, 0x1.553f2ap+1f, 0x1.000cbep+2f, 0x1.800688p+2f,
     0x1.070e2ep+3f},
    {0.0f, 0x1.d92f38p-2f, 0x1.85faa2p-1f, 0x1.dcb768p-1f, 0x1.fb12c4p-1f, 0x1.ffa83ap-1f, 0x1.fffe64p-1f,
     0x1.fffffcp-1f},
    {-0x1.3a167cp-5f, 0x1.33ae8ep-6f, 0x1.b0139ep-9f, -0x1.54f6eep-9f, 0x1.7245b8p-14f, 0x1.2016f6p-16f,
     0x1.a874eep-22f, -0x1.832c70p-25f},
    {-0x1.28ac0ep-7f, -0x1.988eecp-5f, 0x1.1e5156p-6f, 0x1.cad1b4p-9f, -0x1.3a16b4p-11f, -0x1.02a016p-14f,
     -0x1.747504p-20f, -0x1.c56690p-20f},
    {0x1.158d8ep-3f, -0x1.b62362p-6f, -0x1.7bd69ap-5f, 0x1.39d19cp-9f, 0x1.206a0ep-9f, 0x1.71ee56p-13f, 0x1.a6673ep-19f,
     0x1.49fd50p-24f},
    {-0x1.0b5b90p-12f, 0x1.513f6ep-3f, 0x1.c6cab0p-6f, -0x1.96c0e8p-6f, -0x1.86b934p-8f, -0x1.d0daf8p-12f,
     -0x1.080456p-17f, 0x1.f56bb8p-20f},
    {-0x1.5551d4p-2f, -0x1.81f486p-4f, 0x1.a87774p-4f, 0x1.22d9d8p-4f, 0x1.9656f4p-7f, 0x1.d30d44p-11f, 0x1.13d13cp-16f,
     0x1.9294bcp-23f},
    {-0x1.f1c826p-23f, -0x1.742516p-2f, -0x1.4776f6p-2f, -0x1.fb8542p-4f, -0x1.36c4d4p-6f, -0x1.5ec212p-10f,
     -0x1.9d93f8p-16f, -0x1.d179ccp-21f},
    {0x1.000000p+0f, 0x1.92ac10p-1f, 0x1.adec58p-2f, 0x1.108ae4p-3f, 0x1.39cac6p-6f, 0x1.5ef9cep-10f, 0x1.9bd664p-16f,
     0x1.36fc6ap-22f},
};
inline constexpr float kErf[8][kPieces] = {
    {0.0f, 0x1.110aeap-1f, 0x1.110736p+0f, 0x1.99b004p+0f, 0x1.111e60p+1f, 0x1.55385ap+1f, 0x1.999e3cp+1f,
     0x1.ddfd1ep+1f},
    {0.0f, 0x1.193886p-1f, 0x1.bcae56p-1f, 0x1.f3e7d8p-1f, 0x1.feb202p-1f, 0x1.ffea9ap-1f, 0x1.ffff36p-1f,
     0x1.fffffcp-1f},
    {-0x1.4356c6p-6f, -0x1.84aacap-5f, 0x1.4e01e0p-7f, 0x1.f6bcccp-7f, -0x1.c27188p-10f, -0x1.0ca070p-9f,
     -0x1.683a1ap-12f, -0x1.abd854p-11f},
    {0x1.e48902p-4f, -0x1.a22072p-10f, -0x1.0833a2p-4f, -0x1.4ce1f8p-8f, 0x1.8ef9b4p-7f, 0x1.eede04p-9f,
     0x1.c0795ap-12f, 0x1.504e62p-16f},
    {-0x1.66214ap-11f, 0x1.77b2d8p-3f, 0x1.7e52b0p-5f, -0x1.93fdc0p-5f, -0x1.a72860p-6f, -0x1.2e0c8cp-8f,
     -0x1.88e098p-12f, 0x1.23b7aep-14f},
    {-0x1.811da6p-2f, -0x1.f4035ep-4f, 0x1.3ac6eep-3f, 0x1.ea8206p-4f, 0x1.073c12p-5f, 0x1.0ad30cp-8f, 0x1.113572p-12f,
     0x1.2c4996p-17f},
    {-0x1.452ff2p-21f, -0x1.cfaa50p-2f, -0x1.8b1f62p-2f, -0x1.1d94a6p-3f, -0x1.9fa910p-6f, -0x1.433c9ep-9f,
     -0x1.0e38d0p-13f, -0x1.913946p-18f},
    {0x1.06eba8p-3f, 0x1.b2b980p-1f, 0x1.727ac6p-2f, 0x1.64e5fep-4f, 0x1.859b92p-7f, 0x1.e507d8p-11f, 0x1.51cce2p-15f,
     0x1.0a01f0p-20f},
};
// To be added to q: 2/sqrt(pi) - 1 is known better than 2/sqrt(pi) is.
inline constexpr float kErfSlope[kPieces] = {1.0f};

// Pieces are the half octaves of 2 + 3 |x|, from 2 on: they begin at 0, 1/3, 2/3, 4/3, 2, 10/3, 14/3 and 22/3.
template <class F>
inline F tanh_of(F x) {
  const F a = at_most(fabs(x), F(9.1f));  // 1 from 9.02 on
  const auto at = expand<22>(kTanh, a, fma(a, F(3.0f), F(2.0f)));
  return copysign(fma(at.q, at.h, at.value), x);
}
// Pieces have their middles at multiples of 8/15.
template <class F>
inline F erf_of(F x) {
  const F a = at_most(fabs(x), F(3.99f));  // 1 from 3.92 on
  const auto at = expand<0>(kErf, a, fma(a, F(1.875f), F(kRoundMagicF)));
  return copysign(fma(at.q, at.h, fma(lookup(kErfSlope, at.piece), at.h, at.value)), x);
}

inline float tanh(float x) { return tanh_of(x); }
inline float erf(float x) { return erf_of(x); }

}  // namespace scalar
}  // namespace
}  // namespace ist
