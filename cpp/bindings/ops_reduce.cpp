#include "bindings/module.h"
#include "bindings/reduce.h"

namespace ist::python {

const std::vector<Reduction>& reductions() {
  using Axes = ops::OptionalAxes;
  static const std::vector<Reduction> all = {
      {"sum", [](const Tensor& a, const Axes& x, bool k) { return ops::sum(a, x, k); }},
      {"prod", [](const Tensor& a, const Axes& x, bool k) { return ops::prod(a, x, k); }},
      {"max", [](const Tensor& a, const Axes& x, bool k) { return ops::max(a, x, k); }},
      {"min", [](const Tensor& a, const Axes& x, bool k) { return ops::min(a, x, k); }},
      {"all", [](const Tensor& a, const Axes& x, bool k) { return ops::all(a, x, k); }},
      {"any", [](const Tensor& a, const Axes& x, bool k) { return ops::any(a, x, k); }},
      {"mean", [](const Tensor& a, const Axes& x, bool k) { return ops::mean(a, x, k); }},
      {"logsumexp", [](const Tensor& a, const Axes& x, bool k) { return ops::logsumexp(a, x, k); }},
  };
  return all;
}

const char* reduction_doc(const char* name) {
  const OpInfo* row = find_op(name);
  return (new std::string(std::string(row->doc) +
                          "\n\n`axis` is None (all), an int or a sequence of ints; negative ones count from the end, "
                          "one out of bounds raises IndexError.\nReduced axes are dropped, or kept with extent 1 with "
                          "keepdims=True."))
      ->c_str();
}

Tensor variance(bool root, const Tensor& a, py::handle axis, py::handle keepdims, py::handle ddof,
                py::handle correction) {
  const char* op = root ? "std" : "var";
  const auto axes = optional_dims(axis, op, "axis");
  const bool keep = flag(keepdims, op, "keepdims");
  const py::handle given = correction.is_none() ? ddof : correction;
  const char* name = correction.is_none() ? "ddof" : "correction";
  const int64_t wide = int_argument(given, op, name);
  if (wide < INT32_MIN || wide > INT32_MAX) fail(Code::value, op, name, " ", wide, " is out of range");
  const int n = static_cast<int>(wide);
  return root ? ops::std(a, axes, keep, n) : ops::var(a, axes, keep, n);
}

void bind_reductions(py::module_& m) {
  for (const Reduction& reduction : reductions()) {
    const char* op = reduction.name;
    m.def(
        op,
        [op, function = reduction.function](py::object a, py::object axis, py::object keepdims, py::object stream,
                                            py::object device) {
          const Placement place(stream, device, op);
          return function(place(tensor_argument(a, op)), optional_dims(axis, op, "axis"),
                          flag(keepdims, op, "keepdims"));
        },
        py::arg("a"), py::arg("axis") = py::none(), py::arg("keepdims") = false, IST_PLACE, reduction_doc(op));
  }
  for (const bool root : {false, true}) {
    const char* op = root ? "std" : "var";
    m.def(
        op,
        [root, op](py::object a, py::object axis, py::object keepdims, py::object ddof, py::object correction,
                   py::object stream, py::object device) {
          const Placement place(stream, device, op);
          return variance(root, place(tensor_argument(a, op)), axis, keepdims, ddof, correction);
        },
        py::arg("a"), py::arg("axis") = py::none(), py::arg("keepdims") = false, py::arg("ddof") = 0, py::kw_only(),
        py::arg("correction") = py::none(), py::arg("stream") = py::none(), py::arg("device") = py::none(),
        reduction_doc(op));
  }
  for (const bool largest : {true, false}) {
    const char* op = largest ? "argmax" : "argmin";
    m.def(
        op,
        [largest, op](py::object a, py::object axis, py::object keepdims, py::object stream, py::object device) {
          const Placement place(stream, device, op);
          const Tensor input = place(tensor_argument(a, op));
          const auto along = optional_int(axis, op, "axis");
          const bool keep = flag(keepdims, op, "keepdims");
          return largest ? ops::argmax(input, along, keep) : ops::argmin(input, along, keep);
        },
        py::arg("a"), py::arg("axis") = py::none(), py::arg("keepdims") = false, IST_PLACE,
        largest ? "Index (uint32) of the first largest element along `axis`, or of the flat tensor."
                : "Index (uint32) of the first smallest element along `axis`, or of the flat tensor.");
  }
  m.def(
      "softmax",
      [](py::object a, py::object axis, bool, py::object stream, py::object device) {
        const Placement place(stream, device, "softmax");
        return ops::softmax(place(tensor_argument(a, "softmax")), optional_dims(axis, "softmax", "axis"));
      },
      py::arg("a"), py::arg("axis") = py::none(), py::kw_only(), py::arg("precise") = false,
      py::arg("stream") = py::none(), py::arg("device") = py::none(),
      "exp(a) normalised to sum 1 over `axis` (all axes by default). Half types are always computed in float32, so "
      "`precise` changes nothing.");
}

}  // namespace ist::python
