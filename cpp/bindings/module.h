// The parts of the extension module; module.cpp calls them in this order.
#pragma once

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace ist::python {

void bind_errors(py::module_& m);
void bind_types(py::module_& m);   // Dtype, Device
void bind_tensor(py::module_& m);  // the class: construction, properties, slots
void bind_tensor_methods(py::module_& m);
void bind_indexing(py::module_& m);  // Tensor.at
void bind_dlpack(py::module_& m);
void bind_elementwise(py::module_& m);
void bind_reductions(py::module_& m);
void bind_scans(py::module_& m);
void bind_sort(py::module_& m);
void bind_shape_ops(py::module_& m);
void bind_index_ops(py::module_& m);
void bind_creation(py::module_& m);
void bind_compositions(py::module_& m);
void bind_arrangements(py::module_& m);
void bind_quantized(py::module_& m);
void bind_conv(py::module_& m);
void bind_random(py::module_& m);
void bind_fast(py::module_& m);
void bind_autograd(py::module_& m);
void bind_runtime(py::module_& m);

}  // namespace ist::python
