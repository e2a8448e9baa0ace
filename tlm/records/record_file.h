// The file behind a sink: buffered, and the first failure is kept until close().
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace harmonia::records {

class RecordFile {
 public:
  /// Throws std::runtime_error with the reason when the file cannot be made.
  explicit RecordFile(const std::string& path);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  void append(std::string_view bytes);
  /// Everything is on disk, or std::runtime_error.
  void close();

 private:
  std::string path_;
  std::FILE* file_;
  int failed_ = 0;  // errno of the first failure
};

}  // namespace harmonia::records
