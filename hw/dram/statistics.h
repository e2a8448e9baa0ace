// What a DRAM channel counts while it runs. Memory does not grow with the number of requests.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

/// Latencies in cycles: exact up to 4095, then 64 steps per octave (relative error below 1/64).
class Histogram {
 public:
  /// value >= 0.
  void add(Cycle value) {
    ++count_;
    sum_ += value;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
    if (value < kExact)
      ++exact_[static_cast<std::size_t>(value)];
    else
      add_coarse(value);
  }
  std::uint64_t count() const { return count_; }
  Cycle min() const { return count_ ? min_ : 0; }
  Cycle max() const { return count_ ? max_ : 0; }
  double mean() const { return count_ ? static_cast<double>(sum_) / static_cast<double>(count_) : 0.0; }
  /// Smallest recorded value v such that at least the share p (0..1) of all values is <= v (nearest rank, as the upper
  /// edge of its step). 0 when empty.
  Cycle percentile(double p) const;

 private:
  void add_coarse(Cycle value);
  static constexpr int kExact = 4096;
  std::vector<std::uint64_t> exact_ = std::vector<std::uint64_t>(kExact);
  std::vector<std::uint64_t> coarse_;
  std::uint64_t count_ = 0;
  Cycle min_ = kNever, max_ = 0;
  std::int64_t sum_ = 0;
};

/// Energy in pJ by class (method of DRAMPower: currents above the background per command, background per state).
struct Energy {
  double activate = 0, precharge = 0, read = 0, write = 0, refresh = 0, background_active = 0,
         background_precharged = 0, background_power_down = 0;
  double total() const {
    return activate + precharge + read + write + refresh + background_active + background_precharged +
           background_power_down;
  }
  Energy& operator+=(const Energy& other) {
    activate += other.activate;
    precharge += other.precharge;
    read += other.read;
    write += other.write;
    refresh += other.refresh;
    background_active += other.background_active;
    background_precharged += other.background_precharged;
    background_power_down += other.background_power_down;
    return *this;
  }
};

struct Statistics {
  std::uint64_t requests[2] = {};  // finished, by Op
  std::uint64_t bursts[2] = {};    // column commands, by Op
  std::uint64_t bytes[2] = {};     // requested bytes of finished requests, by Op
  std::array<std::uint64_t, kCmdCount> commands{};
  /// Bursts whose row was open when they came to the head / whose bank was closed / whose bank held another row.
  /// Counted once a burst: ACTs = misses + conflicts, apart from rows closed by refresh and opened again.
  std::uint64_t row_hits = 0, row_misses = 0, row_conflicts = 0;
  std::uint64_t turnarounds = 0;  // changes of the data bus between reading and writing
  std::uint64_t write_batches = 0;
  Cycle refresh_cycles = 0;  // unit-cycles inside RFC (all-bank), or bank-cycles / banks (per-bank)
  Cycle first_offer = kNever, last_done = 0;
  std::array<Histogram, 2> latency;  // offer to last data beat, by Op
  double queue_integral[2] = {};     // bursts x cycles, for the mean occupancy
  int queue_peak[2] = {};
  Cycle busy_until = 0;  // time base of the integrals
  Energy energy;
};

}  // namespace harmonia::dram
