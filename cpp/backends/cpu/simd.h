// The widest vectors with fused multiply-add of the level that is compiled, for the matrix kernels.
#pragma once

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace ist::cpu {
namespace {

#if defined(__AVX512F__)
struct VecF32 {
  static constexpr int kWidth = 16;
  __m512 v;
  static inline VecF32 zero() { return {_mm512_setzero_ps()}; }
  static inline VecF32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static inline VecF32 broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {_mm512_add_ps(a.v, b.v)}; }
  inline void store(float* p) const { _mm512_storeu_ps(p, v); }
};
struct VecF64 {
  static constexpr int kWidth = 8;
  __m512d v;
  static inline VecF64 zero() { return {_mm512_setzero_pd()}; }
  static inline VecF64 load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static inline VecF64 broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {_mm512_add_pd(a.v, b.v)}; }
  inline void store(double* p) const { _mm512_storeu_pd(p, v); }
};
constexpr int kTileRows = 12;  // times two vectors: 24 of 32 registers accumulate
#elif defined(__AVX2__)
struct VecF32 {
  static constexpr int kWidth = 8;
  __m256 v;
  static inline VecF32 zero() { return {_mm256_setzero_ps()}; }
  static inline VecF32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static inline VecF32 broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {_mm256_add_ps(a.v, b.v)}; }
  inline void store(float* p) const { _mm256_storeu_ps(p, v); }
};
struct VecF64 {
  static constexpr int kWidth = 4;
  __m256d v;
  static inline VecF64 zero() { return {_mm256_setzero_pd()}; }
  static inline VecF64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static inline VecF64 broadcast(double x) { return {_mm256_set1_pd(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {_mm256_add_pd(a.v, b.v)}; }
  inline void store(double* p) const { _mm256_storeu_pd(p, v); }
};
constexpr int kTileRows = 6;  // 12 of 16 registers accumulate
#elif defined(__ARM_NEON)
struct VecF32 {
  static constexpr int kWidth = 4;
  float32x4_t v;
  static inline VecF32 zero() { return {vdupq_n_f32(0)}; }
  static inline VecF32 load(const float* p) { return {vld1q_f32(p)}; }
  static inline VecF32 broadcast(float x) { return {vdupq_n_f32(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {vaddq_f32(a.v, b.v)}; }
  inline void store(float* p) const { vst1q_f32(p, v); }
};
struct VecF64 {
  static constexpr int kWidth = 2;
  float64x2_t v;
  static inline VecF64 zero() { return {vdupq_n_f64(0)}; }
  static inline VecF64 load(const double* p) { return {vld1q_f64(p)}; }
  static inline VecF64 broadcast(double x) { return {vdupq_n_f64(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {vaddq_f64(a.v, b.v)}; }
  inline void store(double* p) const { vst1q_f64(p, v); }
};
constexpr int kTileRows = 12;
#else
// No fused instruction at this level: the C library's fma, one element at a time.
struct VecF32 {
  static constexpr int kWidth = 1;
  float v;
  static inline VecF32 zero() { return {0.0f}; }
  static inline VecF32 load(const float* p) { return {*p}; }
  static inline VecF32 broadcast(float x) { return {x}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {a.v + b.v}; }
  inline void store(float* p) const { *p = v; }
};
struct VecF64 {
  static constexpr int kWidth = 1;
  double v;
  static inline VecF64 zero() { return {0.0}; }
  static inline VecF64 load(const double* p) { return {*p}; }
  static inline VecF64 broadcast(double x) { return {x}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {__builtin_fma(a.v, b.v, c.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {a.v + b.v}; }
  inline void store(double* p) const { *p = v; }
};
constexpr int kTileRows = 2;
#endif

}  // namespace
}  // namespace ist::cpu
