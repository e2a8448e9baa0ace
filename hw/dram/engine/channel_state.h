// The state of a channel: its parts, and the observers of its commands.
#pragma once

#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/address_decoder.h"
#include "harmonia/hw/dram/engine/bank_states.h"
#include "harmonia/hw/dram/engine/changes.h"
#include "harmonia/hw/dram/engine/command_counts.h"
#include "harmonia/hw/dram/engine/organisation.h"
#include "harmonia/hw/dram/engine/page_policy.h"
#include "harmonia/hw/dram/engine/power_state.h"
#include "harmonia/hw/dram/engine/refresh_manager.h"
#include "harmonia/hw/dram/engine/request_queues.h"
#include "harmonia/hw/dram/engine/timing_state.h"
#include "harmonia/hw/dram/engine/write_drain.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/hw/dram/statistics.h"

namespace harmonia::dram {

struct ChannelState {
  /// The configuration must have been completed by Config::finish(); it is copied.
  explicit ChannelState(const Config& c)
      : config(c),
        standard(*config.standard),
        organisation(config),
        decoder(config, organisation),
        changes(organisation),
        timing(config, organisation),
        banks(organisation, changes),
        queues(config, organisation, banks, changes),
        refresh(config, organisation, changes),
        drain(config, organisation, queues, banks, statistics),
        page_policy(config),
        power(config),
        counts(statistics) {}
  ChannelState(const ChannelState&) = delete;  // the parts refer to each other
  ChannelState& operator=(const ChannelState&) = delete;

  const Config config;
  const Standard& standard;
  const Organisation organisation;
  const AddressDecoder decoder;
  Changes changes;
  Statistics statistics;
  TimingState timing;
  BankStates banks;
  RequestQueues queues;
  RefreshManager refresh;
  WriteDrain drain;
  const PagePolicyRule page_policy;
  PowerState power;
  CommandCounts counts;
  PerUnit<Cycle> wck_until;  // by unit: WCK is in step before this (LPDDR5)
  std::vector<CommandObserver*> observers;

  int pseudo_channel_of(int unit) const { return organisation.pseudo_channel_of(unit); }
  bool has_work(int unit) const { return queues.pending(unit) != 0; }
  /// Only waiting accesses and refreshes open and close rows.
  bool only_accesses_close_rows() const { return !page_policy.closes_unused_rows() && !power.enabled(); }

  /// Not inlined: most runs have no observer, and the callers are what the time goes to.
  [[gnu::noinline]] void tell_observers(Cmd c, Cycle t, int unit, int bank, std::int32_t row,
                                        std::int32_t column) const;
  [[gnu::noinline]] void tell_of_column(Cmd c, Cycle t, int unit, int bank, std::uint64_t burst) const;
  bool observed() const { return __builtin_expect(static_cast<long>(!observers.empty()), 0) != 0; }
};

}  // namespace harmonia::dram
