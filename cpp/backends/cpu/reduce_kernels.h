// Kernels of reductions, and of ops that reduce each row.
#pragma once

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// One reduction in one accumulator type.
struct Reducer {
  void (*block)(const void* x, int64_t n, void* result);  // n <= 4096 dense elements: 32 lanes, folded
  void (*combine)(int64_t n, void* acc, const void* x);   // acc[i] = acc[i] # x[i]
  void (*identity)(int64_t n, void* acc);
};
enum ReduceKind : int { kSum, kProd, kMax, kMin, kAll, kAny, kReduceKinds };

struct ArgReducer {
  // Updates *best and *index with dense elements that start at position `base` of the sequence; base 0 initialises.
  void (*step)(const void* x, int64_t n, int64_t base, void* best, uint32_t* index);
  // Updates best[i] and index[i] of n sequences with their elements x[i] at `position`; position 0 initialises.
  void (*row)(const void* x, int64_t n, int64_t position, void* best, uint32_t* index);
};

struct ReduceTable {
  Reducer fn[kReduceKinds][kDTypes];  // by accumulator dtype
  ArgReducer arg[2][kDTypes];         // argmax, argmin
};

// Row kernels, for float32 and float64 accumulators.
struct RowKernels {
  void (*exp_sub)(int64_t n, const void* x, const void* m, void* out);  // out[i] = exp(x[i] - m)
  void (*divide)(int64_t n, void* x, const void* s);                    // x[i] = x[i] / s
  void (*log_add)(const void* s, const void* m, void* out);             // log(s) + m
};
struct RowTable {
  RowKernels fn[2];
};

}  // namespace ist::cpu
