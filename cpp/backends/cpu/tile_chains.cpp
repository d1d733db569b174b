// How instructions over tiles become chains: several ops in one pass, whose values stay in registers.
#include <algorithm>

#include "backends/cpu/tile_program.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

constexpr int64_t kMergeAgainFrom = 256;  // elements; fewer gain less than looking again costs

}  // namespace

// Can such an op go on with what the instruction has made, as a step of the same chain?
bool TileProgram::may_go_on(const Instruction& made, uint32_t dtype, uint32_t op) const {
  const auto& takes = context_.kernels.chain->takes;
  if (made.dtype == IST_BOOL || !takes[made.dtype][made.op]) return false;
  return takes[dtype][op] && (dtype == made.dtype || dtype == IST_BOOL);
}

// The place in in_slots_ of the value that the last instruction made, if node i is its one reader and can go on with it
// in registers; otherwise n_in_slots_.
uint32_t TileProgram::link_to_last(const ist_node& node, uint32_t i, const uint16_t* in) const {
  if (n_instructions_ == 0) return n_in_slots_;
  const Instruction& last = instructions_[n_instructions_ - 1];
  if (!may_go_on(last, registers_[in[node.n_inputs - 1]].dtype, node.op)) return n_in_slots_;
  if (std::count(in, in + node.n_inputs, last.out) != 1) return n_in_slots_;
  for (uint32_t m = 0; m < n_in_slots_; ++m) {
    if (in_slots_[m].reg == last.out && value_at(context_.program, in_slots_[m].value).last_use == i) return m;
  }
  return n_in_slots_;
}

// Has the operand one value, or one for each row?
bool TileProgram::is_constant(uint16_t reg) const {
  const Register& read = registers_[reg];
  if (read.place != Place::gathered) return read.place == Place::filled;
  const ist_tensor& t = *read.operand;
  return t.strides[t.rank - 1] == 0 && t.shape[t.rank - 1] > 1;
}

// Makes a chain of an instruction, whose operands are the last inputs. Those that may be constants or bool are operands
// of its step, if there is another to begin with.
void TileProgram::make_chain(Instruction& instruction, ChainLists lists) const {
  uint16_t in[3] = {};
  const uint32_t n_inputs = instruction.n_inputs;
  std::copy_n(lists.inputs + instruction.first_input, n_inputs, in);
  uint32_t start = 0;
  while (start + 1 < n_inputs && (registers_[in[start]].dtype == IST_BOOL || is_constant(in[start]))) ++start;
  lists.inputs[instruction.first_input] = in[start];
  lists.n_inputs = instruction.first_input + 1u;
  instruction.first_step = static_cast<uint16_t>(lists.n_steps);
  add_op(instruction, instruction.op, in, n_inputs, start, lists);
}

// A step has an operand even if its op has none.
void TileProgram::add_op(Instruction& chain, uint32_t op, const uint16_t* in, uint32_t n_inputs, uint32_t position,
                         ChainLists lists) const {
  const auto add_step = [&](uint32_t step, uint16_t operand) {
    lists.inputs[lists.n_inputs++] = operand;
    lists.steps[lists.n_steps++] = {static_cast<uint8_t>(step), static_cast<uint8_t>(position), false, false};
    ++chain.n_steps;
  };
  const uint16_t none = lists.inputs[chain.first_input];
  const bool is_where = op == static_cast<uint32_t>(Op::where);
  uint16_t others[2] = {none, none};
  uint32_t n_others = 0;
  for (uint32_t j = 0; j < n_inputs; ++j) {
    if (j != position) others[n_others++] = in[j];
  }
  if (is_where && position > 0) {
    // The condition, where the chain does not hold it.
    if (held_after(chain, lists).bools != in[0]) add_step(ChainStep::kLoad, in[0]);
    others[0] = others[1];
  } else if (n_others == 2 || (n_others == 1 && context_.kernels.chain->takes[IST_BOOL][op])) {
    add_step(ChainStep::kOther, others[0]);
    others[0] = others[1];
  }
  add_step(op, others[0]);
  chain.op = static_cast<uint8_t>(op);
  chain.n_inputs = static_cast<uint8_t>(chain.n_steps + 1);
}

// Tests leave the number that they test.
TileProgram::Held TileProgram::held_after(const Instruction& chain, const ChainLists& lists) const {
  constexpr uint16_t kUnknown = UINT16_MAX;
  Held held = {lists.inputs[chain.first_input], kUnknown};
  for (uint32_t s = 0; s < chain.n_steps; ++s) {
    const uint32_t op = lists.steps[chain.first_step + s].op;
    const uint16_t operand = lists.inputs[chain.first_input + 1 + s];
    const bool moves = op == ChainStep::kLoad || op == ChainStep::kStore;
    const bool of_bools =
        moves ? registers_[operand].dtype == IST_BOOL : is_predicate(op) || context_.kernels.chain->takes[IST_BOOL][op];
    if (op != ChainStep::kOther) (of_bools ? held.bools : held.number) = moves ? operand : kUnknown;
  }
  return held;
}

void TileProgram::extend_last(uint32_t op, uint32_t n_inputs, const uint16_t* in, uint16_t out) {
  Instruction& last = instructions_[n_instructions_ - 1];
  if (last.n_steps == 0) make_chain(last, chain_lists());
  add_op(last, op, in, n_inputs, static_cast<uint32_t>(std::find(in, in + n_inputs, last.out) - in), chain_lists());
  last.claims &= cost_of(op) == 1;
  last.log2 = registers_[out].log2;
  last.out = out;
}

// May a chain be both? Chains keep values, where there are registers enough.
bool TileProgram::may_merge(const Instruction& made, const Instruction& next) const {
  return context_.kernels.chain->keeps[made.dtype] && may_go_on(made, next.dtype, next.op);
}

// Some steps have none.
bool TileProgram::reads_operand(const Instruction& instruction, uint32_t j) const {
  if (instruction.n_steps == 0 || j == 0) return true;
  const uint8_t op = steps_[instruction.first_step + j - 1].op;
  const TileFn* unary = context_.kernels.unary->fn[op];
  return unary[IST_FLOAT32] == nullptr && unary[IST_BOOL] == nullptr && !context_.kernels.chain->takes[IST_BOOL][op];
}

// Does the chain begin with a product that is added to what `made` makes, or subtracted one from the other?
bool TileProgram::begins_with_product_beside(const Instruction& next, const Instruction& made) const {
  if (next.n_steps < 2) return false;
  const ChainStep* steps = steps_ + next.first_step;
  const uint16_t* in = inputs_ + next.first_input;
  const bool is_sum = steps[1].op == static_cast<uint8_t>(Op::add) || steps[1].op == static_cast<uint8_t>(Op::subtract);
  return steps[0].op == static_cast<uint8_t>(Op::multiply) && is_sum && in[0] != made.out && in[1] != made.out &&
         in[2] == made.out;
}

// Chains that read what those right before them make become one with them: a product and another one that it is added
// to, or a result that is asked for and what is made of it. Then others may be right before them.
void TileProgram::merge_chains() {
  bool again = false;
  while (n_instructions_ > 1 && merge_neighbours(again) && n_ >= kMergeAgainFrom) again = true;
}

// Does a step make bools, take them, or choose by them?
bool TileProgram::is_of_bools(uint32_t op, uint16_t operand) const {
  return op == static_cast<uint32_t>(Op::where) || is_predicate(op) || context_.kernels.chain->takes[IST_BOOL][op] ||
         registers_[operand].dtype == IST_BOOL;
}
bool TileProgram::is_of_bools(const Instruction& made) const {
  const uint16_t* in = inputs_ + made.first_input;
  bool found = is_of_bools(made.op, in[0]);
  for (uint32_t j = 1; j < made.n_inputs; ++j) {
    found |= is_of_bools(made.n_steps == 0 ? made.op : steps_[made.first_step + j - 1].op, in[j]);
  }
  return found;
}

// Once; false if there was nothing to merge.
bool TileProgram::merge_neighbours(bool again) {
  const bool keeps_apart = again && !context_.kernels.chain->joins_bools;
  uint32_t n_reads[kMaxRegisters];
  std::fill_n(n_reads, n_registers_, 0);
  bool any = false;
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    for (uint32_t j = 0; j < made.n_inputs; ++j) n_reads[inputs_[made.first_input + j]] += reads_operand(made, j);
    any |= k > 0 && may_merge(instructions_[k - 1], made);
  }
  if (!any) return false;
  for (uint32_t r = 0; r < n_registers_; ++r) n_reads[r] += registers_[r].is_asked;

  uint16_t inputs[kMaxInputs];
  ChainStep steps[kMaxSteps];
  uint32_t maker[kMaxRegisters];  // the chain that makes it, counted from 1
  std::fill_n(maker, n_registers_, 0);
  uint32_t n = 0, n_inputs = 0, n_steps = 0;
  bool any_held = false, merged = false, last_of_bools = false;
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction next = instructions_[k];
    const uint16_t* in = inputs_ + next.first_input;
    bool joins = false;
    const bool of_bools = keeps_apart && is_of_bools(next);
    if (n > 0 && may_merge(instructions_[n - 1], next) && of_bools == last_of_bools) {
      for (uint32_t j = 0; j < next.n_inputs; ++j) joins |= maker[in[j]] == n && reads_operand(next, j);
    }
    last_of_bools = of_bools;
    if (!joins) {
      Instruction& made = instructions_[n++] = next;
      made.first_input = static_cast<uint16_t>(n_inputs);
      made.first_step = static_cast<uint16_t>(n_steps);
      std::copy_n(in, next.n_inputs, inputs + n_inputs);
      std::copy_n(steps_ + next.first_step, next.n_steps, steps + n_steps);
      n_inputs += next.n_inputs;
      n_steps += next.n_steps;
      maker[next.out] = n;
      continue;
    }
    merged = true;
    Instruction& chain = instructions_[n - 1];
    const ChainLists lists = {inputs, steps, n_inputs, n_steps};
    const auto add_step = [&](uint8_t op, uint8_t position, uint16_t operand) {
      inputs[n_inputs++] = operand;
      steps[n_steps++] = {op, position, false, false};
      ++chain.n_steps;
    };
    if (chain.n_steps == 0) make_chain(chain, lists);
    // What the chain has at its end stays in registers, if the next one starts with it, or with a product that joins
    // it; others may read it, too.
    const uint32_t n_first = next.n_steps == 0 ? next.n_inputs : 1;
    uint32_t position = 0;
    while (position < n_first && in[position] != chain.out) ++position;
    const bool takes_product = begins_with_product_beside(next, chain);
    const bool goes_on = position < n_first || takes_product;
    if (!goes_on) position = 0;
    if (registers_[chain.out].place != Place::slot || n_reads[chain.out] > (goes_on ? 1u : 0u)) {
      add_step(ChainStep::kStore, 0, chain.out);
    }
    const auto load = [&](uint16_t reg) {
      const Held held = held_after(chain, lists);
      const bool is_held = reg == (registers_[reg].dtype == IST_BOOL ? held.bools : held.number);
      if (!is_held) add_step(ChainStep::kLoad, 0, reg);
      any_held |= is_held;
    };
    if (!goes_on) load(in[0]);
    if (next.n_steps == 0) {
      add_op(chain, next.op, in, next.n_inputs, position, lists);
    } else {
      if (takes_product) {
        const ChainStep& sum = steps_[next.first_step + 1];
        const bool adds = sum.op == static_cast<uint8_t>(Op::add);
        const uint32_t factor = is_constant(in[1]) ? 1 : 0;
        add_step(ChainStep::kOther, 0, in[factor]);
        add_step(adds ? ChainStep::kAddProduct : ChainStep::kSubtractProduct, sum.position == 0 ? 1 : 0,
                 in[1 - factor]);
      }
      for (uint32_t s = takes_product ? 2 : 0; s < next.n_steps; ++s) {
        const ChainStep& step = steps_[next.first_step + s];
        if (step.op == ChainStep::kLoad) {
          load(in[s + 1]);
          continue;
        }
        add_step(step.op, step.position, reads_operand(next, s + 1) ? in[s + 1] : inputs[chain.first_input]);
      }
    }
    chain.n_inputs = static_cast<uint8_t>(chain.n_steps + 1);
    chain.claims &= next.claims;
    chain.op = next.op;
    chain.log2 = next.log2;
    chain.out = next.out;
    maker[next.out] = n;
  }
  n_instructions_ = n;
  n_inputs_ = n_inputs;
  n_steps_ = n_steps;
  std::copy_n(inputs, n_inputs, inputs_);
  std::copy_n(steps, n_steps, steps_);
  if (any_held) drop_stores();
  return merged;
}

// What nobody reads where it is stored, as the chain held it until it was needed.
void TileProgram::drop_stores() {
  bool is_read[kMaxRegisters];
  for (uint32_t r = 0; r < n_registers_; ++r) is_read[r] = registers_[r].is_asked;
  const auto is_store = [&](const Instruction& made, uint32_t j) {
    return made.n_steps > 0 && j > 0 && steps_[made.first_step + j - 1].op == ChainStep::kStore;
  };
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    for (uint32_t j = 0; j < made.n_inputs; ++j) {
      is_read[inputs_[made.first_input + j]] |= reads_operand(made, j) && !is_store(made, j);
    }
  }
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    Instruction& made = instructions_[k];
    uint16_t* inputs = inputs_ + made.first_input;
    uint32_t n = 0;
    for (uint32_t s = 0; s < made.n_steps; ++s) {
      const uint16_t operand = inputs[s + 1];
      if (is_store(made, s + 1) && registers_[operand].place == Place::slot && !is_read[operand]) continue;
      steps_[made.first_step + n] = steps_[made.first_step + s];
      inputs[++n] = operand;
    }
    if (made.n_steps > 0) {
      made.n_steps = static_cast<uint8_t>(n);
      made.n_inputs = static_cast<uint8_t>(n + 1);
    }
  }
}

// Values that one chain makes and alone reads need no tile, and those that do lie close together.
void TileProgram::place_blocks(bool (&needs_tile)[kMaxRegisters]) {
  uint32_t keeper[kMaxRegisters];  // the chain that keeps it, counted from 1
  std::fill_n(keeper, n_registers_, 0);
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    needs_tile[made.out] = true;
    for (uint32_t j = 0; j < made.n_inputs; ++j) {
      const uint16_t r = inputs_[made.first_input + j];
      if (registers_[r].place != Place::slot || !reads_operand(made, j)) continue;
      const bool keeps = j > 0 && made.n_steps > 0 && steps_[made.first_step + j - 1].op == ChainStep::kStore;
      if (keeps) keeper[r] = k + 1;
      needs_tile[r] |= keeper[r] != k + 1;
    }
  }
  constexpr uint16_t kNone = UINT16_MAX;
  uint16_t slot_now[kMaxSlots];
  std::fill_n(slot_now, n_slots_, kNone);
  n_slots_ = 0;
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (reg.place != Place::slot) continue;
    if (!needs_tile[r]) {
      reg.place = Place::block;
      if (keeper[r] != 0) reg.index = static_cast<uint16_t>(n_constants_++);  // others are never stored
      continue;
    }
    uint16_t& slot = slot_now[reg.index];
    if (slot == kNone) slot = n_slots_++;
    reg.index = slot;
  }
}

}  // namespace ist::cpu
