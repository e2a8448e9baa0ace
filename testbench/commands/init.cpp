// `harmonia init DIR`: a scenario, an accelerator and a sweep of one's own to begin with.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/output_file.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAccelerator =
    R"(# An accelerator. Keys that are not written keep their defaults; `harmonia list keys` explains each key with its
# unit and the source of its default.
name: my-accelerator
description: an accelerator of my own
clock_mhz: 500

# The array of processing elements: rows x cols elements of `lanes` multipliers.
pe: {kind: harmonia, rows: 16, cols: 8, lanes: 32}

# Memory. `harmonia list drams` names the presets with their bandwidth.
dram:
  preset: LPDDR5-6400
  channels: 5
  channel: {ranks: 4}            # room for an 8B model in 16 bits

# Transfers between memory and buffers.
dma: {outstanding: 32}           # transactions under way
interconnect: {interleave_bytes: 4 KiB}
)";

constexpr const char* kScenario = R"(# A scenario: which model does what on which accelerator. Run it with
#
#     harmonia run scenario.yaml -o results/first
name: my-scenario
description: decode of Llama-3-8B on an accelerator of my own

model: llama-3-8b                # a built-in name (`harmonia list models`), a config.json, or a map of keys
accelerator: accelerator.yaml    # a built-in name (`harmonia list accelerators`) or a file beside this one

# Storage formats (`harmonia list formats`).
weights: {format: kmeans4, codebook: int8, lm_head: fp16}
kv: bfp4+windows

# decode: `tokens` steps behind `context` tokens, for `batch` sequences at once; prefill: a prompt of `context` tokens.
# A request trace is named by its file: `workload: trace.csv`.
workload: {phase: decode, batch: 1, context: 2048, tokens: 4}

# full simulates every layer and step; sampled simulates some of them and states the estimated error.
fidelity: sampled
seed: 1
)";

constexpr const char* kSweep =
    R"(# A sweep: every combination of the grid, each a run in a process of its own. Run it with
#
#     harmonia sweep sweep.yaml -o results/sweep
#
# The result is results/sweep/sweep.csv, one line a point. A sweep that was stopped goes on with --resume.
name: my-sweep
description: time per token over weight format and memory channels
scenario: scenario.yaml

# Values of all points, as with --set.
set:
  workload: {tokens: 1}

grid:
  weights.format: [fp16, kmeans4, kmeans2]
  accelerator.dram.channels: [5, 10]
)";

int run(const std::vector<std::string>& arguments) {
  Arguments a(kInitCommand);
  std::string folder;
  a.positional("DIR", folder, "folder to create; it must not exist, or be empty", true);
  if (!a.parse(arguments)) return 0;
  std::error_code error;
  if (folder.empty()) throw config::InputError({"command line"}, "DIR is empty, expected the name of a folder");
  if (fs::exists(fs::symlink_status(folder, error)) &&
      !(fs::is_directory(folder, error) && fs::is_empty(folder, error)))
    throw config::InputError({config::printable(folder)},
                             "exists already, expected the name of a new folder or of an empty one");
  fs::create_directories(folder, error);
  if (error) throw config::InputError({config::printable(folder)}, "cannot be created: " + error.message());
  const fs::path path(folder);
  write_file(path / "accelerator.yaml", kAccelerator);
  write_file(path / "scenario.yaml", kScenario);
  write_file(path / "sweep.yaml", kSweep);
  std::cout << fmt::format(
      "Created {0}/accelerator.yaml, {0}/scenario.yaml and {0}/sweep.yaml. Next:\n"
      "  harmonia run {0}/scenario.yaml -o {0}/results/first\n"
      "  harmonia sweep {0}/sweep.yaml -o {0}/results/sweep\n",
      folder);
  return 0;
}

}  // namespace

const Command kInitCommand = {"init", "DIR", "Create a folder with a scenario, an accelerator and a sweep to edit", run,
                              "harmonia init my-study"};

}  // namespace harmonia::testbench
