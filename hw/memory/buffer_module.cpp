#include "harmonia/hw/memory/buffer_module.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "harmonia/config/error.h"

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
  if (!payload.is_write()) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return arrival;
  }
  if (payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    return arrival;
  }
  if (timing_.refusal(payload.get_data_length(), bus::chunk_of(payload).first_of_tile) !=
      StreamBufferTiming::Refusal::kNone) {
    ++refused_;
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
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
