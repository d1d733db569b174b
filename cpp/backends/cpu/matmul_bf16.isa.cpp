// Kernels of bfloat16 products for CPUs with instructions for them: compiled for their levels alone.
#if defined(__AMX_BF16__)
#include "backends/cpu/matmul_bf16_amx.h"
#else
#include "backends/cpu/matmul_bf16_vectors.h"
#endif

extern "C" const ist::cpu::MatmulKernels* IST_ISA_NAME(matmul_bf16)() { return &ist::cpu::bfloat16_kernels; }
