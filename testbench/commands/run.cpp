#include "harmonia/testbench/commands/run.h"

#include <iostream>
#include <memory>
#include <string>

#include "harmonia/config/error.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/portable_name.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {
namespace {

int run_command(const std::vector<std::string>& arguments) {
  Arguments a(kRunCommand);
  CommonOptions common;
  std::string name = "default";
  a.common(common);
  a.positional("SCENARIO", name, "built-in name or file");
  bool print_map = false;
  a.flag("print-map", print_map, "print the memory map (address and size of every tensor), and exit");
  bool record = false;
  a.flag("record", record, "with -o: write every transaction of the machine's sockets (docs/records.md)");
  Printing printing;
  a.printing(printing);
  if (!a.parse(arguments)) return 0;
  if (record && common.output.empty())
    throw config::InputError({"command line", 0, 0}, "--record is given without -o, expected -o DIR for its files");

  const Library library(common.workloads, common.data, common.allow_unknown);
  const LoadedScenario scenario = load_scenario(name, common.set, library);
  if (print_map) {
    try {
      std::cout << address_map_of(scenario);
    } catch (const config::InputError& e) {
      throw located(e, scenario);
    }
    return 0;
  }
  const InterruptGuard guard;  // an interrupt leaves no half-made folder
  std::unique_ptr<OutputFolder> folder;
  RunOptions options;
  const bool stream = !common.output.empty() && names_stream(common.output);
  if (!common.output.empty() && !stream) {
    folder = std::make_unique<OutputFolder>(common.output);
    if (scenario.scenario.output.timeline) options.timeline_file = (folder->path() / "timeline.pftrace").string();
    if (record) options.records_folder = folder->path().string();
    if (scenario.scenario.output.waves) options.waves_file = (folder->path() / "waves.vcd").string();
  }
  RunResult result = [&] {
    try {
      return run_scenario(scenario, options);
    } catch (const config::InputError& e) {
      throw located(e, scenario);
    }
  }();
  result.serving.trace = portable_name(result.serving.trace, library.folder());
  if (stream) printing = write_to_stream(common.output, to_json(result), printing);
  return deliver(result, folder.get(), printing);
}

}  // namespace

int deliver(const RunResult& result, OutputFolder* folder, const Printing& printing) {
  const std::string text = summary(result);
  std::string written;
  if (folder != nullptr) {
    folder->write("result.json", to_json(result));
    folder->write("summary.txt", text);
    folder->write("bandwidth.csv", bandwidth_csv(result));
    const std::string requests = requests_csv(result);
    if (!requests.empty()) folder->write("requests.csv", requests);
    // Before anything is printed: whoever reads that may be gone.
    if (result.complete) folder->commit();
    written =
        "\n" + (result.complete ? "written to " + folder->target().string() : folder->commit_interrupted()) + "\n";
  }
  print_result(printing, text, printing.json ? to_json(result) : std::string(), written);
  require_checks(result);
  return result.complete ? 0 : 1;
}

const Command kRunCommand = {"run", "[SCENARIO] [--set path.to.key=value]... [-o DIR] [--record] [--print-map]",
                             "Simulate one scenario and print its cost in time, bandwidth and energy", run_command,
                             "harmonia run prefill-2k --set weights=kmeans2 -o results/prefill"};

}  // namespace harmonia::testbench
