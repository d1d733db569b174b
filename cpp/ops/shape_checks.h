// Checks and small constants that the shape, copy, index and create ops share.
#pragma once

#include "ops/op_table.h"

namespace ist {

// Raises unless the slice has one start, step and size for every axis and stays inside `shape`.
void check_slice(const Dims& shape, const SliceAttrs& slice, const char* op);

// The slice that is all of `shape`.
SliceAttrs whole_slice(const Dims& shape);

// A 0-d complex64 tensor i on `device`.
Tensor imaginary_unit(DeviceId device);

}  // namespace ist
