// How runs of elementwise nodes become instructions over tiles.
#include "backends/cpu/tile_program.h"

#include <algorithm>
#include <cstring>

#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

TileFn kernel_of(const Kernels& kernels, uint32_t op, uint32_t n_inputs, uint32_t dtype) {
  if (n_inputs == 1) return kernels.unary->fn[op][compute_dtype(dtype)];
  if (n_inputs == 2) return kernels.binary->fn[op][compute_dtype(dtype)];
  return kernels.binary->where[size_log2(dtype)];
}

// One that converts on the way, or null.
TileFn half_kernel_of(const Kernels& kernels, uint32_t op, uint32_t n_inputs, uint32_t dtype) {
  if (!is_half(dtype) || n_inputs > 2) return nullptr;
  return n_inputs == 1 ? kernels.unary->fn[op][dtype] : kernels.binary->fn[op][dtype];
}

// Of a power, or 0.
int factors_of(const char* exponent) {
  float value;
  std::memcpy(&value, exponent, sizeof(value));
  return value == 2.0f ? 2 : value == 3.0f ? 3 : 0;
}

}  // namespace

int64_t cost_of(uint32_t op) {
  switch (op) {
#define IST_COST_any(id)
#define IST_COST_inexact(id) case id:
#define IST_COST_real_inexact(id) case id:
#define IST_COST_real(id)
#define IST_COST_magnitude(id)
#define IST_COST_compare(id)
#define IST_COST_logical(id)
#define IST_COST_bitwise(id)
#define IST_COST_select(id)
#define IST_COST_rule(id)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_COST_##dtypes(id)
#include "ops/ops.def"
#undef IST_OP
    return 4;
    default:
      return 1;
  }
}

bool is_predicate(uint32_t op) {
  switch (op) {
#define IST_PREDICATE_any(id)
#define IST_PREDICATE_inexact(id)
#define IST_PREDICATE_real_inexact(id)
#define IST_PREDICATE_real(id)
#define IST_PREDICATE_magnitude(id)
#define IST_PREDICATE_compare(id) case id:
#define IST_PREDICATE_logical(id) case id:
#define IST_PREDICATE_bitwise(id)
#define IST_PREDICATE_select(id)
#define IST_PREDICATE_rule(id)
#define IST_OP(id, name, family, arity, attrs, dtypes, derivative, execution, doc) IST_PREDICATE_##dtypes(id)
#include "ops/ops.def"
#undef IST_OP
    return true;
    default:
      return false;
  }
}

bool supports_elementwise(const Kernels& kernels, const ist_node& node, size_t tensor_size) {
  const uint32_t n = node.n_inputs;
  if (n < 1 || n > 3 || node.op >= static_cast<uint32_t>(kElementwiseIds)) return false;
  const uint32_t dtype = input_at(node, tensor_size, n - 1).dtype;
  if (node.op == static_cast<uint32_t>(Op::astype)) return n == 1;
  if (node.op == static_cast<uint32_t>(Op::contiguous)) return n == 1 && dtype == node.output.dtype;
  if (node.op == static_cast<uint32_t>(Op::where)) {
    return n == 3 && input_at(node, tensor_size, 0).dtype == IST_BOOL &&
           input_at(node, tensor_size, 1).dtype == dtype && node.output.dtype == dtype;
  }
  if (n == 3 || kernel_of(kernels, node.op, n, dtype) == nullptr) return false;
  if (input_at(node, tensor_size, 0).dtype != dtype) return false;
  if (is_predicate(node.op)) return node.output.dtype == IST_BOOL;
  const bool modulus = node.op == static_cast<uint32_t>(Op::abs) && dtype == IST_COMPLEX64;
  return node.output.dtype == (modulus ? uint32_t{IST_FLOAT32} : dtype);
}

TileProgram::TileProgram(const Context& context, uint32_t first, uint32_t end, uint32_t last)
    : context_(context), last_(last) {
  const ist_tensor& out = node_at(context.program, first).output;
  n_ = element_count(static_cast<int>(out.rank), out.shape);
  for (uint32_t i = first; i < end; ++i) add_node(i);
}

uint16_t TileProgram::value_as(const ist_tensor& value, uint32_t dtype) {
  const uint16_t made = operand(value);
  registers_[made].is_asked = any_asked_ = true;
  asked_ = made;
  if (value.dtype == dtype) return asked_;
  asked_ = take_slot(dtype);
  emit_cast(value.dtype, dtype, made, asked_);
  return asked_;
}

// Squares and cubes of float32 are products by definition; a scalar's value is known before the tiles are run. The
// factors, or 0.
int TileProgram::factors_of_power(const ist_node& node, const uint16_t* in) {
  if (node.op != static_cast<uint32_t>(Op::power) || node.output.dtype != IST_FLOAT32) return 0;
  const Register& exponent = registers_[in[1]];
  if (exponent.place != Place::filled || registers_[in[0]].place == Place::filled) return 0;
  const int factors = factors_of(exponent.base);
  exponents_[n_exponents_++] = {in[1], factors};
  return factors;
}

void TileProgram::add_node(uint32_t i) {
  ist_node node = node_at(context_.program, i);
  const ist_tensor& out = node.output;
  uint16_t in[3];
  uint32_t dtypes[3];
  for (uint32_t k = 0; k < node.n_inputs; ++k) {
    const ist_tensor& t = input_at(node, context_.program.tensor_size, k);
    in[k] = operand(t);
    dtypes[k] = t.dtype;
  }
  const int factors = factors_of_power(node, in);
  if (factors > 0) {
    node.op = static_cast<uint32_t>(Op::square);
    node.n_inputs = 1;
  }
  cost_ += cost_of(node.op);
  // A cube reads its base again, which has to be somewhere.
  const uint32_t link = factors == 3 ? n_in_slots_ : link_to_last(node, i, in);
  const bool linked = link < n_in_slots_;
  if (linked) forget_slot(link);  // it stays in registers
  const uint16_t result = result_register(out);
  made_[n_made_++] = {out.value, result};
  lowest_ = std::min(lowest_, out.value);

  if (linked) {
    extend_last(node.op, node.n_inputs, in, result);
  } else if (node.op == static_cast<uint32_t>(Op::contiguous)) {
    emit(nullptr, result, in, 1);
  } else if (node.op == static_cast<uint32_t>(Op::astype)) {
    emit_cast(dtypes[0], out.dtype, in[0], result);
  } else {
    const uint32_t dtype = dtypes[node.n_inputs - 1];
    const TileFn half = half_kernel_of(context_.kernels, node.op, node.n_inputs, dtype);
    const bool is_step = context_.kernels.chain->takes[dtype][node.op];
    TileFn fn = half != nullptr ? half : kernel_of(context_.kernels, node.op, node.n_inputs, dtype);
    if (node.n_inputs == 2 && registers_[in[1]].place == Place::filled) {
      const TileFn better = context_.kernels.binary->equal_divisors[node.op][dtype];
      if (better != nullptr) fn = better;
    }
    if (node.n_inputs < 3 && is_half(dtype) && half == nullptr && !is_step) {
      uint16_t wide[4];
      uint32_t n_wide = 0;
      for (uint32_t k = 0; k < node.n_inputs; ++k) {
        wide[n_wide] = take_slot(IST_FLOAT32);
        emit_cast(dtype, IST_FLOAT32, in[k], wide[n_wide]);
        in[k] = wide[n_wide++];
      }
      uint16_t target = result;
      if (is_half(out.dtype)) target = wide[n_wide++] = take_slot(IST_FLOAT32);
      emit(fn, target, in, node.n_inputs, node.op);
      if (target != result) emit_cast(IST_FLOAT32, out.dtype, target, result);
      while (n_wide > 0) free_slot(wide[--n_wide]);
    } else {
      const bool in_one_pass = is_half(dtype) && node.n_inputs < 3;
      if (in_one_pass) ++cost_;  // conversions
      emit(in_one_pass ? half : fn, result, in, node.n_inputs, node.op);
    }
  }
  if (factors == 3) {
    const uint16_t operands[] = {result, in[0]};
    extend_last(static_cast<uint32_t>(Op::multiply), 2, operands, result);
  }
  // Slots of values that nobody reads from here on.
  if (registers_[result].place == Place::slot) in_slots_[n_in_slots_++] = {out.value, result};
  for (uint32_t m = n_in_slots_; m-- > 0;) {
    if (value_at(context_.program, in_slots_[m].value).last_use <= i) forget_slot(m);
  }
}

void TileProgram::forget_slot(uint32_t m) {
  free_slot(in_slots_[m].reg);
  in_slots_[m] = in_slots_[--n_in_slots_];
}

uint16_t TileProgram::add_register(Place place, char* base, uint32_t dtype, const ist_tensor* operand) {
  if (place == Place::direct || place == Place::gathered) bytes_ += int64_t{1} << size_log2(dtype);
  registers_[n_registers_] = {base, place, static_cast<uint8_t>(size_log2(dtype)), false, 0, dtype, operand, nullptr};
  return static_cast<uint16_t>(n_registers_++);
}

char* TileProgram::address_of(const ist_tensor& t) const {
  char* data = static_cast<char*>(value_at(context_.program, t.value).buffer->data);
  return data + t.offset * (int64_t{1} << size_log2(t.dtype));
}

bool TileProgram::move() {
  for (uint32_t r = 0; r < n_registers_; ++r) {
    Register& reg = registers_[r];
    if (reg.operand != nullptr) reg.base = address_of(*reg.operand);
    if (reg.made != nullptr) reg.base = static_cast<char*>(reg.made->buffer->data);
  }
  for (uint32_t i = 0; i < n_alike_; ++i) {
    if (address_of(*alike_[i].operand) != registers_[alike_[i].reg].base) return false;
  }
  for (uint32_t i = 0; i < n_exponents_; ++i) {
    if (factors_of(registers_[exponents_[i].reg].base) != exponents_[i].factors) return false;
  }
  return true;
}

uint16_t TileProgram::operand(const ist_tensor& t) {
  for (uint32_t m = n_made_; t.value >= lowest_ && m-- > 0;) {
    if (made_[m].value == t.value) return made_[m].reg;
  }
  char* base = address_of(t);
  const int rank = static_cast<int>(t.rank);
  Place place = Place::gathered;
  if (is_dense(rank, t.shape, t.strides)) {
    place = Place::direct;
  } else if (is_broadcast_scalar(rank, t.shape, t.strides)) {
    place = Place::filled;
  }
  const auto reads_alike = [&](const ist_tensor& other) {
    return other.rank == t.rank && std::equal(other.shape, other.shape + rank, t.shape) &&
           std::equal(other.strides, other.strides + rank, t.strides);
  };
  for (uint32_t r = 0; r < n_registers_; ++r) {
    const Register& reg = registers_[r];
    if (reg.place != place || reg.base != base || reg.dtype != t.dtype || reg.operand == nullptr) continue;
    if (place == Place::gathered && !reads_alike(*reg.operand)) continue;
    alike_[n_alike_++] = {&t, static_cast<uint16_t>(r)};
    return static_cast<uint16_t>(r);
  }
  return add_register(place, base, t.dtype, &t);
}

uint16_t TileProgram::result_register(const ist_tensor& out) {
  const ist_value& value = value_at(context_.program, out.value);
  if (!outlives(value, last_)) return take_slot(out.dtype);
  const uint16_t reg = add_register(Place::direct, static_cast<char*>(value.buffer->data), out.dtype, nullptr);
  registers_[reg].made = &value;
  return reg;
}

// A slot's buffer is shared in time by registers of several dtypes; each taking makes a register, so that an
// instruction's operands keep their own. Not by bools and others: a chain, which may read the one and write the other,
// would write over elements that it has still to read.
uint16_t TileProgram::take_slot(uint32_t dtype) {
  const bool is_bool = dtype == IST_BOOL;
  uint16_t slot = 0;
  while (slot < n_slots_ && (slot_used_[slot] || slot_is_bool_[slot] != is_bool)) ++slot;
  if (slot == n_slots_) ++n_slots_;
  slot_is_bool_[slot] = is_bool;
  slot_used_[slot] = true;
  slot_log2_ = std::max(slot_log2_, size_log2(dtype));
  const uint16_t reg = add_register(Place::slot, nullptr, dtype, nullptr);
  registers_[reg].index = slot;
  return reg;
}

void TileProgram::emit(TileFn fn, uint16_t out, const uint16_t* in, uint32_t n_inputs, uint32_t op) {
  Instruction& next = instructions_[n_instructions_++];
  next.fn = fn;
  next.op = static_cast<uint8_t>(op);
  next.dtype = static_cast<uint8_t>(registers_[in[n_inputs - 1]].dtype);
  next.n_steps = 0;
  next.of_bools = false;
  next.n_inputs = static_cast<uint8_t>(n_inputs);
  next.log2 = registers_[out].log2;
  next.claims = cost_of(op) == 1;
  next.out = out;
  next.first_input = static_cast<uint16_t>(n_inputs_);
  next.first_step = 0;
  std::copy_n(in, n_inputs, inputs_ + n_inputs_);
  n_inputs_ += n_inputs;
  const bool has_step = next.dtype != IST_BOOL && context_.kernels.chain->takes[next.dtype][op];
  const bool has_constant = n_inputs == 2 && (is_constant(in[0]) || is_constant(in[1]));
  if (has_step && (has_constant || fn == nullptr)) make_chain(next, chain_lists());
}

void TileProgram::emit_cast(uint32_t from, uint32_t to, uint16_t in, uint16_t out) {
  ++cost_;
  if (from == to) return emit(nullptr, out, &in, 1);
  const CastTable& casts = *context_.kernels.cast;
  if (casts.fn[from][to] != nullptr) return emit(casts.fn[from][to], out, &in, 1);
  uint16_t between = in;
  const bool converts = from != IST_FLOAT32;
  if (converts) {
    between = take_slot(IST_FLOAT32);
    emit(casts.fn[from][IST_FLOAT32], between, &in, 1);
  }
  emit(casts.fn[IST_FLOAT32][to], out, &between, 1);
  if (converts) free_slot(between);
}

}  // namespace ist::cpu
