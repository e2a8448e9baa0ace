#include "harmonia/testbench/files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

MappedFile::MappedFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw config::InputError({path}, std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    throw config::InputError({path}, "is not a regular file");
  }
  bytes_.name = path;
  bytes_.size = static_cast<std::size_t>(status.st_size);
  if (bytes_.size > 0) {
    void* map = ::mmap(nullptr, bytes_.size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    if (map == MAP_FAILED) {
      ::close(fd);
      throw config::InputError({path}, std::string("cannot be mapped: ") + std::strerror(error));
    }
    bytes_.data = static_cast<const std::uint8_t*>(map);
  }
  ::close(fd);
}

void MappedFile::unmap() noexcept {
  if (bytes_.data != nullptr) ::munmap(const_cast<std::uint8_t*>(bytes_.data), bytes_.size);
  bytes_.data = nullptr;
}

MappedFile::~MappedFile() { unmap(); }

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, Bytes{})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    bytes_ = std::exchange(other.bytes_, Bytes{});
  }
  return *this;
}

}  // namespace harmonia::testbench
