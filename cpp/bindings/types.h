// Dtype and Device, as Python sees them.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "graph/tensor.h"

namespace py = pybind11;

namespace ist::python {

struct PyDtype {
  DType dtype;
};
struct PyDevice {
  DeviceId id;
};

// The one Python object that stands for `dtype`.
py::object dtype_object(DType dtype);
py::object device_object(DeviceId id);

// None gives nullopt. Anything but a Dtype is refused with a TypeError.
std::optional<DType> optional_dtype(py::handle object, const char* op);
DType dtype_argument(py::handle object, const char* op);
// A Device or a device's name; None gives nullopt.
std::optional<DeviceId> optional_device(py::handle object, const char* op);

}  // namespace ist::python
