// A pool of threads, which sleep when they have had nothing to do for some microseconds. How work is split never shows
// in results: kernels compute each output by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace ist::cpu {

using RangeFn = void (*)(void* context, int64_t begin, int64_t end);

// Calls fn over disjoint ranges that cover [0, n), each of at least `grain` (or all of n), on up to `threads` threads
// with the caller among them; each of them takes about `chunks_each` ranges, one after another. Runs on the caller
// alone when the work is small or the pool is busy with somebody else's. Raises std::bad_alloc when a piece did;
// nothing else may be thrown in fn.
void parallel_ranges(int threads, int64_t n, int64_t grain, int chunks_each, RangeFn fn, void* context);

inline constexpr int64_t kGrain = 64 * 1024;          // elements times their cost that are worth another thread
inline constexpr int64_t kProductGrain = 256 * 1024;  // multiply-adds of matrix products that are

template <class Fn>
void parallel_for(int threads, int64_t n, int64_t grain, Fn&& fn, int chunks_each = 4) {
  if (threads <= 1 || n < 2 * grain) {
    if (n > 0) fn(int64_t{0}, n);
    return;
  }
  using Plain = std::remove_reference_t<Fn>;
  parallel_ranges(
      threads, n, grain, chunks_each,
      [](void* context, int64_t begin, int64_t end) { (*static_cast<Plain*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&fn)));
}

// Is a helper awake, looking out for a job? Then much smaller work is worth handing over.
bool helpers_awake();

// Memory of the calling thread, 64-byte aligned, valid until its next call of scratch(). Raises std::bad_alloc.
char* scratch(size_t bytes);

}  // namespace ist::cpu
