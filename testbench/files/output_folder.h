// A result folder that appears complete or not at all.
//
// Models: files are written into a folder beside the target, which takes the target's name when all is done; without
//   that (an error, a kill) nothing is at the target, or what was there before. A kill leaves a folder that the next run
//   with the same target removes (temporary.h).
// Does not model: two programs that write the same target at the same time; the later one wins, whole.
#pragma once

#include <filesystem>
#include <string>

#include "harmonia/testbench/files/temporary.h"

namespace harmonia::testbench {

class OutputFolder {
 public:
  /// Name of the file that marks a folder as a result that a new result may replace.
  static constexpr const char* kMarker = kFolderMarker;

  /// Refuses (InputError) a target that exists and is neither an empty folder nor an earlier result, and one that
  /// cannot be created, before any work is done.
  explicit OutputFolder(const std::string& target);
  /// Removes what was not committed.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// Where to write until commit().
  const std::filesystem::path& path() const { return partial_; }
  const std::filesystem::path& target() const { return target_; }

  /// Writes one file; throws config::RunError when the disk does not take it.
  void write(const std::string& name, const std::string& contents);

  /// Puts the folder in its place. Throws config::RunError when it cannot; then the target is as it was.
  void commit();

  /// Puts what an interrupt cut short in its place: at the target when nothing is there, else at TARGET.interrupted, so
  /// that an earlier result stays. Returns a sentence that says where it is.
  std::string commit_interrupted();

 private:
  void put_at(const std::filesystem::path& place);

  std::filesystem::path target_, partial_, first_made_;
  int lock_ = -1;
  bool committed_ = false;
};

}  // namespace harmonia::testbench
