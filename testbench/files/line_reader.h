// Lines of a text file, gzip-compressed or not, with bounded memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

class LineReader {
 public:
  static constexpr std::size_t kLongestLine = 1u << 20;

  /// Throws config::InputError when the file cannot be opened.
  explicit LineReader(const std::string& file);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its line end (LF or CR LF) and, at the start of the file, without a byte order mark. False
  /// at the end. Throws config::InputError on a line that is too long, a NUL byte, a read error or a damaged gzip
  /// stream.
  bool next(std::string& line);

  /// Of the line that next() returned last, counted from 1.
  int line_number() const { return line_number_; }
  /// A place in that line; columns count from 1, 0 for the whole line.
  config::Location here(int column = 0) const { return {file_, line_number_, column}; }

 private:
  bool fill();

  struct Stream;
  std::string file_;
  std::unique_ptr<Stream> stream_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  int line_number_ = 0;
};

}  // namespace harmonia::testbench
