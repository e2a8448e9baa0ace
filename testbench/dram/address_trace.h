// Address traces as a stream of requests: the formats of other DRAM simulators, read line by line with bounded memory.
//
// Models: five forms, told apart by their first line; gzip is recognised by content.
//   0xADDR READ|WRITE CYCLE          DRAMsim3 trace; also R and W, and without the cycle
//   LD|ST ADDR                       Ramulator load-store trace; 0x... or decimal
//   R|W c,...,row,column             Ramulator read-write trace: indices of channel, pseudo channel (HBM) or rank
//                                    (others but GDDR6), bank group (standards that have them), bank, row, column, the
//                                    column in bursts
//   CYCLE: [(BYTES)] read|write 0xADDR [DATA]   DRAMSys STL; the data is not used
//   op,addr_hex                      CSV with R or W and a hexadecimal address
// The first form also takes addresses without 0x and the operations of DRAMSim2's k6 traces (P_MEM_RD, P_MEM_WR, P_FETCH). Blank
// lines and what follows a '#' are skipped. In all forms but STL a request of one burst whose address lies inside a burst is that
// burst, as in the simulators that the forms come from. Cycles count the channel's clock, or a clock of their own, and
// never decrease; a request is offered at its cycle or as soon after it as the channel and the limit of requests in
// flight allow. Does not model: several channels (a vector's channel must be 0), processors between trace and memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "harmonia/hw/dram/config.h"
#include "harmonia/testbench/dram/traffic.h"

namespace harmonia::testbench {

enum class AddressTraceFormat : std::uint8_t { kDramsim3, kLoadStore, kVector, kStl, kCsv };

/// "DRAMsim3", "Ramulator load-store", "Ramulator read-write", "DRAMSys STL", "CSV".
const char* name_of(AddressTraceFormat format);

/// Whether a line (a CSV's first one included) is of one of the formats.
bool is_address_trace_line(const std::string& line);

struct AddressTraceOptions {
  std::uint32_t request_bytes = 64;  // of a request that does not say its own length
  double clock_mhz = 0;              // of the trace's cycles; 0: the channel's clock
  bool wrap = false;                 // addresses beyond the capacity wrap instead of being an error
  std::uint64_t limit = 0;           // requests; 0: all
  bool any_channel = false;          // form only: neither addresses nor indices are held against the channel
};

/// Latest cycle that a trace may name: refreshes up to it are simulated one by one.
constexpr std::int64_t kLatestTraceCycle = 1000000000000;

class AddressTrace : public TrafficSource {
 public:
  /// Opens the file and finds its format. Throws config::InputError, as next() does: a line that is no request, an
  /// address beyond the channel, a cycle before the one of the line above, a damaged gzip stream, no request at all.
  AddressTrace(const std::string& file, const dram::Config& channel, const AddressTraceOptions& options = {});
  ~AddressTrace() override;

  bool next(TrafficRequest& r) override;

  AddressTraceFormat format() const;
  bool has_cycles() const;
  /// Requests returned so far, writes among them, and addresses that wrapped.
  std::uint64_t requests() const;
  std::uint64_t writes() const;
  std::uint64_t wrapped() const;
  /// Addresses that did not begin a burst and were taken as the burst that holds them.
  std::uint64_t inside_burst() const;
  std::int64_t last_cycle() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The byte address of a burst: the inverse of the channel's mapping. Indices must be in range; column counts bursts.
std::uint64_t address_of(const dram::Config& c, std::uint64_t rank, std::uint64_t pseudo_channel,
                         std::uint64_t bankgroup, std::uint64_t bank_in_group, std::uint64_t row, std::uint64_t column);

}  // namespace harmonia::testbench
