// Stream buffer as a SystemC module: the weight buffer and the KV buffer.
//
// Models: chunks in by a stream, held, and out by a stream in the same order, at the times of StreamBufferTiming
// (buffer.h): capacity, double buffering by tiles or streaming, port widths, back-pressure in both directions. No event
// and no process: times are annotated; a chunk waits (END_REQ withheld) only while its time depends on a consumer that
// has not answered. Does not model: reordering, reading a tile twice, a command interface; what a chunk means.
//
// Tiles are marked by Chunk::first_of_tile and last_of_tile. A chunk without chunk fields is a tile of its own. A chunk
// that can never be taken (its tile outgrows a half, begins before the last one ended or was not begun) or that has an
// unknown traffic class is answered with TLM_BURST_ERROR_RESPONSE and a report that names the field, and dropped; hw/program refuses a machine that cannot hold one tile before the run. Bytes are copied on arrival, so a functional chunk may be reused by its sender as soon as it was taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <systemc>
#include <tlm>

#include "harmonia/hw/memory/buffer.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "harmonia/tlm/stream.h"

namespace harmonia::memory {

class StreamBufferBase : public sc_core::sc_module {
 public:
  const StreamBufferConfig& config() const { return config_; }
  StreamBufferStatistics statistics() const { return timing_.statistics(); }
  /// Chunks that were refused.
  std::uint64_t refused() const { return refused_; }
  /// Chunks held that the consumer is not known to have taken.
  std::size_t resident_chunks() const { return timing_.resident_chunks(); }

 protected:
  StreamBufferBase(sc_core::sc_module_name name, const StreamBufferConfig& config);

  std::optional<sc_core::sc_time> chunk(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void taken(const sc_core::sc_time& when);

  virtual std::optional<sc_core::sc_time> send(bus::PayloadPtr payload, const sc_core::sc_time& when) = 0;
  virtual void accept(const sc_core::sc_time& when) = 0;
  virtual const char* stream_name() const = 0;

 private:
  std::string fault_of(const tlm::tlm_generic_payload& payload) const;
  std::optional<Cycle> admit(tlm::tlm_generic_payload& payload, Cycle arrival);
  void go_on();

  sc_core::sc_time time_of(Cycle cycle) const { return sc_core::sc_time::from_value(cycle * period_value_); }
  Cycle edge_at_or_after(const sc_core::sc_time& time) const {
    return (time.value() + period_value_ - 1) / period_value_;
  }

  StreamBufferConfig config_;
  StreamBufferTiming timing_;
  std::uint64_t period_value_;
  bus::PayloadPool pool_;
  bus::Ring<bus::PayloadPtr> held_;  // admitted, not presented
  tlm::tlm_generic_payload* waiting_ = nullptr;
  Cycle waiting_since_ = 0;
  bool going_on_ = false;
  std::uint64_t refused_ = 0;
};

/// BUSWIDTH in bits, of both sockets; it plays no part in timing.
template <unsigned BUSWIDTH = 32>
class StreamBuffer final : public StreamBufferBase {
 public:
  bus::StreamSink<BUSWIDTH> tsock{"tsock"};
  bus::StreamSource<BUSWIDTH> isock{"isock"};

  StreamBuffer(sc_core::sc_module_name name, const StreamBufferConfig& config,
               bus::Style style = bus::Style::approximately_timed)
      : StreamBufferBase(name, config) {
    tsock.on_chunk([this](auto& payload, const auto& arrival) { return chunk(payload, arrival); });
    isock.set_style(style);
    isock.on_accepted([this](auto&, const auto& when) { taken(when); });
  }

 private:
  std::optional<sc_core::sc_time> send(bus::PayloadPtr payload, const sc_core::sc_time& when) override {
    return isock.send(std::move(payload), when);
  }
  void accept(const sc_core::sc_time& when) override { tsock.accept(when); }
  const char* stream_name() const override { return tsock.name(); }
};

}  // namespace harmonia::memory
