// The input side of a block that works with a chunk where its sender keeps it: the sender learns when it may use the
// room for something else.
//
// Models: the request phase of the base protocol ends when the block takes the chunk, the response comes when it has
// used the bytes for the last time. Until then the sender must leave them as they are. Does not model: how many chunks
// a block may borrow at once (that is the block's to say, by withholding END_REQ).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/refusal.h"
#include "harmonia/tlm/waiting_chunk.h"

namespace harmonia::bus {

class BorrowedInput : public WaitingChunk<MemoryTarget<>> {
 public:
  /// `arrived` is called when a chunk has come to wait.
  BorrowedInput(const char* name, std::function<void()> arrived) : WaitingChunk(name, std::move(arrived)) {
    tsock.on_request([this](auto& payload, const auto& arrival) -> std::optional<sc_core::sc_time> {
      const tlm::tlm_response_status answer = answer_to_chunk(payload);
      if (answer == tlm::TLM_INCOMPLETE_RESPONSE) return arrive(payload, arrival);
      payload.set_response_status(answer);
      tsock.respond(payload, arrival);
      return std::nullopt;
    });
  }
  /// Gives a chunk that was taken back, once; it must not be used afterwards.
  void give_back(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { tsock.respond(payload, when); }
  /// Gives a chunk that was taken back with an error response and reports why.
  void refuse(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when, const std::string& why) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    tsock.respond(payload, when);
    report_refusal(tsock.name(), why);
  }
};

}  // namespace harmonia::bus
