// A sweep: many points of one scenario, each run in a process of its own, with what is finished safe against any crash.
//
// Models: the sweep file, its points, the folder that a sweep grows in, resuming, the tidy CSV.
// Does not model: who else works on the same sweep (shard.h); here points are processes of this computer.
//
// The sweep file (YAML):
//     name: critical-batch
//     description: one line
//     scenario: default                     # built-in name or file
//     set: {fidelity: sampled}              # of every point; maps may be nested or dotted
//     points:                               # optional: a list of settings ...
//       - {weights: fp16, model: 1bw-4b}
//       - {weights: kmeans1, model: 1bw-31b}
//     grid:                                 # ... each combined with every combination of these
//       workload.batch: [1, 2, 4]
//
// While it runs, everything is in DIR.partial (sweep_folder.h): sweep.json (what the points are and what their inputs
// held) and points/NNNNNN.json, one file for each finished point, written beside and renamed, so that it is whole or
// absent; what a failed one has printed stays in logs/NNNNNN.txt. At the end DIR appears. --resume runs what is missing, and what failed otherwise than by being refused.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/config/node.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/sweep/grid.h"

namespace harmonia::testbench {

struct SweepPoint {
  Settings settings;       // its own, without those of every point
  std::uint32_t hash = 0;  // of its resolved configuration; of the message when it has none
  std::string failure;     // why it cannot even start
};

struct Sweep {
  std::string name, description;
  std::string file;       // the sweep file
  std::string scenario;   // name or path as `harmonia run` takes it
  std::string built_ins;  // folder of the built-in models, accelerators and scenarios
  Settings set;
  std::vector<std::string> keys;  // of all points, in order of appearance
  std::vector<SweepPoint> points;
  std::vector<std::pair<std::string, std::string>> inputs;  // files that the points read, and a hash of their contents
};

/// Reads and checks a sweep file; `overrides` are laid on every point. Throws config::InputError.
Sweep load_sweep(const std::string& file, const std::vector<std::string>& overrides, const Library& library);
/// Its two parts: what the file says, and what that makes of each point (hash, failure, inputs), which takes longer.
Sweep read_sweep(const std::string& file, const std::vector<std::string>& overrides, const Library& library);
void resolve(Sweep& sweep, const Library& library);

struct SweepOptions {
  std::string output;  // -o
  std::string data, workloads;
  bool allow_unknown = false;  // keys of a config.json that nothing reads
  std::size_t jobs = 1;
  bool resume = false;
};

struct SweepOutcome {
  std::size_t points = 0, ran = 0, kept = 0, failed = 0;
  bool complete = false;  // false: interrupted; what is finished is in the partial folder
  std::string folder, csv;
};

/// Runs what is missing. Throws config::InputError when a folder is in the way or does not belong to this sweep,
/// config::RunError when results cannot be written.
SweepOutcome run_sweep(const Sweep& sweep, const SweepOptions& options);

}  // namespace harmonia::testbench
