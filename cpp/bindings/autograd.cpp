// What python/isthmus/autograd.py stands on, and the tape's methods of Tensor.
#include "transforms/autograd.h"

#include <memory>
#include <vector>

#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

// A C++ scope as a `with` block; one object may be entered several times.
template <class Scope>
struct ScopeContext {
  std::vector<std::unique_ptr<Scope>> entered;
  ScopeContext() = default;
  ScopeContext(ScopeContext&&) = default;
};

template <class Scope>
void bind_scope(py::module_& m, const char* name, const char* doc) {
  using Context = ScopeContext<Scope>;
  py::class_<Context>(m, name, doc)
      .def(py::init<>())
      .def("__enter__",
           [](py::object self) {
             self.cast<Context&>().entered.push_back(std::make_unique<Scope>());
             return self;
           })
      .def("__exit__", [](Context& self, const py::args&) {
        if (!self.entered.empty()) self.entered.pop_back();
      });
}

}  // namespace

void bind_autograd(py::module_& m) {
  bind_scope<NoGradScope>(m, "NoGrad", "A `with` block in which nothing is recorded for backward().");
  bind_scope<TraceScope>(m, "TraceScope", "A `with` block around one functional transform.");
  m.def("grad_enabled", grad_enabled, "False inside of NoGrad.");
  m.def("trace_depth", trace_depth, "How many functional transforms this thread is inside of.");
  m.def(
      "trace_argument", [](py::object a) { return trace_argument(tensor_argument(a, "trace_argument")); }, py::arg("a"),
      "A fresh tensor with the same values, from which pullback() can differentiate; inside a TraceScope.");
  m.def(
      "pullback",
      [](py::object outputs, py::object inputs, py::object cotangents) {
        const Tensors out = tensor_list(outputs, "pullback", "outputs");
        const Tensors in = tensor_list(inputs, "pullback", "inputs");
        const Tensors given = tensor_list(cotangents, "pullback", "cotangents");
        if (given.size() != out.size())
          fail(Code::value, "pullback", given.size(), " cotangents for ", out.size(), " outputs");
        return to_list(pullback(out, in, given));
      },
      py::arg("outputs"), py::arg("inputs"), py::arg("cotangents"),
      "The cotangents of `inputs`, given those of `outputs`; zeros where the outputs do not depend on an input.");

  const py::handle type(reinterpret_cast<PyObject*>(tensor_type));
  const auto method = [&](const char* name, auto function, auto&&... extra) {
    py::setattr(type, name, py::cpp_function(function, py::name(name), py::is_method(type), extra...));
  };
  method(
      "backward",
      [](const Tensor& self, py::object cotangent) {
        if (cotangent.is_none()) return backward(self);
        const Tensor given = operand(cotangent, &self, "backward", "cotangent");
        backward(self, &given);
      },
      py::arg("cotangent") = py::none(),
      "Adds the derivative of this tensor to the `.grad` of every tensor with requires_grad that it was computed from. "
      "A tensor with more than one element needs a `cotangent` of its shape.");
  method("detach", [](const Tensor& self) { return detach(self); }, "The same values, not recorded for backward().");
}

}  // namespace ist::python
