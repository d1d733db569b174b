#include "ops/attrs.h"

#include <new>

#include "runtime/error.h"

namespace ist {
namespace {

Dims dims_from(const int64_t* data, uint32_t n, const char* op) {
  if (n != 0 && data == nullptr) fail(Code::value, op, "an attribute list of ", n, " values is NULL");
  return Dims(std::span<const int64_t>(data, n));
}

DType dtype_from(uint32_t dtype, const char* op) {
  if (dtype >= kDTypeCount) fail(Code::value, op, "unknown dtype ", dtype);
  return static_cast<DType>(dtype);
}

template <class C>
const C& checked(const void* attrs, const char* op) {
  if (attrs == nullptr) fail(Code::value, op, "this op needs attributes, but NULL was given");
  const auto& typed = *static_cast<const C*>(attrs);
  if (typed.struct_size < sizeof(C))
    fail(Code::value, op, "attribute struct of ", typed.struct_size, " bytes, at least ", sizeof(C), " wanted");
  return typed;
}

template <class C>
C* place(void* storage) {
  static_assert(sizeof(C) <= kLoweredAttrsSize && alignof(C) <= 8);
  C* out = new (storage) C{};
  out->struct_size = sizeof(C);
  return out;
}

struct Lower {
  void* storage;

  const void* operator()(const NoAttrs&) const { return nullptr; }
  const void* operator()(const AxesAttrs& a) const {
    auto* out = place<ist_axes_attrs>(storage);
    out->n_axes = static_cast<uint32_t>(a.axes.size());
    out->axes = a.axes.data();
    out->keepdims = a.keepdims;
    out->ddof = a.ddof;
    return out;
  }
  const void* operator()(const AxisAttrs& a) const {
    auto* out = place<ist_axis_attrs>(storage);
    out->axis = a.axis;
    out->keepdims = a.keepdims;
    out->has_axis = a.has_axis;
    return out;
  }
  const void* operator()(const DimsAttrs& a) const {
    auto* out = place<ist_dims_attrs>(storage);
    out->n_dims = static_cast<uint32_t>(a.dims.size());
    out->dims = a.dims.data();
    return out;
  }
  const void* operator()(const SliceAttrs& a) const {
    auto* out = place<ist_slice_attrs>(storage);
    out->n_dims = static_cast<uint32_t>(a.starts.size());
    out->starts = a.starts.data();
    out->steps = a.steps.data();
    out->sizes = a.sizes.data();
    return out;
  }
  const void* operator()(const IndexAttrs& a) const {
    auto* out = place<ist_index_attrs>(storage);
    out->n_axes = static_cast<uint32_t>(a.axes.size());
    out->axes = a.axes.data();
    out->n_dims = static_cast<uint32_t>(a.slice_sizes.size());
    out->slice_sizes = a.slice_sizes.data();
    return out;
  }
  const void* operator()(const PadAttrs& a) const {
    auto* out = place<ist_pad_attrs>(storage);
    out->n_dims = static_cast<uint32_t>(a.low.size());
    out->low = a.low.data();
    out->high = a.high.data();
    out->mode = static_cast<uint32_t>(a.mode);
    return out;
  }
  const void* operator()(const RangeAttrs& a) const {
    auto* out = place<ist_range_attrs>(storage);
    out->start = a.start;
    out->step = a.step;
    out->stop = a.stop;
    out->int_start = a.int_start;
    out->int_step = a.int_step;
    out->count = a.count;
    out->dtype = static_cast<uint32_t>(a.dtype);
    return out;
  }
  const void* operator()(const CreateAttrs& a) const {
    auto* out = place<ist_create_attrs>(storage);
    out->n_dims = static_cast<uint32_t>(a.dims.size());
    out->dims = a.dims.data();
    out->dtype = static_cast<uint32_t>(a.dtype);
    out->offset = a.offset;
    return out;
  }
  const void* operator()(const ScaleAttrs& a) const {
    auto* out = place<ist_scale_attrs>(storage);
    out->alpha = a.alpha;
    out->beta = a.beta;
    return out;
  }
  const void* operator()(const CountAttrs& a) const {
    auto* out = place<ist_count_attrs>(storage);
    out->count = a.count;
    out->axis = a.axis;
    out->has_axis = a.has_axis;
    return out;
  }
  const void* operator()(const DTypeAttrs& a) const {
    auto* out = place<ist_dtype_attrs>(storage);
    out->dtype = static_cast<uint32_t>(a.dtype);
    return out;
  }
  const void* operator()(const ScanAttrs& a) const {
    auto* out = place<ist_scan_attrs>(storage);
    out->axis = a.axis;
    out->reverse = a.reverse;
    out->inclusive = a.inclusive;
    return out;
  }
  const void* operator()(const ConvAttrs& a) const {
    auto* out = place<ist_conv_attrs>(storage);
    out->n_dims = static_cast<uint32_t>(a.n_dims());
    out->strides = a.strides().data();
    out->padding_low = a.padding_low().data();
    out->padding_high = a.padding_high().data();
    out->kernel_dilation = a.kernel_dilation().data();
    out->input_dilation = a.input_dilation().data();
    out->groups = a.groups;
    out->flip = a.flip;
    return out;
  }
  const void* operator()(const AttentionAttrs& a) const {
    auto* out = place<ist_attention_attrs>(storage);
    out->causal = a.causal;
    out->scale = a.scale;
    return out;
  }
  const void* operator()(const QuantizedAttrs& a) const {
    auto* out = place<ist_quantized_attrs>(storage);
    out->bits = a.bits;
    out->group_size = a.group_size;
    out->transpose = a.transpose;
    return out;
  }
  const void* operator()(const NormAttrs& a) const {
    auto* out = place<ist_norm_attrs>(storage);
    out->eps = a.eps;
    return out;
  }
  const void* operator()(const DeviceAttrs&) const { return nullptr; }
};

struct Lift {
  const void* attrs;
  const char* op;

  Attrs operator()(const NoAttrs&) const { return NoAttrs{}; }
  Attrs operator()(const AxesAttrs&) const {
    const auto& in = checked<ist_axes_attrs>(attrs, op);
    return AxesAttrs{dims_from(in.axes, in.n_axes, op), in.keepdims != 0, in.ddof};
  }
  Attrs operator()(const AxisAttrs&) const {
    const auto& in = checked<ist_axis_attrs>(attrs, op);
    return AxisAttrs{in.axis, in.keepdims != 0, in.has_axis != 0};
  }
  Attrs operator()(const DimsAttrs&) const {
    const auto& in = checked<ist_dims_attrs>(attrs, op);
    return DimsAttrs{dims_from(in.dims, in.n_dims, op)};
  }
  Attrs operator()(const SliceAttrs&) const {
    const auto& in = checked<ist_slice_attrs>(attrs, op);
    return SliceAttrs{dims_from(in.starts, in.n_dims, op), dims_from(in.steps, in.n_dims, op),
                      dims_from(in.sizes, in.n_dims, op)};
  }
  Attrs operator()(const IndexAttrs&) const {
    const auto& in = checked<ist_index_attrs>(attrs, op);
    return IndexAttrs{dims_from(in.axes, in.n_axes, op), dims_from(in.slice_sizes, in.n_dims, op)};
  }
  Attrs operator()(const PadAttrs&) const {
    const auto& in = checked<ist_pad_attrs>(attrs, op);
    if (in.mode > 3) fail(Code::value, op, "unknown padding mode ", in.mode);
    return PadAttrs{dims_from(in.low, in.n_dims, op), dims_from(in.high, in.n_dims, op), static_cast<PadMode>(in.mode)};
  }
  Attrs operator()(const RangeAttrs&) const {
    const auto& in = checked<ist_range_attrs>(attrs, op);
    return RangeAttrs{in.start, in.step, in.stop, in.int_start, in.int_step, in.count, dtype_from(in.dtype, op)};
  }
  Attrs operator()(const CreateAttrs&) const {
    const auto& in = checked<ist_create_attrs>(attrs, op);
    return CreateAttrs{dims_from(in.dims, in.n_dims, op), dtype_from(in.dtype, op), in.offset};
  }
  Attrs operator()(const ScaleAttrs&) const {
    const auto& in = checked<ist_scale_attrs>(attrs, op);
    return ScaleAttrs{in.alpha, in.beta};
  }
  Attrs operator()(const CountAttrs&) const {
    const auto& in = checked<ist_count_attrs>(attrs, op);
    return CountAttrs{in.count, in.axis, in.has_axis != 0};
  }
  Attrs operator()(const DTypeAttrs&) const {
    const auto& in = checked<ist_dtype_attrs>(attrs, op);
    return DTypeAttrs{dtype_from(in.dtype, op)};
  }
  Attrs operator()(const ScanAttrs&) const {
    const auto& in = checked<ist_scan_attrs>(attrs, op);
    return ScanAttrs{in.axis, in.reverse != 0, in.inclusive != 0};
  }
  Attrs operator()(const ConvAttrs&) const {
    const auto& in = checked<ist_conv_attrs>(attrs, op);
    Dims window;
    for (const int64_t* list : {in.strides, in.padding_low, in.padding_high, in.kernel_dilation, in.input_dilation}) {
      for (const int64_t value : dims_from(list, in.n_dims, op)) window.push_back(value);
    }
    return ConvAttrs{std::move(window), in.groups, in.flip != 0};
  }
  Attrs operator()(const AttentionAttrs&) const {
    const auto& in = checked<ist_attention_attrs>(attrs, op);
    return AttentionAttrs{in.scale, in.causal != 0};
  }
  Attrs operator()(const QuantizedAttrs&) const {
    const auto& in = checked<ist_quantized_attrs>(attrs, op);
    return QuantizedAttrs{in.bits, in.group_size, in.transpose != 0};
  }
  Attrs operator()(const NormAttrs&) const { return NormAttrs{checked<ist_norm_attrs>(attrs, op).eps}; }
  Attrs operator()(const DeviceAttrs&) const { fail(Code::value, op, "cannot be called by id; use ist_to_device"); }
};

template <size_t I = 0>
Attrs lift_kind(size_t kind, const Lift& visitor) {
  if constexpr (I == std::variant_size_v<Attrs>) {
    fail(Code::value, visitor.op, "unknown attribute kind ", kind);
  } else {
    return kind == I ? visitor(std::variant_alternative_t<I, Attrs>{}) : lift_kind<I + 1>(kind, visitor);
  }
}

}  // namespace

const void* lower(const Attrs& attrs, void* storage) { return std::visit(Lower{storage}, attrs); }

Attrs lift(size_t kind, const void* attrs, const char* op) { return lift_kind(kind, Lift{attrs, op}); }

}  // namespace ist
