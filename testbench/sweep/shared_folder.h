// The folder of a sweep that workers on several computers share: DIR.partial with claims, results, logs and signs of life.
//
// Models: claims as folders that arrive by rename and hold one file whose name is the claim (claims.h); results written
//   beside and renamed; heartbeats as times of files, compared for equality only. Needs of the file system that a rename
//   happens once and as a whole, as NFS promises; needs no locks, hard links or equal clocks.
// Does not model: a file system that forgets a rename that it confirmed.
#pragma once

#include <filesystem>
#include <string>

#include "harmonia/testbench/sweep/claims.h"
#include "harmonia/testbench/sweep/sweep_folder.h"

namespace harmonia::testbench {

/// HOST-PID-START of this process: no other process has or had this name.
std::string own_worker_name();

/// What is inside a sweep's folder besides sweep.json and points/.
struct SharedPaths {
  std::filesystem::path folder;
  std::filesystem::path claims() const { return folder / "claims"; }
  std::filesystem::path workers() const { return folder / "workers"; }
  std::filesystem::path pending() const { return folder / "pending"; }
  std::filesystem::path points() const { return folder / "points"; }
  std::filesystem::path logs() const { return folder / "logs"; }
  std::filesystem::path work(const std::string& worker) const { return folder / "work" / worker; }
};

class SharedFolder : public ClaimFolder {
 public:
  /// Joins `folder`, in which claims/ and the others are made when they are missing. Throws config::RunError when
  /// something cannot be written, as do all functions below.
  SharedFolder(std::filesystem::path folder, std::size_t points, std::string worker);
  /// Without a worker: to look and to publish only.
  SharedFolder(std::filesystem::path folder, std::size_t points);

  bool take(std::size_t point, const Claim& claim) override;
  bool change(std::size_t point, const Claim& from, const Claim& to) override;
  std::optional<Claim> claim(std::size_t point) override;
  std::vector<bool> claimed() override;
  std::vector<bool> published() override;
  bool publish(std::size_t point, const Claim& by) override;
  std::uint64_t heartbeat(const std::string& worker) override;
  bool has_ended(const std::string& worker) override;

  /// Gives a sign of life. False when the sweep's folder is not there any more: it was merged, or removed.
  bool beat();
  /// Writes what publish() will put in place.
  void write_result(std::size_t point, const Claim& by, const SweepJson& result);
  /// Keeps what a failed point has printed.
  void keep_log(std::size_t point, const std::string& text);
  /// Removes this worker's own files; done when it ends.
  void leave();

  const SharedPaths& paths() const { return paths_; }

 private:
  SharedPaths paths_;
  std::size_t points_;
  std::string worker_;
};

/// Seconds since a worker's last sign of life, by this computer's clock; negative when it never gave one.
double silence_s(const SharedPaths& paths, const std::string& worker);

}  // namespace harmonia::testbench
