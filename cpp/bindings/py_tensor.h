// The Python class Tensor: a hand-made type around ist::Tensor, because operators on small tensors must cost little
// more than the node they make. Everything else in the bindings goes through pybind11.
#pragma once

#include <pybind11/pybind11.h>

#include "graph/tensor.h"

namespace py = pybind11;

namespace ist::python {

struct PyTensor {
  PyObject_HEAD Tensor tensor;
  PyObject* weak_references;
};

extern PyTypeObject* tensor_type;

inline bool is_tensor(PyObject* object) {
  return Py_TYPE(object) == tensor_type || PyType_IsSubtype(Py_TYPE(object), tensor_type);
}
inline Tensor& tensor_of(PyObject* object) { return reinterpret_cast<PyTensor*>(object)->tensor; }
// A new reference; NULL with MemoryError set when there is no room.
PyObject* wrap(Tensor tensor);
inline py::object to_object(Tensor tensor) {
  PyObject* object = wrap(std::move(tensor));
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

// What the parts of the class in other files put into its type.
template <class F>
PyType_Slot slot(int id, F* function) {
  return {id, reinterpret_cast<void*>(function)};
}
struct NumberSlots {
  PyType_Slot* begin;
  size_t count;
};
NumberSlots number_slots();                                         // tensor_operators.cpp
PyObject* rich_compare(PyObject* a, PyObject* b, int comparison);   // tensor_operators.cpp
int get_buffer(PyObject* self, Py_buffer* view, int flags);         // buffer.cpp
void release_buffer(PyObject* self, Py_buffer* view);               // buffer.cpp
PyObject* get_item_slot(PyObject* self, PyObject* key);             // indexing.cpp
PyObject* sequence_item(PyObject* self, Py_ssize_t index);          // indexing.cpp
int set_item_slot(PyObject* self, PyObject* key, PyObject* value);  // indexing.cpp

// Gives `self` the values of `result`, as in-place syntax does. A leaf with requires_grad stays one, inside no_grad;
// outside, IST_ERROR_STATE is raised.
void rebind(PyObject* self, Tensor result, const char* op);
// Raises what rebind() would, before any work is done.
void check_rebind(const Tensor& self, const char* op);

}  // namespace ist::python

namespace pybind11::detail {
template <>
struct type_caster<ist::Tensor> {
  PYBIND11_TYPE_CASTER(ist::Tensor, const_name("isthmus.Tensor"));
  bool load(handle source, bool) {
    if (!ist::python::is_tensor(source.ptr())) return false;
    value = ist::python::tensor_of(source.ptr());
    return true;
  }
  static handle cast(ist::Tensor source, return_value_policy, handle) {
    PyObject* object = ist::python::wrap(std::move(source));
    if (object == nullptr) throw error_already_set();
    return object;
  }
};
}  // namespace pybind11::detail
