#include "runtime/memory.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>

#include "runtime/error.h"

namespace ist::memory {
namespace {

// One allocation: this header, padded to 128 bytes, then the data. The last 16 bytes before the data stay unused: some
// backends keep a header of their own there.
struct HostBuffer {
  ist_buffer abi;
  std::atomic<uint32_t> references;
  uint32_t size_class;
  uint64_t capacity;
  HostBuffer* next;  // in the cache
};
constexpr size_t kHeader = 128;
constexpr size_t kHugePage = 2 << 20;
static_assert(sizeof(HostBuffer) + 16 <= kHeader);

// Eight sizes for each power of two from 64 bytes on: at most an eighth of a buffer is unused.
constexpr int kSteps = 8;
constexpr int kClasses = kSteps * 48;

uint32_t size_class(uint64_t nbytes) {
  if (nbytes <= 64) return 0;
  const uint64_t n = nbytes - 1;
  const int exponent = 63 - std::countl_zero(n);
  const uint64_t step = (n >> (exponent - 3)) & (kSteps - 1);
  return static_cast<uint32_t>((exponent - 6) * kSteps + static_cast<int>(step) + 1);
}

uint64_t class_capacity(uint32_t size_class) {
  const uint64_t base = uint64_t{64} << (size_class / kSteps);
  const uint64_t capacity = base + base / kSteps * (size_class % kSteps);
  return (capacity + 63) / 64 * 64;
}

constexpr uint64_t kLargest = uint64_t{64} << (kClasses / kSteps - 1);

uint64_t physical_memory() {
  const auto pages = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES));
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

class Pool {
 public:
  Pool() : limit_(physical_memory()), cache_limit_(limit_ / 4) {}

  HostBuffer* allocate(uint64_t nbytes) noexcept {
    if (nbytes > kLargest) return nullptr;
    const uint32_t wanted = size_class(nbytes);
    const uint64_t capacity = class_capacity(wanted);
    HostBuffer* buffer = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (nbytes > limit_ || active_ + capacity > limit_) return nullptr;
      buffer = reuse(wanted);
      if (buffer) count(capacity);
    }
    if (!buffer) {
      buffer = fresh(wanted, capacity);
      if (!buffer) return nullptr;
      const std::lock_guard lock(mutex_);
      count(capacity);
    }
    buffer->abi.nbytes = nbytes;
    buffer->references.store(1, std::memory_order_relaxed);
    return buffer;
  }

  void recycle(HostBuffer* buffer) noexcept {
    {
      const std::lock_guard lock(mutex_);
      active_ -= buffer->capacity;
      if (buffer->capacity <= cache_limit_) {
        buffer->next = free_[buffer->size_class];
        free_[buffer->size_class] = buffer;
        cache_ += buffer->capacity;
        shrink(cache_limit_);
        return;
      }
    }
    std::free(buffer);
  }

  void clear_cache() {
    const std::lock_guard lock(mutex_);
    shrink(0);
  }

  Figures figures() {
    const std::lock_guard lock(mutex_);
    return {active_, peak_, cache_, limit_, cache_limit_};
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    peak_ = active_;
  }
  uint64_t set_limit(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    return std::exchange(limit_, bytes);
  }
  uint64_t set_cache_limit(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    shrink(bytes);
    return std::exchange(cache_limit_, bytes);
  }

 private:
  HostBuffer* reuse(uint32_t wanted) noexcept {
    HostBuffer* buffer = free_[wanted];
    if (!buffer) return nullptr;
    free_[wanted] = buffer->next;
    cache_ -= buffer->capacity;
    return buffer;
  }
  void count(uint64_t capacity) noexcept {
    active_ += capacity;
    peak_ = std::max(peak_, active_);
  }

  HostBuffer* fresh(uint32_t wanted, uint64_t capacity) noexcept;

  // Frees from the largest size class down until at most `bytes` are cached: few frees, and large buffers are the least
  // likely to be asked for again in just their size.
  void shrink(uint64_t bytes) noexcept {
    for (int i = kClasses - 1; i >= 0 && cache_ > bytes; --i) {
      while (free_[i] && cache_ > bytes) {
        HostBuffer* buffer = std::exchange(free_[i], free_[i]->next);
        cache_ -= buffer->capacity;
        std::free(buffer);
      }
    }
  }

  std::mutex mutex_;  // for all that follows
  std::array<HostBuffer*, kClasses> free_{};
  uint64_t active_ = 0;
  uint64_t peak_ = 0;
  uint64_t limit_;
  uint64_t cache_ = 0;
  uint64_t cache_limit_;
};

// Never destroyed: tensors held by other statics may be released after ours would be.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

void retain_host(ist_buffer* buffer) {
  reinterpret_cast<HostBuffer*>(buffer)->references.fetch_add(1, std::memory_order_relaxed);
}
void release_host(ist_buffer* buffer) {
  auto* host = reinterpret_cast<HostBuffer*>(buffer);
  if (drops_last(host->references)) pool().recycle(host);
}

HostBuffer* Pool::fresh(uint32_t wanted, uint64_t capacity) noexcept {
  const bool large = capacity >= 2 * kHugePage;
  const size_t alignment = large ? kHugePage : 64;
  const size_t size = (kHeader + capacity + alignment - 1) / alignment * alignment;
  void* raw = std::aligned_alloc(alignment, size);
  if (!raw) {
    clear_cache();
    raw = std::aligned_alloc(alignment, size);
  }
  if (!raw) return nullptr;
#if defined(__linux__)
  // The first touch of each small page costs more than the arithmetic that fills it.
  if (large) madvise(raw, size, MADV_HUGEPAGE);
#endif
  auto* buffer = new (raw) HostBuffer{};
  buffer->abi.struct_size = sizeof(ist_buffer);
  buffer->abi.data = static_cast<char*>(raw) + kHeader;
  buffer->abi.retain = retain_host;
  buffer->abi.release = release_host;
  buffer->size_class = wanted;
  buffer->capacity = capacity;
  return buffer;
}

struct WrappedBuffer {
  ist_buffer abi;
  std::atomic<uint32_t> references;
  void (*release)(void*);
  void* context;
};

void retain_wrapped(ist_buffer* buffer) {
  reinterpret_cast<WrappedBuffer*>(buffer)->references.fetch_add(1, std::memory_order_relaxed);
}
void release_wrapped(ist_buffer* buffer) {
  auto* wrapped = reinterpret_cast<WrappedBuffer*>(buffer);
  if (!drops_last(wrapped->references)) return;
  if (wrapped->release) wrapped->release(wrapped->context);
  delete wrapped;
}

}  // namespace

ist_buffer* try_allocate(uint64_t nbytes) noexcept {
  HostBuffer* buffer = pool().allocate(nbytes);
  return buffer ? &buffer->abi : nullptr;
}

BufferRef allocate(uint64_t nbytes, const char* op) {
  ist_buffer* buffer = try_allocate(nbytes);
  if (!buffer) {
    const Figures now = figures();
    fail(Code::memory, op, "cannot allocate ", nbytes, " bytes: ", now.active, " are in use and the limit is ",
         now.limit);
  }
  return BufferRef::adopt(buffer);
}

BufferRef wrap(void* data, uint64_t nbytes, void (*release)(void*), void* context) {
  auto* buffer = new WrappedBuffer{};
  buffer->abi = {sizeof(ist_buffer), 0, data, nbytes, retain_wrapped, release_wrapped};
  buffer->references.store(1, std::memory_order_relaxed);
  buffer->release = release;
  buffer->context = context;
  return BufferRef::adopt(&buffer->abi);
}

bool has_one_owner(const ist_buffer* buffer) {
  if (buffer->release != release_host) return false;
  return reinterpret_cast<const HostBuffer*>(buffer)->references.load(std::memory_order_acquire) == 1;
}

Figures figures() { return pool().figures(); }
void reset_peak() { pool().reset_peak(); }
void clear_cache() { pool().clear_cache(); }
uint64_t set_limit(uint64_t bytes) { return pool().set_limit(bytes); }
uint64_t set_cache_limit(uint64_t bytes) { return pool().set_cache_limit(bytes); }

}  // namespace ist::memory
