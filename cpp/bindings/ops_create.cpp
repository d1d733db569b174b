#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

struct RangeNumber {
  double value = 0;
  bool is_float = false;
  bool is_wide = false;
};

RangeNumber range_number(py::handle object, const char* argument) {
  if (PyBool_Check(object.ptr())) fail(Code::value, "arange", argument, " must be an int or a float, got bool");
  if (PyFloat_Check(object.ptr())) return {PyFloat_AS_DOUBLE(object.ptr()), true, false};
  if (!PyIndex_Check(object.ptr())) refuse("arange", argument, "an int or a float", object);
  const int64_t value = int_argument(object, "arange", argument);
  return {static_cast<double>(value), false, value < INT32_MIN || value > INT32_MAX};
}

Tensor arange(py::object start, py::object stop, py::object step, py::object dtype, py::object stream,
              py::object device) {
  const Placement place(stream, device, "arange");
  if (stop.is_none()) std::swap(start, stop);
  if (stop.is_none()) fail(Code::value, "arange", "a stop is needed");
  const RangeNumber first = start.is_none() ? RangeNumber{} : range_number(start, "start");
  const RangeNumber last = range_number(stop, "stop");
  const RangeNumber by = step.is_none() ? RangeNumber{1, false, false} : range_number(step, "step");
  DType type = DType::int32;
  if (const auto given = optional_dtype(dtype, "arange"))
    type = *given;
  else if (first.is_float || last.is_float || by.is_float)
    type = DType::float32;
  else if (first.is_wide || last.is_wide || by.is_wide)
    type = DType::int64;
  return ops::arange(first.value, last.value, by.value, type);
}

Tensor filled(const char* op, py::handle shape, py::handle dtype, bool one) {
  const Dims dims = dims_argument(shape, op, "shape", true);
  for (const int64_t extent : dims)
    if (extent < 0) fail(Code::value, op, "extents must not be negative, got shape ", dims);
  const DType type = optional_dtype(dtype, op).value_or(DType::float32);
  return one ? ops::ones(dims, type) : ops::zeros(dims, type);
}

Tensor like(const char* op, const Tensor& a, py::handle dtype, bool one) {
  const auto type = optional_dtype(dtype, op);
  if (!type || *type == a.dtype()) return one ? ops::ones_like(a) : ops::zeros_like(a);
  const DeviceScope scope(a.device());
  return one ? ops::ones(a.shape(), *type) : ops::zeros(a.shape(), *type);
}

void bind_filled(py::module_& m) {
  for (const char* op : {"zeros", "ones", "empty"})
    m.def(
        op,
        [op](py::object shape, py::object dtype, py::object stream, py::object device) {
          const Placement place(stream, device, op);
          return filled(op, shape, dtype, op[0] == 'o');
        },
        py::arg("shape"), py::arg("dtype") = py::none(), IST_PLACE,
        op[0] == 'o' ? "A tensor of ones, float32 by default." : "A tensor of zeros, float32 by default.");
  for (const char* op : {"zeros_like", "ones_like", "empty_like"})
    m.def(
        op,
        [op](py::object a, py::object dtype, py::object stream, py::object device) {
          const Placement place(stream, device, op);
          return like(op, place(tensor_argument(a, op)), dtype, op[0] == 'o');
        },
        py::arg("a"), py::arg("dtype") = py::none(), IST_PLACE,
        "A tensor of the shape (and, by default, dtype) of `a`, filled as the name says.");
  m.def(
      "full",
      [](py::object shape, py::object vals, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "full");
        const Dims dims = dims_argument(shape, "full", "shape", true);
        for (const int64_t extent : dims)
          if (extent < 0) fail(Code::value, "full", "extents must not be negative, got shape ", dims);
        const Tensor value = place(operand(vals, nullptr, "full", "vals"));
        return ops::full(dims, value, optional_dtype(dtype, "full").value_or(value.dtype()));
      },
      py::arg("shape"), py::arg("vals"), py::arg("dtype") = py::none(), IST_PLACE,
      "A tensor filled with a number, or with a tensor that broadcasts to `shape`; its dtype by default.");
  m.def(
      "full_like",
      [](py::object a, py::object vals, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "full_like");
        const Tensor model = place(tensor_argument(a, "full_like"));
        const Tensor value = place(operand(vals, &model, "full_like", "vals"));
        const DeviceScope scope(model.device());
        return ops::full(model.shape(), value, optional_dtype(dtype, "full_like").value_or(model.dtype()));
      },
      py::arg("a"), py::arg("vals"), py::arg("dtype") = py::none(), IST_PLACE,
      "A tensor of the shape (and, by default, dtype) of `a`, filled with `vals`.");
}

}  // namespace

void bind_creation(py::module_& m) {
  bind_filled(m);
  m.def(
      "arange", arange, py::arg("start") = py::none(), py::arg("stop") = py::none(), py::arg("step") = py::none(),
      py::arg("dtype") = py::none(), IST_PLACE,
      "arange(stop) or arange(start, stop, step): numbers from start (0) up to stop, exclusive. int32 for ints (int64 "
      "where they need it), float32 otherwise.");
  m.def(
      "linspace",
      [](py::object start, py::object stop, py::object num, bool endpoint, py::object dtype, py::object stream,
         py::object device) {
        const Placement place(stream, device, "linspace");
        return ops::linspace(number_argument(start, "linspace", "start"), number_argument(stop, "linspace", "stop"),
                             num.is_none() ? 50 : int_argument(num, "linspace", "num"),
                             optional_dtype(dtype, "linspace").value_or(DType::float32), endpoint);
      },
      py::arg("start"), py::arg("stop"), py::arg("num") = 50, py::arg("endpoint") = true, py::arg("dtype") = py::none(),
      IST_PLACE_POSITIONAL, "`num` numbers evenly spaced from start to stop, inclusive with `endpoint`.");
  m.def(
      "eye",
      [](py::object n, py::object columns, py::object k, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "eye");
        const int64_t rows = int_argument(n, "eye", "n");
        return ops::eye(rows, optional_int(columns, "eye", "m").value_or(rows), int_argument(k, "eye", "k"),
                        optional_dtype(dtype, "eye").value_or(DType::float32));
      },
      py::arg("n"), py::arg("m") = py::none(), py::arg("k") = 0, py::arg("dtype") = py::none(), IST_PLACE,
      "An n by m matrix with ones on diagonal k, zeros elsewhere.");
  m.def(
      "identity",
      [](py::object n, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "identity");
        const int64_t rows = int_argument(n, "identity", "n");
        return ops::eye(rows, rows, 0, optional_dtype(dtype, "identity").value_or(DType::float32));
      },
      py::arg("n"), py::arg("dtype") = py::none(), IST_PLACE, "The n by n identity matrix.");
  m.def(
      "tri",
      [](py::object n, py::object columns, py::object k, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "tri");
        const int64_t rows = int_argument(n, "tri", "n");
        return ops::tri(rows, optional_int(columns, "tri", "m").value_or(rows), int_argument(k, "tri", "k"),
                        optional_dtype(dtype, "tri").value_or(DType::float32));
      },
      py::arg("n"), py::arg("m") = py::none(), py::arg("k") = 0, py::arg("dtype") = py::none(), IST_PLACE,
      "An n by m matrix with ones on and below diagonal k, zeros above.");
  for (const bool lower : {true, false}) {
    const char* op = lower ? "tril" : "triu";
    m.def(
        op,
        [op, lower](py::object x, py::object k, py::object stream, py::object device) {
          const Placement place(stream, device, op);
          const Tensor input = place(tensor_argument(x, op, "x"));
          const int64_t diagonal = int_argument(k, op, "k");
          return lower ? ops::tril(input, diagonal) : ops::triu(input, diagonal);
        },
        py::arg("x"), py::arg("k") = 0, IST_PLACE,
        lower ? "`x` with zeros above diagonal k." : "`x` with zeros below diagonal k.");
  }
  m.def(
      "asarray",
      [](py::object a, py::object dtype, py::object copy) {
        const auto type = optional_dtype(dtype, "asarray");
        if (!copy.is_none() && !flag(copy, "asarray", "copy") && !is_tensor(a.ptr()))
          fail(Code::value, "asarray", "copy=False is for tensors; from_dlpack shares the memory of other arrays");
        return array_from(a, type, "asarray");
      },
      py::arg("a"), py::arg("dtype") = py::none(), py::kw_only(), py::arg("copy") = py::none(),
      "A tensor of numbers, nested lists, tensors or foreign arrays; what is a tensor already is not copied.");
}

}  // namespace ist::python
