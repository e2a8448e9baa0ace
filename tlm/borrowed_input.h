// The input side of a block that works with a chunk where its sender keeps it: the sender learns when it may use the
// room for something else.
//
// Models: the request phase of the base protocol ends when the block takes the chunk, the response comes when it has
// used the bytes for the last time. Until then the sender must leave them as they are. Does not model: how many chunks
// a block may borrow at once (that is the block's to say, by withholding END_REQ).
#pragma once

#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/waiting_chunk.h"

namespace harmonia::bus {

class BorrowedInput : public WaitingChunk<MemoryTarget<>> {
 public:
  /// `arrived` is called when a chunk has come to wait.
  BorrowedInput(const char* name, std::function<void()> arrived) : WaitingChunk(name, std::move(arrived)) {
    tsock.on_request([this](auto& payload, const auto& arrival) { return arrive(payload, arrival); });
  }
  /// Gives a chunk that was taken back, once; it must not be used afterwards.
  void give_back(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { tsock.respond(payload, when); }
};

}  // namespace harmonia::bus
