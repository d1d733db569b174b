// Convolutions.
#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

// One value for each spatial axis; an int stands for all of them.
Dims values(py::handle object, int n_dims, const char* op, const char* argument) {
  const Dims given = dims_argument(object, op, argument, true);
  if (given.size() == 1 && PyIndex_Check(object.ptr())) return Dims(n_dims, given[0]);
  if (given.size() != n_dims) fail(Code::value, op, argument, " needs ", n_dims, " values, got ", given);
  return given;
}

Dims joined(std::initializer_list<Dims> lists) {
  Dims all;
  for (const Dims& list : lists) {
    for (const int64_t value : list) all.push_back(value);
  }
  return all;
}

Tensor call(CallFn function, const Tensor& input, const Tensor& weight, ConvAttrs conv) {
  return function(Borrowed<2>(input, weight), std::move(conv));
}

template <int n_dims>
void bind_plain(py::module_& m, const char* op, CallFn function, const char* doc) {
  m.def(
      op,
      [op, function](py::object input, py::object weight, py::object stride, py::object padding, py::object dilation,
                     py::object groups, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        const Dims around = values(padding, n_dims, op, "padding"), ones(n_dims, 1);
        const Dims window = joined(
            {values(stride, n_dims, op, "stride"), around, around, values(dilation, n_dims, op, "dilation"), ones});
        return call(function, place(tensor_argument(input, op, "input")), place(tensor_argument(weight, op, "weight")),
                    {window, int_argument(groups, op, "groups"), false});
      },
      py::arg("input"), py::arg("weight"), py::pos_only(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("groups") = 1, IST_PLACE, doc);
}

template <int n_dims>
void bind_transposed(py::module_& m, const char* op, CallFn function, const char* doc) {
  m.def(
      op,
      [op, function](py::object input, py::object weight, py::object stride, py::object padding, py::object dilation,
                     py::object output_padding, py::object groups, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        const Dims low = values(padding, n_dims, op, "padding"), ones(n_dims, 1);
        const Dims extra = values(output_padding, n_dims, op, "output_padding");
        Dims high = low;
        for (int i = 0; i < n_dims; ++i) high[i] -= extra[i];
        const Dims window =
            joined({values(stride, n_dims, op, "stride"), low, high, values(dilation, n_dims, op, "dilation"), ones});
        return call(function, place(tensor_argument(input, op, "input")), place(tensor_argument(weight, op, "weight")),
                    {window, int_argument(groups, op, "groups"), false});
      },
      py::arg("input"), py::arg("weight"), py::pos_only(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("output_padding") = 0, py::arg("groups") = 1, IST_PLACE, doc);
}

// An int, a list, or a pair of lists: before the first element and after the last. An empty list is zeros.
std::pair<Dims, Dims> padding_of(py::handle padding, int n_dims, const char* op) {
  const auto side = [&](py::handle list) {
    if (PySequence_Check(list.ptr()) && PySequence_Size(list.ptr()) == 0) return Dims(n_dims, 0);
    return values(list, n_dims, op, "padding");
  };
  if (PyTuple_Check(padding.ptr()) && PyTuple_GET_SIZE(padding.ptr()) == 2 &&
      PySequence_Check(PyTuple_GET_ITEM(padding.ptr(), 0)) && PySequence_Check(PyTuple_GET_ITEM(padding.ptr(), 1)))
    return {side(PyTuple_GET_ITEM(padding.ptr(), 0)), side(PyTuple_GET_ITEM(padding.ptr(), 1))};
  const Dims both = side(padding);
  return {both, both};
}

ops::ConvolveMode convolve_mode(py::handle mode) {
  if (!PyUnicode_Check(mode.ptr())) refuse("convolve", "mode", "a string", mode);
  const std::string text = mode.cast<std::string>();
  if (text == "full") return ops::ConvolveMode::full;
  if (text == "same") return ops::ConvolveMode::same;
  if (text == "valid") return ops::ConvolveMode::valid;
  fail(Code::value, "convolve", "mode must be 'full', 'same' or 'valid', got '", text, "'");
}

}  // namespace

void bind_conv(py::module_& m) {
  bind_plain<1>(
      m, "conv1d", &call_conv1d,
      "Convolution of `input` (N, L, C_in) with `weight` (C_out, K, C_in / groups): (N, L', C_out). The kernel is\n"
      "not flipped. Floating point, in the promoted dtype; ValueError when shapes do not fit.");
  bind_plain<2>(
      m, "conv2d", &call_conv2d,
      "Convolution of `input` (N, H, W, C_in) with `weight` (C_out, KH, KW, C_in / groups): (N, H', W', C_out).\n"
      "stride, padding and dilation are an int or one for each axis. The kernel is not flipped. Floating point,\n"
      "in the promoted dtype; ValueError when shapes do not fit.");
  bind_plain<3>(
      m, "conv3d", &call_conv3d,
      "Convolution of `input` (N, D, H, W, C_in) with `weight` (C_out, KD, KH, KW, C_in / groups): (N, D', H', W',\n"
      "C_out). stride, padding and dilation are an int or one for each axis. The kernel is not flipped.\n"
      "Floating point, in the promoted dtype; ValueError when shapes do not fit.");
  bind_transposed<1>(
      m, "conv_transpose1d", &call_conv_transpose1d,
      "Transposed convolution of `input` (N, L, C_in) with `weight` (C_out, K, C_in / groups). The result has\n"
      "(L - 1) * stride - 2 * padding + dilation * (K - 1) + 1 + output_padding positions.");
  bind_transposed<2>(
      m, "conv_transpose2d", &call_conv_transpose2d,
      "Transposed convolution of `input` (N, H, W, C_in) with `weight` (C_out, KH, KW, C_in / groups). Each\n"
      "spatial axis of the result has (H - 1) * stride - 2 * padding + dilation * (KH - 1) + 1 +\n"
      "output_padding positions.");
  bind_transposed<3>(
      m, "conv_transpose3d", &call_conv_transpose3d,
      "Transposed convolution of `input` (N, D, H, W, C_in) with `weight` (C_out, KD, KH, KW, C_in / groups).\n"
      "Each spatial axis of the result has (D - 1) * stride - 2 * padding + dilation * (KD - 1) + 1 +\n"
      "output_padding positions.");
  m.def(
      "conv_general",
      [](py::object input, py::object weight, py::object stride, py::object padding, py::object kernel_dilation,
         py::object input_dilation, py::object groups, py::object flip, py::object stream, py::object device) {
        const char* op = "conv_general";
        const Placement place(stream, device, op);
        const Tensor x = place(tensor_argument(input, op, "input")), w = place(tensor_argument(weight, op, "weight"));
        if (x.rank() < 3 || x.rank() > 5)
          fail(Code::shape, op, "needs an input (N, spatial..., C_in) with 1 to 3 spatial axes, got ", x.shape());
        const int n = x.rank() - 2;
        const auto [low, high] = padding_of(padding, n, op);
        const Dims window =
            joined({values(stride, n, op, "stride"), low, high, values(kernel_dilation, n, op, "kernel_dilation"),
                    values(input_dilation, n, op, "input_dilation")});
        return ops::conv_general(x, w, {window, int_argument(groups, op, "groups"), flag(flip, op, "flip")});
      },
      py::arg("input"), py::arg("weight"), py::pos_only(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("kernel_dilation") = 1, py::arg("input_dilation") = 1, py::arg("groups") = 1, py::arg("flip") = false,
      IST_PLACE,
      "Convolution of `input` (N, spatial..., C_in), 1 to 3 spatial axes, with `weight` (C_out, kernel..., C_in / "
      "groups).\n"
      "stride, kernel_dilation and input_dilation are an int or one for each axis; padding also a pair of lists, "
      "before\n"
      "and after, where negative numbers crop. `flip` reads the kernel backwards. Floating point, in the promoted\n"
      "dtype; ValueError when shapes do not fit.");
  m.def(
      "convolve",
      [](py::object a, py::object v, py::object mode, py::object stream, py::object device) {
        const Placement place(stream, device, "convolve");
        return ops::convolve(place(tensor_argument(a, "convolve", "a")), place(tensor_argument(v, "convolve", "v")),
                             convolve_mode(mode));
      },
      py::arg("a"), py::arg("v"), py::pos_only(), py::arg("mode") = "full", IST_PLACE,
      "Discrete convolution of two vectors: mode 'full' has len(a) + len(v) - 1 elements, 'same' those in the middle, "
      "as\n"
      "many as the longer vector has, 'valid' those where the vectors overlap entirely. ValueError when one is empty.");
}

}  // namespace ist::python
