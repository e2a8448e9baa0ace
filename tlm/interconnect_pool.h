// The interconnect's transactions under way: an initiator's requests, and what each target sees of them.
//
// Models: nothing of the hardware; it keeps the payloads. A request that lies in one interleave block goes on as one child with
//   the request's own data pointer; a split one as a child for each piece, with bytes gathered before and scattered after.
// Does not model: times (interconnect_impl.h). Part of interconnect.h's implementation.
#pragma once

#include <cstdint>
#include <memory>
#include <systemc>
#include <tlm>
#include <typeinfo>
#include <vector>

#include "harmonia/tlm/address_map.h"
#include "harmonia/tlm/payload_pool.h"

namespace harmonia::bus::interconnect {

using sc_core::sc_time;

/// An initiator's transaction on its way through. What the pieces need of its attributes is kept here.
struct Request {
  tlm::tlm_generic_payload* payload = nullptr;
  unsigned char* data = nullptr;
  std::uint64_t offset = 0;  // of its address in the region
  bool data_valid = true;
  unsigned initiator = 0;
  unsigned pieces = 0;
  unsigned accepted = 0;
  unsigned answered = 0;
  bool in_call = false;  // the initiator's BEGIN_REQ call has not returned yet
  tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
  sc_time arrival;
  sc_time accepted_at;
  sc_time ended_at;  // when its initiator is told so, no earlier than which it is answered
  sc_time answered_at;
};

/// Where a child stands in the protocol with its target.
enum class Stage : std::uint8_t { none, waiting, requesting, accepted };

/// What a target sees of it. Carries the initiator's own extension objects while it is under way.
struct Child final : tlm::tlm_generic_payload {
  const void* owner = nullptr;  // the pool that it belongs to
  Stage stage = Stage::none;
  Request* request = nullptr;
  const Region* region = nullptr;
  Interleave::Piece piece{};
  bool split = false;
  std::uint64_t extensions = 0;  // bit i: extension i is lent by the initiator's payload
  std::vector<unsigned char> data;
  std::vector<unsigned char> byte_enables;
};

/// The children. Lives on its own, because targets may still hold children when the interconnect is gone.
class ChildPool final : public tlm::tlm_mm_interface {
 public:
  ChildPool() = default;
  ~ChildPool() override;
  Child* take();
  void free(tlm::tlm_generic_payload* payload) override;
  /// Ends the interconnect's own use of a child.
  static void give_up(Child& child);
  /// The interconnect is gone: the pool deletes itself when the last child has come back.
  void abandon();

 private:
  std::vector<Child*> free_;
  std::vector<Child*> all_;
  bool orphan_ = false;
};

/// Requests and children, taken from pools.
class Transactions {
 public:
  Transactions() = default;
  ~Transactions() { children_.abandon(); }
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  Request& take_request(tlm::tlm_generic_payload& payload, const Region& region);
  void give_back(Request& request) { requests_free_.push_back(&request); }
  /// The child that carries a piece of a request to its target; split: the request has several.
  Child& make_child(Request& request, const Region& region, const Interleave::Piece& piece, bool split);
  /// The child that a target means by a payload, or null when it is not one of these or not under way.
  Child* find(tlm::tlm_generic_payload& payload) const {
    if (typeid(payload) != typeid(Child)) return nullptr;
    auto& child = static_cast<Child&>(payload);
    return child.owner == &children_ && child.request != nullptr ? &child : nullptr;
  }
  /// Brings a child's answer, status and bytes, to its request and gives the child up.
  void collect(Child& child);

 private:
  ChildPool& children_ = *new ChildPool;  // deletes itself after abandon()
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<Request*> requests_free_;
};

}  // namespace harmonia::bus::interconnect
