// Functions that are slices and views of a tensor, put together: diagonals, rolling and flipping.
#include <algorithm>
#include <cstdlib>

#include "bindings/convert.h"
#include "bindings/module.h"

namespace ist::python {
namespace {

Tensor diagonal(Tensor a, int64_t offset, int64_t axis1, int64_t axis2, const char* op) {
  const LabelScope label(op);
  if (a.rank() < 2) fail(Code::value, op, "at least 2 dimensions are needed, got shape ", a.shape());
  const int first = normalize_axis(axis1, a.rank(), op), second = normalize_axis(axis2, a.rank(), op);
  if (first == second) fail(Code::value, op, "axis1 and axis2 are the same axis, ", first);
  Dims order;
  for (int axis = 0; axis < a.rank(); ++axis)
    if (axis != first && axis != second) order.push_back(axis);
  order.push_back(first);
  order.push_back(second);
  a = ops::transpose(a, order);
  const int64_t rows = a.shape(-2), columns = a.shape(-1);
  // Clamped, so that arithmetic with any offset is safe: beyond the corners every diagonal is empty.
  const int64_t k = std::clamp(offset, -rows, columns);
  const int64_t length = std::min(rows + std::min<int64_t>(k, 0), columns - std::max<int64_t>(k, 0));
  // In the flat matrix a diagonal is every (columns + 1)th element.
  Dims flat = a.shape();
  flat.pop_back();
  flat.back() = rows * columns;
  Dims starts(static_cast<size_t>(flat.size()), 0), steps(static_cast<size_t>(flat.size()), 1), sizes = flat;
  starts.back() = length > 0 ? (k >= 0 ? k : -k * columns) : 0;
  steps.back() = columns + 1;
  sizes.back() = length;
  return ops::slice(ops::reshape(a, flat), starts, steps, sizes);
}

Tensor diag(const Tensor& a, int64_t k) {
  const LabelScope label("diag");
  if (a.rank() == 2) return diagonal(a, k, 0, 1, "diag");
  if (a.rank() != 1) fail(Code::value, "diag", "1 or 2 dimensions are needed, got shape ", a.shape());
  constexpr int64_t kMost = int64_t{1} << 31;  // the square of more does not fit an int64
  if (k <= -kMost || k >= kMost || a.size() + std::abs(k) >= kMost)
    fail(Code::value, "diag", "a matrix with ", a.size(), " elements on diagonal ", k, " is too large");
  const int64_t n = a.size() + std::abs(k);
  const DeviceScope scope(a.device());
  const Tensor zeros = ops::zeros(Dims{n * n}, a.dtype());
  if (a.size() == 0) return ops::reshape(zeros, Dims{n, n});
  const Tensor filled = ops::slice_update(zeros, a, Dims{k >= 0 ? k : -k * n}, Dims{n + 1}, Dims{a.size()});
  return ops::reshape(filled, Dims{n, n});
}

Tensor roll_along(const Tensor& a, int64_t shift, int axis) {
  const int64_t n = a.shape(axis);
  if (n == 0) return a;
  const int64_t cut = (n - (shift % n + n) % n) % n;  // the index that becomes the first
  if (cut == 0) return a;
  const Tensors parts = ops::split(a, Dims{cut}, axis);
  const Tensor turned[] = {parts[1], parts[0]};
  return ops::concatenate(turned, axis);
}

Tensor roll(Tensor a, const Dims& shifts, const std::optional<Dims>& axes, bool one_shift) {
  const LabelScope label("roll");
  if (!axes) {
    const Dims& shape = a.shape();
    Tensor flat = ops::flatten(a);
    for (const int64_t shift : shifts) flat = roll_along(flat, shift, 0);
    return ops::reshape(flat, shape);
  }
  if (!one_shift && shifts.size() < axes->size())
    fail(Code::value, "roll", "one shift for each axis is needed: got ", shifts.size(), " for ", axes->size(), " axes");
  for (int i = 0; i < axes->size(); ++i)
    a = roll_along(a, shifts[one_shift ? 0 : i], normalize_axis((*axes)[i], a.rank(), "roll"));
  return a;
}

Tensor flip(const Tensor& a, const std::optional<Dims>& axes) {
  const LabelScope label("flip");
  Dims starts(static_cast<size_t>(a.rank()), 0), steps(static_cast<size_t>(a.rank()), 1);
  const auto reverse = [&](int axis) {
    if (a.shape(axis) == 0) return;
    starts[axis] = a.shape(axis) - 1;
    steps[axis] = -1;
  };
  if (axes) {
    for (const int64_t axis : *axes) reverse(normalize_axis(axis, a.rank(), "flip"));
  } else {
    for (int axis = 0; axis < a.rank(); ++axis) reverse(axis);
  }
  return a.rank() == 0 ? a : ops::slice(a, starts, steps, a.shape());
}

}  // namespace

void bind_arrangements(py::module_& m) {
  m.def(
      "diagonal",
      [](py::object a, py::object offset, py::object axis1, py::object axis2, py::object stream, py::object device) {
        const Placement place(stream, device, "diagonal");
        return diagonal(place(tensor_argument(a, "diagonal")), int_argument(offset, "diagonal", "offset"),
                        int_argument(axis1, "diagonal", "axis1"), int_argument(axis2, "diagonal", "axis2"), "diagonal");
      },
      py::arg("a"), py::arg("offset") = 0, py::arg("axis1") = 0, py::arg("axis2") = 1, IST_PLACE_POSITIONAL,
      "The diagonals of the matrices that axis1 and axis2 span, along a new last axis.");
  m.def(
      "diag",
      [](py::object a, py::object k, py::object stream, py::object device) {
        const Placement place(stream, device, "diag");
        return diag(place(tensor_argument(a, "diag")), int_argument(k, "diag", "k"));
      },
      py::arg("a"), py::arg("k") = 0, IST_PLACE, "Diagonal k of a matrix; of a vector, the matrix with that diagonal.");
  m.def(
      "roll",
      [](py::object a, py::object shift, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "roll");
        return roll(place(tensor_argument(a, "roll")), dims_argument(shift, "roll", "shift", true),
                    optional_dims(axis, "roll", "axis"), PyIndex_Check(shift.ptr()) && !PySequence_Check(shift.ptr()));
      },
      py::arg("a"), py::arg("shift"), py::arg("axis") = py::none(), IST_PLACE,
      "The elements moved along `axis` by `shift` places, those beyond the end to the beginning; of the flat tensor "
      "without `axis`. Several axes take one shift, or one each.");
  m.def(
      "flip",
      [](py::object a, py::object axis, py::object stream, py::object device) {
        const Placement place(stream, device, "flip");
        return flip(place(tensor_argument(a, "flip")), optional_dims(axis, "flip", "axis"));
      },
      py::arg("a"), py::arg("axis") = py::none(), IST_PLACE,
      "The elements in reverse order along `axis`: an int, a sequence of ints, or None for all axes.");
}

}  // namespace ist::python
