// The input side of a block that takes chunks when it can. Taking a chunk answers it: the payload must not be used
// afterwards unless a reference was kept.
#pragma once

#include "harmonia/tlm/stream.h"
#include "harmonia/tlm/waiting_chunk.h"

namespace harmonia::bus {

class ChunkInput : public WaitingChunk<StreamSink<>> {
 public:
  /// `arrived` is called when a chunk has come to wait.
  ChunkInput(const char* name, std::function<void()> arrived) : WaitingChunk(name, std::move(arrived)) {
    tsock.on_chunk([this](auto& payload, const auto& arrival) { return arrive(payload, arrival); });
  }
};

}  // namespace harmonia::bus
