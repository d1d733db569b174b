// Methods of Tensor that are ops under the same name, and the protocols that are ordinary methods.
#include <cstring>

#include "bindings/buffer.h"
#include "bindings/module.h"
#include "bindings/reduce.h"
#include "bindings/repr.h"
#include "runtime/scheduler.h"
#include "transforms/autograd.h"

namespace ist::python {
namespace {

py::handle type_object() { return reinterpret_cast<PyObject*>(tensor_type); }

template <class F, class... Extra>
void method(const char* name, F function, Extra&&... extra) {
  py::setattr(type_object(), name,
              py::cpp_function(std::move(function), py::name(name), py::is_method(type_object()), extra...));
}

void bind_elementwise_methods() {
  struct Row {
    const char* name;
    Op op;
  };
  // The ones that upstream's array has as methods.
  static constexpr Row kRows[] = {
      {"abs", Op::abs},     {"conj", Op::conjugate}, {"cos", Op::cos},     {"exp", Op::exp},
      {"log", Op::log},     {"log10", Op::log10},    {"log1p", Op::log1p}, {"log2", Op::log2},
      {"rsqrt", Op::rsqrt}, {"sin", Op::sin},        {"sqrt", Op::sqrt},   {"square", Op::square},
  };
  for (const Row& row : kRows)
    method(
        row.name,
        [op = row.op](const Tensor& self, py::object stream, py::object device) {
          const Placement place(stream, device, name(op));
          const Tensor input = place(self);
          return elementwise(op, std::span<const Tensor>(&input, 1));
        },
        IST_PLACE, info(row.op).doc);
  method(
      "reciprocal",
      [](const Tensor& self, py::object stream, py::object device) {
        const Placement place(stream, device, "reciprocal");
        return ops::reciprocal(place(self));
      },
      IST_PLACE, "1 / a.");
  method(
      "round",
      [](const Tensor& self, py::object decimals, py::object stream, py::object device) {
        const Placement place(stream, device, "round");
        return ops::round(place(self), int_argument(decimals, "round", "decimals"));
      },
      py::arg("decimals") = 0, IST_PLACE, "Rounded to `decimals` places, ties to even.");
  method(
      "astype",
      [](const Tensor& self, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "astype");
        return ops::astype(place(self), dtype_argument(dtype, "astype"));
      },
      py::arg("dtype"), IST_PLACE_POSITIONAL, "The elements converted to `dtype`.");
}

void bind_reduction_methods() {
  for (const Reduction& reduction : reductions()) {
    const char* op = reduction.name;
    method(
        op,
        [op, function = reduction.function](const Tensor& self, py::object axis, py::object keepdims, py::object stream,
                                            py::object device) {
          const Placement place(stream, device, op);
          return function(place(self), optional_dims(axis, op, "axis"), flag(keepdims, op, "keepdims"));
        },
        py::arg("axis") = py::none(), py::arg("keepdims") = false, IST_PLACE, reduction_doc(op));
  }
  for (const bool root : {false, true}) {
    const char* op = root ? "std" : "var";
    method(
        op,
        [root, op](const Tensor& self, py::object axis, py::object keepdims, py::object ddof, py::object correction,
                   py::object stream, py::object device) {
          const Placement place(stream, device, op);
          return variance(root, place(self), axis, keepdims, ddof, correction);
        },
        py::arg("axis") = py::none(), py::arg("keepdims") = false, py::arg("ddof") = 0, py::kw_only(),
        py::arg("correction") = py::none(), py::arg("stream") = py::none(), py::arg("device") = py::none(),
        reduction_doc(op));
  }
  for (const bool largest : {true, false}) {
    const char* op = largest ? "argmax" : "argmin";
    method(
        op,
        [largest, op](const Tensor& self, py::object axis, py::object keepdims, py::object stream, py::object device) {
          const Placement place(stream, device, op);
          const auto along = optional_int(axis, op, "axis");
          const bool keep = flag(keepdims, op, "keepdims");
          return largest ? ops::argmax(place(self), along, keep) : ops::argmin(place(self), along, keep);
        },
        py::arg("axis") = py::none(), py::arg("keepdims") = false, IST_PLACE, find_op(op)->doc);
  }
}

void bind_shape_methods() {
  method(
      "reshape",
      [](const Tensor& self, const py::args& shape, py::object stream, py::object device) {
        const Placement place(stream, device, "reshape");
        return ops::reshape(place(self), variadic_dims(shape, "reshape", "shape"));
      },
      IST_PLACE, "The same elements in another shape, given as one sequence or as ints; one extent may be -1.");
  method(
      "transpose",
      [](const Tensor& self, const py::args& axes, py::object stream, py::object device) {
        const Placement place(stream, device, "transpose");
        if (axes.empty() || (axes.size() == 1 && axes[0].is_none())) return ops::transpose(place(self));
        return ops::transpose(place(self), variadic_dims(axes, "transpose", "axes"));
      },
      IST_PLACE, "Axes permuted, given as one sequence or as ints; reversed without any.");
  method(
      "to_device",
      [](const Tensor& self, py::object device) {
        const auto id = optional_device(device, "to_device");
        if (!id) refuse("to_device", "device", "a Device or the name of one", device);
        return ops::to_device(self, *id);
      },
      py::arg("device"), "The same values on another device.");
  method(
      "flatten",
      [](const Tensor& self, py::object start_axis, py::object end_axis, py::object stream, py::object device) {
        const Placement place(stream, device, "flatten");
        return ops::flatten(place(self), int_argument(start_axis, "flatten", "start_axis"),
                            int_argument(end_axis, "flatten", "end_axis"));
      },
      py::arg("start_axis") = 0, py::arg("end_axis") = -1, IST_PLACE,
      "The axes from start_axis to end_axis, inclusive, merged into one.");
  method(
      "squeeze",
      [](const Tensor& self, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "squeeze");
        return ops::squeeze(place(self), optional_dims(axis, "squeeze", "axis"));
      },
      py::arg("axis") = py::none(), IST_PLACE, "Axes of extent 1 dropped; all of them without `axis`.");
  method(
      "split",
      [](const Tensor& self, py::object indices_or_sections, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "split");
        return to_list(split_argument(place(self), indices_or_sections, axis));
      },
      py::arg("indices_or_sections"), py::arg("axis") = 0, IST_PLACE, "A list of parts along `axis`.");
  for (const bool move : {true, false}) {
    const char* op = move ? "moveaxis" : "swapaxes";
    const char* first = move ? "source" : "axis1";
    const char* second = move ? "destination" : "axis2";
    method(
        op,
        [=](const Tensor& self, py::object i, py::object j, py::object stream, py::object device) {
          const Placement place(stream, device, op);
          const int64_t from = int_argument(i, op, first), to = int_argument(j, op, second);
          return move ? ops::moveaxis(place(self), from, to) : ops::swapaxes(place(self), from, to);
        },
        py::arg(first), py::arg(second), IST_PLACE, find_op(op)->doc);
  }
}

// ---- conversions and protocols ----

py::object to_nested_list(const Tensor& tensor, const char* at, int axis) {
  if (axis == tensor.rank()) return element(at, tensor.dtype());
  const int64_t n = tensor.shape(axis);
  const int64_t step = tensor->layout.strides[axis] * itemsize(tensor.dtype());
  py::list list(n);
  for (int64_t i = 0; i < n; ++i)
    PyList_SET_ITEM(list.ptr(), i, to_nested_list(tensor, at + i * step, axis + 1).release().ptr());
  return list;
}

py::object item(const Tensor& self) {
  if (self.size() != 1)
    fail(Code::value, "item", "only tensors with one element become Python numbers; this one has shape ", self.shape());
  return element(evaluated_data(self), self.dtype());
}

py::bytes to_bytes(const Tensor& self) {
  Tensor dense;
  {
    py::gil_scoped_release released;
    dense = evaluated_row_major(self);
  }
  return py::bytes(evaluated_data(dense), static_cast<size_t>(dense.nbytes()));
}

py::object memory_of(py::handle object) {
  PyObject* memory = PyMemoryView_FromObject(object.ptr());
  if (memory == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(memory);
}

// NumPy itself has no bfloat16; where ml_dtypes is installed, its dtype is laid over the same memory.
py::object bfloat16_array(const Tensor& tensor) {
  py::object dtype;
  try {
    dtype = py::module_::import("ml_dtypes").attr("bfloat16");
  } catch (py::error_already_set& e) {
    if (!e.matches(PyExc_ImportError)) throw;
    fail(Code::dtype, "__array__",
         "NumPy has no bfloat16; use astype(isthmus.float32) first, or install ml_dtypes, which adds it");
  }
  evaluated_data(tensor);
  const Tensor bits = make_data(DType::uint16, tensor.shape(), tensor->layout.strides, tensor->layout.offset,
                                tensor->layout.buffer, tensor.device());
  return py::module_::import("numpy").attr("asarray")(memory_of(to_object(bits))).attr("view")(dtype);
}

py::object to_numpy(py::object self, py::object dtype, py::object copy) {
  const Tensor& tensor = tensor_of(self.ptr());
  const py::module_ numpy = py::module_::import("numpy");
  py::object array =
      tensor.dtype() == DType::bfloat16 ? bfloat16_array(tensor) : numpy.attr("asarray")(memory_of(self));
  const bool forced = !copy.is_none() && flag(copy, "__array__", "copy");
  if (!dtype.is_none() && !py::object(array.attr("dtype")).equal(numpy.attr("dtype")(dtype))) {
    if (!copy.is_none() && !forced) fail(Code::value, "__array__", "another dtype needs a copy, and copy=False");
    return array.attr("astype")(dtype);
  }
  return forced ? array.attr("copy")() : array;
}

py::object format(py::object self, const std::string& spec) {
  const Tensor& tensor = tensor_of(self.ptr());
  if (tensor.rank() != 0) {
    if (spec.empty()) return py::str(self);
    throw py::type_error("Tensor: a format such as '" + spec + "' is for 0-dimensional tensors only");
  }
  return item(tensor).attr("__format__")(spec);
}

// A copy that shares no leaf: gradients of the two are told apart.
Tensor copy_of(const Tensor& self) {
  if (self->leaf == nullptr) return self;
  Tensor copy = detach(self);
  set_requires_grad(copy, true);
  return copy;
}

Tensor rebuild(const py::bytes& bytes, const std::string& dtype_name, py::object shape, bool wants_grad) {
  DType dtype;
  if (!parse_dtype(dtype_name, dtype)) fail(Code::dtype, "unpickling", "there is no dtype '", dtype_name, "'");
  const std::string_view content = bytes;
  const Dims dims = dims_argument(shape, "unpickling", "shape", false);
  void* data = nullptr;
  Tensor made = make_empty(dtype, dims, &data, "unpickling");
  if (static_cast<int64_t>(content.size()) != made.nbytes())
    fail(Code::format, "unpickling", content.size(), " bytes for a tensor of ", made.nbytes());
  if (!content.empty()) std::memcpy(data, content.data(), content.size());
  if (wants_grad) set_requires_grad(made, true);
  return made;
}

void bind_protocols(py::module_& m) {
  method("item", item, "The only element, as a Python number.");
  method(
      "tolist",
      [](const Tensor& self) {
        const char* start = evaluated_data(self);
        return to_nested_list(self, start, 0);
      },
      "The elements as nested lists of Python numbers; a number for a 0-dimensional tensor.");
  method("__array__", to_numpy, py::arg("dtype") = py::none(), py::arg("copy") = py::none(),
         "A read-only NumPy array over the same memory, or a converted copy.");
  method("__bytes__", to_bytes, "The elements' bytes in row-major order.");
  method("__complex__", [](const Tensor& self) {
    const py::object number = item(self);
    return py::reinterpret_steal<py::object>(PyComplex_Check(number.ptr())
                                                 ? number.inc_ref().ptr()
                                                 : PyComplex_FromDoubles(PyFloat_AsDouble(number.ptr()), 0));
  });
  method("__format__", format, py::arg("spec"));
  method("__copy__", copy_of);
  method("__deepcopy__", [](const Tensor& self, py::handle) { return copy_of(self); }, py::arg("memo"));
  method(
      "__array_namespace__", [](const Tensor&, py::object) { return py::module_::import("isthmus"); }, py::kw_only(),
      py::arg("api_version") = py::none(), "The module isthmus.");
  m.def("_rebuild", rebuild, "Unpickles a tensor.");
  method("__reduce__", [rebuilder = m.attr("_rebuild").ptr()](const Tensor& self) {
    return py::make_tuple(
        py::reinterpret_borrow<py::object>(rebuilder),
        py::make_tuple(to_bytes(self), name(self.dtype()), to_tuple(self.shape()), self->leaf != nullptr));
  });
}

}  // namespace

void bind_tensor_methods(py::module_& m) {
  bind_elementwise_methods();
  bind_reduction_methods();
  bind_shape_methods();
  bind_protocols(m);
}

}  // namespace ist::python
