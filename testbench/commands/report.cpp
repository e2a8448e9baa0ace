// `harmonia report`: one self-contained HTML page from a result folder.
#include "harmonia/testbench/report/report.h"

#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {
namespace {

int run(const std::vector<std::string>& arguments) {
  Arguments a(kReportCommand);
  std::string folder, output;
  a.positional("DIR", folder, "a result folder of run, compare, sweep or dram", true);
  a.text("output,o", output, "FILE", "the page to write (default: DIR/report.html)");
  if (!a.parse(arguments)) return 0;
  return make_report(folder, output);
}

}  // namespace

const Command kReportCommand = {"report", "DIR [-o FILE.html]",
                                "Write a self-contained HTML page with plots and tables from a result folder", run,
                                "harmonia report results/weights"};

}  // namespace harmonia::testbench
