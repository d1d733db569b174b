#include "bindings/types.h"

#include <memory>
#include <vector>

#include "bindings/errors.h"
#include "bindings/module.h"
#include "runtime/registry.h"

namespace ist::python {
namespace {

// Borrowed from the module for the life of the process.
PyObject* dtype_objects[kDTypeCount] = {};

const char* kind(DType t) {
  if (is_bool(t)) return "bool";
  if (is_unsigned(t)) return "unsigned";
  if (is_signed(t)) return "signed";
  return is_float(t) ? "float" : "complex";
}

DeviceId device_argument(py::handle object, const char* op) {
  if (auto id = optional_device(object, op)) return *id;
  refuse(op, "device", "a Device or the name of one", object);
}

// `with ist.device("reference"):` may be entered again, also while it is active.
class DeviceContext {
 public:
  explicit DeviceContext(DeviceId id) : id_(id) {}
  DeviceContext(DeviceContext&&) = default;
  void enter() { scopes_.push_back(std::make_unique<DeviceScope>(id_)); }
  void exit() {
    if (!scopes_.empty()) scopes_.pop_back();
  }

 private:
  DeviceId id_;
  std::vector<std::unique_ptr<DeviceScope>> scopes_;
};

}  // namespace

py::object dtype_object(DType dtype) {
  return py::reinterpret_borrow<py::object>(dtype_objects[static_cast<int>(dtype)]);
}

py::object device_object(DeviceId id) { return py::cast(PyDevice{id}); }

std::optional<DType> optional_dtype(py::handle object, const char* op) {
  if (object.is_none()) return std::nullopt;
  if (!py::isinstance<PyDtype>(object)) refuse(op, "dtype", "a Dtype such as isthmus.float32", object);
  return object.cast<const PyDtype&>().dtype;
}

DType dtype_argument(py::handle object, const char* op) {
  if (auto dtype = optional_dtype(object, op)) return *dtype;
  refuse(op, "dtype", "a Dtype such as isthmus.float32", object);
}

std::optional<DeviceId> optional_device(py::handle object, const char* op) {
  if (object.is_none()) return std::nullopt;
  if (py::isinstance<PyDevice>(object)) return object.cast<const PyDevice&>().id;
  if (py::isinstance<py::str>(object)) return registry::find(object.cast<std::string>(), op);
  refuse(op, "stream or device", "a Device or the name of one", object);
}

void bind_types(py::module_& m) {
  py::class_<PyDtype>(m, "Dtype", "The type of a tensor's elements, such as `isthmus.float32`.")
      .def_property_readonly(
          "name", [](const PyDtype& self) { return name(self.dtype); }, "Its name, such as 'float32'.")
      .def_property_readonly(
          "size", [](const PyDtype& self) { return itemsize(self.dtype); }, "Bytes per element.")
      .def_property_readonly(
          "kind", [](const PyDtype& self) { return kind(self.dtype); },
          "'bool', 'unsigned', 'signed', 'float' or 'complex'.")
      .def("__repr__", [](const PyDtype& self) { return std::string("isthmus.") + name(self.dtype); })
      .def("__hash__", [](const PyDtype& self) { return static_cast<Py_hash_t>(self.dtype); })
      .def("__eq__",
           [](const PyDtype& self, py::handle other) {
             return py::isinstance<PyDtype>(other) && other.cast<const PyDtype&>().dtype == self.dtype;
           })
      .def("__copy__", [](const PyDtype& self) { return dtype_object(self.dtype); })
      .def("__deepcopy__", [](const PyDtype& self, py::handle) { return dtype_object(self.dtype); })
      .def("__reduce__", [](const PyDtype& self) {
        const py::object rebuilder = py::module_::import("isthmus._core").attr("_dtype");
        return py::make_tuple(rebuilder, py::make_tuple(name(self.dtype)));
      });
  m.attr("Dtype").attr("__module__") = "isthmus";
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    py::object object = py::cast(PyDtype{dtype});
    dtype_objects[i] = object.inc_ref().ptr();
    m.attr(dtype == DType::bool_ ? "bool_" : name(dtype)) = object;
  }
  m.def(
      "_dtype",
      [](const std::string& text) {
        DType dtype;
        if (!parse_dtype(text, dtype)) fail(Code::dtype, "Dtype", "there is no dtype '", text, "'");
        return dtype_object(dtype);
      },
      py::arg("name"), "The Dtype of a name.");

  py::class_<PyDevice>(m, "Device", "A device, by name: 'cpu', 'reference', 'null', or that of a loaded backend.")
      .def(py::init([](py::object type, int index) {
             if (index != 0) fail(Code::device, "Device", "there is only index 0, got ", index);
             return PyDevice{device_argument(type, "Device")};
           }),
           py::arg("type"), py::arg("index") = 0)
      .def_property_readonly(
          "name", [](const PyDevice& self) { return registry::device_name(self.id); }, "The name that users write.")
      .def("__repr__",
           [](const PyDevice& self) { return std::string("Device(") + registry::device_name(self.id) + ", 0)"; })
      .def("__str__", [](const PyDevice& self) { return registry::device_name(self.id); })
      .def("__hash__", [](const PyDevice& self) { return py::hash(py::str(registry::device_name(self.id))); })
      .def("__eq__",
           [](const PyDevice& self, py::handle other) {
             if (py::isinstance<PyDevice>(other)) return other.cast<const PyDevice&>().id == self.id;
             return py::isinstance<py::str>(other) && other.cast<std::string>() == registry::device_name(self.id);
           })
      .def("__reduce__", [](const PyDevice& self) {
        return py::make_tuple(py::type::of<PyDevice>(), py::make_tuple(registry::device_name(self.id)));
      });

  m.attr("Device").attr("__module__") = "isthmus";
  py::class_<DeviceContext>(m, "_DeviceContext", "A `with` block in which new tensors are made on another device.")
      .def("__enter__",
           [](py::object self) {
             self.cast<DeviceContext&>().enter();
             return self;
           })
      .def("__exit__", [](DeviceContext& self, const py::args&) { self.exit(); });
  m.def(
      "device", [](py::object device) { return DeviceContext(device_argument(device, "device")); }, py::arg("device"),
      "with isthmus.device(\"reference\"): new tensors of this thread are made there. Takes a name or a Device.");
  m.def(
      "default_device", [] { return device_object(current_device()); },
      "The Device on which new tensors are made now, on this thread.");
  m.def(
      "set_default_device",
      [](py::object device) { set_default_device(device_argument(device, "set_default_device")); }, py::arg("device"),
      "Sets the device on which all threads make new tensors, outside of `device` blocks.");
  m.def(
      "devices",
      [] {
        py::list all;
        for (size_t i = 0; i < registry::count(); ++i) all.append(device_object(static_cast<DeviceId>(i)));
        return all;
      },
      "All devices, in the order in which their backends were loaded.");
}

}  // namespace ist::python
