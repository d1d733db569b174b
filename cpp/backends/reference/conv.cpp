// Convolution, in the order of docs/bit_contract.md: one row of the im2col matrix at a time.
#include <algorithm>
#include <cmath>

#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

constexpr int64_t kBlock = 384;
constexpr int64_t kGroup = 32;  // of a block of bfloat16

template <class T>
T chain(const T* a, const T* b, int64_t n, int64_t step) {
  T sum = 0;
  for (int64_t k = 0; k < n; k += step) sum = std::fma(a[k], b[k], sum);
  return sum;
}

template <class T>
T grouped(const T* a, const T* b, int64_t n) {
  T sum = 0;
  for (int64_t k = 0; k < n; k += kGroup) {
    const int64_t count = std::min(kGroup, n - k);
    sum = sum + (chain(a + k, b + k, count, 2) + chain(a + k + 1, b + k + 1, count - 1, 2));
  }
  return sum;
}

template <class T>
T dot(const T* a, const T* b, int64_t n, bool groups) {
  T sum = 0;
  for (int64_t start = 0; start < n; start += kBlock) {
    const int64_t count = std::min(n - start, kBlock);
    const T block = groups ? grouped(a + start, b + start, count) : chain(a + start, b + start, count, 1);
    sum = start == 0 ? block : sum + block;
  }
  return sum;
}

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

template <class T>
void convolve(const Call& call) {
  const auto& conv = attributes<ist_conv_attrs>(call.node);
  const View &input = call.inputs[0], &weight = call.inputs[1];
  const std::vector<T> x = dense<T>(input), w = dense<T>(weight);
  const int spatial = call.out.rank - 2;
  const int64_t channels = input.shape[spatial + 1], group_channels = weight.shape[spatial + 1];
  const int64_t outputs = weight.shape[0], group_outputs = outputs / conv.groups;
  const int64_t depth = count_of(spatial, weight.shape + 1) * group_channels;
  const bool groups = call.out.dtype == IST_BFLOAT16;
  const StoreFn store = storer(call.out.dtype);
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
      put<T>(result, dot(row.data(), w.data() + j * depth, depth, groups));
      store(result, call.out.at(position));
    }
  }
}

}  // namespace

void run_conv_general(const Call& call) {
  if (call.out.dtype == IST_FLOAT64) {
    convolve<double>(call);
  } else {
    convolve<float>(call);  // 16-bit elements are loaded as float32, and the sum is rounded once
  }
}

bool supports_conv_general(const ist_node& node) {
  const uint32_t rank = node.output.rank;
  return node.n_inputs == 2 && is_float(node.output.dtype) && all_of_dtype(node, 0, node.output.dtype) && rank >= 3 &&
         node.inputs[0].rank == rank && node.inputs[1].rank == rank;
}

}  // namespace ist::reference
