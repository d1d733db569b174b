// How the instructions of a tile program run, and what is asked for ahead.
#include <algorithm>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kShareMin = 512;       // elements that a thread takes at least
constexpr int64_t kTileUnit = 64;        // elements that threads share work in
constexpr int64_t kClaimedBytes = 1024;  // of a result that are asked for at a time
constexpr int64_t kStreamedBytes = 512;  // that are stored past the caches at a time
constexpr int64_t kBytesAhead = 2048;    // of operands that are on their way meanwhile
// Pieces begin where blocks of a chain do, which are alike for all of them.
static_assert(kClaimedBytes % kChainBlockBytes == 0 && kStreamedBytes % kChainBlockBytes == 0);
// Elements times their cost that are worth another thread, one that is awake or one that sleeps.
constexpr int64_t kGrainAwake = 16 * 1024;
constexpr int64_t kGrainAsleep = 64 * 1024;
constexpr int64_t kLongWork = 1024 * 1024;  // from here on it is worth to even out what other processes take

template <int kToWrite>
void ask_for(const char* memory, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(memory + at, kToWrite);
}

// The first `known` bytes again and again.
void repeat(char* memory, int64_t known, int64_t bytes) {
  for (int64_t more; known < bytes; known += more) {
    more = std::min(known, bytes - known);
    std::memcpy(memory + known, memory, static_cast<size_t>(more));
  }
}

}  // namespace

// A chain's operand that is `period` elements again and again, from number `phase` on.
void TileProgram::fill_block(const Register& reg, const char* elements, int64_t period, int64_t phase,
                             char* block) const {
  const bool converts = reg.dtype == IST_BFLOAT16;
  const int log2 = converts ? size_log2(IST_FLOAT32) : reg.log2;
  if (period == 1) {
    alignas(8) char converted[8];
    const void* in[] = {elements};
    if (converts) context_.kernels.cast->fn[reg.dtype][IST_FLOAT32](1, converted, in);
    return context_.kernels.copy->fill[log2](kChainBlockBytes >> log2, block, converts ? converted : elements);
  }
  const int64_t count = kChainBlockBytes >> log2;
  char repeated[2 * kChainBlockBytes];
  std::memcpy(repeated, elements, static_cast<size_t>(period << reg.log2));
  repeat(repeated, period << reg.log2, (count + period) << reg.log2);
  const char* from = repeated + (phase << reg.log2);
  if (converts) {
    const void* in[] = {from};
    context_.kernels.cast->fn[reg.dtype][IST_FLOAT32](count, block, in);
  } else {
    std::memcpy(block, from, kChainBlockBytes);
  }
}

void TileProgram::enter(Frame& frame) const {
  const int64_t buffer_bytes = round_up(tile_ << slot_log2_, kLine);
  const int64_t constant_bytes = n_constants_ * kChainBlockBytes;
  const int64_t piece_bytes = streams_ ? kStreamedBytes : 0;
  const int64_t band_bytes = (buffer_bytes + kLine) * band_rows_;
  const int64_t bytes = constant_bytes + piece_bytes + buffer_bytes * n_buffers_ + band_bytes * n_bands_;
  char* memory = bytes > 0 ? scratch(static_cast<size_t>(bytes)) : nullptr;
  char* constants = memory + buffer_bytes * n_buffers_;
  char* bands = constants + constant_bytes;
  frame.piece = bands + band_bytes * n_bands_;
  for (size_t g = 0; g < gathers_.size(); ++g) frame.filled[g] = {};
  for (uint32_t r = 0; r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place == Place::direct || reg.place == Place::row) continue;
    if (reg.place == Place::banded) {
      frame.at[r] = bands + band_bytes * reg.index;
      continue;
    }
    if (reg.place == Place::constant || reg.place == Place::block) {
      frame.at[r] = constants + reg.index * kChainBlockBytes;
      if (reg.place == Place::constant) fill_block(reg, reg.base, 1, 0, frame.at[r]);
      continue;
    }
    frame.at[r] = memory + reg.index * buffer_bytes;
    if (reg.place == Place::filled) context_.kernels.copy->fill[reg.log2](tile_, frame.at[r], reg.base);
  }
}

void TileProgram::leave() const {
  if (streams_) context_.kernels.copy->end_stream();
}

void TileProgram::load_band(Frame& frame, int64_t row, int64_t n_rows, int64_t column, int64_t n) const {
  for (uint32_t r = 0; r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place != Place::banded) continue;
    const int outer_rank = static_cast<int>(reg.operand->rank) - 2;
    const int64_t step = reg.operand->strides[outer_rank + 1];
    const int64_t outer = offset_at(row / matrix_rows_, outer_rank, reg.operand->shape, reg.operand->strides);
    const char* from = reg.base + (outer + row % matrix_rows_ + column * step) * (int64_t{1} << reg.log2);
    char* band = frame.at[r];
    context_.kernels.copy->transpose[reg.log2](n_rows, n, band, band_pitch(reg.log2), from, step);
  }
}

// Elements [start, start + n) of operand g. What a tile holds already stays.
void TileProgram::load(Frame& frame, size_t g, int64_t start, int64_t n) const {
  const Gather& gather = gathers_[g];
  const Nest<1>& nest = gather.nest;
  const Register& reg = registers_[gather.reg];
  char*& tile = frame.at[gather.reg];
  const auto collect = [&](int64_t first, int64_t count, char* to) {
    context_.kernels.copy->gather[reg.log2](first, count, nest.rank, nest.shape, nest.strides[0], reg.base, to);
  };
  int64_t known = n;
  if (gather.block > 0) {
    // Blocks hold whole periods.
    auto& filled = frame.filled[g];
    const int64_t phase = gather.is_constant() ? 0 : start % gather.period;
    const bool in_block = start >= filled.begin && start + n <= filled.end;
    if (in_block && filled.phase == phase && n <= filled.count) return;
    const int64_t begin = start / gather.block * gather.block;
    if (reg.place == Place::row) {
      const int64_t offset = offset_at(begin / gather.block, gather.outer, nest.shape, nest.strides[0]);
      tile = reg.base + ((offset + phase) * (int64_t{1} << reg.log2));
      return;
    }
    filled = {begin, begin + gather.block, phase, n};
    if (reg.place == Place::constant) {
      filled.count = gather.block;
      char period[kChainBlockBytes];
      collect(begin, gather.period, period);
      return fill_block(reg, period, gather.period, phase, tile);
    }
    // In one block, one period is enough to know the others.
    if (start + n <= filled.end) {
      known = std::min(gather.period, n);
    } else {
      filled.end = begin;
    }
  }
  collect(start, known, tile);
  repeat(tile, known << reg.log2, n << reg.log2);
}

void TileProgram::execute(const Instruction& instruction, int64_t n, char* out, const void* const* in) const {
  if (instruction.n_steps > 0) {
    const ChainFn chain = context_.kernels.chain->fn[instruction.of_bools][instruction.dtype];
    const bool makes_bool = registers_[instruction.out].dtype == IST_BOOL;
    chain(n, out, in, steps_ + instruction.first_step, instruction.n_steps, makes_bool);
  } else if (instruction.fn != nullptr) {
    instruction.fn(n, out, in);
  } else {
    std::memcpy(out, in[0], static_cast<size_t>(n) << instruction.log2);
  }
}

void TileProgram::run(Frame& frame, int64_t start, int64_t n, int64_t band_row) const {
  char* band_at[kMaxOperands];
  for (uint32_t r = 0; r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place == Place::direct) {
      frame.at[r] = reg.base + (start << reg.log2);
    } else if (reg.place == Place::banded) {
      band_at[reg.index] = frame.at[r];
      frame.at[r] += (band_row * band_pitch(reg.log2)) << reg.log2;
    }
  }
  for (uint32_t r = 0; reads_ahead_ && r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.is_read_in_place()) ask_for<0>(frame.at[r] + (n << reg.log2), n << reg.log2);
  }
  for (size_t g = 0; g < gathers_.size(); ++g) load(frame, g, start, n);
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& instruction = instructions_[k];
    const uint16_t* inputs = inputs_ + instruction.first_input;
    char* out = frame.at[instruction.out];
    const void* in[kMaxSteps + 1];
    for (uint32_t j = 0; j < instruction.n_inputs; ++j) in[j] = frame.at[inputs[j]];
    if (!instruction.claims && !instruction.streams) {
      execute(instruction, n, out, in);
      continue;
    }
    // Stores to lines that are in no cache yet wait for each of them in turn; asked for before, they come together.
    const int64_t piece = (instruction.streams ? kStreamedBytes : kClaimedBytes) >> instruction.log2;
    int64_t read = 0;  // bytes of an element's operands
    for (uint32_t j = 0; j < instruction.n_inputs; ++j) {
      const Register& input = registers_[inputs[j]];
      if (input.is_read_in_place()) read += int64_t{1} << input.log2;
    }
    const int64_t ahead = kBytesAhead / std::max<int64_t>(read, 1);
    for (int64_t done = 0; done < n; done += piece) {
      const int64_t count = std::min(piece, n - done), bytes = count << instruction.log2;
      if (instruction.streams) {
        // Operands arrive while pieces before theirs are computed and stored.
        for (uint32_t j = 0; j < instruction.n_inputs; ++j) {
          const Register& input = registers_[inputs[j]];
          if (!input.is_read_in_place()) continue;
          ask_for<0>(static_cast<const char*>(in[j]) + (ahead << input.log2), count << input.log2);
        }
        execute(instruction, count, frame.piece, in);
        context_.kernels.copy->stream(bytes, out, frame.piece);
      } else {
        ask_for<1>(out, bytes);
        execute(instruction, count, out, in);
      }
      out += bytes;
      for (uint32_t j = 0; j < instruction.n_inputs; ++j) {
        const Register& input = registers_[inputs[j]];
        const bool is_block = input.place == Place::constant || input.place == Place::block;
        if (!is_block) in[j] = static_cast<const char*>(in[j]) + (count << input.log2);
      }
    }
  }
  if (n_bands_ == 0) return;
  for (uint32_t r = 0; r < n_registers_; ++r) {
    if (registers_[r].place == Place::banded) frame.at[r] = band_at[registers_[r].index];
  }
}

void TileProgram::run_tiles(Frame& frame, int64_t begin, int64_t end) const {
  int64_t n = 0;
  for (int64_t start = begin; start < end; start += n) {
    n = std::min(length_at(start), end - start);
    run(frame, start, n);
  }
}

namespace {

void run_tiles(const TileProgram& program, int64_t begin, int64_t end) {
  TileProgram::Frame frame;
  program.enter(frame);
  program.run_tiles(frame, begin, end);
  program.leave();
}

void run_bands(const TileProgram& program, int64_t begin, int64_t end) {
  TileProgram::Frame frame;
  program.enter(frame);
  const int64_t rows = program.matrix_rows(), columns = program.matrix_columns();
  const int64_t height = program.band_rows(), bands = divide_up(rows, height);
  for (int64_t band = begin; band < end; ++band) {
    const int64_t first = band % bands * height, row = band / bands * rows + first;
    const int64_t n_rows = std::min(height, rows - first);
    for (int64_t column = 0; column < columns; column += program.tile()) {
      const int64_t n = std::min(program.tile(), columns - column);
      program.load_band(frame, row, n_rows, column, n);
      for (int64_t i = 0; i < n_rows; ++i) program.run(frame, (row + i) * columns + column, n, i);
    }
  }
  program.leave();
}

void run_all(const TileProgram& program, int threads) {
  const int64_t work = program.size() * program.cost();
  const bool alone = threads <= 1 || work < 2 * kGrainAwake;
  const int64_t grain = !alone && helpers_awake() ? kGrainAwake : kGrainAsleep;
  if (program.band_rows() > 0) {
    const int64_t matrices = program.size() / (program.matrix_rows() * program.matrix_columns());
    const int64_t bands = matrices * divide_up(program.matrix_rows(), program.band_rows());
    parallel_for(alone ? 1 : threads, bands, 1 + grain * bands / work,
                 [&](int64_t begin, int64_t end) { run_bands(program, begin, end); });
  } else {
    // No two threads write to a cache line, and ranges begin where vectors are aligned.
    const int64_t n = program.size(), units = divide_up(n, kTileUnit);
    parallel_for(
        alone ? 1 : threads, units, std::max<int64_t>(kShareMin, grain / program.cost()) / kTileUnit,
        [&](int64_t begin, int64_t end) { run_tiles(program, begin * kTileUnit, std::min(n, end * kTileUnit)); },
        work < kLongWork ? 1 : 4);
  }
}

}  // namespace

void run_elementwise(const Context& context, uint32_t first, uint32_t end) {
  const ist_node& node = node_at(context.program, first);
  if (element_count(static_cast<int>(node.output.rank), node.output.shape) == 0) return;
  // A lone copy knows better ways than tiles.
  if (end == first + 1 && node.op == static_cast<uint32_t>(Op::contiguous)) return run_contiguous({context, node});
  const auto plan = [](TileProgram& program) { program.finish(); };
  run_planned(context, first, end, end - 1, plan,
              [&](const TileProgram& program) { run_all(program, context.threads); });
}

}  // namespace ist::cpu
