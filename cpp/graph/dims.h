// Shapes, strides and axis lists: a vector of int64 that keeps six elements inline, so that making a node for an
// ordinary tensor allocates nothing for them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace ist {

class Dims {
 public:
  Dims() = default;
  explicit Dims(size_t n, int64_t fill) { resize(n, fill); }
  Dims(std::initializer_list<int64_t> values) { assign(values.begin(), values.size()); }
  Dims(std::span<const int64_t> values) { assign(values.data(), values.size()); }
  Dims(const Dims& other) { assign(other.data_, other.size_); }
  Dims(Dims&& other) noexcept { take(other); }
  Dims& operator=(const Dims& other) {
    if (this != &other) assign(other.data_, other.size_);
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this != &other) {
      free_heap();
      take(other);
    }
    return *this;
  }
  ~Dims() { free_heap(); }

  int size() const { return static_cast<int>(size_); }
  bool empty() const { return size_ == 0; }
  int64_t* data() { return data_; }
  const int64_t* data() const { return data_; }
  int64_t* begin() { return data_; }
  int64_t* end() { return data_ + size_; }
  const int64_t* begin() const { return data_; }
  const int64_t* end() const { return data_ + size_; }
  int64_t& operator[](size_t i) { return data_[i]; }
  int64_t operator[](size_t i) const { return data_[i]; }
  int64_t back() const { return data_[size_ - 1]; }
  int64_t& back() { return data_[size_ - 1]; }
  operator std::span<const int64_t>() const { return {data_, size_}; }

  void clear() { size_ = 0; }
  void push_back(int64_t value) {
    reserve(size_ + 1);
    data_[size_++] = value;
  }
  void pop_back() { --size_; }
  void resize(size_t n, int64_t fill = 0) {
    reserve(n);
    for (size_t i = size_; i < n; ++i) data_[i] = fill;
    size_ = static_cast<uint32_t>(n);
  }
  void insert(size_t at, int64_t value) {
    push_back(value);
    std::rotate(data_ + at, data_ + size_ - 1, data_ + size_);
  }
  void erase(size_t at) {
    std::copy(data_ + at + 1, data_ + size_, data_ + at);
    --size_;
  }
  bool contains(int64_t value) const { return std::find(begin(), end(), value) != end(); }

  friend bool operator==(const Dims& a, const Dims& b) {
    return a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  static constexpr uint32_t kInline = 6;

  void reserve(size_t n) {
    if (n <= capacity_) return;
    const uint32_t grown = static_cast<uint32_t>(std::max<size_t>(n, 2 * size_t{capacity_}));
    int64_t* moved = new int64_t[grown];
    std::copy(data_, data_ + size_, moved);
    free_heap();
    data_ = moved;
    capacity_ = grown;
  }
  void assign(const int64_t* values, size_t n) {
    reserve(n);
    if (n != 0) std::memmove(data_, values, n * sizeof(int64_t));
    size_ = static_cast<uint32_t>(n);
  }
  void take(Dims& other) {
    if (other.data_ == other.inline_) {
      data_ = inline_;
      capacity_ = kInline;
      size_ = other.size_;
      std::copy(other.inline_, other.inline_ + size_, inline_);
    } else {
      data_ = other.data_;
      capacity_ = other.capacity_;
      size_ = other.size_;
      other.data_ = other.inline_;
      other.capacity_ = kInline;
    }
    other.size_ = 0;
  }
  void free_heap() {
    if (data_ != inline_) delete[] data_;
  }

  int64_t* data_ = inline_;
  uint32_t size_ = 0;
  uint32_t capacity_ = kInline;
  int64_t inline_[kInline];
};

// Prints as Python prints a tuple: (), (3,), (2, 3).
std::ostream& operator<<(std::ostream& out, const Dims& dims);

// Product of the extents. Raises IST_ERROR_VALUE through `op` when it does not fit 63 bits.
int64_t element_count(const Dims& shape, const char* op = "");
// Strides of a dense row-major layout, in elements.
Dims row_major_strides(const Dims& shape);
bool is_row_major(const Dims& shape, const Dims& strides);
// The extents with those of `last` in place of the last one.
Dims with_last(Dims shape, std::initializer_list<int64_t> last);
// NumPy's rule; raises IST_ERROR_SHAPE naming both shapes.
Dims broadcast_shapes(const Dims& a, const Dims& b, const char* op);
// Maps an axis in [-rank, rank) to [0, rank); raises IST_ERROR_INDEX.
int normalize_axis(int64_t axis, int rank, const char* op);
// The same for a list, sorted ascending; duplicates raise IST_ERROR_VALUE.
Dims normalize_axes(const Dims& axes, int rank, const char* op);

}  // namespace ist
