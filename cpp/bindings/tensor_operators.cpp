// Operators of the class Tensor: direct slots of its type, one node each.
#include "bindings/convert.h"
#include "bindings/py_tensor.h"

namespace ist::python {
namespace {

// Operands that no other class could know how to combine with a tensor, worth an error that says more than Python's.
bool is_hopeless(PyObject* object) {
  return object == Py_None || PyUnicode_Check(object) || PyList_Check(object) || PyTuple_Check(object) ||
         PyDict_Check(object);
}

bool is_operand(PyObject* object) { return is_tensor(object) || is_number(object) || is_array_like(object); }

// True when the operator applies; false when Python should ask the other operand. Hopeless operands raise.
bool applies(PyObject* a, PyObject* b, const char* op) {
  PyObject* other = is_tensor(a) ? b : a;
  if (is_tensor(other) || is_number(other)) return true;
  if (is_hopeless(other)) refuse(op, "the other operand", "a tensor, a number or an array", other);
  return is_array_like(other);
}

Tensor compute(Op op, PyObject* a, PyObject* b) {
  if (is_tensor(a) && is_tensor(b)) {
    const Borrowed<2> inputs(tensor_of(a), tensor_of(b));
    return elementwise(op, inputs);
  }
  auto [left, right] = operands(a, b, name(op));
  const Tensor inputs[] = {std::move(left), std::move(right)};
  return elementwise(op, inputs);
}

template <Op op>
PyObject* binary(PyObject* a, PyObject* b) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    if (!applies(a, b, name(op))) Py_RETURN_NOTIMPLEMENTED;
    return wrap(compute(op, a, b));
  });
}

template <Op op>
PyObject* in_place(PyObject* self, PyObject* other) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    if (!applies(self, other, name(op))) Py_RETURN_NOTIMPLEMENTED;
    check_rebind(tensor_of(self), name(op));
    rebind(self, compute(op, self, other), name(op));
    Py_INCREF(self);
    return self;
  });
}

template <Op op>
PyObject* unary(PyObject* self) {
  return guarded<PyObject*>(nullptr,
                            [&] { return wrap(elementwise(op, std::span<const Tensor>(&tensor_of(self), 1))); });
}

PyObject* positive(PyObject* self) {
  Py_INCREF(self);
  return self;
}

PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) {
    PyErr_SetString(PyExc_TypeError, "power: pow() with a modulus is not defined for tensors");
    return nullptr;
  }
  return binary<Op::power>(a, b);
}

PyObject* in_place_power(PyObject* a, PyObject* b, PyObject*) { return in_place<Op::power>(a, b); }

PyObject* divide_with_remainder(PyObject* a, PyObject* b) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    if (!applies(a, b, "divmod")) Py_RETURN_NOTIMPLEMENTED;
    const auto [left, right] = operands(a, b, "divmod");
    return to_tuple(ops::divmod(left, right)).release().ptr();
  });
}

PyObject* multiply_matrices(PyObject* a, PyObject* b) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    if (!is_operand(a) || !is_operand(b)) {
      if (is_hopeless(is_tensor(a) ? b : a)) applies(a, b, "matmul");
      Py_RETURN_NOTIMPLEMENTED;
    }
    return wrap(ops::matmul(tensor_argument(a, "matmul", "a"), tensor_argument(b, "matmul", "b")));
  });
}

PyObject* in_place_multiply_matrices(PyObject* self, PyObject* other) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    check_rebind(tensor_of(self), "matmul");
    rebind(self, ops::matmul(tensor_of(self), tensor_argument(other, "matmul", "b")), "matmul");
    Py_INCREF(self);
    return self;
  });
}

Op comparison_op(int comparison) {
  switch (comparison) {
    case Py_LT:
      return Op::less;
    case Py_LE:
      return Op::less_equal;
    case Py_EQ:
      return Op::equal;
    case Py_NE:
      return Op::not_equal;
    case Py_GT:
      return Op::greater;
    default:
      return Op::greater_equal;
  }
}

// ~a: bits of integers, logical not of bool, as upstream has it.
PyObject* invert(PyObject* self) {
  return is_bool(tensor_of(self).dtype()) ? unary<Op::logical_not>(self) : unary<Op::bitwise_invert>(self);
}

}  // namespace

PyObject* rich_compare(PyObject* a, PyObject* b, int comparison) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    if (!is_operand(b)) {
      if (comparison == Py_EQ) Py_RETURN_FALSE;
      if (comparison == Py_NE) Py_RETURN_TRUE;
      if (!is_hopeless(b)) Py_RETURN_NOTIMPLEMENTED;
    }
    const Op op = comparison_op(comparison);
    if (!applies(a, b, name(op))) Py_RETURN_NOTIMPLEMENTED;
    return wrap(compute(op, a, b));
  });
}

NumberSlots number_slots() {
  static PyType_Slot slots[] = {
      slot(Py_nb_add, binary<Op::add>),
      slot(Py_nb_subtract, binary<Op::subtract>),
      slot(Py_nb_multiply, binary<Op::multiply>),
      slot(Py_nb_true_divide, binary<Op::divide>),
      slot(Py_nb_floor_divide, binary<Op::floor_divide>),
      slot(Py_nb_remainder, binary<Op::remainder>),
      slot(Py_nb_divmod, divide_with_remainder),
      slot(Py_nb_power, power),
      slot(Py_nb_matrix_multiply, multiply_matrices),
      slot(Py_nb_and, binary<Op::bitwise_and>),
      slot(Py_nb_or, binary<Op::bitwise_or>),
      slot(Py_nb_xor, binary<Op::bitwise_xor>),
      slot(Py_nb_lshift, binary<Op::left_shift>),
      slot(Py_nb_rshift, binary<Op::right_shift>),
      slot(Py_nb_inplace_add, in_place<Op::add>),
      slot(Py_nb_inplace_subtract, in_place<Op::subtract>),
      slot(Py_nb_inplace_multiply, in_place<Op::multiply>),
      slot(Py_nb_inplace_true_divide, in_place<Op::divide>),
      slot(Py_nb_inplace_floor_divide, in_place<Op::floor_divide>),
      slot(Py_nb_inplace_remainder, in_place<Op::remainder>),
      slot(Py_nb_inplace_power, in_place_power),
      slot(Py_nb_inplace_matrix_multiply, in_place_multiply_matrices),
      slot(Py_nb_inplace_and, in_place<Op::bitwise_and>),
      slot(Py_nb_inplace_or, in_place<Op::bitwise_or>),
      slot(Py_nb_inplace_xor, in_place<Op::bitwise_xor>),
      slot(Py_nb_inplace_lshift, in_place<Op::left_shift>),
      slot(Py_nb_inplace_rshift, in_place<Op::right_shift>),
      slot(Py_nb_negative, unary<Op::negative>),
      slot(Py_nb_positive, positive),
      slot(Py_nb_absolute, unary<Op::abs>),
      slot(Py_nb_invert, invert),
  };
  return {slots, std::size(slots)};
}

}  // namespace ist::python
