// sort and argsort: elements become keys, and keys are sorted.
#include <bit>
#include <vector>

#include "backends/cpu/along_axis.h"
#include "backends/cpu/sort_kernels.h"

namespace ist::cpu {
namespace {

constexpr int64_t kPiecesOfThread = 4;  // splits are uneven

// Sorts one long sequence on all threads: each splits a share of it by one pivot, then those that are below it, and the
// others, come together and are split further, until there are pieces for all.
class LongSort {
 public:
  // `keys` and `spare` are memory for n keys, `out` is as in Sorter::sort.
  LongSort(const Sorter& sorter, const KeyForm& form, int threads, int64_t n, char* keys, char* spare, char* out)
      : sorter_(sorter), form_(form), threads_(threads), n_(n), keys_(keys), spare_(spare), out_(out) {}

  void run(const char* elements, int64_t element_size) {
    split_shares(elements, element_size);
    const auto wanted = static_cast<size_t>(kPiecesOfThread * threads_);
    while (pieces_.size() < wanted && split_pieces()) {
    }
    parallel_for(threads_, static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto [from, to] = pieces_[i];
        sorter_.sort_keys(to - from, form_, at(keys_, from), at(spare_, from), out_ + from * sorter_.out_size);
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
    sorter_.pivot(n_, elements, form_, pivot);
    const int64_t share = (n_ + threads_ - 1) / threads_, shares = (n_ + share - 1) / share;
    std::vector<int64_t> middles(static_cast<size_t>(shares));
    parallel_for(threads_, shares, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t from = i * share, to = std::min(n_, from + share);
        void *front = at(keys_, from), *back = at(keys_, to);
        sorter_.split(to - from, from, elements + from * element_size, form_, pivot, &front, &back);
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
  const KeyForm& form_;
  int threads_;
  int64_t n_;
  char *keys_, *spare_, *out_;
  std::vector<Piece> pieces_;
};

// `keys` and `spare` are memory for n keys, `out` is as in Sorter::sort.
void sort_row(const Sorter& sorter, const KeyForm& form, int threads, int64_t n, const char* x, int64_t element_size,
              char* keys, char* spare, char* out) {
  if (threads == 1) return sorter.sort(n, x, form, keys, spare, out);
  LongSort(sorter, form, threads, n, keys, spare, out).run(x, element_size);
}

// The least key of a sequence, and how many bits tell its keys apart. Where the width of the type tells enough, nothing
// is read.
struct Span {
  uint64_t least;
  int bits;
};
Span span_of(const IndexSorters& sorters, int threads, int64_t n, const char* x, const View& in) {
  constexpr int64_t kFew = 256;
  const int64_t element_size = int64_t{1} << in.log2();
  const bool floating = in.dtype >= IST_FLOAT16;
  if (element_size <= 2 || (element_size == 4 && (floating || n < kFew)))
    return {0, static_cast<int>(8 * element_size)};
  uint64_t least, greatest;
  if (threads == 1) {
    sorters.range(n, x, &least, &greatest);
  } else {
    const int64_t share = (n + threads - 1) / threads, shares = (n + share - 1) / share;
    std::vector<uint64_t> lows(static_cast<size_t>(shares)), highs(lows.size());
    parallel_for(threads, shares, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t from = i * share;
        sorters.range(std::min(share, n - from), x + from * element_size, &lows[i], &highs[i]);
      }
    });
    least = *std::min_element(lows.begin(), lows.end());
    greatest = *std::max_element(highs.begin(), highs.end());
  }
  return {least, static_cast<int>(std::bit_width(greatest - least))};
}

// Calls IndexSorters::resolve for all keys, on threads that have parts which end where keys differ.
void resolve(const IndexSorters& sorters, const KeyForm& form, int threads, int64_t n, const char* x, uint64_t* keys,
             uint64_t* spare, uint32_t* out) {
  if (threads == 1) return sorters.resolve(n, x, form, keys, spare, out);
  std::vector<int64_t> starts = {0};
  for (int64_t i = 1; i < threads; ++i) {
    int64_t start = std::max(n / threads * i, starts.back() + 1);
    while (start < n && (keys[start - 1] ^ keys[start]) >> form.position_bits == 0) ++start;
    starts.push_back(std::min(start, n));
  }
  starts.push_back(n);
  parallel_for(threads, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t from = starts[i];
      sorters.resolve(starts[i + 1] - from, x, form, keys + from, spare + from, out + from);
    }
  });
}

// The stable order of a sequence; `memory` is for 2 * n keys of 8 bytes.
void order_row(const Call& call, const AlongAxis& along, int threads, const char* x, char* memory, uint32_t* out) {
  const int64_t n = along.length, element_size = int64_t{1} << along.in.log2();
  const IndexSorters& sorters = call.kernels().sort->argsort[along.in.dtype];
  const Span span = span_of(sorters, threads, n, x, along.in);
  const int position_bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(n - 1)));
  const int bits = span.bits + position_bits;
  const KeyForm form = {span.least, std::max(bits - 64, 0), position_bits};
  const auto sort = [&](const Sorter& sorter, void* to) {
    char* spare = memory + n * sorter.key_size;
    sort_row(sorter, form, threads, n, x, element_size, memory, spare, static_cast<char*>(to));
  };
  if (bits <= 32 && position_bits < 32) return sort(sorters.narrow, out);
  if (bits <= 64) return sort(sorters.wide, out);
  sort(sorters.dropping, memory);
  auto* keys = reinterpret_cast<uint64_t*>(memory);
  resolve(sorters, form, threads, n, x, keys, keys + n, out);
}

}  // namespace

void run_sort(const Call& call) {
  const AlongAxis along(call, call.attrs<ist_axis_attrs>().axis);
  const int64_t n = along.length;
  if (along.in.dtype != IST_COMPLEX64) {
    const Sorter& sorter = call.kernels().sort->sort[along.in.dtype];
    // Short sequences keep to a thread's memory.
    const bool keys_in_out = sorter.out_size == sorter.key_size && n >= kSortSplits;
    along.for_each(2 * n * sorter.key_size, [&](int threads, const char* x, char* memory, char* out) {
      char* keys = keys_in_out ? out : memory + n * sorter.key_size;
      sort_row(sorter, {}, threads, n, x, int64_t{1} << along.in.log2(), keys, memory, out);
    });
    return;
  }
  along.for_each(20 * n, [&](int threads, const char* x, char* memory, char* out) {
    auto* order = reinterpret_cast<uint32_t*>(memory + 16 * n);
    order_row(call, along, threads, x, memory, order);
    for (int64_t i = 0; i < n; ++i) std::memcpy(out + 8 * i, x + 8 * int64_t{order[i]}, 8);
  });
}

void run_argsort(const Call& call) {
  const AlongAxis along(call, call.attrs<ist_axis_attrs>().axis);
  along.for_each(16 * along.length, [&](int threads, const char* x, char* memory, char* out) {
    order_row(call, along, threads, x, memory, reinterpret_cast<uint32_t*>(out));
  });
}

}  // namespace ist::cpu
