// How instructions over tiles become chains: several ops in one pass, whose values stay in registers.
#include <algorithm>

#include "backends/cpu/tile_program.h"

namespace ist::cpu {

// The place in in_slots_ of the value that the last instruction made, if node i is its one reader and can go on with it
// in registers; otherwise n_in_slots_.
uint32_t TileProgram::link_to_last(const ist_node& node, uint32_t i, const uint16_t* in) const {
  if (n_instructions_ == 0 || node.n_inputs > 2) return n_in_slots_;
  const Instruction& last = instructions_[n_instructions_ - 1];
  const bool* takes = context_.kernels.chain->takes[registers_[last.out].dtype];
  if (!takes[last.op] || !takes[node.op]) return n_in_slots_;
  if (node.n_inputs == 2 && in[0] == in[1]) return n_in_slots_;
  for (uint32_t m = 0; m < n_in_slots_; ++m) {
    const bool reads = in[0] == in_slots_[m].reg || (node.n_inputs == 2 && in[1] == in_slots_[m].reg);
    if (in_slots_[m].reg == last.out && reads && value_at(context_.program, in_slots_[m].value).last_use == i) return m;
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

// Of one step; the last instruction. A step has an operand even if its op has none, and it is operands that may be
// constants.
void TileProgram::make_chain(Instruction& instruction) {
  uint16_t* inputs = inputs_ + instruction.first_input;
  if (instruction.n_inputs == 1) {
    inputs[1] = inputs[0];
    ++n_inputs_;
  }
  const bool swapped = is_constant(inputs[0]) && !is_constant(inputs[1]);
  if (swapped) std::swap(inputs[0], inputs[1]);
  instruction.first_step = static_cast<uint16_t>(n_steps_);
  instruction.n_steps = 1;
  instruction.n_inputs = 2;
  steps_[n_steps_++] = {instruction.op, swapped, false};
}

void TileProgram::extend_last(uint32_t op, uint32_t n_inputs, const uint16_t* in, uint16_t out) {
  Instruction& last = instructions_[n_instructions_ - 1];
  if (last.n_steps == 0) make_chain(last);
  const bool swapped = n_inputs == 2 && in[1] == last.out;
  inputs_[n_inputs_++] = n_inputs == 1 ? inputs_[last.first_input] : in[swapped ? 0 : 1];
  steps_[n_steps_++] = {static_cast<uint8_t>(op), swapped, false};
  ++last.n_steps;
  last.n_inputs = last.n_steps + 1;
  last.op = static_cast<uint8_t>(op);
  last.claims &= cost_of(op) == 1;
  last.out = out;
}

// Is it a chain, or could it be one, and may that keep values?
bool TileProgram::can_join(const Instruction& instruction) const {
  const uint32_t dtype = registers_[instruction.out].dtype;
  const ChainTable& chains = *context_.kernels.chain;
  if (!chains.keeps[dtype]) return false;
  return instruction.n_steps > 0 ||
         (chains.takes[dtype][instruction.op] && registers_[inputs_[instruction.first_input]].dtype == dtype);
}

// A step has an operand even if its op has none.
bool TileProgram::reads_operand(const Instruction& instruction, uint32_t j) const {
  if (instruction.n_steps == 0 || j == 0) return true;
  return context_.kernels.unary->fn[steps_[instruction.first_step + j - 1].op][IST_FLOAT32] == nullptr;
}

// Chains that read what those right before them make become one with them: a product and another one that it is added
// to, or a result that is asked for and what is made of it.
void TileProgram::merge_chains() {
  uint32_t n_reads[kMaxRegisters];
  std::fill_n(n_reads, n_registers_, 0);
  bool any = false, is_next = false;
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction& made = instructions_[k];
    for (uint32_t j = 0; j < made.n_inputs; ++j) n_reads[inputs_[made.first_input + j]] += reads_operand(made, j);
    const bool is_chain = can_join(made);
    any |= is_chain && is_next;
    is_next = is_chain;
  }
  if (!any) return;
  for (uint32_t r = 0; r < n_registers_; ++r) n_reads[r] += registers_[r].is_asked;

  uint16_t inputs[kMaxInputs];
  ChainStep steps[kMaxSteps];
  uint32_t maker[kMaxRegisters];  // the chain that makes it, counted from 1
  std::fill_n(maker, n_registers_, 0);
  uint32_t n = 0, n_inputs = 0, n_steps = 0;
  is_next = false;
  for (uint32_t k = 0; k < n_instructions_; ++k) {
    const Instruction next = instructions_[k];
    const uint16_t* in = inputs_ + next.first_input;
    const bool is_chain = can_join(next);
    bool joins = is_chain && is_next && registers_[next.out].dtype == registers_[instructions_[n - 1].out].dtype;
    if (joins) {
      joins = false;
      for (uint32_t j = 0; j < next.n_inputs; ++j) joins |= maker[in[j]] == n && reads_operand(next, j);
    }
    is_next = is_chain;
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
    Instruction& chain = instructions_[n - 1];
    const uint16_t start = inputs[chain.first_input];
    const auto add_step = [&](uint8_t op, bool swapped, uint16_t operand) {
      inputs[n_inputs++] = operand;
      steps[n_steps++] = {op, swapped, false};
      ++chain.n_steps;
    };
    if (chain.n_steps == 0) {
      chain.n_steps = 1;
      steps[n_steps++] = {chain.op, false, false};
      if (chain.n_inputs == 1) inputs[n_inputs++] = start;
    }
    // What the chain has at its end stays in registers, if the next one starts with it; others may read it, too.
    const bool is_lone = next.n_steps == 0 && next.n_inputs == 2;
    const bool swapped = is_lone && in[1] == chain.out && in[0] != chain.out;
    const uint16_t first = in[swapped ? 1 : 0];
    const bool goes_on = first == chain.out;
    if (registers_[chain.out].place != Place::slot || n_reads[chain.out] > (goes_on ? 1u : 0u)) {
      add_step(ChainStep::kStore, false, chain.out);
    }
    if (!goes_on) add_step(ChainStep::kLoad, false, first);
    if (next.n_steps == 0) {
      add_step(next.op, swapped, is_lone ? in[swapped ? 0 : 1] : start);
    } else {
      for (uint32_t s = 0; s < next.n_steps; ++s) {
        const ChainStep& step = steps_[next.first_step + s];
        add_step(step.op, step.swapped, reads_operand(next, s + 1) ? in[s + 1] : start);
      }
    }
    chain.n_inputs = static_cast<uint8_t>(chain.n_steps + 1);
    chain.claims &= next.claims;
    chain.op = next.op;
    chain.out = next.out;
    maker[next.out] = n;
  }
  n_instructions_ = n;
  n_inputs_ = n_inputs;
  n_steps_ = n_steps;
  std::copy_n(inputs, n_inputs, inputs_);
  std::copy_n(steps, n_steps, steps_);
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
