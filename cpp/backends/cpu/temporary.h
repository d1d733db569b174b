// Memory of one call that its threads share. (What a thread needs for itself is scratch(), see threads.h.)
#pragma once

#include "backends/cpu/call.h"

namespace ist::cpu {

class Temporary {
 public:
  Temporary() = default;
  Temporary(const Temporary&) = delete;
  ~Temporary() {
    if (buffer_ != nullptr) buffer_->release(buffer_);
  }

  // At most once. Raises Code::memory.
  char* make(const Call& call, int64_t nbytes);
  // The same, filled with the elements of `view` in row-major order.
  char* make_copy(const Call& call, const View& view);
  // The same; float16 and bfloat16 become float32.
  char* make_row_major(const Call& call, const View& view);

 private:
  ist_buffer* buffer_ = nullptr;
};

}  // namespace ist::cpu
