// Gathering along axes, and matrix products.
#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

Tensor indices_argument(py::handle object, const Tensor& a, const char* op) {
  if (is_tensor(object.ptr())) return tensor_of(object.ptr());
  std::optional<DeviceScope> scope;
  if (a.device() != current_device()) scope.emplace(a.device());
  if (PyLong_Check(object.ptr()) && !PyBool_Check(object.ptr()))
    return number_tensor(object.ptr(), number_dtype(object.ptr(), op), op);
  if (PyList_Check(object.ptr()) || PyTuple_Check(object.ptr()) || is_array_like(object.ptr()))
    return array_from(object, std::nullopt, op);
  refuse(op, "indices", "an int or a tensor of ints", object);
}

}  // namespace

void bind_index_ops(py::module_& m) {
  m.def(
      "take",
      [](py::object a, py::object indices, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "take");
        const Tensor input = place(tensor_argument(a, "take"));
        return ops::take(input, place(indices_argument(indices, input, "take")), optional_int(axis, "take", "axis"));
      },
      py::arg("a"), py::arg("indices"), py::arg("axis") = py::none(), IST_PLACE,
      "Slices of `a` at `indices` along `axis`, or elements of the flat tensor without one. Negative indices count "
      "from "
      "the end; one out of bounds raises IndexError.");
  m.def(
      "take_along_axis",
      [](py::object a, py::object indices, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "take_along_axis");
        const Tensor input = place(tensor_argument(a, "take_along_axis"));
        return ops::take_along_axis(input, place(indices_argument(indices, input, "take_along_axis")),
                                    optional_int(axis, "take_along_axis", "axis"));
      },
      py::arg("a"), py::arg("indices"), py::arg("axis") = -1, IST_PLACE,
      "The element of each row of `a` along `axis` that `indices` (of as many axes) names; of the flat tensor if axis "
      "is None.");
  m.def(
      "gather",
      [](py::object a, py::object indices, py::object axes, py::object slice_sizes, py::object stream,
         py::object device) {
        const Placement place(stream, device, "gather");
        const Tensor input = place(tensor_argument(a, "gather"));
        if (!PyList_Check(indices.ptr()) && !PyTuple_Check(indices.ptr()))
          refuse("gather", "indices", "a list of index tensors", indices);
        Tensors operands;
        for (const py::handle index : py::reinterpret_borrow<py::sequence>(indices))
          operands.push_back(place(indices_argument(index, input, "gather")));
        return ops::gather(input, operands, dims_argument(axes, "gather", "axes", true),
                           dims_argument(slice_sizes, "gather", "slice_sizes", true));
      },
      py::arg("a"), py::arg("indices"), py::arg("axes"), py::arg("slice_sizes"), IST_PLACE,
      "Slices of `a`: indices[i], integer tensors that broadcast to one shape I, address axes[i]; slice_sizes has an "
      "extent for every axis of `a`. The result's shape is I + slice_sizes. An index out of bounds raises IndexError.");
  m.def(
      "put_along_axis",
      [](py::object a, py::object indices, py::object values, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "put_along_axis");
        const Tensor input = place(tensor_argument(a, "put_along_axis"));
        return ops::put_along_axis(input, place(indices_argument(indices, input, "put_along_axis")),
                                   place(operand(values, &input, "put_along_axis", "values")),
                                   optional_int(axis, "put_along_axis", "axis"));
      },
      py::arg("a"), py::arg("indices"), py::arg("values"), py::arg("axis") = py::none(), IST_PLACE,
      "A copy of `a` with `values` written at `indices` along `axis`, or into the flat tensor.");
  m.def(
      "matmul",
      [](py::object a, py::object b, py::object stream, py::object device) {
        const Placement place(stream, device, "matmul");
        return ops::matmul(place(tensor_argument(a, "matmul", "a")), place(tensor_argument(b, "matmul", "b")));
      },
      py::arg("a"), py::arg("b"), IST_PLACE,
      "The matrix product over the last two axes, leading axes broadcast; vectors get an axis of 1 that is dropped "
      "again. Inner extents that differ raise ShapeError, integer dtypes DTypeError.");
  m.def(
      "addmm",
      [](py::object c, py::object a, py::object b, double alpha, double beta, py::object stream, py::object device) {
        const Placement place(stream, device, "addmm");
        return ops::addmm(place(tensor_argument(c, "addmm", "c")), place(tensor_argument(a, "addmm", "a")),
                          place(tensor_argument(b, "addmm", "b")), alpha, beta);
      },
      py::arg("c"), py::arg("a"), py::arg("b"), py::arg("alpha") = 1.0, py::arg("beta") = 1.0, IST_PLACE,
      "beta * c + alpha * (a @ b).");
}

}  // namespace ist::python
