// Watches an AXI4 link and names every broken rule with the cycle in which it was broken.
//
// Models: the rules of AMBA AXI4 (ARM IHI 0022E) that rules() lists, for the master and for the slave. It sees the pins once
//   for each rising edge and drives nothing.
// Does not model: exclusive accesses (EXOKAY is a fault), low-power interface, X and Z, how long a partner may take.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "harmonia/hw/axi/pins.h"

namespace harmonia::axi {

struct Rule {
  const char* name;
  const char* meaning;
};
const std::vector<Rule>& rules();

struct Violation {
  std::uint64_t cycle;  // rising edges since the start, the first is 0
  std::string rule;
  std::string text;
};

class AxiChecker {
 public:
  /// Bytes of the data bus: a power of two up to 128, or std::invalid_argument.
  explicit AxiChecker(unsigned bus_bytes);
  /// The pins as sampled at the next rising edge. Returns how many rules were broken at it.
  unsigned clock(bool resetn, const MasterPins& master, const SlavePins& slave);

  /// The first thousand.
  const std::vector<Violation>& violations() const { return violations_; }
  /// Of every rule, how often it was broken. Rules that were kept are missing.
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
  std::uint64_t total() const { return total_; }
  std::uint64_t cycles() const { return cycle_; }

 private:
  struct DataBeat {
    std::uint64_t cycle;
    bool last;
    std::array<std::uint64_t, 2> strobes;
  };
  struct OpenRead {
    Burst burst;
    unsigned beats = 0;
  };
  void broken(std::uint64_t cycle, const std::string& rule, const std::string& text);
  void check_reset(const MasterPins& master, const SlavePins& slave);
  void check_held(const MasterPins& master, const SlavePins& slave);
  void check_responses(const MasterPins& master, const SlavePins& slave);
  void take_requests(const MasterPins& master, const SlavePins& slave);
  void match_data();

  const unsigned bus_bytes_;
  std::uint64_t cycle_ = 0, total_ = 0;
  std::vector<Violation> violations_;
  std::map<std::string, std::uint64_t> counts_;
  bool before_known_ = false, in_reset_ = true;
  MasterPins master_before_;
  SlavePins slave_before_;
  std::deque<Burst> write_addresses_;  // whose data have not come completely
  std::deque<DataBeat> data_;          // whose address has not come
  unsigned data_beats_ = 0;            // of the first of write_addresses_
  std::map<std::uint32_t, unsigned> complete_writes_;
  std::map<std::uint32_t, std::deque<OpenRead>> reads_;
};

}  // namespace harmonia::axi
