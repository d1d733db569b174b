// The C library: files, devices, threads, memory.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include "abi/capi.h"
#include "io/safetensors.h"
#include "ops/ops.h"
#include "runtime/memory.h"
#include "runtime/registry.h"

using namespace ist;
using namespace ist::capi;

struct ist_file {
  SafetensorsFile content;
};

namespace {

const char* text(const char* value, const char* function, const char* argument) {
  require(value, function, argument);
  return value;
}

DeviceId device_of(uint32_t device, const char* function) {
  if (device >= registry::count())
    fail(Code::device, function, "there is no device ", device, "; there are ", registry::count());
  return static_cast<DeviceId>(device);
}

}  // namespace

// ---- files ----

ist_status ist_load_safetensors(const char* path, ist_file** out) {
  constexpr const char* kName = "ist_load_safetensors";
  return guarded([&] {
    ist_file*& result = required(out, kName, "out");
    auto file = std::make_unique<ist_file>();
    file->content = load_safetensors(text(path, kName, "path"));
    result = file.release();
  });
}

void ist_file_release(ist_file* file) { delete file; }
size_t ist_file_count(const ist_file* file) { return file->content.tensors.size(); }
const char* ist_file_name(const ist_file* file, size_t i) {
  return i < file->content.tensors.size() ? file->content.tensors[i].first.c_str() : nullptr;
}

ist_status ist_file_array(const ist_file* file, size_t i, ist_array** out) {
  constexpr const char* kName = "ist_file_array";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    const auto& all = required(file, kName, "file").content.tensors;
    if (i >= all.size())
      fail(Code::index, kName, "the file has ", all.size(), " tensors, number ", i, " was asked for");
    result = handle(all[i].second);
  });
}

ist_status ist_file_find(const ist_file* file, const char* name, ist_array** out) {
  constexpr const char* kName = "ist_file_find";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    const auto& all = required(file, kName, "file").content.tensors;
    const std::string wanted = text(name, kName, "name");
    for (const auto& [key, value] : all) {
      if (key != wanted) continue;
      result = handle(value);
      return;
    }
    fail(Code::value, kName, "the file has no tensor '", wanted, "'");
  });
}

size_t ist_file_metadata_count(const ist_file* file) { return file->content.metadata.size(); }

ist_status ist_file_metadata(const ist_file* file, size_t i, const char** key, const char** value) {
  constexpr const char* kName = "ist_file_metadata";
  return guarded([&] {
    const auto& all = required(file, kName, "file").content.metadata;
    if (i >= all.size()) fail(Code::index, kName, "the file has ", all.size(), " keys, number ", i, " was asked for");
    if (key != nullptr) *key = all[i].first.c_str();
    if (value != nullptr) *value = all[i].second.c_str();
  });
}

ist_status ist_save_safetensors(const char* path, const char* const* names, ist_array* const* arrays, size_t n,
                                const char* const* keys, const char* const* values, size_t n_metadata) {
  constexpr const char* kName = "ist_save_safetensors";
  return guarded([&] {
    if (n != 0) require(names, kName, "names");
    if (n_metadata != 0) require(keys, kName, "keys");
    if (n_metadata != 0) require(values, kName, "values");
    std::vector<Tensor> given = tensors(arrays, n, kName, "arrays");
    std::vector<std::pair<std::string, Tensor>> named;
    Metadata metadata;
    for (size_t i = 0; i < n; ++i) named.emplace_back(text(names[i], kName, "names"), std::move(given[i]));
    for (size_t i = 0; i < n_metadata; ++i)
      metadata.emplace_back(text(keys[i], kName, "keys"), text(values[i], kName, "values"));
    save_safetensors(text(path, kName, "path"), named, metadata);
  });
}

// ---- devices ----

uint32_t ist_device_count(void) {
  uint32_t count = 0;
  guarded([&] { count = static_cast<uint32_t>(registry::count()); });
  return count;
}

const char* ist_device_name(uint32_t device) {
  const char* name = nullptr;
  guarded([&] {
    if (device < registry::count()) name = registry::device_name(static_cast<DeviceId>(device));
  });
  return name;
}

ist_status ist_device_find(const char* name, uint32_t* out) {
  constexpr const char* kName = "ist_device_find";
  return guarded([&] { required(out, kName, "out") = registry::find(text(name, kName, "name"), kName); });
}

ist_status ist_load_backend(const char* path, uint32_t* out) {
  constexpr const char* kName = "ist_load_backend";
  return guarded([&] {
    const DeviceId loaded = registry::load(text(path, kName, "path"));
    if (out != nullptr) *out = loaded;
  });
}

ist_status ist_set_default_device(uint32_t device) {
  return guarded([&] { set_default_device(device_of(device, "ist_set_default_device")); });
}

uint32_t ist_default_device(void) {
  uint32_t device = 0;
  guarded([&] { device = current_device(); });
  return device;
}

void ist_allow_fallback(int32_t allowed) {
  guarded([&] { allow_fallback(allowed != 0); });
}

ist_status ist_to_device(ist_array* array, uint32_t device, ist_array** out) {
  constexpr const char* kName = "ist_to_device";
  return guarded([&] {
    ist_array*& result = required(out, kName, "out");
    result = handle(ops::to_device(tensor(array, kName, "array"), device_of(device, kName)));
  });
}

// ---- threads and memory ----

int32_t ist_num_threads(void) {
  int32_t n = 1;
  guarded([&] { n = num_threads(); });
  return n;
}

ist_status ist_set_num_threads(int32_t n) {
  constexpr const char* kName = "ist_set_num_threads";
  return guarded([&] {
    if (n < 1) fail(Code::value, kName, "at least 1 thread is needed, got ", n);
    set_num_threads(n);
  });
}

ist_status ist_memory_figures(ist_memory* out) {
  constexpr const char* kName = "ist_memory_figures";
  return guarded([&] {
    const uint32_t room = required(out, kName, "out").struct_size;
    constexpr uint32_t kFirst = offsetof(ist_memory, active) + sizeof(uint64_t);
    if (room < kFirst) fail(Code::value, kName, "'struct_size' is ", room, "; set it to sizeof(ist_memory)");
    const memory::Figures now = memory::figures();
    ist_memory filled = {room, 0, now.active, now.peak, now.cache, now.limit, now.cache_limit};
    std::memcpy(out, &filled, std::min<size_t>(room, sizeof filled));
  });
}

void ist_memory_reset_peak(void) {
  guarded([] { memory::reset_peak(); });
}
void ist_memory_clear_cache(void) {
  guarded([] { memory::clear_cache(); });
}
uint64_t ist_memory_set_limit(uint64_t bytes) {
  uint64_t previous = 0;
  guarded([&] { previous = memory::set_limit(bytes); });
  return previous;
}
uint64_t ist_memory_set_cache_limit(uint64_t bytes) {
  uint64_t previous = 0;
  guarded([&] { previous = memory::set_cache_limit(bytes); });
  return previous;
}
