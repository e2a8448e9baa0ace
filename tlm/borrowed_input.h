// The input side of a block that works with a chunk where its sender keeps it: the sender learns when it may use the
// room for something else.
//
// Models: the request phase of the base protocol ends when the block takes the chunk, the response comes when it has
// used the bytes for the last time. Until then the sender must leave them as they are. Does not model: how many chunks
// a block may borrow at once (that is the block's to say, by withholding END_REQ).
#pragma once

#include <functional>
#include <optional>
#include <systemc>

#include "harmonia/bus/memory_target.h"

namespace harmonia::bus {

class BorrowedInput {
 public:
  /// `arrived` is called when a chunk has come to wait.
  BorrowedInput(const char* name, std::function<void()> arrived) : tsock(name), arrived_(std::move(arrived)) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
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
  /// Takes the waiting chunk at `when` >= arrival(). It stays valid until it is given back.
  void accept(const sc_core::sc_time& when) {
    waiting_ = nullptr;
    if (in_call_)
      accepted_ = when;
    else
      tsock.accept(when);
  }
  /// Gives a chunk that was taken back, once; it must not be used afterwards.
  void give_back(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { tsock.respond(payload, when); }

  MemoryTarget<> tsock;

 private:
  std::function<void()> arrived_;
  tlm::tlm_generic_payload* waiting_ = nullptr;
  sc_core::sc_time arrival_;
  std::optional<sc_core::sc_time> accepted_;
  bool in_call_ = false;
};

}  // namespace harmonia::bus
