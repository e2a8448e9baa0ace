// Records every connection of a machine while it runs: transactions.ftr and transactions.jsonl of a result folder.
//
// Models: a monitor in each connection between blocks, DMA engines, interconnect and DRAM channels; operations and steps
//   (tlm/records/transaction_recorder.h). Times of the run do not change.
// Does not model: DRAM commands (`harmonia dram --commands` lists them).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/tlm/monitor.h"
#include "harmonia/tlm/records/transaction_recorder.h"

namespace harmonia::testbench {

class Recording {
 public:
  static constexpr std::uint64_t kMost = 2000000;  // transactions; what comes after is left out

  /// Files in that folder. Throws config::RunError when one cannot be made.
  explicit Recording(const std::string& folder);

  /// Makes connections with a monitor in each. It keeps a reference to this object.
  accelerator::Connect connect();
  void step_begins(std::uint64_t now_ps) { recorder_.step_begins(now_ps); }
  void step_ends(std::uint64_t now_ps, const accelerator::Sequencer& sequencer);
  /// Completes the files. Returns what was left out or skipped, or nothing. Throws config::RunError.
  std::vector<std::string> finish();

 private:
  records::TransactionRecorder recorder_{kMost};
  std::vector<std::unique_ptr<bus::Monitor<>>> monitors_;
};

}  // namespace harmonia::testbench
