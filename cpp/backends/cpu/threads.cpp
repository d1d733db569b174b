#include "backends/cpu/threads.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace ist::cpu {
namespace {

constexpr int kMaxShares = 32;

// A thread begins with the share of its own number, which is the same from job to job, so that it finds in its own
// cache what it has written there before; then it helps with the shares of others.
struct Job {
  struct alignas(64) Share {
    std::atomic<int64_t> next;
    int64_t end;
  };
  RangeFn fn;
  void* context;
  int64_t chunk;
  int n_shares;
  std::atomic<bool> out_of_memory{false};
  Share shares[kMaxShares];

  Job(RangeFn fn, void* context, int64_t n, int64_t chunk, int n_threads)
      : fn(fn), context(context), chunk(chunk), n_shares(std::min(n_threads, kMaxShares)) {
    const int64_t chunks = (n + chunk - 1) / chunk;
    for (int i = 0; i < n_shares; ++i) {
      shares[i].next.store(chunks * i / n_shares * chunk, std::memory_order_relaxed);
      shares[i].end = std::min(n, chunks * (i + 1) / n_shares * chunk);
    }
  }

  void work(int thread) {
    for (int i = 0; i < n_shares; ++i) {
      Share& share = shares[(thread + i) % n_shares];
      while (share.next.load(std::memory_order_relaxed) < share.end) {
        const int64_t begin = share.next.fetch_add(chunk, std::memory_order_relaxed);
        if (begin >= share.end) break;
        try {
          fn(context, begin, std::min(share.end, begin + chunk));
        } catch (const std::bad_alloc&) {
          out_of_memory.store(true, std::memory_order_relaxed);
          return;
        }
      }
    }
  }
};

// A sleeping thread takes tens of microseconds to wake, where one that is still looking takes a fraction of one: after
// a job, a helper looks out for the next for this long before it sleeps, and a caller for the last helper.
constexpr std::chrono::microseconds kLookout{50};

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Ready>
bool look_out(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kLookout;
  do {
    for (int i = 0; i < 8; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

class Pool {
 public:
  bool try_run(Job& job, int helpers) {
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    grow(helpers);
    helpers = std::min(helpers, workers_);
    job_ = &job;
    finished_.store(0, std::memory_order_relaxed);
    ++generation_;
    seats_.store(generation_ << kSeatBits | static_cast<uint64_t>(helpers));
    if (asleep_.load() > 0) {
      // One that is about to sleep has either seen the seats or lets go of the lock by sleeping.
      {
        const std::lock_guard lock(mutex_);
      }
      if (helpers == 1) {
        wake_.notify_one();
      } else {
        wake_.notify_all();
      }
    }
    job.work(0);
    // Helpers that have not come by now are not waited for: they find no seat.
    const int left = static_cast<int>(seats_.exchange(0) & kSeatMask);
    const auto finished = [this, joined = helpers - left] { return finished_.load() == joined; };
    if (!look_out(finished)) {
      std::unique_lock lock(mutex_);
      waiting_.store(true);
      done_.wait(lock, finished);
      waiting_.store(false);
    }
    busy_.store(false, std::memory_order_release);
    return true;
  }

  bool awake() const { return looking_.load(std::memory_order_relaxed) > 0; }

 private:
  static constexpr int kSeatBits = 16;
  static constexpr uint64_t kSeatMask = (uint64_t{1} << kSeatBits) - 1;

  void grow(int helpers) {
    while (workers_ < helpers) {
      try {
        std::thread([this, thread = workers_ + 1] { serve(thread); }).detach();
      } catch (const std::system_error&) {
        return;  // fewer threads than asked for are slower, not wrong
      }
      ++workers_;
    }
  }

  void serve(int thread) {
    uint64_t seen = 0;
    const auto joins = [&] {
      uint64_t seats = seats_.load();
      while ((seats & kSeatMask) != 0 && seats >> kSeatBits != seen) {
        if (!seats_.compare_exchange_weak(seats, seats - 1)) continue;
        seen = seats >> kSeatBits;
        return true;
      }
      return false;
    };
    for (;;) {
      // With more helpers than cores, those that look would keep those with work from it.
      const bool looks = looking_.fetch_add(1, std::memory_order_relaxed) < spare_cores_;
      const bool joined = looks && look_out(joins);
      looking_.fetch_sub(1, std::memory_order_relaxed);
      if (!joined) {
        std::unique_lock lock(mutex_);
        asleep_.fetch_add(1);
        wake_.wait(lock, joins);
        asleep_.fetch_sub(1);
      }
      job_->work(thread);
      finished_.fetch_add(1);
      if (waiting_.load()) {
        const std::lock_guard lock(mutex_);  // the caller has either seen the number or sleeps by now
        done_.notify_one();
      }
    }
  }

  // What threads look at all the time is not beside what they write meanwhile.
  alignas(64) std::atomic<uint64_t> seats_{0};  // of a job that helpers may still take, and above them its generation
  Job* job_ = nullptr;                          // read by those who have taken one
  alignas(64) std::atomic<int> finished_{0};    // helpers that are done with it
  std::atomic<bool> waiting_{false};            // the caller sleeps until all are
  std::atomic<int> looking_{0}, asleep_{0};
  std::mutex mutex_;  // for sleeping and waking alone
  std::condition_variable wake_, done_;
  std::atomic<bool> busy_{false};
  const int spare_cores_ = static_cast<int>(std::thread::hardware_concurrency()) - 1;
  uint64_t generation_ = 0;  // these are only touched by the owner of busy_
  int workers_ = 0;
};

// Never destroyed: workers may outlive static destructors. A forked child has none of its parent's threads, and locks
// in whatever state they were, so it starts over.
std::atomic<Pool*> current_pool{nullptr};

Pool& pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { current_pool.store(nullptr); });
  (void)registered;
  Pool* existing = current_pool.load(std::memory_order_acquire);
  if (existing) return *existing;
  Pool* made = new Pool;
  if (current_pool.compare_exchange_strong(existing, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *existing;
}

struct Scratch {
  char* data = nullptr;
  size_t size = 0;
  ~Scratch() { std::free(data); }
};

}  // namespace

void parallel_ranges(int threads, int64_t n, int64_t grain, int chunks_each, RangeFn fn, void* context) {
  const int64_t pieces = std::min<int64_t>(n / std::max<int64_t>(grain, 1), threads);
  if (pieces > 1) {
    // Several chunks for each thread even out what other processes take, where chunks stay worth a hand-over.
    const int64_t chunks = std::min<int64_t>(n / std::max<int64_t>(grain, 1), chunks_each * pieces);
    Job job(fn, context, n, (n + chunks - 1) / chunks, static_cast<int>(pieces));
    if (pool().try_run(job, static_cast<int>(pieces) - 1)) {
      if (job.out_of_memory.load(std::memory_order_relaxed)) throw std::bad_alloc();
      return;
    }
  }
  fn(context, 0, n);
}

bool helpers_awake() { return pool().awake(); }

char* scratch(size_t bytes) {
  static thread_local Scratch memory;
  if (bytes > memory.size) {
    const size_t rounded = (bytes + 65535) / 65536 * 65536;
    std::free(memory.data);
    memory.size = 0;
    memory.data = static_cast<char*>(std::aligned_alloc(64, rounded));
    if (!memory.data) throw std::bad_alloc();
    memory.size = rounded;
  }
  return memory.data;
}

}  // namespace ist::cpu
