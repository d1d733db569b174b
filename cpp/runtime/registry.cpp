#include "runtime/registry.h"

#include <dlfcn.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <thread>

#include "backends/builtin.h"
#include "ops/op_table.h"
#include "runtime/error.h"
#include "runtime/memory.h"

namespace ist {
namespace registry {
namespace {

constexpr size_t kMaxBackends = 64;

// Entries never move or go: a DeviceId stays valid, and reading one needs no lock.
struct State {
  std::mutex mutex;
  std::array<Backend, kMaxBackends> backends;
  std::atomic<size_t> count{0};
  std::vector<RefusedBackend> refused;
};

State& state() {
  static State* const instance = new State;
  return *instance;
}

const char* op_name(uint32_t op) {
  const OpInfo* row = find_op(op);
  return row ? row->name : "unknown";
}
const char* dtype_name(uint32_t dtype) {
  return dtype < static_cast<uint32_t>(kDTypeCount) ? name(static_cast<DType>(dtype)) : "unknown";
}

// Why a table cannot be used, or an empty string.
std::string flaw(const ist_backend* table) {
  std::ostringstream why;
  if (!table) {
    why << "the query succeeded but gave no table";
  } else if (table->struct_size < sizeof(uint32_t) * 2) {
    why << "its table has " << table->struct_size << " bytes, at least " << sizeof(ist_backend) << " wanted";
  } else if (table->abi_major != IST_BACKEND_ABI_MAJOR) {
    why << "it has backend ABI " << table->abi_major << "." << table->abi_minor << ", this runtime has "
        << IST_BACKEND_ABI_MAJOR << "." << IST_BACKEND_ABI_MINOR << ": the major versions must be equal";
  } else if (table->struct_size < sizeof(ist_backend)) {
    why << "its table has " << table->struct_size << " bytes, at least " << sizeof(ist_backend) << " wanted";
  } else if (!table->name || !*table->name) {
    why << "it has no name";
  } else if (!table->supports || !table->queue_create || !table->queue_destroy || !table->run) {
    why << "backend '" << table->name << "' lacks "
        << (!table->supports        ? "supports"
            : !table->queue_create  ? "queue_create"
            : !table->queue_destroy ? "queue_destroy"
                                    : "run");
  } else if (table->n_devices == 0) {
    why << "backend '" << table->name << "' has no devices";
  }
  return why.str();
}

std::string text_of(const ist_error& error) {
  const size_t length = strnlen(error.message, sizeof(error.message));
  return length ? std::string(error.message, length) : "no reason was given";
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  fail(Code::backend, "load_backend", path, " was refused: ", why);
}

// The caller holds the mutex.
DeviceId add_locked(ist_backend_query_fn query, const std::string& path) {
  State& all = state();
  const ist_backend* table = nullptr;
  ist_error error{};
  error.struct_size = sizeof(error);
  error.node = IST_NO_NODE;
  if (query(&host(), &table, &error) != IST_OK) refuse(path, text_of(error));
  if (const std::string why = flaw(table); !why.empty()) refuse(path, why);
  const size_t n = all.count.load();
  for (size_t i = 0; i < n; ++i)
    if (std::strcmp(all.backends[i].table->name, table->name) == 0)
      refuse(path, std::string("a device named '") + table->name + "' exists already");
  if (n == kMaxBackends) refuse(path, "there are " + std::to_string(kMaxBackends) + " backends already");
  ist_queue* queue = nullptr;
  if (table->queue_create(table->self, 0, &queue, &error) != IST_OK) refuse(path, text_of(error));
  all.backends[n] = Backend{table, queue, path};
  all.count.store(n + 1, std::memory_order_release);
  return static_cast<DeviceId>(n);
}

DeviceId load_locked(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) refuse(path, std::string("it cannot be opened: ") + dlerror());
  void* symbol = dlsym(library, IST_BACKEND_QUERY_SYMBOL);
  if (!symbol) {
    dlclose(library);
    refuse(path, "it exports no symbol '" IST_BACKEND_QUERY_SYMBOL "'");
  }
  try {
    return add_locked(reinterpret_cast<ist_backend_query_fn>(symbol), path);
  } catch (...) {
    dlclose(library);
    throw;
  }
}

// Built-in backends first, then those the environment names. A built-in one that refuses (a bad ISTHMUS_CPU_ISA) is an
// error now and at the next try; one from the environment is noted and passed over.
void load_all() {
  static std::atomic<bool> done{false};
  if (done.load(std::memory_order_acquire)) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  if (done.load(std::memory_order_relaxed)) return;
  constexpr std::pair<ist_backend_query_fn, const char*> kBuiltIn[] = {
      {ist_cpu_query, "cpu"}, {ist_reference_query, "reference"}, {ist_null_query, "null"}};
  for (size_t i = all.count.load(); i < std::size(kBuiltIn); ++i) {
    add_locked(kBuiltIn[i].first, std::string("built-in backend '") + kBuiltIn[i].second + "'");
    all.backends[i].path.clear();
  }
  if (const char* paths = std::getenv("ISTHMUS_BACKENDS")) {
    std::istringstream list(paths);
    for (std::string path; std::getline(list, path, ':');) {
      if (path.empty()) continue;
      try {
        load_locked(path);
      } catch (const Error& error) {
        all.refused.push_back({path, error.message});
      }
    }
  }
  done.store(true, std::memory_order_release);
}

}  // namespace

const ist_host& host() {
  static const ist_host table = {sizeof(ist_host),
                                 IST_BACKEND_ABI_MAJOR,
                                 IST_BACKEND_ABI_MINOR,
                                 ISTHMUS_VERSION,
                                 memory::try_allocate,
                                 [] { return static_cast<int32_t>(ist::num_threads()); },
                                 op_name,
                                 dtype_name};
  return table;
}

size_t count() {
  load_all();
  return state().count.load(std::memory_order_acquire);
}

const Backend& backend(DeviceId device) {
  load_all();
  return state().backends[device];
}

const char* device_name(DeviceId device) { return backend(device).table->name; }

DeviceId find(const std::string& name, const char* op) {
  const size_t n = count();
  std::string names;
  for (size_t i = 0; i < n; ++i) {
    const char* candidate = device_name(static_cast<DeviceId>(i));
    if (name == candidate) return static_cast<DeviceId>(i);
    names += (i ? ", " : "") + std::string(candidate);
  }
  std::string why;
  for (const RefusedBackend& entry : refused()) why += "; " + entry.reason;
  fail(Code::device, op, "there is no device '", name, "'; there are: ", names, why);
}

std::vector<RefusedBackend> refused() {
  load_all();
  const std::lock_guard lock(state().mutex);
  return state().refused;
}

DeviceId load(const std::string& path) {
  load_all();
  const std::lock_guard lock(state().mutex);
  return load_locked(path);
}

DeviceId add(ist_backend_query_fn query, const std::string& path) {
  load_all();
  const std::lock_guard lock(state().mutex);
  return add_locked(query, path);
}

}  // namespace registry

namespace {

std::atomic<int> default_device{0};
thread_local int scoped_device = -1;
std::atomic<bool> may_fall_back{false};

int initial_threads() {
  if (const char* text = std::getenv("ISTHMUS_NUM_THREADS")) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && n >= 1 && n <= 4096) return static_cast<int>(n);
    fail(Code::value, "ISTHMUS_NUM_THREADS", "'", text, "' is not a number of threads from 1 to 4096");
  }
#if defined(__linux__)
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0) return std::max(1, CPU_COUNT(&cores));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

std::atomic<int>& thread_setting() {
  static std::atomic<int> setting{initial_threads()};
  return setting;
}

}  // namespace

DeviceId current_device() { return static_cast<DeviceId>(scoped_device >= 0 ? scoped_device : default_device.load()); }
void set_default_device(DeviceId device) { default_device.store(device); }

DeviceScope::DeviceScope(DeviceId device) : previous_(scoped_device) { scoped_device = device; }
DeviceScope::~DeviceScope() { scoped_device = previous_; }

bool fallback_allowed() { return may_fall_back.load(); }
void allow_fallback(bool allowed) { may_fall_back.store(allowed); }

int num_threads() { return thread_setting().load(std::memory_order_relaxed); }
void set_num_threads(int n) {
  if (n < 1 || n > 4096) fail(Code::value, "set_num_threads", n, " is not a number of threads from 1 to 4096");
  thread_setting().store(n);
}

}  // namespace ist
