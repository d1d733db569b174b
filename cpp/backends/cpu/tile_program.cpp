#include "backends/cpu/tile_program.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/copy_kernels.h"
#include "backends/cpu/elementwise_kernels.h"
#include "backends/cpu/threads.h"
#include "ops/op_ids.h"

namespace ist::cpu {
namespace {

// A node takes at most 3 operands, and 3 conversions of operands, itself and a conversion of its result.
constexpr uint32_t kMaxInstructions = kMaxRunNodes * 5;
constexpr uint32_t kMaxOperands = kMaxRunNodes * 3;
constexpr uint32_t kMaxSlots = kMaxRunNodes + 4;  // results alive inside the run, and the halves' way through float32
constexpr uint32_t kMaxRegisters = kMaxOperands + kMaxInstructions;
constexpr int64_t kTileMin = 512;
constexpr int64_t kTileMax = 4096;
constexpr int64_t kCacheBytes = 256 * 1024;
// Elements times their cost that are worth another thread, one that is awake or one that sleeps.
constexpr int64_t kGrainAwake = 16 * 1024;
constexpr int64_t kGrainAsleep = 64 * 1024;

enum class Place : uint8_t { direct, filled, gathered, slot };

struct Register {
  char* base;  // direct: element 0; filled and gathered: the operand's first element
  Place place;
  uint8_t log2;
  uint16_t index;  // of its tile buffer
  const int64_t* strides;
  uint32_t dtype;
};

struct Instruction {
  TileFn fn;  // null: a copy of the first operand
  uint8_t n_inputs;
  uint8_t log2;
  uint16_t out;
  uint16_t in[3];
};

TileFn kernel_of(const Kernels& kernels, uint32_t op, uint32_t n_inputs, uint32_t dtype) {
  if (n_inputs == 1) return kernels.unary->fn[op][compute_dtype(dtype)];
  if (n_inputs == 2) return kernels.binary->fn[op][compute_dtype(dtype)];
  return kernels.binary->where[size_log2(dtype)];
}

// What an element of a row of ops.def costs, roughly, in additions.
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

class Builder {
 public:
  Builder(const Context& context, uint32_t first, uint32_t end) : context_(context), first_(first), end_(end) {
    const ist_tensor& out = node_at(context.program, first).output;
    rank_ = static_cast<int>(out.rank);
    shape_ = out.shape;
    n_ = element_count(rank_, shape_);
  }

  void build() {
    for (uint32_t i = first_; i < end_; ++i) add_node(i);
  }

  void run() {
    // Operands that need a tile of their own come after the slots in a thread's scratch.
    uint16_t buffers = n_slots_;
    for (uint32_t r = 0; r < n_registers_; ++r) {
      Register& reg = registers_[r];
      if (reg.place == Place::filled || reg.place == Place::gathered) reg.index = buffers++;
      if (reg.place != Place::gathered) continue;
      Nest<1>& nest = gathers_.emplace_back(Gather{r, {}}).nest;
      for (int i = 0; i < rank_; ++i) nest.add(shape_[i], reg.strides[i]);
    }
    // Wholly in place, a tile may be as long as a thread's range.
    int64_t tile = n_;
    if (buffers > 0 || n_instructions_ > 1) {
      tile = kTileMax;
      while (tile > kTileMin && tile * 8 * buffers > kCacheBytes) tile /= 2;
      tile = std::min(tile, n_);
    }
    const auto piece = [&](int64_t begin, int64_t end) { run_range(begin, end, tile, buffers); };
    if (context_.threads <= 1 || n_ * cost_ < 2 * kGrainAwake) return piece(0, n_);
    const int64_t worth = helpers_awake() ? kGrainAwake : kGrainAsleep;
    parallel_for(context_.threads, n_, std::max<int64_t>(kTileMin, worth / cost_), piece);
  }

 private:
  void add_node(uint32_t i) {
    const ist_node& node = node_at(context_.program, i);
    const ist_tensor& out = node.output;
    uint16_t in[3];
    uint32_t dtypes[3];
    for (uint32_t k = 0; k < node.n_inputs; ++k) {
      const ist_tensor& t = input_at(node, context_.program.tensor_size, k);
      in[k] = operand(t);
      dtypes[k] = t.dtype;
    }
    cost_ += cost_of(node.op);
    const uint16_t result = result_register(out);
    made_[n_made_++] = {out.value, result};
    lowest_ = std::min(lowest_, out.value);

    if (node.op == static_cast<uint32_t>(Op::contiguous)) {
      emit(nullptr, size_log2(out.dtype), result, in, 1);
    } else if (node.op == static_cast<uint32_t>(Op::astype)) {
      emit_cast(dtypes[0], out.dtype, in[0], result);
    } else {
      const uint32_t dtype = dtypes[node.n_inputs - 1];
      const TileFn fn = kernel_of(context_.kernels, node.op, node.n_inputs, dtype);
      if (node.n_inputs < 3 && is_half(dtype)) {
        uint16_t wide[4];
        uint32_t n_wide = 0;
        for (uint32_t k = 0; k < node.n_inputs; ++k) {
          wide[n_wide] = take_slot(IST_FLOAT32);
          emit_cast(dtype, IST_FLOAT32, in[k], wide[n_wide]);
          in[k] = wide[n_wide++];
        }
        uint16_t target = result;
        if (is_half(out.dtype)) target = wide[n_wide++] = take_slot(IST_FLOAT32);
        emit(fn, 2, target, in, node.n_inputs);
        if (target != result) emit_cast(IST_FLOAT32, out.dtype, target, result);
        while (n_wide > 0) free_slot(wide[--n_wide]);
      } else {
        emit(fn, size_log2(out.dtype), result, in, node.n_inputs);
      }
    }
    // Slots of values that nobody reads from here on.
    if (registers_[result].place == Place::slot) in_slots_[n_in_slots_++] = {out.value, result};
    for (uint32_t m = n_in_slots_; m-- > 0;) {
      if (value_at(context_.program, in_slots_[m].value).last_use > i) continue;
      free_slot(in_slots_[m].reg);
      in_slots_[m] = in_slots_[--n_in_slots_];
    }
  }

  uint16_t add_register(Place place, char* base, uint32_t dtype, const int64_t* strides) {
    registers_[n_registers_] = {base, place, static_cast<uint8_t>(size_log2(dtype)), 0, strides, dtype};
    return static_cast<uint16_t>(n_registers_++);
  }

  uint16_t operand(const ist_tensor& t) {
    for (uint32_t m = n_made_; t.value >= lowest_ && m-- > 0;) {
      if (made_[m].value == t.value) return made_[m].reg;
    }
    char* base = static_cast<char*>(value_at(context_.program, t.value).buffer->data) +
                 t.offset * (int64_t{1} << size_log2(t.dtype));
    Place place = Place::gathered;
    if (is_dense(rank_, shape_, t.strides)) {
      place = Place::direct;
    } else if (is_broadcast_scalar(rank_, shape_, t.strides)) {
      place = Place::filled;
    }
    for (uint32_t r = 0; r < n_registers_; ++r) {
      const Register& reg = registers_[r];
      if (reg.place == place && reg.base == base && reg.dtype == t.dtype && reg.strides != nullptr &&
          std::equal(reg.strides, reg.strides + rank_, t.strides)) {
        return static_cast<uint16_t>(r);
      }
    }
    return add_register(place, base, t.dtype, t.strides);
  }

  uint16_t result_register(const ist_tensor& out) {
    const ist_value& value = value_at(context_.program, out.value);
    if (!outlives(value, end_ - 1)) return take_slot(out.dtype);
    return add_register(Place::direct, static_cast<char*>(value.buffer->data), out.dtype, nullptr);
  }

  // A slot's buffer is shared in time by registers of several dtypes; each taking makes a register, so that an
  // instruction's operands keep their own.
  uint16_t take_slot(uint32_t dtype) {
    uint16_t slot = 0;
    while (slot < n_slots_ && slot_used_[slot]) ++slot;
    if (slot == n_slots_) ++n_slots_;
    slot_used_[slot] = true;
    const uint16_t reg = add_register(Place::slot, nullptr, dtype, nullptr);
    registers_[reg].index = slot;
    return reg;
  }
  void free_slot(uint16_t reg) { slot_used_[registers_[reg].index] = false; }

  void emit(TileFn fn, int log2, uint16_t out, const uint16_t* in, uint32_t n_inputs) {
    Instruction& next = instructions_[n_instructions_++];
    next.fn = fn;
    next.n_inputs = static_cast<uint8_t>(n_inputs);
    next.log2 = static_cast<uint8_t>(log2);
    next.out = out;
    for (uint32_t k = 0; k < n_inputs; ++k) next.in[k] = in[k];
  }

  void emit_cast(uint32_t from, uint32_t to, uint16_t in, uint16_t out) {
    if (from == to) return emit(nullptr, size_log2(to), out, &in, 1);
    const CastTable& casts = *context_.kernels.cast;
    if (casts.fn[from][to] != nullptr) return emit(casts.fn[from][to], size_log2(to), out, &in, 1);
    uint16_t between = in;
    const bool converts = from != IST_FLOAT32;
    if (converts) {
      between = take_slot(IST_FLOAT32);
      emit(casts.fn[from][IST_FLOAT32], 2, between, &in, 1);
    }
    emit(casts.fn[IST_FLOAT32][to], size_log2(to), out, &between, 1);
    if (converts) free_slot(between);
  }

  void run_range(int64_t begin, int64_t end, int64_t tile, uint32_t buffers) {
    char* memory = buffers > 0 ? scratch(static_cast<size_t>(buffers) * static_cast<size_t>(tile) * 8) : nullptr;
    char* at[kMaxRegisters];
    const int64_t longest = std::min(tile, end - begin);
    for (uint32_t r = 0; r < n_registers_; ++r) {
      const Register& reg = registers_[r];
      if (reg.place == Place::direct) {
        at[r] = reg.base + (begin << reg.log2);
        continue;
      }
      at[r] = memory + static_cast<int64_t>(reg.index) * tile * 8;
      if (reg.place == Place::filled) {
        context_.kernels.copy->fill[reg.log2](longest, at[r], reg.base);
      }
    }
    for (int64_t start = begin; start < end; start += tile) {
      const int64_t n = std::min(tile, end - start);
      for (const Gather& gather : gathers_) {
        const Register& reg = registers_[gather.reg];
        context_.kernels.copy->gather[reg.log2](start, n, gather.nest.rank, gather.nest.shape, gather.nest.strides[0],
                                                reg.base, at[gather.reg]);
      }
      for (uint32_t k = 0; k < n_instructions_; ++k) {
        const Instruction& step = instructions_[k];
        const void* in[3];
        for (uint32_t j = 0; j < step.n_inputs; ++j) in[j] = at[step.in[j]];
        if (step.fn != nullptr) {
          step.fn(n, at[step.out], in);
        } else {
          std::memcpy(at[step.out], in[0], static_cast<size_t>(n) << step.log2);
        }
      }
      for (uint32_t r = 0; r < n_registers_; ++r) {
        if (registers_[r].place == Place::direct) at[r] += n << registers_[r].log2;
      }
    }
  }

  struct Gather {
    uint32_t reg;
    Nest<1> nest;
  };
  struct Made {
    uint32_t value;
    uint16_t reg;
  };

  const Context& context_;
  uint32_t first_, end_;
  int rank_;
  const int64_t* shape_;
  int64_t n_;
  uint32_t n_registers_ = 0, n_instructions_ = 0, n_made_ = 0, n_in_slots_ = 0;
  uint32_t lowest_ = UINT32_MAX;  // number of a value that the run has made
  uint16_t n_slots_ = 0;
  int64_t cost_ = 0;  // of an element, in additions
  Register registers_[kMaxRegisters];
  Instruction instructions_[kMaxInstructions];
  Made made_[kMaxRunNodes];
  Made in_slots_[kMaxRunNodes];  // those still to be read
  bool slot_used_[kMaxSlots] = {};
  std::vector<Gather> gathers_;
};

// Of the rows of ops.def: the result is bool whatever the operands are.
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

}  // namespace

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

void run_elementwise(const Context& context, uint32_t first, uint32_t end) {
  const ist_node& node = node_at(context.program, first);
  if (element_count(static_cast<int>(node.output.rank), node.output.shape) == 0) return;
  // A lone copy knows better ways than tiles.
  if (end == first + 1 && node.op == static_cast<uint32_t>(Op::contiguous)) return run_contiguous({context, node});
  Builder builder(context, first, end);
  builder.build();
  builder.run();
}

}  // namespace ist::cpu
