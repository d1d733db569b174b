// Caches: what all machines have in common, and what this one says of its own.
#pragma once

#include <cstdint>

namespace ist::cpu {

inline constexpr int64_t kLine = 64;  // bytes that caches fetch at a time

// Bytes of the data cache of this level, 1 to 3; 0 where the machine does not say.
int64_t cache_size(int level);

// Is a result in no cache when it is read, so that it may as well go past them? `touched` are its bytes and those of
// all that is read for it: what goes through the last cache leaves nothing of the result's start there.
bool outlasts_caches(int64_t bytes, int64_t touched);

}  // namespace ist::cpu
