#include "bindings/convert.h"

#include <limits>

namespace ist::python {
namespace {

bool fits(int64_t value, DType dtype) {
  switch (dtype) {
    case DType::uint8:
      return value >= 0 && value <= UINT8_MAX;
    case DType::uint16:
      return value >= 0 && value <= UINT16_MAX;
    case DType::uint32:
      return value >= 0 && value <= int64_t{UINT32_MAX};
    case DType::uint64:
      return value >= 0;
    case DType::int8:
      return value >= INT8_MIN && value <= INT8_MAX;
    case DType::int16:
      return value >= INT16_MIN && value <= INT16_MAX;
    case DType::int32:
      return value >= INT32_MIN && value <= INT32_MAX;
    default:
      return true;
  }
}

// An int beside a tensor of an integer dtype must fit it: wrapping silently would hide a mistake.
void check_fits(PyObject* number, DType dtype, const char* op) {
  if (!is_integer(dtype) || !PyLong_Check(number)) return;
  int overflow = 0;
  const int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow == 0 && fits(value, dtype)) return;
  if (overflow > 0 && dtype == DType::uint64) {
    PyLong_AsUnsignedLongLong(number);
    if (PyErr_Occurred() == nullptr) return;
    PyErr_Clear();
  }
  fail(Code::value, op, "the number ", py::str(number).cast<std::string>(), " does not fit the dtype ", dtype,
       " of the other operand");
}

// What a number becomes beside a tensor of dtype `like`.
DType weak_dtype(PyObject* number, DType like, const char* op) {
  if (PyBool_Check(number)) return like;
  if (PyLong_Check(number)) return is_bool(like) ? number_dtype(number, op) : like;
  if (PyFloat_Check(number)) return at_least_float(like);
  return DType::complex64;
}

}  // namespace

bool is_number(PyObject* object) {
  return PyLong_Check(object) || PyFloat_Check(object) || PyComplex_Check(object);  // bool is an int
}

Tensor operand(py::handle object, const Tensor* like, const char* op, const char* argument) {
  PyObject* raw = object.ptr();
  if (is_tensor(raw)) return tensor_of(raw);
  std::optional<DeviceScope> scope;
  if (like != nullptr && like->device() != current_device()) scope.emplace(like->device());
  if (is_number(raw)) {
    if (like == nullptr) return number_tensor(raw, number_dtype(raw, op), op);
    const DType dtype = weak_dtype(raw, like->dtype(), op);
    check_fits(raw, dtype, op);
    return number_tensor(raw, dtype, op);
  }
  if (is_array_like(raw))
    return array_from(object, like != nullptr ? std::optional<DType>(like->dtype()) : std::nullopt, op);
  refuse(op, argument, "a tensor, a number or an array", object);
}

std::pair<Tensor, Tensor> operands(py::handle a, py::handle b, const char* op) {
  if (is_tensor(a.ptr())) {
    const Tensor& left = tensor_of(a.ptr());
    return {left, operand(b, &left, op, "b")};
  }
  if (is_tensor(b.ptr())) {
    const Tensor& right = tensor_of(b.ptr());
    return {operand(a, &right, op, "a"), right};
  }
  Tensor left = operand(a, nullptr, op, "a");
  // Two plain numbers promote like tensors of their own dtypes; an array beside a number stays what it is.
  Tensor right = operand(b, is_number(a.ptr()) ? nullptr : &left, op, "b");
  return {std::move(left), std::move(right)};
}

Tensor tensor_argument(py::handle object, const char* op, const char* argument) {
  if (is_tensor(object.ptr())) return tensor_of(object.ptr());
  if (!is_number(object.ptr()) && is_array_like(object.ptr())) return array_from(object, std::nullopt, op);
  refuse(op, argument, "a tensor", object);
}

std::vector<Tensor> tensor_list(py::handle object, const char* op, const char* argument) {
  std::vector<Tensor> tensors;
  if (is_tensor(object.ptr())) {  // the tensors along its first axis
    const Tensor whole = tensor_of(object.ptr());
    if (whole.rank() == 0) refuse(op, argument, "a list of tensors", object);
    for (const py::handle item : py::iter(object)) tensors.push_back(tensor_of(item.ptr()));
    return tensors;
  }
  if (!PyList_Check(object.ptr()) && !PyTuple_Check(object.ptr())) refuse(op, argument, "a list of tensors", object);
  for (const py::handle item : py::reinterpret_borrow<py::sequence>(object))
    tensors.push_back(tensor_argument(item, op, "each of the tensors"));
  return tensors;
}

int64_t int_argument(py::handle object, const char* op, const char* argument) {
  if (!PyIndex_Check(object.ptr())) refuse(op, argument, "an int", object);
  const Py_ssize_t value = PyNumber_AsSsize_t(object.ptr(), PyExc_OverflowError);
  if (value == -1 && PyErr_Occurred() != nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) throw py::error_already_set();
    PyErr_Clear();
    fail(Code::value, op, argument, " does not fit 64 bits");
  }
  return value;
}

std::optional<int64_t> optional_int(py::handle object, const char* op, const char* argument) {
  if (object.is_none()) return std::nullopt;
  return int_argument(object, op, argument);
}

double number_argument(py::handle object, const char* op, const char* argument) {
  if (!is_tensor(object.ptr()) && !PyFloat_Check(object.ptr()) && !PyIndex_Check(object.ptr()))
    refuse(op, argument, "a number", object);
  const double value = PyFloat_AsDouble(object.ptr());
  if (value == -1.0 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return value;
}

bool flag(py::handle object, const char* op, const char* argument) {
  const int truth = object.is_none() ? -1 : PyObject_IsTrue(object.ptr());
  if (truth < 0) {
    PyErr_Clear();  // why it has no truth value matters less than that it is no bool
    refuse(op, argument, "a bool", object);
  }
  return truth != 0;
}

Dims dims_argument(py::handle object, const char* op, const char* argument, bool allow_int) {
  PyObject* raw = object.ptr();
  if (allow_int && PyIndex_Check(raw) && !(is_tensor(raw) && tensor_of(raw).rank() > 0))
    return Dims{int_argument(object, op, argument)};
  const char* wanted = allow_int ? "an int or a sequence of ints" : "a sequence of ints";
  if (!PySequence_Check(raw) || PyUnicode_Check(raw) || PyBytes_Check(raw)) refuse(op, argument, wanted, object);
  Dims dims;
  for (const py::handle item : py::iter(object)) {
    if (!PyIndex_Check(item.ptr())) refuse(op, argument, std::string(wanted) + " (an element is wrong)", item);
    dims.push_back(int_argument(item, op, argument));
  }
  return dims;
}

std::optional<Dims> optional_dims(py::handle object, const char* op, const char* argument) {
  if (object.is_none()) return std::nullopt;
  return dims_argument(object, op, argument, true);
}

Dims variadic_dims(const py::args& args, const char* op, const char* argument) {
  if (args.size() == 1) return dims_argument(args[0], op, argument, true);
  return dims_argument(args, op, argument, false);
}

py::tuple to_tuple(const Dims& dims) {
  py::tuple tuple(dims.size());
  for (int i = 0; i < dims.size(); ++i) PyTuple_SET_ITEM(tuple.ptr(), i, PyLong_FromLongLong(dims[i]));
  return tuple;
}

py::list to_list(std::vector<Tensor> tensors) {
  py::list list(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i)
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), to_object(std::move(tensors[i])).release().ptr());
  return list;
}

py::tuple to_tuple(std::vector<Tensor> tensors) {
  py::tuple tuple(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i)
    PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i), to_object(std::move(tensors[i])).release().ptr());
  return tuple;
}

}  // namespace ist::python
