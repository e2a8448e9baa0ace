// Where built-in models, accelerators and scenarios and outside data files are found.
//
// The folder of built-ins is, in this order: the one given, $HARMONIA_WORKLOADS, share/harmonia/workloads beside the
// program's own prefix, the source tree. Outside data (public request traces) is looked for in the folder given with
// --data or in $HARMONIA_DATA, itself or its data/traces and traces folders.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

namespace harmonia::testbench {

enum class BuiltIn { kModel, kAccelerator, kScenario, kLink };

/// "model", "accelerator", "scenario", "link".
const char* kind_name(BuiltIn kind);

/// Throws InputError at `where` when a name (of a scenario or a sweep) could not be that of a folder of results: it would
/// lead elsewhere, or is too long for a file system.
void require_folder_name(const std::string& name, const config::Location& where);

class Library {
 public:
  /// Empty arguments take the search order above. Throws InputError when a folder that was named does not exist.
  explicit Library(const std::string& workloads_folder = {}, const std::string& data_folder = {},
                   bool allow_unknown_keys = false);

  const std::filesystem::path& folder() const { return workloads_; }

  /// Whether keys of a config.json that nothing reads become notices instead of errors.
  bool allow_unknown_keys() const { return allow_unknown_keys_; }

  /// Names of what is built in, sorted.
  std::vector<std::string> names(BuiltIn kind) const;

  /// The file of a built-in name, or of a path (anything with a slash, or ending in .yaml, .yml or .json; relative to
  /// the folder of `where.file`, then to the working directory). Throws InputError at `where`.
  std::filesystem::path find(BuiltIn kind, const std::string& name, const config::Location& where) const;

  /// The YAML or JSON of a file that find() gave. A built-in one is read once: every point of a sweep asks for it. Errors
  /// are those of config::read_yaml.
  config::Node read(const std::filesystem::path& file) const;

  /// A data file named in `where.file`: relative to that file's folder, to the working directory, to the built-in
  /// request traces, to the data folders. Empty when there is none.
  std::filesystem::path find_data(const std::string& name, const config::Location& where) const;

 private:
  std::filesystem::path kind_folder(BuiltIn kind) const;

  bool allow_unknown_keys_;
  std::filesystem::path workloads_;
  std::vector<std::filesystem::path> data_;
  mutable std::map<std::filesystem::path, config::Node> built_in_documents_;
};

}  // namespace harmonia::testbench
