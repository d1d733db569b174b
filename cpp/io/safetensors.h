// The safetensors format: a JSON header that says where each tensor lies, then the tensors' bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/tensor.h"

namespace ist {

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct SafetensorsFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  // in the order of the file's header
  Metadata metadata;
};

// The tensors are views of the mapped file: nothing is read before it is used, and the mapping lives as long as the
// last of them. Raises Code::io for a file that cannot be read and Code::format for one that breaks the format.
SafetensorsFile load_safetensors(const std::string& path);

// Evaluates the tensors and writes them. The file appears under `path` complete or not at all, and a file of that
// name that is mapped at the moment stays readable.
void save_safetensors(const std::string& path, std::span<const std::pair<std::string, Tensor>> tensors,
                      const Metadata& metadata = {});

// ---- the header by itself ----
struct SafetensorsEntry {
  std::string name;
  DType dtype;
  Dims shape;
  uint64_t begin, end;  // bytes, from SafetensorsHeader::data_start
};
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;
  Metadata metadata;
  uint64_t data_start = 0;
};

// Checks all that can be checked before a tensor is made. `bytes` is the file, or as much of its start as there is;
// `path` is for messages only.
SafetensorsHeader parse_header(std::string_view bytes, uint64_t file_size, const std::string& path = "");

}  // namespace ist
