// `harmonia doctor`: what is installed, and what is skipped without it.
//
// Models: built-ins, outside data, the folder of temporary files, Python with its packages, and the programs that other
//   commands and the tests call. Nothing is changed or installed.
// Does not model: whether a program that is found works.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/commands/version.h"
#include "harmonia/testbench/files/terminal.h"
#include "harmonia/testbench/report/report.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/scenario/library.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;

struct Finding {
  std::string what;
  bool present = false;
  bool required = false;
  std::string detail;  // where it is, or what is skipped without it and how to get it
};

/// In $PATH; empty when it is not there.
std::string program_in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
    std::error_code ignored;
    if (fs::is_regular_file(candidate, ignored) && ::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return {};
}

struct Tool {
  const char* program;
  const char* without;
};
constexpr Tool kTools[] = {
    {"verilator", "blocks as RTL, RTL tests (scripts/setup --with-rtl)"},
    {"yosys", "area of the RTL and formal checks (scripts/setup --with-rtl)"},
    {"chromium", "tests of reports in a browser (scripts/setup --with-browser)"},
    {"sbatch", "`sweep --engine slurm` (scripts/setup --with-cluster)"},
    {"mpirun", "`sweep --engine mpi` (scripts/setup --with-cluster)"},
    {"parallel", "`sweep --engine parallel` (scripts/setup --with-cluster)"},
};

void add_python(std::vector<Finding>& found) {
  const std::string python = program_in_path("python3");
  found.push_back({"python3", !python.empty(), false,
                   python.empty() ? "skipped without it: `report`, `require` (package python3)" : python});
  for (const char* module : {"matplotlib", "jinja2"}) {
    // find_spec() looks without importing: matplotlib alone takes a second.
    const std::string command = fmt::format(
        "python3 -c 'import importlib.util as u, sys; sys.exit(u.find_spec(\"{}\") is None)' 2>/dev/null", module);
    const bool present = !python.empty() && std::system(command.c_str()) == 0;
    found.push_back({fmt::format("python3: {}", module), present, false,
                     present ? "" : fmt::format("skipped without it: `report` (package python3-{})", module)});
  }
}

/// Tells what a thing that may throw InputError or RunError has found.
template <class F>
Finding finding(const std::string& what, bool required, const F& look) {
  try {
    return {what, true, required, look()};
  } catch (const std::exception& e) {
    return {what, false, required, e.what()};
  }
}

std::vector<Finding> look_around(const CommonOptions& common) {
  std::vector<Finding> found;
  found.push_back(finding("built-ins", true, [&] {
    const Library library(common.workloads, common.data);
    const std::size_t scenarios = library.names(BuiltIn::kScenario).size();
    if (scenarios == 0) throw config::RunError("no built-in scenarios, expected a folder named by --workloads");
    return fmt::format("{} scenarios in {}", scenarios,
                       library.find(BuiltIn::kScenario, "default", {}).parent_path().parent_path().string());
  }));
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  const bool writable = !error && ::access(temporary.c_str(), W_OK | X_OK) == 0;
  found.push_back({"temporary files", writable, true,
                   writable ? temporary.string() : "expected $TMPDIR or /tmp to be a folder that can be written"});
  const char* named = std::getenv("HARMONIA_DATA");
  const std::string data = !common.data.empty() ? common.data : named ? named : "";
  const bool has_data = !data.empty() && fs::is_directory(data, error);
  found.push_back({"outside data", has_data, false,
                   has_data ? data : "skipped without it: public request traces (--data or $HARMONIA_DATA)"});
  found.push_back(finding("report script", false, [] { return report_script(); }));
  add_python(found);
  for (const Tool& tool : kTools) {
    const std::string path = program_in_path(tool.program);
    found.push_back({tool.program, !path.empty(), false,
                     path.empty() ? fmt::format("skipped without it: {}", tool.without) : path});
  }
  return found;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a(kDoctorCommand);
  CommonOptions common;
  Printing printing;
  a.printing(printing).folders(common);
  if (!a.parse(arguments)) return 0;
  const std::vector<Finding> found = look_around(common);
  bool usable = true;
  std::vector<std::vector<std::string>> rows = {{"what", "state", "where, or what is skipped without it"}};
  nlohmann::ordered_json document = {{"version", program_version()}, {"revision", program_revision()}};
  for (const auto& [name, version] : library_versions()) document["libraries"][name] = version;
  for (const Finding& f : found) {
    usable = usable && (f.present || !f.required);
    rows.push_back({f.what, f.present ? "found" : f.required ? "MISSING" : "missing", f.detail});
    document["findings"].push_back(
        {{"what", f.what}, {"present", f.present}, {"required", f.required}, {"detail", f.detail}});
  }
  if (printing.json)
    std::cout << document.dump(2) << '\n';
  else if (!printing.quiet)
    std::cout << decorated(version_text() + '\n' + table(rows) + '\n' +
                           (usable ? "The simulator can be used; what is missing only skips what its line names.\n"
                                   : "FAILED: something that every run needs is missing, see above.\n"));
  return usable ? 0 : 1;
}

}  // namespace

const Command kDoctorCommand = {"doctor", "[--json]", "Show what is installed, and what is skipped without it", run,
                                "harmonia doctor"};

}  // namespace harmonia::testbench
