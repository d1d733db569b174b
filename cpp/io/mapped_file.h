// A file mapped into memory, read-only: what every reader of io/ works on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ist {

class MappedFile {
 public:
  // Raises Code::io naming the path and the system's reason. `op` is the public function that wants the file.
  MappedFile(const std::string& path, const char* op);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Page-aligned; not to be written. Not null, also for an empty file.
  const unsigned char* data() const { return data_; }
  uint64_t size() const { return size_; }
  std::string_view bytes() const { return {reinterpret_cast<const char*>(data_), static_cast<size_t>(size_)}; }

 private:
  const unsigned char* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace ist
