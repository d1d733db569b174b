// What the machine says of its caches.
#pragma once

#include <cstdint>

namespace ist::cpu {

// Bytes of the data cache of this level, 1 to 3; 0 where the machine does not say.
int64_t cache_size(int level);

}  // namespace ist::cpu
