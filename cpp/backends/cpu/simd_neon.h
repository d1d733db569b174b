// The vectors of simd.h with NEON: 32 registers of 16 bytes.
#pragma once

#include <arm_neon.h>

#include "kernels/types.h"

namespace ist::cpu {
namespace {

struct VecF32 {
  static constexpr int kWidth = 4, kRing = 4;
  using Mask = int;
  float32x4_t v;
  static inline Mask mask(int n) { return n; }
  static inline VecF32 zero() { return {vdupq_n_f32(0)}; }
  static inline VecF32 load(const float* p) { return {vld1q_f32(p)}; }
  static inline VecF32 load(const float* p, Mask n) {
    float lanes[4] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  template <class Half>
  static inline VecF32 load(const Half* p) {
    const float lanes[4] = {to_float(p[0]), to_float(p[1]), to_float(p[2]), to_float(p[3])};
    return load(lanes);
  }
  static inline VecF32 load_halves(const float* low, const float* high) {
    return {vcombine_f32(vld1_f32(low), vld1_f32(high + 2))};
  }
  template <class Half>
  static inline VecF32 load_halves(const Half* low, const Half* high) {
    return {vcombine_f32(vget_low_f32(load(low).v), vget_high_f32(load(high).v))};
  }
  static inline VecF32 broadcast(float x) { return {vdupq_n_f32(x)}; }
  static inline VecF32 fma(VecF32 a, VecF32 b, VecF32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  static inline VecF32 fnma(VecF32 a, VecF32 b, VecF32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
  static inline VecF32 add(VecF32 a, VecF32 b) { return {vaddq_f32(a.v, b.v)}; }
  inline void store(float* p) const { vst1q_f32(p, v); }
  inline void store(float* p, Mask n) const {
    float lanes[4];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  template <unsigned kLanes>
  static inline VecF32 blend(VecF32 a, VecF32 b) {
    const uint32_t lanes[4] = {-(kLanes & 1u), -(kLanes >> 1 & 1u), -(kLanes >> 2 & 1u), -(kLanes >> 3 & 1u)};
    return {vbslq_f32(vld1q_u32(lanes), b.v, a.v)};
  }
  static inline VecF32 rotate(VecF32 a) { return {vextq_f32(a.v, a.v, 3)}; }
  [[gnu::always_inline]] static inline void transpose(VecF32 (&rows)[4]) {
    const float32x4x2_t p = vtrnq_f32(rows[0].v, rows[1].v), q = vtrnq_f32(rows[2].v, rows[3].v);
    rows[0].v = vcombine_f32(vget_low_f32(p.val[0]), vget_low_f32(q.val[0]));
    rows[1].v = vcombine_f32(vget_low_f32(p.val[1]), vget_low_f32(q.val[1]));
    rows[2].v = vcombine_f32(vget_high_f32(p.val[0]), vget_high_f32(q.val[0]));
    rows[3].v = vcombine_f32(vget_high_f32(p.val[1]), vget_high_f32(q.val[1]));
  }
};
struct VecF64 {
  static constexpr int kWidth = 2, kRing = 2;
  using Mask = int;
  float64x2_t v;
  static inline Mask mask(int n) { return n; }
  static inline VecF64 zero() { return {vdupq_n_f64(0)}; }
  static inline VecF64 load(const double* p) { return {vld1q_f64(p)}; }
  static inline VecF64 load(const double* p, Mask n) {
    const double lanes[2] = {p[0], n > 1 ? p[1] : 0.0};
    return load(lanes);
  }
  static inline VecF64 load_halves(const double* low, const double* high) {
    return {vcombine_f64(vld1_f64(low), vld1_f64(high + 1))};
  }
  static inline VecF64 broadcast(double x) { return {vdupq_n_f64(x)}; }
  static inline VecF64 fma(VecF64 a, VecF64 b, VecF64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
  static inline VecF64 add(VecF64 a, VecF64 b) { return {vaddq_f64(a.v, b.v)}; }
  inline void store(double* p) const { vst1q_f64(p, v); }
  inline void store(double* p, Mask n) const {
    double lanes[2];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  template <unsigned kLanes>
  static inline VecF64 blend(VecF64 a, VecF64 b) {
    return {vcombine_f64(vget_low_f64(kLanes & 1u ? b.v : a.v), vget_high_f64(kLanes & 2u ? b.v : a.v))};
  }
  static inline VecF64 rotate(VecF64 a) { return {vextq_f64(a.v, a.v, 1)}; }
  [[gnu::always_inline]] static inline void transpose(VecF64 (&rows)[2]) {
    const float64x2_t low = vzip1q_f64(rows[0].v, rows[1].v);
    rows[1].v = vzip2q_f64(rows[0].v, rows[1].v);
    rows[0].v = low;
  }
};
constexpr int kTileRows = 12;
constexpr int kComplexTileRows = 6;

}  // namespace
}  // namespace ist::cpu
