// `harmonia inject`: faults into a small machine, one a run, and who saw them.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/inject/campaign.h"

namespace harmonia::testbench {
namespace {

[[noreturn]] void fail(const std::string& message) { throw config::InputError({"command line", 0, 0}, message); }

std::vector<bus::FaultKind> kinds_of(const std::vector<std::string>& names) {
  std::vector<bus::FaultKind> kinds;
  std::vector<std::string> known;
  for (const bus::FaultKind k : bus::kFaultKinds) known.emplace_back(bus::name_of(k));
  for (const std::string& name : names) {
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end())
      fail(
          fmt::format("--kind is '{}'{}", config::printable(name), config::nearest_hint(name, known, "kind of fault")));
    kinds.push_back(bus::kFaultKinds[static_cast<std::size_t>(at - known.begin())]);
  }
  return kinds;
}

int inject_command(const std::vector<std::string>& arguments) {
  std::string scenario = "default";
  CommonOptions common;
  std::vector<std::string> kinds, only, sockets;
  std::int64_t faults = 0, seed = 1, jobs = 1, prompt = 6, steps = 2;
  bool json = false, every_bit = false;
  std::vector<std::string> known;
  for (const bus::FaultKind k : bus::kFaultKinds) known.emplace_back(bus::name_of(k));
  Arguments a(kInjectCommand);
  a.positional("SCENARIO", scenario, "scenario of which the machine and the formats are used: built-in name or file")
      .integer("faults,n", faults, 1, 10000000, "N",
               "number of faults, each injected into a run of its own (1000; with --every-bit all)")
      .integer("seed", seed, 0, std::int64_t{1} << 62, "S", "seed of faults, weights and tokens (1)")
      .integer("jobs,j", jobs, 1, 1024, "N", "runs at the same time (1)")
      .integer("prompt", prompt, 1, 64, "N", "tokens processed in the first step (6)")
      .integer("steps", steps, 0, 64, "N", "decode steps of one token after it (2)")
      .texts("kind", kinds, "KIND", "inject only faults of this kind")
      .choices(known)
      .texts("socket", sockets, "SOCKET", "strike this connection only, named as in the report")
      .flag("every-bit", every_bit,
            "flip each bit of one transaction of each kind of descriptor and each length; with -n so many of them at "
            "random")
      .texts("fault", only, "FAULT", "inject this fault only, written as in the report")
      .flag("json", json, "print result.json instead of the tables")
      .texts("set", common.set, "KEY=VALUE", "replace one value of the scenario, path.to.key=value; later ones win")
      .text("output,o", common.output, "DIR", "folder for faults.jsonl, result.json and summary.txt")
      .folders(common);
  if (!a.parse(arguments)) return 0;
  CampaignConfig config;
  config.faults = faults == 0 && !every_bit ? 1000 : static_cast<std::uint64_t>(faults);
  config.seed = config.work.seed = static_cast<std::uint64_t>(seed);
  config.jobs = static_cast<int>(jobs);
  config.work.prompt_tokens = static_cast<int>(prompt);
  config.work.decode_steps = static_cast<int>(steps);
  if (!kinds.empty()) config.kinds = kinds_of(kinds);
  if (every_bit && (!kinds.empty() || !only.empty())) fail("--every-bit goes without --kind and --fault");
  if (!sockets.empty() && !only.empty()) fail("--socket goes without --fault, which names its socket");
  config.sockets = sockets;
  config.every_bit = every_bit;
  try {
    for (const std::string& text : only) config.only.push_back(bus::fault_of(text));
  } catch (const config::InputError& e) {
    fail(e.what());
  }
  const LoadedScenario loaded =
      load_scenario(scenario, common.set, Library(common.workloads, common.data, common.allow_unknown));
  std::unique_ptr<OutputFolder> folder;
  if (!common.output.empty()) folder = std::make_unique<OutputFolder>(common.output);
  const Campaign campaign = [&] {
    try {
      return run_campaign(loaded.scenario, config);
    } catch (const config::InputError& e) {
      throw located(e, loaded);
    }
  }();
  const std::string text = campaign_text(campaign), document = campaign_json(campaign, config);
  if (folder) {
    folder->write("faults.jsonl", fault_lines(campaign));
    folder->write("result.json", document);
    folder->write("summary.txt", text);
    folder->commit();
  }
  std::cout << (json ? document : text);
  if (!only.empty() && !json) std::cout << fault_lines(campaign);
  std::cout.flush();
  for (const FaultOutcome& o : campaign.outcomes)
    if (o.seen == Seen::crash || o.seen == Seen::not_injected)
      throw config::RunError(fmt::format("the fault {}: {} {}", bus::text_of(o.fault), name_of(o.seen), o.text));
  return 0;
}

}  // namespace

const Command kInjectCommand = {
    "inject", "[SCENARIO] [--faults N] [--seed S] [-j N] [-o DIR]",
    "Inject faults into a small functional machine, one per run, and report what detected them", inject_command,
    "harmonia inject --faults 200 --seed 7"};

}  // namespace harmonia::testbench
