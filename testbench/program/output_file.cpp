#include "harmonia/testbench/program/output_file.h"

#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <system_error>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kBufferBytes = 1u << 18;
}

struct OutputFile::Stream {
  std::FILE* plain = nullptr;
  gzFile zipped = nullptr;

  bool close() {
    bool fine = true;
    if (plain) fine = std::fclose(plain) == 0;
    if (zipped) fine = gzclose(zipped) == Z_OK;
    plain = nullptr;
    zipped = nullptr;
    return fine;
  }
  ~Stream() { close(); }
};

OutputFile::OutputFile(const fs::path& target) : target_(target), stream_(std::make_unique<Stream>()) {
  std::error_code error;
  const config::Location where{target.string(), 0, 0};
  if (!target.has_filename() || fs::is_directory(target, error))
    throw config::InputError(where, "is no file, expected the name of a file to write");
  partial_ = target_;
  partial_ += ".partial-" + std::to_string(::getpid());
  if (target_.extension() == ".gz")
    stream_->zipped = gzopen(partial_.c_str(), "wb1");
  else
    stream_->plain = std::fopen(partial_.c_str(), "wb");
  if (!stream_->plain && !stream_->zipped) {
    partial_.clear();
    throw config::InputError(where, "cannot be created, expected a file in a folder that can be written");
  }
  buffer_.reserve(kBufferBytes + 4096);
}

OutputFile::~OutputFile() {
  if (partial_.empty()) return;
  stream_->close();
  std::error_code ignored;
  fs::remove(partial_, ignored);
}

void OutputFile::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferBytes) flush();
}

void OutputFile::flush() {
  const bool fine = stream_->plain ? std::fwrite(buffer_.data(), 1, buffer_.size(), stream_->plain) == buffer_.size()
                                   : gzwrite(stream_->zipped, buffer_.data(), static_cast<unsigned>(buffer_.size())) ==
                                         static_cast<int>(buffer_.size());
  if (!fine) throw config::RunError("cannot write " + target_.string());
  buffer_.clear();
}

void OutputFile::commit() {
  if (!buffer_.empty()) flush();
  if (!stream_->close()) throw config::RunError("cannot write " + target_.string());
  std::error_code error;
  fs::rename(partial_, target_, error);
  if (error) throw config::RunError("cannot put " + target_.string() + " in its place: " + error.message());
  partial_.clear();
}

}  // namespace harmonia::testbench
