#include "bindings/convert.h"
#include "bindings/module.h"
#include "bindings/reduce.h"

namespace ist::python {
namespace {

PadMode pad_mode(const std::string& mode) {
  if (mode == "constant") return PadMode::constant;
  if (mode == "edge") return PadMode::edge;
  if (mode == "reflect") return PadMode::reflect;
  if (mode == "symmetric") return PadMode::symmetric;
  fail(Code::value, "pad", "there is no mode '", mode, "'; there are constant, edge, reflect and symmetric");
}

// int, (n,), (low, high), or one (low, high) for each axis.
std::pair<Dims, Dims> pad_widths(py::handle width, int rank) {
  const auto rank_of = static_cast<size_t>(rank);
  if (PyIndex_Check(width.ptr())) {
    const int64_t n = int_argument(width, "pad", "pad_width");
    return {Dims(rank_of, n), Dims(rank_of, n)};
  }
  if (!PyList_Check(width.ptr()) && !PyTuple_Check(width.ptr()))
    refuse("pad", "pad_width", "an int, (low, high), or a (low, high) for each axis", width);
  const py::sequence items = py::reinterpret_borrow<py::sequence>(width);
  if (items.size() > 0 && PyIndex_Check(py::object(items[0]).ptr())) {
    const Dims both = dims_argument(width, "pad", "pad_width", false);
    if (both.size() > 2)
      fail(Code::value, "pad", "pad_width is an int, (low, high), or a (low, high) for each axis, got ", both);
    return {Dims(rank_of, both[0]), Dims(rank_of, both.back())};
  }
  if (static_cast<int>(items.size()) != rank)
    fail(Code::value, "pad", "pad_width has ", items.size(), " pairs for a tensor with ", rank, " axes");
  Dims low, high;
  for (const py::handle item : items) {
    const Dims pair = dims_argument(item, "pad", "each of pad_width", true);
    if (pair.empty() || pair.size() > 2) fail(Code::value, "pad", "pad_width needs (low, high), got ", pair);
    low.push_back(pair[0]);
    high.push_back(pair.back());
  }
  return {low, high};
}

// f(a, Dims) for the many functions that take one tensor and one list.
template <class F>
void with_dims(py::module_& m, const char* op, const char* argument, bool allow_int, F function, const char* doc) {
  m.def(
      op,
      [=](py::object a, py::object dims, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        return function(place(operand(a, nullptr, op, "a")), dims_argument(dims, op, argument, allow_int));
      },
      py::arg("a"), py::arg(argument), IST_PLACE, doc);
}

template <class F>
void with_nothing(py::module_& m, const char* op, F function, const char* doc) {
  m.def(
      op,
      [=](py::object a, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        return function(place(operand(a, nullptr, op, "a")));
      },
      py::arg("a"), IST_PLACE, doc);
}

template <class F>
void with_two_ints(py::module_& m, const char* op, const char* first, const char* second, F function, const char* doc) {
  m.def(
      op,
      [=](py::object a, py::object i, py::object j, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        return function(place(tensor_argument(a, op)), int_argument(i, op, first), int_argument(j, op, second));
      },
      py::arg("a"), py::arg(first), py::arg(second), IST_PLACE, doc);
}

Tensors placed(const Placement& place, Tensors tensors) {
  for (Tensor& tensor : tensors) tensor = place(std::move(tensor));
  return tensors;
}

Tensors from_args(const py::args& args, const char* op) {
  Tensors tensors;
  for (const py::handle item : args) tensors.push_back(tensor_argument(item, op, "every argument"));
  return tensors;
}

void bind_joins(py::module_& m) {
  for (const char* op : {"concatenate", "concat"})
    m.def(
        op,
        [](py::object arrays, py::object axis, py::object stream, py::object device) {
          const Placement place(stream, device, "concatenate");
          return ops::concatenate(placed(place, tensor_list(arrays, "concatenate")),
                                  optional_int(axis, "concatenate", "axis"));
        },
        py::arg("arrays"), py::arg("axis") = 0, IST_PLACE,
        "Tensors joined along `axis`; flattened first if it is None. Other extents must agree; dtypes promote.");
  m.def(
      "stack",
      [](py::object arrays, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "stack");
        return ops::stack(placed(place, tensor_list(arrays, "stack")), optional_int(axis, "stack", "axis").value_or(0));
      },
      py::arg("arrays"), py::arg("axis") = 0, IST_PLACE, "Tensors of one shape joined along a new axis.");
  m.def(
      "split",
      [](py::object a, py::object indices_or_sections, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "split");
        return to_list(split_argument(place(tensor_argument(a, "split")), indices_or_sections, axis));
      },
      py::arg("a"), py::arg("indices_or_sections"), py::arg("axis") = 0, IST_PLACE,
      "A list of parts: a number of equal sections, or cut before each of the given indices.");
  m.def(
      "broadcast_arrays",
      [](const py::args& arrays, py::object stream, py::object device) {
        const Placement place(stream, device, "broadcast_arrays");
        return to_list(ops::broadcast_arrays(placed(place, from_args(arrays, "broadcast_arrays"))));
      },
      IST_PLACE, "The arguments broadcast to their common shape, a list.");
  m.def(
      "meshgrid",
      [](const py::args& arrays, py::object sparse, py::object indexing, py::object stream, py::object device) {
        const Placement place(stream, device, "meshgrid");
        if (!indexing.is_none() && !PyUnicode_Check(indexing.ptr()))
          refuse("meshgrid", "indexing", "'xy' or 'ij'", indexing);
        return to_tuple(ops::meshgrid(placed(place, from_args(arrays, "meshgrid")),
                                      !sparse.is_none() && flag(sparse, "meshgrid", "sparse"),
                                      indexing.is_none() ? "xy" : indexing.cast<std::string>()));
      },
      py::kw_only(), py::arg("sparse") = false, py::arg("indexing") = "xy", py::arg("stream") = py::none(),
      py::arg("device") = py::none(), "Coordinate grids from vectors, for indexing 'xy' or 'ij'.");
  m.def(
      "broadcast_shapes",
      [](const py::args& shapes) {
        if (shapes.empty()) fail(Code::value, "broadcast_shapes", "at least one shape is needed");
        Dims common;
        for (const py::handle shape : shapes)
          common = broadcast_shapes(common, dims_argument(shape, "broadcast_shapes", "every argument", false),
                                    "broadcast_shapes");
        return to_tuple(common);
      },
      "The shape to which tensors of the given shapes broadcast.");
}

}  // namespace

Tensors split_argument(const Tensor& a, py::handle indices_or_sections, py::handle axis) {
  const int64_t along = int_argument(axis, "split", "axis");
  if (PyIndex_Check(indices_or_sections.ptr()) && !PySequence_Check(indices_or_sections.ptr()))
    return ops::split(a, int_argument(indices_or_sections, "split", "indices_or_sections"), along);
  return ops::split(a, dims_argument(indices_or_sections, "split", "indices_or_sections", false), along);
}

void bind_shape_ops(py::module_& m) {
  with_dims(m, "reshape", "shape", true, ops::reshape, "The same elements in another shape; one extent may be -1.");
  with_dims(m, "broadcast_to", "shape", true, ops::broadcast_to, "Extents of 1 (and new leading axes) repeated.");
  with_dims(m, "expand_dims", "axis", true, ops::expand_dims, "New axes of extent 1 at the given places.");
  with_dims(m, "tile", "reps", true, ops::tile, "The whole tensor repeated along each axis.");
  with_nothing(m, "real", ops::real, "The real part.");
  with_nothing(m, "imag", ops::imag, "The imaginary part; zeros for real dtypes.");
  with_nothing(m, "stop_gradient", ops::stop_gradient, "The same values, with a derivative of zero.");
  with_two_ints(m, "moveaxis", "source", "destination", ops::moveaxis, "One axis moved to another place.");
  with_two_ints(m, "swapaxes", "axis1", "axis2", ops::swapaxes, "Two axes exchanged.");
  m.def(
      "to_device",
      [](py::object a, py::object device) {
        const auto id = optional_device(device, "to_device");
        if (!id) refuse("to_device", "device", "a Device or the name of one", device);
        return ops::to_device(tensor_argument(a, "to_device"), *id);
      },
      py::arg("a"), py::arg("device"), "The same values on another device.");
  for (const char* op : {"transpose", "permute_dims"})
    m.def(
        op,
        [](py::object a, py::object axes, py::object stream, py::object device) {
          const Placement place(stream, device, "transpose");
          return ops::transpose(place(tensor_argument(a, "transpose")), optional_dims(axes, "transpose", "axes"));
        },
        py::arg("a"), py::arg("axes") = py::none(), IST_PLACE, "Axes permuted; reversed without `axes`.");
  with_nothing(
      m, "matrix_transpose",
      [](const Tensor& a) {
        if (a.rank() < 2)
          fail(Code::shape, "matrix_transpose", "at least 2 dimensions are needed, got shape ", a.shape());
        return ops::swapaxes(a, -1, -2);
      },
      "The last two axes exchanged.");
  m.def(
      "squeeze",
      [](py::object a, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "squeeze");
        return ops::squeeze(place(tensor_argument(a, "squeeze")), optional_dims(axis, "squeeze", "axis"));
      },
      py::arg("a"), py::arg("axis") = py::none(), IST_PLACE,
      "Axes of extent 1 dropped; all of them without `axis`. Another extent raises ValueError.");
  m.def(
      "flatten",
      [](py::object a, py::object start_axis, py::object end_axis, py::object stream, py::object device) {
        const Placement place(stream, device, "flatten");
        return ops::flatten(place(tensor_argument(a, "flatten")), int_argument(start_axis, "flatten", "start_axis"),
                            int_argument(end_axis, "flatten", "end_axis"));
      },
      py::arg("a"), py::arg("start_axis") = 0, py::arg("end_axis") = -1, IST_PLACE,
      "The axes from start_axis to end_axis, inclusive, merged into one.");
  m.def(
      "unflatten",
      [](py::object a, py::object axis, py::object shape, py::object stream, py::object device) {
        const Placement place(stream, device, "unflatten");
        return ops::unflatten(place(tensor_argument(a, "unflatten")), int_argument(axis, "unflatten", "axis"),
                              dims_argument(shape, "unflatten", "shape", false));
      },
      py::arg("a"), py::arg("axis"), py::arg("shape"), IST_PLACE, "One axis split into `shape`; one extent may be -1.");
  m.def(
      "repeat",
      [](py::object array, py::object repeats, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "repeat");
        return ops::repeat(place(tensor_argument(array, "repeat", "array")), int_argument(repeats, "repeat", "repeats"),
                           optional_int(axis, "repeat", "axis"));
      },
      py::arg("array"), py::arg("repeats"), py::arg("axis") = py::none(), IST_PLACE,
      "Each element repeated along `axis`, or of the flat tensor.");
  m.def(
      "pad",
      [](py::object a, py::object pad_width, const std::string& mode, py::object constant_values, py::object stream,
         py::object device) {
        const Placement place(stream, device, "pad");
        const Tensor input = place(tensor_argument(a, "pad"));
        const auto [low, high] = pad_widths(pad_width, input.rank());
        const Tensor value =
            place(ops::astype(operand(constant_values, &input, "pad", "constant_values"), input.dtype()));
        return ops::pad(input, low, high, pad_mode(mode), value);
      },
      py::arg("a"), py::arg("pad_width"), py::arg("mode") = "constant", py::arg("constant_values") = 0, IST_PLACE,
      "Borders added on each axis. pad_width: an int, (low, high), or a (low, high) for each axis; mode: constant, "
      "edge, reflect or symmetric.");
  bind_joins(m);
}

}  // namespace ist::python
