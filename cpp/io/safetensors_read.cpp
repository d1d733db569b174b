#include <algorithm>
#include <cstring>
#include <memory>

#include "io/mapped_file.h"
#include "io/safetensors.h"
#include "io/safetensors_format.h"
#include "runtime/memory.h"
#include "runtime/registry.h"

namespace ist {
namespace {

// One mapping, shared by the tensors of a file.
BufferRef share_mapping(std::unique_ptr<MappedFile> file) {
  // Backends write to no input, so that a read-only mapping can stand behind a buffer.
  void* data = const_cast<unsigned char*>(file->data());
  const uint64_t size = file->size();
  const auto unmap = [](void* context) { delete static_cast<MappedFile*>(context); };
  BufferRef buffer = memory::wrap(data, size, unmap, file.get());
  file.release();
  return buffer;
}

Tensor copied(const SafetensorsEntry& entry, const unsigned char* source) {
  void* data = nullptr;
  Tensor tensor = make_empty(entry.dtype, entry.shape, &data, safetensors::kLoad);
  const size_t bytes = static_cast<size_t>(entry.end - entry.begin);
  if (bytes == 0) return tensor;
  if (is_bool(entry.dtype)) {
    for (size_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(data)[i] = source[i] != 0;
  } else {
    std::memcpy(data, source, bytes);
  }
  return tensor;
}

// Kernels read a bool as 0 or 1; files may hold other bytes for true.
bool is_clean_bool(const unsigned char* data, uint64_t n) {
  return std::all_of(data, data + n, [](unsigned char byte) { return byte <= 1; });
}

}  // namespace

SafetensorsFile load_safetensors(const std::string& path) {
  auto file = std::make_unique<MappedFile>(path, safetensors::kLoad);
  SafetensorsHeader header = parse_header(file->bytes(), file->size(), path);
  const unsigned char* const base = file->data();
  const BufferRef mapping = share_mapping(std::move(file));

  SafetensorsFile result;
  result.metadata = std::move(header.metadata);
  result.tensors.reserve(header.entries.size());
  for (SafetensorsEntry& entry : header.entries) {
    const uint64_t at = header.data_start + entry.begin;
    const auto size = static_cast<uint64_t>(itemsize(entry.dtype));
    const bool as_is = at % size == 0 && entry.begin != entry.end &&
                       (!is_bool(entry.dtype) || is_clean_bool(base + at, entry.end - entry.begin));
    Tensor tensor = as_is ? make_data(entry.dtype, entry.shape, row_major_strides(entry.shape),
                                      static_cast<int64_t>(at / size), mapping, current_device())
                          : copied(entry, base + at);
    result.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }
  return result;
}

}  // namespace ist
