// A run of elementwise nodes as instructions over tiles: every node of the run is evaluated on a few thousand
// elements, each rounding to its dtype, before the next tile is touched, so that what stays inside the run never leaves
// the cache.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "backends/cpu/cache_size.h"
#include "backends/cpu/call.h"
#include "backends/cpu/elementwise_kernels.h"

namespace ist::cpu {

inline constexpr uint32_t kMaxRunNodes = 32;

// Does a tile kernel exist for this elementwise node? The caller has checked ranks.
bool supports_elementwise(const Kernels& kernels, const ist_node& node, size_t tensor_size);

// Columns of this operand are rows in memory: reading it row by row would use a few bytes of each cache line.
bool lies_across(const ist_tensor& t);

// What an element of a row of ops.def costs, roughly, in additions.
int64_t cost_of(uint32_t op);

// Is the result bool whatever the operands are?
bool is_predicate(uint32_t op);

// Does the value live past node `last`, or leave the program?
inline bool outlives(const ist_value& value, uint32_t last) {
  return (value.flags & IST_VALUE_OUTPUT) != 0 || value.last_use > last;
}

class TileProgram {
  // A node takes at most 3 operands, and 3 conversions of operands, itself and a conversion of its result; the value
  // that is asked for takes two conversions more.
  static constexpr uint32_t kMaxInstructions = kMaxRunNodes * 5 + 2;
  static constexpr uint32_t kMaxOperands = kMaxRunNodes * 3;
  static constexpr uint32_t kMaxSlots = kMaxRunNodes + 8;  // results inside the run, and ways through float32
  static constexpr uint32_t kMaxRegisters = kMaxOperands + kMaxInstructions;
  static constexpr uint32_t kMaxInputs = kMaxInstructions * 3;
  static constexpr uint32_t kMaxSteps = kMaxChainSteps;
  static_assert(kMaxSteps >= kMaxRunNodes * 4);   // a cube takes two, beginning anew and keeping one each
  static constexpr int64_t kBytesOfAddition = 8;  // read or written in its time

 public:
  // Nodes [first, end) have as many elements each, and read each other's in order, whatever shapes they give them: an
  // element is known by its number. Values that live past node `last` have buffers already.
  TileProgram(const Context& context, uint32_t first, uint32_t end, uint32_t last);

  // The register that holds a value of the run as `dtype` after each tile.
  uint16_t value_as(const ist_tensor& value, uint32_t dtype);
  uint16_t asked() const { return asked_; }  // what value_as() returned last

  // To be called when all of the above is done, before tiles are run. How long these may be is what the cache likes:
  // they keep to length_at(), or come in bands if no value is asked for.
  void finish() { finish(0, 0); }
  // Or the caller says how long they may be, and that none goes past a multiple of `row` elements; 0: any may.
  void finish(int64_t tile, int64_t row);

  // Operands and results lie elsewhere now, or hold other elements. False if the nodes want another program for them.
  bool move();

  int64_t size() const { return n_; }  // elements of a node
  // What an element costs, roughly, in additions of numbers in cache.
  int64_t cost() const { return cost_ + bytes_ / kBytesOfAddition; }
  int64_t tile() const { return tile_; }
  // Of the tile that starts there, so that it stays in one row, or several, of operands that repeat.
  int64_t length_at(int64_t start) const { return std::min(tile_, cut_ - start % cut_); }
  // Where an operand lies the other way round, tiles are read in bands of this many rows; otherwise 0. Rows are the
  // last axis of a matrix of that operand.
  int64_t band_rows() const { return band_rows_; }
  int64_t matrix_rows() const { return matrix_rows_; }
  int64_t matrix_columns() const { return matrix_columns_; }

  // Where the registers are for a thread; its memory is the thread's scratch().
  struct Frame {
    char* at[kMaxRegisters];
    char* piece;  // of a result that is streamed
    struct {
      int64_t begin, end;  // of the block
      int64_t phase, count;
    } filled[kMaxOperands];  // what the tiles of gathers hold
  };
  void enter(Frame& frame) const;
  // After a thread's last tile, before others may read the results.
  void leave() const;
  // Elements [start, start + n), n <= tile(); band_row counts from the start of the band that load_band() has read.
  void run(Frame& frame, int64_t start, int64_t n, int64_t band_row = 0) const;
  // Elements [begin, end), tile by tile.
  void run_tiles(Frame& frame, int64_t begin, int64_t end) const;
  // Reads rows [row, row + n_rows) and columns [column, column + n) of the operands that lie the other way round.
  void load_band(Frame& frame, int64_t row, int64_t n_rows, int64_t column, int64_t n) const;

 private:
  // Elements from row to row of a band: rows a power of two apart would share a few places of the first-level cache.
  int64_t band_pitch(int log2) const { return tile_ + (kLine >> log2); }

  enum class Place : uint8_t { direct, filled, constant, gathered, row, banded, slot, block };

  struct Register {
    char* base;  // direct: element 0; otherwise the operand's first element
    Place place;
    uint8_t log2;
    bool is_asked;   // by value_as()
    uint16_t index;  // of its buffer: of a tile, or of a block if only steps of a chain read it
    uint32_t dtype;
    const ist_tensor* operand;  // null: a result
    const ist_value* made;      // a result in memory; otherwise null

    bool is_read_in_place() const { return place == Place::direct && operand != nullptr; }
  };
  struct Instruction {
    TileFn fn;        // null: a copy of the first operand
    uint8_t op;       // of a node whose kernel this is, or 0
    uint8_t dtype;    // of the last operand; a chain's values have it, or are bool
    uint8_t n_steps;  // of a chain, whose kernel chain() is; otherwise 0
    uint8_t n_inputs;
    uint8_t log2;
    bool of_bools;  // some step makes bools, takes them, or chooses by them
    bool claims;    // of memory: asks for the lines of its result before it writes them
    bool streams;   // past the caches by way of a piece in them: the result is longer than they are, nobody reads it in
                    // the run, and there is no kernel that stores it so from registers
    uint16_t out;
    uint16_t first_input;  // in inputs_
    uint16_t first_step;   // in steps_
  };
  // An operand that is neither dense nor a scalar. If its elements repeat, then it is in blocks, each of which holds a
  // period again and again, and blocks lie as the first `outer` dimensions say.
  struct Gather {
    uint32_t reg;
    Nest<1> nest;
    int outer = 0;
    int64_t period = 0, block = 0;

    explicit Gather(uint32_t r) : reg(r) {}  // most of the nest is never looked at
    void find_repetition();
    bool is_row() const;       // a long dense period can be read where it is
    bool is_constant() const;  // of a block
  };
  struct Made {
    uint32_t value;
    uint16_t reg;
  };

  void execute(const Instruction& instruction, int64_t n, char* out, const void* const* in) const;
  void add_node(uint32_t i);
  int factors_of_power(const ist_node& node, const uint16_t* in);
  uint32_t link_to_last(const ist_node& node, uint32_t i, const uint16_t* in) const;
  void extend_last(uint32_t op, uint32_t n_inputs, const uint16_t* in, uint16_t out);
  bool is_constant(uint16_t reg) const;
  struct ChainLists {  // that the steps of chains and their operands are added to
    uint16_t* inputs;
    ChainStep* steps;
    uint32_t &n_inputs, &n_steps;
  };
  struct Held {  // what a chain holds after its last step, if it is known
    uint16_t number, bools;
  };
  Held held_after(const Instruction& chain, const ChainLists& lists) const;
  void drop_stores();
  ChainLists chain_lists() { return {inputs_, steps_, n_inputs_, n_steps_}; }
  void make_chain(Instruction& instruction, ChainLists lists) const;
  void add_op(Instruction& chain, uint32_t op, const uint16_t* in, uint32_t n_inputs, uint32_t position,
              ChainLists lists) const;
  bool may_go_on(const Instruction& made, uint32_t dtype, uint32_t op) const;
  bool may_merge(const Instruction& made, const Instruction& next) const;
  bool reads_operand(const Instruction& instruction, uint32_t j) const;
  bool begins_with_product_beside(const Instruction& next, const Instruction& made) const;
  void merge_chains();
  bool is_of_bools(uint32_t op, uint16_t operand) const;
  bool is_of_bools(const Instruction& made) const;
  bool merge_neighbours(bool again);
  void place_blocks(bool (&needs_tile)[kMaxRegisters]);
  void fill_block(const Register& reg, const char* elements, int64_t period, int64_t phase, char* block) const;
  void place_operands(int64_t row);
  void place_gathered(uint32_t r, bool needs_tile, bool in_rows);
  bool fits_block(const Gather& gather) const;
  void choose_bands();
  void mark_constants();
  void fit_repetition();
  void load(Frame& frame, size_t g, int64_t start, int64_t n) const;
  void choose_stores(bool may_stream);
  void forget_slot(uint32_t m);
  uint16_t add_register(Place place, char* base, uint32_t dtype, const ist_tensor* operand);
  char* address_of(const ist_tensor& t) const;
  uint16_t operand(const ist_tensor& t);
  uint16_t result_register(const ist_tensor& out);
  uint16_t take_slot(uint32_t dtype);
  void free_slot(uint16_t reg) { slot_used_[registers_[reg].index] = false; }
  void emit(TileFn fn, uint16_t out, const uint16_t* in, uint32_t n_inputs, uint32_t op = 0);
  void emit_cast(uint32_t from, uint32_t to, uint16_t in, uint16_t out);

  const Context& context_;
  uint32_t last_;
  int64_t n_;
  uint32_t n_registers_ = 0, n_instructions_ = 0, n_inputs_ = 0, n_steps_ = 0, n_made_ = 0, n_in_slots_ = 0;
  uint32_t lowest_ = UINT32_MAX;  // number of a value that the run has made
  uint16_t n_slots_ = 0;
  int slot_log2_ = 0;  // of the largest element
  int64_t cost_ = 0;   // of the instructions, in additions
  int64_t bytes_ = 0;  // of an element, in operands and results
  int64_t tile_ = 0, band_rows_ = 0, matrix_rows_ = 0, matrix_columns_ = 0;
  int64_t cut_ = 1, period_ = 1;  // where tiles end at the latest, and the longest period that a tile holds
  bool reads_ahead_ = false, streams_ = false;
  uint32_t n_buffers_ = 0, n_constants_ = 0, n_bands_ = 0;
  bool any_asked_ = false;
  uint16_t asked_ = 0;
  Register registers_[kMaxRegisters];
  Instruction instructions_[kMaxInstructions];
  uint16_t inputs_[kMaxInputs];
  ChainStep steps_[kMaxSteps];
  Made made_[kMaxRunNodes];
  Made in_slots_[kMaxRunNodes];  // those still to be read
  struct {                       // that the program depends on, beside shapes
    const ist_tensor* operand;   // that is read as a register, which holds another one of the same elements
    uint16_t reg;
  } alike_[kMaxOperands];
  struct {
    uint16_t reg;
    int factors;
  } exponents_[kMaxRunNodes];
  uint32_t n_alike_ = 0, n_exponents_ = 0;
  bool slot_used_[kMaxSlots] = {}, slot_is_bool_[kMaxSlots] = {};
  std::vector<Gather> gathers_;
};

// By their first nodes.
struct KeptPrograms {
  std::vector<std::unique_ptr<TileProgram>> of;
};

// Calls run(program) with the one of these nodes, which plan(program) asks for values and finishes. What was planned
// for the slice before need only move.
template <class Plan, class Run>
void run_planned(const Context& context, uint32_t first, uint32_t end, uint32_t last, Plan&& plan, Run&& run) {
  if (context.kept == nullptr) {
    TileProgram program(context, first, end, last);
    plan(program);
    return run(program);
  }
  std::unique_ptr<TileProgram>& kept = context.kept->of[first];
  if (kept == nullptr || !kept->move()) {
    kept = std::make_unique<TileProgram>(context, first, end, last);
    plan(*kept);
  }
  run(*kept);
}

// Evaluates nodes [first, end), which are as for TileProgram. Values that outlive the run have buffers already.
void run_elementwise(const Context& context, uint32_t first, uint32_t end);

// The same for nodes [first + 1, end); node `first` is the matrix product that they go on with, strip by strip.
void run_matmul_elementwise(const Context& context, uint32_t first, uint32_t end);

// The same where node `first` makes random bits.
void run_random_elementwise(const Context& context, uint32_t first, uint32_t end);

// The same for nodes [first, end - 1); node end - 1 reduces the last axes of a value of theirs.
void run_elementwise_reduce(const Context& context, uint32_t first, uint32_t end);

// The same where it joins values of theirs, which are like `part`, along an axis.
bool joins_tiles(const ist_node& node, const ist_tensor& part);
void run_elementwise_concatenate(const Context& context, uint32_t first, uint32_t end);

// The same where outputs are columns of matrices in the run's order, or of a few columns each.
bool reduces_columns(const ist_node& reduction, const ist_tensor& in);
void run_elementwise_reduce_columns(const Context& context, uint32_t first, uint32_t end);

}  // namespace ist::cpu
