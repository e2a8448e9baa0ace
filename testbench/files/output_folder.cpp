#include "harmonia/testbench/files/output_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kReplaced = ".harmonia-replaced";

/// Whether a new result may take the place of what is there.
bool may_be_replaced(const fs::path& target) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(target, error))) return true;
  return fs::is_directory(target, error) &&
         (fs::is_empty(target, error) || fs::exists(target / OutputFolder::kMarker, error));
}

/// Exchanges two folders in one step. Where the file system has no such step, the old one is moved out of the way first,
/// to a name from which restore_replaced() brings it back after a kill. Then `fresh` is where the old one is.
bool exchange(fs::path& fresh, const fs::path& target, std::error_code& error) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) {
    error.assign(errno, std::generic_category());
    return false;
  }
  const fs::path old = target.string() + kReplaced;
  fs::rename(target, old, error);
  if (error) return false;
  fs::rename(fresh, target, error);
  if (error) {
    std::error_code ignored;
    fs::rename(old, target, ignored);
    return false;
  }
  fresh = old;
  return true;
}

/// Undoes the first half of an exchange, or ends the second one, that a kill left behind.
void restore_replaced(const fs::path& target) {
  const fs::path old = target.string() + kReplaced;
  if (!is_marked_folder(old)) return;
  std::error_code error;
  if (fs::exists(fs::symlink_status(target, error))) {
    remove_marked_folder(old);
  } else {
    fs::rename(old, target, error);
  }
}

}  // namespace

OutputFolder::OutputFolder(const std::string& target) {
  std::error_code error;
  target_ = fs::absolute(fs::path(target), error).lexically_normal();
  if (target_.filename().empty()) target_ = target_.parent_path();  // "dir/"
  const config::Location where{target, 0, 0};
  // A link to an earlier result stays: what it points to is replaced.
  if (fs::is_symlink(fs::symlink_status(target_, error)) && fs::is_directory(target_, error))
    target_ = fs::canonical(target_);
  error.clear();
  if (target.empty() || error || !target_.has_filename())
    throw config::InputError(where, "cannot be a result folder, expected the name of a new folder");
  if (!may_be_replaced(target_))
    throw config::InputError(
        where, "exists and is no result of harmonia, expected a new name, an empty folder or an earlier result");
  restore_replaced(target_);
  clean_up_after_kills(target_);
  for (fs::path p = target_.parent_path(); !p.empty() && !fs::exists(p, error) && p != p.parent_path();
       p = p.parent_path())
    first_made_ = p;
  fs::create_directories(target_.parent_path(), error);
  if (!error) lock_ = create_partial_folder(target_, partial_);
  if (!error && lock_ < 0) error.assign(errno, std::generic_category());
  if (error) {
    const std::string reason = error.message();
    if (!first_made_.empty()) fs::remove_all(first_made_, error);
    partial_.clear();
    throw config::InputError(where, "cannot be created (" + reason + "), expected a folder that can be written");
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (!committed_ && !partial_.empty()) remove_marked_folder(partial_);
  if (lock_ >= 0) ::close(lock_);
  if (committed_) return;
  // Parents that only this result needed, while they are empty.
  if (first_made_.empty()) return;
  for (fs::path p = target_.parent_path();; p = p.parent_path()) {
    if (!fs::is_empty(p, ignored) || ignored) break;
    fs::remove(p, ignored);
    if (p == first_made_) break;
  }
}

void OutputFolder::write(const std::string& name, const std::string& contents) {
  const fs::path file = partial_ / name;
  std::ofstream out(file, std::ios::binary);
  out.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  out.close();
  if (!out) throw config::RunError("cannot write " + file.string());
}

void OutputFolder::commit() { put_at(target_); }

std::string OutputFolder::commit_interrupted() {
  std::error_code error;
  if (!fs::exists(target_, error) || fs::is_empty(target_, error)) {
    put_at(target_);
    return "interrupted: what was finished is in " + target_.string();
  }
  const fs::path beside = target_.string() + ".interrupted";
  if (!may_be_replaced(beside))
    throw config::RunError("interrupted, and " + beside.string() +
                           " exists and is no result of harmonia: what was finished is not kept; " + target_.string() +
                           " is the earlier result");
  put_at(beside);
  return "interrupted: " + target_.string() + " is still the earlier result, what was finished is in " +
         beside.string();
}

void OutputFolder::put_at(const fs::path& place) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(place, error))) {
    fs::path old = partial_;
    if (!exchange(old, place, error))
      throw config::RunError("cannot replace " + place.string() + ": " + error.message());
    committed_ = true;
    remove_marked_folder(old);
    return;
  }
  fs::rename(partial_, place, error);
  if (error) throw config::RunError("cannot put the result at " + place.string() + ": " + error.message());
  committed_ = true;
}

}  // namespace harmonia::testbench
