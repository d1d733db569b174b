// sort and argsort: elements become keys, and keys are sorted.
#include <vector>

#include "backends/cpu/call.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/sort_kernels.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"

namespace ist::cpu {
namespace {

constexpr int64_t kGrain = 8 * 1024;      // elements that are worth another thread
constexpr int64_t kPieceMin = 32 * 1024;  // keys that are worth splitting once more
constexpr int64_t kPiecesOfThread = 4;    // splits are uneven
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

// Sorts n keys at `keys` on all threads; `other` is as large. Returns the one of the two that holds the result.
char* sort_long(const Call& call, const KeySort& sorter, int key_log2, int64_t n, char* keys, char* other) {
  struct Piece {
    int64_t begin, end;
  };
  std::vector<Piece> pieces = {{0, n}};
  const int64_t wanted = kPiecesOfThread * call.threads();
  while (static_cast<int64_t>(pieces.size()) < wanted) {
    std::vector<int64_t> fronts(pieces.size());
    parallel_for(call.threads(), static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Piece& piece = pieces[i];
        const char* from = keys + (piece.begin << key_log2);
        char* to = other + (piece.begin << key_log2);
        const int64_t length = piece.end - piece.begin;
        if (length >= kPieceMin) {
          fronts[i] = sorter.split(length, from, to);
        } else {
          std::memcpy(to, from, static_cast<size_t>(length) << key_log2);
        }
      }
    });
    std::vector<Piece> smaller;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const int64_t middle = pieces[i].begin + fronts[i];
      if (fronts[i] > 0) smaller.push_back({pieces[i].begin, middle});
      smaller.push_back({middle, pieces[i].end});
    }
    std::swap(keys, other);
    const bool stuck = smaller.size() == pieces.size();
    pieces = std::move(smaller);
    if (stuck) break;
  }
  parallel_for(call.threads(), static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = pieces[i].begin << key_log2;
      sorter.sort(pieces[i].end - pieces[i].begin, keys + at, other + at);
    }
  });
  return keys;
}

// One sequence at a time, all threads at work on it. to_keys(begin, end, dense, keys) and from_keys(begin, end, keys,
// target) convert parts.
template <class ToKeys, class FromKeys>
void sort_each(const Call& call, const Sequences& sequences, const KeySort& sorter, int key_log2, const ToKeys& to_keys,
               const FromKeys& from_keys) {
  const int64_t n = sequences.length;
  const int64_t element = int64_t{1} << std::max(sequences.in.log2(), sequences.out.log2());
  const bool together = call.threads() > 1 && sequences.count < call.threads() && n >= 2 * kPieceMin;
  if (together) {
    Temporary memory, dense_memory, result_memory;
    char* keys = memory.make(call, 2 * n << key_log2);
    char* copied = sequences.in_step == 1 ? nullptr : dense_memory.make(call, n * element);
    char* result = sequences.out_step == 1 ? nullptr : result_memory.make(call, n * element);
    for (int64_t i = 0; i < sequences.count; ++i) {
      const char* dense = sequences.dense(call, i, copied);
      parallel_for(call.threads(), n, kGrain, [&](int64_t begin, int64_t end) { to_keys(begin, end, dense, keys); });
      const char* sorted = sort_long(call, sorter, key_log2, n, keys, keys + (n << key_log2));
      char* target = result != nullptr ? result : sequences.target(i);
      parallel_for(call.threads(), n, kGrain,
                   [&](int64_t begin, int64_t end) { from_keys(begin, end, sorted, target); });
      if (result != nullptr) {
        call.kernels().copy->strided[sequences.out.log2()](n, sequences.target(i), sequences.out_step, result, 1);
      }
    }
    return;
  }
  parallel_for(call.threads(), sequences.count, 1 + kGrain / n, [&](int64_t begin, int64_t end) {
    char* keys = scratch(static_cast<size_t>((2 * n << key_log2) + 2 * n * element));
    char* other = keys + (n << key_log2);
    char* copied = other + (n << key_log2);
    char* result = copied + n * element;
    for (int64_t i = begin; i < end; ++i) {
      to_keys(int64_t{0}, n, sequences.dense(call, i, copied), keys);
      sorter.sort(n, keys, other);
      const bool in_place = sequences.out_step == 1 || n == 1;
      from_keys(int64_t{0}, n, keys, in_place ? sequences.target(i) : result);
      if (in_place) continue;
      call.kernels().copy->strided[sequences.out.log2()](n, sequences.target(i), sequences.out_step, result, 1);
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
  const int log2 = sequences.in.log2(), key_log2 = log2 == 3 ? 3 : 2;
  const SortTable& table = *call.kernels().sort;
  if (table.to_keys[dtype] == nullptr) return order_each(call, sequences, false);
  sort_each(
      call, sequences, key_log2 == 3 ? table.wide : table.narrow, key_log2,
      [&](int64_t begin, int64_t end, const char* dense, char* keys) {
        table.to_keys[dtype](end - begin, dense + (begin << log2), keys + (begin << key_log2));
      },
      [&](int64_t begin, int64_t end, const char* keys, char* target) {
        table.from_keys[dtype](end - begin, keys + (begin << key_log2), target + (begin << log2));
      });
}

void run_argsort(const Call& call) {
  const Sequences sequences = sequences_of(call);
  if (sequences.count == 0) return;
  const uint32_t dtype = sequences.in.dtype;
  const int log2 = sequences.in.log2();
  const SortTable& table = *call.kernels().sort;
  if (table.to_indexed_keys[dtype] == nullptr) return order_each(call, sequences, true);
  sort_each(
      call, sequences, table.wide, 3,
      [&](int64_t begin, int64_t end, const char* dense, char* keys) {
        table.to_indexed_keys[dtype](end - begin, begin, dense + (begin << log2),
                                     reinterpret_cast<uint64_t*>(keys) + begin);
      },
      [&](int64_t begin, int64_t end, const char* keys, char* target) {
        table.indices(end - begin, reinterpret_cast<const uint64_t*>(keys) + begin,
                      reinterpret_cast<uint32_t*>(target) + begin);
      });
}

}  // namespace ist::cpu
