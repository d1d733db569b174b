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

struct Job {
  RangeFn fn;
  void* context;
  int64_t n;
  int64_t chunk;
  std::atomic<int64_t> next{0};
  std::atomic<bool> out_of_memory{false};

  void work() {
    for (;;) {
      const int64_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
      if (begin >= n) return;
      try {
        fn(context, begin, std::min(n, begin + chunk));
      } catch (const std::bad_alloc&) {
        out_of_memory.store(true, std::memory_order_relaxed);
        return;
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
    {
      std::lock_guard lock(mutex_);
      helpers = std::min(helpers, workers_);
      job_ = &job;
      ++generation_;
      wanted_ = helpers;
    }
    posted_.store(generation_, std::memory_order_release);
    if (helpers == 1) {
      wake_.notify_one();
    } else {
      wake_.notify_all();
    }
    job.work();
    {
      // Helpers that have not woken by now are not waited for: they find no job.
      posted_.store(0, std::memory_order_relaxed);
      std::lock_guard lock(mutex_);
      wanted_ = 0;
      job_ = nullptr;
    }
    const auto finished = [this] { return active_.load() == 0; };
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
  void grow(int helpers) {
    while (workers_ < helpers) {
      try {
        std::thread([this] { serve(); }).detach();
      } catch (const std::system_error&) {
        return;  // fewer threads than asked for are slower, not wrong
      }
      ++workers_;
    }
  }

  void serve() {
    uint64_t seen = 0;
    for (;;) {
      // With more helpers than cores, those that look would keep those with work from it.
      if (looking_.fetch_add(1, std::memory_order_relaxed) < spare_cores_)
        look_out([&] {
          const uint64_t posted = posted_.load(std::memory_order_acquire);
          return posted != 0 && posted != seen;
        });
      looking_.fetch_sub(1, std::memory_order_relaxed);
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return wanted_ > 0 && generation_ != seen; });
      seen = generation_;
      --wanted_;
      active_.fetch_add(1);
      Job* job = job_;
      lock.unlock();
      job->work();
      if (active_.fetch_sub(1) == 1 && waiting_.load()) {
        lock.lock();  // the caller has either seen the 0 or sleeps by now
        done_.notify_one();
      }
    }
  }

  std::atomic<bool> busy_{false};
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  uint64_t generation_ = 0;
  std::atomic<uint64_t> posted_{0};   // the generation while helpers may join, for those who look without the lock
  int wanted_ = 0;                    // helpers that may still join the job
  std::atomic<int> active_{0};        // helpers at work
  std::atomic<bool> waiting_{false};  // the caller sleeps until there are none
  std::atomic<int> looking_{0};
  const int spare_cores_ = static_cast<int>(std::thread::hardware_concurrency()) - 1;
  int workers_ = 0;  // only touched by the owner of busy_
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
    Job job{fn, context, n, (n + chunks - 1) / chunks};
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
