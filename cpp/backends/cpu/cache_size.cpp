#include "backends/cpu/cache_size.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ist::cpu {
namespace {

// sysconf() adds up all third-level caches of an AMD processor, of which a core has one.
int64_t asked_size([[maybe_unused]] int level) {
#if defined(__x86_64__)
  constexpr unsigned kLeaves[] = {0x8000001d, 4};  // AMD's, Intel's
  constexpr unsigned kInstructions = 2;            // the type of a cache that holds no data
  for (const unsigned leaf : kLeaves) {
    unsigned a, b, c, d;
    for (unsigned i = 0; __get_cpuid_count(leaf, i, &a, &b, &c, &d) != 0 && (a & 0x1f) != 0; ++i) {
      if ((a & 0x1f) == kInstructions || static_cast<int>(a >> 5 & 7) != level) continue;
      const int64_t ways = (b >> 22) + 1, partitions = (b >> 12 & 0x3ff) + 1, line = (b & 0xfff) + 1;
      return ways * partitions * line * (int64_t{c} + 1);
    }
  }
#endif
  return 0;
}

}  // namespace

// Asking takes tens of microseconds in a virtual machine.
int64_t cache_size(int level) {
  static const int64_t sizes[] = {asked_size(1), asked_size(2), asked_size(3)};
  return sizes[level - 1];
}

bool outlasts_caches(int64_t bytes, int64_t touched) {
  constexpr int64_t kAnyway = 24 * 1024 * 1024, kLeast = 16 * 1024 * 1024;
  const int64_t last = cache_size(3);
  return bytes >= kAnyway || (bytes >= kLeast && last > 0 && touched >= last + last / 2);
}

}  // namespace ist::cpu
