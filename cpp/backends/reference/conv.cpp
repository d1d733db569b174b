// Convolution, in the order of docs/bit_contract.md: one row of the im2col matrix at a time.
#include "backends/reference/dot.h"
#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

// The elements in row-major order, as the compute type.
template <class T>
std::vector<T> dense(const View& view) {
  const LoadFn load = loader(view.dtype);
  std::vector<T> elements;
  Walk walk(view.rank, view.shape);
  walk.follow(view);
  for (; !walk.done(); walk.next()) {
    Slot slot;
    load(view.at(walk[0]), slot);
    elements.push_back(get<T>(slot));
  }
  return elements;
}

// Where along one spatial axis output o finds tap k, or -1 where padding or dilation put a zero.
int64_t source(const ist_conv_attrs& conv, int axis, int64_t extent, int64_t o, int64_t k) {
  const int64_t position = o * conv.strides[axis] + k * conv.kernel_dilation[axis] - conv.padding_low[axis];
  if (position < 0 || position % conv.input_dilation[axis] != 0) return -1;
  const int64_t i = position / conv.input_dilation[axis];
  return i < extent ? i : -1;
}

template <int D>
void convolve(const Call& call) {
  using T = typename Storage<D>::compute;
  const auto& conv = attributes<ist_conv_attrs>(call.node);
  const View &input = call.inputs[0], &weight = call.inputs[1];
  const std::vector<T> x = dense<T>(input), w = dense<T>(weight);
  const int spatial = call.out.rank - 2;
  const int64_t channels = input.shape[spatial + 1], group_channels = weight.shape[spatial + 1];
  const int64_t outputs = weight.shape[0], group_outputs = outputs / conv.groups;
  const int64_t depth = count_of(spatial, weight.shape + 1) * group_channels;
  const StoreFn store = storer(D);
  std::vector<T> row(static_cast<size_t>(depth));
  int64_t position = 0;
  for (Walk at(spatial + 1, call.out.shape); !at.done(); at.next()) {  // (n, spatial...)
    for (int64_t j = 0; j < outputs; ++j, ++position) {
      const int64_t first_channel = j / group_outputs * group_channels;
      if (j % group_outputs == 0) {
        int64_t k = 0;
        for (Walk tap(spatial, weight.shape + 1); !tap.done(); tap.next()) {
          int64_t pixel = at.index()[0];
          bool inside = true;
          for (int axis = 0; axis < spatial; ++axis) {
            const int64_t extent = input.shape[axis + 1];
            const int64_t i = source(conv, axis, extent, at.index()[axis + 1], tap.index()[axis]);
            inside = inside && i >= 0;
            pixel = pixel * extent + i;
          }
          for (int64_t c = 0; c < group_channels; ++c, ++k)
            row[k] = inside ? x[pixel * channels + first_channel + c] : 0;
        }
      }
      Slot result;
      put<T>(result, dot<D, T>(row.data(), w.data() + j * depth, depth));
      store(result, call.out.at(position));
    }
  }
}

}  // namespace

void run_conv_general(const Call& call) {
  switch (call.out.dtype) {
    case IST_FLOAT16:
      return convolve<IST_FLOAT16>(call);
    case IST_BFLOAT16:
      return convolve<IST_BFLOAT16>(call);
    case IST_FLOAT32:
      return convolve<IST_FLOAT32>(call);
    case IST_FLOAT64:
      return convolve<IST_FLOAT64>(call);
  }
}

bool supports_conv_general(const ist_node& node) {
  const uint32_t rank = node.output.rank;
  return node.n_inputs == 2 && is_float(node.output.dtype) && all_of_dtype(node, 0, node.output.dtype) && rank >= 3 &&
         node.inputs[0].rank == rank && node.inputs[1].rank == rank;
}

}  // namespace ist::reference
