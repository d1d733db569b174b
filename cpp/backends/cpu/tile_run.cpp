// How the instructions of a tile program run: how long tiles are, where their buffers lie, what is asked for ahead.
#include <algorithm>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/threads.h"
#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kTileMin = 512;
constexpr int64_t kTileMax = 4096;
constexpr int64_t kTileAhead = 512;         // more lines than so many elements have cannot be on their way together
constexpr int64_t kUnit = 64;               // elements that threads share work in
constexpr int64_t kCacheBytes = 16 * 1024;  // of tile buffers
// Bytes of a result that are in no first-level cache, which matters to a lone addition, or in no second-level one.
constexpr int64_t kClaimFrom = 32 * 1024;
constexpr int64_t kClaimFromMemory = 1024 * 1024;
constexpr int64_t kStreamFrom = 32 * 1024 * 1024;  // in no cache at all when the result is read
constexpr int64_t kPieceBytes = 1024;              // that are asked for, or streamed, at a time
constexpr int64_t kCostly = 8;                     // additions, in whose time the operands of the next tile arrive
constexpr int64_t kLine = 64;
constexpr int64_t kBandBytes = 64;  // of neighbours in memory that a band reads together
constexpr int64_t kBandColumns = 1024;
// Elements times their cost that are worth another thread, one that is awake or one that sleeps.
constexpr int64_t kGrainAwake = 16 * 1024;
constexpr int64_t kGrainAsleep = 64 * 1024;
constexpr int64_t kLongWork = 1024 * 1024;  // from here on it is worth to even out what other processes take

template <int kToWrite>
void ask_for(const char* memory, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += kLine) __builtin_prefetch(memory + at, kToWrite);
}

}  // namespace

// Columns of this operand are rows in memory: reading it row by row would use a few bytes of each cache line.
bool TileProgram::lies_across(const Register& reg) const {
  return rank_ >= 2 && reg.strides[rank_ - 2] == 1 && shape_[rank_ - 2] >= 8 && shape_[rank_ - 1] >= 8 &&
         reg.strides[rank_ - 1] != 0 && reg.strides[rank_ - 1] != 1;
}

// Scalars that only steps of chains read need no tile, but as much as a step reads at a time.
void TileProgram::shorten_constants() {
  bool needs_tile[kMaxRegisters] = {};
  if (asked_ < kMaxRegisters) needs_tile[asked_] = true;
  const auto is_operand_of_step = [](const Instruction& made, uint32_t j) { return made.n_steps > 0 && j > 0; };
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    for (uint32_t j = 0; j < made.n_inputs; ++j) {
      if (!is_operand_of_step(made, j)) needs_tile[inputs_[made.first_input + j]] = true;
    }
  }
  for (uint32_t r = 0; r < n_registers_; ++r) {
    if (registers_[r].place != Place::filled || needs_tile[r]) continue;
    registers_[r].place = Place::constant;
    registers_[r].index = static_cast<uint16_t>(n_constants_++);
  }
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    for (uint32_t s = 0; s < made.n_steps; ++s) {
      const Register& operand = registers_[inputs_[made.first_input + 1 + s]];
      steps_[made.first_step + s].constant = operand.place == Place::constant;
    }
  }
}

// What arithmetic waits for memory less has time to fetch the lines that it writes.
void TileProgram::choose_stores(bool may_stream) {
  may_stream &= cost_ <= kCostly;
  const int64_t claim_from = n_instructions_ == 1 ? kClaimFrom : kClaimFromMemory;
  bool is_read[kMaxRegisters] = {};
  for (uint32_t k = n_instructions_; k-- > 0;) {
    Instruction& made = instructions_[k];
    const Register& result = registers_[made.out];
    const int64_t bytes = result.place == Place::direct ? n_ << result.log2 : 0;
    made.streams = may_stream && bytes >= kStreamFrom && !is_read[made.out];
    made.claims &= bytes >= claim_from && !made.streams;
    streams_ |= made.streams;
    for (uint32_t j = 0; j < made.n_inputs; ++j) is_read[inputs_[made.first_input + j]] = true;
  }
}

void TileProgram::finish(int64_t tile) {
  shorten_constants();
  // Operands that need a tile of their own come after the slots in a thread's scratch, then constants, then bands.
  n_buffers_ = n_slots_;
  const bool may_band = tile == 0;
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (reg.place != Place::filled && reg.place != Place::gathered) continue;
    slot_log2_ = std::max<int>(slot_log2_, reg.log2);
    if (may_band && reg.place == Place::gathered && lies_across(reg)) {
      reg.place = Place::banded;
      reg.index = static_cast<uint16_t>(n_bands_++);
      band_rows_ = std::max(band_rows_, std::min<int64_t>(shape_[rank_ - 2], kBandBytes >> reg.log2));
      continue;
    }
    reg.index = static_cast<uint16_t>(n_buffers_++);
    if (reg.place != Place::gathered) continue;
    Nest<1>& nest = gathers_.emplace_back(Gather{r, {}}).nest;
    for (int i = 0; i < rank_; ++i) nest.add(shape_[i], reg.strides[i]);
  }
  choose_stores(tile == 0);
  reads_ahead_ = cost_ > kCostly && n_ * bytes_ >= 2 * kClaimFromMemory;
  tile_ = tile;
  if (band_rows_ > 0) {
    tile_ = std::min(shape_[rank_ - 1], kBandColumns);
  } else if (tile == 0) {
    // Wholly in place, a tile may be as long as a thread's range.
    tile_ = n_;
    if (n_buffers_ > 0 || n_instructions_ > 1) {
      tile_ = reads_ahead_ ? kTileAhead : kTileMax;
      while (tile_ > kTileMin && (tile_ * n_buffers_ << slot_log2_) > kCacheBytes) tile_ /= 2;
      tile_ = std::min(tile_, n_);
    }
  }
}

void TileProgram::enter(Frame& frame) const {
  const int64_t buffer_bytes = ((tile_ << slot_log2_) + 63) / 64 * 64;
  const int64_t constant_bytes = n_constants_ * kChainBlockBytes;
  const int64_t piece_bytes = streams_ ? kPieceBytes : 0;
  const int64_t bytes = constant_bytes + piece_bytes + buffer_bytes * (n_buffers_ + n_bands_ * band_rows_);
  char* memory = bytes > 0 ? scratch(static_cast<size_t>(bytes)) : nullptr;
  char* constants = memory + buffer_bytes * n_buffers_;
  char* bands = constants + constant_bytes;
  frame.piece = bands + buffer_bytes * (n_bands_ * band_rows_);
  for (uint32_t r = 0; r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place == Place::direct) continue;
    if (reg.place == Place::banded) {
      frame.at[r] = bands + buffer_bytes * (reg.index * band_rows_);
      continue;
    }
    if (reg.place == Place::constant) {
      frame.at[r] = constants + reg.index * kChainBlockBytes;
      context_.kernels.copy->fill[reg.log2](kChainBlockBytes >> reg.log2, frame.at[r], reg.base);
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
    const int64_t rows = shape_[rank_ - 2], step = reg.strides[rank_ - 1];
    const int64_t outer = offset_at(row / rows, rank_ - 2, shape_, reg.strides);
    const char* from = reg.base + (outer + row % rows + column * step) * (int64_t{1} << reg.log2);
    char* band = frame.at[r];
    context_.kernels.copy->transpose[reg.log2](n_rows, n, band, tile_, from, step);
  }
}

void TileProgram::execute(const Instruction& instruction, int64_t n, char* out, const void* const* in) const {
  if (instruction.n_steps > 0) {
    const ChainFn chain = context_.kernels.chain->fn[registers_[instruction.out].dtype];
    chain(n, out, in, steps_ + instruction.first_step, instruction.n_steps);
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
      frame.at[r] += (band_row * tile_) << reg.log2;
    }
  }
  for (uint32_t r = 0; reads_ahead_ && r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place == Place::direct && reg.strides != nullptr) ask_for<0>(frame.at[r] + (n << reg.log2), n << reg.log2);
  }
  for (const Gather& gather : gathers_) {
    const Register& reg = registers_[gather.reg];
    context_.kernels.copy->gather[reg.log2](start, n, gather.nest.rank, gather.nest.shape, gather.nest.strides[0],
                                            reg.base, frame.at[gather.reg]);
  }
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& instruction = instructions_[k];
    const uint16_t* inputs = inputs_ + instruction.first_input;
    char* out = frame.at[instruction.out];
    const void* in[kMaxRunNodes + 1];
    for (uint32_t j = 0; j < instruction.n_inputs; ++j) in[j] = frame.at[inputs[j]];
    if (!instruction.claims && !instruction.streams) {
      execute(instruction, n, out, in);
      continue;
    }
    // Stores to lines that are in no cache yet wait for each of them in turn; asked for before, they come together.
    const int64_t piece = kPieceBytes >> instruction.log2;
    for (int64_t done = 0; done < n; done += piece) {
      const int64_t count = std::min(piece, n - done), bytes = count << instruction.log2;
      if (instruction.streams) {
        execute(instruction, count, frame.piece, in);
        context_.kernels.copy->stream(bytes, out, frame.piece);
      } else {
        ask_for<1>(out, bytes);
        execute(instruction, count, out, in);
      }
      out += bytes;
      for (uint32_t j = 0; j < instruction.n_inputs; ++j) {
        const Register& input = registers_[inputs[j]];
        if (input.place != Place::constant) in[j] = static_cast<const char*>(in[j]) + (count << input.log2);
      }
    }
  }
  if (n_bands_ == 0) return;
  for (uint32_t r = 0; r < n_registers_; ++r) {
    if (registers_[r].place == Place::banded) frame.at[r] = band_at[registers_[r].index];
  }
}

namespace {

void run_tiles(const TileProgram& program, int64_t begin, int64_t end) {
  TileProgram::Frame frame;
  program.enter(frame);
  for (int64_t start = begin; start < end; start += program.tile()) {
    program.run(frame, start, std::min(program.tile(), end - start));
  }
  program.leave();
}

void run_bands(const TileProgram& program, int64_t rows, int64_t columns, int64_t begin, int64_t end) {
  TileProgram::Frame frame;
  program.enter(frame);
  const int64_t height = program.band_rows(), bands = (rows + height - 1) / height;
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

}  // namespace

void run_elementwise(const Context& context, uint32_t first, uint32_t end) {
  const ist_node& node = node_at(context.program, first);
  const int rank = static_cast<int>(node.output.rank);
  const int64_t* shape = node.output.shape;
  if (element_count(rank, shape) == 0) return;
  // A lone copy knows better ways than tiles.
  if (end == first + 1 && node.op == static_cast<uint32_t>(Op::contiguous)) return run_contiguous({context, node});
  TileProgram program(context, first, end, end - 1);
  program.finish(0);
  const int64_t work = program.size() * program.cost();
  const bool alone = context.threads <= 1 || work < 2 * kGrainAwake;
  const int64_t grain = !alone && helpers_awake() ? kGrainAwake : kGrainAsleep;
  if (program.band_rows() > 0) {
    const int64_t rows = shape[rank - 2], columns = shape[rank - 1];
    const int64_t bands = program.size() / (rows * columns) * ((rows + program.band_rows() - 1) / program.band_rows());
    parallel_for(alone ? 1 : context.threads, bands, 1 + grain * bands / work,
                 [&](int64_t begin, int64_t end) { run_bands(program, rows, columns, begin, end); });
  } else {
    // No two threads write to a cache line, and ranges begin where vectors are aligned.
    const int64_t n = program.size(), units = (n + kUnit - 1) / kUnit;
    parallel_for(
        alone ? 1 : context.threads, units, std::max<int64_t>(kTileMin, grain / program.cost()) / kUnit,
        [&](int64_t begin, int64_t end) { run_tiles(program, begin * kUnit, std::min(n, end * kUnit)); },
        work < kLongWork ? 1 : 4);
  }
}

}  // namespace ist::cpu
