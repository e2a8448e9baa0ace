#include "harmonia/testbench/files/output_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {

/// A new folder beside another, under a name that nothing else has, with the permissions of a new folder.
fs::path folder_beside(const fs::path& target, const char* pattern, std::error_code& error) {
  std::string name = target.string() + pattern;
  if (!::mkdtemp(name.data())) {
    error.assign(errno, std::generic_category());
    return {};
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::chmod(name.c_str(), 0777 & ~mask);
  return name;
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
  if (fs::exists(fs::symlink_status(target_, error))) {
    const bool result =
        fs::is_directory(target_, error) && (fs::is_empty(target_, error) || fs::exists(target_ / kMarker, error));
    if (!result)
      throw config::InputError(
          where, "exists and is no result of harmonia, expected a new name, an empty folder or an earlier result");
  }
  for (fs::path p = target_.parent_path(); !p.empty() && !fs::exists(p, error) && p != p.parent_path();
       p = p.parent_path())
    first_made_ = p;
  fs::create_directories(target_.parent_path(), error);
  if (!error) {
    partial_ = folder_beside(target_, ".partial-XXXXXX", error);
  }
  if (error) {
    const std::string reason = error.message();
    if (!first_made_.empty()) fs::remove_all(first_made_, error);
    partial_.clear();
    throw config::InputError(where, "cannot be created (" + reason + "), expected a folder that can be written");
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  if (committed_ || partial_.empty()) return;
  fs::remove_all(partial_, ignored);
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

void OutputFolder::commit() {
  write(kMarker, "A result folder of harmonia; a new result may replace it.\n");
  std::error_code error;
  fs::path old;
  if (fs::exists(target_)) {
    old = folder_beside(target_, ".replaced-XXXXXX", error);
    if (!error) fs::rename(target_, old, error);
    if (error) throw config::RunError("cannot replace " + target_.string() + ": " + error.message());
  }
  fs::rename(partial_, target_, error);
  if (error) {
    const std::string reason = error.message();
    if (!old.empty()) fs::rename(old, target_, error);
    throw config::RunError("cannot put the result at " + target_.string() + ": " + reason);
  }
  committed_ = true;
  if (!old.empty()) fs::remove_all(old, error);
}

}  // namespace harmonia::testbench
