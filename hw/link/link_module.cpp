#include "harmonia/hw/link/link_module.h"

#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/refusal.h"

namespace harmonia::link {
namespace {

sc_core::sc_time time_of(Ps ps) { return sc_core::sc_time(static_cast<double>(ps), sc_core::SC_PS); }
Ps ps_of(const sc_core::sc_time& time) {
  return static_cast<Ps>(std::llround(time / sc_core::sc_time(1, sc_core::SC_PS)));
}

}  // namespace

Link::Link(sc_core::sc_module_name name, const Config& config, double share)
    : sc_module(name), config_(config), timing_(config, share) {
  tsock.on_chunk([this](auto& payload, const auto& arrival) { return message(payload, arrival); });
  isock.on_accepted([this](auto&, const auto& when) { taken(when); });
}

std::optional<sc_core::sc_time> Link::message(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  if (const tlm::tlm_response_status answer = bus::answer_to_chunk(payload); answer != tlm::TLM_INCOMPLETE_RESPONSE) {
    payload.set_response_status(answer);
    return arrival;
  }
  if (payload.get_data_length() > config_.buffer_bytes) {
    ++refused_;
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    bus::report_refusal(tsock.name(), "the data length is " + std::to_string(payload.get_data_length()) +
                                          ", expected at most the receiver's buffer of " +
                                          std::to_string(config_.buffer_bytes) + " bytes");
    return arrival;
  }
  const std::optional<sc_core::sc_time> left = pass(payload, arrival);
  if (!left) {
    waiting_ = &payload;
    waiting_since_ = arrival;
  }
  return left;
}

/// When the message has left; nothing when the far side has no room for it.
std::optional<sc_core::sc_time> Link::pass(tlm::tlm_generic_payload& payload, const sc_core::sc_time& offered) {
  const unsigned length = payload.get_data_length();
  const auto sent = timing_.send(ps_of(offered), length);
  if (!sent) return std::nullopt;
  const bus::ChunkExtension* extension = payload.get_extension<bus::ChunkExtension>();
  const bool data = extension == nullptr || extension->chunk.data_valid;
  bus::PayloadPtr copy =
      pool_.make(tlm::TLM_WRITE_COMMAND, payload.get_address(), length, data ? bus::Data::buffer : bus::Data::scratch);
  if (extension != nullptr) bus::PayloadPool::chunk(copy) = extension->chunk;
  if (data) std::memcpy(copy->get_data_ptr(), payload.get_data_ptr(), length);
  passing_ = true;
  const auto accepted = isock.send(std::move(copy), time_of(sent->arrival));
  passing_ = false;
  if (accepted) timing_.consumed(ps_of(*accepted));
  return time_of(sent->left);
}

void Link::taken(const sc_core::sc_time& when) {
  timing_.consumed(ps_of(when));
  if (waiting_ == nullptr || passing_) return;
  const std::optional<sc_core::sc_time> left = pass(*waiting_, waiting_since_);
  if (!left) return;
  waiting_ = nullptr;
  tsock.accept(*left);
}

}  // namespace harmonia::link
