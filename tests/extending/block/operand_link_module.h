// SystemC module of a link between the converter and the operand buffer: so many bytes a cycle, and a latency.
//
// Models: chunks in order, each on the link for its length, at its end `latency_cycles` later; a chunk that is not taken there
//   holds the link. Does not model: several chunks on the wires at once.
// Source: our definition; both figures are assumed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <systemc>

#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/clock.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/stream.h"

namespace harmonia::memory {

struct OperandLinkConfig {
  std::uint64_t bytes_per_cycle = 4;
  std::uint64_t latency_cycles = 20;
};

/// Cycles that a chunk occupies the link.
inline std::uint64_t link_cycles(const OperandLinkConfig& config, std::uint64_t bytes) {
  return (bytes + config.bytes_per_cycle - 1) / config.bytes_per_cycle;
}

class OperandLink final : public sc_core::sc_module {
 public:
  OperandLink(sc_core::sc_module_name name, double clock_mhz, const OperandLinkConfig& config = {})
      : sc_module(name), input("tsock", [this] { progress(); }), config_(config), clock_(clock_mhz) {
    isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
      taken(when);
      progress();
    });
  }

  bus::ChunkInput input;  // target socket tsock
  bus::StreamSource<> isock{"isock"};

 private:
  void progress() {
    while (!blocked_ && input.waiting() != nullptr) pass_on(*input.waiting());
  }
  void pass_on(const tlm::tlm_generic_payload& in) {
    const bus::Chunk chunk = bus::chunk_of(in);
    const unsigned bytes = in.get_data_length();
    bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, in.get_address(), bytes,
                                     chunk.data_valid ? bus::Data::buffer : bus::Data::scratch);
    bus::PayloadPool::chunk(out) = chunk;
    if (chunk.data_valid) std::memcpy(out->get_data_ptr(), in.get_data_ptr(), bytes);
    const bus::Cycle start = std::max(clock_.cycle(input.arrival()), free_);
    free_ = start + link_cycles(config_, bytes);
    blocked_ = true;
    input.accept(std::max(input.arrival(), clock_.time(start)));
    if (const std::optional<sc_core::sc_time> when =
            isock.send(std::move(out), clock_.time(free_ + config_.latency_cycles)))
      taken(*when);
  }
  void taken(const sc_core::sc_time& when) {
    blocked_ = false;
    free_ = std::max(free_, clock_.cycle(when) - config_.latency_cycles);
  }

  OperandLinkConfig config_;
  bus::Clock clock_;
  bus::PayloadPool pool_;
  bus::Cycle free_ = 0;
  bool blocked_ = false;
};

}  // namespace harmonia::memory
