// What the core knows about each op, made from ops.def at compile time. Transforms, the scheduler, the C line and
// Python read this table; none of them names an op.
#pragma once

#include <any>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "graph/tensor.h"
#include "ops/attrs.h"
#include "ops/op_ids.h"

namespace ist {

enum class Family : uint8_t {
  leaf,
  elementwise,
  reduce,
  arg_reduce,
  linalg,
  shape,
  copy,
  index,
  create,
  random,
  scan,
  sort,
  norm,
  attention,
  conv,
  quantized
};

// Elementwise rows: how input dtypes become the kernel's dtype T, and the output's.
enum class DTypeClass : uint8_t {
  any,           // T = promoted; output T
  inexact,       // T = promoted, integers and bool become float32; output T
  real_inexact,  // the same, complex64 refused
  real,          // T = promoted, complex64 refused; output T
  magnitude,     // T = promoted; output T, float32 for complex64
  compare,       // T = promoted; output bool
  logical,       // T = bool; output bool
  bitwise,       // T = promoted, must be integer or bool; output T
  select,        // operand 0 bool, the rest promoted to T; output T
  rule,          // call_NAME decides
};

enum class Derivative : uint8_t { partial, linear, vjp, zero, composite };
enum class Execution : uint8_t { kernel, view, composite, many, data };
inline constexpr int VARIADIC = -1;

// What a derivative rule sees of the node that it differentiates.
struct RuleArgs {
  std::span<const Tensor> inputs;  // as the user gave them: elementwise operands are not broadcast here
  const Tensor& output;
  const Attrs& attributes;
  std::any& made;  // by once()
  template <class A>
  const A& get() const {
    return std::get<A>(attributes);
  }
  // What the rules of several operands need, made for the first of them. One type for each op.
  template <class Make>
  const auto& once(Make&& make) const {
    using Made = std::invoke_result_t<Make>;
    if (!made.has_value()) made.emplace<Made>(make());
    return std::any_cast<const Made&>(made);
  }
};

using Tensors = std::vector<Tensor>;
// Checks, promotes, infers shape and dtype, makes the node (or nodes). `attrs` holds the alternative that the row
// names.
using CallFn = Tensor (*)(std::span<const Tensor> inputs, const Attrs& attrs);
using CallManyFn = Tensors (*)(std::span<const Tensor> inputs, const Attrs& attrs);
// All rules return an empty Tensor for an exact zero (and for operands that have no derivative, such as indices).
// partial: d output / d inputs[i], of the output's (broadcast) shape or one that broadcasts to it.
using PartialFn = Tensor (*)(const RuleArgs& args, int i);
// linear and vjp: the cotangent of inputs[i], of its shape (elementwise rows: of the output's shape; the caller
// un-broadcasts).
using TransposeFn = Tensor (*)(const RuleArgs& args, int i, const Tensor& cotangent);

struct StridedView {
  Dims strides;
  int64_t offset = 0;
};
// Where the elements of `node` (a view) lie, given where those of its input lie; false if that cannot be said with
// strides, and the input has to be copied row-major first.
using LayoutFn = bool (*)(const Node& node, const StridedView& input, StridedView& output);

struct OpInfo {
  Op op = Op::data;
  const char* name = nullptr;  // null: no op has this id
  const char* doc = nullptr;
  Family family = Family::leaf;
  int8_t arity = 0;
  uint8_t attrs_kind = 0;  // index into the variant Attrs
  DTypeClass dtypes = DTypeClass::rule;
  Derivative derivative = Derivative::zero;
  Execution execution = Execution::data;
  CallFn call = nullptr;           // all but `many` and `data`
  CallManyFn call_many = nullptr;  // `many`
  PartialFn partial = nullptr;
  TransposeFn transpose = nullptr;  // linear and vjp rows
  LayoutFn layout = nullptr;        // views
};

const OpInfo& info(Op op);
// nullptr for an unknown id or name.
const OpInfo* find_op(uint32_t id);
const OpInfo* find_op(std::string_view name);
std::span<const Op> all_ops();  // in the order of ops.def
inline const char* name(Op op) { return info(op).name; }

// The generic elementwise inference: broadcasts, promotes, casts operands with astype, makes the node.
Tensor elementwise(Op op, std::span<const Tensor> inputs);

// ---- the functions that rows need, declared from their columns ----
#define IST_DECLARE_EXEC_kernel(name) Tensor call_##name(std::span<const Tensor>, const Attrs&);
#define IST_DECLARE_EXEC_view(name)                          \
  Tensor call_##name(std::span<const Tensor>, const Attrs&); \
  bool layout_##name(const Node&, const StridedView&, StridedView&);
#define IST_DECLARE_EXEC_composite(name) Tensor call_##name(std::span<const Tensor>, const Attrs&);
#define IST_DECLARE_EXEC_many(name) Tensors call_##name(std::span<const Tensor>, const Attrs&);
#define IST_DECLARE_EXEC_data(name)
#define IST_DECLARE_DERIVATIVE_partial(name) Tensor partial_##name(const RuleArgs&, int);
#define IST_DECLARE_DERIVATIVE_linear(name) Tensor transpose_##name(const RuleArgs&, int, const Tensor&);
#define IST_DECLARE_DERIVATIVE_vjp(name) Tensor vjp_##name(const RuleArgs&, int, const Tensor&);
#define IST_DECLARE_DERIVATIVE_zero(name)
#define IST_DECLARE_DERIVATIVE_composite(name)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) \
  IST_DECLARE_EXEC_##execution(name) IST_DECLARE_DERIVATIVE_##derivative(name)
#include "ops/ops.def"
#undef IST_OP

}  // namespace ist
