// Strided loops on the host side: sizes, collapsing of dimensions, addressing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "abi/backend.h"

namespace ist::cpu {

inline constexpr int kMaxRank = 64;  // of the tensors that this backend takes

inline int size_log2(uint32_t dtype) {
  static constexpr uint8_t sizes[] = {0, 0, 1, 2, 3, 0, 1, 2, 3, 1, 1, 2, 3, 3};
  return sizes[dtype];
}
inline bool is_half(uint32_t dtype) { return dtype == IST_FLOAT16 || dtype == IST_BFLOAT16; }
inline uint32_t compute_dtype(uint32_t dtype) { return is_half(dtype) ? uint32_t{IST_FLOAT32} : dtype; }

inline int64_t element_count(int rank, const int64_t* shape) {
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= shape[i];
  return n;
}

inline bool is_dense(int rank, const int64_t* shape, const int64_t* strides) {
  int64_t expected = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

inline bool is_broadcast_scalar(int rank, const int64_t* shape, const int64_t* strides) {
  for (int i = 0; i < rank; ++i) {
    if (shape[i] != 1 && strides[i] != 0) return false;
  }
  return true;
}

inline void row_major(int rank, const int64_t* shape, int64_t* strides) {
  int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
}

// A loop nest over N operands. After add()ing dimensions from the outermost in, neighbours that all operands walk in
// one stride are one dimension.
template <int N>
struct Nest {
  int rank = 0;
  int64_t shape[kMaxRank];
  int64_t strides[N][kMaxRank];

  template <class... Strides>
  void add(int64_t extent, Strides... stride) {
    static_assert(sizeof...(Strides) == N);
    const int64_t given[N] = {stride...};
    if (extent == 1) return;
    bool merges = rank > 0;
    for (int k = 0; merges && k < N; ++k) merges = strides[k][rank - 1] == given[k] * extent;
    if (merges) {
      shape[rank - 1] *= extent;
      for (int k = 0; k < N; ++k) strides[k][rank - 1] = given[k];
      return;
    }
    shape[rank] = extent;
    for (int k = 0; k < N; ++k) strides[k][rank] = given[k];
    ++rank;
  }

  // Kernels want at least one dimension.
  void finish() {
    if (rank > 0) return;
    rank = 1;
    shape[0] = 1;
    for (int k = 0; k < N; ++k) strides[k][0] = 1;
  }

  int64_t count() const { return element_count(rank, shape); }
};

// The element offset of a linear row-major position.
inline int64_t offset_at(int64_t position, int rank, const int64_t* shape, const int64_t* strides) {
  int64_t offset = 0;
  for (int axis = rank - 1; axis >= 0; --axis) {
    offset += position % shape[axis] * strides[axis];
    position /= shape[axis];
  }
  return offset;
}

// The offsets of N operands while leading dimensions are walked in row-major order, from position `start` on.
template <int N>
class Walk {
 public:
  Walk(int rank, const int64_t* shape, const int64_t (*strides)[kMaxRank], int64_t start = 0)
      : rank_(rank), shape_(shape), strides_(strides) {
    for (int axis = rank - 1; axis >= 0; --axis) {
      index_[axis] = start == 0 ? 0 : start % shape[axis];
      if (start != 0) start /= shape[axis];
      for (int k = 0; k < N; ++k) offsets_[k] += index_[axis] * strides[k][axis];
    }
  }

  int64_t offset(int k) const { return offsets_[k]; }

  // False behind the last position.
  bool next() {
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      const bool stays = ++index_[axis] < shape_[axis];
      if (!stays) index_[axis] = 0;
      for (int k = 0; k < N; ++k) offsets_[k] += strides_[k][axis] * (stays ? 1 : 1 - shape_[axis]);
      if (stays) return true;
    }
    return false;
  }

 private:
  int rank_;
  const int64_t* shape_;
  const int64_t (*strides_)[kMaxRank];
  int64_t index_[kMaxRank];
  int64_t offsets_[N] = {};
};

}  // namespace ist::cpu
