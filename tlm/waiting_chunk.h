// A one-entry input register in front of a block: one chunk waits, the block looks at it and takes it.
//
// Models: the wait between a chunk's arrival and its END_REQ; it turns the call of a target socket into a state that a
// block's "make progress" routine can look at from wherever it is called. Does not model: when the chunk is answered;
// that is the two kinds of input in chunk_input.h and borrowed_input.h.
#pragma once

#include <functional>
#include <optional>
#include <systemc>
#include <tlm>
#include <utility>

namespace harmonia::bus {

/// Target: a socket with accept(when) that END_REQ follows: StreamSink or MemoryTarget.
template <typename Target>
class WaitingChunk {
 public:
  /// The chunk that waits, or null.
  tlm::tlm_generic_payload* waiting() const { return waiting_; }
  /// When it arrived; for a chunk that had to wait this may be past.
  const sc_core::sc_time& arrival() const { return arrival_; }
  /// Takes the waiting chunk at `when` >= arrival().
  void accept(const sc_core::sc_time& when) {
    waiting_ = nullptr;
    if (in_call_)
      accepted_ = when;
    else
      tsock.accept(when);
  }

  Target tsock;

 protected:
  /// `arrived` is called when a chunk has come to wait.
  WaitingChunk(const char* name, std::function<void()> arrived) : tsock(name), arrived_(std::move(arrived)) {}

  /// The socket's callback.
  std::optional<sc_core::sc_time> arrive(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
    waiting_ = &payload;
    arrival_ = arrival;
    accepted_.reset();
    in_call_ = true;
    try {
      arrived_();
    } catch (...) {
      in_call_ = false;
      throw;
    }
    in_call_ = false;
    return accepted_;
  }

 private:
  std::function<void()> arrived_;
  tlm::tlm_generic_payload* waiting_ = nullptr;
  sc_core::sc_time arrival_;
  std::optional<sc_core::sc_time> accepted_;
  bool in_call_ = false;
};

}  // namespace harmonia::bus
