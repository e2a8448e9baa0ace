// Seeded random stalls for any connection, stream or memory-mapped.
//
// Models: a channel whose ready and valid toggle at random. Requests are held, acceptances and responses come late;
// what is transported does not change. Holding makes the far side see every style of the base protocol: answers in the
// call, END_REQ later, BEGIN_RESP without END_REQ. Does not model: anything real. It is a test instrument: function
// must not change under it and nothing may deadlock.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <systemc>
#include <tlm>

#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::bus {

struct StallConfig {
  std::uint64_t seed = 1;
  double probability = 0.5;  ///< of a stall at each opportunity, 0 to 1
  sc_core::sc_time longest{20, sc_core::SC_NS};
  bool keep_response_order = false;  ///< otherwise responses may overtake each other by their random delays
};

template <unsigned BUSWIDTH = 32>
class StallInjector : public sc_core::sc_module {
 public:
  explicit StallInjector(const sc_core::sc_module_name& name, StallConfig config = {})
      : sc_core::sc_module(name), config_(config), random_(config.seed) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
      answered_ = nullptr;
      const sc_core::sc_time stall = draw();
      if (stall == sc_core::SC_ZERO_TIME) return pass(payload, arrival);
      requests_.push(&payload, arrival + stall);
      return std::optional<sc_core::sc_time>();
    });
    tsock.on_blocking([this](tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
      delay += draw();
      isock->b_transport(payload, delay);
      delay += draw();
    });
    tsock.on_debug([this](tlm::tlm_generic_payload& payload) { return isock->transport_dbg(payload); });
    isock.on_accepted(
        [this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { accepted(payload, when); });
    isock.on_response([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
      respond_at(payload, when + draw());
    });
  }

  MemoryTarget<BUSWIDTH> tsock{"tsock"};
  MemoryInitiator<BUSWIDTH> isock{"isock"};
  std::uint64_t stalls() const { return stalls_; }

 private:
  sc_core::sc_time draw() {
    if (std::uniform_real_distribution<double>(0, 1)(random_) >= config_.probability) return sc_core::SC_ZERO_TIME;
    ++stalls_;
    return sc_core::sc_time::from_value(1 + random_() % config_.longest.value());
  }
  std::optional<sc_core::sc_time> pass(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
    return isock.send(PayloadPtr(payload), when);
  }
  void accepted(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
    if (tsock.pending() != &payload) return;
    if (draw() != sc_core::SC_ZERO_TIME && random_() % 4 == 0) return;  // no END_REQ: the response will imply it
    last_accept_ = when + draw();
    if (answered_ == &payload && response_at_ < last_accept_) last_accept_ = response_at_;
    tsock.accept(last_accept_);
  }
  void respond_at(tlm::tlm_generic_payload& payload, sc_core::sc_time when) {
    if (config_.keep_response_order && when < last_response_) when = last_response_;
    if (when < last_accept_) when = last_accept_;  // a response never precedes its END_REQ
    last_response_ = when;
    answered_ = &payload;
    response_at_ = when;
    responses_.push(&payload, when);
  }

  StallConfig config_;
  std::mt19937_64 random_;
  std::uint64_t stalls_ = 0;
  sc_core::sc_time last_accept_;
  const tlm::tlm_generic_payload* answered_ = nullptr;  // the last one answered, and when: its END_REQ may not be later
  sc_core::sc_time response_at_;
  sc_core::sc_time last_response_;
  TimedQueue<tlm::tlm_generic_payload*> requests_{[this](tlm::tlm_generic_payload*& payload) {
    const auto when = pass(*payload, sc_core::sc_time_stamp());
    if (when) accepted(*payload, *when);
  }};
  TimedQueue<tlm::tlm_generic_payload*> responses_{
      [this](tlm::tlm_generic_payload*& payload) { tsock.respond(*payload, sc_core::sc_time_stamp()); }};
};

}  // namespace harmonia::bus
