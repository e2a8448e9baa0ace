// Reusable testers: a memory with random manners, and an initiator that checks what it reads.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::test {

inline sc_core::sc_time ns(double value) { return sc_core::sc_time(value, sc_core::SC_NS); }

/// Moves bytes between a payload and a store, with byte enables; the store must be long enough.
inline void access(tlm::tlm_generic_payload& payload, std::vector<unsigned char>& store) {
  const std::uint64_t address = payload.get_address();
  const unsigned length = payload.get_data_length();
  if (address + length > store.size()) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  const unsigned char* enables = payload.get_byte_enable_ptr();
  for (unsigned i = 0; i < length; ++i) {
    if (enables && enables[i % payload.get_byte_enable_length()] == TLM_BYTE_DISABLED) continue;
    if (payload.is_read()) payload.get_data_ptr()[i] = store[address + i];
    if (payload.is_write()) store[address + i] = payload.get_data_ptr()[i];
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

/// Memory of fixed or random latency that answers in or out of order. depth: requests taken and not yet answered.
struct MemoryModel : sc_core::sc_module {
  struct Config {
    std::size_t size_bytes = 1 << 16;
    std::size_t depth = 8;
    sc_core::sc_time latency = ns(10);
    sc_core::sc_time jitter;  // random addition, zero: none
    std::uint64_t seed = 1;
  };
  MemoryModel(const sc_core::sc_module_name& name, Config configuration)
      : sc_core::sc_module(name), config(configuration), random(config.seed), store(config.size_bytes) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
      ++requests;
      arrivals.push_back(arrival);
      if (in_flight == config.depth) return std::optional<sc_core::sc_time>();
      start(payload, arrival);
      return std::optional<sc_core::sc_time>(arrival);
    });
    tsock.on_blocking([this](tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
      ++requests;
      access(payload, store);
      delay += latency();
    });
    tsock.on_debug([this](tlm::tlm_generic_payload& payload) {
      access(payload, store);
      return payload.is_response_ok() ? payload.get_data_length() : 0;
    });
    tsock.on_dmi([this](tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
      dmi.init();
      dmi.set_dmi_ptr(store.data());
      dmi.set_start_address(0);
      dmi.set_end_address(store.size() - 1);
      dmi.allow_read_write();
      return true;
    });
  }
  sc_core::sc_time latency() {
    if (config.jitter == sc_core::SC_ZERO_TIME) return config.latency;
    return config.latency + sc_core::sc_time::from_value(random() % config.jitter.value());
  }
  void start(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
    ++in_flight;
    queue.push(&payload, when + latency());
  }
  void answer(tlm::tlm_generic_payload& payload) {
    access(payload, store);
    --in_flight;
    ++answers;
    tsock.respond(payload, sc_core::sc_time_stamp());
    if (tlm::tlm_generic_payload* waiting = in_flight < config.depth ? tsock.pending() : nullptr) {
      tsock.accept(sc_core::sc_time_stamp());
      start(*waiting, std::max(sc_core::sc_time_stamp(), arrivals.back()));
    }
  }

  bus::MemoryTarget<> tsock{"tsock"};
  Config config;
  std::mt19937_64 random;
  std::vector<unsigned char> store;
  std::vector<sc_core::sc_time> arrivals;
  std::size_t in_flight = 0;
  std::uint64_t requests = 0;
  std::uint64_t answers = 0;
  bus::TimedQueue<tlm::tlm_generic_payload*> queue{[this](tlm::tlm_generic_payload*& payload) { answer(*payload); }};
};

/// Random reads and writes over slots of memory; a slot has at most one transaction under way, so that what a read must
/// return is known whatever the order of answers.
struct TrafficDriver : sc_core::sc_module {
  struct Config {
    std::uint64_t base = 0;
    unsigned slots = 64;
    unsigned slot_bytes = 256;
    std::uint64_t transactions = 1000;
    std::size_t outstanding = 16;
    sc_core::sc_time longest_gap = ns(5);
    std::uint64_t seed = 1;
    bool byte_enables = true;
  };
  TrafficDriver(const sc_core::sc_module_name& name, Config configuration)
      : sc_core::sc_module(name),
        config(configuration),
        random(config.seed),
        expected(std::size_t{config.slots} * config.slot_bytes),
        busy(config.slots, false) {
    isock.set_max_outstanding(config.outstanding);
    isock.on_response(
        [this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { check(payload, when); });
  }
  void start() { wake.at(sc_core::sc_time_stamp()); }
  bool done() const { return answered == config.transactions; }

  void issue() {
    while (sent < config.transactions && isock.queued() < 2) {
      const auto slot = static_cast<unsigned>(random() % config.slots);
      if (busy[slot]) {
        if (isock.outstanding() + isock.queued() == config.slots) return;
        continue;
      }
      const auto offset = static_cast<unsigned>(random() % config.slot_bytes);
      const auto length = static_cast<unsigned>(1 + random() % (config.slot_bytes - offset));
      const bool write = random() % 2;
      bus::PayloadPtr payload =
          pool.make(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND,
                    config.base + std::uint64_t{slot} * config.slot_bytes + offset, length, bus::Data::buffer);
      bus::PayloadPool::chunk(payload).tag = slot;
      static unsigned char every_other[2] = {0xff, 0x00};
      if (config.byte_enables && random() % 4 == 0) {
        payload->set_byte_enable_ptr(every_other);
        payload->set_byte_enable_length(2);
      }
      for (unsigned i = 0; i < length; ++i) {
        payload->get_data_ptr()[i] = write ? static_cast<unsigned char>(random()) : 0xa5;
        if (write && enabled(*payload, i)) expected[slot * config.slot_bytes + offset + i] = payload->get_data_ptr()[i];
      }
      busy[slot] = true;
      ++sent;
      const sc_core::sc_time gap = config.longest_gap == sc_core::SC_ZERO_TIME
                                       ? sc_core::SC_ZERO_TIME
                                       : sc_core::sc_time::from_value(random() % config.longest_gap.value());
      isock.send(payload, sc_core::sc_time_stamp() + gap);
    }
  }
  static bool enabled(const tlm::tlm_generic_payload& payload, unsigned i) {
    const unsigned char* enables = payload.get_byte_enable_ptr();
    return !enables || enables[i % payload.get_byte_enable_length()] != TLM_BYTE_DISABLED;
  }
  void check(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
    ++answered;
    if (when > last_answer) last_answer = when;
    const auto slot = static_cast<unsigned>(bus::chunk_of(payload).tag);
    const std::uint64_t at = payload.get_address() - config.base;
    busy[slot] = false;
    if (payload.get_response_status() != tlm::TLM_OK_RESPONSE) ++errors;
    if (payload.is_read()) {
      for (unsigned i = 0; i < payload.get_data_length(); ++i) {
        const unsigned char want = enabled(payload, i) ? expected[at + i] : 0xa5;
        if (payload.get_data_ptr()[i] != want) ++mismatches;
      }
    }
    if (sent < config.transactions) wake.at(sc_core::sc_time_stamp());
  }

  bus::MemoryInitiator<> isock{"isock"};
  Config config;
  std::mt19937_64 random;
  bus::PayloadPool pool;
  std::vector<unsigned char> expected;
  std::vector<bool> busy;
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t errors = 0;
  std::uint64_t mismatches = 0;
  sc_core::sc_time last_answer;
  bus::Wakeup wake{[this] { issue(); }};
};

}  // namespace harmonia::test
