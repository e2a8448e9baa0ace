// One output file that appears complete or not at all; gzip when its name ends in .gz.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace harmonia::testbench {

class OutputFile {
 public:
  /// Writes beside the target until commit(). Throws config::InputError when it cannot be created there, or when the
  /// target is no file.
  explicit OutputFile(const std::filesystem::path& target);
  /// Removes what was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Buffered. Throws config::RunError when the disk does not take it, at the latest from commit().
  void write(std::string_view text);
  /// Puts the file in its place.
  void commit();

 private:
  struct Stream;
  void flush();
  std::filesystem::path target_, partial_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
};

}  // namespace harmonia::testbench
