// Where the registers of a tile program are, how long its tiles may be, how its results are stored.
#include <algorithm>
#include <numeric>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kTileMin = 512;
constexpr int64_t kTileMax = 4096;
constexpr int64_t kTileAhead = 512;         // more lines than so many elements have cannot be on their way together
constexpr int64_t kVector = 16;             // elements, at most
constexpr int64_t kCacheBytes = 16 * 1024;  // of tile buffers
// Bytes of a result that are in no first-level cache, which matters to a lone addition, or in no second-level one.
constexpr int64_t kClaimFrom = 32 * 1024;
constexpr int64_t kClaimFromMemory = 1024 * 1024;
constexpr int64_t kCostly = 8;      // additions, in whose time the operands of the next tile arrive
constexpr int64_t kBandBytes = 64;  // of neighbours in memory that a band reads together
constexpr int64_t kBandColumns = 1024;
constexpr int64_t kPeriodMax = 1024;  // elements that are repeated in a tile; longer rows are read where they are
constexpr int64_t kBlockMin = 256;    // elements for which it is worth to end a tile

}  // namespace

bool lies_across(const ist_tensor& t) {
  constexpr int64_t kLeast = 8;
  if (t.rank < 2) return false;
  const int64_t *shape = t.shape + t.rank - 2, *strides = t.strides + t.rank - 2;
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

// May a chain read the same block again and again? Beside how long elements a bool stands is not known here.
bool TileProgram::fits_block(const Gather& gather) const {
  const uint32_t dtype = registers_[gather.reg].dtype;
  const int log2 = dtype == IST_BOOL ? 3 : size_log2(compute_dtype(dtype));
  return gather.period > 0 && (context_.kernels.chain->block_bytes >> log2) % gather.period == 0;
}

// The first operand that lies across says how bands lie; one that does so in another shape is gathered.
void TileProgram::choose_bands() {
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (reg.place != Place::gathered || !lies_across(*reg.operand)) continue;
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
  Gather& gather = gathers_.emplace_back(r);
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
  const bool is_constant = fits_block(gather) && !needs_tile && in_rows;
  if (is_constant) reg.place = Place::constant;
  reg.index = static_cast<uint16_t>(is_constant ? n_constants_++ : n_buffers_++);
}

// What is not read where it is gets tile buffers after the slots in a thread's scratch, then constants, then bands.
void TileProgram::place_operands(int64_t row) {
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
  const auto is_gathered = [](const Register& reg) { return reg.place == Place::gathered; };
  gathers_.reserve(static_cast<size_t>(std::count_if(registers_, registers_ + n_registers_, is_gathered)));
  cut_ = n_bands_ > 0 ? matrix_columns_ : row > 0 ? row : std::max<int64_t>(n_, 1);
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (reg.place != Place::filled && reg.place != Place::gathered) continue;
    slot_log2_ = std::max<int>(slot_log2_, reg.log2);
    if (reg.place == Place::gathered) {
      place_gathered(r, needs_tile[r], tile_ == 0 || row > 0);
      continue;
    }
    if (!needs_tile[r]) reg.place = Place::constant;
    reg.index = static_cast<uint16_t>(needs_tile[r] ? n_buffers_++ : n_constants_++);
  }
}

void TileProgram::mark_constants() {
  const auto repeats = [&](uint16_t reg) {
    return std::any_of(gathers_.begin(), gathers_.end(),
                       [&](const Gather& gather) { return gather.reg == reg && !gather.is_constant(); });
  };
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    Instruction& made = instructions_[k];
    for (uint32_t s = 0; s < made.n_steps; ++s) {
      const bool reads = reads_operand(made, s + 1);
      const Register& operand = registers_[inputs_[made.first_input + 1 + s]];
      ChainStep& step = steps_[made.first_step + s];
      step.constant = !reads || operand.place == Place::constant || operand.place == Place::block;
      step.equal = reads && operand.place == Place::constant && !repeats(inputs_[made.first_input + 1 + s]);
      made.of_bools |= is_of_bools(step.op, inputs_[made.first_input + 1 + s]);
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
  int64_t touched = 0;
  for (uint32_t r = 0; r < n_registers_; ++r) {
    is_read[r] = registers_[r].is_asked;
    if (registers_[r].place == Place::direct) touched += n_ << registers_[r].log2;
  }
  for (uint32_t k = n_instructions_; k-- > 0;) {
    Instruction& made = instructions_[k];
    const Register& result = registers_[made.out];
    const int64_t bytes = result.place == Place::direct ? n_ << result.log2 : 0;
    made.streams = may_stream && is_cheap && outlasts_caches(bytes, touched) && !is_read[made.out];
    made.claims &= context_.kernels.asks_for_lines && is_cheap && bytes >= claim_from && !made.streams;
    streams_ |= made.streams;
    if (made.streams && made.n_steps == 0) {
      const auto by_itself = [&](const auto& table) {
        const TileFn streamed = table.streamed[made.op][made.dtype];
        if (streamed != nullptr && made.fn == table.fn[made.op][made.dtype]) made.fn = streamed, made.streams = false;
      };
      if (made.n_inputs == 1) by_itself(*context_.kernels.unary);
      if (made.n_inputs == 2) by_itself(*context_.kernels.binary);
    }
    for (uint32_t j = 0; j < made.n_inputs; ++j) is_read[inputs_[made.first_input + j]] = true;
  }
}

void TileProgram::finish(int64_t tile, int64_t row) {
  if (n_instructions_ > 1) merge_chains();
  tile_ = tile;
  place_operands(row);
  mark_constants();
  choose_stores(tile == 0);
  const bool may_ask = context_.kernels.asks_for_lines;
  reads_ahead_ = may_ask && cost_ > kCostly && n_ * bytes_ >= 2 * kClaimFromMemory;
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
    const int64_t tiles = divide_up(cut_, tile_), even = divide_up(cut_, tiles);
    tile_ = std::min(cut_, round_up(even, step));
  } else if (tile_ < n_) {
    tile_ -= tile_ % step;
  }
}

}  // namespace ist::cpu
