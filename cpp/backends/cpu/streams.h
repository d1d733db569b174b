// Reading long operands from several places in turns. What fetches memory ahead of a core follows each place by itself,
// so one place alone may get it no more than half or three quarters of what it can read. Kernels::reads_in_turns says
// where that is so.
#pragma once

#include <cstdint>
#include <cstring>

namespace ist::cpu {

inline constexpr int64_t kStreamedBlocks = 64;  // of all places, before they move on
// Bytes of all that is read, from which on it comes from memory. In cache several places are up to a third slower.
inline constexpr int64_t kFromMemory = 4 * 1024 * 1024;

// The results of kPlaces times `each` blocks, the first `each` of which are in the first place. rows(b, to) makes those
// of block b in every place, of at most 8 bytes each.
template <int64_t kPlaces, class Rows>
void reduce_streams(int64_t each, int64_t result_bytes, char* results, Rows&& rows) {
  for (int64_t b = 0; b < each; ++b) {
    alignas(8) char some[kPlaces * 8];
    rows(b, some);
    for (int64_t s = 0; s < kPlaces; ++s) {
      std::memcpy(results + (s * each + b) * result_bytes, some + s * result_bytes, static_cast<size_t>(result_bytes));
    }
  }
}

}  // namespace ist::cpu
