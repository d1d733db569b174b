// The elementwise rows of ops.def, bound from the table: no list of names here but the aliases.
#include <pybind11/stl.h>

#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

// Text that pybind11 and the functions keep a pointer to lives as long as the process.
const char* keep(std::string text) { return (new std::string(std::move(text)))->c_str(); }

const char* doc_of(const OpInfo& row) {
  std::string text = row.doc;
  switch (row.arity) {
    case 1:
      text += "\n\n`a` is a tensor or a number. The result has its shape; ";
      break;
    case 2:
      text += "\n\n`a` and `b` are tensors or numbers, of one device. The result has their broadcast shape; ";
      break;
    default:
      text += "\n\nOperands are tensors or numbers. The result has their broadcast shape; ";
      break;
  }
  switch (row.dtypes) {
    case DTypeClass::any:
      text += "the promoted dtype.";
      break;
    case DTypeClass::inexact:
      text += "the promoted dtype, float32 for integers and bool.";
      break;
    case DTypeClass::real_inexact:
      text += "the promoted dtype, float32 for integers and bool; complex64 is refused.";
      break;
    case DTypeClass::real:
      text += "the promoted dtype; complex64 is refused.";
      break;
    case DTypeClass::magnitude:
      text += "its dtype, float32 for complex64.";
      break;
    case DTypeClass::compare:
    case DTypeClass::logical:
      text += "dtype bool.";
      break;
    case DTypeClass::bitwise:
      text += "the promoted dtype, which must be an integer or bool.";
      break;
    case DTypeClass::select:
      text += "the promoted dtype of x and y.";
      break;
    case DTypeClass::rule:
      text += "its dtype.";
      break;
  }
  if (row.arity == 2) text += " Shapes that do not broadcast raise ShapeError.";
  return keep(text);
}

void bind_one(py::module_& m, const char* public_name, Op op) {
  const OpInfo& row = info(op);
  const char* doc = doc_of(row);
  if (row.arity == 1) {
    m.def(
        public_name,
        [op](py::object a, py::object stream, py::object device) {
          const Placement place(stream, device, name(op));
          const Tensor input = place(operand(a, nullptr, name(op), "a"));
          return info(op).call(std::span<const Tensor>(&input, 1), NoAttrs{});
        },
        py::arg("a"), IST_PLACE_POSITIONAL, doc);
  } else if (row.arity == 2) {
    m.def(
        public_name,
        [op](py::object a, py::object b, py::object stream, py::object device) {
          const Placement place(stream, device, name(op));
          auto [left, right] = operands(a, b, name(op));
          const Tensor inputs[] = {place(std::move(left)), place(std::move(right))};
          return info(op).call(std::span<const Tensor>(inputs), NoAttrs{});
        },
        py::arg("a"), py::arg("b"), IST_PLACE_POSITIONAL, doc);
  }
}

struct Alias {
  const char* name;
  Op op;
};
constexpr Alias kAliases[] = {
    {"acos", Op::arccos},
    {"acosh", Op::arccosh},
    {"asin", Op::arcsin},
    {"asinh", Op::arcsinh},
    {"atan", Op::arctan},
    {"atanh", Op::arctanh},
    {"atan2", Op::arctan2},
    {"absolute", Op::abs},
    {"conj", Op::conjugate},
    {"pow", Op::power},
    {"bitwise_left_shift", Op::left_shift},
    {"bitwise_right_shift", Op::right_shift},
};

Tensor where(py::object condition, py::object x, py::object y, py::object stream, py::object device) {
  const Placement place(stream, device, "where");
  auto [a, b] = operands(x, y, "where");
  Tensor test = operand(condition, nullptr, "where", "condition");
  // Numbers were made on the current device; the tensors among the operands say where the result belongs.
  if (!place.id()) {
    const py::handle given[] = {condition, x, y};
    const Tensor* anchor = nullptr;
    for (const py::handle object : given)
      if (is_tensor(object.ptr())) anchor = &tensor_of(object.ptr());
    const auto follow = [&](py::handle object, Tensor& tensor) {
      if (anchor != nullptr && !is_tensor(object.ptr()) && tensor.device() != anchor->device())
        tensor = ops::to_device(tensor, anchor->device());
    };
    follow(condition, test);
    follow(x, a);
    follow(y, b);
  }
  return ops::where(place(std::move(test)), place(std::move(a)), place(std::move(b)));
}

}  // namespace

void bind_elementwise(py::module_& m) {
  m.def(
      "contiguous",
      [](py::object a, py::object allow_col_major, py::object stream, py::object device) {
        flag(allow_col_major, "contiguous", "allow_col_major");
        const Placement place(stream, device, "contiguous");
        return ops::contiguous(place(operand(a, nullptr, "contiguous", "a")));
      },
      py::arg("a"), py::arg("allow_col_major") = false, IST_PLACE,
      "A row-major copy of the elements; also when a column-major one would be allowed.");
  for (const Op op : all_ops()) {
    const OpInfo& row = info(op);
    const bool uniform = row.family == Family::elementwise && row.call && row.attrs_kind == 0;
    if (uniform && !py::hasattr(m, row.name)) bind_one(m, row.name, op);
  }
  for (const Alias& alias : kAliases) bind_one(m, alias.name, alias.op);
  m.def("where", where, py::arg("condition"), py::arg("x"), py::arg("y"), IST_PLACE,
        "Elements of `x` where `condition` holds, of `y` elsewhere. Operands are tensors or numbers and broadcast; the "
        "dtype is the promoted one of x and y.");

  m.def(
      "astype",
      [](py::object a, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "astype");
        return ops::astype(place(operand(a, nullptr, "astype", "a")), dtype_argument(dtype, "astype"));
      },
      py::arg("a"), py::arg("dtype"), IST_PLACE_POSITIONAL, "The elements converted to `dtype`.");
  m.def(
      "round",
      [](py::object a, py::object decimals, py::object stream, py::object device) {
        const Placement place(stream, device, "round");
        return ops::round(place(operand(a, nullptr, "round", "a")), int_argument(decimals, "round", "decimals"));
      },
      py::arg("a"), py::arg("decimals") = 0, IST_PLACE_POSITIONAL,
      "Rounded to `decimals` places, ties to even. Integers are returned as they are when decimals >= 0.");
  m.def(
      "clip",
      [](py::object a, py::object low, py::object high, py::object stream, py::object device) {
        const Placement place(stream, device, "clip");
        const Tensor input = place(operand(a, nullptr, "clip", "a"));
        const auto limit = [&](py::handle object, const char* argument) -> std::optional<Tensor> {
          if (object.is_none()) return std::nullopt;
          return place(operand(object, &input, "clip", argument));
        };
        return ops::clip(input, limit(low, "a_min"), limit(high, "a_max"));
      },
      py::arg("a"), py::arg("a_min"), py::arg("a_max"), IST_PLACE,
      "`a` kept between two limits, either of which may be None; they broadcast and promote with `a`.");
  m.def(
      "divmod",
      [](py::object a, py::object b, py::object stream, py::object device) {
        const Placement place(stream, device, "divmod");
        auto [left, right] = operands(a, b, "divmod");
        return to_list(ops::divmod(place(std::move(left)), place(std::move(right))));
      },
      py::arg("a"), py::arg("b"), IST_PLACE_POSITIONAL, "[a // b, a % b], of the broadcast shape.");
  m.def(
      "nan_to_num",
      [](py::object a, py::object nan, py::object posinf, py::object neginf, py::object stream, py::object device) {
        const Placement place(stream, device, "nan_to_num");
        const auto limit = [](py::handle object, const char* argument) -> std::optional<double> {
          if (object.is_none()) return std::nullopt;
          return number_argument(object, "nan_to_num", argument);
        };
        return ops::nan_to_num(place(operand(a, nullptr, "nan_to_num", "a")), number_argument(nan, "nan_to_num", "nan"),
                               limit(posinf, "posinf"), limit(neginf, "neginf"));
      },
      py::arg("a"), py::arg("nan") = 0.0, py::arg("posinf") = py::none(), py::arg("neginf") = py::none(), IST_PLACE,
      "NaN replaced by `nan`, infinities by `posinf` and `neginf` (by default the dtype's largest numbers).");
}

}  // namespace ist::python
