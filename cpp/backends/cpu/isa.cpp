#include "backends/cpu/isa.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define IST_DECLARE_LEVEL(level)                                    \
  extern "C" const ist::cpu::UnaryTable* ist_cpu_unary_##level();   \
  extern "C" const ist::cpu::BinaryTable* ist_cpu_binary_##level(); \
  extern "C" const ist::cpu::CastTable* ist_cpu_cast_##level();     \
  extern "C" const ist::cpu::CopyTable* ist_cpu_copy_##level();     \
  extern "C" const ist::cpu::ReduceTable* ist_cpu_reduce_##level(); \
  extern "C" const ist::cpu::RowTable* ist_cpu_row_##level();       \
  extern "C" const ist::cpu::MatmulTable* ist_cpu_matmul_##level();

#define IST_KERNELS_OF(level, name)                                                                          \
  Kernels {                                                                                                  \
    name, ist_cpu_unary_##level(), ist_cpu_binary_##level(), ist_cpu_cast_##level(), ist_cpu_copy_##level(), \
        ist_cpu_reduce_##level(), ist_cpu_row_##level(), ist_cpu_matmul_##level()                            \
  }

#if defined(__x86_64__)
IST_DECLARE_LEVEL(v1)
IST_DECLARE_LEVEL(v3)
IST_DECLARE_LEVEL(v4)
#else
IST_DECLARE_LEVEL(neon)
#endif

namespace ist::cpu {
namespace {

struct Level {
  const char* name;
  bool supported;
  Kernels (*kernels)();
};

#if defined(__x86_64__)

uint64_t enabled_state() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// The psABI's list of features for a level, and that the operating system saves the registers.
void detect(bool& v3, bool& v4) {
  v3 = v4 = false;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return;
  const uint32_t base = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C | bit_SSE4_2 | bit_POPCNT;
  if ((c & base) != base) return;
  const uint64_t state = enabled_state();
  uint32_t b7 = 0;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c, &d)) return;
  if (!__get_cpuid(0x80000001u, &a, &b, &c, &d)) return;
  const uint32_t avx2 = bit_AVX2 | bit_BMI | bit_BMI2;
  v3 = (state & 0x6) == 0x6 && (b7 & avx2) == avx2 && (c & bit_LZCNT) != 0;
  const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
  v4 = v3 && (state & 0xe6) == 0xe6 && (b7 & avx512) == avx512;
}

struct Levels {
  Level list[3];
  Levels() {
    bool v3 = false, v4 = false;
    detect(v3, v4);
    list[0] = {"x86-64", true, [] { return IST_KERNELS_OF(v1, "x86-64"); }};
    list[1] = {"x86-64-v3", v3, [] { return IST_KERNELS_OF(v3, "x86-64-v3"); }};
    list[2] = {"x86-64-v4", v4, [] { return IST_KERNELS_OF(v4, "x86-64-v4"); }};
  }
};

#else

struct Levels {
  Level list[1] = {{"neon", true, [] { return IST_KERNELS_OF(neon, "neon"); }}};
};

#endif

struct Choice {
  Kernels kernels{};
  bool ok = false;
  std::string message;

  Choice() {
    const Levels levels;
    const char* wanted = std::getenv("ISTHMUS_CPU_ISA");
    const Level* chosen = nullptr;
    std::string known, supported;
    for (const Level& level : levels.list) {
      known += (known.empty() ? "" : ", ") + std::string(level.name);
      if (level.supported) supported += (supported.empty() ? "" : ", ") + std::string(level.name);
      const bool matches = wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, level.name) == 0;
      if (level.supported && matches) chosen = &level;
    }
    if (chosen) {
      kernels = chosen->kernels();
      ok = true;
    } else {
      message = "ISTHMUS_CPU_ISA=" + std::string(wanted) + " cannot be used: the levels are " + known +
                "; this machine supports " + supported;
    }
  }
};

}  // namespace

const Kernels* choose_kernels(char* message, size_t message_size) {
  static const Choice choice;
  if (choice.ok) return &choice.kernels;
  std::snprintf(message, message_size, "%s", choice.message.c_str());
  return nullptr;
}

std::vector<const char*> supported_levels() {
  const Levels levels;
  std::vector<const char*> names;
  for (const Level& level : levels.list)
    if (level.supported) names.push_back(level.name);
  return names;
}

}  // namespace ist::cpu
