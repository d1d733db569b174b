// Cumulative ops, as functions and as methods.
#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

struct Scan {
  const char* name;
  Tensor (*function)(const Tensor& a, std::optional<int64_t> axis, bool reverse, bool inclusive);
  bool takes_dtype;
  const char* doc;

  Tensor operator()(const Tensor& a, py::handle axis, py::handle reverse, py::handle inclusive) const {
    return function(a, optional_int(axis, name, "axis"), flag(reverse, name, "reverse"),
                    flag(inclusive, name, "inclusive"));
  }
};

#define IST_SCAN_DOC                                                                                                  \
  "\n\n`axis` is an int, negative ones count from the end (IndexError when out of bounds); without it the tensor is " \
  "flattened.\n`reverse` goes from the end to the start. With inclusive=False an element is left out of its own "     \
  "result, and the first\nresult is that of no elements.\n"

constexpr Scan kScans[] = {
    {"cumsum", ops::cumsum, true,
     "Sums of the elements up to each one." IST_SCAN_DOC
     "The result has the operand's dtype (of bool: int32); `dtype` converts the operand first."},
    {"cumprod", ops::cumprod, true,
     "Products of the elements up to each one." IST_SCAN_DOC
     "The result has the operand's dtype; `dtype` converts the operand first."},
    {"cummax", ops::cummax, false,
     "The largest of the elements up to each one; NaN from the first NaN on." IST_SCAN_DOC
     "The result has the operand's dtype."},
    {"cummin", ops::cummin, false,
     "The smallest of the elements up to each one; NaN from the first NaN on." IST_SCAN_DOC
     "The result has the operand's dtype."},
    {"logcumsumexp", ops::logcumsumexp, false,
     "log of the sum of exp of the elements up to each one, without overflow." IST_SCAN_DOC
     "The result has the operand's dtype (of integers and bool: float32)."},
};
#undef IST_SCAN_DOC

void bind_function(py::module_& m, const Scan& scan) {
  if (scan.takes_dtype) {
    m.def(
        scan.name,
        [&scan](py::object a, py::object axis, py::object reverse, py::object inclusive, py::object dtype,
                py::object stream, py::object device) {
          const Placement place(stream, device, scan.name);
          const Tensor input = place(tensor_argument(a, scan.name));
          return scan(dtype.is_none() ? input : ops::astype(input, dtype_argument(dtype, scan.name)), axis, reverse,
                      inclusive);
        },
        py::arg("a"), py::pos_only(), py::arg("axis") = py::none(), py::kw_only(), py::arg("reverse") = false,
        py::arg("inclusive") = true, py::arg("dtype") = py::none(), py::arg("stream") = py::none(),
        py::arg("device") = py::none(), scan.doc);
  } else {
    m.def(
        scan.name,
        [&scan](py::object a, py::object axis, py::object reverse, py::object inclusive, py::object stream,
                py::object device) {
          const Placement place(stream, device, scan.name);
          return scan(place(tensor_argument(a, scan.name)), axis, reverse, inclusive);
        },
        py::arg("a"), py::pos_only(), py::arg("axis") = py::none(), py::kw_only(), py::arg("reverse") = false,
        py::arg("inclusive") = true, py::arg("stream") = py::none(), py::arg("device") = py::none(), scan.doc);
  }
}

void bind_method(const Scan& scan) {
  const py::handle type = reinterpret_cast<PyObject*>(tensor_type);
  py::setattr(type, scan.name,
              py::cpp_function(
                  [&scan](const Tensor& self, py::object axis, py::object reverse, py::object inclusive,
                          py::object stream, py::object device) {
                    const Placement place(stream, device, scan.name);
                    return scan(place(self), axis, reverse, inclusive);
                  },
                  py::name(scan.name), py::is_method(type), py::arg("axis") = py::none(), py::kw_only(),
                  py::arg("reverse") = false, py::arg("inclusive") = true, py::arg("stream") = py::none(),
                  py::arg("device") = py::none(), find_op(scan.name)->doc));
}

}  // namespace

void bind_scans(py::module_& m) {
  for (const Scan& scan : kScans) {
    bind_function(m, scan);
    bind_method(scan);
  }
  m.attr("cumulative_sum") = m.attr("cumsum");
  m.attr("cumulative_prod") = m.attr("cumprod");
}

}  // namespace ist::python
