// The class Tensor: construction, conversion to Python's own types, properties.
#include <Python.h>
#include <structmember.h>

#include <cstring>
#include <new>

#include "bindings/buffer.h"
#include "bindings/module.h"
#include "bindings/py_tensor.h"
#include "bindings/repr.h"
#include "transforms/autograd.h"

namespace ist::python {

PyTypeObject* tensor_type = nullptr;

PyObject* wrap(Tensor tensor) {
  PyObject* object = tensor_type->tp_alloc(tensor_type, 0);
  if (object != nullptr) new (&tensor_of(object)) Tensor(std::move(tensor));
  return object;
}

void check_rebind(const Tensor& self, const char* op) {
  if (self->leaf != nullptr && grad_enabled())
    fail(Code::state, op, "in-place update of a tensor with requires_grad=True: its gradient would be lost. ",
         "Do it inside `with isthmus.no_grad():`, or make a new tensor");
}

void rebind(PyObject* object, Tensor result, const char* op) {
  Tensor& self = tensor_of(object);
  check_rebind(self, op);
  if (self->leaf != nullptr) {
    // The new values are a leaf of their own: they take over what made the old ones a leaf.
    Tensor next = detach(result);
    const Tensor grad = self->leaf->grad;
    set_requires_grad(next, true);
    next->leaf->grad = grad;
    result = std::move(next);
  }
  self = std::move(result);
}

namespace {

constexpr const char* kTensorDoc =
    "Tensor(value, dtype=None, *, device=None, requires_grad=False)\n--\n\n"
    "An n-dimensional array of one dtype, with a lazy value.\n\n"
    "`value` is a number, a nested list or tuple, a tensor, or an array of another library (buffer protocol or DLPack; "
    "copied).\nWithout `dtype`: bool, int32 (int64 where the values need it), float32 or complex64 for Python's "
    "numbers;\nthe source's dtype for arrays, except that float64 becomes float32. Ragged lists raise ValueError.";

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"val", "dtype", "device", "requires_grad", nullptr};
  PyObject *value = nullptr, *dtype = Py_None, *device = Py_None;
  int wants_grad = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$Op:Tensor", const_cast<char**>(names), &value, &dtype, &device,
                                   &wants_grad))
    return nullptr;
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    const Placement place(py::none(), device, "array");
    Tensor made = place(array_from(value, optional_dtype(dtype, "array"), "array"));
    // A tensor made of a tensor is another object: in-place syntax and requires_grad must not reach the first.
    if (wants_grad != 0) {
      made = detach(made);
      set_requires_grad(made, true);
    }
    PyObject* object = type->tp_alloc(type, 0);
    if (object != nullptr) new (&tensor_of(object)) Tensor(std::move(made));
    return object;
  });
}

void tensor_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (reinterpret_cast<PyTensor*>(self)->weak_references != nullptr) PyObject_ClearWeakRefs(self);
  tensor_of(self).~Tensor();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* tensor_repr(PyObject* self) {
  return guarded<PyObject*>(nullptr, [&] {
    const std::string text = to_text(Tensor(tensor_of(self)));
    return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
  });
}

Py_hash_t tensor_hash(PyObject* self) { return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self) >> 4); }

Py_ssize_t tensor_length(PyObject* self) {
  const Tensor& tensor = tensor_of(self);
  if (tensor.rank() == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-dimensional tensor");
    return -1;
  }
  return tensor.shape(0);
}

PyObject* tensor_iter(PyObject* self) {
  if (tensor_of(self).rank() == 0) {
    PyErr_SetString(PyExc_TypeError, "iteration over a 0-dimensional tensor");
    return nullptr;
  }
  return PySeqIter_New(self);
}

int tensor_contains(PyObject* self, PyObject* value) {
  return guarded(-1, [&] {
    const Tensor tensor = tensor_of(self);
    if (!is_tensor(value) && !is_number(value) && !is_array_like(value)) return 0;
    const Tensor found = ops::any(ops::equal(tensor, operand(value, &tensor, "in", "the value")));
    return *evaluated_data(found) != 0 ? 1 : 0;
  });
}

py::object only_element(const Tensor& tensor, const char* op) {
  if (tensor.size() != 1)
    fail(Code::value, op, "only tensors with one element become Python numbers; this one has shape ", tensor.shape());
  return element(evaluated_data(tensor), tensor.dtype());
}

int tensor_bool(PyObject* self) {
  return guarded(-1, [&] { return PyObject_IsTrue(only_element(Tensor(tensor_of(self)), "bool").ptr()); });
}

PyObject* tensor_int(PyObject* self) {
  return guarded<PyObject*>(nullptr, [&] { return PyNumber_Long(only_element(Tensor(tensor_of(self)), "int").ptr()); });
}

PyObject* tensor_float(PyObject* self) {
  return guarded<PyObject*>(nullptr,
                            [&] { return PyNumber_Float(only_element(Tensor(tensor_of(self)), "float").ptr()); });
}

PyObject* tensor_index(PyObject* self) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    const Tensor tensor = tensor_of(self);
    if (tensor.rank() != 0 || !is_integer(tensor.dtype())) {
      PyErr_SetString(PyExc_TypeError, "only 0-dimensional integer tensors can be used as an index");
      return nullptr;
    }
    return only_element(tensor, "index").release().ptr();
  });
}

// ---- properties ----

template <class F>
PyObject* property(PyObject* self, F&& get) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* { return get(tensor_of(self)).release().ptr(); });
}
#define IST_PROPERTY(function, expression)                                             \
  PyObject* function(PyObject* self, void*) {                                          \
    return property(self, [](const Tensor& a) -> py::object { return (expression); }); \
  }
IST_PROPERTY(get_shape, to_tuple(a.shape()))
IST_PROPERTY(get_ndim, py::int_(a.rank()))
IST_PROPERTY(get_size, py::int_(a.size()))
IST_PROPERTY(get_nbytes, py::int_(a.nbytes()))
IST_PROPERTY(get_itemsize, py::int_(itemsize(a.dtype())))
IST_PROPERTY(get_dtype, dtype_object(a.dtype()))
IST_PROPERTY(get_device, device_object(a.device()))
IST_PROPERTY(get_transposed, to_object(ops::transpose(a)))
IST_PROPERTY(get_real, to_object(ops::real(a)))
IST_PROPERTY(get_imag, to_object(ops::imag(a)))
IST_PROPERTY(get_requires_grad, py::bool_(requires_grad(a)))
IST_PROPERTY(get_is_leaf, py::bool_(a->leaf != nullptr || !requires_grad(a)))
IST_PROPERTY(get_grad, a->leaf != nullptr && a->leaf->grad ? to_object(a->leaf->grad) : py::object(py::none()))

PyObject* get_matrix_transposed(PyObject* self, void*) {
  return property(self, [](const Tensor& a) {
    if (a.rank() < 2) fail(Code::shape, "mT", "at least 2 dimensions are needed, got shape ", a.shape());
    return to_object(ops::swapaxes(a, -1, -2));
  });
}

bool refuse_delete(PyObject* value, const char* what) {
  if (value != nullptr) return false;
  PyErr_Format(PyExc_AttributeError, "%s cannot be deleted; assign %s", what,
               std::strcmp(what, "grad") == 0 ? "None" : "False");
  return true;
}

int set_requires_grad_property(PyObject* self, PyObject* value, void*) {
  if (refuse_delete(value, "requires_grad")) return -1;
  return guarded(-1, [&] {
    const int wanted = PyObject_IsTrue(value);
    if (wanted < 0) return -1;
    set_requires_grad(tensor_of(self), wanted != 0);
    return 0;
  });
}

int set_grad(PyObject* self, PyObject* value, void*) {
  if (refuse_delete(value, "grad")) return -1;
  return guarded(-1, [&] {
    const Tensor& tensor = tensor_of(self);
    if (value == Py_None) {
      if (tensor->leaf != nullptr) tensor->leaf->grad = Tensor();
      return 0;
    }
    if (tensor->leaf == nullptr) fail(Code::state, "grad", "only tensors with requires_grad=True hold a gradient");
    const Tensor grad = tensor_argument(value, "grad", "the gradient");
    if (!(grad.shape() == tensor.shape()))
      fail(Code::shape, "grad", "the gradient has shape ", grad.shape(), ", the tensor ", tensor.shape());
    tensor->leaf->grad = grad;
    return 0;
  });
}

PyGetSetDef properties[] = {
    {"shape", get_shape, nullptr, "The extents of the axes, a tuple.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of axes.", nullptr},
    {"size", get_size, nullptr, "The number of elements.", nullptr},
    {"nbytes", get_nbytes, nullptr, "The number of bytes of all elements.", nullptr},
    {"itemsize", get_itemsize, nullptr, "The number of bytes of an element.", nullptr},
    {"dtype", get_dtype, nullptr, "The Dtype of the elements.", nullptr},
    {"device", get_device, nullptr, "The Device that the tensor is on.", nullptr},
    {"T", get_transposed, nullptr, "The tensor with its axes reversed.", nullptr},
    {"mT", get_matrix_transposed, nullptr, "The tensor with its last two axes exchanged.", nullptr},
    {"real", get_real, nullptr, "The real part.", nullptr},
    {"imag", get_imag, nullptr, "The imaginary part; zeros for real dtypes.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad_property,
     "Does backward() reach this tensor? May be set on float and complex tensors that no recorded op made.", nullptr},
    {"grad", get_grad, set_grad, "The gradient that backward() has added up, or None.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "True unless a recorded op made this tensor.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weak_references), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

}  // namespace

void bind_tensor(py::module_& m) {
  std::vector<PyType_Slot> slots = {
      {Py_tp_doc, const_cast<char*>(kTensorDoc)},
      slot(Py_tp_new, tensor_new),
      slot(Py_tp_dealloc, tensor_dealloc),
      slot(Py_tp_repr, tensor_repr),
      slot(Py_tp_hash, tensor_hash),
      slot(Py_tp_richcompare, rich_compare),
      slot(Py_tp_iter, tensor_iter),
      {Py_tp_getset, properties},
      {Py_tp_members, members},
      slot(Py_mp_length, tensor_length),
      slot(Py_mp_subscript, get_item_slot),
      slot(Py_mp_ass_subscript, set_item_slot),
      slot(Py_sq_length, tensor_length),
      slot(Py_sq_item, sequence_item),
      slot(Py_sq_contains, tensor_contains),
      slot(Py_nb_bool, tensor_bool),
      slot(Py_nb_int, tensor_int),
      slot(Py_nb_float, tensor_float),
      slot(Py_nb_index, tensor_index),
      slot(Py_bf_getbuffer, get_buffer),
      slot(Py_bf_releasebuffer, release_buffer),
  };
  const NumberSlots numbers = number_slots();
  slots.insert(slots.end(), numbers.begin, numbers.begin + numbers.count);
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"isthmus.Tensor", static_cast<int>(sizeof(PyTensor)), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                      slots.data()};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) throw py::error_already_set();
  tensor_type = reinterpret_cast<PyTypeObject*>(type);  // kept for the life of the process
  m.attr("Tensor") = py::reinterpret_borrow<py::object>(type);
  m.attr("array") = py::reinterpret_borrow<py::object>(type);
}

}  // namespace ist::python
