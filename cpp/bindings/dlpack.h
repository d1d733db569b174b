// DLPack: the structs of its published ABI, version 1, and the conversions both ways.
#pragma once

#include <cstdint>

#include "bindings/convert.h"

namespace ist::python {

namespace dl {
enum DeviceType : int32_t { kCPU = 1 };
enum TypeCode : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kComplex = 5, kBool = 6 };
inline constexpr uint64_t kReadOnly = 1, kIsCopied = 2;

struct Device {
  int32_t type;
  int32_t id;
};
struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct Array {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; NULL for row-major
  uint64_t byte_offset;
};
struct Managed {  // capsule "dltensor"
  Array array;
  void* context;
  void (*deleter)(Managed* self);
};
struct Version {
  uint32_t major, minor;
};
struct ManagedVersioned {  // capsule "dltensor_versioned"
  Version version;
  void* context;
  void (*deleter)(ManagedVersioned* self);
  uint64_t flags;
  Array array;
};
}  // namespace dl

// Takes over what object.__dlpack__() gives. Without `copy` the memory is shared where dtype and alignment allow; a
// float64 source becomes float32 without a dtype.
Tensor from_dlpack(py::handle object, std::optional<DType> dtype, bool copy, const char* op);

}  // namespace ist::python
