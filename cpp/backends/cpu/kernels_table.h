// What one ISA level offers: a table of function pointers for each *.isa.cpp file. A family states its table in
// <family>_kernels.h, which its kernels and its drivers include. Nothing in these headers may define a function: they
// are compiled with the flags of every level.
#pragma once

#include <cstdint>

#include "abi/backend.h"

// The one symbol that an ISA object exports: ist_cpu_<table>_<level>.
#define IST_ISA_PASTE_(table, level) ist_cpu_##table##_##level
#define IST_ISA_PASTE(table, level) IST_ISA_PASTE_(table, level)
#define IST_ISA_NAME(table) IST_ISA_PASTE(table, IST_ISA)

// Applies X(level, table, Type) to every table.
// clang-format off
#define IST_KERNEL_TABLES(X, level) \
  X(level, unary, UnaryTable) \
  X(level, binary, BinaryTable) \
  X(level, chain, ChainTable) \
  X(level, cast, CastTable) \
  X(level, copy, CopyTable) \
  X(level, index, IndexTable) \
  X(level, reduce, ReduceTable) \
  X(level, arg_reduce, ArgReduceTable) \
  X(level, scan, ScanTable) \
  X(level, row, RowTable) \
  X(level, sort, SortTable) \
  X(level, select, SelectTable) \
  X(level, matmul, MatmulTable) \
  X(level, quantized, QuantizedTable) \
  X(level, conv, ConvTable) \
  X(level, create, CreateTable)
// clang-format on

namespace ist::cpu {

inline constexpr int kDTypes = 14;
inline constexpr int kElementwiseIds = 100;  // ops.def keeps elementwise kernels below

#define IST_DECLARE_TABLE(level, table, Type) struct Type;
IST_KERNEL_TABLES(IST_DECLARE_TABLE, )
#undef IST_DECLARE_TABLE

struct Kernels {
  const char* isa;
#define IST_TABLE_FIELD(level, table, Type) const Type* table;
  IST_KERNEL_TABLES(IST_TABLE_FIELD, )
#undef IST_TABLE_FIELD
  // Is there a gain in asking for many lines at once, those that a cheap op stores to or the operands of a costly one?
  // Intel's processors with AVX-512 gain, AMD's lose, and so do those with AVX2 alone.
  bool asks_for_lines = false;
  // Is memory read faster from several places in turns? AMD's processors with AVX2 alone gain; those with AVX-512 read
  // as much from one place, and a third less from several while others use the memory, too. Others are not measured.
  bool reads_in_turns = true;
  // Do the tiles that first read a panel of B pack it even where it comes from beyond the second-level cache? AMD's
  // processors with AVX-512 gain up to a tenth, Intel's lose, and so do few rows with AVX2.
  bool packs_from_afar = false;
};

}  // namespace ist::cpu
