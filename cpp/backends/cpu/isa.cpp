#include "backends/cpu/isa.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "backends/cpu/matmul_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define IST_DECLARE_GETTER(level, table, Type) extern "C" const ist::cpu::Type* ist_cpu_##table##_##level();
#define IST_GET_TABLE(level, table, Type) , ist_cpu_##table##_##level()
#define IST_KERNELS_OF(level, name) \
  Kernels { name IST_KERNEL_TABLES(IST_GET_TABLE, level) }

#if defined(__x86_64__)
IST_KERNEL_TABLES(IST_DECLARE_GETTER, v1)
IST_KERNEL_TABLES(IST_DECLARE_GETTER, v3)
IST_KERNEL_TABLES(IST_DECLARE_GETTER, v4)
// Levels that differ from v4 where bfloat16 numbers are multiplied.
IST_DECLARE_GETTER(v4_bf16, matmul_bf16, MatmulKernels)
IST_DECLARE_GETTER(v4_amx, matmul_bf16, MatmulKernels)
#else
IST_KERNEL_TABLES(IST_DECLARE_GETTER, neon)
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

struct Features {
  bool v3 = false, v4 = false, v4_bf16 = false, v4_amx = false;
};

// Linux hands out the registers of AMX on request only, to the whole process.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// The psABI's list of features for a level, and that the operating system saves the registers.
Features detect() {
  Features found;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const uint32_t base = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C | bit_SSE4_2 | bit_POPCNT;
  if ((c & base) != base) return found;
  const uint64_t state = enabled_state();
  uint32_t b7 = 0, d7 = 0;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c, &d7)) return found;
  if (!__get_cpuid(0x80000001u, &a, &b, &c, &d)) return found;
  const uint32_t avx2 = bit_AVX2 | bit_BMI | bit_BMI2;
  found.v3 = (state & 0x6) == 0x6 && (b7 & avx2) == avx2 && (c & bit_LZCNT) != 0;
  const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
  found.v4 = found.v3 && (state & 0xe6) == 0xe6 && (b7 & avx512) == avx512;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) found.v4_bf16 = found.v4 && (a & bit_AVX512BF16) != 0;
  constexpr uint32_t amx = 1u << 24 | 1u << 22;  // AMX-TILE and AMX-BF16; clang's header does not name them
  found.v4_amx = found.v4_bf16 && (state & 0x60000) == 0x60000 && (d7 & amx) == amx && may_use_tiles();
  return found;
}

bool is_intel() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0, &a, &b, &c, &d) != 0 && b == signature_INTEL_ebx;
}

Kernels v4_kernels() {
  Kernels kernels = IST_KERNELS_OF(v4, "x86-64-v4");
  kernels.asks_for_lines = kernels.reads_in_turns = is_intel();
  kernels.packs_from_afar = !is_intel();
  return kernels;
}

// Chosen once, hence the table that is put together here.
Kernels v4_kernels(const char* name, const MatmulKernels* bfloat16) {
  Kernels kernels = v4_kernels();
  kernels.isa = name;
  static MatmulTable matmul;
  matmul = *kernels.matmul;
  matmul.of[IST_BFLOAT16 - IST_FLOAT16] = *bfloat16;
  kernels.matmul = &matmul;
  return kernels;
}

struct Levels {
  Level list[5];
  Levels() {
    const Features found = detect();
    list[0] = {"x86-64", true, [] { return IST_KERNELS_OF(v1, "x86-64"); }};
    list[1] = {"x86-64-v3", found.v3, [] { return IST_KERNELS_OF(v3, "x86-64-v3"); }};
    list[2] = {"x86-64-v4", found.v4, [] { return v4_kernels(); }};
    list[3] = {"x86-64-v4-bf16", found.v4_bf16,
               [] { return v4_kernels("x86-64-v4-bf16", ist_cpu_matmul_bf16_v4_bf16()); }};
    list[4] = {"x86-64-v4-amx", found.v4_amx, [] { return v4_kernels("x86-64-v4-amx", ist_cpu_matmul_bf16_v4_amx()); }};
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
