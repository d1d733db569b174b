#include "bindings/dlpack.h"

#include <cstring>

#include "bindings/buffer.h"
#include "bindings/module.h"
#include "runtime/memory.h"
#include "runtime/scheduler.h"

namespace ist::python {
namespace {

constexpr dl::Version kVersion{1, 0};

// What an exported capsule keeps alive.
struct Exported {
  Tensor tensor;
  Dims shape, strides;
};

dl::DataType to_dl(DType dtype) {
  const auto bits = static_cast<uint8_t>(8 * itemsize(dtype));
  if (is_bool(dtype)) return {dl::kBool, bits, 1};
  if (is_unsigned(dtype)) return {dl::kUInt, bits, 1};
  if (is_signed(dtype)) return {dl::kInt, bits, 1};
  if (dtype == DType::bfloat16) return {dl::kBfloat, bits, 1};
  return {static_cast<uint8_t>(is_float(dtype) ? dl::kFloat : dl::kComplex), bits, 1};
}

// complex128 comes back as float64 pairs are narrowed by the caller: it has no dtype here.
std::optional<DType> from_dl(dl::DataType type) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const dl::DataType ours = to_dl(static_cast<DType>(i));
    if (type.lanes == 1 && ours.code == type.code && ours.bits == type.bits) return static_cast<DType>(i);
  }
  return std::nullopt;
}

template <class M>
void delete_exported(M* managed) {
  // The consumer may call this on any thread; what it frees is ours and needs no GIL.
  delete static_cast<Exported*>(managed->context);
  delete managed;
}

template <class M>
M* fill(Tensor tensor) {
  const char* start = evaluated_data(tensor);
  auto held = std::make_unique<Exported>();
  held->shape = tensor.shape();
  held->strides = tensor->layout.strides;
  auto managed = std::make_unique<M>();
  *managed = M{};
  managed->array = {const_cast<char*>(start),
                    {dl::kCPU, 0},
                    tensor.rank(),
                    to_dl(tensor.dtype()),
                    held->shape.data(),
                    held->strides.data(),
                    0};
  managed->deleter = delete_exported<M>;
  held->tensor = std::move(tensor);
  managed->context = held.release();
  return managed.release();
}

template <class M>
py::object capsule(M* managed, const char* label) {
  PyObject* made = PyCapsule_New(managed, label, [](PyObject* self) {
    // A consumer renames the capsule when it takes the contents over.
    const char* current = PyCapsule_GetName(self);
    if (current == nullptr || std::strncmp(current, "used", 4) == 0) return;
    auto* unused = static_cast<M*>(PyCapsule_GetPointer(self, current));
    if (unused != nullptr && unused->deleter != nullptr) unused->deleter(unused);
  });
  if (made == nullptr) {
    managed->deleter(managed);
    throw py::error_already_set();
  }
  return py::reinterpret_steal<py::object>(made);
}

py::object export_dlpack(Tensor tensor, py::handle stream, py::handle max_version, py::handle dl_device,
                         py::handle copy) {
  const char* op = "__dlpack__";
  if (!stream.is_none()) fail(Code::value, op, "stream must be None for memory of the host");
  if (!dl_device.is_none()) {
    const Dims wanted = dims_argument(dl_device, op, "dl_device", false);
    if (wanted.size() != 2 || wanted[0] != dl::kCPU) {
      PyErr_SetString(PyExc_BufferError, "__dlpack__: tensors are exported as memory of the host, device (1, 0)");
      throw py::error_already_set();
    }
  }
  const bool copied = !copy.is_none() && flag(copy, op, "copy");
  if (copied) tensor = ops::contiguous(tensor);
  const Dims newest = max_version.is_none() ? Dims{0, 0} : dims_argument(max_version, op, "max_version", false);
  if (newest.size() != 2) fail(Code::value, op, "max_version must be (major, minor)");
  const bool versioned = newest[0] >= kVersion.major;
  if (!versioned) return capsule(fill<dl::Managed>(std::move(tensor)), "dltensor");
  auto* managed = fill<dl::ManagedVersioned>(std::move(tensor));
  managed->version = kVersion;
  managed->flags = copied ? dl::kIsCopied : dl::kReadOnly;
  return capsule(managed, "dltensor_versioned");
}

// The lowest and the one-past-highest element that shape and strides address, relative to the first.
std::pair<int64_t, int64_t> extent(const Dims& shape, const Dims& strides) {
  int64_t low = 0, high = 0;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return {0, 0};
    (strides[i] < 0 ? low : high) += strides[i] * (shape[i] - 1);
  }
  return {low, high + 1};
}

// Owns `owner` (a capsule that stays unconsumed until the tensor over its memory is gone).
Tensor view_of(const dl::Array& array, py::object owner, const char* op) {
  if (array.device.type != dl::kCPU)
    fail(Code::device, op, "only memory of the host can be taken over; this array is on DLPack device type ",
         array.device.type);
  auto dtype = from_dl(array.dtype);
  if (!dtype)
    fail(Code::dtype, op, "DLPack type (code ", int{array.dtype.code}, ", ", int{array.dtype.bits}, " bits, ",
         array.dtype.lanes, " lanes) has no dtype here");
  // Others keep any byte in a bool, ours hold 0 or 1: bools are read as uint8 and compared, which copies them.
  const bool boolean = is_bool(*dtype);
  if (boolean) dtype = DType::uint8;
  const auto finished = [boolean](const Tensor& made) {
    return boolean ? ops::not_equal(made, ops::scalar_like(0, made)) : made;
  };
  const Dims shape(std::span<const int64_t>(array.shape, static_cast<size_t>(array.ndim)));
  const Dims strides = array.strides != nullptr
                           ? Dims(std::span<const int64_t>(array.strides, static_cast<size_t>(array.ndim)))
                           : row_major_strides(shape);
  const int64_t width = itemsize(*dtype);
  const auto [low, high] = extent(shape, strides);
  char* first = static_cast<char*>(array.data) + array.byte_offset;
  if (high == low) {  // no elements: the pointer may be NULL
    void* data = nullptr;
    return finished(make_empty(*dtype, shape, &data, op));
  }
  BufferRef buffer = memory::wrap(
      first + low * width, static_cast<uint64_t>((high - low) * width),
      [](void* held) { release_later(static_cast<PyObject*>(held)); }, owner.release().ptr());
  Tensor made = make_data(*dtype, shape, strides, -low, std::move(buffer), current_device());
  if (reinterpret_cast<uintptr_t>(first) % static_cast<uintptr_t>(width) != 0) {
    // Kernels read aligned elements only.
    void* data = nullptr;
    Tensor aligned = make_empty(*dtype, shape, &data, op);
    char* out = static_cast<char*>(data);
    Dims index(static_cast<size_t>(shape.size()), 0);
    for (int64_t i = 0; i < made.size(); ++i, out += width) {
      int64_t at = 0;
      for (int axis = 0; axis < shape.size(); ++axis) at += index[axis] * strides[axis];
      std::memcpy(out, first + at * width, static_cast<size_t>(width));
      for (int axis = shape.size() - 1; axis >= 0 && ++index[axis] == shape[axis]; --axis) index[axis] = 0;
    }
    return finished(aligned);
  }
  return finished(made);
}

}  // namespace

Tensor from_dlpack(py::handle object, std::optional<DType> dtype, bool copy, const char* op) {
  if (is_tensor(object.ptr())) return dtype ? ops::astype(tensor_of(object.ptr()), *dtype) : tensor_of(object.ptr());
  if (!py::hasattr(object, "__dlpack__")) refuse(op, "the value", "an object with __dlpack__", object);
  py::object held;
  try {
    held = object.attr("__dlpack__")(py::arg("max_version") = py::make_tuple(kVersion.major, kVersion.minor));
  } catch (py::error_already_set& e) {
    if (!e.matches(PyExc_TypeError)) throw;
    held = object.attr("__dlpack__")();  // from before the array API's 2023 version
  }
  // The capsule itself is kept: its own destructor calls the producer's deleter when the last tensor is gone.
  const dl::Array* array = nullptr;
  if (PyCapsule_IsValid(held.ptr(), "dltensor_versioned")) {
    auto* managed = static_cast<dl::ManagedVersioned*>(PyCapsule_GetPointer(held.ptr(), "dltensor_versioned"));
    if (managed->version.major > kVersion.major)
      fail(Code::value, op, "DLPack version ", managed->version.major, " is newer than ", kVersion.major);
    array = &managed->array;
  } else if (PyCapsule_IsValid(held.ptr(), "dltensor")) {
    array = &static_cast<dl::Managed*>(PyCapsule_GetPointer(held.ptr(), "dltensor"))->array;
  } else {
    refuse(op, "the result of __dlpack__", "a fresh DLPack capsule", held);
  }
  if (array->dtype.code == dl::kComplex && array->dtype.bits == 128) return from_buffer(object, dtype, op);
  Tensor made = view_of(*array, held, op);
  if (!dtype && made.dtype() == DType::float64) dtype = DType::float32;
  if (dtype && *dtype != made.dtype()) return ops::astype(made, *dtype);
  if (copy) {
    made = ops::contiguous(made);
    eval_released(made);
  }
  return made;
}

void bind_dlpack(py::module_& m) {
  const auto add = [&](const char* method, auto&& function, auto&&... extra) {
    py::handle type(reinterpret_cast<PyObject*>(tensor_type));
    py::setattr(type, method, py::cpp_function(function, py::name(method), py::is_method(type), extra...));
  };
  add("__dlpack__", export_dlpack, py::kw_only(), py::arg("stream") = py::none(), py::arg("max_version") = py::none(),
      py::arg("dl_device") = py::none(), py::arg("copy") = py::none(),
      "A DLPack capsule over the tensor's memory, marked read-only where the consumer knows versions.");
  add(
      "__dlpack_device__", [](const Tensor&) { return py::make_tuple(static_cast<int>(dl::kCPU), 0); },
      "The DLPack device: (1, 0), memory of the host.");
  m.def(
      "from_dlpack",
      [](py::object x, py::object dtype, py::object copy) {
        return from_dlpack(x, optional_dtype(dtype, "from_dlpack"),
                           !copy.is_none() && flag(copy, "from_dlpack", "copy"), "from_dlpack");
      },
      py::arg("x"), py::arg("dtype") = py::none(), py::kw_only(), py::arg("copy") = py::none(),
      "A tensor over the memory of another library's array, shared where dtype and alignment allow. float64 becomes "
      "float32 unless dtype=isthmus.float64 is given. Do not write to the source while the tensor is in use.");
}

}  // namespace ist::python
