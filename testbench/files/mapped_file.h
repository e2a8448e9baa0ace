// A read-only memory-mapped file.
//
// Models: a file's bytes as one constant range that the operating system pages in on demand; nothing is copied.
// Does not model: files that change while they are mapped (a file that another process shortens faults on access).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace harmonia::testbench {

/// A constant range of bytes and the name that error messages give it. Does not own the bytes.
struct Bytes {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  std::string name;
};

class MappedFile {
 public:
  /// Throws config::InputError when `path` is absent, not a regular file or not readable. An empty file maps to size 0.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const Bytes& bytes() const { return bytes_; }

 private:
  void unmap() noexcept;

  Bytes bytes_;
};

}  // namespace harmonia::testbench
