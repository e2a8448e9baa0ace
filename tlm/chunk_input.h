// The input side of a block that takes chunks when it can. Taking a chunk answers it: the payload must not be used
// afterwards unless a reference was kept.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/refusal.h"
#include "harmonia/tlm/stream.h"
#include "harmonia/tlm/waiting_chunk.h"

namespace harmonia::bus {

class ChunkInput : public WaitingChunk<StreamSink<>> {
 public:
  /// `arrived` is called when a chunk has come to wait.
  ChunkInput(const char* name, std::function<void()> arrived) : WaitingChunk(name, std::move(arrived)) {
    tsock.on_chunk([this](auto& payload, const auto& arrival) -> std::optional<sc_core::sc_time> {
      const tlm::tlm_response_status answer = answer_to_chunk(payload);
      if (answer == tlm::TLM_INCOMPLETE_RESPONSE) return arrive(payload, arrival);
      payload.set_response_status(answer);
      return arrival;
    });
  }
  /// Answers the waiting chunk with an error response and reports why. It has no other effect.
  void refuse(const std::string& why) {
    waiting()->set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    accept(std::max(arrival(), sc_core::sc_time_stamp()));
    report_refusal(tsock.name(), why);
  }
};

}  // namespace harmonia::bus
