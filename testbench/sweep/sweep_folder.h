// The folder that a sweep grows in, DIR.partial, and what of an earlier one can be gone on with.
//
// Models: a marker that says which folders a sweep made, one sweep in a folder at a time, the manifest (sweep.json) that
//   says what the points are and what their inputs held, one file for each finished point.
// Does not model: what a point is. Folders and files that no sweep made are never written into nor removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

namespace harmonia::testbench {

using SweepJson = nlohmann::ordered_json;

/// "000001" for point 0.
std::string point_name(std::size_t index);

/// The finished point in a file: whole, and of this configuration. Nothing otherwise.
std::optional<SweepJson> read_point(const std::filesystem::path& file, std::uint32_t configuration);

/// Whether running a point again would give the same: it ran, or its input was refused. A point that failed otherwise
/// (a signal, a full disk) may succeed the next time.
bool is_final(const SweepJson& point);

/// Why a folder with a manifest belongs to another sweep than that of the manifest of an unfinished one; empty when it belongs
/// to this one.
std::string difference(const std::filesystem::path& folder, const SweepJson& unfinished);

class SweepFolder {
 public:
  /// Opens TARGET.partial, or makes it. Throws config::InputError when there is something that no sweep made, an
  /// unfinished sweep without `resume`, or another sweep than `manifest` says; config::RunError when another process is at work in it
  /// or nothing can be written.
  SweepFolder(const std::filesystem::path& target, const SweepJson& manifest, bool resume);
  ~SweepFolder();
  SweepFolder(const SweepFolder&) = delete;
  SweepFolder& operator=(const SweepFolder&) = delete;

  /// Whether an unfinished sweep is there that can be resumed.
  static bool is_unfinished(const std::filesystem::path& target);

  /// Opens TARGET.partial, or makes it, for one of several workers: nothing is locked, and what is there stays. Returns it.
  /// Throws as the constructor does; `resume` allows to go on with what a sweep without shards has begun.
  static std::filesystem::path join(const std::filesystem::path& target, const SweepJson& manifest, bool resume);
  /// Removes TARGET.partial, as remove() does.
  static void discard(const std::filesystem::path& target);

  /// Removes what a sweep that was killed while it ended has left beside its finished result.
  static void remove_remains(const std::filesystem::path& target);

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path points() const { return folder_ / "points"; }
  std::filesystem::path work() const { return folder_ / "work"; }
  std::filesystem::path point_file(std::size_t index) const { return points() / (point_name(index) + ".json"); }

  void write_point(std::size_t index, const SweepJson& point) const;
  /// What a failed point has printed; nothing of one that did not fail, and what an earlier try left goes.
  void keep_log(std::size_t index, const std::string& text) const;

  /// Removes what the sweep has put there, and the folder when nothing else is in it.
  void remove();

 private:
  explicit SweepFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void lock();
  void remove_contents();

  std::filesystem::path folder_;
  int lock_ = -1;
};

}  // namespace harmonia::testbench
