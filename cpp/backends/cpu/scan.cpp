// Cumulative ops: rows or blocks of the last axis several at a time, other axes by strips of columns.
#include <vector>

#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/scan_kernels.h"
#include "backends/cpu/sequence.h"
#include "backends/cpu/temporary.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kScanGrain = kGrain / 2;  // elements that are worth another thread
constexpr int64_t kStrip = 1024;            // columns at a time
constexpr int64_t kNarrowest = 64;          // columns that are worth another thread
constexpr int64_t kScansTogether = 16;      // rows or blocks that kernels take at a time, or less

ScanKind scan_kind(uint32_t op) {
  switch (static_cast<Op>(op)) {
    case Op::cumsum:
      return kCumsum;
    case Op::cumprod:
      return kCumprod;
    case Op::cummax:
      return kCummax;
    case Op::cummin:
      return kCummin;
    default:
      return kLogcumsumexp;
  }
}

// Dense operands (outer, extent, inner) of the accumulator type. Exclusive scans are inclusive ones of all elements but
// the last, whose results lie one step further.
struct Scan {
  const Scanner& scanner;
  int threads;
  const char* in;
  char* out;
  int64_t size;  // of an element
  int64_t outer, extent, inner;
  int64_t step;  // 1, or -1 from the end
  bool inclusive;

  int64_t length() const { return inclusive ? extent : extent - 1; }
  int64_t blocks() const { return (length() + kBlock - 1) / kBlock; }
  int64_t block_length(int64_t b) const { return std::min(kBlock, length() - b * kBlock); }

  // The place of element j of the scan, and that of its result.
  int64_t place(int64_t o, int64_t j) const { return (o * extent + (step > 0 ? j : extent - 1 - j)) * inner * size; }
  const char* element(int64_t o, int64_t j) const { return in + place(o, j); }
  char* result(int64_t o, int64_t j) const { return out + place(o, inclusive ? j : j + 1); }

  void run() const {
    if (!inclusive) {
      for (int64_t o = 0; o < outer; ++o) scanner.identity(inner, out + place(o, 0));
      if (extent == 1) return;
    }
    if (inner > 1) return by_columns();
    if (blocks() == 1) return by_rows();
    if (outer < threads && length() >= 2 * kScanGrain) return by_blocks();
    parallel_for(threads, outer, 1 + kScanGrain / length(), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) long_row(o);
    });
  }

 private:
  void by_rows() const {
    const int64_t groups = (outer + kScansTogether - 1) / kScansTogether;
    parallel_for(threads, groups, 1 + kScanGrain / (kScansTogether * length()), [&](int64_t begin, int64_t end) {
      const int64_t first = begin * kScansTogether, last = std::min(end * kScansTogether, outer);
      scanner.rows(last - first, length(), step, element(first, 0), result(first, 0), extent);
    });
  }

  // Blocks [begin, end) of one row, each by itself.
  void start_blocks(int64_t o, int64_t begin, int64_t end) const {
    const bool ragged = block_length(end - 1) < kBlock;
    const int64_t whole = ragged ? end - 1 : end, at = begin * kBlock;
    scanner.rows(whole - begin, kBlock, step, element(o, at), result(o, at), step * kBlock);
    if (ragged) {
      const int64_t rest = whole * kBlock;
      scanner.rows(1, block_length(whole), step, element(o, rest), result(o, rest), 0);
    }
  }
  // Block b after `offset`, the result of all blocks before it.
  void join_block(int64_t o, int64_t b, const char* offset) const {
    const int64_t first = b * kBlock, n = block_length(b);
    scanner.join(n, offset, step > 0 ? result(o, first) : result(o, first + n - 1));
  }
  const char* total(int64_t o, int64_t b) const { return result(o, b * kBlock + block_length(b) - 1); }

  // While blocks are in the cache. The last result of a joined block is the offset of the next.
  void long_row(int64_t o) const {
    for (int64_t begin = 0; begin < blocks(); begin += kScansTogether) {
      const int64_t end = std::min(begin + kScansTogether, blocks());
      start_blocks(o, begin, end);
      for (int64_t b = std::max<int64_t>(begin, 1); b < end; ++b) join_block(o, b, total(o, b - 1));
    }
  }

  // Threads share the blocks of each row.
  void by_blocks() const {
    std::vector<char> offsets(static_cast<size_t>(blocks() * size));
    for (int64_t o = 0; o < outer; ++o) {
      const int64_t groups = (blocks() + kScansTogether - 1) / kScansTogether;
      parallel_for(threads, groups, 1, [&](int64_t begin, int64_t end) {
        start_blocks(o, begin * kScansTogether, std::min(end * kScansTogether, blocks()));
      });
      for (int64_t b = 1; b < blocks(); ++b) {
        char* offset = offsets.data() + b * size;
        std::memcpy(offset, total(o, b - 1), static_cast<size_t>(size));
        if (b > 1) scanner.combine(1, offset - size, offset);
      }
      parallel_for(threads, blocks(), kScanGrain / kBlock, [&](int64_t begin, int64_t end) {
        for (int64_t b = std::max<int64_t>(begin, 1); b < end; ++b) join_block(o, b, offsets.data() + b * size);
      });
    }
  }

  void by_columns() const {
    const int64_t share = std::max((inner + threads - 1) / threads, kNarrowest);
    const int64_t width_max = std::min({inner, share, kStrip});
    const int64_t strips = (inner + width_max - 1) / width_max;
    parallel_for(threads, outer * strips, 1 + kScanGrain / (width_max * length()), [&](int64_t begin, int64_t end) {
      const int64_t row_bytes = width_max * size;
      char* acc = scratch(static_cast<size_t>(2 * row_bytes));
      char* offset = acc + row_bytes;
      for (int64_t task = begin; task < end; ++task) {
        const int64_t o = task / strips, column = task % strips * width_max;
        const int64_t width = std::min(width_max, inner - column);
        for (int64_t b = 0; b < blocks(); ++b) {
          const int64_t first = b * kBlock;
          scanner.columns(block_length(b), width, step * inner, element(o, first) + column * size,
                          b == 0 ? nullptr : offset, acc, result(o, first) + column * size);
          if (b > 0) scanner.combine(width, offset, acc);
          std::memcpy(offset, acc, static_cast<size_t>(width * size));
        }
      }
    });
  }
};

}  // namespace

void run_scan(const Call& call) {
  const auto& attrs = call.attrs<ist_scan_attrs>();
  const View in = call.input(0), out = call.output();
  const int64_t count = out.count();
  if (count == 0) return;
  const uint32_t acc = compute_dtype(out.dtype);
  const int64_t size = int64_t{1} << size_log2(acc);
  Temporary converted, wide;
  const char* x = in.dtype == acc && in.dense() ? in.data : converted.make_row_major(call, in);
  char* y = out.dtype == acc ? out.data : wide.make(call, count * size);
  const int64_t outer = element_count(attrs.axis, out.shape), extent = out.shape[attrs.axis];
  const Scanner& scanner = call.kernels().scan->fn[scan_kind(call.node.op)][acc];
  const int64_t step = attrs.reverse != 0 ? -1 : 1;
  Scan{scanner, call.threads(), x, y, size, outer, extent, count / outer / extent, step, attrs.inclusive != 0}.run();
  if (out.dtype == acc) return;
  parallel_for(call.threads(), count, kScanGrain, [&](int64_t begin, int64_t end) {
    const void* from = y + begin * size;
    call.kernels().cast->fn[acc][out.dtype](end - begin, out.data + (begin << out.log2()), &from);
  });
}

}  // namespace ist::cpu
