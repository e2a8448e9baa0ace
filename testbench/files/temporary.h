// Temporary files and folders beside an output: their names, who is still at work on them, and what a kill leaves of them.
//
// Models: NAME.harmonia-partial-XXXXXX, created under a name that nothing else has and locked (flock) for as long as the
//   process that made it lives; a folder carries a marker file from its first moment on. What nobody has locked any more
//   was left by a program that was killed, and is removed at the next run with the same output.
// Does not model: file systems without locks, where nothing is ever removed; other users' files, which are left alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace harmonia::testbench {

/// Name of the file that marks a folder as one that this program made, and what stands in it.
constexpr const char* kFolderMarker = ".harmonia-result";
constexpr const char* kFolderSignature = "A result folder of harmonia; a new result may replace it.\n";

/// Whether a folder carries the marker with its signature.
bool is_marked_folder(const std::filesystem::path& folder);

/// Creates an empty file beside `target` and locks it. Returns its descriptor, whose closing ends the lock, and its name
/// in `made`; -1 with the reason in errno when it cannot be created.
int create_partial_file(const std::filesystem::path& target, std::filesystem::path& made);

/// Creates a marked folder beside `target` and locks its marker. As create_partial_file().
int create_partial_folder(const std::filesystem::path& target, std::filesystem::path& made);

/// Removes a marked folder with all that is in it, the marker last, so that what a kill leaves of it is still marked.
void remove_marked_folder(const std::filesystem::path& folder);

/// Removes what programs that no longer live have left of this output, of all outputs in a folder. Returns what was
/// removed.
std::vector<std::filesystem::path> remove_leftovers(const std::filesystem::path& target);
std::vector<std::filesystem::path> remove_leftovers_in(const std::filesystem::path& folder);

/// remove_leftovers(), with a line on standard error for each.
void clean_up_after_kills(const std::filesystem::path& target);

/// A folder for what is needed while this process runs; removed when it ends, or at the next one of the same name.
class TemporaryFolder {
 public:
  /// `name`: folder and beginning of its name, such as /tmp/harmonia-compare. Throws config::RunError.
  explicit TemporaryFolder(const std::filesystem::path& name);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int lock_;
};

}  // namespace harmonia::testbench
