// partition and argpartition: the key at the place is found, and elements are grouped by it.
#include <cmath>
#include <utility>
#include <vector>

#include "backends/cpu/along_axis.h"
#include "backends/cpu/select_kernels.h"

namespace ist::cpu {
namespace {

constexpr int64_t kFew = 256;  // keys that are sorted rather than filtered

// Positions along the axis of a result.
struct Range {
  int64_t first, end;
};

// Those that a window into the result reads. A result has `step` elements from one position to the next.
Range read_by(const ist_tensor& window, int64_t step, int64_t length) {
  int64_t first = window.offset / step % length, last = first;
  int64_t low = window.offset % step, high = low;  // between the first position and the next
  for (uint32_t axis = 0; axis < window.rank; ++axis) {
    const int64_t stride = window.strides[axis], reach = (window.shape[axis] - 1) * stride;
    if (window.shape[axis] == 0) return {length, 0};
    if (window.shape[axis] == 1 || stride % (step * length) == 0) continue;
    if (stride % step == 0) {
      (reach < 0 ? first : last) += reach / step;
    } else {
      (reach < 0 ? low : high) += reach;
    }
  }
  const bool stays = low >= 0 && high < step && first >= 0 && last < length;
  return stays ? Range{first, last + 1} : Range{0, length};
}

// Those that anybody reads: of the largest elements alone, the others need not be grouped.
Range read_of_result(const Call& call, int axis) {
  const ist_program& program = call.context.program;
  const ist_tensor& result = call.node.output;
  const ist_value& value = value_at(program, result.value);
  const int64_t length = result.shape[axis];
  if ((value.flags & IST_VALUE_OUTPUT) != 0) return {0, length};
  const int64_t step = element_count(static_cast<int>(result.rank) - axis - 1, result.shape + axis + 1);
  Range read = {length, 0};
  for (uint32_t m = value.last_use; node_at(program, m).output.value != result.value; --m) {
    const ist_node& node = node_at(program, m);
    for (uint32_t i = 0; i < node.n_inputs; ++i) {
      const ist_tensor& window = input_at(node, program.tensor_size, i);
      if (window.value != result.value) continue;
      const Range here = window.dtype == result.dtype ? read_by(window, step, length) : Range{0, length};
      read = {std::min(read.first, here.first), std::max(read.end, here.end)};
    }
  }
  return read;
}

// Places in a sorted sample between which the wanted one lies, nearly always.
struct Bracket {
  int64_t samples, low, high;

  Bracket(int64_t n, int64_t place) {
    samples = n >= 16 * 1024 ? kMostSamples : kMostSamples / 4;
    const double part = static_cast<double>(place) / static_cast<double>(n);
    const double deviation = std::sqrt(static_cast<double>(samples) * part * (1 - part));
    const auto expected = static_cast<int64_t>(part * static_cast<double>(samples));
    const auto margin = static_cast<int64_t>(3 * deviation) + 2;
    low = expected - margin;
    high = expected + margin;
  }
  // So that most vectors have none.
  bool few() const { return 128 * (std::min(high, samples) - std::max<int64_t>(low, 0)) <= samples; }
};

// One sequence, on several threads if it is long: each has a share.
class Selection {
 public:
  // `keys` and `spare` are memory for n keys.
  Selection(const Selector& selector, int threads, int64_t n, const char* x, int64_t element_size, char* keys,
            char* spare)
      : selector_(selector),
        threads_(threads),
        n_(n),
        x_(x),
        element_size_(element_size),
        keys_(keys),
        spare_(spare),
        share_((n + threads - 1) / threads),
        n_shares_((n + share_ - 1) / share_) {
    if (n_shares_ == 1) return;
    several_.resize(static_cast<size_t>(n_shares_));
    shares_ = several_.data();
  }
  Selection(const Selection&) = delete;

  // Finds the key that sorting puts at the place.
  void find(int64_t place) {
    if (!filter_elements(place)) {
      selector_.to_keys(n_, x_, keys_);
      left_ = n_;
      place_ = place;
    }
    while (left_ > kFew && !all_equal_ && filter_keys()) {
    }
    // Keys that equal it were within all bounds.
    int64_t below_in_left = 0;
    if (all_equal_) {
      std::memcpy(key_, bounds_, static_cast<size_t>(selector_.key_size));
      equal_ = left_;
    } else {
      selector_.nth(left_, keys_, spare_, place_, key_, &below_in_left, &equal_);
    }
    below_ = place - place_ + below_in_left;
  }

  // Elements, or their positions, in the order of the partition by a key that was found: the groups that are in the
  // range.
  void group(bool positions, char* out, int64_t out_size, Range range) {
    int64_t starts[4] = {0, below_, below_ + equal_, n_};
    bool wanted[3];
    for (int g = 0; g < 3; ++g) wanted[g] = starts[g] < range.end && range.first < starts[g + 1];
    for_shares([&](Share& share, int64_t from, int64_t m) {
      if (n_shares_ == 1) {
        share.counts[0] = below_;
        share.counts[1] = equal_;
      } else {
        selector_.count(m, at(from), key_, &share.counts[0], &share.counts[1]);
      }
      share.counts[2] = m - share.counts[0] - share.counts[1];
    });
    for (int64_t i = 0; i < n_shares_; ++i) {
      for (int g = 0; g < 3; ++g) {
        shares_[i].starts[g] = starts[g];
        starts[g] += shares_[i].counts[g];
      }
    }
    for_shares([&](Share& share, int64_t from, int64_t m) {
      char* to[3];
      for (int g = 0; g < 3; ++g) to[g] = wanted[g] ? out + share.starts[g] * out_size : nullptr;
      if (positions) {
        uint32_t* const places[3] = {reinterpret_cast<uint32_t*>(to[0]), reinterpret_cast<uint32_t*>(to[1]),
                                     reinterpret_cast<uint32_t*>(to[2])};
        selector_.group_positions(m, from, at(from), key_, share.counts, places);
      } else {
        void* const places[3] = {to[0], to[1], to[2]};
        selector_.group(m, at(from), key_, share.counts, places);
      }
    });
  }

 private:
  struct Share {
    int64_t below, inside;
    int64_t counts[3], starts[3];  // of its groups, and where in the result those are
  };

  const char* at(int64_t i) const { return x_ + i * element_size_; }

  // Calls fn(share, first element, how many).
  template <class Fn>
  void for_shares(const Fn& fn) {
    parallel_for(threads_, n_shares_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) fn(shares_[i], i * share_, std::min(share_, n_ - i * share_));
    });
  }

  bool bounds_are_one_key() const {
    const auto size = static_cast<size_t>(selector_.key_size);
    return std::memcmp(bounds_, bounds_ + size, size) == 0;
  }

  // Leaves the keys within bounds, if the wanted one is among them.
  bool filter_elements(int64_t place) {
    if (n_ <= kFew) return false;
    const Bracket bracket(n_, place);
    selector_.bounds(n_, x_, bracket.samples, bracket.low, bracket.high, bounds_);
    for_shares([&](Share& share, int64_t from, int64_t m) {
      share.inside =
          selector_.filter(m, at(from), bounds_, bracket.few(), keys_ + from * selector_.key_size, &share.below);
    });
    left_ = 0;
    place_ = place;
    for (int64_t i = 0; i < n_shares_; ++i) {
      const Share& share = shares_[i];
      std::memmove(keys_ + left_ * selector_.key_size, keys_ + i * share_ * selector_.key_size,
                   static_cast<size_t>(share.inside * selector_.key_size));
      left_ += share.inside;
      place_ -= share.below;
    }
    if (place_ < 0 || place_ >= left_) return false;
    all_equal_ = bounds_are_one_key();
    return true;
  }

  // The same again. False where that leaves too many.
  bool filter_keys() {
    const Bracket bracket(left_, place_);
    int64_t below;
    selector_.bounds_of_keys(left_, keys_, bracket.samples, bracket.low, bracket.high, bounds_);
    const int64_t inside = selector_.filter_keys(left_, keys_, bounds_, bracket.few(), spare_, &below);
    const int64_t place = place_ - below;
    const bool one_key = bounds_are_one_key();
    if (place < 0 || place >= inside || (inside > left_ / 2 && !one_key)) return false;
    all_equal_ = one_key;
    std::swap(keys_, spare_);
    left_ = inside;
    place_ = place;
    return true;
  }

  const Selector& selector_;
  int threads_;
  int64_t n_;
  const char* x_;
  int64_t element_size_;
  char *keys_, *spare_;
  int64_t share_, n_shares_;
  Share one_ = {};
  Share* shares_ = &one_;
  std::vector<Share> several_;
  int64_t left_ = 0, place_ = 0;   // keys that may be the wanted one, and where it is among them
  bool all_equal_ = false;         // the keys that are left, as where many elements are equal
  int64_t below_ = 0, equal_ = 0;  // of all keys, against the one that was found
  alignas(8) char bounds_[16], key_[8];
};

void select_each(const Call& call, bool positions) {
  const auto& attrs = call.attrs<ist_count_attrs>();
  const AlongAxis along(call, attrs.axis);
  const int64_t n = along.length;
  const Selector& selector = call.kernels().select->of[along.in.dtype];
  if (along.count > 0 && (attrs.count < 0 || attrs.count >= n)) fail(Code::value, "", "kth is out of bounds");
  if (along.count == 0) return;
  const Range range = read_of_result(call, attrs.axis);
  along.for_each(2 * n * selector.key_size, [&](int threads, const char* x, char* memory, char* out) {
    Selection selection(selector, threads, n, x, int64_t{1} << along.in.log2(), memory, memory + n * selector.key_size);
    selection.find(attrs.count);
    selection.group(positions, out, int64_t{1} << along.out.log2(), range);
  });
}

}  // namespace

void run_partition(const Call& call) { select_each(call, false); }
void run_argpartition(const Call& call) { select_each(call, true); }

}  // namespace ist::cpu
