#include "harmonia/testbench/files/line_reader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

namespace harmonia::testbench {

namespace {

constexpr std::size_t kCompressedBytes = 1u << 17;

}  // namespace

// Not zlib's own file functions: they pass over what follows the end of a gzip stream in silence.
struct LineReader::Stream {
  std::FILE* file = nullptr;
  bool zipped = false, at_end_of_member = false;
  z_stream z{};
  std::vector<unsigned char> input = std::vector<unsigned char>(kCompressedBytes);

  ~Stream() {
    if (zipped) inflateEnd(&z);
    if (file) std::fclose(file);
  }

  /// Bytes that are ready to be inflated; false at the end of the file.
  bool more_input() {
    if (z.avail_in > 0) return true;
    z.next_in = input.data();
    z.avail_in = static_cast<uInt>(std::fread(input.data(), 1, input.size(), file));
    return z.avail_in > 0;
  }

  bool begins_gzip() {
    if (z.avail_in == 1) {  // the second byte of the mark is in the next block
      input[0] = *z.next_in;
      z.next_in = input.data();
      z.avail_in += static_cast<uInt>(std::fread(input.data() + 1, 1, input.size() - 1, file));
    }
    return z.avail_in >= 2 && z.next_in[0] == 0x1f && z.next_in[1] == 0x8b;
  }

  /// Fills a buffer; 0 at the end. `problem` says what is wrong with the file.
  std::size_t read(char* to, std::size_t bytes, const char*& problem) {
    if (!zipped) {
      const std::size_t ready = std::min<std::size_t>(bytes, z.avail_in);  // read to see whether it is gzip
      std::copy_n(z.next_in, ready, to);
      z.next_in += ready;
      z.avail_in -= static_cast<uInt>(ready);
      return ready > 0 ? ready : std::fread(to, 1, bytes, file);
    }
    z.next_out = reinterpret_cast<Bytef*>(to);
    z.avail_out = static_cast<uInt>(bytes);
    while (z.avail_out > 0) {
      if (!more_input()) {
        if (!at_end_of_member && z.avail_out == bytes) problem = "the gzip stream is cut off";
        break;
      }
      if (at_end_of_member) {
        if (!begins_gzip()) {
          if (z.avail_out == bytes) problem = "something follows the end of the gzip stream";
          break;
        }
        inflateReset(&z);
        at_end_of_member = false;
      }
      const int outcome = inflate(&z, Z_NO_FLUSH);
      at_end_of_member = outcome == Z_STREAM_END;
      if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR) {
        if (z.avail_out == bytes) problem = z.msg ? z.msg : "the gzip stream is damaged";
        break;
      }
    }
    return bytes - z.avail_out;
  }
};

LineReader::LineReader(const std::string& file) : file_(file), stream_(std::make_unique<Stream>()), buffer_(1u << 16) {
  std::error_code ignored;
  // A folder would open and then fail to read.
  if (!std::filesystem::is_directory(file, ignored)) stream_->file = std::fopen(file.c_str(), "rb");
  if (!stream_->file) throw config::InputError({file, 0, 0}, "cannot be opened, expected a readable file");
  stream_->more_input();
  if (stream_->begins_gzip()) stream_->zipped = inflateInit2(&stream_->z, 15 + 16) == Z_OK;
}

LineReader::~LineReader() = default;

bool LineReader::fill() {
  const char* problem = nullptr;
  const std::size_t got = stream_->read(buffer_.data(), buffer_.size(), problem);
  if (problem == nullptr && std::ferror(stream_->file) != 0) problem = "the file system gives an error";
  if (problem != nullptr)
    throw config::InputError(
        {file_, line_number_ + 1, 0},
        fmt::format("cannot be read further ({}), expected a complete file and nothing behind it", problem));
  begin_ = 0;
  end_ = got;
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
