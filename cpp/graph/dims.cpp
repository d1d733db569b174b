#include "graph/dims.h"

#include <ostream>

#include "runtime/error.h"

namespace ist {

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '(';
  for (int i = 0; i < dims.size(); ++i) out << (i ? ", " : "") << dims[i];
  return out << (dims.size() == 1 ? ",)" : ")");
}

int64_t element_count(const Dims& shape, const char* op) {
  int64_t count = 1;
  bool overflow = false;
  bool zero = false;
  for (int64_t extent : shape) {
    if (extent < 0) fail(Code::value, op, "negative extent in shape ", shape);
    if (extent == 0)
      zero = true;
    else
      overflow |= __builtin_mul_overflow(count, extent, &count);
  }
  if (zero) return 0;
  // Room for the itemsize: byte counts must fit, too.
  if (overflow || count > INT64_MAX / 16)
    fail(Code::value, op, "shape ", shape, " has more elements than memory can hold");
  return count;
}

Dims row_major_strides(const Dims& shape) {
  Dims strides(shape.size(), 1);
  for (int i = shape.size() - 2; i >= 0; --i) strides[i] = strides[i + 1] * std::max<int64_t>(shape[i + 1], 1);
  return strides;
}

bool is_row_major(const Dims& shape, const Dims& strides) {
  int64_t expected = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

Dims with_last(Dims shape, std::initializer_list<int64_t> last) {
  shape.pop_back();
  for (const int64_t extent : last) shape.push_back(extent);
  return shape;
}

Dims broadcast_shapes(const Dims& a, const Dims& b, const char* op) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  const int lead = longer.size() - shorter.size();
  for (int i = 0; i < shorter.size(); ++i) {
    const int64_t x = longer[lead + i];
    const int64_t y = shorter[i];
    if (x == y || y == 1) continue;
    if (x != 1) fail(Code::shape, op, "shapes ", a, " and ", b, " cannot be broadcast");
    result[lead + i] = y;
  }
  return result;
}

int normalize_axis(int64_t axis, int rank, const char* op) {
  if (axis < -rank || axis >= rank)
    fail(Code::index, op, "axis ", axis, " is out of bounds for a tensor with ", rank,
         rank == 1 ? " dimension" : " dimensions");
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Dims normalize_axes(const Dims& axes, int rank, const char* op) {
  Dims result;
  for (int64_t axis : axes) {
    const int at = normalize_axis(axis, rank, op);
    if (result.contains(at)) fail(Code::value, op, "axis ", axis, " is given twice in ", axes);
    result.push_back(at);
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace ist
