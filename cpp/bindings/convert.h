// Python values on their way into the core.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <vector>

#include "bindings/errors.h"
#include "bindings/py_tensor.h"
#include "bindings/types.h"
#include "ops/ops.h"
#include "runtime/registry.h"

namespace ist::python {

// ---- whole tensors ----
// What `isthmus.array(value, dtype)` makes: from numbers, nested lists and tuples, tensors, buffers (NumPy, bytes,
// memoryview) and DLPack objects; always a copy, except of tensors. Without a dtype: bool, int32 (int64 where the
// values need it), float32 or complex64 for Python's own numbers, the source's dtype for arrays, float64 becoming
// float32.
Tensor array_from(py::handle value, std::optional<DType> dtype, const char* op);
// A Python bool, int, float or complex.
bool is_number(PyObject* object);
// Is it something that array_from reads through the buffer protocol, __array__ or DLPack?
bool is_array_like(PyObject* object);
// The dtype that a Python number gets when nothing else decides.
DType number_dtype(PyObject* number, const char* op);
Tensor number_tensor(PyObject* number, DType dtype, const char* op);

// ---- operands: `scalar | array` ----
// A tensor, a number or an array. `like` makes numbers weak: they and foreign arrays take its dtype, as upstream has
// it, where the kind of number fits.
Tensor operand(py::handle object, const Tensor* like, const char* op, const char* argument);
std::pair<Tensor, Tensor> operands(py::handle a, py::handle b, const char* op);
// A tensor; foreign arrays are converted, numbers are refused.
Tensor tensor_argument(py::handle object, const char* op, const char* argument = "a");
std::vector<Tensor> tensor_list(py::handle object, const char* op, const char* argument = "arrays");

// ---- plain values ----
int64_t int_argument(py::handle object, const char* op, const char* argument);
std::optional<int64_t> optional_int(py::handle object, const char* op, const char* argument);
// A number, or a tensor or array of one.
double number_argument(py::handle object, const char* op, const char* argument);
// A truth value; None is refused.
bool flag(py::handle object, const char* op, const char* argument);
// A sequence of ints; `allow_int` also takes one int for a sequence of one.
Dims dims_argument(py::handle object, const char* op, const char* argument, bool allow_int);
std::optional<Dims> optional_dims(py::handle object, const char* op, const char* argument);
// *shape: one sequence, or the ints themselves.
Dims variadic_dims(const py::args& args, const char* op, const char* argument);
py::tuple to_tuple(const Dims& dims);
py::list to_list(std::vector<Tensor> tensors);
py::tuple to_tuple(std::vector<Tensor> tensors);

// ---- stream= and device= ----
// While it lives, new tensors are made on the device that the caller named; operator() moves inputs there.
class Placement {
 public:
  Placement(py::handle stream, py::handle device, const char* op) {
    if (stream.is_none() && device.is_none()) return;
    place(stream.is_none() ? device : stream, op);
  }
  Tensor operator()(Tensor a) const { return id_ && a.device() != *id_ ? ops::to_device(a, *id_) : a; }
  std::optional<DeviceId> id() const { return id_; }

 private:
  void place(py::handle device, const char* op) {
    id_ = optional_device(device, op);
    scope_.emplace(*id_);
  }
  std::optional<DeviceId> id_;
  std::optional<DeviceScope> scope_;
};

}  // namespace ist::python

// The last arguments of every op.
#define IST_PLACE py::kw_only(), py::arg("stream") = py::none(), py::arg("device") = py::none()
// The same where upstream takes `stream` by position too.
#define IST_PLACE_POSITIONAL py::arg("stream") = py::none(), py::kw_only(), py::arg("device") = py::none()
