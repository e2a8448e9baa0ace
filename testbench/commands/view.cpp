// `harmonia view`: a folder of results in the browser, on this computer only.
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/report/report.h"

namespace harmonia::testbench {
namespace {

int run(const std::vector<std::string>& arguments) {
  Arguments a(kViewCommand);
  std::string folder;
  std::int64_t port = 0;
  a.positional("DIR", folder, "folder with result folders in it, at any depth", true);
  a.integer("port", port, 0, 65535, "N", "port of 127.0.0.1 to listen on (default 0: any free port)");
  if (!a.parse(arguments)) return 0;
  return view_results(folder, static_cast<int>(port));
}

}  // namespace

const Command kViewCommand = {"view", "DIR [--port N]",
                              "Serve a folder of results to a browser: report of each, comparison of any two", run,
                              "harmonia view results"};

}  // namespace harmonia::testbench
