// layer_norm and rms_norm, in the order of docs/bit_contract.md.
#include "backends/reference/fold.h"
#include "backends/reference/kernel.h"
#include "kernels/scalar_ops.h"

namespace ist::reference {
namespace {

template <class A>
std::vector<A> load_row(const View& view, int64_t offset, uint32_t acc) {
  const int last = view.rank - 1;
  std::vector<A> row;
  for (int64_t i = 0; i < view.shape[last]; ++i) {
    Slot loaded, converted;
    loader(view.dtype)(view.at(offset + i * view.strides[last]), loaded);
    converter(view.dtype, acc)(loaded, converted);
    row.push_back(get<A>(converted));
  }
  return row;
}

template <class A>
A sum_of(const std::vector<A>& x) {
  return fold(x, A(0), [](A a, A b) { return a + b; });
}

template <class A>
void normalize(const Call& call, bool centred, uint32_t acc) {
  const View& x = call.inputs[0];
  const A n = static_cast<A>(x.shape[x.rank - 1]);
  const A eps = static_cast<A>(attributes<ist_norm_attrs>(call.node).eps);
  const std::vector<A> weight = load_row<A>(call.inputs[1], call.inputs[1].offset, acc);
  const std::vector<A> bias = centred ? load_row<A>(call.inputs[2], call.inputs[2].offset, acc) : std::vector<A>();
  int64_t position = 0;
  Walk rows(x.rank - 1, x.shape);
  rows.follow(x);
  for (; !rows.done(); rows.next()) {
    std::vector<A> y = load_row<A>(x, rows[0], acc);
    if (centred) {
      const A mean = sum_of(y) / n;
      for (A& element : y) element = element - mean;
    }
    std::vector<A> squares;
    for (const A element : y) squares.push_back(element * element);
    const A scale = scalar::rsqrt(sum_of(squares) / n + eps);
    for (size_t i = 0; i < y.size(); ++i, ++position) {
      A element = y[i] * scale;
      element = element * weight[i];
      if (centred) element = element + bias[i];
      Slot wide, out;
      put<A>(wide, element);
      converter(acc, call.out.dtype)(wide, out);
      storer(call.out.dtype)(out, call.out.at(position));
    }
  }
}

void run(const Call& call, bool centred) {
  if (call.out.dtype == IST_FLOAT64) {
    normalize<double>(call, centred, IST_FLOAT64);
  } else {
    normalize<float>(call, centred, IST_FLOAT32);
  }
}

bool supports(const ist_node& node, uint32_t operands) {
  return node.n_inputs == operands && is_float(node.output.dtype) && node.output.rank >= 1 &&
         all_of_dtype(node, 0, node.output.dtype);
}

}  // namespace

void run_layer_norm(const Call& call) { run(call, true); }
bool supports_layer_norm(const ist_node& node) { return supports(node, 3); }

void run_rms_norm(const Call& call) { run(call, false); }
bool supports_rms_norm(const ist_node& node) { return supports(node, 2); }

}  // namespace ist::reference
