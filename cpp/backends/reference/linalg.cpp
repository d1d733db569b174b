// Matrix products, in the order of docs/bit_contract.md.
#include "backends/reference/dot.h"
#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

// A matrix of the batch as compute types, its rows dense: element (row, k) at row * k_size + k.
template <class T>
std::vector<T> gather_rows(const View& m, int64_t offset, int row_axis, int k_axis) {
  const LoadFn load = loader(m.dtype);
  std::vector<T> rows;
  rows.reserve(m.shape[row_axis] * m.shape[k_axis]);
  Slot slot;
  for (int64_t row = 0; row < m.shape[row_axis]; ++row) {
    for (int64_t k = 0; k < m.shape[k_axis]; ++k) {
      load(m.at(offset + row * m.strides[row_axis] + k * m.strides[k_axis]), slot);
      rows.push_back(get<T>(slot));
    }
  }
  return rows;
}

template <int D>
void matmul(const Call& call) {
  using T = typename Storage<D>::compute;
  const View& a = call.inputs[0];
  const View& b = call.inputs[1];
  const StoreFn store = storer(D);
  const int rank = call.out.rank;
  const int64_t rows = a.shape[rank - 2], inner = a.shape[rank - 1], columns = b.shape[rank - 1];
  int64_t position = 0;
  Walk batch(rank - 2, call.out.shape);
  batch.follow(a);
  batch.follow(b);
  for (; !batch.done(); batch.next()) {
    const std::vector<T> a_rows = gather_rows<T>(a, batch[0], rank - 2, rank - 1);
    const std::vector<T> b_columns = gather_rows<T>(b, batch[1], rank - 1, rank - 2);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j, ++position) {
        Slot result;
        put<T>(result, dot<D, T>(a_rows.data() + i * inner, b_columns.data() + j * inner, inner));
        store(result, call.out.at(position));
      }
    }
  }
}

}  // namespace

void run_matmul(const Call& call) {
  switch (call.out.dtype) {
    case IST_FLOAT16:
      return matmul<IST_FLOAT16>(call);
    case IST_BFLOAT16:
      return matmul<IST_BFLOAT16>(call);
    case IST_FLOAT32:
      return matmul<IST_FLOAT32>(call);
    case IST_FLOAT64:
      return matmul<IST_FLOAT64>(call);
    case IST_COMPLEX64:
      return matmul<IST_COMPLEX64>(call);
  }
}

bool supports_matmul(const ist_node& node) {
  return node.n_inputs == 2 && is_inexact(node.output.dtype) && all_of_dtype(node, 0, node.output.dtype) &&
         node.output.rank >= 2 && node.inputs[0].rank == node.output.rank && node.inputs[1].rank == node.output.rank;
}

}  // namespace ist::reference
