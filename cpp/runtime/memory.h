// Host memory for tensors: reference-counted buffers from a size-class cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "abi/backend.h"

namespace ist {

// Drops one of several references; true when it was the last. A sole owner need not count: nobody can take a reference
// meanwhile, and a plain load costs far less than an exclusive one.
inline bool drops_last(std::atomic<uint32_t>& references) {
  return references.load(std::memory_order_acquire) == 1 || references.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

// Owns one reference to an ist_buffer, whoever made it.
class BufferRef {
 public:
  BufferRef() = default;
  // Takes over the reference that the caller holds.
  static BufferRef adopt(ist_buffer* buffer) {
    BufferRef ref;
    ref.buffer_ = buffer;
    return ref;
  }
  static BufferRef share(ist_buffer* buffer) {
    buffer->retain(buffer);
    return adopt(buffer);
  }
  BufferRef(const BufferRef& other) : buffer_(other.buffer_) {
    if (buffer_) buffer_->retain(buffer_);
  }
  BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~BufferRef() {
    if (buffer_) buffer_->release(buffer_);
  }
  ist_buffer* get() const { return buffer_; }
  ist_buffer* operator->() const { return buffer_; }
  explicit operator bool() const { return buffer_ != nullptr; }
  void reset() { *this = BufferRef(); }
  ist_buffer* detach() { return std::exchange(buffer_, nullptr); }

 private:
  ist_buffer* buffer_ = nullptr;
};

namespace memory {

// 64-byte aligned, contents undefined. Raises IST_ERROR_MEMORY naming the size (`op` as in Error) when the limit or the
// machine has no room.
BufferRef allocate(uint64_t nbytes, const char* op = "");
// The same without exceptions, for the C line: NULL when there is no room.
ist_buffer* try_allocate(uint64_t nbytes) noexcept;

// Memory that somebody else made (a mapped file, a NumPy array); `release(context)` runs when the last reference goes,
// on whatever thread that happens.
BufferRef wrap(void* data, uint64_t nbytes, void (*release)(void* context), void* context);

// Is the buffer memory of ours that one reference holds? Then nobody can take another but by that one.
bool has_one_owner(const ist_buffer* buffer);

struct Figures {
  uint64_t active;  // bytes in live buffers of ours
  uint64_t peak;    // highest `active` since the last reset
  uint64_t cache;   // bytes kept for reuse
  uint64_t limit;   // allocations beyond this fail
  uint64_t cache_limit;
};
Figures figures();
void reset_peak();
void clear_cache();
uint64_t set_limit(uint64_t bytes);        // returns the previous one
uint64_t set_cache_limit(uint64_t bytes);  // returns the previous one

}  // namespace memory
}  // namespace ist
