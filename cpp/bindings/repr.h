// Tensors as text.
#pragma once

#include <string>

#include "graph/tensor.h"

namespace ist::python {

// "array([1, 2, 3], dtype=int32)", as upstream prints it. Evaluates. Axes of more than six elements show three at
// each end.
std::string to_text(const Tensor& tensor);

}  // namespace ist::python
