// The functions of isthmus.fast.
#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

std::optional<Tensor> optional_tensor(const Placement& place, py::handle object, const char* op, const char* argument) {
  if (object.is_none()) return std::nullopt;
  return place(tensor_argument(object, op, argument));
}

}  // namespace

void bind_fast(py::module_& m) {
  m.def(
      "layer_norm",
      [](py::object x, py::object weight, py::object bias, py::object eps, py::object stream, py::object device) {
        const char* op = "layer_norm";
        const Placement place(stream, device, op);
        return ops::layer_norm(place(tensor_argument(x, op, "x")), optional_tensor(place, weight, op, "weight"),
                               optional_tensor(place, bias, op, "bias"), number_argument(eps, op, "eps"));
      },
      py::arg("x"), py::arg("weight").none(true), py::arg("bias").none(true), py::arg("eps"), IST_PLACE,
      "(x - mean) / sqrt(variance + eps) over the last axis, times `weight`, plus `bias`; either may be None, or has\n"
      "the shape (n,) for x of shape (..., n). float16 and bfloat16 are computed in float32. ValueError for other\n"
      "shapes and for dtypes that do not promote to floating point.");
  m.def(
      "rms_norm",
      [](py::object x, py::object weight, py::object eps, py::object stream, py::object device) {
        const char* op = "rms_norm";
        const Placement place(stream, device, op);
        return ops::rms_norm(place(tensor_argument(x, op, "x")), optional_tensor(place, weight, op, "weight"),
                             number_argument(eps, op, "eps"));
      },
      py::arg("x"), py::arg("weight").none(true), py::arg("eps"), IST_PLACE,
      "x / sqrt(mean of x * x + eps) over the last axis, times `weight`, which may be None or has the shape (n,) for "
      "x\n"
      "of shape (..., n). float16 and bfloat16 are computed in float32. ValueError as for layer_norm.");
  m.def(
      "scaled_dot_product_attention",
      [](py::object q, py::object k, py::object v, py::object scale, py::object mask, py::object sinks,
         py::object force_fused, py::object stream, py::object device) {
        const char* op = "scaled_dot_product_attention";
        const Placement place(stream, device, op);
        flag(force_fused, op, "force_fused");
        const bool is_text = PyUnicode_Check(mask.ptr());
        if (is_text && mask.cast<std::string>() != "causal")
          fail(Code::value, op, "mask must be 'causal', an array or None, got '", mask.cast<std::string>(), "'");
        return ops::scaled_dot_product_attention(
            place(tensor_argument(q, op, "q")), place(tensor_argument(k, op, "k")), place(tensor_argument(v, op, "v")),
            number_argument(scale, op, "scale"), is_text ? std::nullopt : optional_tensor(place, mask, op, "mask"),
            is_text, optional_tensor(place, sinks, op, "sinks"));
      },
      py::arg("q"), py::arg("k"), py::arg("v"), py::kw_only(), py::arg("scale"), py::arg("mask") = py::none(),
      py::arg("sinks") = py::none(), py::arg("force_fused") = false, py::arg("stream") = py::none(),
      py::arg("device") = py::none(),
      "softmax(scale * q @ k.T + mask) @ v, for q of shape (batch, heads, queries, depth), k (batch, kv_heads, keys,\n"
      "depth) and v (batch, kv_heads, keys, width), heads a multiple of kv_heads. `mask` broadcasts to (batch, heads,\n"
      "queries, keys): bool, where False hides a key, or numbers that are added; 'causal' hides later keys, the last\n"
      "query seeing all. `sinks`, shape (heads,), are scores that take a share of the weights and have no value.\n"
      "float16 and bfloat16 are computed in float32. `force_fused` changes nothing: it always is one op. ValueError\n"
      "when shapes or dtypes do not fit each other.");
}

}  // namespace ist::python
