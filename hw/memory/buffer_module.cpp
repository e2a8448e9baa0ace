#include "harmonia/hw/memory/buffer_module.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/field_check.h"
#include "harmonia/tlm/refusal.h"

namespace harmonia::memory {

StreamBufferBase::StreamBufferBase(sc_core::sc_module_name name, const StreamBufferConfig& config)
    : sc_core::sc_module(name),
      config_(config),
      timing_(config),
      period_value_(sc_core::sc_time(static_cast<double>(config.clock_ps), sc_core::SC_PS).value()) {
  if (period_value_ == 0) {
    throw config::InputError(std::string(this->name()) + ".clock_ps: " + std::to_string(config.clock_ps) +
                             " ps is below the simulator's time resolution");
  }
}

std::optional<sc_core::sc_time> StreamBufferBase::chunk(tlm::tlm_generic_payload& payload,
                                                        const sc_core::sc_time& arrival) {
  if (const tlm::tlm_response_status answer = bus::answer_to_chunk(payload); answer != tlm::TLM_INCOMPLETE_RESPONSE) {
    payload.set_response_status(answer);
    return arrival;
  }
  if (const std::string fault = fault_of(payload); !fault.empty()) {
    ++refused_;
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    bus::report_refusal(stream_name(), fault);
    return arrival;
  }
  const Cycle at = edge_at_or_after(arrival);
  const std::optional<Cycle> accepted = admit(payload, at);
  if (!accepted) {
    waiting_ = &payload;
    waiting_since_ = at;
    return std::nullopt;
  }
  go_on();
  return time_of(*accepted);
}

/// What is wrong with a chunk that can never be taken; empty: nothing.
std::string StreamBufferBase::fault_of(const tlm::tlm_generic_payload& payload) const {
  using Refusal = StreamBufferTiming::Refusal;
  const bus::ChunkExtension* extension = payload.get_extension<bus::ChunkExtension>();
  const bool first = extension == nullptr || extension->chunk.first_of_tile;
  const Refusal refusal = timing_.refusal(payload.get_data_length(), first);
  bus::FieldCheck c;
  c.require(refusal != Refusal::kTileNotEnded, "Chunk::first_of_tile", first, "0 (the tile before has not ended)");
  c.require(refusal != Refusal::kTileNotBegun, "Chunk::first_of_tile", first, "1 (the tile before has ended)");
  c.require(refusal != Refusal::kTileTooLarge, "the data length", payload.get_data_length(), "at most the ",
            timing_.most_bytes(), " bytes that the tile has room for");
  c.within("Chunk::traffic", static_cast<std::uint64_t>(bus::chunk_of(payload).traffic), 0,
           bus::traffic_class_count - 1);
  return c.fault();
}

std::optional<Cycle> StreamBufferBase::admit(tlm::tlm_generic_payload& payload, Cycle arrival) {
  const bus::ChunkExtension* extension = payload.get_extension<bus::ChunkExtension>();
  const bool last = extension == nullptr || extension->chunk.last_of_tile;
  const unsigned length = payload.get_data_length();
  const std::optional<Cycle> accepted = timing_.admit(arrival, length, last);
  if (!accepted) return std::nullopt;
  const bool data = extension == nullptr || extension->chunk.data_valid;
  bus::PayloadPtr copy =
      pool_.make(tlm::TLM_WRITE_COMMAND, payload.get_address(), length, data ? bus::Data::buffer : bus::Data::scratch);
  if (extension != nullptr) {
    bus::PayloadPool::chunk(copy) = extension->chunk;
  } else {
    bus::PayloadPool::chunk(copy).first_of_tile = bus::PayloadPool::chunk(copy).last_of_tile = true;
  }
  if (data) std::memcpy(copy->get_data_ptr(), payload.get_data_ptr(), length);
  held_.push(std::move(copy));
  return accepted;
}

/// Presents and admits until neither is possible without news from the consumer.
void StreamBufferBase::go_on() {
  if (going_on_) return;
  going_on_ = true;
  for (;;) {
    while (timing_.can_present()) {
      const Cycle ready = timing_.present();
      const std::optional<sc_core::sc_time> accepted = send(held_.pop(), time_of(ready));
      if (!accepted) break;  // taken() goes on
      timing_.taken(edge_at_or_after(*accepted));
    }
    if (waiting_ == nullptr) break;
    const std::optional<Cycle> accepted = admit(*waiting_, waiting_since_);
    if (!accepted) break;
    waiting_ = nullptr;
    accept(time_of(*accepted));
  }
  going_on_ = false;
}

void StreamBufferBase::taken(const sc_core::sc_time& when) {
  timing_.taken(edge_at_or_after(when));
  go_on();
}

}  // namespace harmonia::memory
