#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <unordered_set>

#include "io/json.h"
#include "io/safetensors.h"
#include "io/safetensors_format.h"
#include "runtime/error.h"
#include "runtime/scheduler.h"

namespace ist {
namespace {

const char* format_name(DType dtype) {
  for (const safetensors::NamedDType& known : safetensors::kDTypes) {
    if (known.dtype == dtype) return known.name;
  }
  fail(Code::dtype, safetensors::kSave, "a tensor has an unknown dtype");
}

std::string quoted(const std::string& text, const char* what) {
  try {
    return json::quote(text);
  } catch (const std::invalid_argument&) {
    fail(Code::value, safetensors::kSave, what, " '", text, "' is not UTF-8");
  }
}

// A file that is written beside its destination and moved there at the end; removed if that does not happen.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& destination) : destination_(destination) {
    static std::atomic<unsigned> counter{0};
    do {
      path_ = destination + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd_ < 0 && (errno == EEXIST || errno == EINTR));
    if (fd_ < 0) failed("cannot create");
  }
  ~TemporaryFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!moved_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;

  void write(const void* data, uint64_t size) {
    // Linux writes at most about 2 GiB at once.
    constexpr uint64_t kMost = uint64_t{1} << 30;
    auto bytes = static_cast<const unsigned char*>(data);
    while (size != 0) {
      const ssize_t written = ::write(fd_, bytes, static_cast<size_t>(std::min(size, kMost)));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) failed("cannot write");
      bytes += written;
      size -= static_cast<uint64_t>(written);
    }
  }

  void commit() {
    // Before the rename: otherwise a power cut could leave an empty file where a good one was.
    if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) failed("cannot write");
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 && errno != EINTR) failed("cannot write");
    if (std::rename(path_.c_str(), destination_.c_str()) != 0) failed("cannot replace");
    moved_ = true;
  }

 private:
  [[noreturn]] void failed(const char* what) const {
    fail(Code::io, safetensors::kSave, what, " '", destination_, "': ", std::generic_category().message(errno));
  }

  std::string destination_;
  std::string path_;
  int fd_ = -1;
  bool moved_ = false;
};

}  // namespace

void save_safetensors(const std::string& path, std::span<const std::pair<std::string, Tensor>> tensors,
                      const Metadata& metadata) {
  // Wide elements first in the data, so that every tensor is aligned and can be mapped; the header keeps the
  // caller's order.
  std::vector<size_t> placement(tensors.size());
  for (size_t i = 0; i < placement.size(); ++i) placement[i] = i;
  std::stable_sort(placement.begin(), placement.end(), [&](size_t a, size_t b) {
    return itemsize(tensors[a].second.dtype()) > itemsize(tensors[b].second.dtype());
  });
  std::vector<uint64_t> begins(tensors.size());
  uint64_t data_size = 0;
  for (const size_t i : placement) {
    begins[i] = data_size;
    data_size += static_cast<uint64_t>(tensors[i].second.nbytes());
  }

  std::string header = "{";
  std::unordered_set<std::string> seen;
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (!seen.insert(key).second) fail(Code::value, safetensors::kSave, "the metadata has the key '", key, "' twice");
      if (header.back() != '{') header += ',';
      header += quoted(key, "the metadata key") + ":" + quoted(value, "the metadata value");
    }
    header += '}';
    seen.clear();
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    if (name == "__metadata__") fail(Code::value, safetensors::kSave, "a tensor cannot be called '__metadata__'");
    if (!seen.insert(name).second) fail(Code::value, safetensors::kSave, "the name '", name, "' is given twice");
    if (header.back() != '{') header += ',';
    header += quoted(name, "the name") + ":{\"dtype\":\"" + format_name(tensor.dtype()) + "\",\"shape\":[";
    for (int axis = 0; axis < tensor.rank(); ++axis) {
      if (axis != 0) header += ',';
      header += std::to_string(tensor.shape(axis));
    }
    header += "],\"data_offsets\":[" + std::to_string(begins[i]) + "," +
              std::to_string(begins[i] + static_cast<uint64_t>(tensor.nbytes())) + "]}";
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  if (length > safetensors::kMaxHeader)
    fail(Code::value, safetensors::kSave, "the header would take ", length, " bytes, the format allows ",
         safetensors::kMaxHeader);

  std::vector<Tensor> all;
  all.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) all.push_back(tensor);
  eval(all);

  TemporaryFile file(path);
  file.write(&length, safetensors::kLengthSize);
  file.write(header.data(), length);
  for (const size_t i : placement) {
    const Tensor dense = evaluated_row_major(tensors[i].second);
    file.write(data(dense), static_cast<uint64_t>(dense.nbytes()));
  }
  file.commit();
}

}  // namespace ist
