#include "harmonia/testbench/scenario/listed_file.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

fs::path find_listed(const Library& library, const std::string& kind, const std::string& folder,
                     const std::string& name) {
  std::error_code ignored;
  if (fs::exists(name, ignored)) return name;
  const fs::path built_ins = library.folder() / folder;
  const fs::path built_in = built_ins / (name + ".yaml");
  if (name.find('/') == std::string::npos && fs::exists(built_in, ignored)) return built_in;
  const config::Location command_line{"command line", 0, 0};
  // What looks like a file is not a name that was misspelt.
  if (name.find('/') != std::string::npos || fs::path(name).has_extension())
    throw config::InputError(command_line, "the " + kind + " file '" + config::printable(name) +
                                               "' does not exist, expected a file or a built-in name");
  std::vector<std::string> known;
  for (fs::directory_iterator it(built_ins, ignored), end; !ignored && it != end; it.increment(ignored))
    if (it->path().extension() == ".yaml") known.push_back(it->path().stem().string());
  std::sort(known.begin(), known.end());
  throw config::InputError(command_line,
                           "unknown " + kind + " '" + config::printable(name) + "'" +
                               (known.empty() ? ", expected a file" : config::nearest_hint(name, known, kind)));
}

}  // namespace harmonia::testbench
