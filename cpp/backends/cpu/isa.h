// Which ISA level runs: the best one that the machine and its operating system support, or ISTHMUS_CPU_ISA.
#pragma once

#include <cstddef>
#include <vector>

#include "backends/cpu/kernels_table.h"

namespace ist::cpu {

// Chosen once. nullptr when ISTHMUS_CPU_ISA names a level that is unknown or not supported; `message` then says which
// levels there are.
const Kernels* choose_kernels(char* message, size_t message_size);

// The names of the levels that this machine can run, slowest first.
std::vector<const char*> supported_levels();

}  // namespace ist::cpu
