#include "bindings/repr.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "bindings/buffer.h"
#include "kernels/types.h"

namespace ist::python {
namespace {

constexpr int64_t kEdge = 3;  // elements shown at each end of a long axis

void append_float(std::string& out, double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  out += text;
}

void append_element(std::string& out, const char* at, DType dtype) {
  const auto read = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  switch (dtype) {
    case DType::bool_:
      out += read(uint8_t{}) != 0 ? "True" : "False";
      return;
    case DType::uint8:
      out += std::to_string(read(uint8_t{}));
      return;
    case DType::uint16:
      out += std::to_string(read(uint16_t{}));
      return;
    case DType::uint32:
      out += std::to_string(read(uint32_t{}));
      return;
    case DType::uint64:
      out += std::to_string(read(uint64_t{}));
      return;
    case DType::int8:
      out += std::to_string(static_cast<int>(read(int8_t{})));
      return;
    case DType::int16:
      out += std::to_string(read(int16_t{}));
      return;
    case DType::int32:
      out += std::to_string(read(int32_t{}));
      return;
    case DType::int64:
      out += std::to_string(read(int64_t{}));
      return;
    case DType::float16:
      return append_float(out, to_float(read(float16{})));
    case DType::bfloat16:
      return append_float(out, to_float(read(bfloat16{})));
    case DType::float32:
      return append_float(out, read(float{}));
    case DType::float64:
      return append_float(out, read(double{}));
    case DType::complex64: {
      const complex64 z = read(complex64{});
      append_float(out, z.re);
      if (z.im >= 0 || std::isnan(z.im)) out += '+';  // -0 compares as 0: upstream prints "+-0j" too
      append_float(out, z.im);
      out += 'j';
      return;
    }
  }
}

struct Printer {
  const Tensor& tensor;
  const Dims& strides;
  int64_t width;
  std::string& out;

  void print(const char* at, int axis) {
    if (axis == tensor.rank()) {
      append_element(out, at, tensor.dtype());
      return;
    }
    const int64_t n = tensor.shape(axis);
    const bool summarised = n > 2 * kEdge;
    const bool last = axis + 1 == tensor.rank();
    const std::string separator = last ? ", " : ",\n" + std::string(static_cast<size_t>(axis) + 7, ' ');
    out += '[';
    for (int64_t i = 0; i < n; ++i) {
      if (i > 0) out += separator;
      if (summarised && i == kEdge) {
        out += "...";
        i = n - kEdge - 1;
        continue;
      }
      print(at + i * strides[axis] * width, axis + 1);
    }
    out += ']';
  }
};

}  // namespace

std::string to_text(const Tensor& tensor) {
  std::string out = "array(";
  const char* start = evaluated_data(tensor);
  Printer{tensor, tensor->layout.strides, itemsize(tensor.dtype()), out}.print(start, 0);
  out += ", dtype=";
  out += name(tensor.dtype());
  out += ')';
  return out;
}

}  // namespace ist::python
