// Command socket of a block: descriptors of one type, written by TLM and taken in order.
//
// Models: a descriptor queue in the block. Does not model: a register map; a descriptor is the data of one TLM write,
// in the byte order of the host. Its type may end in an array of which only the used part travels, and a table may
// follow.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <systemc>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/refusal.h"

namespace harmonia::bus {

template <class Descriptor>
class DescriptorPort {
  static_assert(std::is_trivially_copyable_v<Descriptor>, "a descriptor travels as bytes");

 public:
  using Table = std::vector<unsigned char>;
  /// What is wrong with a descriptor, which field and what was expected; empty: nothing.
  using Check = std::function<std::string(const Descriptor&, const Table&)>;

  /// `arrived` is called after each descriptor that was queued. One that `check` finds a fault in is answered with an
  /// error response, reported, and not queued.
  DescriptorPort(const char* name, std::function<void()> arrived, Check check = {})
      : tsock(name), arrived_(std::move(arrived)), check_(std::move(check)) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload,
                            const sc_core::sc_time& when) -> std::optional<sc_core::sc_time> {
      const tlm::tlm_response_status answer = answer_to_chunk(payload);
      if (answer != tlm::TLM_INCOMPLETE_RESPONSE) {
        payload.set_response_status(answer);
        tsock.respond(payload, when);
        return std::nullopt;
      }
      if (payload.get_data_length() > sizeof(Descriptor) + max_table_bytes || payload.get_data_length() < min_bytes) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        tsock.respond(payload, when);
        report_refusal(tsock.name(), "the descriptor's length is " + std::to_string(payload.get_data_length()) +
                                         " bytes, expected up to " + std::to_string(sizeof(Descriptor)) +
                                         " and its table");
        return std::nullopt;
      }
      Entry entry;
      const std::size_t length = payload.get_data_length();
      const std::size_t head = std::min(length, sizeof(Descriptor));
      std::memcpy(static_cast<void*>(&entry.descriptor), payload.get_data_ptr(), head);
      if (length > sizeof(Descriptor))
        entry.table.assign(payload.get_data_ptr() + sizeof(Descriptor), payload.get_data_ptr() + length);
      const std::string fault = fault_of(entry, length);
      if (!fault.empty()) {
        payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
        tsock.respond(payload, when);
        report_refusal(tsock.name(), fault);
        return std::nullopt;
      }
      entry.arrival = when;
      queue_.push_back(std::move(entry));
      tsock.respond(payload, when);
      arrived_();
      return std::nullopt;
    });
  }

  static constexpr std::size_t min_bytes = 4;
  static constexpr std::size_t max_table_bytes = 1 << 24;

  bool empty() const { return queue_.empty(); }
  std::size_t size() const { return queue_.size(); }
  Descriptor& front() { return queue_.front().descriptor; }
  const Descriptor& at(std::size_t i) const { return queue_[i].descriptor; }
  const Table& table() const { return queue_.front().table; }
  const sc_core::sc_time& arrival() const { return queue_.front().arrival; }
  void pop() { queue_.pop_front(); }

  MemoryTarget<> tsock;

 private:
  struct Entry {
    Descriptor descriptor;
    Table table;
    sc_core::sc_time arrival;
  };
  /// A descriptor has its whole length, or the one that it says it has.
  std::string fault_of(const Entry& entry, std::size_t length) const {
    std::size_t expected = sizeof(Descriptor);
    if constexpr (has_encoded_bytes<Descriptor>::value) expected = entry.descriptor.encoded_bytes();
    if (length < std::min(expected, sizeof(Descriptor)) || (!entry.table.empty() && expected != sizeof(Descriptor)))
      return "the descriptor's length is " + std::to_string(length) + " bytes, expected " + std::to_string(expected);
    // A variant that came as bytes may be of no kind, which std::visit must not meet.
    if constexpr (kinds_of<Descriptor>::value != 0)
      if (entry.descriptor.kind.index() >= kinds_of<Descriptor>::value)
        return "kind is " + std::to_string(entry.descriptor.kind.index()) + ", expected 0 to " +
               std::to_string(kinds_of<Descriptor>::value - 1);
    return check_ ? check_(entry.descriptor, entry.table) : std::string();
  }
  template <class D, class = void>
  struct has_encoded_bytes : std::false_type {};
  template <class D>
  struct has_encoded_bytes<D, std::void_t<decltype(std::declval<const D&>().encoded_bytes())>> : std::true_type {};

  /// How many kinds a descriptor's `kind` may be of; 0 where that is no variant.
  template <class D, class = void>
  struct kinds_of : std::integral_constant<std::size_t, 0> {};
  template <class D>
  struct kinds_of<D, std::void_t<decltype(std::variant_size<decltype(D::kind)>::value)>>
      : std::integral_constant<std::size_t, std::variant_size_v<decltype(D::kind)>> {};

  std::function<void()> arrived_;
  Check check_;
  std::deque<Entry> queue_;
};

}  // namespace harmonia::bus
