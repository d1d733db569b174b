// Products with a quantized matrix, in the order of docs/bit_contract.md.
#include <cmath>

#include "backends/reference/dot.h"
#include "backends/reference/kernel.h"

namespace ist::reference {
namespace {

float number(const View& view, int64_t offset) {
  Slot in, out;
  loader(view.dtype)(view.at(offset), in);
  converter(view.dtype, IST_FLOAT32)(in, out);
  return get<float>(out);
}

// The matrices of one step of the batch, element (row, column) of the packed one as its codes number them.
struct Matrix {
  const View &words, &scales, &biases;
  int64_t words_at, scales_at, biases_at;
  int64_t bits, group_size;
  int rank;

  uint32_t bit(int64_t row, int64_t position) const {
    const int64_t at = words_at + row * words.strides[rank - 2] + position / 32 * words.strides[rank - 1];
    Slot slot;
    loader(IST_UINT32)(words.at(at), slot);
    return get<uint32_t>(slot) >> (position % 32) & 1;
  }

  float at(int64_t row, int64_t column) const {
    uint32_t code = 0;
    for (int64_t i = 0; i < bits; ++i) code |= bit(row, column * bits + i) << i;
    const int64_t group = column / group_size;
    const float scale = number(scales, scales_at + row * scales.strides[rank - 2] + group * scales.strides[rank - 1]);
    const float bias = number(biases, biases_at + row * biases.strides[rank - 2] + group * biases.strides[rank - 1]);
    return std::fma(scale, static_cast<float>(code), bias);
  }
};

}  // namespace

void run_quantized_matmul(const Call& call) {
  const auto& attrs = attributes<ist_quantized_attrs>(call.node);
  const View& x = call.inputs[0];
  const int rank = call.out.rank;
  const int64_t rows = call.out.shape[rank - 2], columns = call.out.shape[rank - 1], depth = x.shape[rank - 1];
  int64_t position = 0;
  Walk batch(rank - 2, call.out.shape);
  for (const View& input : call.inputs) batch.follow(input);
  for (; !batch.done(); batch.next()) {
    const Matrix w = {call.inputs[1], call.inputs[2], call.inputs[3],   batch[1], batch[2],
                      batch[3],       attrs.bits,     attrs.group_size, rank};
    std::vector<float> row(static_cast<size_t>(depth)), dense(static_cast<size_t>(columns * depth));
    for (int64_t j = 0; j < columns; ++j) {
      for (int64_t k = 0; k < depth; ++k) dense[j * depth + k] = attrs.transpose ? w.at(j, k) : w.at(k, j);
    }
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t k = 0; k < depth; ++k)
        row[k] = number(x, batch[0] + i * x.strides[rank - 2] + k * x.strides[rank - 1]);
      for (int64_t j = 0; j < columns; ++j, ++position) {
        Slot in, out;
        put<float>(in, dot<IST_FLOAT32>(row.data(), dense.data() + j * depth, depth));
        converter(IST_FLOAT32, call.out.dtype)(in, out);
        storer(call.out.dtype)(out, call.out.at(position));
      }
    }
  }
}

bool supports_quantized_matmul(const ist_node& node) {
  const uint32_t rank = node.output.rank, dtype = node.output.dtype;
  if (node.n_inputs != 4 || rank < 2 || !is_float(dtype) || dtype == IST_FLOAT64) return false;
  for (uint32_t i = 0; i < 4; ++i) {
    if (node.inputs[i].rank != rank || node.inputs[i].dtype != (i == 1 ? uint32_t{IST_UINT32} : dtype)) return false;
  }
  return true;
}

}  // namespace ist::reference
