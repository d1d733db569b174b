#include "ops/op_table.h"

#include <array>
#include <unordered_map>

namespace ist {
namespace {

template <class A, size_t I = 0>
constexpr uint8_t kind_of() {
  if constexpr (std::is_same_v<A, std::variant_alternative_t<I, Attrs>>)
    return I;
  else
    return kind_of<A, I + 1>();
}

// Elementwise rows with a dtype class share one inference; every other row has its own call_NAME.
template <Op op>
Tensor call_elementwise(std::span<const Tensor> inputs, const Attrs&) {
  return elementwise(op, inputs);
}

// Two rows with one id do not compile: a switch refuses equal cases.
[[maybe_unused]] constexpr bool ids_are_unique(int id) {
  switch (id) {
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) case id:
#include "ops/ops.def"
#undef IST_OP
    return true;
  }
  return false;
}

struct Table {
  std::array<OpInfo, kOpIdLimit> rows{};
  std::vector<Op> order;
  std::unordered_map<std::string_view, Op> names;
};

// The own call_NAME is only referenced where `dtypes` is rule, so that generic rows need not define one.
#define IST_CALL_any(name) &call_elementwise<Op::name>
#define IST_CALL_inexact(name) IST_CALL_any(name)
#define IST_CALL_real_inexact(name) IST_CALL_any(name)
#define IST_CALL_real(name) IST_CALL_any(name)
#define IST_CALL_magnitude(name) IST_CALL_any(name)
#define IST_CALL_compare(name) IST_CALL_any(name)
#define IST_CALL_logical(name) IST_CALL_any(name)
#define IST_CALL_bitwise(name) IST_CALL_any(name)
#define IST_CALL_select(name) IST_CALL_any(name)
#define IST_CALL_rule(name) &call_##name

#define IST_EXEC_kernel(name, dtypes) row.call = IST_CALL_##dtypes(name);
#define IST_EXEC_view(name, dtypes)   \
  row.call = IST_CALL_##dtypes(name); \
  row.layout = &layout_##name;
#define IST_EXEC_composite(name, dtypes) row.call = IST_CALL_##dtypes(name);
#define IST_EXEC_many(name, dtypes) row.call_many = &call_##name;
#define IST_EXEC_data(name, dtypes)
#define IST_RULE_partial(name) row.partial = &partial_##name;
#define IST_RULE_linear(name) row.transpose = &transpose_##name;
#define IST_RULE_vjp(name) row.transpose = &vjp_##name;
#define IST_RULE_zero(name)
#define IST_RULE_composite(name)

Table build() {
  Table table;
#define IST_OP(id, opname, fam, n, attrs, dtype_class, deriv, exec, text)                              \
  {                                                                                                    \
    static_assert(id < kOpIdLimit);                                                                    \
    static_assert((Derivative::deriv == Derivative::composite) ==                                      \
                      (Execution::exec == Execution::composite || Execution::exec == Execution::many), \
                  "composites, and only they, have composite derivatives: " #opname);                  \
    static_assert(Execution::exec != Execution::view || n == 1, "a view has one input: " #opname);     \
    OpInfo& row = table.rows[id];                                                                      \
    row.op = Op::opname;                                                                               \
    row.name = #opname;                                                                                \
    row.doc = text;                                                                                    \
    row.family = Family::fam;                                                                          \
    row.arity = n;                                                                                     \
    row.attrs_kind = kind_of<attrs##Attrs>();                                                          \
    row.dtypes = DTypeClass::dtype_class;                                                              \
    row.derivative = Derivative::deriv;                                                                \
    row.execution = Execution::exec;                                                                   \
    IST_EXEC_##exec(opname, dtype_class) IST_RULE_##deriv(opname) table.order.push_back(Op::opname);   \
    table.names.emplace(#opname, Op::opname);                                                          \
  }
#include "ops/ops.def"
#undef IST_OP
  return table;
}

// A function-local static: built at first use, on whatever path comes first.
const Table& table() {
  static const Table built = build();
  return built;
}

}  // namespace

const OpInfo& info(Op op) { return table().rows[static_cast<int>(op)]; }

const OpInfo* find_op(uint32_t id) {
  if (id >= kOpIdLimit) return nullptr;
  const OpInfo& row = table().rows[id];
  return row.name ? &row : nullptr;
}

const OpInfo* find_op(std::string_view name) {
  const auto found = table().names.find(name);
  return found == table().names.end() ? nullptr : &info(found->second);
}

std::span<const Op> all_ops() { return table().order; }

}  // namespace ist
