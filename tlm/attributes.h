// What a target says of a request's attributes alone, before it looks at what the request wants.
//
// Models: the rules that a generic payload keeps whatever its target is (IEEE 1666-2011, 14.8 to 14.17) and the phases that
//   a target and an initiator may send. Does not model: addresses, and what a target cannot do with a legal payload.
#pragma once

#include <string>
#include <tlm>

namespace harmonia::bus {

/// The response with which a target answers at once: OK to a request to be ignored, an error response to one that breaks a
/// rule. TLM_INCOMPLETE_RESPONSE: nothing is to be said, the request goes on.
inline tlm::tlm_response_status answer_to_attributes(const tlm::tlm_generic_payload& payload) {
  const tlm::tlm_command command = payload.get_command();
  if (command != tlm::TLM_READ_COMMAND && command != tlm::TLM_WRITE_COMMAND)
    return command == tlm::TLM_IGNORE_COMMAND ? tlm::TLM_OK_RESPONSE : tlm::TLM_COMMAND_ERROR_RESPONSE;
  if (payload.get_data_length() == 0 || payload.get_streaming_width() == 0) return tlm::TLM_BURST_ERROR_RESPONSE;
  if (payload.get_data_ptr() == nullptr) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr && payload.get_byte_enable_length() == 0)
    return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  return tlm::TLM_INCOMPLETE_RESPONSE;
}

/// The same of a target that takes whole chunks: no reads, no byte enables, no streaming width below the length.
inline tlm::tlm_response_status answer_to_chunk(const tlm::tlm_generic_payload& payload) {
  if (!payload.is_write()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  if (payload.get_streaming_width() < payload.get_data_length()) return tlm::TLM_BURST_ERROR_RESPONSE;
  return tlm::TLM_INCOMPLETE_RESPONSE;
}

/// A phase of the base protocol, or none; phases that users declare may be ignored by whoever does not know them.
inline bool is_base_phase(const tlm::tlm_phase& phase) {
  return phase == tlm::UNINITIALIZED_PHASE || phase == tlm::BEGIN_REQ || phase == tlm::END_REQ ||
         phase == tlm::BEGIN_RESP || phase == tlm::END_RESP;
}

/// "END_REQ on the forward path" and the like, for reports.
inline std::string on_path(const tlm::tlm_phase& phase, const char* path) {
  return std::string(phase.get_name()) + " on the " + path + " path";
}

}  // namespace harmonia::bus
