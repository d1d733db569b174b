// libFuzzer entry for the safetensors header. Build with
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -Icpp tests/fuzz/safetensors_fuzz.cpp
//     cpp/io/json.cpp cpp/io/safetensors_header.cpp cpp/graph/dims.cpp cpp/graph/dtype.cpp
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "io/json.h"
#include "io/safetensors.h"
#include "runtime/error.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// What the reader relies on after a header was accepted.
void check_accepted(const ist::SafetensorsHeader& header, uint64_t file_size) {
  require(header.data_start >= 8 && header.data_start <= file_size);
  const uint64_t data_size = file_size - header.data_start;
  uint64_t total = 0;
  for (const auto& entry : header.entries) {
    require(entry.begin <= entry.end && entry.end <= data_size);
    uint64_t bytes = static_cast<uint64_t>(ist::itemsize(entry.dtype));
    for (const int64_t extent : entry.shape) {
      require(extent >= 0);
      bytes *= static_cast<uint64_t>(extent);
    }
    require(bytes == entry.end - entry.begin);
    total += bytes;
    const std::string quoted = ist::json::quote(entry.name);  // throws, and so crashes, if the name is not UTF-8
    ist::json::Cursor cursor(quoted);
    require(cursor.string() == entry.name);
  }
  require(total == data_size);
}

void parse(const std::string& bytes, uint64_t file_size) {
  try {
    check_accepted(ist::parse_header(bytes, file_size, "fuzz"), file_size);
  } catch (const ist::Error& error) {
    require(error.code == ist::Code::format);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  parse(bytes, size);
  if (size < 2) return 0;
  // The same bytes as a header of the right length, in a file that is as large as two bytes of the input say: the
  // fuzzer gets past the length field and can make tensors that cover their file.
  const uint64_t data_size = data[0] | uint64_t{data[1]} << 8;
  const uint64_t length = size - 2;
  std::string framed(8, '\0');
  std::memcpy(framed.data(), &length, 8);
  framed.append(bytes, 2);
  parse(framed, framed.size() + data_size);
  return 0;
}
