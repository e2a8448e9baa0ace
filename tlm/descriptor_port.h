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
#include <systemc>
#include <type_traits>
#include <vector>

#include "harmonia/tlm/memory_target.h"

namespace harmonia::bus {

template <class Descriptor>
class DescriptorPort {
  static_assert(std::is_trivially_copyable_v<Descriptor>, "a descriptor travels as bytes");

 public:
  /// `arrived` is called after each descriptor that was queued.
  DescriptorPort(const char* name, std::function<void()> arrived) : tsock(name), arrived_(std::move(arrived)) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload,
                            const sc_core::sc_time& when) -> std::optional<sc_core::sc_time> {
      if (payload.get_command() != tlm::TLM_WRITE_COMMAND ||
          payload.get_data_length() > sizeof(Descriptor) + max_table_bytes || payload.get_data_length() < min_bytes) {
        payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
        tsock.respond(payload, when);
        return std::nullopt;
      }
      Entry entry;
      const std::size_t length = payload.get_data_length();
      const std::size_t head = std::min(length, sizeof(Descriptor));
      std::memcpy(static_cast<void*>(&entry.descriptor), payload.get_data_ptr(), head);
      if (length > sizeof(Descriptor))
        entry.table.assign(payload.get_data_ptr() + sizeof(Descriptor), payload.get_data_ptr() + length);
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
  const std::vector<unsigned char>& table() const { return queue_.front().table; }
  const sc_core::sc_time& arrival() const { return queue_.front().arrival; }
  void pop() { queue_.pop_front(); }

  MemoryTarget<> tsock;

 private:
  struct Entry {
    Descriptor descriptor;
    std::vector<unsigned char> table;
    sc_core::sc_time arrival;
  };
  std::function<void()> arrived_;
  std::deque<Entry> queue_;
};

}  // namespace harmonia::bus
