// The C library: tensors, ops, evaluation, gradients. Files, devices and memory are in capi_runtime.cpp.
#include "abi/capi.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "ops/op_table.h"
#include "ops/ops.h"
#include "runtime/memory.h"
#include "runtime/registry.h"
#include "runtime/scheduler.h"
#include "transforms/autograd.h"

#ifndef ISTHMUS_VERSION
#define ISTHMUS_VERSION "unknown"
#endif

namespace ist::capi {
namespace {

struct LastError {
  ist_status status = IST_OK;
  std::string message;
};
thread_local LastError last_error;

bool is_dtype(uint32_t dtype) { return dtype < static_cast<uint32_t>(kDTypeCount); }

DType dtype_of(uint32_t dtype, const char* function) {
  if (!is_dtype(dtype)) fail(Code::dtype, function, "unknown dtype ", dtype);
  return static_cast<DType>(dtype);
}

Dims shape_of(uint32_t rank, const int64_t* shape, const char* function) {
  if (rank == 0) return {};
  Dims dims(std::span<const int64_t>(&required(shape, function, "shape"), rank));
  for (const int64_t extent : dims)
    if (extent < 0) fail(Code::value, function, "the shape ", dims, " has a negative extent");
  return dims;
}

uint64_t bytes_of(const Dims& shape, DType dtype, const char* function) {
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(element_count(shape, function)),
                             static_cast<uint64_t>(itemsize(dtype)), &bytes))
    fail(Code::memory, function, "a tensor of shape ", shape, " and dtype ", dtype, " does not fit memory");
  return bytes;
}

// Row-major copy of strided elements; odometer over all axes.
void copy_strided(unsigned char* to, const unsigned char* from, const Dims& shape, const Dims& strides, size_t size) {
  Dims index(static_cast<size_t>(shape.size()), 0);
  const int64_t count = element_count(shape);
  const auto item = static_cast<int64_t>(size);
  for (int64_t i = 0; i < count; ++i, to += size) {
    std::memcpy(to, from, size);
    for (int axis = shape.size() - 1; axis >= 0; --axis) {
      const auto a = static_cast<size_t>(axis);
      from += strides[a] * item;
      if (++index[a] < shape[a]) break;
      from -= strides[a] * item * shape[a];
      index[a] = 0;
    }
  }
}

const OpInfo& op_info(uint32_t op, const char* function) {
  const OpInfo* row = find_op(op);
  if (row == nullptr) fail(Code::value, function, "unknown op id ", op);
  if (row->execution == Execution::data)
    fail(Code::value, function, "'", row->name, "' is not an op to call; use ist_array_create");
  return *row;
}

Tensors call(const OpInfo& row, ist_array* const* inputs, size_t n_inputs, const void* attrs, const char* function) {
  const bool fits = row.arity == VARIADIC ? n_inputs >= 1 : n_inputs == static_cast<size_t>(row.arity);
  if (!fits) {
    if (row.arity == VARIADIC) fail(Code::value, row.name, "takes at least 1 tensor, got none");
    fail(Code::value, row.name, "takes ", int{row.arity}, row.arity == 1 ? " tensor" : " tensors", ", got ", n_inputs);
  }
  const Tensors operands = tensors(inputs, n_inputs, function, "inputs");
  const Attrs lifted = lift(row.attrs_kind, attrs, row.name);
  if (row.execution == Execution::many) return row.call_many(operands, lifted);
  Tensors results;
  results.push_back(row.call(operands, lifted));
  return results;
}

}  // namespace

ist_status record(ist_status status, const char* message) noexcept {
  last_error.status = status;
  try {
    last_error.message = message;
  } catch (...) {
    last_error.message.clear();  // no room for the text: the status still says what happened
  }
  return status;
}

std::vector<Tensor> tensors(ist_array* const* arrays, size_t n, const char* function, const char* argument) {
  std::vector<Tensor> out;
  if (n == 0) return out;
  require(arrays, function, argument);
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    if (arrays[i] == nullptr) fail(Code::value, function, "argument '", argument, "' has NULL at position ", i);
    out.push_back(tensor(arrays[i], function, argument));
  }
  return out;
}

}  // namespace ist::capi

using namespace ist;
using namespace ist::capi;

// ---- version and errors ----

uint32_t ist_version(void) { return IST_ABI_VERSION; }
const char* ist_version_text(void) { return ISTHMUS_VERSION; }

const char* ist_last_error(void) { return last_error.message.c_str(); }
ist_status ist_last_status(void) { return last_error.status; }
void ist_clear_error(void) {
  last_error.status = IST_OK;
  last_error.message.clear();
}

const char* ist_status_name(ist_status status) {
  switch (status) {
    case IST_OK:
      return "ok";
    case IST_ERROR_VALUE:
      return "value";
    case IST_ERROR_SHAPE:
      return "shape";
    case IST_ERROR_DTYPE:
      return "dtype";
    case IST_ERROR_INDEX:
      return "index";
    case IST_ERROR_DEVICE:
      return "device";
    case IST_ERROR_MEMORY:
      return "memory";
    case IST_ERROR_IO:
      return "io";
    case IST_ERROR_FORMAT:
      return "format";
    case IST_ERROR_BACKEND:
      return "backend";
    case IST_ERROR_STATE:
      return "state";
  }
  return "unknown";
}

// ---- tensors ----

ist_status ist_array_create(uint32_t dtype, uint32_t rank, const int64_t* shape, const int64_t* strides,
                            const void* data, ist_array** out) {
  constexpr const char* kName = "ist_array_create";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    const DType type = dtype_of(dtype, kName);
    const Dims dims = shape_of(rank, shape, kName);
    const uint64_t bytes = bytes_of(dims, type, kName);
    if (bytes != 0) require(data, kName, "data");
    void* memory = nullptr;
    Tensor made = make_empty(type, dims, &memory, kName);
    if (bytes != 0 && strides == nullptr) {
      std::memcpy(memory, data, bytes);
    } else if (bytes != 0) {
      copy_strided(static_cast<unsigned char*>(memory), static_cast<const unsigned char*>(data), dims,
                   Dims(std::span<const int64_t>(strides, rank)), static_cast<size_t>(itemsize(type)));
    }
    if (is_bool(type)) {  // kernels read a bool as 0 or 1
      auto* bools = static_cast<unsigned char*>(memory);
      std::transform(bools, bools + bytes, bools, [](unsigned char byte) { return byte != 0; });
    }
    result = handle(std::move(made));
  });
}

ist_status ist_array_wrap(uint32_t dtype, uint32_t rank, const int64_t* shape, void* data, void (*release)(void*),
                          void* context, ist_array** out) {
  constexpr const char* kName = "ist_array_wrap";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    require(data, kName, "data");
    const DType type = dtype_of(dtype, kName);
    const Dims dims = shape_of(rank, shape, kName);
    const uint64_t bytes = bytes_of(dims, type, kName);
    if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(itemsize(type)) != 0)
      fail(Code::value, kName, "'data' is not aligned to the ", itemsize(type), " bytes of ", type);
    // The caller's release must run exactly when the last tensor goes, and not at all if no tensor comes to be.
    struct Owner {
      void (*release)(void*);
      void* context;
    };
    auto owner = std::make_unique<Owner>(Owner{nullptr, context});
    BufferRef buffer = memory::wrap(
        data, bytes,
        [](void* self) {
          const std::unique_ptr<Owner> owned(static_cast<Owner*>(self));
          if (owned->release) owned->release(owned->context);
        },
        owner.get());
    Owner* const armed = owner.release();
    Tensor made = make_data(type, dims, row_major_strides(dims), 0, std::move(buffer), current_device());
    armed->release = release;
    result = handle(std::move(made));
  });
}

ist_status ist_array_scalar(double value, uint32_t dtype, ist_array** out) {
  constexpr const char* kName = "ist_array_scalar";
  return guarded([&] { required(out, kName, "out") = handle(ops::scalar(value, dtype_of(dtype, kName))); });
}

ist_status ist_array_scalar_int(int64_t value, uint32_t dtype, ist_array** out) {
  constexpr const char* kName = "ist_array_scalar_int";
  return guarded([&] { required(out, kName, "out") = handle(ops::scalar(value, dtype_of(dtype, kName))); });
}

ist_array* ist_array_retain(ist_array* array) {
  if (array != nullptr) node(array)->retain();
  return array;
}
void ist_array_release(ist_array* array) {
  if (array != nullptr) Node::release(node(array));
}

ist_dtype ist_array_dtype(const ist_array* array) { return static_cast<ist_dtype>(node(array)->dtype); }
uint32_t ist_array_rank(const ist_array* array) { return static_cast<uint32_t>(node(array)->shape.size()); }
const int64_t* ist_array_shape(const ist_array* array) { return node(array)->shape.data(); }
int64_t ist_array_size(const ist_array* array) { return node(array)->size; }
uint64_t ist_array_nbytes(const ist_array* array) {
  return static_cast<uint64_t>(node(array)->size) * static_cast<uint64_t>(itemsize(node(array)->dtype));
}
uint32_t ist_array_device(const ist_array* array) { return node(array)->device; }

const char* ist_dtype_name(uint32_t dtype) { return is_dtype(dtype) ? name(static_cast<DType>(dtype)) : "unknown"; }
uint64_t ist_dtype_size(uint32_t dtype) {
  return is_dtype(dtype) ? static_cast<uint64_t>(itemsize(static_cast<DType>(dtype))) : 0;
}

// ---- evaluation ----

ist_status ist_eval(ist_array* const* arrays, size_t n) {
  return guarded([&] { eval(tensors(arrays, n, "ist_eval", "arrays")); });
}

ist_status ist_array_data(ist_array* array, const void** out, int64_t* strides) {
  constexpr const char* kName = "ist_array_data";
  return guarded([&] {
    const void*& result = required(out, kName, "data");
    const Tensor held = tensor(array, kName, "array");
    result = data(held);
    if (strides != nullptr) std::copy(held->layout.strides.begin(), held->layout.strides.end(), strides);
  });
}

ist_status ist_array_copy(ist_array* array, void* destination, uint64_t nbytes) {
  constexpr const char* kName = "ist_array_copy";
  return guarded([&] {
    const Tensor held = tensor(array, kName, "array");
    const auto wanted = static_cast<uint64_t>(held.nbytes());
    if (nbytes != wanted)
      fail(Code::value, kName, "a tensor of shape ", held.shape(), " and dtype ", held.dtype(), " has ", wanted,
           " bytes, 'nbytes' is ", nbytes);
    if (wanted == 0) return eval(held);
    require(destination, kName, "destination");
    const Tensor dense = evaluated_row_major(held);
    std::memcpy(destination, data(dense), wanted);
  });
}

// ---- ops ----

ist_status ist_op(uint32_t op, ist_array* const* inputs, size_t n_inputs, const void* attrs, ist_array** out) {
  constexpr const char* kName = "ist_op";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    const OpInfo& row = op_info(op, kName);
    if (row.execution == Execution::many) fail(Code::value, row.name, "returns several tensors; use ist_op_many");
    result = handle(std::move(call(row, inputs, n_inputs, attrs, kName).front()));
  });
}

ist_status ist_op_many(uint32_t op, ist_array* const* inputs, size_t n_inputs, const void* attrs, ist_array** outputs,
                       size_t* n_outputs) {
  constexpr const char* kName = "ist_op_many";
  return guarded([&] {
    size_t& count = required(n_outputs, kName, "n_outputs");
    const OpInfo& row = op_info(op, kName);
    Tensors results = call(row, inputs, n_inputs, attrs, kName);
    const size_t room = count;
    count = results.size();
    if (results.size() > room)
      fail(Code::value, row.name, "returns ", results.size(), " tensors, 'outputs' has room for ", room);
    if (!results.empty()) require(outputs, kName, "outputs");
    for (size_t i = 0; i < results.size(); ++i) outputs[i] = handle(std::move(results[i]));
  });
}

const char* ist_op_name(uint32_t op) {
  const OpInfo* row = find_op(op);
  return row ? row->name : nullptr;
}

ist_status ist_op_find(const char* name, uint32_t* op) {
  constexpr const char* kName = "ist_op_find";
  return guarded([&] {
    uint32_t& result = required(op, kName, "op");
    const OpInfo* row = find_op(std::string_view(&required(name, kName, "name")));
    if (row == nullptr) fail(Code::value, kName, "there is no op '", name, "'");
    result = static_cast<uint32_t>(row->op);
  });
}

// ---- gradients ----

ist_status ist_set_requires_grad(ist_array* array, int32_t value) {
  constexpr const char* kName = "ist_set_requires_grad";
  return guarded([&] { set_requires_grad(tensor(array, kName, "array"), value != 0); });
}

ist_status ist_requires_grad(const ist_array* array, int32_t* out) {
  constexpr const char* kName = "ist_requires_grad";
  return guarded([&] { required(out, kName, "out") = requires_grad(tensor(array, kName, "array")); });
}

ist_status ist_backward(ist_array* array, ist_array* cotangent) {
  constexpr const char* kName = "ist_backward";
  return guarded([&] {
    const Tensor output = tensor(array, kName, "array");
    if (cotangent == nullptr) return backward(output);
    const Tensor given = tensor(cotangent, kName, "cotangent");
    backward(output, &given);
  });
}

ist_status ist_grad(const ist_array* array, ist_array** out) {
  constexpr const char* kName = "ist_grad";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    const Tensor held = tensor(array, kName, "array");
    result = held->leaf ? handle(held->leaf->grad) : nullptr;
  });
}

ist_status ist_clear_grad(ist_array* array) {
  constexpr const char* kName = "ist_clear_grad";
  return guarded([&] {
    const Tensor held = tensor(array, kName, "array");
    if (held->leaf) held->leaf->grad = Tensor();
  });
}

ist_status ist_detach(ist_array* array, ist_array** out) {
  constexpr const char* kName = "ist_detach";
  return guarded([&] { required(out, kName, "out") = handle(detach(tensor(array, kName, "array"))); });
}

ist_status ist_vjp(ist_function function, void* context, ist_array* const* primals, size_t n_primals,
                   ist_array* const* cotangents, size_t n_outputs, ist_array** outputs, ist_array** gradients) {
  constexpr const char* kName = "ist_vjp";
  return guarded([&] {
    if (function == nullptr) fail(Code::value, kName, "argument 'function' is NULL");
    if (n_primals != 0) require(gradients, kName, "gradients");
    const auto traced = [&](std::span<const Tensor> arguments) {
      std::vector<ist_array*> in(arguments.size()), results(n_outputs, nullptr);
      for (size_t i = 0; i < in.size(); ++i) in[i] = reinterpret_cast<ist_array*>(arguments[i].node());
      last_error = {};
      const ist_status status = function(context, in.data(), in.size(), results.data(), n_outputs);
      std::vector<Tensor> owned;
      owned.reserve(n_outputs);
      for (ist_array* result : results) owned.push_back(Tensor(node(result)));
      if (status != IST_OK) {
        // A failing call inside the function has said why; its words are worth more than the number alone.
        const bool explained = last_error.status == status && !last_error.message.empty();
        const std::string why =
            explained ? last_error.message : "the function failed: " + std::string(ist_status_name(status));
        throw Error(static_cast<Code>(status), kName, why);
      }
      for (size_t i = 0; i < n_outputs; ++i)
        if (!owned[i]) fail(Code::value, kName, "the function left result ", i, " of ", n_outputs, " NULL");
      return owned;
    };
    auto [values, pulled] =
        vjp(traced, tensors(primals, n_primals, kName, "primals"), tensors(cotangents, n_outputs, kName, "cotangents"));
    for (size_t i = 0; i < n_outputs && outputs != nullptr; ++i) outputs[i] = handle(std::move(values[i]));
    for (size_t i = 0; i < n_primals; ++i) gradients[i] = handle(std::move(pulled[i]));
  });
}
