// Kernels of reductions, and of ops that reduce each row.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

inline constexpr int64_t kFewElements = 4;  // of rows that Reducer::rows folds one by one; at least two

// One reduction of elements of one dtype, in accumulators of its compute type (float32 for half types).
struct Reducer {
  void (*block)(const void* x, int64_t n, void* result);  // n <= 4096 dense elements: 32 lanes, folded
  // Blocks of n elements that begin `stride` elements apart: rows[0] of neighbours, rows[1] of every
  // second element, null but for float32 and float64.
  void (*rows[2])(int64_t n_rows, int64_t n, const void* x, int64_t stride, void* results);
  // acc[i] = acc[i] # x[i] # x[stride + i] # ... over n_rows rows.
  void (*columns)(int64_t n, void* acc, const void* x, int64_t stride, int64_t n_rows);
  // acc[i] = the fold of n_rows <= 4 lanes, of which lane k is identity # x[k * stride + i].
  void (*fold_rows)(int64_t n, void* acc, const void* x, int64_t stride, int64_t n_rows);
  void (*combine)(int64_t n, void* acc, const void* other);  // acc[i] = acc[i] # other[i]
  void (*pairs)(int64_t n, const void* acc, void* out);      // out[i] = acc[2 * i] # acc[2 * i + 1]
  void (*identity)(int64_t n, void* acc);
  bool is_neutral;  // combining with the identity changes nothing that started from it
  bool is_exact;    // results do not depend on the order, so lanes are no use
  int deciding;     // of results of a byte, the one that no further element changes; -1 if there is none
};
enum ReduceKind : int { kSum, kProd, kMax, kMin, kAll, kAny, kReduceKinds };
ReduceKind reduce_kind(uint32_t op);  // of the id of a reduction

inline constexpr int64_t kArgTogether = 32 * 1024;  // elements of a long sequence that are taken at once

struct ArgReducer {
  // Updates *best and *index with dense elements that start at position `base` of the sequence; base 0 initialises.
  // They are up to a block. Returns whether nothing is more extreme than *best.
  bool (*step)(const void* x, int64_t n, int64_t base, void* best, uint32_t* index);
  // The same of kArgTogether elements: of their quarters one after another, or in turns.
  bool (*long_steps[2])(const void* x, int64_t n, int64_t base, void* best, uint32_t* index);
  // The indices of n_rows sequences of n dense elements, a block at most, `stride` elements apart.
  void (*rows)(int64_t n_rows, int64_t n, const void* x, int64_t stride, uint32_t* indices);
  // Updates best[i] and index[i] of n sequences with their elements x[i] at `position`; position 0 initialises.
  void (*row)(const void* x, int64_t n, int64_t position, void* best, uint32_t* index);
};

inline constexpr int kRowsTogether = 8;  // in one go of Reducer::columns

struct ReduceTable {
  Reducer fn[kReduceKinds][kDTypes];  // by dtype; all and any of bool alone
};

struct ArgReduceTable {
  ArgReducer fn[2][kDTypes];  // argmax, argmin
};

// Rows that kernels of accumulators of so many bytes read in turns.
template <int64_t kSize>
inline constexpr int kRowsInTurns = kSize <= 4 ? 4 : 2;

// Row kernels, for float32 and float64 accumulators. Sums are those of the contract's blocks: n <= 4096 there.
struct RowKernels {
  void (*largest)(int64_t n, const void* x, void* result);  // of the elements that are not NaN, or -infinity
  void (*exp_sum)(int64_t n, const void* x, const void* m, void* out,
                  void* sum);  // out[i] = exp(x[i] - m), x[i] <= m or NaN
  // The same for each of n columns, of which m has one element: row j of out, and of 32 rows that have their sums row
  // j mod 32, for n_rows rows j.
  void (*exp_columns)(int64_t n, int64_t n_rows, const void* x, int64_t stride, const void* m, void* out,
                      int64_t out_stride, void* lanes);
  // Of (x[i] - mean)^2, for n_rows rows of n elements, `stride` elements apart.
  void (*square_sum)(int64_t n_rows, int64_t n, const void* x, int64_t stride, const void* mean, void* sums);
  int squared_together;  // rows that it reads in turns
  // acc[i] = acc[i] + (x[i] - mean[i])^2 + (x[stride + i] - mean[i])^2 + ... over n_rows rows.
  void (*square_columns)(int64_t n, void* acc, const void* x, int64_t stride, int64_t n_rows, const void* mean);
  void (*multiply)(int64_t n, const void* x, const void* factor, void* out);  // out[i] = x[i] * factor
  void (*divide)(int64_t n, const void* x, const void* divisor, void* out);   // out[i] = (x[i] + 0) / divisor
  void (*normalize)(int64_t n, const void* x, const void* mean, const void* scale, const void* weight, const void* bias,
                    void* out);                              // out[i] = (x[i] - mean) * scale * weight[i] + bias[i]
  void (*hide)(int64_t n, void* x, const uint8_t* visible);  // x[i] = lowest finite where visible[i] is 0
  void (*log_add)(int64_t n, const void* s, const void* m, void* out);  // out[i] = log(s[i]) + m[i], m[i] if no number
  int32_t (*all_finite)(int64_t n, const void* x);
};
struct RowTable {
  RowKernels fn[2];
};

}  // namespace ist::cpu
