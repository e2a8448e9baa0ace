#include "harmonia/testbench/scenario/library.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "harmonia/config/utf8.h"
#include "harmonia/config/yaml.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {

bool is_file(const fs::path& p) {
  std::error_code ignored;
  return fs::is_regular_file(p, ignored);
}

bool is_folder(const fs::path& p) {
  std::error_code ignored;
  return fs::is_directory(p, ignored);
}

fs::path named_folder(const std::string& name, const char* how) {
  config::require_text(name, {how, 0, 0});
  if (!is_folder(name)) throw config::InputError({name, 0, 0}, std::string("is no folder, expected ") + how);
  return name;
}

bool looks_like_path(const std::string& name) {
  const fs::path extension = fs::path(name).extension();
  return name.find('/') != std::string::npos || extension == ".yaml" || extension == ".yml" || extension == ".json";
}

// Overrides ("--set a=b") and the command line have no folder of their own.
fs::path folder_of(const config::Location& where) {
  return is_file(where.file) ? fs::path(where.file).parent_path() : fs::path();
}

}  // namespace

const char* kind_name(BuiltIn kind) {
  switch (kind) {
    case BuiltIn::kModel:
      return "model";
    case BuiltIn::kAccelerator:
      return "accelerator";
    case BuiltIn::kLink:
      return "link";
    case BuiltIn::kScenario:
      break;
  }
  return "scenario";
}

void require_folder_name(const std::string& name, const config::Location& where) {
  constexpr std::size_t kLongest = 200;  // with what temporary names add, below the 255 bytes of file systems
  config::require_text(name, where, {});
  if (name.find('/') == std::string::npos && name != "." && name != ".." && name.size() <= kLongest) return;
  throw config::InputError(where, "name is '" + config::printable(name) +
                                      "', expected a name that a folder of results can have: without '/', not '.' or "
                                      "'..', of at most 200 bytes");
}

Library::Library(const std::string& workloads_folder, const std::string& data_folder, bool allow_unknown_keys)
    : allow_unknown_keys_(allow_unknown_keys) {
  const char* from_environment = std::getenv("HARMONIA_WORKLOADS");
  std::error_code ignored;
  const fs::path beside_program =
      fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path() / "share/harmonia/workloads";
  if (!workloads_folder.empty()) {
    workloads_ =
        named_folder(workloads_folder, "the folder of built-in models, accelerators and scenarios (--workloads)");
  } else if (from_environment && *from_environment) {
    workloads_ = named_folder(from_environment, "the folder that HARMONIA_WORKLOADS names");
  } else if (is_folder(beside_program)) {
    workloads_ = beside_program;
  } else {
    workloads_ = HARMONIA_WORKLOADS_SOURCE;
  }

  std::string data = data_folder;
  if (!data.empty()) named_folder(data, "the folder of outside data (--data)");
  if (const char* named = std::getenv("HARMONIA_DATA"); data.empty() && named) data = named;
  if (!data.empty()) data_ = {data, fs::path(data) / "data/traces", fs::path(data) / "traces"};
}

fs::path Library::kind_folder(BuiltIn kind) const { return workloads_ / (std::string(kind_name(kind)) + "s"); }

std::vector<std::string> Library::names(BuiltIn kind) const {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(kind_folder(kind), error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".yaml") {
      found.push_back(it->path().stem().string());
      config::require_text(found.back(), {it->path().string(), 0, 0}, {});
    }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path Library::find(BuiltIn kind, const std::string& name, const config::Location& where) const {
  if (looks_like_path(name)) {
    const fs::path beside = folder_of(where) / name;
    if (is_file(beside)) return beside;
    if (is_file(name)) return name;
    throw config::InputError(where, std::string(kind_name(kind)) + " file '" + config::printable(name) +
                                        "' does not exist, expected a file or a built-in name (`harmonia list " +
                                        kind_name(kind) + "s`)");
  }
  const fs::path built_in = kind_folder(kind) / (name + ".yaml");
  if (!name.empty() && is_file(built_in)) return built_in;
  const std::vector<std::string> known = names(kind);
  if (known.empty())
    throw config::InputError(where, std::string("no built-in ") + kind_name(kind) + "s in '" + workloads_.string() +
                                        "', expected a folder named by --workloads or HARMONIA_WORKLOADS");
  throw config::InputError(where, std::string("unknown ") + kind_name(kind) + " '" + config::printable(name) + "'" +
                                      config::nearest_hint(name, known, kind_name(kind)));
}

config::Node Library::read(const fs::path& file) const {
  if (file.parent_path().parent_path() != workloads_) return config::read_yaml(file.string());
  const auto known = built_in_documents_.find(file);
  if (known != built_in_documents_.end()) return known->second;
  return built_in_documents_.emplace(file, config::read_yaml(file.string())).first->second;
}

fs::path Library::find_data(const std::string& name, const config::Location& where) const {
  std::vector<fs::path> folders = {folder_of(where), fs::path(), workloads_ / "traces"};
  folders.insert(folders.end(), data_.begin(), data_.end());
  for (const fs::path& folder : folders) {
    const fs::path candidate = folder.empty() ? fs::path(name) : folder / name;
    if (is_file(candidate)) return candidate;
    if (fs::path(name).is_absolute()) break;
  }
  return {};
}

}  // namespace harmonia::testbench
