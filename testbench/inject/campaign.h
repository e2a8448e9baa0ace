// A campaign of injected faults: each in a run of its own, and who saw it.
//
// Models: a small functional machine with a protocol checker and a fault injector on every connection; runs that differ in one
//   fault, drawn by seed from the transactions of a run without one; for each who saw it first and how long after, or that nobody
//   did and outputs and KV cache are those of the golden model (masked).
// Does not model: faults of logic inside a block (the mutants of scripts/mutate), several faults in a run.
//
// A run is a forked child of the elaborated machine. Nothing else of the process may run beside it: no threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harmonia/testbench/inject/small_machine.h"
#include "harmonia/tlm/fault.h"

namespace harmonia::testbench {

enum class Seen : std::uint8_t {
  protocol,   ///< the checker of the base protocol on the connection
  block,      ///< a block, DMA engine or socket of the machine reported an error
  host,       ///< the host got an error response
  deadlock,   ///< nothing is scheduled and the workload is not done
  account,    ///< bytes or products are not those of the formulas
  outputs,    ///< nobody in the machine; logits differ from the golden model's
  cache,      ///< nobody in the machine; logits are right, the KV cache differs from the golden model's
  masked,     ///< nobody: logits, cache and times are right
  time_only,  ///< nobody: logits and cache are right, the run took another time
  limit,      ///< the run had no end within the limit of simulated or of processor time
  crash,      ///< the program died: a defect of a model
  not_injected,
};
inline constexpr std::array<Seen, 12> kSeen = {Seen::protocol,  Seen::block,   Seen::host,  Seen::deadlock,
                                               Seen::account,   Seen::outputs, Seen::cache, Seen::masked,
                                               Seen::time_only, Seen::limit,   Seen::crash, Seen::not_injected};
const char* name_of(Seen seen);

struct FaultOutcome {
  bus::Fault fault;
  Seen seen = Seen::not_injected;
  std::string checker, text;   // who saw it and what it said; empty when masked
  std::uint64_t after_ps = 0;  // from the fault until it was seen, simulated
};

struct CampaignConfig {
  SmallWork work;
  std::uint64_t faults = 1000, seed = 1;  // of every_bit, faults: so many of them at random, 0: all
  int jobs = 1;
  std::vector<bus::FaultKind> kinds{bus::kFaultKinds.begin(), bus::kFaultKinds.end()};
  std::vector<bus::Fault> only;      // these instead of drawn ones
  std::vector<std::string> sockets;  // strike these connections only; empty: all
  bool every_bit = false;            // instead of drawn faults: each bit of one transaction of each kind flipped once
};

struct Campaign {
  std::vector<FaultOutcome> outcomes;                 // in the order of the draw
  std::map<std::string, std::uint64_t> transactions;  // of each socket in the run without a fault
  std::uint64_t run_ps = 0;                           // simulated time of that run
};

/// Runs the campaign on the scenario's machine; `progress` hears how many faults are done. Once in a process (SystemC).
/// Throws config::InputError when the machine does not take the small model, config::RunError when the run without a fault does not
/// equal the golden model.
Campaign run_campaign(Scenario scenario, const CampaignConfig& config,
                      const std::function<void(std::uint64_t)>& progress = {});

/// Tables of kinds and checkers, and what nobody in the machine saw.
std::string campaign_text(const Campaign& campaign);
/// result.json, and one JSON line a fault.
std::string campaign_json(const Campaign& campaign, const CampaignConfig& config);
std::string fault_lines(const Campaign& campaign);

}  // namespace harmonia::testbench
