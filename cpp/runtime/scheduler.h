// Evaluation: from lazy nodes to buffers.
#pragma once

#include <span>

#include "graph/tensor.h"

namespace ist {

// Computes the tensors and everything they need that is not computed yet. Safe from several threads. On an error the
// nodes stay lazy and the error names the op that failed.
void eval(std::span<const Tensor> tensors);
inline void eval(const Tensor& tensor) { eval(std::span<const Tensor>(&tensor, 1)); }

// Evaluates and returns a pointer to the first element; `strides` are those of node()->layout.
const void* data(const Tensor& tensor);
// The same for a row-major copy, or the tensor itself if it is row-major.
Tensor evaluated_row_major(const Tensor& tensor);

}  // namespace ist
