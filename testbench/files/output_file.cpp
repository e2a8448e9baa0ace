#include "harmonia/testbench/files/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/temporary.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBufferBytes = 1u << 18;

/// What a chain of symbolic links ends at, whether or not there is anything. Throws when the chain is a circle.
fs::path followed(fs::path path) {
  constexpr int kLongestChain = 40;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(path, error)); ++links) {
    if (links == kLongestChain)
      throw config::InputError({path.string(), 0, 0}, "is a circle of symbolic links, expected a file to write");
    const fs::path to = fs::read_symlink(path, error);
    if (error) break;
    path = to.is_absolute() ? to : path.parent_path() / to;
  }
  return path;
}

/// The open descriptor that a name stands for, -1 of other names.
int descriptor_of(const fs::path& target) {
  const std::string name = target.string();
  if (name == "-" || name == "/dev/stdout") return STDOUT_FILENO;
  if (name == "/dev/stderr") return STDERR_FILENO;
  for (const std::string folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (name.size() <= folder.size() || name.size() > folder.size() + 6 || name.compare(0, folder.size(), folder) != 0)
      continue;
    const std::string number = name.substr(folder.size());
    if (number.find_first_not_of("0123456789") == std::string::npos) return std::stoi(number);
  }
  return -1;
}

/// What a new file may be read and written by: as the file that it replaces, else as the user's mask says.
mode_t mode_for(const fs::path& target) {
  struct stat old {};
  if (::stat(target.c_str(), &old) == 0) return old.st_mode & 0777;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

/// Makes the directory entry durable; without it a crash may bring back the old file.
void sync_folder_of(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

struct OutputFile::Stream {
  int fd = -1;
  int lock = -1;            // of the partial file: held until it has its name, longer than fd
  gzFile zipped = nullptr;  // on a descriptor of its own

  bool write(const std::string& bytes) {
    if (zipped)
      return gzwrite(zipped, bytes.data(), static_cast<unsigned>(bytes.size())) == static_cast<int>(bytes.size());
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      done += static_cast<std::size_t>(n);
    }
    return true;
  }
  bool close(bool durably) {
    bool fine = !zipped || gzclose(zipped) == Z_OK;
    zipped = nullptr;
    if (fd >= 0 && durably) fine = ::fsync(fd) == 0 && fine;
    if (fd >= 0) fine = ::close(fd) == 0 && fine;
    fd = -1;
    return fine;
  }
  ~Stream() {
    close(false);
    if (lock >= 0) ::close(lock);
  }
};

OutputFile::OutputFile(const fs::path& target, Durability durability, Leftovers leftovers)
    : durability_(durability), stream_(std::make_unique<Stream>()) {
  const config::Location where{target.string(), 0, 0};
  std::error_code error;
  const int descriptor = descriptor_of(target);
  target_ = descriptor < 0 ? followed(target) : target;
  const fs::file_status status = fs::status(target_, error);
  if (descriptor >= 0) {
    std::fflush(nullptr);  // what was printed before comes before
    stream_->fd = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  } else if (!target_.has_filename() || fs::is_directory(status)) {
    throw config::InputError(where, "is no file, expected the name of a file to write");
  } else if (fs::exists(status) && !fs::is_regular_file(status)) {
    stream_->fd = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  } else {
    if (leftovers == Leftovers::kRemove) clean_up_after_kills(target_);
    const mode_t mode = mode_for(target_);
    stream_->fd = create_partial_file(target_, partial_);
    if (stream_->fd >= 0) {
      ::fchmod(stream_->fd, mode);
      stream_->lock = ::fcntl(stream_->fd, F_DUPFD_CLOEXEC, 0);
    }
  }
  if (stream_->fd >= 0 && target_.extension() == ".gz") {
    const int own = ::dup(stream_->fd);
    stream_->zipped = own < 0 ? nullptr : gzdopen(own, "wb1");
    if (!stream_->zipped) {
      if (own >= 0) ::close(own);
      stream_->close(false);
    }
  }
  if (stream_->fd < 0) {
    if (!partial_.empty()) fs::remove(partial_, error);
    throw config::InputError(where, "cannot be created, expected a file in a folder that can be written");
  }
  buffer_.reserve(kBufferBytes + 4096);
}

OutputFile::~OutputFile() {
  stream_->close(false);
  std::error_code ignored;
  if (!partial_.empty()) fs::remove(partial_, ignored);
}

void OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {  // pieces, so that one call may bring gigabytes
    const std::string_view piece = bytes.substr(0, kBufferBytes);
    buffer_ += piece;
    bytes.remove_prefix(piece.size());
    if (buffer_.size() >= kBufferBytes) flush();
  }
}

void OutputFile::flush() {
  errno = 0;
  if (!stream_->write(buffer_))
    throw config::RunError("cannot write " + target_.string() + (errno != 0 ? ": " : "") +
                           (errno != 0 ? std::strerror(errno) : ""));
  buffer_.clear();
}

void OutputFile::commit() {
  if (!buffer_.empty()) flush();
  const bool durably = durability_ == Durability::kDisk && !partial_.empty();
  if (!stream_->close(durably)) throw config::RunError("cannot write " + target_.string());
  if (partial_.empty()) return;
  // Asked again: what became a device, a pipe or a folder meanwhile is not replaced.
  std::error_code error;
  const fs::file_status status = fs::symlink_status(target_, error);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw config::RunError("cannot put " + target_.string() + " in its place: it became something else than a file");
  fs::rename(partial_, target_, error);
  if (error) throw config::RunError("cannot put " + target_.string() + " in its place: " + error.message());
  partial_.clear();
  if (durably) sync_folder_of(target_);
}

fs::path OutputFile::commit_interrupted() {
  std::error_code error;
  if (!partial_.empty() && fs::exists(target_, error)) target_ += ".interrupted";
  commit();
  return target_;
}

bool names_stream(const std::string& target) {
  std::error_code error;
  if (descriptor_of(target) >= 0) return true;
  const fs::file_status status = fs::status(target, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

bool names_standard_output(const std::string& target) { return descriptor_of(target) == STDOUT_FILENO; }

void write_file(const fs::path& target, std::string_view bytes, OutputFile::Durability durability,
                OutputFile::Leftovers leftovers) {
  OutputFile file(target, durability, leftovers);
  file.write(bytes);
  file.commit();
}

}  // namespace harmonia::testbench
