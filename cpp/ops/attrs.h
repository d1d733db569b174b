// Attributes of ops as C++ values that own their memory. Each mirrors one attribute struct of abi/backend.h; the
// conversions live in attrs.cpp.
#pragma once

#include <cstddef>
#include <span>
#include <variant>

#include "abi/backend.h"
#include "graph/dims.h"
#include "graph/dtype.h"

namespace ist {

struct NoAttrs {};
struct AxesAttrs {
  Dims axes;
  bool keepdims = false;
  int ddof = 0;
};
struct AxisAttrs {
  int axis = 0;
  bool keepdims = false;
  bool has_axis = true;  // false: the op works on the flattened input
};
struct DimsAttrs {
  Dims dims;
};
struct SliceAttrs {
  Dims starts, steps, sizes;
};
struct IndexAttrs {
  Dims axes, slice_sizes;
};
enum class PadMode : uint32_t { constant = 0, edge = 1, reflect = 2, symmetric = 3 };
struct PadAttrs {
  Dims low, high;
  PadMode mode = PadMode::constant;
};
struct RangeAttrs {
  double start = 0, step = 1, stop = 0;
  int64_t int_start = 0, int_step = 1;
  int64_t count = 0;
  DType dtype = DType::float32;
};
struct CreateAttrs {
  Dims dims;
  DType dtype = DType::float32;
  int64_t offset = 0;  // the diagonal of eye and tri
};
struct ScaleAttrs {
  double alpha = 1, beta = 1;
};
struct CountAttrs {
  int64_t count = 0;
  int axis = 0;
  bool has_axis = true;
};
struct DTypeAttrs {
  DType dtype = DType::float32;
};
struct ScanAttrs {
  int axis = 0;
  bool reverse = false;
  bool inclusive = true;
};
struct ConvAttrs {
  Dims window;  // strides, low padding, high padding, kernel dilation, input dilation: n_dims values of each in turn
  int64_t groups = 1;
  bool flip = false;

  int n_dims() const { return window.size() / 5; }
  std::span<const int64_t> strides() const { return part(0); }
  std::span<const int64_t> padding_low() const { return part(1); }
  std::span<const int64_t> padding_high() const { return part(2); }
  std::span<const int64_t> kernel_dilation() const { return part(3); }
  std::span<const int64_t> input_dilation() const { return part(4); }

 private:
  std::span<const int64_t> part(int i) const { return {window.data() + i * n_dims(), static_cast<size_t>(n_dims())}; }
};
struct AttentionAttrs {
  double scale = 1;
  bool causal = false;
};
struct QuantizedAttrs {
  int bits = 4;
  int group_size = 64;  // elements that share a scale and a bias
  bool transpose = true;
};
struct NormAttrs {
  double eps = 0;
};
struct DeviceAttrs {  // never crosses the waist: moving between devices is the runtime's work
  int device = 0;
};

using Attrs = std::variant<NoAttrs, AxesAttrs, AxisAttrs, DimsAttrs, SliceAttrs, IndexAttrs, PadAttrs, RangeAttrs,
                           CreateAttrs, ScaleAttrs, CountAttrs, DTypeAttrs, ScanAttrs, ConvAttrs, AttentionAttrs,
                           QuantizedAttrs, NormAttrs, DeviceAttrs>;

// Writes the C struct for `attrs` into `storage` (at least kLoweredAttrsSize bytes, 8-byte aligned) and returns it, or
// nullptr for NoAttrs. The result points into `attrs`, which must outlive it.
inline constexpr size_t kLoweredAttrsSize = 72;
const void* lower(const Attrs& attrs, void* storage);

// The reverse: reads the C struct that an op of variant index `kind` takes. Raises IST_ERROR_VALUE on a NULL or short
// struct.
Attrs lift(size_t kind, const void* attrs, const char* op);

}  // namespace ist
