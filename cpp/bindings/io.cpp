#include <pybind11/pybind11.h>

#include <string>
#include <utility>
#include <vector>

#include "bindings/errors.h"
#include "bindings/py_tensor.h"
#include "io/safetensors.h"

namespace {

using ist::Tensor;

py::tuple load_safetensors(const std::string& path) {
  ist::SafetensorsFile file;
  {
    const py::gil_scoped_release unlocked;
    file = ist::load_safetensors(path);
  }
  py::dict tensors, metadata;
  for (auto& [name, tensor] : file.tensors) tensors[py::str(name)] = ist::python::to_object(std::move(tensor));
  for (const auto& [key, value] : file.metadata) metadata[py::str(key)] = py::str(value);
  return py::make_tuple(std::move(tensors), std::move(metadata));
}

std::string text(py::handle object, const char* what) {
  if (!py::isinstance<py::str>(object)) ist::python::refuse("save_safetensors", what, "a str", object);
  return object.cast<std::string>();
}

void save_safetensors(const std::string& path, const py::dict& arrays, const py::dict& metadata) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  ist::Metadata texts;
  for (const auto& [name, value] : arrays) {
    const std::string key = text(name, "a name in arrays");
    if (!ist::python::is_tensor(value.ptr()))
      ist::python::refuse("save_safetensors", "arrays['" + key + "']", "a tensor", value);
    tensors.emplace_back(key, ist::python::tensor_of(value.ptr()));
  }
  for (const auto& [key, value] : metadata)
    texts.emplace_back(text(key, "a key in metadata"), text(value, "a value in metadata"));
  const py::gil_scoped_release unlocked;
  ist::save_safetensors(path, tensors, texts);
}

}  // namespace

void bind_io(py::module_& m) {
  m.def("load_safetensors", &load_safetensors, py::arg("path"),
        "The tensors of a safetensors file and its metadata, two dicts in the file's order.");
  m.def("save_safetensors", &save_safetensors, py::arg("path"), py::arg("arrays"), py::arg("metadata"),
        "Writes tensors, by name, and metadata to a safetensors file.");
}
