// Accesses that wait at a channel, without the channel: queues and bank states for the tests of single parts.
#pragma once

#include "harmonia/hw/dram/engine/bank_states.h"
#include "harmonia/hw/dram/engine/changes.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/engine/request_queues.h"
#include "tests/dram/checked.h"

namespace harmonia::test {

struct Waiting {
  explicit Waiting(const dram::Config& c)
      : organisation(c), changes(organisation), banks(organisation, changes), queues(c, organisation, banks, changes) {}

  dram::Organisation organisation;
  dram::Changes changes;
  dram::BankStates banks;
  dram::RequestQueues queues;

  /// A run of bursts behind all that came before. Returns its number.
  std::uint32_t add(Op op, int bank, int row, std::uint32_t bursts = 1, Cycle offered = 0) {
    next_burst_ += 256;
    return add_run(op, bank, row, next_burst_, bursts, offered);
  }
  std::uint32_t add_burst(Op op, int bank, int row, std::uint64_t burst, Cycle offered = 0) {
    return add_run(op, bank, row, burst, 1, offered);
  }
  /// As an activate does it, on behalf of an access that has been made since.
  void open(int bank, int row, Cycle t = 0) {
    banks.activate(bank, row, t, kServed, 0);
    banks.release(bank);
    queues.row_opened(bank);
  }
  void close(int bank) {
    banks.precharge(bank, false);
    queues.row_closed(bank);
  }

 private:
  static constexpr std::uint32_t kServed = 1000;
  std::uint32_t add_run(Op op, int bank, int row, std::uint64_t burst, std::uint32_t bursts, Cycle offered) {
    const std::int64_t age_bias = next_age_ - static_cast<std::int64_t>(burst);
    next_age_ += bursts;
    queues.add({static_cast<std::uint32_t>(bank), static_cast<std::uint32_t>(row)}, burst, burst + bursts - 1, bursts,
               age_bias, 0, op, offered);
    return queues.last_added();
  }
  std::uint64_t next_burst_ = 0;
  std::int64_t next_age_ = 0;
};

}  // namespace harmonia::test
