#include "ops/indexing.h"

#include "ops/ops.h"
#include "ops/shape_checks.h"
#include "runtime/error.h"
#include "runtime/registry.h"
#include "runtime/scheduler.h"

namespace ist::ops {
namespace {

// An index expression, resolved against a shape. a[expression] is: the slice; a gather along `tensor_axes` if there are
// tensors, its index axes moved to `position`; a reshape to `result`, which drops the axes of integers. All axes stay
// until then, so that messages about bounds name the caller's axes.
struct Plan {
  SliceAttrs slice;
  Dims tensor_axes;
  std::vector<Tensor> tensors;
  Dims index_shape;  // the tensors' broadcast shape
  Dims free_axes;    // those that the result keeps: neither integers nor tensors index them
  int position = 0;  // how many free axes come before the index axes
  Dims result;
};

void check_tensor(const Tensor& index, const char* op) {
  if (is_bool(index.dtype()))
    fail(Code::value, op,
         "boolean indices are not supported here, because the shape of the result would depend on the values; use "
         "where");
  if (!is_integer(index.dtype())) fail(Code::value, op, "indices must be integers, but are ", index.dtype());
}

// Python's slice.indices().
void resolve_slice(const Slice& slice, int64_t extent, int axis, Plan& plan, const char* op) {
  const int64_t step = slice.step.value_or(1);
  if (step == 0) fail(Code::value, op, "slice step cannot be zero");
  const bool up = step > 0;
  const int64_t lowest = up ? 0 : -1, highest = up ? extent : extent - 1;
  const auto bound = [&](const std::optional<int64_t>& given, int64_t otherwise) {
    if (!given) return otherwise;
    return std::clamp(*given < 0 ? *given + extent : *given, lowest, highest);
  };
  const int64_t start = bound(slice.start, up ? lowest : highest);
  const int64_t stop = bound(slice.stop, up ? highest : lowest);
  const int64_t distance = up ? stop - start : start - stop;
  const uint64_t stride = up ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  const int64_t size = distance > 0 ? static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride) + 1 : 0;
  plan.slice.starts[axis] = size == 0 ? 0 : start;
  plan.slice.steps[axis] = size <= 1 ? 1 : step;
  plan.slice.sizes[axis] = size;
}

Plan resolve(const Tensor& a, std::span<const Index> indices, const char* op) {
  int n_axes = 0, n_ellipses = 0;
  bool has_tensor = false;
  for (const Index& index : indices) {
    if (std::holds_alternative<Ellipsis>(index))
      ++n_ellipses;
    else if (!std::holds_alternative<NewAxis>(index))
      ++n_axes;
    if (const Tensor* tensor = std::get_if<Tensor>(&index)) {
      check_tensor(*tensor, op);
      has_tensor = true;
    }
  }
  if (n_ellipses > 1) fail(Code::value, op, "an index can have only one ellipsis (...)");
  if (n_axes > a.rank()) fail(Code::value, op, "too many indices: ", n_axes, " for a tensor of shape ", a.shape());

  Plan plan;
  plan.slice = whole_slice(a.shape());
  int axis = 0;
  // Once tensors take part, integers belong to the group whose axes come at one place.
  enum { before, inside, behind } group = before;
  bool together = true;
  int place_in_result = 0;
  const auto keep_axis = [&] {
    plan.free_axes.push_back(axis);
    plan.result.push_back(plan.slice.sizes[axis++]);
  };
  const auto outside_group = [&] {
    if (group == inside) group = behind;
  };
  const auto inside_group = [&] {
    if (group == before) {
      plan.position = plan.free_axes.size();
      place_in_result = plan.result.size();
      group = inside;
    } else if (group == behind) {
      together = false;
    }
  };
  for (const Index& index : indices) {
    if (const int64_t* at = std::get_if<int64_t>(&index)) {
      const int64_t extent = a.shape()[axis];
      if (*at < -extent || *at >= extent)
        fail(Code::index, op, "index ", *at, " is out of bounds for axis ", axis, " with size ", extent);
      plan.slice.starts[axis] = *at < 0 ? *at + extent : *at;
      plan.slice.sizes[axis] = 1;
      ++axis;
      inside_group();
    } else if (const Slice* slice = std::get_if<Slice>(&index)) {
      resolve_slice(*slice, a.shape()[axis], axis, plan, op);
      keep_axis();
      outside_group();
    } else if (std::holds_alternative<Ellipsis>(index)) {
      if (a.rank() > n_axes) outside_group();  // upstream sees through an ellipsis for no axes; NumPy does not
      for (int n = a.rank() - n_axes; n > 0; --n) keep_axis();
    } else if (std::holds_alternative<NewAxis>(index)) {
      outside_group();
      plan.result.push_back(1);
    } else {
      inside_group();
      const Tensor& tensor = std::get<Tensor>(index);
      plan.index_shape = broadcast_shapes(plan.index_shape, tensor.shape(), op);
      if (a.shape()[axis] == 0 && tensor.size() != 0)
        fail(Code::value, op, "cannot take an element from axis ", axis, ", which is empty");
      plan.tensor_axes.push_back(axis++);
      plan.tensors.push_back(tensor);
    }
  }
  while (axis < a.rank()) keep_axis();

  if (has_tensor) {
    if (!together) plan.position = place_in_result = 0;
    for (int i = 0; i < plan.index_shape.size(); ++i) plan.result.insert(place_in_result + i, plan.index_shape[i]);
  }
  return plan;
}

// The permutation from gather's order (index axes, then the axes of the slice) to that of the result. Axes that are not
// free have extent 1 in it and may stand anywhere.
Dims gathered_order(const Plan& plan) {
  const int n_index = plan.index_shape.size();
  const int rank = plan.slice.sizes.size();
  Dims order;
  for (int i = 0; i < plan.free_axes.size(); ++i) {
    if (i == plan.position) {
      for (int d = 0; d < n_index; ++d) order.push_back(d);
    }
    order.push_back(n_index + plan.free_axes[i]);
  }
  if (plan.position == plan.free_axes.size()) {
    for (int d = 0; d < n_index; ++d) order.push_back(d);
  }
  for (int i = 0; i < rank; ++i) {
    if (!plan.free_axes.contains(i)) order.push_back(n_index + i);
  }
  return order;
}

Dims slice_sizes(const Plan& plan) {
  Dims sizes = plan.slice.sizes;
  for (int64_t axis : plan.tensor_axes) sizes[axis] = 1;
  return sizes;
}

Tensor sliced(const Tensor& a, const Plan& plan) {
  return slice(a, plan.slice.starts, plan.slice.steps, plan.slice.sizes);
}

// `value` broadcast to `shape`; extents of 1 in front that are too many are dropped.
Tensor fit_value(const Tensor& value, const Dims& shape, const char* op) {
  Dims trimmed = value.shape();
  while (trimmed.size() > shape.size() && trimmed[0] == 1) trimmed.erase(0);
  bool fits = trimmed.size() <= shape.size();
  const int lead = shape.size() - trimmed.size();
  for (int i = 0; fits && i < trimmed.size(); ++i) fits = trimmed[i] == 1 || trimmed[i] == shape[lead + i];
  if (!fits)
    fail(Code::shape, op, "a value of shape ", value.shape(), " cannot be broadcast to the indexed shape ", shape);
  return broadcast_to(reshape(value, trimmed), shape);
}

// The whole of a[indices] replaced, or added to.
Tensor write_item(const Tensor& a, std::span<const Index> indices, const Tensor& value, bool adds, const char* op) {
  const LabelScope label(op);
  const Plan plan = resolve(a, indices, op);
  const Tensor updates = fit_value(astype(value, a.dtype()), plan.result, op);
  const auto& [starts, steps, sizes] = plan.slice;
  const bool whole = sizes == a.shape() && steps == Dims(static_cast<size_t>(a.rank()), 1);

  Tensor written;
  if (plan.tensors.empty()) {
    written = reshape(updates, sizes);
    if (adds) written = add(sliced(a, plan), written);
  } else {
    // The way of get_item backwards: the value takes gather's shape, and is scattered into the slice.
    const Dims order = gathered_order(plan);
    Dims gathered = plan.index_shape;
    for (int64_t size : slice_sizes(plan)) gathered.push_back(size);
    Dims permuted, inverse(static_cast<size_t>(order.size()), 0);
    for (int i = 0; i < order.size(); ++i) {
      permuted.push_back(gathered[order[i]]);
      inverse[order[i]] = i;
    }
    const Tensor placed = transpose(reshape(updates, permuted), inverse);
    const Tensor target = sliced(a, plan);
    written = adds ? scatter_add(target, plan.tensors, placed, plan.tensor_axes)
                   : scatter(target, plan.tensors, placed, plan.tensor_axes);
  }
  return whole ? written : slice_update(a, written, starts, steps, sizes);
}

// Where a mask holds, as flat indices. Forces its evaluation.
Tensor places_of(const Tensor& mask) {
  const Tensor dense = evaluated_row_major(mask);
  const auto* holds = static_cast<const uint8_t*>(data(dense));
  int64_t count = 0;
  for (int64_t i = 0; i < mask.size(); ++i) count += holds[i] != 0;
  const DeviceScope scope(mask.device());
  void* bytes = nullptr;
  const Tensor places = make_empty(DType::int64, {count}, &bytes, "setitem");
  auto* out = static_cast<int64_t*>(bytes);
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (holds[i]) *out++ = i;
  }
  return places;
}

Tensor set_masked(const Tensor& a, const Tensor& mask, const Tensor& value) {
  const char* op = "setitem";
  const LabelScope label(op);
  bool leads = mask.rank() <= a.rank();
  for (int i = 0; leads && i < mask.rank(); ++i) leads = mask.shape()[i] == a.shape()[i];
  if (!leads)
    fail(Code::value, op, "a boolean mask must have the shape of the leading axes: the mask has ", mask.shape(),
         ", the tensor ", a.shape());
  Dims mask_shape = mask.shape();
  Dims inner;  // what one place of the mask covers
  for (int i = mask.rank(); i < a.rank(); ++i) {
    mask_shape.push_back(1);
    inner.push_back(a.shape()[i]);
  }
  const Tensor wide = reshape(mask, mask_shape);
  const Tensor cast = astype(value, a.dtype());

  Dims trimmed = value.shape();
  while (trimmed.size() > inner.size() && trimmed[0] == 1) trimmed.erase(0);
  bool same_everywhere = trimmed.size() <= inner.size();
  for (int i = 0; same_everywhere && i < trimmed.size(); ++i) {
    const int64_t extent = inner[inner.size() - trimmed.size() + i];
    same_everywhere = trimmed[i] == 1 || trimmed[i] == extent;
  }
  if (same_everywhere) return where(wide, reshape(cast, trimmed), a);

  // Every place takes other elements: which ones is only known from the mask's values, so they are computed now.
  Tensor source = cast;
  bool broadcasts = source.rank() <= a.rank();
  for (int i = 0; broadcasts && i < source.rank(); ++i) {
    const int64_t extent = a.shape()[a.rank() - source.rank() + i];
    broadcasts = source.shape()[i] == 1 || source.shape()[i] == extent;
  }
  if (broadcasts) source = broadcast_to(source, a.shape());
  const Tensor places = places_of(mask);
  const int64_t inner_size = element_count(inner);
  const int64_t wanted = places.size() * inner_size;
  if (source.size() < wanted)
    fail(Code::value, op, "the mask selects ", wanted, " elements, but the value of shape ", value.shape(),
         " has only ", source.size());
  if (wanted == 0) return a;
  const Tensor chosen = slice(reshape(source, {source.size()}), {0}, {1}, {wanted});
  const Tensor rows = reshape(a, {mask.size(), inner_size});
  const Tensor written = scatter(rows, {&places, 1}, reshape(chosen, {places.size(), 1, inner_size}), {0});
  return reshape(written, a.shape());
}

// a[i] of a tensor that has its memory and of which no gradient is wanted: a window of it, without the nodes of ops.
// Empty where it must be asked for by those.
Tensor row_of(const Tensor& a, int64_t i) {
  if (!a.is_ready() || a->taped || a->traced || a->leaf || a.rank() == 0) return {};
  if (i < 0) i += a.shape(0);
  if (i < 0 || i >= a.shape(0)) return {};
  Dims shape = a.shape(), strides = a->layout.strides;
  const int64_t offset = a->layout.offset + i * strides[0];
  shape.erase(0);
  strides.erase(0);
  return make_data(a.dtype(), std::move(shape), std::move(strides), offset, a->layout.buffer, a.device());
}

}  // namespace

Tensor get_item(const Tensor& a, std::span<const Index> indices) {
  if (const int64_t* at = indices.size() == 1 ? std::get_if<int64_t>(&indices[0]) : nullptr) {
    if (Tensor row = row_of(a, *at)) return row;
  }
  const char* op = "getitem";
  const LabelScope label(op);
  const Plan plan = resolve(a, indices, op);
  const Tensor part = sliced(a, plan);
  if (plan.tensors.empty()) return reshape(part, plan.result);
  // `take` knows the better way along the last axis.
  const int last = part.rank() - 1;
  if (last > 0 && plan.tensor_axes == Dims{last} && plan.position == plan.free_axes.size() && part.shape(last) > 0) {
    return reshape(take(part, plan.tensors[0], last), plan.result);
  }
  const Tensor found = gather(part, plan.tensors, plan.tensor_axes, slice_sizes(plan));
  return reshape(transpose(found, gathered_order(plan)), plan.result);
}

Tensor set_item(const Tensor& a, std::span<const Index> indices, const Tensor& value) {
  if (indices.size() == 1) {
    const Tensor* mask = std::get_if<Tensor>(&indices[0]);
    if (mask && is_bool(mask->dtype())) return set_masked(a, *mask, value);
  }
  return write_item(a, indices, value, false, "setitem");
}

Tensor add_item(const Tensor& a, std::span<const Index> indices, const Tensor& value) {
  return write_item(a, indices, value, true, "at[].add");
}

}  // namespace ist::ops
