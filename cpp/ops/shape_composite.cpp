// Shape ops made of the views in shape.cpp and of concatenate.
#include "ops/ops.h"
#include "ops/shape_checks.h"
#include "runtime/error.h"

namespace ist {

Tensor call_expand_dims(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("expand_dims");
  const Tensor& a = inputs[0];
  const Dims& given = std::get<AxesAttrs>(attrs).axes;
  const Dims axes = normalize_axes(given, a.rank() + given.size(), "expand_dims");
  Dims shape = a.shape();
  for (int64_t axis : axes) shape.insert(axis, 1);
  return ops::reshape(a, shape);
}

Tensor call_squeeze(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("squeeze");
  const Tensor& a = inputs[0];
  const Dims axes = normalize_axes(std::get<AxesAttrs>(attrs).axes, a.rank(), "squeeze");
  for (int64_t axis : axes) {
    if (a.shape()[axis] != 1)
      fail(Code::value, "squeeze", "axis ", axis, " of shape ", a.shape(), " has size ", a.shape()[axis], ", not 1");
  }
  Dims shape;
  for (int i = 0; i < a.rank(); ++i) {
    if (axes.empty() ? a.shape()[i] != 1 : !axes.contains(i)) shape.push_back(a.shape()[i]);
  }
  return ops::reshape(a, shape);
}

Tensor call_flatten(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("flatten");
  const Tensor& a = inputs[0];
  const Dims& axes = std::get<AxesAttrs>(attrs).axes;
  if (!axes.empty() && axes.size() != 2)
    fail(Code::value, "flatten", "a first and a last axis are wanted, but ", axes.size(), " axes are given");
  const int64_t rank = a.rank();
  if (rank == 0) return ops::reshape(a, {1});
  // Out-of-range axes are clipped, as upstream does.
  const int64_t given_first = axes.empty() ? 0 : axes[0];
  const int64_t given_last = axes.empty() ? -1 : axes[1];
  const int64_t first = std::max<int64_t>(given_first < 0 ? given_first + rank : given_first, 0);
  const int64_t last = std::min(given_last < 0 ? given_last + rank : given_last, rank - 1);
  if (first > last)
    fail(Code::value, "flatten", "start axis ", given_first, " lies behind end axis ", given_last,
         " in a tensor of shape ", a.shape());
  Dims shape;
  int64_t merged = 1;
  for (int i = 0; i < rank; ++i) {
    if (i < first || i > last) {
      shape.push_back(a.shape()[i]);
      continue;
    }
    merged *= a.shape()[i];
    if (i == last) shape.push_back(merged);
  }
  return ops::reshape(a, shape);
}

Tensor call_unflatten(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("unflatten");
  const Tensor& a = inputs[0];
  const auto& slice = std::get<SliceAttrs>(attrs);
  if (slice.starts.size() < 1) fail(Code::value, "unflatten", "starts[0] must name the axis");
  const int axis = normalize_axis(slice.starts[0], a.rank(), "unflatten");
  Dims parts = slice.sizes;
  if (parts.empty()) fail(Code::value, "unflatten", "the shape to split axis ", axis, " into is empty");
  const int64_t extent = a.shape()[axis];
  int unknown = -1;
  Dims known;
  for (int i = 0; i < parts.size(); ++i) {
    if (parts[i] >= 0) {
      known.push_back(parts[i]);
    } else if (parts[i] != -1) {
      fail(Code::value, "unflatten", "negative extent ", parts[i], " in ", parts);
    } else if (unknown >= 0) {
      fail(Code::value, "unflatten", "only one extent may be -1, but the shape is ", parts);
    } else {
      unknown = i;
    }
  }
  const int64_t count = element_count(known, "unflatten");
  const bool divides = count != 0 && extent % count == 0;
  if (unknown >= 0 ? !divides : count != extent)
    fail(Code::shape, "unflatten", "axis ", axis, " with size ", extent, " cannot be split into ", slice.sizes);
  if (unknown >= 0) parts[unknown] = extent / count;
  Dims shape;
  for (int i = 0; i < a.rank(); ++i) {
    if (i != axis)
      shape.push_back(a.shape()[i]);
    else
      for (int64_t part : parts) shape.push_back(part);
  }
  return ops::reshape(a, shape);
}

Tensor call_moveaxis(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("moveaxis");
  const Tensor& a = inputs[0];
  const Dims& given = std::get<AxesAttrs>(attrs).axes;
  if (given.size() != 2) fail(Code::value, "moveaxis", "a source and a destination are wanted");
  const int source = normalize_axis(given[0], a.rank(), "moveaxis");
  const int destination = normalize_axis(given[1], a.rank(), "moveaxis");
  Dims order;
  for (int i = 0; i < a.rank(); ++i) {
    if (i != source) order.push_back(i);
  }
  order.insert(destination, source);
  return ops::transpose(a, order);
}

Tensor call_swapaxes(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("swapaxes");
  const Tensor& a = inputs[0];
  const Dims& given = std::get<AxesAttrs>(attrs).axes;
  if (given.size() != 2) fail(Code::value, "swapaxes", "two axes are wanted");
  const int first = normalize_axis(given[0], a.rank(), "swapaxes");
  const int second = normalize_axis(given[1], a.rank(), "swapaxes");
  Dims order;
  for (int i = 0; i < a.rank(); ++i) order.push_back(i);
  std::swap(order[first], order[second]);
  return ops::transpose(a, order);
}

Tensor call_stack(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("stack");
  if (inputs.empty()) fail(Code::value, "stack", "at least one tensor is needed");
  const int axis = normalize_axis(std::get<AxisAttrs>(attrs).axis, inputs[0].rank() + 1, "stack");
  std::vector<Tensor> layers;
  layers.reserve(inputs.size());
  for (const Tensor& a : inputs) {
    if (!(a.shape() == inputs[0].shape()))
      fail(Code::shape, "stack", "all tensors must have one shape, but there are ", inputs[0].shape(), " and ",
           a.shape());
    layers.push_back(ops::expand_dims(a, {axis}));
  }
  return ops::concatenate(layers, axis);
}

Tensor call_repeat(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("repeat");
  const auto& [repeats, given_axis, has_axis] = std::get<CountAttrs>(attrs);
  if (repeats < 0) fail(Code::value, "repeat", "the number of repeats cannot be negative, but is ", repeats);
  const Tensor a = has_axis ? inputs[0] : ops::reshape(inputs[0], {inputs[0].size()});
  const int axis = has_axis ? normalize_axis(given_axis, a.rank(), "repeat") : 0;
  Dims shape = a.shape();
  shape.insert(axis + 1, repeats);
  element_count(shape, "repeat");
  const Tensor spread = ops::broadcast_to(ops::expand_dims(a, {axis + 1}), shape);
  shape.erase(axis + 1);
  shape[axis] *= repeats;
  return ops::reshape(spread, shape);
}

Tensor call_tile(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("tile");
  const Tensor& a = inputs[0];
  Dims reps = std::get<DimsAttrs>(attrs).dims;
  for (int64_t count : reps) {
    if (count < 0) fail(Code::value, "tile", "the number of repeats cannot be negative, but reps is ", reps);
  }
  Dims shape = a.shape();
  while (reps.size() < shape.size()) reps.insert(0, 1);
  while (shape.size() < reps.size()) shape.insert(0, 1);
  // Each axis of extent n tiled r times is an axis pair (r, n), broadcast and merged.
  Dims apart, spread, result;
  for (int i = 0; i < shape.size(); ++i) {
    if (reps[i] != 1) {
      apart.push_back(1);
      spread.push_back(reps[i]);
    }
    apart.push_back(shape[i]);
    spread.push_back(shape[i]);
  }
  element_count(spread, "tile");
  for (int i = 0; i < shape.size(); ++i) result.push_back(reps[i] * shape[i]);
  return ops::reshape(ops::broadcast_to(ops::reshape(a, apart), spread), result);
}

Tensors call_split(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("split");
  const Tensor& a = inputs[0];
  const auto& [axes, indices] = std::get<IndexAttrs>(attrs);
  if (axes.size() != 1) fail(Code::value, "split", "one axis is wanted, but ", axes.size(), " are given");
  const int axis = normalize_axis(axes[0], a.rank(), "split");
  const int64_t extent = a.shape()[axis];
  Tensors parts;
  int64_t from = 0;
  for (int i = 0; i <= indices.size(); ++i) {
    // Python's slice a[from:to]: negative ends count from the back, everything is clipped, crossed ends are empty.
    int64_t to = i < indices.size() ? indices[i] : extent;
    if (to < 0) to += extent;
    to = std::clamp<int64_t>(to, 0, extent);
    SliceAttrs part = whole_slice(a.shape());
    part.starts[axis] = from;
    part.sizes[axis] = std::max<int64_t>(to - from, 0);
    parts.push_back(call_slice({&a, 1}, part));
    from = to;
  }
  return parts;
}

Tensors call_broadcast_arrays(std::span<const Tensor> inputs, const Attrs&) {
  const LabelScope label("broadcast_arrays");
  Dims shape;
  for (const Tensor& a : inputs) shape = broadcast_shapes(shape, a.shape(), "broadcast_arrays");
  Tensors results;
  for (const Tensor& a : inputs) results.push_back(ops::broadcast_to(a, shape));
  return results;
}

Tensors call_meshgrid(std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label("meshgrid");
  const int64_t flags = std::get<CountAttrs>(attrs).count;
  const bool sparse = flags & 1;
  const bool matrix_order = flags & 2;
  const int n = static_cast<int>(inputs.size());
  Dims full(inputs.size(), 1);
  std::vector<int> place;
  for (int i = 0; i < n; ++i) {
    // 'xy' is the picture order: the first input runs along the second axis.
    place.push_back(!matrix_order && n >= 2 && i < 2 ? 1 - i : i);
    full[place[i]] = inputs[i].size();
  }
  Tensors grids;
  for (int i = 0; i < n; ++i) {
    Dims shape(inputs.size(), 1);
    shape[place[i]] = inputs[i].size();
    const Tensor grid = ops::reshape(inputs[i], shape);
    grids.push_back(sparse ? grid : ops::broadcast_to(grid, full));
  }
  return grids;
}

namespace ops {

Tensor expand_dims(const Tensor& a, const Dims& axes) {
  AxesAttrs attrs;
  attrs.axes = axes;
  return call_expand_dims({&a, 1}, attrs);
}

Tensor squeeze(const Tensor& a, const OptionalAxes& axes) {
  if (axes && axes->empty()) return a;
  AxesAttrs attrs;
  if (axes) attrs.axes = *axes;
  return call_squeeze({&a, 1}, attrs);
}

Tensor flatten(const Tensor& a, int64_t start_axis, int64_t end_axis) {
  AxesAttrs attrs;
  attrs.axes = {start_axis, end_axis};
  return call_flatten({&a, 1}, attrs);
}

Tensor unflatten(const Tensor& a, int64_t axis, const Dims& shape) {
  return call_unflatten({&a, 1}, SliceAttrs{{axis}, {1}, shape});
}

Tensor moveaxis(const Tensor& a, int64_t source, int64_t destination) {
  AxesAttrs attrs;
  attrs.axes = {source, destination};
  return call_moveaxis({&a, 1}, attrs);
}

Tensor swapaxes(const Tensor& a, int64_t axis1, int64_t axis2) {
  AxesAttrs attrs;
  attrs.axes = {axis1, axis2};
  return call_swapaxes({&a, 1}, attrs);
}

Tensor stack(std::span<const Tensor> tensors, int64_t axis) {
  if (tensors.empty()) fail(Code::value, "stack", "at least one tensor is needed");
  AxisAttrs attrs;
  attrs.axis = normalize_axis(axis, tensors[0].rank() + 1, "stack");
  return call_stack(tensors, attrs);
}

Tensor repeat(const Tensor& a, int64_t repeats, std::optional<int64_t> axis) {
  CountAttrs attrs;
  attrs.count = repeats;
  attrs.has_axis = axis.has_value();
  if (axis) attrs.axis = normalize_axis(*axis, a.rank(), "repeat");
  return call_repeat({&a, 1}, attrs);
}

Tensor tile(const Tensor& a, const Dims& reps) { return call_tile({&a, 1}, DimsAttrs{reps}); }

Tensors split(const Tensor& a, int64_t sections, int64_t axis) {
  const int at = normalize_axis(axis, a.rank(), "split");
  if (sections <= 0) fail(Code::value, "split", "the number of parts must be positive, but is ", sections);
  const int64_t extent = a.shape()[at];
  if (extent % sections != 0)
    fail(Code::value, "split", "axis ", at, " of shape ", a.shape(), " does not divide into ", sections,
         " equal parts");
  Dims indices;
  for (int64_t i = 1; i < sections; ++i) indices.push_back(i * (extent / sections));
  return split(a, indices, at);
}

Tensors split(const Tensor& a, const Dims& indices, int64_t axis) {
  return call_split({&a, 1}, IndexAttrs{{axis}, indices});
}

Tensors broadcast_arrays(std::span<const Tensor> tensors) { return call_broadcast_arrays(tensors, NoAttrs{}); }

Tensors meshgrid(std::span<const Tensor> tensors, bool sparse, const std::string& indexing) {
  if (indexing != "xy" && indexing != "ij")
    fail(Code::value, "meshgrid", "indexing must be 'xy' or 'ij', but is '", indexing, "'");
  CountAttrs attrs;
  attrs.count = (sparse ? 1 : 0) | (indexing == "ij" ? 2 : 0);
  return call_meshgrid(tensors, attrs);
}

}  // namespace ops
}  // namespace ist
