// The backends: built in, or loaded from shared libraries, all through ist_backend_query. A device is an index here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "abi/backend.h"
#include "graph/tensor.h"

namespace ist {

struct Backend {
  const ist_backend* table = nullptr;
  ist_queue* queue = nullptr;
  std::string path;  // of the shared library; empty for built-in ones
};

struct RefusedBackend {
  std::string path;
  std::string reason;
};

namespace registry {

// Devices in the order of loading: 0 "cpu", 1 "reference", 2 "null", then those of ISTHMUS_BACKENDS (paths separated
// by ':'), then those loaded later. The first call loads them; a refused one does not stop the others.
size_t count();
const Backend& backend(DeviceId device);
const char* device_name(DeviceId device);
// Raises IST_ERROR_DEVICE naming the devices that there are.
DeviceId find(const std::string& name, const char* op = "device");
std::vector<RefusedBackend> refused();
// Loads one library. Raises IST_ERROR_BACKEND that says what was found and what was wanted.
DeviceId load(const std::string& path);
// Checks a table as load() does; `path` is for the message. For built-in backends and tests.
DeviceId add(ist_backend_query_fn query, const std::string& path);
const ist_host& host();

}  // namespace registry

// The device on which tensors without inputs are made, a setting of this thread over a default of the process.
DeviceId current_device();
void set_default_device(DeviceId device);
class DeviceScope {
 public:
  explicit DeviceScope(DeviceId device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;

 private:
  int previous_;
};

// May an op that its device does not support run on "cpu" instead? Off unless the user allows it.
bool fallback_allowed();
void allow_fallback(bool allowed);

// Threads that CPU backends may use: ISTHMUS_NUM_THREADS, or the cores this process may run on.
int num_threads();
void set_num_threads(int n);  // n >= 1

}  // namespace ist
