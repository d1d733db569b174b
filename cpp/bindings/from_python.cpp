// isthmus.array(value): numbers, nested lists, buffers.
#include <complex>
#include <cstring>

#include "bindings/buffer.h"
#include "bindings/convert.h"
#include "bindings/dlpack.h"
#include "kernels/types.h"
#include "runtime/memory.h"

namespace ist::python {
namespace {

enum class Kind { boolean, integer, floating, complex };

// A number of any of Python's kinds, as the element types need it.
struct Number {
  Kind kind;
  uint64_t bits = 0;  // of an integer, two's complement
  bool wide = false;  // an integer that int64 cannot hold, but uint64 can
  bool huge = false;  // an integer that only a float tensor can hold
  double re = 0, im = 0;
};

Number read_number(PyObject* object, const char* op) {
  Number n{};
  if (PyBool_Check(object)) {
    n.kind = Kind::boolean;
    n.bits = object == Py_True;
    n.re = static_cast<double>(n.bits);
  } else if (PyFloat_Check(object)) {
    n.kind = Kind::floating;
    n.re = PyFloat_AS_DOUBLE(object);
  } else if (PyComplex_Check(object)) {
    n.kind = Kind::complex;
    n.re = PyComplex_RealAsDouble(object);
    n.im = PyComplex_ImagAsDouble(object);
  } else {
    n.kind = Kind::integer;
    int overflow = 0;
    n.bits = static_cast<uint64_t>(PyLong_AsLongLongAndOverflow(object, &overflow));
    n.re = overflow == 0 ? static_cast<double>(static_cast<int64_t>(n.bits)) : PyLong_AsDouble(object);
    if (overflow > 0) {
      n.bits = PyLong_AsUnsignedLongLong(object);
      n.wide = PyErr_Occurred() == nullptr;
    }
    PyErr_Clear();
    n.huge = overflow != 0 && !n.wide;
    if (n.huge && n.re == -1.0) fail(Code::value, op, "an int is too large for any dtype");
  }
  return n;
}

uint64_t as_integer(const Number& n) {
  if (n.kind == Kind::boolean || n.kind == Kind::integer) return n.bits;
  // Out of range a C++ conversion is undefined.
  if (!(n.re > -9223372036854775808.0)) return uint64_t{1} << 63;
  if (n.re >= 18446744073709551616.0) return UINT64_MAX;
  if (n.re >= 9223372036854775808.0) return static_cast<uint64_t>(n.re);
  return static_cast<uint64_t>(static_cast<int64_t>(n.re));
}

// Floats beyond int32 become its smallest value, as upstream's conversions of floats to narrow integers have it.
uint32_t as_narrow(const Number& n) {
  if (n.kind == Kind::boolean || n.kind == Kind::integer) return static_cast<uint32_t>(n.bits);
  if (!(n.re > -2147483649.0 && n.re < 2147483648.0)) return uint32_t{1} << 31;
  return static_cast<uint32_t>(static_cast<int32_t>(n.re));
}

// An int may wrap, as upstream has it, but not lose bits that Python's own conversion cannot give.
void check_range(const Number& n, DType dtype, const char* op) {
  if (is_inexact(dtype) || is_bool(dtype)) return;
  if (n.huge || (n.wide && dtype != DType::uint64)) fail(Code::value, op, "an int does not fit the dtype ", dtype);
}

void store(void* out, DType dtype, const Number& n) {
  const auto put = [out](auto value) { std::memcpy(out, &value, sizeof value); };
  switch (dtype) {
    case DType::bool_:
      return put(static_cast<uint8_t>(n.re != 0 || n.im != 0 || n.re != n.re || n.bits != 0));
    case DType::uint8:
    case DType::int8:
      return put(static_cast<uint8_t>(as_narrow(n)));
    case DType::uint16:
    case DType::int16:
      return put(static_cast<uint16_t>(as_narrow(n)));
    case DType::int32:
      return put(as_narrow(n));
    case DType::uint32:
      return put(static_cast<uint32_t>(as_integer(n)));
    case DType::uint64:
    case DType::int64:
      return put(as_integer(n));
    case DType::float16:
      return put(to_float16(static_cast<float>(n.re)).bits);
    case DType::bfloat16:
      return put(to_bfloat16(static_cast<float>(n.re)).bits);
    case DType::float32:
      return put(static_cast<float>(n.re));
    case DType::float64:
      return put(n.re);
    case DType::complex64:
      return put(complex64{static_cast<float>(n.re), static_cast<float>(n.im)});
  }
}

// ---- nested lists ----

bool is_list(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }

// NumPy's scalars are numbers too, though not Python's; this gives Python's.
py::object python_number(PyObject* object) {
  if (is_number(object)) return py::reinterpret_borrow<py::object>(object);
  PyNumberMethods* methods = Py_TYPE(object)->tp_as_number;
  if (methods == nullptr || is_array_like(object) == false || !PyObject_HasAttrString(object, "item")) return {};
  const py::object shape = py::getattr(object, "shape", py::none());
  if (!PyTuple_Check(shape.ptr()) || PyTuple_GET_SIZE(shape.ptr()) != 0) return {};
  py::object number = py::handle(object).attr("item")();
  return is_number(number.ptr()) ? number : py::object();
}

struct ListScan {
  Dims shape;
  std::vector<Number> numbers;
  Kind kind = Kind::boolean;
  bool needs_int64 = false, wide = false;
  bool has_tensors = false;
};

void scan(PyObject* object, int depth, ListScan& out, const char* op) {
  if (is_list(object)) {
    const Deeper deeper(" while reading a nested list");
    const int64_t n = PySequence_Fast_GET_SIZE(object);
    if (out.shape.size() == depth) {
      if (!out.numbers.empty())
        fail(Code::value, op, "the nested list is not rectangular: numbers and lists are mixed at depth ", depth);
      out.shape.push_back(n);
    } else if (out.shape[depth] != n)
      fail(Code::value, op, "the nested list is not rectangular: axis ", depth, " has length ", out.shape[depth],
           " in one place and length ", n, " in another");
    for (int64_t i = 0; i < n && !out.has_tensors; ++i) {
      // Reading a number may run the caller's code, and that may change the list.
      if (PySequence_Fast_GET_SIZE(object) != n) fail(Code::value, op, "the list changed while it was read");
      const auto item = py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(object, i));
      scan(item.ptr(), depth + 1, out, op);
    }
    return;
  }
  const py::object number = python_number(object);
  if (!number) {
    if (is_tensor(object) || is_array_like(object)) {
      out.has_tensors = true;
      return;
    }
    refuse(op, "every element of the list", "a number, a list or a tensor", object);
  }
  if (out.shape.size() != depth)
    fail(Code::value, op, "the nested list is not rectangular: numbers and lists are mixed at depth ", depth);
  const Number n = read_number(number.ptr(), op);
  out.kind = std::max(out.kind, n.kind);
  out.wide |= n.wide || n.huge;
  if (n.kind == Kind::integer) {
    const int64_t value = static_cast<int64_t>(n.bits);
    out.needs_int64 |= value < INT32_MIN || value > INT32_MAX;
  }
  out.numbers.push_back(n);
}

DType natural_dtype(Kind kind, bool needs_int64, bool wide, const char* op) {
  switch (kind) {
    case Kind::boolean:
      return DType::bool_;
    case Kind::integer:
      if (wide) fail(Code::value, op, "an int does not fit int64; give dtype=isthmus.uint64 or a float dtype");
      return needs_int64 ? DType::int64 : DType::int32;
    case Kind::floating:
      return DType::float32;
    case Kind::complex:
      return DType::complex64;
  }
  return DType::float32;
}

Tensor from_list(PyObject* list, std::optional<DType> dtype, const char* op) {
  const Deeper deeper(" while reading a nested list");
  ListScan found;
  scan(list, 0, found, op);
  if (found.has_tensors) {
    std::vector<Tensor> parts;
    for (const py::handle item : py::reinterpret_borrow<py::sequence>(list))
      parts.push_back(is_tensor(item.ptr()) ? tensor_of(item.ptr()) : array_from(item, std::nullopt, op));
    Tensor stacked = ops::stack(parts, 0);
    return dtype ? ops::astype(stacked, *dtype) : stacked;
  }
  if (static_cast<int64_t>(found.numbers.size()) != element_count(found.shape, op))
    fail(Code::value, op, "the nested list is not rectangular");
  const bool empty = found.numbers.empty();
  const DType type = dtype   ? *dtype
                     : empty ? DType::float32
                             : natural_dtype(found.kind, found.needs_int64, found.wide, op);
  void* data = nullptr;
  Tensor made = make_empty(type, found.shape, &data, op);
  char* out = static_cast<char*>(data);
  for (const Number& n : found.numbers) {
    check_range(n, type, op);
    store(out, type, n);
    out += itemsize(type);
  }
  return made;
}

}  // namespace

DType number_dtype(PyObject* number, const char* op) {
  const Number n = read_number(number, op);
  const int64_t value = static_cast<int64_t>(n.bits);
  return natural_dtype(n.kind, value < INT32_MIN || value > INT32_MAX, n.wide || n.huge, op);
}

Tensor number_tensor(PyObject* number, DType dtype, const char* op) {
  void* data = nullptr;
  Tensor made = make_empty(dtype, Dims{}, &data, op);
  const Number n = read_number(number, op);
  check_range(n, dtype, op);
  store(data, dtype, n);
  return made;
}

bool is_array_like(PyObject* object) {
  if (PyObject_CheckBuffer(object)) return true;
  if (is_number(object) || is_list(object) || PyUnicode_Check(object) || PyType_Check(object)) return false;
  return PyObject_HasAttrString(object, "__dlpack__") || PyObject_HasAttrString(object, "__array__") ||
         PyObject_HasAttrString(object, "__mlx_array__");
}

Tensor array_from(py::handle value, std::optional<DType> dtype, const char* op) {
  PyObject* raw = value.ptr();
  if (is_tensor(raw)) return dtype ? ops::astype(tensor_of(raw), *dtype) : tensor_of(raw);
  if (is_number(raw)) return number_tensor(raw, dtype ? *dtype : number_dtype(raw, op), op);
  if (is_list(raw)) return from_list(raw, dtype, op);
  if (PyObject_HasAttrString(raw, "__mlx_array__")) {
    const py::object inner = value.attr("__mlx_array__")();
    if (is_tensor(inner.ptr())) return array_from(inner, dtype, op);
  }
  if (PyObject_CheckBuffer(raw)) return from_buffer(value, dtype, op);
  if (PyObject_HasAttrString(raw, "__dlpack__")) return from_dlpack(value, dtype, /*copy=*/true, op);
  if (PyObject_HasAttrString(raw, "__array__") && !PyUnicode_Check(raw))
    return from_buffer(value.attr("__array__")(), dtype, op);
  refuse(op, "the value", "a number, a (nested) list or tuple, a tensor, or an array of another library", value);
}

}  // namespace ist::python
