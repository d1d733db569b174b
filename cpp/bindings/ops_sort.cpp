// Sorting.
#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

using Axis = std::optional<int64_t>;

void bind_order(py::module_& m, const char* op, Tensor (*function)(const Tensor&, Axis), const char* doc) {
  m.def(
      op,
      [op, function](py::object a, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        return function(place(tensor_argument(a, op)), optional_int(axis, op, "axis"));
      },
      py::arg("a"), py::pos_only(), py::arg("axis") = -1, IST_PLACE, doc);
}

void bind_selection(py::module_& m, const char* op, const char* count, Tensor (*function)(const Tensor&, int64_t, Axis),
                    const char* doc) {
  m.def(
      op,
      [op, count, function](py::object a, py::object k, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, op);
        return function(place(tensor_argument(a, op)), int_argument(k, op, count), optional_int(axis, op, "axis"));
      },
      py::arg("a"), py::pos_only(), py::arg(count), py::arg("axis") = -1, IST_PLACE, doc);
}

}  // namespace

void bind_sort(py::module_& m) {
  bind_order(
      m, "sort", &ops::sort,
      "The elements of `a` in ascending order along `axis`, or of the flat tensor if axis is None. NaN comes last, "
      "-0.0\nbefore 0.0; complex numbers go by real part, then imaginary part. An axis out of bounds raises "
      "IndexError.");
  bind_order(
      m, "argsort", &ops::argsort,
      "The uint32 indices that sort `a` along `axis`, or the flat tensor if axis is None. Equal elements keep their "
      "order.");
  bind_selection(m, "partition", "kth", &ops::partition,
                 "The elements of `a` along `axis` (None: the flat tensor) in an order in which element `kth` is where "
                 "sorting\nputs it: first those that are smaller, then those equal to it, then those that are larger; "
                 "each of the\nthree groups keeps its order. ValueError when kth is out of bounds.");
  bind_selection(m, "argpartition", "kth", &ops::argpartition,
                 "The uint32 indices that `partition` `a`. ValueError when kth is out of bounds.");
  bind_selection(m, "topk", "k", &ops::topk,
                 "The `k` largest elements of `a` along `axis` (None: the flat tensor), in ascending order. ValueError "
                 "when there\nare fewer.");
}

}  // namespace ist::python
