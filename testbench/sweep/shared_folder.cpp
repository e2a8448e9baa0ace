#include "harmonia/testbench/sweep/shared_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/output_file.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::RunError;

namespace {

[[noreturn]] void fail(const fs::path& file, int error) {
  throw RunError("cannot write " + file.string() + ": " + std::strerror(error));
}

std::string host() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  std::string text = name;
  for (char& c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  return text.empty() ? "host" : text;
}

/// When a process of this computer began, in ticks since boot; empty when there is none.
std::string start_of(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::string text;
  std::getline(in, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 0; i < 20; ++i) fields >> field;  // the 22nd of the line
  return field;
}

std::string boot() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id.substr(0, 8);
}

/// Which processes this one can see: those of its computer, boot and container.
std::string place() {
  struct stat ns {};
  const std::string space = ::stat("/proc/self/ns/pid", &ns) == 0 ? std::to_string(ns.st_ino) : "0";
  return host() + '-' + boot() + '-' + space;
}

bool make_file(const fs::path& file) {
  const int f = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (f < 0) return false;
  return ::close(f) == 0;
}

std::vector<bool> numbered(const fs::path& folder, const char* extension, std::size_t points) {
  std::vector<bool> found(points, false);
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::size_t digits = 0;
    while (digits < name.size() && std::isdigit(static_cast<unsigned char>(name[digits])) != 0) ++digits;
    if (digits < 6 || digits > 9 || name.substr(digits) != extension) continue;
    const std::size_t index = std::stoul(name.substr(0, digits));
    if (index >= 1 && index <= points) found[index - 1] = true;
  }
  return found;
}

}  // namespace

std::string own_worker_name() { return place() + '-' + std::to_string(::getpid()) + '-' + start_of("self"); }

SharedFolder::SharedFolder(fs::path folder, std::size_t points, std::string worker)
    : SharedFolder(std::move(folder), points) {
  worker_ = std::move(worker);
  for (const fs::path& f :
       {paths_.claims(), paths_.workers(), paths_.pending(), paths_.points(), paths_.logs(), paths_.work(worker_)}) {
    std::error_code error;
    fs::create_directories(f, error);
    if (error) fail(f, error.value());
  }
  if (!make_file(paths_.workers() / worker_)) fail(paths_.workers() / worker_, errno);
}

SharedFolder::SharedFolder(fs::path folder, std::size_t points) : paths_{std::move(folder)}, points_(points) {}

bool SharedFolder::take(std::size_t point, const Claim& claim) {
  const fs::path made = paths_.work(worker_) / ("claim-" + point_name(point)),
                 place = paths_.claims() / point_name(point);
  if (::mkdir(made.c_str(), 0777) != 0 && errno != EEXIST) fail(made, errno);
  if (!make_file(made / name_of(claim))) fail(made / name_of(claim), errno);
  // A folder replaces an empty one only, and no claim is ever empty.
  if (::rename(made.c_str(), place.c_str()) == 0) return true;
  const int error = errno;
  // A server may have done it, and its answer been lost: then the second try fails.
  if (::access((place / name_of(claim)).c_str(), F_OK) == 0) return true;
  std::error_code ignored;
  fs::remove_all(made, ignored);
  if (error != ENOTEMPTY && error != EEXIST) fail(place, error);
  return false;
}

bool SharedFolder::change(std::size_t point, const Claim& from, const Claim& to) {
  const fs::path place = paths_.claims() / point_name(point), next = place / name_of(to);
  if (::rename((place / name_of(from)).c_str(), next.c_str()) == 0) return true;
  const int error = errno;
  if (to.worker == worker_ && ::access(next.c_str(), F_OK) == 0) return true;  // as above
  if (error != ENOENT) fail(next, error);
  return false;
}

std::optional<Claim> SharedFolder::claim(std::size_t point) {
  std::optional<Claim> found;
  std::error_code error;
  for (fs::directory_iterator it(paths_.claims() / point_name(point), error), end; !error && it != end;
       it.increment(error)) {
    const std::optional<Claim> c = claim_of(it->path().filename().string());
    if (!c) continue;
    if (found) return std::nullopt;  // it changes while it is read
    found = c;
  }
  return found;
}

std::vector<bool> SharedFolder::claimed() { return numbered(paths_.claims(), "", points_); }
std::vector<bool> SharedFolder::published() { return numbered(paths_.points(), ".json", points_); }

bool SharedFolder::publish(std::size_t point, const Claim& by) {
  const fs::path from = paths_.pending() / (point_name(point) + '.' + name_of(by)),
                 to = paths_.points() / (point_name(point) + ".json");
  if (::rename(from.c_str(), to.c_str()) == 0) return true;
  if (errno != ENOENT) fail(to, errno);
  return ::access(to.c_str(), F_OK) == 0 || ::access(paths_.folder.c_str(), F_OK) != 0;
}

std::uint64_t SharedFolder::heartbeat(const std::string& worker) {
  // Opened, so that a client of NFS asks its server and not its cache.
  const int f = ::open((paths_.workers() / worker).c_str(), O_RDONLY | O_CLOEXEC);
  if (f < 0) return 0;
  struct stat s {};
  const bool known = ::fstat(f, &s) == 0;
  ::close(f);
  return known ? static_cast<std::uint64_t>(s.st_mtim.tv_sec) * 1000000000U +
                     static_cast<std::uint64_t>(s.st_mtim.tv_nsec)
               : 0;
}

bool SharedFolder::has_ended(const std::string& worker) {
  static const std::string here = place() + '-';
  if (worker.compare(0, here.size(), here) != 0) return false;
  const std::string rest = worker.substr(here.size());
  const std::size_t dash = rest.find('-');
  return dash != std::string::npos && start_of(rest.substr(0, dash)) != rest.substr(dash + 1);
}

bool SharedFolder::beat() {
  const fs::path file = paths_.workers() / worker_;
  if (::utimensat(AT_FDCWD, file.c_str(), nullptr, 0) == 0) return true;
  if (errno == ENOENT) return false;
  fail(file, errno);
}

void SharedFolder::write_result(std::size_t point, const Claim& by, const SweepJson& result) {
  Claim done = by;
  done.state = Claim::State::kDone;
  write_file(paths_.pending() / (point_name(point) + '.' + name_of(done)), result.dump(1) + "\n",
             OutputFile::Durability::kDisk, OutputFile::Leftovers::kKeep);
}

void SharedFolder::keep_log(std::size_t point, const std::string& text) {
  write_file(paths_.logs() / (point_name(point) + ".txt"), text, OutputFile::Durability::kProcess,
             OutputFile::Leftovers::kKeep);
}

void SharedFolder::leave() {
  std::error_code ignored;
  fs::remove_all(paths_.work(worker_), ignored);
  fs::remove(paths_.workers() / worker_, ignored);
}

double silence_s(const SharedPaths& paths, const std::string& worker) {
  struct stat s {};
  if (::stat((paths.workers() / worker).c_str(), &s) != 0) return -1;
  const double then = static_cast<double>(s.st_mtim.tv_sec) + 1e-9 * static_cast<double>(s.st_mtim.tv_nsec);
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return std::max(0.0, now - then);
}

}  // namespace harmonia::testbench
