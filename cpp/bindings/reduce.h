// Reductions, bound twice: as functions and as methods.
#pragma once

#include "bindings/convert.h"

namespace ist::python {

struct Reduction {
  const char* name;
  Tensor (*function)(const Tensor& a, const ops::OptionalAxes& axes, bool keepdims);
};
const std::vector<Reduction>& reductions();
const char* reduction_doc(const char* name);
// std with `root`, var without. `correction`, when given, replaces `ddof`.
Tensor variance(bool root, const Tensor& a, py::handle axis, py::handle keepdims, py::handle ddof,
                py::handle correction);
// Cuts by a number of sections, or before given indices.
Tensors split_argument(const Tensor& a, py::handle indices_or_sections, py::handle axis);

}  // namespace ist::python
