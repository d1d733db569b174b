// Pieces of softmax, logsumexp, norms and attention, over rows in the accumulator type.
//
// Lanes of sums start at +0 and so never hold -0: adding those that no element reached changes nothing.
#include "backends/cpu/reduce_fold.h"
#include "backends/cpu/reduce_kernels.h"
#include "backends/cpu/simd_near.h"
#include "kernels/scalar_ops.h"

namespace ist::cpu {
namespace {

// The larger one; the second where the first is NaN.
struct Larger {
  template <class V>
  static inline V vectors(V a, V b) {
    return a > b ? a : b;
  }
};

// Of at least kWide elements; the last ones once more where they are no whole number of times as many.
template <int kWide, class T>
inline T largest_of(int64_t n, const T* __restrict x) {
  T lane[kWide], result;
  for (int i = 0; i < kWide; ++i) lane[i] = Limits<T>::lowest();
  const auto step = [&](const T* from) __attribute__((always_inline)) {
    for (int i = 0; i < kWide; ++i) lane[i] = Larger::vectors(from[i], lane[i]);
  };
  int64_t j = 0;
  for (; j + kWide <= n; j += kWide) step(x + j);
  if (j < n) step(x + n - kWide);
  fold_rows_of_lanes<Larger, 1>(&lane, &result);
  return result;
}

template <class T>
void largest(int64_t n, const void* data, void* result) {
  constexpr int kWide = 64, kNarrow = 16;  // enough chains that their latency does not show, if there are so many
  const T* x = static_cast<const T*>(data);
  T* out = static_cast<T*>(result);
  if (n >= kWide) {
    *out = largest_of<kWide>(n, x);
  } else if (n >= kNarrow) {
    *out = largest_of<kNarrow>(n, x);
  } else {
    T most = Limits<T>::lowest();
    for (int64_t i = 0; i < n; ++i) most = Larger::vectors(x[i], most);
    *out = most;
  }
}

// exp of what is not positive.
inline float exp_of(float x) { return scalar::exp_of_negative(x); }
inline double exp_of(double x) { return scalar::exp(x); }

// The exponentials of one element for each lane, added to the lanes.
template <class T>
inline void exp_step(const T* x, T top, T* r, T* lane) {
#pragma GCC ivdep
  for (int i = 0; i < kLanes; ++i) {
    const T e = exp_of(x[i] - top);
    r[i] = e;
    lane[i] = lane[i] + e;
  }
}
// The same where that is possible in a shorter way; false if it is not.
template <class T>
inline bool exp_step_near(const T*, T, T*, T*) {
  return false;
}
#if defined(IST_NEAR_VECTORS)
template <class Exp>
inline void exp_step_of(const float* x, float top, float* r, float* lane, Exp&& exp_of) {
  constexpr int W = VecF32::kWidth;
  const auto below = [&](int i) { return VecMath(VecF32::load(x + i)) - VecMath(top); };
  const auto keep = [&](VecMath e, int i) {
    VecF32{e.v}.store(r + i);
    VecF32{(VecMath(VecF32::load(lane + i)) + e).v}.store(lane + i);
  };
#pragma GCC unroll 2
  for (int i = 0; i < kLanes; i += 2 * W) {
    const NearPair e = exp_of(NearPair(below(i), below(i + W)));
    keep(e.first, i), keep(e.second, i + W);
  }
}
inline void exp_step(const float* x, float top, float* r, float* lane) {
  exp_step_of(x, top, r, lane, [](NearPair below) { return exp_of_negative(below); });
}
#if !defined(__AVX512F__)
inline bool exp_step_near(const float* x, float top, float* r, float* lane) {
  constexpr int W = VecF32::kWidth;
  const auto is_near = [&](int i) { return is_near_negative(VecMath(VecF32::load(x + i)) - VecMath(top)).v; };
  const __m256 near =
      _mm256_and_ps(_mm256_and_ps(is_near(0), is_near(W)), _mm256_and_ps(is_near(2 * W), is_near(3 * W)));
  if (_mm256_movemask_ps(near) != 0xff) return false;
  exp_step_of(x, top, r, lane, [](NearPair below) { return exp(below); });
  return true;
}
#endif
#endif

// What follows a row in memory is mostly the next one, of which the hardware reads ahead too little.
template <class T>
inline void ask_for_lanes(const T* x) {
  constexpr int kLine = 64 / sizeof(T);
  for (int i = 0; i < kLanes; i += kLine) __builtin_prefetch(x + i);
}

template <class T>
void exp_sum(int64_t n, const void* data, const void* m, void* out, void* sum) {
  const T* x = static_cast<const T*>(data);  // may be `out` itself
  const T top = *static_cast<const T*>(m);
  T* r = static_cast<T*>(out);
  T lane[kLanes] = {};
  int64_t j = 0;
  // A row that has something far has more of it.
  for (; j + kLanes <= n && exp_step_near(x + j, top, r + j, lane); j += kLanes) ask_for_lanes(x + n + j);
  for (; j + kLanes <= n; j += kLanes) {
    ask_for_lanes(x + n + j);
    exp_step(x + j, top, r + j, lane);
  }
  if (j < n && n > kLanes && x != r) {
    // The last kLanes elements, those before the rest once more, so that there are whole vectors.
    T last[2 * kLanes] = {}, unused[kLanes] = {};
    if (!exp_step_near(x + n - kLanes, top, last, unused)) exp_step(x + n - kLanes, top, last, unused);
    const T* rest = last + kLanes - (n - j);
    for (int i = 0; i < kLanes; ++i) r[n - kLanes + i] = last[i];
    for (int i = 0; i < kLanes; ++i) lane[i] = lane[i] + rest[i];
  } else if (j < n) {
    T rest[kLanes] = {};
    for (int64_t i = 0; i < n - j; ++i) rest[i] = x[j + i] - top;
    for (int i = 0; i < kLanes; ++i) rest[i] = exp_of(rest[i]);
    for (int64_t i = 0; i < n - j; ++i) {
      r[j + i] = rest[i];
      lane[i] = lane[i] + rest[i];
    }
  }
  fold_rows_of_lanes<Sum, 1>(&lane, static_cast<T*>(sum));
}

template <class T>
inline void exp_row(int64_t n, const T* x, const T* top, T* r, T* lane) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const T e = exp_of(x[i] - top[i]);
    r[i] = e;
    lane[i] = lane[i] + e;
  }
}
#if defined(IST_NEAR_VECTORS)
inline void exp_row(int64_t n, const float* x, const float* top, float* r, float* lane) {
  const auto step = [&](int64_t i, auto... mask) {
    const VecMath below = VecMath(VecF32::load(x + i, mask...)) - VecMath(VecF32::load(top + i, mask...));
    const VecMath e = scalar::exp_of_negative(below);
    VecF32{e.v}.store(r + i, mask...);
    VecF32{(VecMath(VecF32::load(lane + i, mask...)) + e).v}.store(lane + i, mask...);
  };
  int64_t i = 0;
  for (; i + VecF32::kWidth <= n; i += VecF32::kWidth) step(i);
  if (i < n) step(i, VecF32::mask(static_cast<int>(n - i)));
}
#endif

template <class T>
void exp_columns(int64_t n, int64_t n_rows, const void* data, int64_t stride, const void* m, void* out,
                 int64_t out_stride, void* lanes) {
  const T* x = static_cast<const T*>(data);  // may be `out` itself
  const T* top = static_cast<const T*>(m);
  T* r = static_cast<T*>(out);
  T* lane = static_cast<T*>(lanes);
  for (int64_t j = 0; j < n_rows; ++j) {
    // Pieces of rows a page apart: neither a small second-level cache nor the hardware's prefetcher has them.
    if constexpr (kAvx2Alone) {
      constexpr int kRowsAhead = 4, kLine = 64 / sizeof(T);
      for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(x + (j + kRowsAhead) * stride + i);
    }
    exp_row(n, x + j * stride, top, r + j * out_stride, lane + j % kLanes * n);
  }
}

template <class T>
inline void square_row(int64_t n, const T* __restrict x, T centre, T* sum) {
  T lane[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    ask_for_lanes(x + n + j);
    for (int i = 0; i < kLanes; ++i) {
      const T c = x[j + i] - centre;
      lane[i] = lane[i] + c * c;
    }
  }
  for (int64_t i = 0; i < n - j; ++i) {
    const T c = x[j + i] - centre;
    lane[i] = lane[i] + c * c;
  }
  fold_rows_of_lanes<Sum, 1>(&lane, sum);
}

// Of n elements that fill the lanes.
template <int kTogether, class T>
inline void square_rows(int64_t n, const T* __restrict x, int64_t stride, T centre, T* sums) {
  T lane[kTogether][kLanes] = {};
  for (int64_t j = 0; j < n; j += kLanes) {
#pragma GCC unroll 4
    for (int k = 0; k < kTogether; ++k) {
      for (int i = 0; i < kLanes; ++i) {
        const T c = x[k * stride + j + i] - centre;
        lane[k][i] = lane[k][i] + c * c;
      }
    }
  }
  fold_rows_of_lanes<Sum, kTogether>(lane, sums);
}

// Rows whose lanes take eight registers.
template <class T>
constexpr int kSquaredTogether = kVectorBytes / 4 / static_cast<int>(sizeof(T));

template <class T>
void square_sum(int64_t n_rows, int64_t n, const void* data, int64_t stride, const void* mean, void* sums) {
  constexpr int kTogether = kSquaredTogether<T>;
  const T* x = static_cast<const T*>(data);
  const T centre = *static_cast<const T*>(mean);
  T* out = static_cast<T*>(sums);
  if constexpr (kTogether > 1) {
    for (; n % kLanes == 0 && n_rows >= kTogether; n_rows -= kTogether, x += kTogether * stride, out += kTogether) {
      square_rows<kTogether>(n, x, stride, centre, out);
    }
  }
  for (; n_rows > 0; --n_rows, x += stride, ++out) square_row(n, x, centre, out);
}

template <int kTogether, class T>
inline void add_squares(int64_t n, T* __restrict acc, const T* __restrict x, int64_t stride,
                        const T* __restrict centre) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    T value[kLanes];
#pragma GCC unroll 8
    for (int k = 0; k < kTogether; ++k) {
      const T* before = k == 0 ? acc + i : value;
      T* after = k + 1 == kTogether ? acc + i : value;
      for (int l = 0; l < kLanes; ++l) {
        const T c = x[k * stride + i + l] - centre[i + l];
        after[l] = before[l] + c * c;
      }
    }
  }
  for (; i < n; ++i) {
    for (int k = 0; k < kTogether; ++k) {
      const T c = x[k * stride + i] - centre[i];
      acc[i] = acc[i] + c * c;
    }
  }
}

template <class T>
void square_columns(int64_t n, void* into, const void* data, int64_t stride, int64_t n_rows, const void* mean) {
  T* acc = static_cast<T*>(into);
  const T *x = static_cast<const T*>(data), *centre = static_cast<const T*>(mean);
  for (; n_rows >= kRowsTogether; n_rows -= kRowsTogether, x += kRowsTogether * stride) {
    add_squares<kRowsTogether>(n, acc, x, stride, centre);
  }
  for (; n_rows > 0; --n_rows, x += stride) add_squares<1>(n, acc, x, stride, centre);
}

template <class T>
void multiply(int64_t n, const void* data, const void* factor, void* out) {
  const T* x = static_cast<const T*>(data);  // may be `out` itself
  const T f = *static_cast<const T*>(factor);
  T* r = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) r[i] = x[i] * f;
}

template <class T>
void divide(int64_t n, const void* data, const void* divisor, void* out) {
  const T* x = static_cast<const T*>(data);  // may be `out` itself
  const T d = *static_cast<const T*>(divisor);
  T* r = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) r[i] = (x[i] + T(0)) / d;
}

template <class T>
void normalize(int64_t n, const void* data, const void* mean, const void* scale, const void* weight, const void* bias,
               void* out) {
  const T* x = static_cast<const T*>(data);  // may be `out` itself
  const T centre = *static_cast<const T*>(mean), factor = *static_cast<const T*>(scale);
  const T* __restrict w = static_cast<const T*>(weight);
  const T* __restrict b = static_cast<const T*>(bias);
  T* r = static_cast<T*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) r[i] = (x[i] - centre) * factor * w[i] + b[i];
}

inline float lowest(float) { return -__FLT_MAX__; }
inline double lowest(double) { return -__DBL_MAX__; }

template <class T>
void hide(int64_t n, void* data, const uint8_t* visible) {
  T* __restrict x = static_cast<T*>(data);
  for (int64_t i = 0; i < n; ++i) x[i] = visible[i] != 0 ? x[i] : lowest(T());
}

inline void log_of(int64_t n, const double* x, double* r) {
  for (int64_t i = 0; i < n; ++i) r[i] = scalar::log(x[i]);
}
inline void log_of(int64_t n, const float* x, float* r) {
  int64_t i = 0;
#if defined(IST_NEAR_VECTORS)
  for (; i + VecF32::kWidth <= n; i += VecF32::kWidth) VecF32{log(VecMath(VecF32::load(x + i))).v}.store(r + i);
#endif
  for (; i < n; ++i) r[i] = scalar::log(x[i]);
}

template <class T>
void log_add(int64_t n, const void* sums, const void* m, void* out) {
  const T* __restrict top = static_cast<const T*>(m);
  T* __restrict r = static_cast<T*>(out);
  log_of(n, static_cast<const T*>(sums), r);
  for (int64_t i = 0; i < n; ++i) {
    const T sum = r[i] + top[i];
    r[i] = scalar::fabs(top[i]) <= -lowest(T()) ? sum : top[i];
  }
}

template <class T>
int32_t all_finite(int64_t n, const void* data) {
  const T* __restrict x = static_cast<const T*>(data);
  int bad = 0;
  for (int64_t i = 0; i < n; ++i) bad |= scalar::fabs(x[i]) <= -lowest(T()) ? 0 : 1;
  return bad == 0;
}

template <class T>
constexpr RowKernels kernels() {
  return {&largest<T>,  &exp_sum<T>, &exp_columns<T>, &square_sum<T>, kSquaredTogether<T>, &square_columns<T>,
          &multiply<T>, &divide<T>,  &normalize<T>,   &hide<T>,       &log_add<T>,         &all_finite<T>};
}

constexpr RowTable table = {{kernels<float>(), kernels<double>()}};

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::RowTable* IST_ISA_NAME(row)() { return &ist::cpu::table; }
