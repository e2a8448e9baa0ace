// What the DMA and buffer tests stand at the two ends of a block: memories, sinks and a writer of descriptors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <systemc>
#include <tlm>
#include <utility>
#include <vector>

#include "harmonia/hw/memory/dma.h"
#include "harmonia/hw/memory/storage.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/stream.h"

namespace harmonia::test {

constexpr std::uint64_t kClockPs = 2000;
inline sc_core::sc_time cycles(std::uint64_t n) {
  return sc_core::sc_time(static_cast<double>(n * kClockPs), sc_core::SC_PS);
}

/// Takes a request a cycle and answers each a fixed number of cycles after it arrived, at once and with an annotated
/// time.
class FixedMemory : public sc_core::sc_module {
 public:
  bus::MemoryTarget<> tsock{"tsock"};
  memory::Storage storage;
  std::vector<sc_core::sc_time> arrivals;
  std::vector<std::uint64_t> addresses;

  FixedMemory(sc_core::sc_module_name name, std::uint64_t latency_cycles, std::uint64_t size_bytes = 1 << 24)
      : sc_core::sc_module(name), storage(size_bytes), latency_(cycles(latency_cycles)) {
    tsock.on_request([this](auto& payload, const auto& arrival) -> std::optional<sc_core::sc_time> {
      serve(payload, arrival);
      queue_.push(&payload, sc_core::sc_time_stamp());
      return arrival + cycles(1);
    });
    tsock.on_blocking([this](auto& payload, auto& delay) {
      serve(payload, sc_core::sc_time_stamp() + delay);
      delay += latency_;
    });
  }

 private:
  void serve(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
    arrivals.push_back(arrival);
    addresses.push_back(payload.get_address());
    if (!storage.contains(payload.get_address(), payload.get_data_length())) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    } else if (bus::chunk_of(payload).data_valid) {
      if (payload.is_read()) {
        storage.read(payload.get_address(), payload.get_data_ptr(), payload.get_data_length());
      } else {
        storage.write(payload.get_address(), payload.get_data_ptr(), payload.get_data_length());
      }
    }
    answer_at_.push_back(arrival + latency_);
  }

  sc_core::sc_time latency_;
  std::vector<sc_core::sc_time> answer_at_;
  std::size_t answered_ = 0;
  bus::TimedQueue<tlm::tlm_generic_payload*> queue_{
      [this](tlm::tlm_generic_payload*& payload) { tsock.respond(*payload, answer_at_[answered_++]); }};
};

struct Arrival {
  sc_core::sc_time when;
  sc_core::sc_time accepted;
  std::uint64_t address = 0;
  bus::Chunk chunk;
  std::vector<std::uint8_t> bytes;
};

/// Takes each chunk a fixed number of cycles after it is offered, and remembers it.
class RecordingSink : public sc_core::sc_module {
 public:
  bus::StreamSink<> tsock{"tsock"};
  std::vector<Arrival> arrivals;
  bool keep_bytes = true;

  RecordingSink(sc_core::sc_module_name name, std::uint64_t accept_cycles) : sc_core::sc_module(name) {
    tsock.on_chunk([this, accept_cycles](auto& payload, const auto& arrival) -> std::optional<sc_core::sc_time> {
      record(payload, arrival);
      arrivals.back().accepted = arrival + cycles(accept_cycles);
      return arrivals.back().accepted;
    });
  }

 protected:
  void record(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
    arrivals.push_back({arrival, {}, payload.get_address(), bus::chunk_of(payload), {}});
    if (keep_bytes && arrivals.back().chunk.data_valid) {
      arrivals.back().bytes.assign(payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length());
    }
  }
};

/// Takes each chunk later, by accept(), a number of cycles after it was offered that the function says: the sink's time
/// is never known at once.
class LateSink : public RecordingSink {
 public:
  LateSink(sc_core::sc_module_name name, std::function<std::uint64_t()> accept_cycles)
      : RecordingSink(name, 0), accept_cycles_(std::move(accept_cycles)) {
    tsock.on_chunk([this](auto& payload, const auto& arrival) -> std::optional<sc_core::sc_time> {
      record(payload, arrival);
      queue_.push(0, arrival + cycles(accept_cycles_()));
      return std::nullopt;
    });
  }

 private:
  std::function<std::uint64_t()> accept_cycles_;
  bus::TimedQueue<int> queue_{[this](int&) {
    arrivals.back().accepted = sc_core::sc_time_stamp();
    tsock.accept(sc_core::sc_time_stamp());
  }};
};

/// Writes descriptors to a command socket at given times, one after the other.
class Commander : public sc_core::sc_module {
 public:
  bus::MemoryInitiator<> isock{"isock"};
  std::vector<std::pair<tlm::tlm_response_status, sc_core::sc_time>> answers;

  explicit Commander(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    isock.on_response([this](auto& payload, const auto& when) {
      answers.push_back({payload.get_response_status(), when});
    });
    SC_THREAD(run);
  }
  void at(const sc_core::sc_time& when, const memory::DmaDescriptor& descriptor) {
    script_.push_back({when, descriptor});
  }

 private:
  SC_HAS_PROCESS(Commander);
  void run() {
    for (const auto& [when, descriptor] : script_) {
      if (when > sc_core::sc_time_stamp()) wait(when - sc_core::sc_time_stamp());
      const auto length = static_cast<unsigned>(descriptor.encoded_bytes());
      bus::PayloadPtr payload = pool_.make(tlm::TLM_WRITE_COMMAND, 0, length, bus::Data::buffer);
      std::memcpy(payload->get_data_ptr(), &descriptor, length);
      isock.send(std::move(payload), sc_core::sc_time_stamp());
    }
  }
  bus::PayloadPool pool_;
  std::vector<std::pair<sc_core::sc_time, memory::DmaDescriptor>> script_;
};

/// Sends chunks of given lengths at given times.
class ChunkSender : public sc_core::sc_module {
 public:
  bus::StreamSource<> isock{"isock"};
  std::vector<sc_core::sc_time> accepted;

  explicit ChunkSender(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    isock.on_accepted([this](auto&, const auto& when) { accepted.push_back(when); });
    SC_THREAD(run);
  }
  void at(const sc_core::sc_time& when, std::vector<std::uint8_t> bytes, const bus::Chunk& chunk = {}) {
    script_.push_back({when, std::move(bytes), chunk});
  }

 private:
  SC_HAS_PROCESS(ChunkSender);
  struct Step {
    sc_core::sc_time when;
    std::vector<std::uint8_t> bytes;
    bus::Chunk chunk;
  };
  void run() {
    for (const Step& step : script_) {
      if (step.when > sc_core::sc_time_stamp()) wait(step.when - sc_core::sc_time_stamp());
      bus::PayloadPtr payload = pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(step.bytes.size()),
                                           step.chunk.data_valid ? bus::Data::buffer : bus::Data::scratch);
      bus::PayloadPool::chunk(payload) = step.chunk;
      if (step.chunk.data_valid) std::copy(step.bytes.begin(), step.bytes.end(), payload->get_data_ptr());
      if (const auto when = isock.send(std::move(payload), step.when)) accepted.push_back(*when);
    }
  }
  bus::PayloadPool pool_;
  std::vector<Step> script_;
};

inline memory::DmaSegment segment(std::uint64_t address, std::uint32_t bytes,
                                  bus::TrafficClass traffic = bus::TrafficClass::weights) {
  memory::DmaSegment s;
  s.address = address;
  s.row_bytes = bytes;
  s.traffic = traffic;
  return s;
}

inline std::vector<std::uint8_t> pattern(std::uint64_t from, std::size_t bytes) {
  std::vector<std::uint8_t> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::uint8_t>((from + i) * 131 >> 3);
  return data;
}

}  // namespace harmonia::test
