#include "harmonia/testbench/files/temporary.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kInfix = ".harmonia-partial-";
constexpr std::size_t kRandom = 6;  // characters that mkstemp() puts in place of XXXXXX

/// The name of the output that a temporary name belongs to; empty when it is no temporary name.
std::string output_of(const std::string& name) {
  if (name.size() <= kInfix.size() + kRandom) return {};
  const std::size_t end = name.size() - kInfix.size() - kRandom;
  return name.compare(end, kInfix.size(), kInfix) == 0 ? name.substr(0, end) : std::string();
}

/// Whether the name still leads to the file that was opened.
bool same_file(int fd, const fs::path& name) {
  struct stat opened {
  }, named{};
  return ::fstat(fd, &opened) == 0 && ::lstat(name.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

/// Opens a file that this user owns and locks it; -1 when it is another's, in use, or there are no locks here.
int lock_own(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat is {};
  if (::fstat(fd, &is) == 0 && S_ISREG(is.st_mode) && is.st_uid == ::geteuid() && ::flock(fd, LOCK_EX | LOCK_NB) == 0 &&
      same_file(fd, file))
    return fd;
  ::close(fd);
  return -1;
}

std::string contents_of(int fd) {
  char text[128];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
}

bool holds_only_one_entry(const fs::path& folder) {
  std::error_code error;
  return std::distance(fs::directory_iterator(folder, error), fs::directory_iterator()) == 1;
}

bool remove_left_folder(const fs::path& folder) {
  const fs::path marker = folder / kFolderMarker;
  struct stat is {};
  if (::lstat(marker.c_str(), &is) != 0)
    return errno == ENOENT && ::rmdir(folder.c_str()) == 0;  // killed before the marker was written, or after
  const int fd = lock_own(marker);
  if (fd < 0) return false;
  const std::string text = contents_of(fd);
  const bool ours = text == kFolderSignature || (text.empty() && holds_only_one_entry(folder));
  if (ours) remove_marked_folder(folder);
  ::close(fd);
  return ours;
}

bool remove_left_file(const fs::path& file) {
  const int fd = lock_own(file);
  if (fd < 0) return false;
  const bool removed = ::unlink(file.c_str()) == 0;
  ::close(fd);
  return removed;
}

/// `output`: of which output, or empty for all.
std::vector<fs::path> remove_in(const fs::path& folder, const std::string& output) {
  std::vector<fs::path> candidates, removed;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string of = output_of(it->path().filename().string());
    if (!of.empty() && (output.empty() || of == output)) candidates.push_back(it->path());
  }
  for (const fs::path& c : candidates) {
    struct stat is {};
    if (::lstat(c.c_str(), &is) != 0 || is.st_uid != ::geteuid()) continue;
    if (S_ISDIR(is.st_mode) ? remove_left_folder(c) : S_ISREG(is.st_mode) && remove_left_file(c)) removed.push_back(c);
  }
  return removed;
}

std::string pattern_beside(const fs::path& target) { return target.string() + std::string(kInfix) + "XXXXXX"; }

// Whoever cleans up may come between the creation of a file and its locking: then it is made anew. Without locks (some
// network file systems) the file serves as well; nobody removes it then.
constexpr int kAttempts = 100;

bool locked_and_there(int fd, const fs::path& name) {
  while (::flock(fd, LOCK_EX) != 0)
    if (errno != EINTR) return true;
  return same_file(fd, name);
}

}  // namespace

bool is_marked_folder(const fs::path& folder) {
  const int fd = ::open((folder / kFolderMarker).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  const bool marked = contents_of(fd) == kFolderSignature;
  ::close(fd);
  return marked;
}

int create_partial_file(const fs::path& target, fs::path& made) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = pattern_beside(target);
    const int fd = ::mkostemp(name.data(), O_CLOEXEC);  // O_EXCL: never a file that was there, nor a link's target
    if (fd < 0) return -1;
    if (locked_and_there(fd, name)) {
      made = name;
      return fd;
    }
    ::close(fd);
  }
  errno = EBUSY;
  return -1;
}

int create_partial_folder(const fs::path& target, fs::path& made) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = pattern_beside(target);
    if (!::mkdtemp(name.data())) return -1;
    const fs::path marker = fs::path(name) / kFolderMarker;
    const int fd = ::open(marker.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == ENOENT) continue;
    const std::string_view text = kFolderSignature;
    if (fd >= 0 && !locked_and_there(fd, marker)) {
      ::close(fd);
      continue;
    }
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      const int reason = fd < 0 ? errno : ENOSPC;
      if (fd >= 0) ::close(fd);
      ::unlink(marker.c_str());
      ::rmdir(name.c_str());
      errno = reason;
      return -1;
    }
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::chmod(name.c_str(), 0777 & ~mask);
    made = name;
    return fd;
  }
  errno = EBUSY;
  return -1;
}

void remove_marked_folder(const fs::path& folder) {
  std::error_code error;
  const auto others = [&] {
    std::vector<fs::path> entries;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (it->path().filename() != kFolderMarker) entries.push_back(it->path());
    return entries;
  };
  for (const fs::path& e : others()) fs::remove_all(e, error);
  if (!others().empty()) return;  // a child of a killed run still writes, or it cannot be removed: the next run's
  fs::remove(folder / kFolderMarker, error);
  fs::remove(folder, error);
}

std::vector<fs::path> remove_leftovers(const fs::path& target) {
  return remove_in(target.has_parent_path() ? target.parent_path() : fs::path("."), target.filename().string());
}

std::vector<fs::path> remove_leftovers_in(const fs::path& folder) { return remove_in(folder, {}); }

void clean_up_after_kills(const fs::path& target) {
  for (const fs::path& p : remove_leftovers(target))
    std::cerr << "harmonia: removed " << config::escaped(p.string()) << ", which a run that was killed had left\n";
}

TemporaryFolder::TemporaryFolder(const fs::path& name) {
  remove_leftovers(name);
  lock_ = create_partial_folder(name, path_);
  if (lock_ < 0) throw config::RunError("cannot make a folder " + name.string() + "...: " + std::strerror(errno));
}

TemporaryFolder::~TemporaryFolder() {
  remove_marked_folder(path_);
  ::close(lock_);
}

}  // namespace harmonia::testbench
