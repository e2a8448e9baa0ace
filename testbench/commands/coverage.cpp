// `harmonia coverage`: scores and holes of UCIS files, and merging them.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/coverage/coverage_result.h"
#include "harmonia/testbench/files/output_folder.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kHolesShown = 20;

int coverage_command(const std::vector<std::string>& arguments) {
  std::string action, output;
  std::vector<std::string> files;
  bool holes = false, json = false;
  Arguments a(kCoverageCommand);
  a.positional("ACTION", action, "show or merge", true)
      .choices({"show", "merge"})
      .positionals("FILE", files, "UCIS XML of runs, or of merged runs", true)
      .flag("holes", holes, "show every hole instead of the first 20")
      .flag("json", json, "print result.json instead of the table")
      .text("output,o", output, "DIR", "with merge: folder for coverage.xml, result.json and summary.txt");
  if (!a.parse(arguments)) return 0;
  if (action != "show" && action != "merge")
    throw config::InputError({"command line", 0, 0},
                             fmt::format("unknown action '{}', expected show or merge", config::printable(action)));
  if ((action == "merge") == output.empty())
    throw config::InputError({"command line", 0, 0}, action == "merge"
                                                         ? "-o is missing, expected a folder for what is merged"
                                                         : "-o belongs to merge, expected show without it");
  const coverage::Database all = read_coverage(files);
  const std::string text = coverage_summary(all, holes ? 0 : kHolesShown), document = coverage_json(all);
  if (!output.empty()) {
    OutputFolder folder(output);
    folder.write("coverage.xml", ucis_of(all));
    folder.write("result.json", document);
    folder.write("summary.txt", coverage_summary(all, 0));
    folder.commit();
  }
  std::cout << (json ? document : text);
  std::cout.flush();
  for (const coverage::Hole& h : coverage::holes_of(all))
    if (h.at_least == 0)
      throw config::RunError(fmt::format("{}: {}, {}: the illegal bin '{}' was hit {} times, expected never",
                                         files.size() == 1 ? config::printable(files[0]) : "the merged files", h.group,
                                         h.point, h.bin, h.hits));
  return 0;
}

}  // namespace

const Command kCoverageCommand = {
    "coverage", "show|merge FILE... [-o DIR]",
    "Print scores and holes of functional coverage in UCIS files, or merge those of many runs", coverage_command,
    "harmonia coverage show coverage.xml"};

}  // namespace harmonia::testbench
