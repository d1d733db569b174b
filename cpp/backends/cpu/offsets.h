// The offsets of the places that index operands address.
#pragma once

#include <algorithm>
#include <atomic>
#include <type_traits>
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kCheckGrain = 16 * 1024;  // indices to check that are worth another thread
constexpr int64_t kPart = 1024;             // offsets that are made at a time: they stay in cache

// Where index element `given` starts, or a negative number where that is out of bounds on that side.
template <class Wide, class T>
Wide start_of(T given, Wide extent) {
  const Wide start = static_cast<Wide>(given);
  return start + (start < 0 ? extent : 0);
}

// `last` is the largest start.
template <class Wide, class T>
bool all_within(const T* index, int64_t n, Wide extent, Wide last) {
  using Bits = std::make_unsigned_t<Wide>;  // of differences that may not be numbers: then a start is negative already
  Bits signs = 0;
  for (int64_t i = 0; i < n; ++i) {
    Wide start = start_of<Wide>(index[i], extent);
    // An index beyond int64 must not wrap before it is compared.
    if constexpr (std::is_same_v<T, std::make_unsigned_t<Wide>>) start = index[i] > static_cast<T>(extent) ? -1 : start;
    signs |= static_cast<Bits>(start) | (static_cast<Bits>(last) - static_cast<Bits>(start));
  }
  return static_cast<Wide>(signs) >= 0;
}

template <class Wide, class T>
void make_offsets(const T* index, int64_t n, Wide extent, int64_t stride, bool first, int64_t* offsets) {
  if (first && stride == 1) {  // without a product, which has no vectors of this width
    for (int64_t i = 0; i < n; ++i) offsets[i] = start_of<Wide>(index[i], extent);
  } else {
    for (int64_t i = 0; i < n; ++i) offsets[i] = (first ? 0 : offsets[i]) + start_of<Wide>(index[i], extent) * stride;
  }
}

// One index operand: its elements, wrapped, are starts of slices along an axis.
template <class T>
struct Starts {
  static bool is_narrow(int64_t extent) { return (sizeof(T) < 4 || std::is_same_v<T, int32_t>) && extent <= INT32_MAX; }
  static bool within(const void* index, int64_t n, int64_t extent, int64_t last) {
    const T* given = static_cast<const T*>(index);
    if (!is_narrow(extent)) return all_within<int64_t>(given, n, extent, last);
    return all_within<int32_t>(given, n, static_cast<int32_t>(extent), static_cast<int32_t>(last));
  }
  static void refuse(const void* index, int64_t n, int64_t axis, int64_t extent, int64_t last) {
    const T* given = static_cast<const T*>(index);
    const T* bad = std::find_if(given, given + n, [&](const T& start) { return !within(&start, 1, extent, last); });
    fail(Code::index, "", "index ", +*bad, " is out of bounds for axis ", axis, " with size ", extent);
  }
  // offsets[i] = (or, if not `first`, +=) stride * start i
  static void offsets(const void* index, int64_t n, int64_t extent, int64_t stride, bool first, int64_t* offsets) {
    const T* given = static_cast<const T*>(index);
    if (!is_narrow(extent)) return make_offsets<int64_t>(given, n, extent, stride, first, offsets);
    make_offsets<int32_t>(given, n, static_cast<int32_t>(extent), stride, first, offsets);
  }
};

struct StartsOf {
  bool (*within)(const void* index, int64_t n, int64_t extent, int64_t last);
  void (*refuse)(const void* index, int64_t n, int64_t axis, int64_t extent, int64_t last);
  void (*offsets)(const void* index, int64_t n, int64_t extent, int64_t stride, bool first, int64_t* offsets);
};

template <class T>
constexpr StartsOf starts() {
  return {&Starts<T>::within, &Starts<T>::refuse, &Starts<T>::offsets};
}

const StartsOf& starts_of(uint32_t dtype) {
  static_assert(IST_UINT64 == IST_UINT8 + 3 && IST_INT8 == IST_UINT64 + 1 && IST_INT64 == IST_INT8 + 3);
  static constexpr StartsOf list[] = {starts<uint8_t>(), starts<uint16_t>(), starts<uint32_t>(), starts<uint64_t>(),
                                      starts<int8_t>(),  starts<int16_t>(),  starts<int32_t>(),  starts<int64_t>()};
  return list[dtype - IST_UINT8];
}

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

// The offsets, in elements, of the slices that index operands address: checked at first, made where they are used.
class Offsets {
 public:
  explicit Offsets(int64_t count) : count_(count) {}

  int64_t count() const { return count_; }

  void add(const Call& call, const View& view, int64_t axis, int64_t extent, int64_t slice_size, int64_t stride) {
    Operand& operand = operands_.emplace_back(starts_of(view.dtype), view.log2(), extent, stride);
    operand.index = dense_data(call, view, operand.copied);
    const int64_t last = extent - slice_size;
    std::atomic<bool> fails = false;
    parallel_for(call.threads(), count_, kCheckGrain, [&](int64_t begin, int64_t end) {
      if (!operand.starts.within(operand.at(begin), end - begin, extent, last)) fails = true;
    });
    if (fails) operand.starts.refuse(operand.index, count_, axis, extent, last);
  }

  // Calls fn(i, n, offsets) for parts [i, i + n) of [begin, end).
  template <class Fn>
  void for_parts(int64_t begin, int64_t end, Fn&& fn) const {
    int64_t offsets[kPart];
    for (int64_t i = begin; i < end; i += kPart) {
      const int64_t n = std::min(kPart, end - i);
      if (operands_.empty()) std::fill_n(offsets, n, 0);
      for (const Operand& operand : operands_) {
        operand.starts.offsets(operand.at(i), n, operand.extent, operand.stride, &operand == operands_.data(), offsets);
      }
      fn(i, n, static_cast<const int64_t*>(offsets));
    }
  }

 private:
  struct Operand {
    Operand(const StartsOf& starts, int log2, int64_t extent, int64_t stride)
        : starts(starts), log2(log2), extent(extent), stride(stride) {}
    const char* at(int64_t i) const { return index + (i << log2); }

    const StartsOf& starts;
    int log2;
    int64_t extent, stride;
    const char* index = nullptr;
    std::vector<char> copied;
  };

  int64_t count_;
  std::vector<Operand> operands_;
};

}  // namespace
}  // namespace ist::cpu
