// What the files of the C library share: handles, and the guard that turns exceptions into statuses.
#pragma once

#include <exception>
#include <new>
#include <vector>

#include "abi/isthmus.h"
#include "graph/tensor.h"
#include "runtime/error.h"

namespace ist::capi {

// A handle is the node itself: handles cost no allocation, and their count is the node's.
inline Node* node(const ist_array* array) { return reinterpret_cast<Node*>(const_cast<ist_array*>(array)); }
inline ist_array* handle(Tensor tensor) { return reinterpret_cast<ist_array*>(tensor.detach()); }
inline Tensor tensor(const ist_array* array, const char* function, const char* argument) {
  if (array == nullptr) fail(Code::value, function, "argument '", argument, "' is NULL");
  node(array)->retain();
  return Tensor(node(array));
}
inline void require(const void* pointer, const char* function, const char* argument) {
  if (pointer == nullptr) fail(Code::value, function, "argument '", argument, "' is NULL");
}
template <class T>
T& required(T* pointer, const char* function, const char* argument) {
  require(pointer, function, argument);
  return *pointer;
}
std::vector<Tensor> tensors(ist_array* const* arrays, size_t n, const char* function, const char* argument);

ist_status record(ist_status status, const char* message) noexcept;

// No exception crosses the line.
template <class F>
ist_status guarded(F body) noexcept {
  try {
    body();
    return IST_OK;
  } catch (const Error& error) {
    return record(static_cast<ist_status>(error.code), error.what());
  } catch (const std::bad_alloc&) {
    return record(IST_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return record(IST_ERROR_STATE, error.what());
  } catch (...) {
    return record(IST_ERROR_STATE, "unknown exception");
  }
}

}  // namespace ist::capi
