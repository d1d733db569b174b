// What a reference kernel is given, and the walk over strided elements that all of them are written with.
#pragma once

#include <vector>

#include "backends/reference/element.h"
#include "runtime/error.h"

namespace ist::reference {

// An operand. Offsets and strides count elements.
struct View {
  const std::byte* data = nullptr;  // of the whole value
  uint32_t dtype = 0;
  int rank = 0;
  const int64_t* shape = nullptr;
  const int64_t* strides = nullptr;
  int64_t offset = 0;

  const std::byte* at(int64_t element) const { return data + element * size_of(dtype); }
};

// The result: dense and row-major.
struct Output {
  std::byte* data = nullptr;
  uint32_t dtype = 0;
  int rank = 0;
  const int64_t* shape = nullptr;

  std::byte* at(int64_t element) const { return data + element * size_of(dtype); }
};

struct Call {
  const ist_node& node;
  std::vector<View> inputs;
  Output out;
};

using Extents = std::vector<int64_t>;

inline int64_t count_of(int rank, const int64_t* shape) {
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= shape[i];
  return n;
}
inline int64_t count_of(const Extents& shape) { return count_of(static_cast<int>(shape.size()), shape.data()); }

inline Extents row_major(int rank, const int64_t* shape) {
  Extents strides(rank);
  int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

// Visits every index of a shape in row-major order, and keeps the element offsets of strided views in step.
class Walk {
 public:
  Walk(int rank, const int64_t* shape) : shape_(shape, shape + rank), index_(rank, 0), left_(count_of(rank, shape)) {}
  explicit Walk(const Extents& shape) : Walk(static_cast<int>(shape.size()), shape.data()) {}

  // The view's offset is then read with operator[], views numbered in the order they were added.
  void follow(const int64_t* strides, int64_t offset) {
    strides_.emplace_back(strides, strides + shape_.size());
    offsets_.push_back(offset);
  }
  void follow(const View& view) { follow(view.strides, view.offset); }

  bool done() const { return left_ == 0; }
  int64_t operator[](size_t view) const { return offsets_[view]; }
  const Extents& index() const { return index_; }

  void next() {
    --left_;
    for (size_t axis = shape_.size(); axis-- > 0;) {
      ++index_[axis];
      for (size_t v = 0; v < offsets_.size(); ++v) offsets_[v] += strides_[v][axis];
      if (index_[axis] < shape_[axis]) return;
      for (size_t v = 0; v < offsets_.size(); ++v) offsets_[v] -= strides_[v][axis] * shape_[axis];
      index_[axis] = 0;
    }
  }

 private:
  Extents shape_, index_, offsets_;
  std::vector<Extents> strides_;
  int64_t left_;
};

// Writes the elements of `from` to `to` in row-major order, bits unchanged.
void copy_elements(const View& from, std::byte* to);

template <class A>
const A& attributes(const ist_node& node) {
  const A* attrs = static_cast<const A*>(node.attrs);
  if (attrs == nullptr || attrs->struct_size < sizeof(A)) fail(Code::backend, "", "the op's attributes are missing");
  return *attrs;
}

inline bool all_of_dtype(const ist_node& node, uint32_t first, uint32_t dtype) {
  for (uint32_t i = first; i < node.n_inputs; ++i) {
    if (node.inputs[i].dtype != dtype) return false;
  }
  return true;
}
inline bool all_integers(const ist_node& node, uint32_t first) {
  for (uint32_t i = first; i < node.n_inputs; ++i) {
    if (!is_integer(node.inputs[i].dtype)) return false;
  }
  return true;
}

// run_NAME and supports_NAME of every row with a kernel: a row without them does not link.
#define IST_KERNEL_kernel(name) \
  void run_##name(const Call&); \
  bool supports_##name(const ist_node&);
#define IST_KERNEL_view(name)
#define IST_KERNEL_composite(name)
#define IST_KERNEL_many(name)
#define IST_KERNEL_data(name)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_KERNEL_##execution(name)
#include "ops/ops.def"
#undef IST_OP
#undef IST_KERNEL_kernel
#undef IST_KERNEL_view
#undef IST_KERNEL_composite
#undef IST_KERNEL_many
#undef IST_KERNEL_data

}  // namespace ist::reference
