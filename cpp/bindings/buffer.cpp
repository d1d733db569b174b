#include "bindings/buffer.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "kernels/types.h"
#include "runtime/scheduler.h"

namespace ist::python {
namespace {

struct Waiting {
  std::mutex mutex;
  std::vector<PyObject*> objects;
};
// Never destroyed: buffers may be released after the static destructors have run.
Waiting& waiting() {
  static Waiting* all = new Waiting;
  return *all;
}

int release_waiting(void*) {
  std::vector<PyObject*> objects;
  {
    std::lock_guard lock(waiting().mutex);
    objects.swap(waiting().objects);
  }
  for (PyObject* object : objects) Py_DECREF(object);
  return 0;
}

bool finalizing() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

// What an exported view needs for as long as it lives: the tensor that it was taken of, whatever in-place syntax makes
// of the Python object since.
struct View {
  Tensor tensor;
  std::vector<Py_ssize_t> shape, strides;
};

const char* pep3118_format(DType dtype) {
  switch (dtype) {
    case DType::bool_:
      return "?";
    case DType::uint8:
      return "B";
    case DType::uint16:
      return "H";
    case DType::uint32:
      return "I";
    case DType::uint64:
      return sizeof(long) == 8 ? "L" : "Q";
    case DType::int8:
      return "b";
    case DType::int16:
      return "h";
    case DType::int32:
      return "i";
    case DType::int64:
      return sizeof(long) == 8 ? "l" : "q";
    case DType::float16:
      return "e";
    case DType::float32:
      return "f";
    case DType::float64:
      return "d";
    case DType::complex64:
      return "Zf";
    case DType::bfloat16:
      return nullptr;
  }
  return nullptr;
}

// The element type of a foreign buffer. complex128 has no dtype here and is narrowed while it is read.
struct Format {
  DType dtype = DType::uint8;
  bool complex128 = false;
};

Format parse_format(const Py_buffer& view, const char* op) {
  std::string format = view.format != nullptr ? view.format : "B";
  const std::string given = format;
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<' || format[0] == '|'))
    format.erase(0, 1);
  const auto sized = [&](DType a1, DType a2, DType a4, DType a8) -> Format {
    switch (view.itemsize) {
      case 1:
        return {a1};
      case 2:
        return {a2};
      case 4:
        return {a4};
      default:
        return {a8};
    }
  };
  if (format == "Zf") return {DType::complex64};
  if (format == "Zd") return {DType::complex64, true};
  if (format.size() == 1) {
    switch (format[0]) {
      case '?':
        return {DType::bool_};
      case 'c':
      case 'B':
        return {DType::uint8};
      case 'H':
      case 'I':
      case 'L':
      case 'N':
      case 'Q':
        return sized(DType::uint8, DType::uint16, DType::uint32, DType::uint64);
      case 'b':
      case 'h':
      case 'i':
      case 'l':
      case 'n':
      case 'q':
        return sized(DType::int8, DType::int16, DType::int32, DType::int64);
      case 'e':
        return {DType::float16};
      case 'f':
        return {DType::float32};
      case 'd':
        return {DType::float64};
      default:
        break;
    }
  }
  fail(Code::dtype, op, "arrays with elements of format '", given, "' (", view.itemsize,
       " bytes) have no dtype here; convert them to a plain number type first");
}

struct BufferView {
  Py_buffer view{};
  bool filled = false;
  ~BufferView() {
    if (filled) PyBuffer_Release(&view);
  }
};

// A dense copy of elements that lie apart, made by the cpu's kernels. They see words, of the largest size that fits
// strides and address: the elements of a packed record are not aligned.
BufferRef copy_strided(const Py_buffer& view) {
  auto bits = reinterpret_cast<uintptr_t>(view.buf) | static_cast<uintptr_t>(view.itemsize) | 8;
  for (int i = 0; i < view.ndim; ++i) bits |= static_cast<uintptr_t>(view.strides[i]);
  const auto width = static_cast<int64_t>(bits & -bits);
  const DType word = width == 8   ? DType::uint64
                     : width == 4 ? DType::uint32
                     : width == 2 ? DType::uint16
                                  : DType::uint8;
  Dims shape, strides;
  int64_t low = 0, high = view.itemsize;  // in bytes, from the first element
  for (int i = 0; i < view.ndim; ++i) {
    shape.push_back(view.shape[i]);
    strides.push_back(view.strides[i] / width);
    (view.strides[i] < 0 ? low : high) += (view.shape[i] - 1) * view.strides[i];
  }
  if (view.itemsize > width) {
    shape.push_back(view.itemsize / width);
    strides.push_back(1);
  }
  BufferRef foreign =
      memory::wrap(static_cast<char*>(view.buf) + low, static_cast<uint64_t>(high - low), [](void*) {}, nullptr);
  constexpr DeviceId kCpu = 0;
  const Tensor copy =
      ops::contiguous(make_data(word, std::move(shape), std::move(strides), -low / width, std::move(foreign), kCpu));
  eval_released(copy);
  return copy->layout.buffer;
}

void narrow(int64_t n, const void* doubles, void* floats) {
  const auto* from = static_cast<const char*>(doubles);  // not aligned where a record is packed
  auto* to = static_cast<float*>(floats);
  for (int64_t i = 0; i < n; ++i) {
    double value;
    std::memcpy(&value, from + 8 * i, 8);
    to[i] = static_cast<float>(value);
  }
}

}  // namespace

void release_later(PyObject* object) {
  if (!Py_IsInitialized() || finalizing()) return;  // nobody is left who could free it
  if (PyGILState_Check()) {
    Py_DECREF(object);
    return;
  }
  {
    std::lock_guard lock(waiting().mutex);
    waiting().objects.push_back(object);
  }
  Py_AddPendingCall(release_waiting, nullptr);  // a full queue is no harm: the next call finds the object too
}

void eval_released(std::span<const Tensor> tensors) {
  py::gil_scoped_release released;
  eval(tensors);
}

const char* evaluated_data(const Tensor& tensor) {
  eval_released(tensor);
  return static_cast<const char*>(data(tensor));
}

py::object element(const char* at, DType dtype) {
  const auto read = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  switch (dtype) {
    case DType::bool_:
      return py::bool_(read(uint8_t{}) != 0);
    case DType::uint8:
      return py::int_(read(uint8_t{}));
    case DType::uint16:
      return py::int_(read(uint16_t{}));
    case DType::uint32:
      return py::int_(read(uint32_t{}));
    case DType::uint64:
      return py::int_(read(uint64_t{}));
    case DType::int8:
      return py::int_(static_cast<int>(read(int8_t{})));
    case DType::int16:
      return py::int_(read(int16_t{}));
    case DType::int32:
      return py::int_(read(int32_t{}));
    case DType::int64:
      return py::int_(read(int64_t{}));
    case DType::float16:
      return py::float_(to_float(read(float16{})));
    case DType::bfloat16:
      return py::float_(to_float(read(bfloat16{})));
    case DType::float32:
      return py::float_(read(float{}));
    case DType::float64:
      return py::float_(read(double{}));
    case DType::complex64: {
      const complex64 z = read(complex64{});
      return py::reinterpret_steal<py::object>(PyComplex_FromDoubles(z.re, z.im));
    }
  }
  return py::none();
}

Tensor from_buffer(py::handle source, std::optional<DType> dtype, const char* op) {
  BufferView held;
  bool is_bfloat16 = false;
  if (PyObject_GetBuffer(source.ptr(), &held.view, PyBUF_FULL_RO) != 0) {
    // bfloat16 arrays (of ml_dtypes) have no buffer format: read their bits.
    const py::error_already_set refused;  // takes the pending error, under which no Python code may run
    const py::object type = py::getattr(source, "dtype", py::none());
    const std::string got = py::str(type).cast<std::string>();
    if (got != "bfloat16") {
      if (type.is_none())
        fail(Code::value, op, "cannot read ", Py_TYPE(source.ptr())->tp_name, ": ",
             py::str(refused.value()).cast<std::string>());
      fail(Code::dtype, op, "cannot read ", Py_TYPE(source.ptr())->tp_name, " with elements of dtype ", got);
    }
    is_bfloat16 = true;
    const py::object bits = source.attr("view")("uint16");
    if (PyObject_GetBuffer(bits.ptr(), &held.view, PyBUF_FULL_RO) != 0) throw py::error_already_set();
  }
  held.filled = true;
  const Py_buffer& view = held.view;
  if (view.suboffsets != nullptr)
    for (int i = 0; i < view.ndim; ++i)
      if (view.suboffsets[i] >= 0)
        fail(Code::value, op, "buffers with suboffsets are not read; make a contiguous copy");
  if (view.format != nullptr && (view.format[0] == '>' || view.format[0] == '!') && view.itemsize > 1)
    fail(Code::dtype, op, "big-endian arrays are not read; convert with .astype(a.dtype.newbyteorder('='))");
  const Format format = is_bfloat16 ? Format{DType::bfloat16} : parse_format(view, op);
  const bool narrows = format.complex128 || (format.dtype == DType::float64 && dtype != DType::float64);
  const DType stored = format.dtype == DType::float64 && narrows ? DType::float32 : format.dtype;
  Dims shape;
  for (int i = 0; i < view.ndim; ++i) shape.push_back(view.shape[i]);
  const int64_t size = element_count(shape, op);
  const bool dense = size == 0 || PyBuffer_IsContiguous(&view, 'C');
  const BufferRef copied = dense ? BufferRef() : copy_strided(view);
  const void* elements = dense ? view.buf : copied->data;
  void* data = copied ? copied->data : nullptr;
  Tensor made;
  if (copied && !narrows) {
    made = make_data(stored, shape, row_major_strides(shape), 0, copied, current_device());
  } else {
    made = make_empty(stored, shape, &data, op);
    if (narrows) {
      narrow(format.complex128 ? 2 * size : size, elements, data);
    } else if (size > 0) {
      std::memcpy(data, elements, static_cast<size_t>(made.nbytes()));
    }
  }
  if (stored == DType::bool_) {  // others keep any byte in a bool; ours hold 0 or 1
    auto* bytes = static_cast<uint8_t*>(data);
    std::transform(bytes, bytes + made.size(), bytes, [](uint8_t byte) { return byte != 0; });
  }
  return dtype ? ops::astype(made, *dtype) : made;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  return guarded(-1, [&] {
    const Tensor tensor = tensor_of(self);
    const char* format = pep3118_format(tensor.dtype());
    if (format == nullptr) {
      PyErr_SetString(PyExc_BufferError, "bfloat16 has no buffer format; use astype(isthmus.float32) first");
      return -1;
    }
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE) {
      PyErr_SetString(PyExc_BufferError, "tensors are values: their memory cannot be written through a buffer");
      return -1;
    }
    auto held = std::make_unique<View>();
    held->tensor = tensor;
    const bool strided = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
    const char* start = evaluated_data(held->tensor);
    if (!strided || (flags & (PyBUF_C_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS) & ~PyBUF_STRIDES) != 0) {
      py::gil_scoped_release released;
      held->tensor = evaluated_row_major(tensor);
      start = static_cast<const char*>(data(held->tensor));
    }
    const int64_t width = itemsize(tensor.dtype());
    for (int i = 0; i < tensor.rank(); ++i) {
      held->shape.push_back(tensor.shape(i));
      held->strides.push_back(held->tensor->layout.strides[i] * width);
    }
    view->buf = const_cast<char*>(start);
    view->len = tensor.nbytes();
    view->itemsize = width;
    view->readonly = 1;
    view->ndim = tensor.rank();
    view->format = (flags & PyBUF_FORMAT) != 0 ? const_cast<char*>(format) : nullptr;
    view->shape = (flags & PyBUF_ND) != 0 ? held->shape.data() : nullptr;
    view->strides = strided ? held->strides.data() : nullptr;
    view->suboffsets = nullptr;
    view->internal = held.release();
    Py_INCREF(self);
    view->obj = self;
    return 0;
  });
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<View*>(view->internal); }

}  // namespace ist::python
