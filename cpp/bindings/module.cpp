#include "bindings/module.h"

// Defined in io.cpp.
void bind_io(py::module_& m);

PYBIND11_MODULE(_core, m) {
  using namespace ist::python;
  m.doc() = "The compiled core of isthmus. Its public face is the package `isthmus`.";
  bind_errors(m);
  bind_types(m);
  bind_tensor(m);
  bind_tensor_methods(m);
  bind_indexing(m);
  bind_dlpack(m);
  bind_elementwise(m);
  bind_reductions(m);
  bind_scans(m);
  bind_sort(m);
  bind_shape_ops(m);
  bind_index_ops(m);
  bind_creation(m);
  bind_compositions(m);
  bind_arrangements(m);
  bind_quantized(m);
  bind_conv(m);
  py::module_ random = m.def_submodule("_random", "Random numbers from Threefry keys.");
  bind_random(random);
  py::module_ fast = m.def_submodule("_fast", "Norms and attention.");
  bind_fast(fast);
  bind_autograd(m);
  bind_runtime(m);
  bind_io(m);
}
