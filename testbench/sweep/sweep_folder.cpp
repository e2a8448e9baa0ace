#include "harmonia/testbench/sweep/sweep_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/temporary.h"
#include "harmonia/testbench/sweep/points.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::RunError;

namespace {

constexpr std::size_t kLargestPoint = 512U << 20;
constexpr const char* kMarker = ".harmonia-sweep";
constexpr std::string_view kSignature = "An unfinished sweep of harmonia; --resume goes on with it.\n";

constexpr const char* kForeign = "exists and was not made by a sweep of harmonia, expected another -o, or its removal";
/// What sweeps put beside sweep.json and points/, and remove with all that is in it.
constexpr const char* kFolders[] = {"work", "claims", "workers", "pending", "logs", "engine"};

fs::path partial_of(const fs::path& target) { return target.string() + ".partial"; }

bool has_other_entries(const fs::path& folder, const char* but) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().filename() != but) return true;
  return false;
}

/// Whether a sweep made the folder: it carries the marker, or is all that a finished sweep is. One that was killed at
/// its very beginning has left an empty folder or an empty marker.
bool is_own(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(folder, error))) return false;
  if (fs::is_empty(folder, error)) return true;
  if (is_marked_folder(folder) && fs::exists(folder / "sweep.json", error)) return true;
  const fs::path marker = folder / kMarker;
  if (!fs::is_regular_file(fs::symlink_status(marker, error))) return false;
  const std::string text = config::read_text_file(marker.string(), 1 << 20);
  return text == kSignature || (text.empty() && !has_other_entries(folder, kMarker));
}

bool is_point_file(const fs::path& file) {
  const std::string name = file.stem().string();
  return file.extension() == ".json" && name.size() >= 6 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

/// Makes the folder of a shared sweep appear with its marker, its manifest and its claims, or finds that another has.
void make_shared(const fs::path& folder, const SweepJson& manifest) {
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  fs::path made;
  const int lock = create_partial_folder(folder, made);
  if (lock < 0) throw RunError("cannot write in " + folder.parent_path().string() + ": " + std::strerror(errno));
  try {
    write_file(made / kMarker, kSignature);
    write_file(made / "sweep.json", manifest.dump(1) + "\n", OutputFile::Durability::kDisk);
    fs::create_directory(made / "claims");
    if (::rename(made.c_str(), folder.c_str()) == 0) fs::remove(folder / kFolderMarker, error);
    const bool there = fs::exists(folder / "sweep.json", error);
    remove_marked_folder(made);
    if (!there) throw RunError("cannot make " + folder.string() + ": remove it if it holds nothing that is needed");
  } catch (...) {
    remove_marked_folder(made);
    ::close(lock);
    throw;
  }
  ::close(lock);
}

std::string text_of(const SweepJson& value) { return config::escaped(value.get<std::string>()); }

/// Names the input that changed; empty when none did.
std::string changed_input(const SweepJson& then, const SweepJson& now) {
  for (const SweepJson& input : now) {
    const auto named =
        std::find_if(then.begin(), then.end(), [&](const SweepJson& i) { return i.at("file") == input.at("file"); });
    if (named != then.end() && *named != input) return text_of(input.at("file")) + " has changed since it was begun";
  }
  return {};
}

/// Names an input that only one of the two has, whatever its name (a tree may have moved).
std::string other_input(const SweepJson& then, const SweepJson& now) {
  for (const SweepJson& input : now)
    if (std::none_of(then.begin(), then.end(), [&](const SweepJson& i) { return i.at("hash") == input.at("hash"); }))
      return "it did not read " + text_of(input.at("file"));
  return {};
}

}  // namespace

std::string point_name(std::size_t index) {
  char text[32];
  std::snprintf(text, sizeof text, "%06zu", index + 1);
  return text;
}

std::optional<SweepJson> read_point(const fs::path& file, std::uint32_t configuration) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  try {
    SweepJson j = SweepJson::parse(config::read_text_file(file.string(), kLargestPoint));
    if (j.at("configuration") == configuration) return j;
  } catch (const std::exception&) {
    // Not whole: as if it were absent.
  }
  return std::nullopt;
}

bool is_final(const SweepJson& point) {
  return point.value("status", "") == "ok" || point.value("exit_status", -1) == 2;
}

std::string difference(const fs::path& folder, const SweepJson& unfinished) {
  try {
    const SweepJson then = SweepJson::parse(config::read_text_file((folder / "sweep.json").string(), kLargestPoint));
    const SweepJson now = then.contains("built_ins") ? unfinished : portable(unfinished);
    std::string why = changed_input(then.at("inputs"), now.at("inputs"));
    if (!why.empty()) return why;
    const SweepJson &points = now.at("points"), &earlier = then.at("points");
    if (earlier.size() != points.size())
      return "it has " + std::to_string(earlier.size()) + " points, this sweep " + std::to_string(points.size());
    for (std::size_t i = 0; i < points.size(); ++i)
      if (earlier[i] != points[i]) return "point " + std::to_string(i + 1) + " was another";
    why = other_input(then.at("inputs"), now.at("inputs"));
    if (!why.empty()) return why;
    if (then.at("program") != now.at("program")) return "it was begun with another build of harmonia";
  } catch (const std::exception& e) {
    return std::string("its sweep.json cannot be read: ") + e.what();
  }
  return {};
}

bool SweepFolder::is_unfinished(const fs::path& target) {
  std::error_code ignored;
  const fs::path folder = partial_of(target);
  return fs::exists(fs::symlink_status(folder, ignored)) &&
         (!is_own(folder) || fs::exists(folder / "sweep.json", ignored));
}

void SweepFolder::remove_remains(const fs::path& target) {
  std::error_code ignored;
  const fs::path folder = partial_of(target);
  if (!fs::exists(fs::symlink_status(folder, ignored)) || is_unfinished(target)) return;
  SweepFolder remains{fs::path(folder)};
  remains.lock();
  remains.remove();
}

void SweepFolder::discard(const fs::path& target) {
  SweepFolder folder{partial_of(target)};
  folder.remove();
}

fs::path SweepFolder::join(const fs::path& target, const SweepJson& manifest, bool resume) {
  std::error_code error;
  const fs::path folder = partial_of(target);
  const config::Location where{folder.string(), 0, 0};
  if (fs::exists(fs::symlink_status(folder, error)) && !is_own(folder)) throw InputError(where, kForeign);
  if (!fs::exists(folder / "sweep.json", error)) make_shared(folder, manifest);
  const std::string why = difference(folder, manifest);
  if (!why.empty()) throw InputError(where, "holds another sweep: " + why + "; expected the same sweep, or another -o");
  if (fs::exists(folder / "claims", error)) return folder;
  if (!resume)
    throw InputError(where,
                     "holds an unfinished sweep without shards, expected --resume to go on with it, or its removal");
  SweepFolder alone{fs::path(folder)};
  alone.lock();  // nobody may be at work in it while it becomes one of shards
  fs::create_directory(folder / "claims", error);
  if (error) throw RunError("cannot write in " + folder.string() + ": " + error.message());
  return folder;
}

SweepFolder::SweepFolder(const fs::path& target, const SweepJson& manifest, bool resume) : folder_(partial_of(target)) {
  std::error_code error;
  const config::Location where{folder_.string(), 0, 0};
  if (fs::exists(fs::symlink_status(folder_, error)) && !is_own(folder_)) throw InputError(where, kForeign);
  if (!resume && fs::exists(folder_ / "sweep.json", error))
    throw InputError(where, "holds an unfinished sweep, expected --resume to go on with it, or its removal");
  fs::create_directories(folder_, error);
  lock();
  if (fs::exists(folder_ / "sweep.json", error)) {
    const std::string why = difference(folder_, manifest);
    if (!why.empty())
      throw InputError(where, "holds another sweep: " + why + "; expected the same sweep, or another -o");
  } else {
    remove_contents();  // of one that was killed while it ended
    write_file(folder_ / "sweep.json", manifest.dump(1) + "\n", OutputFile::Durability::kDisk);
  }
  fs::create_directories(points(), error);
  remove_leftovers_in(points());
  remove_leftovers_in(folder_);
  fs::remove_all(work(), error);
  fs::create_directories(work(), error);
  if (error) throw RunError("cannot write in " + folder_.string() + ": " + error.message());
}

SweepFolder::~SweepFolder() {
  if (lock_ >= 0) ::close(lock_);
}

void SweepFolder::lock() {
  const fs::path marker = folder_ / kMarker;
  lock_ = ::open(marker.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (lock_ < 0) throw RunError("cannot write " + marker.string() + ": " + std::strerror(errno));
  struct stat opened {
  }, named{};
  bool locked = false;
  // A process that a killed sweep was just starting has the lock for a moment more.
  for (int attempt = 0; attempt < 50 && !locked; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    locked = ::flock(lock_, LOCK_EX | LOCK_NB) == 0;
  }
  // The sweep that had it may have ended and removed it in this moment.
  if (!locked || ::fstat(lock_, &opened) != 0 || ::lstat(marker.c_str(), &named) != 0 || opened.st_ino != named.st_ino)
    throw RunError(folder_.string() + " is in use by another sweep that is running");
  if (opened.st_size == 0 &&
      ::pwrite(lock_, kSignature.data(), kSignature.size(), 0) != static_cast<ssize_t>(kSignature.size()))
    throw RunError("cannot write " + marker.string());
}

void SweepFolder::write_point(std::size_t index, const SweepJson& point) const {
  write_file(point_file(index), point.dump(1) + "\n", OutputFile::Durability::kDisk, OutputFile::Leftovers::kKeep);
}

void SweepFolder::keep_log(std::size_t index, const std::string& text) const {
  const fs::path file = folder_ / "logs" / (point_name(index) + ".txt");
  std::error_code ignored;
  fs::remove(file, ignored);
  if (text.empty()) return;
  fs::create_directories(file.parent_path(), ignored);
  write_file(file, text, OutputFile::Durability::kProcess, OutputFile::Leftovers::kKeep);
}

void SweepFolder::remove_contents() {
  std::error_code error;
  for (const char* name : kFolders) fs::remove_all(folder_ / name, error);
  remove_leftovers_in(points());
  std::vector<fs::path> files;
  for (fs::directory_iterator it(points(), error), end; !error && it != end; it.increment(error))
    if (is_point_file(it->path())) files.push_back(it->path());
  for (const fs::path& f : files) fs::remove(f, error);
  fs::remove(points(), error);
}

void SweepFolder::remove() {
  std::error_code error;
  fs::remove(folder_ / "sweep.json", error);  // first: without it there is nothing to go on with
  remove_contents();
  for (const char* file : {"sweep.csv", kFolderMarker, kMarker}) fs::remove(folder_ / file, error);
  fs::remove(folder_, error);
}

}  // namespace harmonia::testbench
