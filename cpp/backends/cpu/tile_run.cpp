// How the instructions of a tile program run: how long tiles are, where their buffers lie, what is asked for ahead.
#include <algorithm>
#include <numeric>

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
constexpr int64_t kVector = 16;             // elements, at most
constexpr int64_t kCacheBytes = 16 * 1024;  // of tile buffers
// Bytes of a result that are in no first-level cache, which matters to a lone addition, or in no second-level one.
constexpr int64_t kClaimFrom = 32 * 1024;
constexpr int64_t kClaimFromMemory = 1024 * 1024;
constexpr int64_t kStreamFrom = 24 * 1024 * 1024;  // in no cache at all when the result is read
constexpr int64_t kPieceBytes = 1024;              // that are asked for, or streamed, at a time
constexpr int64_t kCostly = 8;                     // additions, in whose time the operands of the next tile arrive
constexpr int64_t kLine = 64;
constexpr int64_t kBandBytes = 64;  // of neighbours in memory that a band reads together
constexpr int64_t kBandColumns = 1024;
constexpr int64_t kPeriodMax = 1024;  // elements that are repeated in a tile; longer rows are read where they are
constexpr int64_t kBlockMin = 256;    // elements for which it is worth to end a tile
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
  constexpr int64_t kLeast = 8;
  if (reg.place != Place::gathered || reg.operand->rank < 2) return false;
  const int64_t* shape = reg.operand->shape + reg.operand->rank - 2;
  const int64_t* strides = reg.operand->strides + reg.operand->rank - 2;
  return strides[0] == 1 && strides[1] != 0 && strides[1] != 1 && shape[0] >= kLeast && shape[1] >= kLeast;
}

void TileProgram::Gather::find_repetition() {
  int64_t inner = 1;
  for (int i = nest.rank; i-- > 0; inner *= nest.shape[i]) {
    if (nest.strides[0][i] != 0 || inner * nest.shape[i] < kBlockMin) continue;
    const bool is_dense_row = i == nest.rank - 2 && nest.strides[0][i + 1] == 1;
    if (inner > kPeriodMax && !is_dense_row) continue;
    outer = i;
    period = inner;
    block = inner * nest.shape[i];
  }
}
bool TileProgram::Gather::is_row() const { return period > kPeriodMax; }
bool TileProgram::Gather::is_constant() const { return period == 1; }

// The first operand that lies across says how bands lie; one that does so in another shape is gathered.
void TileProgram::choose_bands() {
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (!lies_across(reg)) continue;
    const int64_t* shape = reg.operand->shape + reg.operand->rank - 2;
    if (n_bands_ > 0 && (shape[0] != matrix_rows_ || shape[1] != matrix_columns_)) continue;
    matrix_rows_ = shape[0];
    matrix_columns_ = shape[1];
    band_rows_ = std::max(band_rows_, std::min(matrix_rows_, kBandBytes >> reg.log2));
    slot_log2_ = std::max<int>(slot_log2_, reg.log2);
    reg.place = Place::banded;
    reg.index = static_cast<uint16_t>(n_bands_++);
  }
}

// `in_rows`: no tile need go past the end of a block, or of a row that is read where it is.
void TileProgram::place_gathered(uint32_t r, bool needs_tile, bool in_rows) {
  Register& reg = registers_[r];
  Gather& gather = gathers_.emplace_back(Gather{r, {}});
  for (uint32_t i = 0; i < reg.operand->rank; ++i) gather.nest.add(reg.operand->shape[i], reg.operand->strides[i]);
  gather.find_repetition();
  if (in_rows && gather.block > 0) {
    const int64_t whole = gather.is_row() ? gather.period : gather.block;
    const bool may_cut = tile_ == 0 && n_bands_ == 0 && cut_ % whole == 0;
    if (may_cut) cut_ = whole;
    in_rows = whole % cut_ == 0;
  }
  if (gather.is_row() && !in_rows) gather.block = gather.period = 0;
  if (gather.is_row()) {
    reg.place = Place::row;
    return;
  }
  period_ = std::max(period_, gather.period);
  const bool is_constant = gather.is_constant() && !needs_tile && in_rows;
  if (is_constant) reg.place = Place::constant;
  reg.index = static_cast<uint16_t>(is_constant ? n_constants_++ : n_buffers_++);
}

// What is not read where it is gets tile buffers after the slots in a thread's scratch, then constants, then bands.
void TileProgram::place_operands(bool in_rows) {
  // Scalars that only steps of chains read need no tile, but as much as a step reads at a time.
  bool needs_tile[kMaxRegisters];
  for (uint32_t r = 0; r < n_registers_; ++r) needs_tile[r] = registers_[r].is_asked;
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    for (uint32_t j = 0; j < made.n_inputs; ++j) {
      if (made.n_steps == 0 || j == 0) needs_tile[inputs_[made.first_input + j]] = true;
    }
  }
  place_blocks(needs_tile);
  n_buffers_ = n_slots_;
  if (tile_ == 0 && !any_asked_) choose_bands();
  cut_ = n_bands_ > 0 ? matrix_columns_ : tile_ > 0 && in_rows ? row_length_ : std::max<int64_t>(n_, 1);
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (reg.place != Place::filled && reg.place != Place::gathered) continue;
    slot_log2_ = std::max<int>(slot_log2_, reg.log2);
    if (reg.place == Place::gathered) {
      place_gathered(r, needs_tile[r], in_rows);
      continue;
    }
    if (!needs_tile[r]) reg.place = Place::constant;
    reg.index = static_cast<uint16_t>(needs_tile[r] ? n_buffers_++ : n_constants_++);
  }
}

void TileProgram::mark_constants() {
  const bool* takes_bools = context_.kernels.chain->takes[IST_BOOL];
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    Instruction& made = instructions_[k];
    for (uint32_t s = 0; s < made.n_steps; ++s) {
      const bool reads = reads_operand(made, s + 1);
      const Register& operand = registers_[inputs_[made.first_input + 1 + s]];
      ChainStep& step = steps_[made.first_step + s];
      step.constant = !reads || operand.place == Place::constant || operand.place == Place::block;
      made.of_bools |= step.op == static_cast<uint8_t>(Op::where) || is_predicate(step.op) || takes_bools[step.op] ||
                       operand.dtype == IST_BOOL;
      if (!reads || operand.dtype != IST_BOOL) continue;
      step.op = step.op == ChainStep::kStore  ? ChainStep::kStoreBools
                : step.op == ChainStep::kLoad ? ChainStep::kLoadBools
                                              : ChainStep::kOtherBools;
    }
  }
}

// What arithmetic waits for memory less has time to fetch the lines that it writes.
void TileProgram::choose_stores(bool may_stream) {
  const bool is_cheap = cost_ <= kCostly;
  const int64_t claim_from = n_instructions_ == 1 ? kClaimFrom : kClaimFromMemory;
  bool is_read[kMaxRegisters];
  for (uint32_t r = 0; r < n_registers_; ++r) is_read[r] = registers_[r].is_asked;
  for (uint32_t k = n_instructions_; k-- > 0;) {
    Instruction& made = instructions_[k];
    const Register& result = registers_[made.out];
    const int64_t bytes = result.place == Place::direct ? n_ << result.log2 : 0;
    made.streams = may_stream && is_cheap && bytes >= kStreamFrom && !is_read[made.out];
    made.claims &= is_cheap && bytes >= claim_from && !made.streams;
    streams_ |= made.streams;
    for (uint32_t j = 0; j < made.n_inputs; ++j) is_read[inputs_[made.first_input + j]] = true;
  }
}

void TileProgram::finish(int64_t tile, bool in_rows) {
  if (n_instructions_ > 1) merge_chains();
  tile_ = tile;
  place_operands(in_rows);
  mark_constants();
  choose_stores(tile == 0);
  reads_ahead_ = cost_ > kCostly && n_ * bytes_ >= 2 * kClaimFromMemory;
  if (band_rows_ > 0) {
    tile_ = std::min(matrix_columns_, kBandColumns);
  } else if (tile == 0) {
    // Wholly in place, a tile may be as long as a thread's range.
    tile_ = n_;
    if (n_buffers_ > 0 || n_instructions_ > 1 || reads_ahead_) {
      tile_ = reads_ahead_ ? kTileAhead : kTileMax;
      while (tile_ > kTileMin && (tile_ * n_buffers_ << slot_log2_) > kCacheBytes) tile_ /= 2;
      tile_ = std::min(tile_, n_);
    }
    fit_repetition();
  }
}

// Tiles of a row are alike, and all hold whole periods, if they can.
void TileProgram::fit_repetition() {
  int64_t step = std::lcm(kVector, period_);
  if (step > tile_) step = period_ <= tile_ ? period_ : 1;
  if (cut_ < n_) {
    const int64_t tiles = (cut_ + tile_ - 1) / tile_, even = (cut_ + tiles - 1) / tiles;
    tile_ = std::min(cut_, (even + step - 1) / step * step);
  } else if (tile_ < n_) {
    tile_ -= tile_ % step;
  }
}

// A chain's operand that is one element.
void TileProgram::fill_block(const Register& reg, const char* element, char* block) const {
  int log2 = reg.log2;
  alignas(8) char converted[8];
  if (reg.dtype == IST_BFLOAT16) {
    const void* in[] = {element};
    context_.kernels.cast->fn[reg.dtype][IST_FLOAT32](1, converted, in);
    element = converted;
    log2 = size_log2(IST_FLOAT32);
  }
  context_.kernels.copy->fill[log2](kChainBlockBytes >> log2, block, element);
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
  for (size_t g = 0; g < gathers_.size(); ++g) frame.filled[g].block = -1;
  for (uint32_t r = 0; r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place == Place::direct || reg.place == Place::row) continue;
    if (reg.place == Place::banded) {
      frame.at[r] = bands + buffer_bytes * (reg.index * band_rows_);
      continue;
    }
    if (reg.place == Place::constant || reg.place == Place::block) {
      frame.at[r] = constants + reg.index * kChainBlockBytes;
      if (reg.place == Place::constant) fill_block(reg, reg.base, frame.at[r]);
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
    context_.kernels.copy->transpose[reg.log2](n_rows, n, band, tile_, from, step);
  }
}

// Elements [start, start + n) of operand g. What a tile holds already stays.
void TileProgram::load(Frame& frame, size_t g, int64_t start, int64_t n) const {
  const Gather& gather = gathers_[g];
  const Nest<1>& nest = gather.nest;
  const Register& reg = registers_[gather.reg];
  char*& tile = frame.at[gather.reg];
  if (gather.block > 0) {
    auto& filled = frame.filled[g];
    const int64_t block = start / gather.block, at = start - block * gather.block;
    const int64_t phase = gather.is_constant() ? 0 : at % gather.period;
    const auto start_of_block = [&] {
      return reg.base + offset_at(block, gather.outer, nest.shape, nest.strides[0]) * (int64_t{1} << reg.log2);
    };
    if (reg.place == Place::row) {
      tile = start_of_block() + (phase << reg.log2);
      return;
    }
    if (filled.block == block && filled.phase == phase && n <= filled.count && at + n <= gather.block) return;
    filled = {block, phase, n};
    if (at + n > gather.block) filled.block = -1;
    if (reg.place == Place::constant) {
      filled.count = gather.block;
      return fill_block(reg, start_of_block(), tile);
    }
  }
  // In one block, one period is enough to know the others.
  const bool repeats = gather.block > 0 && start % gather.block + n <= gather.block;
  int64_t known = repeats ? std::min(gather.period, n) : n;
  context_.kernels.copy->gather[reg.log2](start, known, nest.rank, nest.shape, nest.strides[0], reg.base, tile);
  for (int64_t more; known < n; known += more) {
    more = std::min(known, n - known);
    std::memcpy(tile + (known << reg.log2), tile, static_cast<size_t>(more << reg.log2));
  }
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
      frame.at[r] += (band_row * tile_) << reg.log2;
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
    const int64_t piece = kPieceBytes >> instruction.log2;
    for (int64_t done = 0; done < n; done += piece) {
      const int64_t count = std::min(piece, n - done), bytes = count << instruction.log2;
      if (instruction.streams) {
        // The operands of the next piece arrive while this one is stored.
        for (uint32_t j = 0; j < instruction.n_inputs; ++j) {
          const Register& input = registers_[inputs[j]];
          if (!input.is_read_in_place()) continue;
          const int64_t input_bytes = count << input.log2;
          ask_for<0>(static_cast<const char*>(in[j]) + input_bytes, input_bytes);
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

namespace {

void run_tiles(const TileProgram& program, int64_t begin, int64_t end) {
  TileProgram::Frame frame;
  program.enter(frame);
  int64_t n = 0;
  for (int64_t start = begin; start < end; start += n) {
    n = std::min(program.length_at(start), end - start);
    program.run(frame, start, n);
  }
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

}  // namespace

void run_elementwise(const Context& context, uint32_t first, uint32_t end) {
  const ist_node& node = node_at(context.program, first);
  if (element_count(static_cast<int>(node.output.rank), node.output.shape) == 0) return;
  // A lone copy knows better ways than tiles.
  if (end == first + 1 && node.op == static_cast<uint32_t>(Op::contiguous)) return run_contiguous({context, node});
  TileProgram program(context, first, end, end - 1);
  program.finish(0, true);
  const int64_t work = program.size() * program.cost();
  const bool alone = context.threads <= 1 || work < 2 * kGrainAwake;
  const int64_t grain = !alone && helpers_awake() ? kGrainAwake : kGrainAsleep;
  if (program.band_rows() > 0) {
    const int64_t matrices = program.size() / (program.matrix_rows() * program.matrix_columns());
    const int64_t bands = matrices * divide_up(program.matrix_rows(), program.band_rows());
    parallel_for(alone ? 1 : context.threads, bands, 1 + grain * bands / work,
                 [&](int64_t begin, int64_t end) { run_bands(program, begin, end); });
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
