// Quantized matrices.
#include <algorithm>

#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

struct Grouping {
  int group_size, bits;
};

// The defaults are upstream's.
Grouping grouping_of(py::handle group_size, py::handle bits, py::handle mode, const char* op) {
  if (!PyUnicode_Check(mode.ptr())) refuse(op, "mode", "a string", mode);
  const std::string text = mode.cast<std::string>();
  if (text != "affine") fail(Code::value, op, "mode must be 'affine', got '", text, "'");
  const auto small = [&](py::handle value, int64_t fallback, const char* name) {
    return static_cast<int>(std::clamp<int64_t>(optional_int(value, op, name).value_or(fallback), -1, 1 << 20));
  };
  return {small(group_size, 64, "group_size"), small(bits, 4, "bits")};
}

void refuse_global_scale(py::handle scale, const char* op) {
  if (!scale.is_none()) fail(Code::value, op, "global_scale has no meaning in mode 'affine'");
}

Tensor biases_argument(py::handle biases, const char* op) {
  if (biases.is_none()) fail(Code::value, op, "biases are needed in mode 'affine'");
  return tensor_argument(biases, op, "biases");
}

}  // namespace

void bind_quantized(py::module_& m) {
  m.def(
      "quantize",
      [](py::object w, py::object group_size, py::object bits, py::object mode, py::object global_scale,
         py::object stream, py::object device) {
        const Placement place(stream, device, "quantize");
        refuse_global_scale(global_scale, "quantize");
        const Grouping grouping = grouping_of(group_size, bits, mode, "quantize");
        return to_tuple(ops::quantize(place(tensor_argument(w, "quantize", "w")), grouping.group_size, grouping.bits));
      },
      py::arg("w"), py::pos_only(), py::arg("group_size") = py::none(), py::arg("bits") = py::none(),
      py::arg("mode") = "affine", py::kw_only(), py::arg("global_scale") = py::none(), py::arg("stream") = py::none(),
      py::arg("device") = py::none(),
      "Quantizes the rows of `w` (floating point, 2 or more dimensions) in groups of `group_size` elements (32, 64 or\n"
      "128; default 64) to codes of `bits` bits (1 to 6 or 8; default 4). Returns (words, scales, biases): uint32 "
      "words\n"
      "of packed codes, and for each group the scale and bias in w's dtype, w = scale * code + bias.\n"
      "ValueError when the last extent is no multiple of group_size.");
  m.def(
      "dequantize",
      [](py::object w, py::object scales, py::object biases, py::object group_size, py::object bits, py::object mode,
         py::object global_scale, py::object dtype, py::object stream, py::object device) {
        const Placement place(stream, device, "dequantize");
        refuse_global_scale(global_scale, "dequantize");
        const Grouping grouping = grouping_of(group_size, bits, mode, "dequantize");
        const Tensor result = ops::dequantize(
            place(tensor_argument(w, "dequantize", "w")), place(tensor_argument(scales, "dequantize", "scales")),
            place(biases_argument(biases, "dequantize")), grouping.group_size, grouping.bits);
        return dtype.is_none() ? result : ops::astype(result, dtype_argument(dtype, "dequantize"));
      },
      py::arg("w"), py::pos_only(), py::arg("scales"), py::arg("biases") = py::none(),
      py::arg("group_size") = py::none(), py::arg("bits") = py::none(), py::arg("mode") = "affine",
      py::arg("global_scale") = py::none(), py::arg("dtype") = py::none(), IST_PLACE,
      "The matrix that `quantize` packed: scale * code + bias in the dtype of the scales, then as `dtype` if given.");
  m.def(
      "quantized_matmul",
      [](py::object x, py::object w, py::object scales, py::object biases, py::object transpose, py::object group_size,
         py::object bits, py::object mode, py::object stream, py::object device) {
        const char* op = "quantized_matmul";
        const Placement place(stream, device, op);
        const Grouping grouping = grouping_of(group_size, bits, mode, op);
        return ops::quantized_matmul(place(tensor_argument(x, op, "x")), place(tensor_argument(w, op, "w")),
                                     place(tensor_argument(scales, op, "scales")), place(biases_argument(biases, op)),
                                     flag(transpose, op, "transpose"), grouping.group_size, grouping.bits);
      },
      py::arg("x"), py::arg("w"), py::pos_only(), py::arg("scales"), py::arg("biases") = py::none(),
      py::arg("transpose") = true, py::arg("group_size") = py::none(), py::arg("bits") = py::none(),
      py::arg("mode") = "affine", IST_PLACE,
      "x @ w.T for the matrix that `quantize` packed into (w, scales, biases), or x @ w with transpose=False. `x` has\n"
      "shape (..., depth); sums are in float32, the result has the promoted dtype of x, scales and biases.");
}

}  // namespace ist::python
