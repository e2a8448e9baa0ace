// One run: a scenario becomes a machine, the machine works through the workload, and everything is counted and checked.
//
// Models: fixed workloads (batch, context, tokens) and request traces; full and sampled fidelity; conservation checks.
// Does not model: several runs in one process (SystemC allows one elaboration).
#pragma once

#include <string>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

struct RunOptions {
  std::string timeline_file;      // where to write timeline.pftrace; empty: not written
  std::string waves_file;         // VCD of block activity
  std::string records_folder;     // where to write transactions.ftr and transactions.jsonl; empty: not written
  accelerator::BlockCores cores;  // your own datapaths; those left empty are the scenario's
  accelerator::Connect connect;   // makes the machine's connections (accelerator.h); empty: binds directly
};

/// Throws config::InputError when the scenario cannot run (a model that does not fit, a tile that does not),
/// config::RunError when the run fails (a deadlock). Failed conservation checks are in the result.
RunResult run_scenario(const LoadedScenario& scenario, const RunOptions& options = {});

/// Where everything lies in memory when the scenario runs, a request trace's included, as a table. Throws
/// config::InputError when it does not fit.
std::string address_map_of(const LoadedScenario& scenario);

}  // namespace harmonia::testbench
