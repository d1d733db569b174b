#include "io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "runtime/error.h"

namespace ist {
namespace {

// An empty file cannot be mapped; its data() points here.
constexpr unsigned char kNothing[1] = {0};

std::string reason(int error) { return std::generic_category().message(error); }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

MappedFile::MappedFile(const std::string& path, const char* op) : data_(kNothing) {
  int fd;
  do {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) fail(Code::io, op, "cannot open '", path, "': ", reason(errno));
  const Descriptor descriptor(fd);

  struct stat status;
  if (::fstat(fd, &status) != 0) fail(Code::io, op, "cannot examine '", path, "': ", reason(errno));
  if (S_ISDIR(status.st_mode)) fail(Code::io, op, "cannot read '", path, "': ", reason(EISDIR));
  if (!S_ISREG(status.st_mode)) fail(Code::io, op, "cannot map '", path, "': it is not a regular file");
  if (status.st_size == 0) return;

  void* mapped = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) fail(Code::io, op, "cannot map '", path, "' (", status.st_size, " bytes): ", reason(errno));
  data_ = static_cast<const unsigned char*>(mapped);
  size_ = static_cast<uint64_t>(status.st_size);
}

MappedFile::~MappedFile() {
  if (size_ != 0) ::munmap(const_cast<unsigned char*>(data_), static_cast<size_t>(size_));
}

}  // namespace ist
