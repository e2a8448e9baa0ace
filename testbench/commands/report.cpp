// `harmonia report`: one self-contained HTML page from a result folder.
#include "harmonia/testbench/report/report.h"

#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {
namespace {

int run(const std::vector<std::string>& arguments) {
  Arguments a(kReportCommand);
  std::string folder, output;
  a.positional("DIR", folder, "result folder of run, compare, sweep, explore, coverage or dram", true);
  bool without_scripts = false;
  a.flag("static", without_scripts, "write the page without scripts: plots are fixed, tables are not sortable");
  a.text("output,o", output, "FILE", "file to write (default: DIR/report.html)");
  if (!a.parse(arguments)) return 0;
  return make_report(folder, output, without_scripts);
}

}  // namespace

const Command kReportCommand = {"report", "DIR [-o FILE.html] [--static]",
                                "Write a self-contained HTML page with plots and tables from a result folder", run,
                                "harmonia report results/weights"};

}  // namespace harmonia::testbench
