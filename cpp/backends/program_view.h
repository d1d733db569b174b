// Reading a program and writing an error by the rules of backend.h: arrays are walked by the sizes that the program
// states, and an error is written only as far as its owner's struct reaches.
#pragma once

#include <cstddef>
#include <cstdio>

#include "abi/backend.h"

namespace ist {

inline ist_value& value_at(const ist_program& program, uint32_t i) {
  return *reinterpret_cast<ist_value*>(reinterpret_cast<char*>(program.values) + size_t{i} * program.value_size);
}

inline const ist_node& node_at(const ist_program& program, uint32_t i) {
  return *reinterpret_cast<const ist_node*>(reinterpret_cast<const char*>(program.nodes) +
                                            size_t{i} * program.node_size);
}

inline const ist_tensor& input_at(const ist_node& node, size_t tensor_size, uint32_t i) {
  return *reinterpret_cast<const ist_tensor*>(reinterpret_cast<const char*>(node.inputs) + size_t{i} * tensor_size);
}

// Returns `status`, so that a caller can `return report(...)`.
inline ist_status report(ist_error* error, ist_status status, uint32_t node, const char* message) {
  if (error == nullptr) return status;
  if (error->struct_size >= offsetof(ist_error, node) + sizeof(error->node)) error->node = node;
  if (error->struct_size > offsetof(ist_error, message)) {
    size_t room = error->struct_size - offsetof(ist_error, message);
    if (room > sizeof(error->message)) room = sizeof(error->message);
    std::snprintf(error->message, room, "%s", message);
  }
  return status;
}

// A host of another major version lays its structs out differently: nothing past the version may be read.
inline ist_status check_host(const ist_host* host, const char* backend, ist_error* error) {
  if (host != nullptr && host->abi_major == IST_BACKEND_ABI_MAJOR && host->struct_size >= sizeof(ist_host))
    return IST_OK;
  char message[160];
  std::snprintf(message, sizeof(message), "the %s backend was built for ABI version %u, the runtime offers version %u",
                backend, IST_BACKEND_ABI_MAJOR, host != nullptr ? unsigned{host->abi_major} : 0u);
  return report(error, IST_ERROR_BACKEND, IST_NO_NODE, message);
}

}  // namespace ist
