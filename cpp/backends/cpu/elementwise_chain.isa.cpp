// Several elementwise ops in one pass: the value that each hands to the next stays in registers, where a kernel for
// every op would store it and load it again.
#include "backends/cpu/elementwise_chain_steps.h"

namespace ist::cpu {
namespace {

// Elements from i on: kCount vectors as often as there are so many, or the last elements, fewer than a vector. Returns
// where the next ones are. One function for all of them, as entering it takes as long as a step or two.
template <int kCount, bool kWhole, class T, bool kOfBools>
inline int64_t take_vectors(int64_t i, int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps,
                            bool makes_bool) {
  constexpr int W = kLength<T>;
  constexpr bool kConverts = !std::is_same_v<T, Of<T>>;
  constexpr int64_t kLengthOfAll = kWhole ? kCount * W : 1;
  [[maybe_unused]] alignas(kVectorBytes) Of<T> converted[2][kConverts ? kCount * W : 1];
  Beside<T, kCount> beside;
  for (; i + kLengthOfAll <= n; i += kCount * W) {
    // In operands that are alike for all blocks, each of which is as long as kVectors.
    const int64_t at_alike = kCount == kVectors ? 0 : i & (kVectors * W - 1);
    [[maybe_unused]] const int64_t rest = n - i;
    Value<T> value[kCount];
    const T* start = static_cast<const T*>(in[0]) + i;
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) value[j] = load_operand<kWhole>(start + j * W, rest);
    for (int s = 0; s < n_steps; ++s) {
      const ChainStep step = steps[s];
      const T* place = static_cast<const T*>(in[1 + s]) + i;
      const Of<T>* operand = static_cast<const Of<T>*>(in[1 + s]);
      if constexpr (!kConverts && kOfBools) {
        if (kCount != kVectors || !step.constant) operand += step.constant ? at_alike : i;
      } else if constexpr (!kConverts) {
        operand += step.constant ? at_alike : i;
      } else if (step.constant) {
        operand += at_alike;
      } else if (!(kOfBools && step.is_bool())) {
        Of<T>* to = converted[step.op == ChainStep::kOther ? 1 : 0];
#pragma GCC unroll 8
        for (int j = 0; j < kCount; ++j) store_values(to + j * W, load_operand<kWhole>(place + j * W, rest));
        operand = to;
      }
      // A second choice by `constant` would make both cost more than a branch.
      const auto bytes_of = [&](const void* from) __attribute__((always_inline)) {
        const int64_t at = kConverts ? (step.constant ? at_alike : i) : operand - static_cast<const Of<T>*>(from);
        return static_cast<uint8_t*>(const_cast<void*>(from)) + at;
      };
      switch (step.op) {
        case ChainStep::kOther:
          beside.other = operand;
          break;
        case ChainStep::kAddProduct:
          take_product_step<Body_add, T, kWhole, kOfBools>(value, beside.other, operand, rest, 0);
          break;
        case ChainStep::kSubtractProduct:
          take_product_step<Body_subtract, T, kWhole, kOfBools>(value, beside.other, operand, rest, step.position);
          break;
        case ChainStep::kOtherBools:
          if constexpr (kOfBools) load_bools<kWhole, Value<T>>(bytes_of(in[1 + s]), beside.other_bools, rest);
          break;
        case ChainStep::kLoadBools:
          if constexpr (kOfBools) load_bools<kWhole, Value<T>>(bytes_of(in[1 + s]), beside.bools, rest);
          break;
        case ChainStep::kStoreBools:
          if constexpr (kOfBools) store_bools<kWhole, Value<T>>(bytes_of(in[1 + s]), beside.bools, rest);
          break;
        case ChainStep::kLoad:
#pragma GCC unroll 8
          for (int j = 0; j < kCount; ++j) value[j] = load_operand<kWhole>(operand + j * W, rest);
          break;
        case ChainStep::kStore:
          if (kConverts && !step.constant) {
#pragma GCC unroll 8
            for (int j = 0; j < kCount; ++j) store_operand<kWhole>(const_cast<T*>(place) + j * W, value[j], rest);
          } else {
#pragma GCC unroll 8
            for (int j = 0; j < kCount; ++j) store_operand<kWhole>(const_cast<Of<T>*>(operand) + j * W, value[j], rest);
          }
          break;
#define IST_BODY_ROW(id, name, dtypes)                                                \
  case id:                                                                            \
    if constexpr (kOfBools || kMakesNumbers<Body_##name>)                             \
      take_step<Body_##name, T, kWhole>(value, beside, operand, rest, step.position); \
    break;
#define IST_ARITY_3(id, name, dtypes)                                                            \
  case id:                                                                                       \
    if constexpr (kOfBools) take_##name<kWhole, T>(value, beside, operand, rest, step.position); \
    break;
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_ARITY_3
      }
    }
    if (kOfBools && makes_bool) {
      store_bools<kWhole, Value<T>>(static_cast<uint8_t*>(out) + i, beside.bools, rest);
      continue;
    }
    T* result = static_cast<T*>(out) + i;
#pragma GCC unroll 8
    for (int j = 0; j < kCount; ++j) store_operand<kWhole>(result + j * W, value[j], rest);
  }
  return i;
}

// Whole blocks of a tile, for chains without bools. Steps are decoded before, and each jumps to the next one by itself:
// a loop around a switch makes a step of additions a quarter longer on Zen 3, and decoding costs as much as 256
// elements gain by it.
constexpr int64_t kDecodedFrom = 512;
template <class T>
inline int64_t take_decoded(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps) {
  constexpr int W = kLength<T>;
  struct Operand {
    const char* start;
    int64_t moves;  // a mask of how far
  };
  struct {
    const void* code;
    Operand operand, other;
  } decoded[kMaxChainSteps + 1];
  const auto choose = [](uint8_t position, bool equal, const void* first, const void* last, const void* equal_first,
                         const void* equal_last) {
    if (equal) return position == 0 ? equal_first : equal_last;
    return position == 0 ? first : last;
  };
  int n_decoded = 0;
  bool equal_factors = false;
  for (int s = 0; s < n_steps; ++s) {
    const ChainStep step = steps[s];
    const Operand operand = {static_cast<const char*>(in[1 + s]), step.constant ? 0 : -1};
    if (step.op == ChainStep::kOther) {
      decoded[n_decoded].other = operand, equal_factors = step.equal;
      continue;
    }
    auto& next = decoded[n_decoded++];
    next.operand = operand;
    switch (step.op) {
      case ChainStep::kLoad:
        next.code = &&load;
        break;
      case ChainStep::kStore:
        next.code = &&store;
        break;
      case ChainStep::kAddProduct:
        next.code = equal_factors ? &&add_multiple : &&add_product;
        break;
      case ChainStep::kSubtractProduct:
        next.code = choose(step.position, equal_factors, &&subtract_product, &&subtract_from_product,
                           &&subtract_multiple, &&subtract_from_multiple);
        break;
#define IST_BODY_ROW(id, name, dtypes)                                                                               \
  case id:                                                                                                           \
    next.code =                                                                                                      \
        choose(step.position, step.equal, &&first_##name, &&last_##name, &&equal_first_##name, &&equal_last_##name); \
    break;
#define IST_ARITY_3(id, name, dtypes)
#include "ops/ops.def"
#undef IST_BODY_ROW
    }
  }
  decoded[n_decoded].code = &&end;

  int64_t i = 0;
  Value<T> value[kVectors];
  Beside<T, kVectors> beside;
  const auto* step = decoded;
  const auto now = [&](const Operand& x) __attribute__((always_inline)) {
    return reinterpret_cast<const T*>(x.start + (x.moves & i * int64_t{sizeof(T)}));
  };
  const auto operand = [&]() __attribute__((always_inline)) { return now(step->operand); };
  const auto other = [&]() __attribute__((always_inline)) { return now(step->other); };
  // clang-format off
#define IST_GO_ON ++step; goto *step->code
start:
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) value[j] = load_values(static_cast<const T*>(in[0]) + i + j * W);
  step = decoded;
  goto *step->code;
load:
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) value[j] = load_values(operand() + j * W);
  IST_GO_ON;
store:
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) store_values(const_cast<T*>(operand()) + j * W, value[j]);
  IST_GO_ON;
add_product:
  take_product<Body_add, T, true>(value, other(), operand(), W, 0);
  IST_GO_ON;
add_multiple:
  take_product<Body_add, T, true, true>(value, other(), operand(), W, 0);
  IST_GO_ON;
subtract_product:
  take_product<Body_subtract, T, true>(value, other(), operand(), W, 0);
  IST_GO_ON;
subtract_multiple:
  take_product<Body_subtract, T, true, true>(value, other(), operand(), W, 0);
  IST_GO_ON;
subtract_from_product:
  take_product<Body_subtract, T, true>(value, other(), operand(), W, 1);
  IST_GO_ON;
subtract_from_multiple:
  take_product<Body_subtract, T, true, true>(value, other(), operand(), W, 1);
  IST_GO_ON;
#define IST_BODY_ROW(id, name, dtypes)                                                                          \
first_##name:                                                                                                   \
  if constexpr (kMakesNumbers<Body_##name>) take_step<Body_##name, T, true>(value, beside, operand(), W, 0);    \
  IST_GO_ON;                                                                                                    \
last_##name:                                                                                                    \
  if constexpr (IsBinary<Body_##name, T>) take_step<Body_##name, T, true>(value, beside, operand(), W, 1);      \
  IST_GO_ON;                                                                                                    \
equal_first_##name:                                                                                             \
  if constexpr (IsBinary<Body_##name, T>) take_step<Body_##name, T, true, true>(value, beside, operand(), W, 0); \
  IST_GO_ON;                                                                                                    \
equal_last_##name:                                                                                              \
  if constexpr (IsBinary<Body_##name, T>) take_step<Body_##name, T, true, true>(value, beside, operand(), W, 1); \
  IST_GO_ON;
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_ARITY_3
#undef IST_GO_ON
// clang-format on
end:
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) store_values(static_cast<T*>(out) + i + j * W, value[j]);
  i += kVectors * W;
  if (i + kVectors * W <= n) goto start;
  return i;
}

template <class T, bool kOfBools>
void chain_tile(int64_t n, void* out, const void* const* in, const ChainStep* steps, int n_steps, bool makes_bool) {
  constexpr bool kMayDecode = kVectorBytes >= 32 && std::is_same_v<T, float> && !kOfBools;
  const bool decodes = kMayDecode && n >= kDecodedFrom;
  int64_t i = 0;
  if constexpr (kMayDecode) {
    if (decodes) i = take_decoded<T>(n, out, in, steps, n_steps);
  }
  if (!decodes) i = take_vectors<kVectors, true, T, kOfBools>(0, n, out, in, steps, n_steps, makes_bool);
  if (i == n) return;
  if (i + kVectors / 2 * kLength<T> <= n) {
    i = take_vectors<kVectors / 2, true, T, kOfBools>(i, n, out, in, steps, n_steps, makes_bool);
  }
  if (i + kLength<T> <= n) i = take_vectors<1, true, T, kOfBools>(i, n, out, in, steps, n_steps, makes_bool);
  if (i < n) take_vectors<1, false, T, kOfBools>(i, n, out, in, steps, n_steps, makes_bool);
}

constexpr ChainTable make_table() {
  ChainTable table{};
  table.block_bytes = kVectors * kVectorBytes;
#define IST_BODY_ROW(id, name, dtypes)                                             \
  table.takes[IST_FLOAT32][id] = has_step<Body_##name, float>;                     \
  table.takes[IST_FLOAT64][id] = has_step<Body_##name, double>;                    \
  table.takes[IST_BFLOAT16][id] = kHasBfloat16 && has_step<Body_##name, bfloat16>; \
  table.takes[IST_BOOL][id] = takes_bools(Class::dtypes) && has_step<Body_##name, float>;
#define IST_ARITY_3(id, name, dtypes)                                 \
  table.takes[IST_FLOAT32][id] = table.takes[IST_FLOAT64][id] = true; \
  table.takes[IST_BFLOAT16][id] = kHasBfloat16;
#include "ops/ops.def"
#undef IST_BODY_ROW
#undef IST_ARITY_3
#undef IST_OP
#if defined(__AVX512F__)
  table.keeps[IST_FLOAT64] = table.joins_bools = true;
#endif
#if defined(__AVX2__)
  table.keeps[IST_FLOAT32] = true;
#endif
  table.keeps[IST_BFLOAT16] = kHasBfloat16;
  table.fn[0][IST_FLOAT32] = &chain_tile<float, false>;
  table.fn[1][IST_FLOAT32] = &chain_tile<float, true>;
  table.fn[0][IST_FLOAT64] = &chain_tile<double, false>;
  table.fn[1][IST_FLOAT64] = &chain_tile<double, true>;
#if defined(IST_STORES_HALVES)
  table.fn[0][IST_BFLOAT16] = &chain_tile<bfloat16, false>;
  table.fn[1][IST_BFLOAT16] = &chain_tile<bfloat16, true>;
#endif
  return table;
}

constexpr ChainTable table = make_table();

}  // namespace
}  // namespace ist::cpu

extern "C" const ist::cpu::ChainTable* IST_ISA_NAME(chain)() { return &ist::cpu::table; }
