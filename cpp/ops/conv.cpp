// Convolutions: channels last, (N, spatial..., C_in) with weights (C_out, kernel..., C_in / groups). One kernel op; the
// others, and the derivatives, are calls of it.
#include <algorithm>

#include "ops/derivative.h"
#include "ops/ops.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace ist {
namespace {

using List = std::span<const int64_t>;

constexpr int64_t kLargestNumber = INT32_MAX;  // of a stride, a padding, a dilation: sums of products stay exact

// Positions that a dilated extent covers.
int64_t spread(int64_t extent, int64_t dilation) { return extent == 0 ? 0 : (extent - 1) * dilation + 1; }

Dims joined(std::initializer_list<List> lists) {
  Dims all;
  for (const List list : lists) {
    for (const int64_t value : list) all.push_back(value);
  }
  return all;
}

Dims spatial_of(const Tensor& a) { return Dims(List(a.shape().data() + 1, static_cast<size_t>(a.rank() - 2))); }

void check_window(const ConvAttrs& conv, int n_dims, const char* op) {
  if (conv.window.size() != 5 * n_dims)
    fail(Code::value, op, "strides, padding and dilation need ", n_dims, " values each, one for a spatial axis");
  for (const int64_t value : conv.window) {
    if (value > kLargestNumber || value < -kLargestNumber)
      fail(Code::value, op, "strides, padding and dilation must fit 32 bits, got ", value);
  }
  const auto positive = [&](List values, const char* what) {
    for (const int64_t value : values) {
      if (value < 1) fail(Code::value, op, what, " must be positive, got ", Dims(values));
    }
  };
  positive(conv.strides(), "strides");
  positive(conv.kernel_dilation(), "kernel dilation");
  positive(conv.input_dilation(), "input dilation");
  if (conv.groups < 1) fail(Code::value, op, "groups must be positive, got ", conv.groups);
}

void check_operands(const Tensor& input, const Tensor& weight, int64_t groups, const char* op) {
  const int rank = input.rank();
  if (rank < 3 || rank > 5)
    fail(Code::shape, op, "needs an input (N, spatial..., C_in) with 1 to 3 spatial axes, got ", input.shape());
  if (weight.rank() != rank)
    fail(Code::shape, op, "the weight ", weight.shape(), " needs as many dimensions as the input ", input.shape());
  if (input.shape(-1) % groups != 0 || weight.shape(0) % groups != 0 || weight.shape(-1) != input.shape(-1) / groups)
    fail(Code::shape, op, "channels do not fit: input ", input.shape(), ", weight ", weight.shape(), " with ", groups,
         " group(s)");
}

DType result_dtype(const Tensor& input, const Tensor& weight, const char* op) {
  const DType dtype = promote(input.dtype(), weight.dtype());
  if (!is_inexact(input.dtype()) || is_complex(dtype))
    fail(Code::dtype, op, "needs floating point, got ", name(input.dtype()), " and ", name(weight.dtype()));
  return dtype;
}

Dims output_shape(const Tensor& input, const Tensor& weight, const ConvAttrs& conv, const char* op) {
  Dims shape = {input.shape(0)};
  for (int i = 0; i < conv.n_dims(); ++i) {
    const int64_t padded =
        spread(input.shape(i + 1), conv.input_dilation()[i]) + conv.padding_low()[i] + conv.padding_high()[i];
    const int64_t reach = spread(weight.shape(i + 1), conv.kernel_dilation()[i]);
    if (reach == 0 || padded < reach)
      fail(Code::shape, op, "spatial axis ", i, " of the input ", input.shape(), " is ", padded,
           " long with padding and dilation, the weight ", weight.shape(), " reaches over ", reach);
    shape.push_back((padded - reach) / conv.strides()[i] + 1);
  }
  shape.push_back(weight.shape(0));
  return shape;
}

// The spatial axes of a weight read backwards: a view.
Tensor reversed(const Tensor& weight) {
  const int rank = weight.rank();
  Dims starts(rank, 0), steps(rank, 1);
  for (int axis = 1; axis + 1 < rank; ++axis) {
    starts[axis] = std::max<int64_t>(0, weight.shape(axis) - 1);
    steps[axis] = -1;
  }
  return ops::slice(weight, starts, steps, weight.shape());
}

// (a, b..., groups * c) becomes (c, b..., groups * a).
Tensor exchange_ends(const Tensor& a, int64_t groups) {
  const int rank = a.rank();
  Dims split = a.shape(), order, merged = a.shape();
  split.back() /= groups;
  split.insert(rank - 1, groups);
  order.push_back(rank);
  for (int axis = 1; axis < rank; ++axis) order.push_back(axis);
  order.push_back(0);
  merged[0] = split.back();
  merged.back() = groups * a.shape(0);
  return ops::reshape(ops::transpose(ops::reshape(a, split), order), merged);
}

// (groups * a, b..., c) becomes (groups * c, b..., a).
Tensor exchange_in_groups(const Tensor& a, int64_t groups) {
  const int rank = a.rank();
  Dims split = a.shape(), order, merged = a.shape();
  split[0] /= groups;
  split.insert(0, groups);
  order = {0, rank};
  for (int axis = 2; axis < rank; ++axis) order.push_back(axis);
  order.push_back(1);
  merged[0] = groups * a.shape(-1);
  merged.back() = split[1];
  return ops::reshape(ops::transpose(ops::reshape(a, split), order), merged);
}

}  // namespace

namespace ops {

Tensor conv_general(const Tensor& input, const Tensor& weight, const ConvAttrs& conv) {
  const LabelScope label("conv_general");
  const char* op = public_name("conv_general");
  check_window(conv, input.rank() - 2, op);
  check_operands(input, weight, conv.groups, op);
  const DType dtype = result_dtype(input, weight, op);
  Dims shape = output_shape(input, weight, conv, op);
  ConvAttrs straight = conv;
  straight.flip = false;
  const Tensor w = astype(weight, dtype);
  const Tensor inputs[] = {astype(input, dtype), conv.flip ? reversed(w) : w};
  return make_node(Op::conv_general, dtype, std::move(shape), inputs, std::move(straight));
}

// Strides spread the input out, and padding takes away from what the kernel adds around it.
Tensor conv_transpose(const Tensor& input, const Tensor& weight, const ConvAttrs& conv) {
  const LabelScope label("conv_transpose");
  const char* op = public_name("conv_transpose");
  check_window(conv, input.rank() - 2, op);
  check_operands(input, weight, conv.groups, op);
  const int n = conv.n_dims();
  Dims low, high;
  for (int i = 0; i < n; ++i) {
    const int64_t around = spread(weight.shape(i + 1), conv.kernel_dilation()[i]) - 1;
    low.push_back(around - conv.padding_low()[i]);
    high.push_back(around - conv.padding_high()[i]);
  }
  const Dims ones(n, 1);
  return conv_general(input, weight,
                      {joined({ones, low, high, conv.kernel_dilation(), conv.strides()}), conv.groups, true});
}

Tensor convolve(const Tensor& a, const Tensor& v, ConvolveMode mode) {
  const LabelScope label("convolve");
  const char* op = public_name("convolve");
  if (a.rank() != 1 || v.rank() != 1)
    fail(Code::shape, op, "needs operands with 1 dimension: ", a.shape(), " and ", v.shape());
  if (a.size() == 0 || v.size() == 0) fail(Code::value, op, "needs elements: ", a.shape(), " and ", v.shape());
  const Tensor& longer = a.size() < v.size() ? v : a;
  const Tensor& shorter = a.size() < v.size() ? a : v;
  const int64_t around = shorter.size() - 1;
  const int64_t low = mode == ConvolveMode::full ? around : mode == ConvolveMode::same ? around - around / 2 : 0;
  const int64_t high = mode == ConvolveMode::same ? around / 2 : low;
  const Tensor sums = conv_general(reshape(longer, {1, longer.size(), 1}), reshape(shorter, {1, shorter.size(), 1}),
                                   {Dims{1, low, high, 1, 1}, 1, true});
  return flatten(sums);
}

}  // namespace ops

namespace {

Tensor of_dims(const char* op, int n_dims, Tensor (*function)(const Tensor&, const Tensor&, const ConvAttrs&),
               std::span<const Tensor> inputs, const Attrs& attrs) {
  const LabelScope label(op);
  if (inputs[0].rank() != n_dims + 2)
    fail(Code::shape, public_name(op), "needs an input with ", n_dims, " spatial axes, (N, spatial..., C_in), got ",
         inputs[0].shape());
  return function(inputs[0], inputs[1], std::get<ConvAttrs>(attrs));
}

}  // namespace

Tensor call_conv_general(std::span<const Tensor> inputs, const Attrs& attrs) {
  return ops::conv_general(inputs[0], inputs[1], std::get<ConvAttrs>(attrs));
}
Tensor call_conv1d(std::span<const Tensor> inputs, const Attrs& attrs) {
  return of_dims("conv1d", 1, &ops::conv_general, inputs, attrs);
}
Tensor call_conv2d(std::span<const Tensor> inputs, const Attrs& attrs) {
  return of_dims("conv2d", 2, &ops::conv_general, inputs, attrs);
}
Tensor call_conv3d(std::span<const Tensor> inputs, const Attrs& attrs) {
  return of_dims("conv3d", 3, &ops::conv_general, inputs, attrs);
}
Tensor call_conv_transpose1d(std::span<const Tensor> inputs, const Attrs& attrs) {
  return of_dims("conv_transpose1d", 1, &ops::conv_transpose, inputs, attrs);
}
Tensor call_conv_transpose2d(std::span<const Tensor> inputs, const Attrs& attrs) {
  return of_dims("conv_transpose2d", 2, &ops::conv_transpose, inputs, attrs);
}
Tensor call_conv_transpose3d(std::span<const Tensor> inputs, const Attrs& attrs) {
  return of_dims("conv_transpose3d", 3, &ops::conv_transpose, inputs, attrs);
}

Tensor call_convolve(std::span<const Tensor> inputs, const Attrs& attrs) {
  const int64_t mode = std::get<CountAttrs>(attrs).count;
  if (mode < 0 || mode > 2) fail(Code::value, "convolve", "count must be 0 (full), 1 (same) or 2 (valid), got ", mode);
  return ops::convolve(inputs[0], inputs[1], static_cast<ops::ConvolveMode>(mode));
}

// With d the input's and s the output's dilation, e the kernel's, p the low padding: output o takes tap k from the
// position o * s + k * e - p, which is input i where it equals i * d.
//
// Input: the cotangent spread by s, the kernel backwards, steps of d. Weight: tap k sums over o, so that the cotangent
// is the kernel, its taps s apart, and k the output, in steps of e; the batch is summed over, as channels are, or as
// one more axis.
Tensor vjp_conv_general(const RuleArgs& args, int i, const Tensor& g) {
  const auto& conv = args.get<ConvAttrs>();
  const Tensor &input = args.inputs[0], &weight = args.inputs[1];
  if (args.inputs[i].size() == 0) return {};
  Dims low, high;
  for (int axis = 0; axis < conv.n_dims(); ++axis) {
    const int64_t length = spread(input.shape(axis + 1), conv.input_dilation()[axis]);
    const int64_t reach = spread(weight.shape(axis + 1), conv.kernel_dilation()[axis]);
    const int64_t across = spread(g.shape(axis + 1), conv.strides()[axis]), p = conv.padding_low()[axis];
    low.push_back(i == 0 ? reach - 1 - p : p);
    high.push_back(i == 0 ? length + p - across : reach - 1 + across - length - p);
  }
  if (i == 0) {
    const Dims window = joined({conv.input_dilation(), low, high, conv.kernel_dilation(), conv.strides()});
    return ops::conv_general(g, exchange_in_groups(weight, conv.groups), {window, conv.groups, true});
  }
  // With one input channel for each group there is no sum over channels that the batch could be: it is another axis.
  if (conv.groups == input.shape(-1) && conv.groups > 1 && conv.n_dims() < 3 && input.shape(0) > 0) {
    const Dims one = {1}, none = {0};
    const Dims window =
        joined({one, conv.kernel_dilation(), none, low, none, high, one, conv.strides(), one, conv.input_dilation()});
    const Tensor taps = ops::expand_dims(ops::moveaxis(g, -1, 0), {-1});
    const Tensor sums = ops::conv_general(ops::expand_dims(input, {0}), taps, {window, conv.groups, false});
    return ops::swapaxes(ops::squeeze(sums, Dims{0}), 0, -1);
  }
  const Dims window = joined({conv.kernel_dilation(), low, high, conv.strides(), conv.input_dilation()});
  const Tensor taps = ops::swapaxes(g, 0, -1);
  return ops::swapaxes(ops::conv_general(exchange_ends(input, conv.groups), taps, {window, conv.groups, false}), 0, -1);
}

}  // namespace ist
