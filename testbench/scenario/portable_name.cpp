#include "harmonia/testbench/scenario/portable_name.h"

#include <system_error>

namespace harmonia::testbench {

namespace fs = std::filesystem;

std::string portable_name(const std::string& file, const fs::path& built_ins) {
  if (!built_ins.empty()) {
    const std::string start = (built_ins / "").string();
    if (file.compare(0, start.size(), start) == 0) return "built-in " + file.substr(start.size());
  }
  const bool same_everywhere = file.compare(0, 5, "/dev/") == 0 || file.compare(0, 6, "/proc/") == 0;
  if (!fs::path(file).is_absolute() || same_everywhere) return file;
  std::error_code error;
  const fs::path here = fs::current_path(error);
  const std::string relative = fs::path(file).lexically_normal().lexically_relative(here).string();
  return error || relative.empty() ? fs::path(file).filename().string() : relative;
}

}  // namespace harmonia::testbench
