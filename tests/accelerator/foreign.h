// Third-party initiators and targets, made of tlm_utils simple sockets only: what stands around a block that is tested
// alone. Times are cycles of 2 ns.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <cstring>
#include <systemc>
#include <tlm>
#include <utility>
#include <vector>

#include "harmonia/tlm/chunk.h"

namespace harmonia::test {

inline sc_core::sc_time at_cycle(std::uint64_t n) {
  return sc_core::sc_time(2.0 * static_cast<double>(n), sc_core::SC_NS);
}
inline std::uint64_t cycle_of(const sc_core::sc_time& t) { return (t.value() + 1999) / 2000; }

/// Writes byte strings by blocking transport, each not before its cycle, and notes when each was answered.
class ForeignSource : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<ForeignSource> isock{"isock"};
  std::vector<std::uint64_t> taken;  // cycles
  bool may_be_refused = false;       // a refusal counts, and is no fault of the test
  std::uint64_t refused = 0;

  explicit ForeignSource(const sc_core::sc_module_name& name) : sc_core::sc_module(name) { SC_THREAD(run); }
  void send(std::uint64_t cycle, std::vector<std::uint8_t> bytes, const bus::Chunk& chunk = {}) {
    script_.push_back({cycle, std::move(bytes), chunk});
  }
  /// A descriptor, as the command sockets take it.
  template <class Descriptor>
  void command(const Descriptor& d, std::size_t bytes = sizeof(Descriptor), std::uint64_t cycle = 0) {
    const auto* p = reinterpret_cast<const std::uint8_t*>(&d);
    send(cycle, {p, p + bytes});
  }

 private:
  SC_HAS_PROCESS(ForeignSource);
  struct Item {
    std::uint64_t cycle;
    std::vector<std::uint8_t> bytes;
    bus::Chunk chunk;
  };
  void run() {
    for (Item& item : script_) {
      if (at_cycle(item.cycle) > sc_core::sc_time_stamp()) wait(at_cycle(item.cycle) - sc_core::sc_time_stamp());
      tlm::tlm_generic_payload payload;
      bus::ChunkExtension extension(item.chunk);
      payload.set_extension(&extension);
      payload.set_command(tlm::TLM_WRITE_COMMAND);
      payload.set_data_ptr(item.bytes.data());
      payload.set_data_length(static_cast<unsigned>(item.bytes.size()));
      payload.set_streaming_width(static_cast<unsigned>(item.bytes.size()));
      sc_core::sc_time delay;
      isock->b_transport(payload, delay);
      payload.clear_extension(&extension);
      if (!payload.is_response_ok()) ++refused;
      if (!payload.is_response_ok() && !may_be_refused) SC_REPORT_ERROR("/test/foreign", "a write was refused");
      wait(delay);
      taken.push_back(cycle_of(sc_core::sc_time_stamp()));
    }
  }
  std::vector<Item> script_;
};

/// Takes what comes and notes when. A read gets bytes that follow from their addresses.
class ForeignSink : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<ForeignSink> tsock{"tsock"};
  struct Arrival {
    std::uint64_t cycle;
    bus::Chunk chunk;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Arrival> arrivals;

  explicit ForeignSink(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    tsock.register_b_transport(this, &ForeignSink::take);
  }

 private:
  void take(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    if (payload.is_read())
      for (unsigned i = 0; i < payload.get_data_length(); ++i)
        payload.get_data_ptr()[i] = static_cast<std::uint8_t>(7 * (payload.get_address() + i) + 3);
    arrivals.push_back({cycle_of(sc_core::sc_time_stamp() + delay),
                        bus::chunk_of(payload),
                        {payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length()}});
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

}  // namespace harmonia::test
