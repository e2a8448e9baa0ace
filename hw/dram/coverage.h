// Functional coverage of a DRAM channel, from its commands.
//
// Models: commands per state of the bank; pairs of column commands by direction, place and gap; columns per open row; runs of
//   writes between reads; refreshes that meet open rows; activates within one window of four. Bins that a configuration
//   cannot reach (bank groups where there is one, refreshes that are off) are left out of its covergroups; commands that
//   no state of a bank allows are illegal bins.
// Does not model: timing rules (rule_checker.h), queues and requests.
#pragma once

#include <string>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/types.h"
#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::dram {

/// To be added to an engine (Engine::add_observer). The configuration must be finished and outlive the observer.
class CommandCoverage : public CommandObserver {
 public:
  CommandCoverage(const Config& config, const std::string& instance);
  void on_command(const Command& c) override;
  /// Rows that are still open and writes that go on count as they stand.
  std::vector<coverage::Group> finish();

 private:
  struct Bank {
    std::int32_t row = -1;     // open row; -1 closed
    std::int32_t columns = 0;  // column commands since it was opened
    bool read = false, written = false;
    Cycle closed = -1;  // when it was last closed; -1 never
  };
  struct Unit {
    std::vector<Bank> banks;
    std::vector<Cycle> activates;  // of the last window of four
  };
  struct Column {
    Cmd cmd = Cmd::kRd;
    std::int16_t unit = -1, bankgroup = -1, bank = -1;
    Cycle cycle = 0;
  };

  void close(Bank& bank, Cycle cycle);
  void activate(Unit& unit, Bank& bank, const Command& c);
  void column(Bank& bank, const Command& c);
  void refresh(Unit& unit, const Command& c);
  void sample_state(const Command& c, const Bank* bank, const Unit& unit);

  const Config& config_;
  coverage::Group commands_, columns_, rows_, writes_, refreshes_, activates_;
  std::vector<Unit> units_;
  std::vector<Column> last_;           // of each data bus
  std::vector<std::int64_t> written_;  // writes since the last read, of each data bus
};

}  // namespace harmonia::dram
