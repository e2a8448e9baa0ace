// Two DRAM channels behind the interconnect, with a monitor and a protocol checker on the way.
//
// The initiator keeps eight reads under way, non-blocking in four phases; the interconnect splits each over the channels by the
// address map, here in pieces of 256 bytes. The monitor counts what passes, the checker fails the simulation when either side breaks
// the base protocol.
#include <cstdio>
#include <systemc>

#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/tlm/interconnect.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/protocol_checker.h"

namespace bus = harmonia::bus;
namespace dram = harmonia::dram;

struct Reader : sc_core::sc_module {
  static constexpr unsigned bytes = 4096, requests = 2000, under_way = 8;

  explicit Reader(sc_core::sc_module_name name) : sc_module(name) {
    isock.on_response([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
      answered += payload.is_response_ok() ? 1 : 0;
      last = when;
      if (sent < requests) send(when);
    });
  }
  bus::MemoryInitiator<> isock{"isock"};
  unsigned sent = 0, answered = 0;
  sc_core::sc_time last;

 private:
  void start_of_simulation() override {
    for (unsigned i = 0; i < under_way; ++i) send(sc_core::SC_ZERO_TIME);
  }
  void send(const sc_core::sc_time& when) {
    isock.send(pool_.make(tlm::TLM_READ_COMMAND, std::uint64_t{bytes} * sent++, bytes, bus::Data::buffer), when);
  }
  bus::PayloadPool pool_;
};

int sc_main(int, char**) {
  const dram::Config channel = dram::find_preset("LPDDR5-6400");
  bus::Region region;
  region.name = "dram";
  region.size_bytes = 2 * channel.capacity_bytes();
  region.interleave = bus::Interleave(2, 256, false);

  Reader reader("reader");
  bus::ProtocolChecker<> checker("checker");
  bus::InterconnectConfig config;
  config.clock_ps = 2000;
  bus::Interconnect<> interconnect("interconnect", 1, 2, bus::AddressMap({region}), config);
  dram::DramChannel<> first("first", channel, dram::Contents::kNone), second("second", channel, dram::Contents::kNone);

  reader.isock.bind(checker.tsock);
  checker.isock.bind(interconnect.tsock[0]);
  interconnect.isock[0].bind(first.tsock);
  interconnect.isock[1].bind(second.tsock);
  sc_core::sc_start();

  const double seconds = reader.last.to_seconds();
  const double peak = 2 * channel.peak_GBs(), achieved = reader.answered * double{Reader::bytes} / seconds / 1e9;
  std::printf("%u of %u reads answered, %.1f of %.1f GB/s over two channels\n", reader.answered, Reader::requests,
              achieved, peak);
  return reader.answered == Reader::requests && achieved <= peak ? 0 : 1;
}
