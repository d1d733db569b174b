// a[key], a[key] = value and a.at[key]: Python index objects to ist::ops::Index.
#include "ops/indexing.h"

#include "bindings/buffer.h"
#include "bindings/convert.h"
#include "bindings/module.h"
#include "transforms/autograd.h"

namespace ist::python {
namespace {

using Indices = std::vector<ops::Index>;

std::optional<int64_t> slice_bound(PyObject* object, const char* op) {
  if (object == Py_None) return std::nullopt;
  if (!PyIndex_Check(object)) refuse(op, "a slice's bound", "an int or None", object);
  // Bounds beyond 64 bits mean "to the end", as they do for lists.
  const Py_ssize_t value = PyNumber_AsSsize_t(object, nullptr);
  if (value == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return value;
}

ops::Index to_index(PyObject* item, const Tensor& a, const char* op) {
  if (is_tensor(item)) return tensor_of(item);
  if (item == Py_None) return ops::NewAxis{};
  if (item == Py_Ellipsis) return ops::Ellipsis{};
  if (PySlice_Check(item)) {
    const auto* slice = reinterpret_cast<PySliceObject*>(item);
    ops::Slice bounds{slice_bound(slice->start, op), slice_bound(slice->stop, op), slice_bound(slice->step, op)};
    if (bounds.step == 0) fail(Code::value, op, "the step of a slice must not be 0");
    return bounds;
  }
  const bool list = PyList_Check(item);
  if (!PyBool_Check(item) && !list && PyIndex_Check(item) && !PyObject_CheckBuffer(item))
    return int_argument(item, op, "an index");
  if (list || (!PyBool_Check(item) && is_array_like(item))) {
    const DeviceScope scope(a.device());
    const bool empty = list && PyList_GET_SIZE(item) == 0;
    Tensor indices = array_from(item, empty ? std::optional<DType>(DType::int32) : std::nullopt, op);
    return indices;
  }
  refuse(op, "an index", "an int, a slice, '...', None, or a tensor or list of ints", item);
}

Indices to_indices(PyObject* key, const Tensor& a, const char* op) {
  Indices indices;
  if (!PyTuple_Check(key)) {
    indices.push_back(to_index(key, a, op));
    return indices;
  }
  const Py_ssize_t n = PyTuple_GET_SIZE(key);
  indices.reserve(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) indices.push_back(to_index(PyTuple_GET_ITEM(key, i), a, op));
  return indices;
}

// The value that goes into `a`: numbers and foreign arrays in its dtype.
Tensor update_value(py::handle value, const Tensor& a, const char* op) {
  if (is_tensor(value.ptr())) return tensor_of(value.ptr());
  const DeviceScope scope(a.device());
  if (is_number(value.ptr())) return number_tensor(value.ptr(), a.dtype(), op);
  if (is_array_like(value.ptr())) return array_from(value, a.dtype(), op);
  refuse(op, "the value", "a tensor, a number or an array", value);
}

// a.at, and a.at[key].
struct At {
  Tensor tensor;
};
struct AtKey {
  Tensor tensor;
  Indices indices;

  // Reads, combines, writes. Only right where no place occurs twice, which index tensors cannot promise.
  Tensor combine(py::handle value, const char* op, Tensor (*function)(const Tensor&, const Tensor&)) const {
    for (const ops::Index& index : indices)
      if (std::holds_alternative<Tensor>(index))
        fail(Code::value, op, "only add and subtract take index tensors here: a place that occurs twice would be ",
             "updated once. Use ints and slices");
    const Tensor current = ops::get_item(tensor, indices);
    return ops::set_item(tensor, indices, function(current, update_value(value, tensor, op)));
  }
};

}  // namespace

PyObject* get_item_slot(PyObject* self, PyObject* key) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    const Tensor& tensor = tensor_of(self);
    if (PyTuple_Check(key)) return wrap(ops::get_item(tensor, to_indices(key, tensor, "getitem")));
    const ops::Index index = to_index(key, tensor, "getitem");
    return wrap(ops::get_item(tensor, std::span<const ops::Index>(&index, 1)));
  });
}

PyObject* sequence_item(PyObject* self, Py_ssize_t i) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    const Tensor& tensor = tensor_of(self);
    if (tensor.rank() == 0 || i < 0 || i >= tensor.shape(0)) {
      PyErr_SetString(PyExc_IndexError, "index out of bounds");
      return nullptr;
    }
    const ops::Index index = int64_t{i};
    return wrap(ops::get_item(tensor, std::span<const ops::Index>(&index, 1)));
  });
}

int set_item_slot(PyObject* self, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "elements of a tensor cannot be deleted");
    return -1;
  }
  return guarded(-1, [&] {
    const char* op = "setitem";
    const Tensor tensor = tensor_of(self);
    check_rebind(tensor, op);
    const Indices indices = to_indices(key, tensor, op);
    rebind(self, ops::set_item(tensor, indices, update_value(value, tensor, op)), op);
    return 0;
  });
}

void bind_indexing(py::module_& m) {
  py::class_<AtKey> at_key(m, "_AtKey", "Updates of a copy of a tensor at given indices.");
  py::class_<At>(m, "_At", "Tensor.at: indexing it gives the place that an update applies to.")
      .def("__getitem__",
           [](const At& self, py::handle key) { return AtKey{self.tensor, to_indices(key.ptr(), self.tensor, "at")}; });
  at_key
      .def(
          "add",
          [](const AtKey& self, py::handle value) {
            return ops::add_item(self.tensor, self.indices, update_value(value, self.tensor, "at.add"));
          },
          py::arg("value"), "A copy with `value` added; places that occur several times add up.")
      .def(
          "subtract",
          [](const AtKey& self, py::handle value) {
            const Tensor given = update_value(value, self.tensor, "at.subtract");
            return ops::add_item(self.tensor, self.indices, ops::negative(given));
          },
          py::arg("value"), "A copy with `value` subtracted; places that occur several times add up.")
      .def(
          "multiply",
          [](const AtKey& self, py::handle value) { return self.combine(value, "at.multiply", ops::multiply); },
          py::arg("value"), "A copy multiplied by `value` at ints and slices.")
      .def(
          "divide", [](const AtKey& self, py::handle value) { return self.combine(value, "at.divide", ops::divide); },
          py::arg("value"), "A copy divided by `value` at ints and slices.")
      .def(
          "maximum",
          [](const AtKey& self, py::handle value) { return self.combine(value, "at.maximum", ops::maximum); },
          py::arg("value"), "A copy with the larger of element and `value` at ints and slices.")
      .def(
          "minimum",
          [](const AtKey& self, py::handle value) { return self.combine(value, "at.minimum", ops::minimum); },
          py::arg("value"), "A copy with the smaller of element and `value` at ints and slices.");
  const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
  py::setattr(type, "at",
              py::module_::import("builtins")
                  .attr("property")(py::cpp_function([](const Tensor& self) { return At{self}; }), py::none(),
                                    py::none(), "a.at[key].add(value): a copy with an update at some places."));
}

}  // namespace ist::python
