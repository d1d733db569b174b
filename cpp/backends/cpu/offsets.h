// The offsets of the places that index operands address.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/index_kernels.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kCheckGrain = 16 * 1024;  // indices to check that are worth another thread
constexpr int64_t kPart = 1024;             // offsets that are made at a time: they stay in cache

// A dense copy of an operand, or the operand's own memory.
const char* dense_data(const Call& call, const View& view, std::vector<char>& memory) {
  if (view.dense()) return view.data;
  memory.resize(static_cast<size_t>(view.count()) << view.log2());
  int64_t strides[kMaxRank];
  row_major(view.rank, view.shape, strides);
  copy_strided(call.kernels(), call.threads(), view.log2(), view.rank, view.shape, memory.data(), strides, view.data,
               view.strides);
  return memory.data();
}

// The elements of an index operand in row-major order, a part at a time.
struct IndexElements {
  const Kernels& kernels;
  View view;
  Nest<1> nest;

  const Indices& indices() const { return kernels.index->fn[view.dtype]; }
  const void* load(int64_t start, int64_t n, char* memory) const {
    if (nest.rank == 1 && nest.strides[0][0] == 1) return view.data + (start << view.log2());
    kernels.copy->gather[view.log2()](start, n, nest.rank, nest.shape, nest.strides[0], view.data, memory);
    return memory;
  }
};

// The offsets, in elements, of the slices that index operands address: checked at first, made where they are used.
class Offsets {
 public:
  explicit Offsets(int64_t count) : count_(count) {}

  int64_t count() const { return count_; }

  void add(const Call& call, const View& view, int64_t axis, int64_t extent, int64_t slice_size, int64_t stride) {
    Operand& operand = operands_.emplace_back(Operand{{call.kernels(), view, {}}, extent, stride});
    IndexElements once = {call.kernels(), view, {}};  // each, however often it is repeated
    for (int i = 0; i < view.rank; ++i) {
      operand.nest.add(view.shape[i], view.strides[i]);
      if (view.strides[i] != 0) once.nest.add(view.shape[i], view.strides[i]);
    }
    operand.nest.finish();
    once.nest.finish();
    if (count_ == 0) return;
    const int64_t last = extent - slice_size;
    std::atomic<bool> fails = false;
    parallel_for(call.threads(), once.nest.count(), kCheckGrain, [&](int64_t begin, int64_t end) {
      char memory[kPart * 8];
      for (int64_t i = begin; i < end; i += kPart) {
        const int64_t n = std::min(kPart, end - i);
        if (!once.indices().within(n, once.load(i, n, memory), extent, last)) fails = true;
      }
    });
    if (!fails) return;
    for (int64_t i = 0;; ++i) {
      char memory[8];
      const void* given = once.load(i, 1, memory);
      if (!once.indices().within(1, given, extent, last)) refuse(view.dtype, given, axis, extent);
    }
  }

  // Calls fn(i, n, offsets) for parts [i, i + n) of [begin, end).
  template <class Fn>
  void for_parts(int64_t begin, int64_t end, Fn&& fn) const {
    int64_t offsets[kPart];
    char memory[kPart * 8];
    for (int64_t i = begin; i < end; i += kPart) {
      const int64_t n = std::min(kPart, end - i);
      if (operands_.empty()) std::fill_n(offsets, n, 0);
      bool first = true;
      for (const Operand& operand : operands_) {
        operand.indices().offsets(n, operand.load(i, n, memory), operand.extent, operand.stride, first, offsets);
        first = false;
      }
      fn(i, n, static_cast<const int64_t*>(offsets));
    }
  }

 private:
  struct Operand : IndexElements {
    int64_t extent, stride;
  };

  [[noreturn]] static void refuse(uint32_t dtype, const void* index, int64_t axis, int64_t extent) {
    int64_t value = 0;
    std::memcpy(&value, index, size_t{1} << size_log2(dtype));
    const int unused = 64 - (8 << size_log2(dtype));
    const auto bits = static_cast<uint64_t>(value) << unused;
    if (dtype < IST_INT8)
      fail(Code::index, "", "index ", bits >> unused, " is out of bounds for axis ", axis, " with size ", extent);
    fail(Code::index, "", "index ", static_cast<int64_t>(bits) >> unused, " is out of bounds for axis ", axis,
         " with size ", extent);
  }

  int64_t count_;
  std::vector<Operand> operands_;
};

// Of the slices that a node's index operands, from number `first` on, address in an array.
Offsets slice_offsets(const Call& call, uint32_t first, const int64_t* shape, const int64_t* strides) {
  const auto& attrs = call.attrs<ist_index_attrs>();
  const uint32_t n_indices = call.node.n_inputs - first;
  if (n_indices != attrs.n_axes) fail(Code::value, "", "the index operands do not match the attributes");
  Offsets offsets(n_indices == 0 ? 1 : call.input(first).count());
  for (uint32_t i = 0; i < n_indices; ++i) {
    const int64_t axis = attrs.axes[i];
    offsets.add(call, call.input(first + i), axis, shape[axis], attrs.slice_sizes[axis], strides[axis]);
  }
  return offsets;
}

}  // namespace
}  // namespace ist::cpu
