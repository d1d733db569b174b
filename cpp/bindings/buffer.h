// The buffer protocol, both ways, and memory that belongs to Python objects.
#pragma once

#include "bindings/convert.h"
#include "runtime/memory.h"

namespace ist::python {

// A copy of what `source` (NumPy array, bytes, memoryview, ...) holds. Without a dtype float64 becomes float32 and
// complex128 complex64, as upstream has it.
Tensor from_buffer(py::handle source, std::optional<DType> dtype, const char* op);

// Gives up a reference from any thread. Without the GIL the object waits for the next moment that has it: the core
// may release buffers while it holds locks of its own, under which taking the GIL could deadlock.
void release_later(PyObject* object);

// Evaluates without holding the GIL.
void eval_released(std::span<const Tensor> tensors);
inline void eval_released(const Tensor& tensor) {
  if (!tensor.is_ready()) eval_released(std::span<const Tensor>(&tensor, 1));
}
// Evaluates; the bytes of the first element.
const char* evaluated_data(const Tensor& tensor);

// One element as a Python number.
py::object element(const char* at, DType dtype);

}  // namespace ist::python
