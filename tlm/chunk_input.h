// The input side of a block that takes chunks when it can: one chunk waits, the block looks at it and accepts it.
//
// Models: a one-entry input register in front of a block. Does not model: anything else; it turns the call of a
// StreamSink into a state that a block's "make progress" routine can look at from wherever it is called.
#pragma once

#include <functional>
#include <optional>
#include <systemc>

#include "harmonia/bus/stream.h"

namespace harmonia::bus {

class ChunkInput {
 public:
  /// `arrived` is called when a chunk has come to wait.
  ChunkInput(const char* name, std::function<void()> arrived) : tsock(name), arrived_(std::move(arrived)) {
    tsock.on_chunk([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
      waiting_ = &payload;
      arrival_ = arrival;
      accepted_.reset();
      in_call_ = true;
      arrived_();
      in_call_ = false;
      return accepted_;
    });
  }

  /// The chunk that waits, or null.
  tlm::tlm_generic_payload* waiting() const { return waiting_; }
  /// When it arrived; for a chunk that had to wait this may be past.
  const sc_core::sc_time& arrival() const { return arrival_; }
  /// Takes the waiting chunk at `when` >= arrival(). The payload must not be used afterwards unless a reference was
  /// kept.
  void accept(const sc_core::sc_time& when) {
    waiting_ = nullptr;
    if (in_call_)
      accepted_ = when;
    else
      tsock.accept(when);
  }

  StreamSink<> tsock;

 private:
  std::function<void()> arrived_;
  tlm::tlm_generic_payload* waiting_ = nullptr;
  sc_core::sc_time arrival_;
  std::optional<sc_core::sc_time> accepted_;
  bool in_call_ = false;
};

}  // namespace harmonia::bus
