#include "harmonia/testbench/files/line_reader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

namespace harmonia::testbench {

struct LineReader::Stream {
  gzFile file = nullptr;
  ~Stream() {
    if (file) gzclose(file);
  }
};

LineReader::LineReader(const std::string& file) : file_(file), stream_(std::make_unique<Stream>()), buffer_(1u << 16) {
  std::error_code ignored;
  // zlib reads what is not gzip as it is; a folder would open and then fail to read.
  if (!std::filesystem::is_directory(file, ignored)) stream_->file = gzopen(file.c_str(), "rb");
  if (!stream_->file) throw config::InputError({file, 0, 0}, "cannot be opened, expected a readable file");
  gzbuffer(stream_->file, 1u << 17);
}

LineReader::~LineReader() = default;

bool LineReader::fill() {
  const int got = gzread(stream_->file, buffer_.data(), static_cast<unsigned>(buffer_.size()));
  int error = Z_OK;
  const char* message = gzerror(stream_->file, &error);
  if (got < 0 || (got == 0 && error == Z_BUF_ERROR))
    throw config::InputError({file_, line_number_ + 1, 0},
                             std::string("cannot be read further (") +
                                 (error == Z_BUF_ERROR ? "the gzip stream is cut off" : message) +
                                 "), expected a complete file");
  begin_ = 0;
  end_ = static_cast<std::size_t>(got);
  return got > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  if (begin_ == end_ && !fill()) return false;
  if (line_number_ == std::numeric_limits<int>::max())
    throw config::InputError(here(), "too many lines, expected a shorter file");
  ++line_number_;
  while (true) {
    const char* from = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    const std::size_t n = newline ? static_cast<std::size_t>(newline - from) : end_ - begin_;
    if (line.size() + n > kLongestLine)
      throw config::InputError(here(),
                               fmt::format("a line of more than {} bytes, expected a shorter one", kLongestLine));
    line.append(from, n);
    begin_ += n + (newline ? 1 : 0);
    if (newline || !fill()) break;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line_number_ == 1 && line.compare(0, 3, "\xef\xbb\xbf") == 0) line.erase(0, 3);
  if (const std::size_t nul = line.find('\0'); nul != std::string::npos)
    throw config::InputError(here(static_cast<int>(nul) + 1), "a NUL byte, expected text");
  return true;
}

}  // namespace harmonia::testbench
