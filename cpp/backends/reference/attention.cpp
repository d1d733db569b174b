// Attention, in the order of docs/bit_contract.md.
#include <limits>

#include "backends/reference/dot.h"
#include "backends/reference/fold.h"
#include "backends/reference/kernel.h"
#include "kernels/scalar_ops.h"

namespace ist::reference {
namespace {

// Operand `view` as a dense array of the accumulator type A, row-major over its logical indices.
template <class A>
std::vector<A> load(const View& view, uint32_t acc) {
  std::vector<A> dense;
  Walk walk(view.rank, view.shape);
  walk.follow(view);
  for (; !walk.done(); walk.next()) {
    Slot loaded, converted;
    loader(view.dtype)(view.at(walk[0]), loaded);
    converter(view.dtype, acc)(loaded, converted);
    dense.push_back(get<A>(converted));
  }
  return dense;
}

// The chain of a matrix product: a[i] against b[i * step].
template <class A>
A strided_dot(const A* a, const A* b, int64_t step, int64_t n) {
  A sum = 0;
  for (int64_t start = 0; start < n; start += kDotBlock) {
    A block = 0;
    for (int64_t i = start; i < std::min(n, start + kDotBlock); ++i) block = std::fma(a[i], b[i * step], block);
    sum = start == 0 ? block : sum + block;
  }
  return sum;
}

template <class A>
void attention(const Call& call, uint32_t acc) {
  const auto& attrs = attributes<ist_attention_attrs>(call.node);
  const View &query = call.inputs[0], &key = call.inputs[1];
  const int64_t batches = query.shape[0], heads = query.shape[1], queries = query.shape[2], depth = query.shape[3];
  const int64_t kv_heads = key.shape[1], keys = key.shape[2], width = call.out.shape[3];
  std::vector<A> q = load<A>(query, acc);
  for (A& element : q) element = element * static_cast<A>(attrs.scale);
  const std::vector<A> k = load<A>(key, acc), v = load<A>(call.inputs[2], acc);
  const bool has_mask = call.inputs.size() > 3 && call.inputs[3].rank == 4;
  const bool has_sinks = call.inputs.size() > 3 && call.inputs.back().rank == 1;
  const bool hides = has_mask && call.inputs[3].dtype == IST_BOOL;
  const std::vector<A> mask = has_mask ? load<A>(call.inputs[3], acc) : std::vector<A>();
  const std::vector<A> sinks = has_sinks ? load<A>(call.inputs.back(), acc) : std::vector<A>();

  int64_t row = 0;  // over (batch, head, query)
  for (int64_t batch = 0; batch < batches; ++batch) {
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t kv = (batch * kv_heads + head / (heads / kv_heads)) * keys;
      for (int64_t t = 0; t < queries; ++t, ++row) {
        std::vector<A> p;
        for (int64_t j = 0; j < keys; ++j) {
          A score = strided_dot(&q[row * depth], &k[(kv + j) * depth], 1, depth);
          const bool hidden = (attrs.causal && j > t + keys - queries) || (hides && mask[row * keys + j] == 0);
          if (has_mask && !hides) score = score + mask[row * keys + j];
          p.push_back(hidden ? std::numeric_limits<A>::lowest() : score);
        }
        A m = fold(p, -std::numeric_limits<A>::infinity(), [](A a, A b) { return scalar::maximum(a, b); });
        if (has_sinks) m = scalar::maximum(m, sinks[head]);
        for (A& score : p) score = scalar::exp(score - m);
        A total = fold(p, A(0), [](A a, A b) { return a + b; });
        if (has_sinks) total = total + scalar::exp(sinks[head] - m);
        for (int64_t i = 0; i < width; ++i) {
          const A sum = strided_dot(p.data(), &v[kv * width + i], width, keys);
          Slot wide, out;
          put<A>(wide, (sum + A(0)) / total);
          converter(acc, call.out.dtype)(wide, out);
          storer(call.out.dtype)(out, call.out.at(row * width + i));
        }
      }
    }
  }
}

}  // namespace

void run_scaled_dot_product_attention(const Call& call) {
  if (call.out.dtype == IST_FLOAT64) {
    attention<double>(call, IST_FLOAT64);
  } else {
    attention<float>(call, IST_FLOAT32);
  }
}

bool supports_scaled_dot_product_attention(const ist_node& node) {
  const uint32_t dtype = node.output.dtype;
  if (node.n_inputs < 3 || node.output.rank != 4 || !is_float(dtype)) return false;
  for (uint32_t i = 0; i < node.n_inputs; ++i) {
    const ist_tensor& input = node.inputs[i];
    const bool sinks = i >= 3 && i + 1 == node.n_inputs && input.rank == 1;
    const bool mask = i == 3 && input.rank == 4;
    if (i < 3 ? input.rank != 4 : !sinks && !mask) return false;
    if (input.dtype != dtype && !(mask && input.dtype == IST_BOOL)) return false;
  }
  return true;
}

}  // namespace ist::reference
