// Functions that are a few ops each and that a C user would write as well without.
#include <algorithm>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "ops/indexing.h"

namespace ist::python {
namespace {

Tensor is_close(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const LabelScope label("isclose");
  const Tensor magnitude = ops::abs(b);
  const Tensor real = is_inexact(magnitude.dtype()) ? magnitude : ops::astype(magnitude, DType::float32);
  const Tensor bound = ops::add(ops::scalar_like(atol, real), ops::multiply(ops::scalar_like(rtol, real), real));
  const Tensor near = ops::less_equal(ops::abs(ops::subtract(a, b)), bound);
  // An infinite bound would accept everything: infinities are close only to themselves.
  const Tensor finite = ops::logical_and(ops::isfinite(a), ops::isfinite(b));
  Tensor close = ops::where(finite, near, ops::equal(a, b));
  if (equal_nan) close = ops::logical_or(close, ops::logical_and(ops::isnan(a), ops::isnan(b)));
  return close;
}

Tensor array_equal(const Tensor& a, const Tensor& b, bool equal_nan) {
  const LabelScope label("array_equal");
  if (!(a.shape() == b.shape())) {
    const DeviceScope scope(a.device());
    return ops::scalar(int64_t{0}, DType::bool_);
  }
  Tensor same = ops::equal(a, b);
  if (equal_nan) same = ops::logical_or(same, ops::logical_and(ops::isnan(a), ops::isnan(b)));
  return ops::all(same);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  const LabelScope label("outer");
  return ops::multiply(ops::reshape(a, Dims{-1, 1}), ops::flatten(b));
}

Tensor inner(const Tensor& a, const Tensor& b) {
  const LabelScope label("inner");
  if (a.rank() == 0 || b.rank() == 0) return ops::multiply(a, b);
  const int64_t k = a.shape(-1);
  if (b.shape(-1) != k) fail(Code::shape, "inner", "the last extents differ: a ", a.shape(), ", b ", b.shape());
  Dims shape = a.shape();
  shape.pop_back();
  int64_t rows = 1, columns = 1;
  for (const int64_t extent : shape) rows *= extent;
  for (int axis = 0; axis + 1 < b.rank(); ++axis) {
    shape.push_back(b.shape(axis));
    columns *= b.shape(axis);
  }
  const Tensor product = ops::matmul(ops::reshape(a, Dims{rows, k}), ops::transpose(ops::reshape(b, Dims{columns, k})));
  return ops::reshape(product, shape);
}

Tensor vecdot(const Tensor& a, const Tensor& b, int64_t axis) {
  const LabelScope label("vecdot");
  if (a.rank() == 0 || b.rank() == 0)
    fail(Code::value, "vecdot", "at least 1 dimension is needed: a ", a.shape(), ", b ", b.shape());
  const int along_a = normalize_axis(axis, a.rank(), "vecdot"), along_b = normalize_axis(axis, b.rank(), "vecdot");
  if (a.shape(along_a) != b.shape(along_b))
    fail(Code::value, "vecdot", "the extents along axis ", axis, " differ: a ", a.shape(), ", b ", b.shape());
  const Tensor left = ops::moveaxis(ops::conjugate(a), along_a, -1), right = ops::moveaxis(b, along_b, -1);
  return ops::sum(ops::multiply(left, right), Dims{-1});
}

// The axes of one operand that tensordot sums over: distinct and in range.
Dims contracted(const Dims& axes, const Tensor& a) {
  Dims out;
  for (const int64_t axis : axes) {
    const int along = normalize_axis(axis, a.rank(), "tensordot");
    if (out.contains(along)) fail(Code::value, "tensordot", "axis ", along, " is named twice in axes");
    out.push_back(along);
  }
  return out;
}

Tensor tensordot(const Tensor& a, const Tensor& b, const Dims& axes_a, const Dims& axes_b) {
  const LabelScope label("tensordot");
  const Dims summed_a = contracted(axes_a, a), summed_b = contracted(axes_b, b);
  if (summed_a.size() != summed_b.size())
    fail(Code::value, "tensordot", "axes names ", summed_a.size(), " axes of a and ", summed_b.size(), " of b");
  int64_t depth = 1;
  for (int i = 0; i < summed_a.size(); ++i) {
    const int64_t extent = a.shape(static_cast<int>(summed_a[i]));
    if (extent != b.shape(static_cast<int>(summed_b[i])))
      fail(Code::shape, "tensordot", "axis ", summed_a[i], " of a and axis ", summed_b[i], " of b differ: a ",
           a.shape(), ", b ", b.shape());
    depth *= extent;
  }
  // One matrix product: the axes that stay are a's rows and b's columns.
  Dims shape, order_a, order_b = summed_b;
  const auto keep = [&shape](const Tensor& t, const Dims& summed, Dims& order) {
    int64_t extent = 1;
    for (int axis = 0; axis < t.rank(); ++axis) {
      if (summed.contains(axis)) continue;
      order.push_back(axis);
      shape.push_back(t.shape(axis));
      extent *= t.shape(axis);
    }
    return extent;
  };
  const int64_t rows = keep(a, summed_a, order_a);
  for (const int64_t axis : summed_a) order_a.push_back(axis);
  const int64_t columns = keep(b, summed_b, order_b);
  const Tensor left = ops::reshape(ops::transpose(a, order_a), Dims{rows, depth});
  const Tensor right = ops::reshape(ops::transpose(b, order_b), Dims{depth, columns});
  return ops::reshape(ops::matmul(left, right), shape);
}

// `axes` as users write it: a number of axes, or the axes of a and those of b.
std::pair<Dims, Dims> tensordot_axes(py::handle axes, const Tensor& a, const Tensor& b) {
  if (PyIndex_Check(axes.ptr()) && !PySequence_Check(axes.ptr())) {
    const int64_t n = int_argument(axes, "tensordot", "axes");
    if (n < 0 || n > std::min(a.rank(), b.rank()))
      fail(Code::value, "tensordot", "axes must be in [0, ", std::min(a.rank(), b.rank()), "] for a ", a.shape(),
           " and b ", b.shape(), ", got ", n);
    Dims last, first;
    for (int64_t i = 0; i < n; ++i) {
      last.push_back(a.rank() - n + i);
      first.push_back(i);
    }
    return {last, first};
  }
  const bool pair = (PyList_Check(axes.ptr()) || PyTuple_Check(axes.ptr())) && py::len(axes) == 2;
  if (!pair) refuse("tensordot", "axes", "an int or a pair of sequences of ints", axes);
  const auto sequence = py::reinterpret_borrow<py::sequence>(axes);
  return {dims_argument(sequence[0], "tensordot", "axes[0]", false),
          dims_argument(sequence[1], "tensordot", "axes[1]", false)};
}

Tensor at_least(const Tensor& a, int rank) {
  if (a.rank() >= rank) return a;
  if (a.rank() == 0) return ops::reshape(a, Dims(static_cast<size_t>(rank), 1));
  if (rank == 2) return ops::expand_dims(a, Dims{0});
  return a.rank() == 1 ? ops::expand_dims(a, Dims{0, 2}) : ops::expand_dims(a, Dims{2});
}

DType dtype_of(py::handle object) {
  if (is_tensor(object.ptr())) return tensor_of(object.ptr()).dtype();
  if (py::isinstance<PyDtype>(object)) return object.cast<const PyDtype&>().dtype;
  refuse("result_type", "every argument", "a tensor or a Dtype", object);
}

}  // namespace

void bind_compositions(py::module_& m) {
  for (const bool all : {false, true}) {
    const char* op = all ? "allclose" : "isclose";
    m.def(
        op,
        [op, all](py::object a, py::object b, double rtol, double atol, bool equal_nan, py::object stream,
                  py::object device) {
          const Placement place(stream, device, op);
          auto [left, right] = operands(a, b, op);
          const Tensor close = is_close(place(std::move(left)), place(std::move(right)), rtol, atol, equal_nan);
          return all ? ops::all(close) : close;
        },
        py::arg("a"), py::arg("b"), py::arg("rtol") = 1e-5, py::arg("atol") = 1e-8, py::kw_only(),
        py::arg("equal_nan") = false, py::arg("stream") = py::none(), py::arg("device") = py::none(),
        all ? "True (a bool tensor) if all elements are close; see isclose."
            : "True where abs(a - b) <= atol + rtol * abs(b), or both are the same infinity.");
  }
  m.def(
      "array_equal",
      [](py::object a, py::object b, bool equal_nan, py::object stream, py::object device) {
        const Placement place(stream, device, "array_equal");
        auto [left, right] = operands(a, b, "array_equal");
        return array_equal(place(std::move(left)), place(std::move(right)), equal_nan);
      },
      py::arg("a"), py::arg("b"), py::arg("equal_nan") = false, IST_PLACE_POSITIONAL,
      "True (a bool tensor) if shapes and all elements are equal.");
  m.def(
      "outer",
      [](py::object a, py::object b, py::object stream, py::object device) {
        const Placement place(stream, device, "outer");
        return outer(place(tensor_argument(a, "outer", "a")), place(tensor_argument(b, "outer", "b")));
      },
      py::arg("a"), py::arg("b"), IST_PLACE, "The products of all pairs of elements of the flat a and b.");
  m.def(
      "inner",
      [](py::object a, py::object b, py::object stream, py::object device) {
        const Placement place(stream, device, "inner");
        return inner(place(tensor_argument(a, "inner", "a")), place(tensor_argument(b, "inner", "b")));
      },
      py::arg("a"), py::arg("b"), IST_PLACE, "The products summed over the last axes of a and b.");
  m.def(
      "vecdot",
      [](py::object a, py::object b, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "vecdot");
        return vecdot(place(tensor_argument(a, "vecdot", "a")), place(tensor_argument(b, "vecdot", "b")),
                      int_argument(axis, "vecdot", "axis"));
      },
      py::arg("a"), py::arg("b"), py::kw_only(), py::arg("axis") = -1, py::arg("stream") = py::none(),
      py::arg("device") = py::none(), "The products conjugate(a) * b summed along `axis`; the other axes broadcast.");
  m.def(
      "count_nonzero",
      [](py::object a, py::object axis, py::object keepdims, py::object stream, py::object device) {
        const Placement place(stream, device, "count_nonzero");
        const Tensor input = place(tensor_argument(a, "count_nonzero"));
        const LabelScope label("count_nonzero");
        const Tensor ones = ops::astype(ops::astype(input, DType::bool_), DType::int32);
        return ops::sum(ones, optional_dims(axis, "count_nonzero", "axis"),
                        flag(keepdims, "count_nonzero", "keepdims"));
      },
      py::arg("a"), py::kw_only(), py::arg("axis") = py::none(), py::arg("keepdims") = false,
      py::arg("stream") = py::none(), py::arg("device") = py::none(),
      "How many elements are not zero (int32), over all axes or `axis`.");
  m.def(
      "tensordot",
      [](py::object a, py::object b, py::object axes, py::object stream, py::object device) {
        const Placement place(stream, device, "tensordot");
        const Tensor left = place(tensor_argument(a, "tensordot", "a"));
        const Tensor right = place(tensor_argument(b, "tensordot", "b"));
        const auto [axes_a, axes_b] = tensordot_axes(axes, left, right);
        return tensordot(left, right, axes_a, axes_b);
      },
      py::arg("a"), py::arg("b"), py::arg("axes") = 2, IST_PLACE,
      "The products of a and b summed over axes: over the last `axes` of a and the first of b, or over the pairs that "
      "two sequences name.");
  for (const int rank : {1, 2, 3}) {
    static const char* const kNames[] = {"", "atleast_1d", "atleast_2d", "atleast_3d"};
    const char* op = kNames[rank];
    m.def(
        op,
        [op, rank](const py::args& arys, py::object stream, py::object device) -> py::object {
          const Placement place(stream, device, op);
          Tensors out;
          for (const py::handle item : arys) out.push_back(at_least(place(operand(item, nullptr, op, "arys")), rank));
          if (out.size() == 1) return to_object(std::move(out[0]));
          return to_list(std::move(out));
        },
        IST_PLACE, "The arguments with axes of extent 1 added up to this rank; a list if there are several.");
  }
  m.def(
      "unstack",
      [](py::object a, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "unstack");
        const Tensor input = place(tensor_argument(a, "unstack", "x"));
        const int along = normalize_axis(int_argument(axis, "unstack", "axis"), input.rank(), "unstack");
        const Tensor rows = along == 0 ? input : ops::moveaxis(input, along, 0);
        Tensors parts;
        for (int64_t i = 0; i < rows.shape(0); ++i) {
          const ops::Index at = i;
          parts.push_back(ops::get_item(rows, {&at, 1}));
        }
        return to_tuple(std::move(parts));
      },
      py::arg("x"), py::kw_only(), py::arg("axis") = 0, py::arg("stream") = py::none(), py::arg("device") = py::none(),
      "The slices along `axis`, a tuple.");
  m.def(
      "result_type",
      [](const py::args& arrays_and_dtypes) {
        if (arrays_and_dtypes.empty()) fail(Code::value, "result_type", "at least one argument is needed");
        DType type = dtype_of(arrays_and_dtypes[0]);
        for (const py::handle item : arrays_and_dtypes) type = promote(type, dtype_of(item));
        return dtype_object(type);
      },
      "The dtype to which the given tensors and dtypes promote.");
}

}  // namespace ist::python
