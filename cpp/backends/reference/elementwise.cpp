// Elementwise kernels, made from ops.def: each row's body of kernels/scalar_ops.h for each dtype of its class.
#include <array>
#include <utility>

#include "backends/reference/kernel.h"
#include "kernels/scalar_ops.h"
#include "ops/op_table.h"

namespace ist::reference {
namespace {

using ElementFn = void (*)(const Slot* in, Slot& out);
using ElementRow = std::array<ElementFn, kDTypes>;  // by the dtype of the last operand

constexpr bool takes(DTypeClass c, int dtype) {
  switch (c) {
    case DTypeClass::any:
    case DTypeClass::magnitude:
    case DTypeClass::compare:
    case DTypeClass::select:
      return true;
    case DTypeClass::inexact:
      return dtype >= IST_FLOAT16;
    case DTypeClass::real_inexact:
      return dtype >= IST_FLOAT16 && dtype <= IST_FLOAT64;
    case DTypeClass::real:
      return dtype <= IST_FLOAT64;
    case DTypeClass::logical:
      return dtype == IST_BOOL;
    case DTypeClass::bitwise:
      return dtype <= IST_INT64;
    case DTypeClass::rule:
      return false;
  }
  return false;
}

constexpr uint32_t result_dtype(DTypeClass c, uint32_t dtype) {
  if (c == DTypeClass::compare || c == DTypeClass::logical) return IST_BOOL;
  if (c == DTypeClass::magnitude && dtype == IST_COMPLEX64) return IST_FLOAT32;
  return dtype;
}

// Kept apart from the dtype: float16, bfloat16 and float32 share one function.
template <class Body, class Result, class T>
void evaluate(const Slot* in, Slot& out) {
  const auto result = Body::template apply<T>(in);
  static_assert(std::is_same_v<decltype(result), const Result>, "the body returns another type than its row says");
  put<Result>(out, result);
}

template <class Body, DTypeClass c, int D>
constexpr ElementFn element_fn() {
  if constexpr (takes(c, D)) {
    return &evaluate<Body, typename Storage<result_dtype(c, D)>::compute, typename Storage<D>::compute>;
  } else {
    return nullptr;
  }
}

template <class Body, DTypeClass c, int... D>
constexpr ElementRow element_row(std::integer_sequence<int, D...>) {
  return {element_fn<Body, c, D>()...};
}

void run_elementwise(const Call& call, const ElementRow& row) {
  const ElementFn body = row[call.inputs.back().dtype];
  std::vector<LoadFn> load;
  Walk walk(call.out.rank, call.out.shape);
  for (const View& input : call.inputs) {
    load.push_back(loader(input.dtype));
    walk.follow(input);
  }
  const StoreFn store = storer(call.out.dtype);
  Slot operands[3], result;
  for (int64_t position = 0; !walk.done(); walk.next(), ++position) {
    for (size_t i = 0; i < call.inputs.size(); ++i) load[i](call.inputs[i].at(walk[i]), operands[i]);
    body(operands, result);
    store(result, call.out.at(position));
  }
}

bool supports_elementwise(const ist_node& node, uint32_t arity, DTypeClass c) {
  if (node.n_inputs != arity) return false;
  const uint32_t dtype = node.inputs[arity - 1].dtype;
  if (!is_known(dtype) || !takes(c, static_cast<int>(dtype))) return false;
  const bool condition = c == DTypeClass::select;
  if (condition && node.inputs[0].dtype != IST_BOOL) return false;
  return all_of_dtype(node, condition ? 1 : 0, dtype) && node.output.dtype == result_dtype(c, dtype);
}

}  // namespace

#define IST_APPLY_1(name) scalar::name(get<T>(in[0]))
#define IST_APPLY_2(name) scalar::name(get<T>(in[0]), get<T>(in[1]))
#define IST_APPLY_3(name) scalar::name(get<bool>(in[0]), get<T>(in[1]), get<T>(in[2]))

#define IST_DEFINE(name, arity, dtypes)                                                         \
  namespace {                                                                                   \
  struct body_##name {                                                                          \
    template <class T>                                                                          \
    static auto apply(const Slot* in) {                                                         \
      static_assert((arity == 3) == (DTypeClass::dtypes == DTypeClass::select));                \
      return IST_APPLY_##arity(name);                                                           \
    }                                                                                           \
  };                                                                                            \
  constexpr ElementRow row_##name =                                                             \
      element_row<body_##name, DTypeClass::dtypes>(std::make_integer_sequence<int, kDTypes>()); \
  }                                                                                             \
  void run_##name(const Call& call) { run_elementwise(call, row_##name); }                      \
  bool supports_##name(const ist_node& node) { return supports_elementwise(node, arity, DTypeClass::dtypes); }
#define IST_DEFINE_NOTHING(name, arity, dtypes)

// Two rows move or convert elements and have no body: copy.cpp has them.
#define IST_HAS_NO_BODY_astype ~, IST_DEFINE_NOTHING
#define IST_HAS_NO_BODY_contiguous ~, IST_DEFINE_NOTHING
#define IST_SECOND(a, b, ...) b
#define IST_CHOOSE(...) IST_SECOND(__VA_ARGS__, ~)
#define IST_ELEMENTWISE_ROW(name, arity, dtypes) IST_CHOOSE(IST_HAS_NO_BODY_##name, IST_DEFINE)(name, arity, dtypes)
// Other families have files of their own.
#define IST_FAMILY_elementwise ~, IST_ELEMENTWISE_ROW
#define IST_FAMILY_SECOND(a, b, ...) b
#define IST_CHOOSE_FAMILY(...) IST_FAMILY_SECOND(__VA_ARGS__, ~)
#define IST_EXECUTION_kernel(name, family, arity, dtypes) \
  IST_CHOOSE_FAMILY(IST_FAMILY_##family, IST_DEFINE_NOTHING)(name, arity, dtypes)
#define IST_EXECUTION_view(name, family, arity, dtypes)
#define IST_EXECUTION_composite(name, family, arity, dtypes)
#define IST_EXECUTION_many(name, family, arity, dtypes)
#define IST_EXECUTION_data(name, family, arity, dtypes)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) \
  IST_EXECUTION_##execution(name, family, arity, dtypes)
#include "ops/ops.def"
#undef IST_OP

}  // namespace ist::reference
