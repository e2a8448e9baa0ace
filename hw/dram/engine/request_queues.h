// The accesses that wait for each bank, reads and writes apart, in order of arrival.
//
// Models: queues of bursts with room for queue_entries of each kind and pseudo channel; the oldest access of each bank
// and the oldest that hits the open row; accesses that must wait for an older one of the other kind to the same bursts.
// Does not model: which of them goes next (CommandScheduler, WriteDrain).
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/engine/address_decoder.h"
#include "harmonia/hw/dram/engine/bank_states.h"
#include "harmonia/hw/dram/engine/changes.h"
#include "harmonia/hw/dram/engine/organisation.h"

namespace harmonia::dram {

/// Bursts of one request in one row of one bank, in address order. They wait as one entry.
struct Run {
  std::uint64_t burst = 0;  // burst address of the next column access
  std::uint64_t last = 0;   // and of the last one
  std::int64_t age_bias = 0;
  Cycle offered = 0;
  std::uint32_t request = 0;
  std::uint32_t count = 0;  // bursts that have not been issued
  std::uint32_t next = kNone, previous = kNone;
  std::uint64_t write_number = 0;  // of a write: its place among the writes of its pseudo channel
  std::int32_t row = 0;
  std::uint16_t bank = 0;
  std::uint8_t op = 0;
  bool blocked = false;  // an older access of the other kind to the same bursts must go first

  /// Smaller is older. Orders bursts, not requests.
  std::int64_t age() const { return age_bias + static_cast<std::int64_t>(burst); }
};

/// Of the hits that can go first those go first whose bank an older access wants for another row: the sooner they are
/// served, the sooner that row can be opened, while the other banks keep the data bus busy. More than any age.
constexpr std::int64_t kBeforeOthers = std::int64_t{1} << 56;

/// Runs of one kind that wait for a bank, in order of arrival.
struct BankQueue {
  std::uint32_t head = kNone, tail = kNone;
  std::uint32_t candidate = kNone, hit = kNone;  // the oldest that may go, and the oldest of those in the open row
  std::int64_t candidate_age = 0;
  std::int64_t hit_age = 0;    // less kBeforeOthers where an older access waits for another row
  Cycle capped_from = kNever;  // from here on hits let an older conflict go first
};

/// Requests that have been accepted and are not finished.
class RequestTable {
 public:
  struct Entry {
    std::uint64_t tag = 0;
    Cycle offered = 0;
    std::uint32_t bursts = 0;  // that have not been issued
    std::uint32_t length = 0;
    Op op = Op::kRead;
  };
  RequestTable() { entries_.reserve(256); }
  /// A new entry, for the caller to fill.
  std::uint32_t add() {
    ++count_;
    if (free_.empty()) {
      entries_.emplace_back();
      return static_cast<std::uint32_t>(entries_.size() - 1);
    }
    const std::uint32_t id = free_.back();
    free_.pop_back();
    return id;
  }
  void remove(std::uint32_t id) {
    free_.push_back(id);
    --count_;
  }
  Entry& operator[](std::uint32_t id) { return entries_[id]; }
  std::size_t count() const { return count_; }
  /// Free entries have no bursts.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::size_t count_ = 0;
};

class RequestQueues {
 public:
  RequestQueues(const Config& config, const Organisation& organisation, const BankStates& banks, Changes& changes);

  RequestTable requests;

  /// Bursts that may wait, of each kind.
  int capacity() const { return capacity_; }
  int waiting(int op) const { return waiting_[op]; }
  int peak(int op) const { return peak_[op]; }
  /// Of one pseudo channel; blocked ones wait for an older access.
  int waiting(int op, int pseudo_channel) const { return of_channel(pseudo_channel).waiting[op]; }
  int blocked(int op, int pseudo_channel) const { return of_channel(pseudo_channel).blocked[op]; }
  /// When the oldest waiting write was offered (kNever: none waits), and the newest write.
  Cycle oldest_write(int pseudo_channel) const;
  Cycle newest_write(int pseudo_channel) const { return of_channel(pseudo_channel).newest_write; }

  /// Banks of the unit for which an access waits that may go; of them those with a hit; and those of the latter where an
  /// older access wants another row.
  std::uint64_t pending(int unit, int op) const { return of_unit(unit).pending[op]; }
  std::uint64_t hits(int unit, int op) const { return of_unit(unit).hit[op]; }
  std::uint64_t older_conflicts(int unit, int op) const { return of_unit(unit).older_conflict[op]; }
  std::uint64_t pending(int unit) const { return of_unit(unit).pending[0] | of_unit(unit).pending[1]; }

  const BankQueue* of(int op) const { return queues_[op].data(); }
  BankQueue& of(int op, int bank) { return queues_[op][static_cast<std::size_t>(bank)]; }
  const BankQueue& of(int op, int bank) const { return queues_[op][static_cast<std::size_t>(bank)]; }
  Run& run(std::uint32_t id) { return runs_[id]; }
  const Run& run(std::uint32_t id) const { return runs_[id]; }

  enum class Added : std::uint8_t { kBehindOthers, kBlocked, kFirst };
  /// Appends a run. kFirst: it is now the oldest of its bank or the oldest hit.
  Added add(BankRow place, std::uint64_t first, std::uint64_t last, std::uint32_t count, std::int64_t age_bias,
            std::uint32_t request, Op op, Cycle offered);
  std::uint32_t last_added() const { return last_added_; }
  /// Removes a run whose bursts have all been issued. True when others waited behind it that may go now.
  bool remove(std::uint32_t id);
  /// So many bursts of the kind have been issued in this pseudo channel.
  void issued(int op, int pseudo_channel, int bursts) {
    waiting_[op] -= bursts;
    channels_[pseudo_channel].waiting[op] -= bursts;
  }
  /// The first burst of the run has been issued, and others are left.
  void advance_to(std::uint32_t id, std::uint64_t next_burst);
  /// What is taken off the age of a bank's hits.
  std::int64_t precedence(int op, int bank) const {
    return (of_unit(organisation_.unit_of(bank)).older_conflict[op] & organisation_.bit_of(bank)) != 0 ? kBeforeOthers
                                                                                                       : 0;
  }
  /// The ages of the run, the oldest hit of its bank, have been advanced by the caller.
  void update_ages(std::uint32_t id) {
    const Run& run = runs_[id];
    BankQueue& queue = queues_[run.op][run.bank];
    queue.hit_age = run.age() - precedence(run.op, run.bank);
    if (queue.candidate == id) queue.candidate_age = run.age();
    changes_.bank(run.bank);
  }

  void row_opened(int bank);
  void row_closed(int bank);

 private:
  struct Unit {
    std::uint64_t pending[2] = {}, hit[2] = {}, older_conflict[2] = {};
  };
  /// Writes of a pseudo channel in order of arrival. Finished ones leave gaps until they lead.
  struct WriteOrder {
    std::vector<std::uint32_t> runs;
    std::size_t head = 0;     // first that waits
    std::uint64_t first = 0;  // write_number of runs[0]
  };
  struct PseudoChannel {
    int waiting[2] = {}, blocked[2] = {};
    Cycle newest_write = 0;
    WriteOrder writes;
  };

  const Unit& of_unit(int unit) const { return units_[unit]; }
  const PseudoChannel& of_channel(int i) const { return channels_[i]; }
  PseudoChannel& channel_of_bank(int bank) {
    return channels_[static_cast<std::size_t>(organisation_.pseudo_channel_of(organisation_.unit_of(bank)))];
  }
  std::uint32_t new_run();
  bool must_wait(const Run& run) const;
  void unblock(int bank);
  void find_hit(int op, int bank, std::uint32_t from);
  void find_candidate(int op, int bank);
  void update_masks(int op, int bank);
  void forget_write(const Run& run);

  const Organisation organisation_;
  const BankStates& banks_;
  Changes& changes_;
  int capacity_;
  bool in_order_;  // FCFS
  int fairness_cap_;
  std::vector<Run> runs_;
  std::uint32_t free_run_ = kNone, last_added_ = kNone;
  std::vector<BankQueue> queues_[2];  // by bank
  std::vector<std::uint16_t> blocked_in_bank_;
  PerUnit<Unit> units_;
  PerUnit<PseudoChannel> channels_;
  int waiting_[2] = {}, peak_[2] = {};
};

}  // namespace harmonia::dram
