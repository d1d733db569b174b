// sort and argsort: elements become keys, and keys are sorted.
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/sort_kernels.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 8 * 1024;    // elements that are worth another thread
constexpr int64_t kLong = 64 * 1024;    // and of one sequence, all of them
constexpr int64_t kPiecesOfThread = 4;  // splits are uneven
constexpr int64_t kLongest = INT64_C(1) << 32;

// Where the sequences along the axis are.
struct Sequences {
  View in, out;
  int64_t length, count;
  int64_t in_step, out_step;
  Nest<2> outer;

  Sequences(const Call& call, int axis) : in(call.input(0)), out(call.output()) {
    length = in.shape[axis];
    int64_t strides[kMaxRank];
    row_major(out.rank, out.shape, strides);
    in_step = in.strides[axis];
    out_step = strides[axis];
    for (int i = 0; i < in.rank; ++i) {
      if (i != axis) outer.add(in.shape[i], in.strides[i], strides[i]);
    }
    outer.finish();
    count = length == 0 ? 0 : outer.count();
  }

  // The elements of sequence i one after another: where they lie, or in `memory`.
  const char* dense(const Call& call, int64_t i, char* memory) const {
    const char* from = in.data + offset_at(i, outer.rank, outer.shape, outer.strides[0]) * (int64_t{1} << in.log2());
    if (in_step == 1 || length == 1) return from;
    call.kernels().copy->strided[in.log2()](length, memory, 1, from, in_step);
    return memory;
  }
  char* target(int64_t i) const {
    return out.data + offset_at(i, outer.rank, outer.shape, outer.strides[1]) * (int64_t{1} << out.log2());
  }
};

// Sorts one long sequence on all threads: each splits a share of it by one pivot, then those that are below it, and the
// others, come together and are split further, until there are pieces for all.
class LongSort {
 public:
  // `keys` and `spare` are memory for n keys, `out` is as in Sorter::sort.
  LongSort(const Sorter& sorter, int threads, int64_t n, char* keys, char* spare, char* out)
      : sorter_(sorter), threads_(threads), n_(n), keys_(keys), spare_(spare), out_(out) {}

  void run(const char* elements, int64_t element_size) {
    split_shares(elements, element_size);
    const auto wanted = static_cast<size_t>(kPiecesOfThread * threads_);
    while (pieces_.size() < wanted && split_pieces()) {
    }
    parallel_for(threads_, static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto [from, to] = pieces_[i];
        sorter_.sort_keys(to - from, at(keys_, from), at(spare_, from), out_ + from * sorter_.out_size);
      }
    });
  }

 private:
  struct Piece {
    int64_t begin, end;
  };

  char* at(char* keys, int64_t i) const { return keys + i * sorter_.key_size; }

  // Leaves the keys in two pieces.
  void split_shares(const char* elements, int64_t element_size) {
    alignas(8) char pivot[8];
    sorter_.pivot(n_, elements, pivot);
    const int64_t share = (n_ + threads_ - 1) / threads_, shares = (n_ + share - 1) / share;
    std::vector<int64_t> middles(static_cast<size_t>(shares));
    parallel_for(threads_, shares, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t from = i * share, to = std::min(n_, from + share);
        void *front = at(keys_, from), *back = at(keys_, to);
        sorter_.split(to - from, from, elements + from * element_size, pivot, &front, &back);
        middles[i] = (static_cast<char*>(front) - keys_) / sorter_.key_size;
      }
    });
    std::vector<Piece> below, above;
    int64_t n_below = 0;
    for (int64_t i = 0; i < shares; ++i) {
      below.push_back({i * share, middles[i]});
      above.push_back({middles[i], std::min(n_, (i + 1) * share)});
      n_below += middles[i] - i * share;
    }
    int64_t n_front[2];
    parallel_for(threads_, 2, 1, [&](int64_t begin, int64_t end) {
      if (begin == 0) n_front[0] = split(below, 0, n_below);
      if (end == 2) n_front[1] = split(above, n_below, n_);
    });
    pieces_ = {{0, n_front[0]}, {n_front[0], n_below}, {n_below, n_below + n_front[1]}, {n_below + n_front[1], n_}};
    std::swap(keys_, spare_);
  }

  // Splits keys that lie in `parts` into [begin, end) of the spare memory; how many are in front.
  int64_t split(const std::vector<Piece>& parts, int64_t begin, int64_t end) const {
    alignas(8) char pivot[8] = {};
    const Piece* largest = &parts[0];
    for (const Piece& part : parts) {
      if (part.end - part.begin > largest->end - largest->begin) largest = &part;
    }
    const int64_t n = largest->end - largest->begin;
    if (n >= kSortSamples) sorter_.pivot_of_keys(n, at(keys_, largest->begin), pivot);
    void *front = at(spare_, begin), *back = at(spare_, end);
    for (const auto& [from, to] : parts) sorter_.split_keys(to - from, at(keys_, from), pivot, &front, &back);
    return (static_cast<char*>(front) - at(spare_, begin)) / sorter_.key_size;
  }

  // Whether there are more of them now.
  bool split_pieces() {
    std::vector<int64_t> n_front(pieces_.size());
    parallel_for(threads_, static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) n_front[i] = split({pieces_[i]}, pieces_[i].begin, pieces_[i].end);
    });
    std::vector<Piece> smaller;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const int64_t middle = pieces_[i].begin + n_front[i];
      if (middle > pieces_[i].begin) smaller.push_back({pieces_[i].begin, middle});
      if (pieces_[i].end > middle) smaller.push_back({middle, pieces_[i].end});
    }
    std::swap(keys_, spare_);
    const bool more = smaller.size() > pieces_.size();
    pieces_ = std::move(smaller);
    return more;
  }

  const Sorter& sorter_;
  int threads_;
  int64_t n_;
  char *keys_, *spare_, *out_;
  std::vector<Piece> pieces_;
};

void sort_each(const Call& call, const Sequences& sequences, const Sorter& sorter) {
  const int64_t n = sequences.length, key_bytes = n * sorter.key_size;
  const int64_t in_bytes = n << sequences.in.log2(), out_bytes = n * sorter.out_size;
  const bool in_place = sequences.out_step == 1 || n == 1, copies = sequences.in_step != 1 && n > 1;
  const bool out_holds_keys = sorter.out_size == sorter.key_size;
  const auto finish = [&](int64_t i, const char* result) {
    if (in_place) return;
    call.kernels().copy->strided[sequences.out.log2()](n, sequences.target(i), sequences.out_step, result, 1);
  };
  if (call.threads() > 1 && sequences.count < call.threads() && n >= kLong) {
    Temporary memory, copy_memory, result_memory;
    char* spare = memory.make(call, out_holds_keys ? key_bytes : 2 * key_bytes);
    char* copied = copies ? copy_memory.make(call, in_bytes) : nullptr;
    char* result = in_place ? nullptr : result_memory.make(call, out_bytes);
    for (int64_t i = 0; i < sequences.count; ++i) {
      char* out = in_place ? sequences.target(i) : result;
      LongSort sort(sorter, call.threads(), n, out_holds_keys ? out : spare + key_bytes, spare, out);
      sort.run(sequences.dense(call, i, copied), int64_t{1} << sequences.in.log2());
      finish(i, out);
    }
    return;
  }
  // Short sequences keep to a thread's memory.
  const bool keys_in_out = out_holds_keys && n >= kSortSplits;
  parallel_for(call.threads(), sequences.count, 1 + kGrain / n, [&](int64_t begin, int64_t end) {
    char* spare = scratch(static_cast<size_t>(2 * key_bytes + (copies ? in_bytes : 0) + (in_place ? 0 : out_bytes)));
    char* copied = spare + 2 * key_bytes;
    char* result = copied + (copies ? in_bytes : 0);
    for (int64_t i = begin; i < end; ++i) {
      char* out = in_place ? sequences.target(i) : result;
      sorter.sort(n, sequences.dense(call, i, copied), keys_in_out ? out : spare + key_bytes, spare, out);
      finish(i, out);
    }
  });
}

// The order of elements that have no key with room for a position: indices, or the elements in their order.
void order_each(const Call& call, const Sequences& sequences, bool indices) {
  const int64_t n = sequences.length;
  const auto order = call.kernels().sort->order[sequences.in.dtype];
  parallel_for(call.threads(), sequences.count, 1 + kGrain / n, [&](int64_t begin, int64_t end) {
    char* memory = scratch(static_cast<size_t>(n) * (8 + 8 + 4 + 4));
    auto* keys = reinterpret_cast<uint64_t*>(memory);
    auto* copied = reinterpret_cast<char*>(keys + n);
    auto* index = reinterpret_cast<uint32_t*>(copied + 8 * n);
    for (int64_t i = begin; i < end; ++i) {
      const char* dense = sequences.dense(call, i, copied);
      order(n, dense, index, keys, index + n);
      char* to = sequences.target(i);
      if (indices) {
        call.kernels().copy->strided[2](n, to, sequences.out_step, index, 1);
      } else {
        for (int64_t j = 0; j < n; ++j) std::memcpy(to + 8 * j * sequences.out_step, dense + 8 * int64_t{index[j]}, 8);
      }
    }
  });
}

Sequences sequences_of(const Call& call) {
  const Sequences sequences(call, call.attrs<ist_axis_attrs>().axis);
  if (sequences.length >= kLongest) fail(Code::value, "", "an axis of ", sequences.length, " elements is too long");
  return sequences;
}

}  // namespace

void run_sort(const Call& call) {
  const Sequences sequences = sequences_of(call);
  if (sequences.count == 0) return;
  const uint32_t dtype = sequences.in.dtype;
  const Sorter& sorter = call.kernels().sort->sort[dtype];
  if (sorter.sort == nullptr) return order_each(call, sequences, false);
  sort_each(call, sequences, sorter);
}

void run_argsort(const Call& call) {
  const Sequences sequences = sequences_of(call);
  if (sequences.count == 0) return;
  const Sorter& sorter = call.kernels().sort->argsort[sequences.in.dtype];
  if (sorter.sort == nullptr) return order_each(call, sequences, true);
  sort_each(call, sequences, sorter);
}

}  // namespace ist::cpu
