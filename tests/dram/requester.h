// A closed-loop initiator for channel tests: k requests in flight, contents checked against program order.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <systemc>
#include <tlm>
#include <utility>
#include <vector>

#include "harmonia/hw/dram/rule_checker.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/ring.h"
#include "tests/support/catch.h"

namespace harmonia::test {

struct Ask {
  bool write = false;
  std::uint64_t address = 0;
  unsigned length = 64;
  sc_core::sc_time not_before;
};

/// Watches the commands of a channel: no rule may have been broken when it goes out of scope, before the channel.
class RulesKept {
 public:
  template <class Channel>
  explicit RulesKept(Channel& channel) : checker_(channel.config()) {
    channel.engine().add_observer(&checker_);
  }
  RulesKept(const RulesKept&) = delete;
  RulesKept& operator=(const RulesKept&) = delete;
  ~RulesKept() { CHECK(checker_.report() == ""); }

 private:
  dram::RuleChecker checker_;
};

template <unsigned BUSWIDTH = 32>
class Requester : public sc_core::sc_module {
 public:
  bus::MemoryInitiator<BUSWIDTH> isock{"isock"};

  /// `next(i)` makes request i. With `window_bytes` > 0 the requests carry data inside [window_base, + window_bytes),
  /// and every byte read must be the last one written before it in program order.
  Requester(sc_core::sc_module_name name, std::uint64_t requests, unsigned in_flight,
            std::function<Ask(std::uint64_t)> next, std::uint64_t window_base = 0, std::size_t window_bytes = 0)
      : sc_core::sc_module(name),
        requests_(requests),
        in_flight_(in_flight),
        next_(std::move(next)),
        window_base_(window_base),
        memory_(window_bytes) {
    isock.on_response([this](auto& payload, const auto& when) { answered(payload, when); });
    SC_THREAD(run);
  }

  std::uint64_t sent = 0;
  std::uint64_t answers = 0;
  std::uint64_t wrong_status = 0;
  std::uint64_t wrong_bytes = 0;
  std::uint64_t twice = 0;
  sc_core::sc_time last_answer;
  std::vector<sc_core::sc_time> answer_times;  // by request, when keep_times
  bool keep_times = false;

 private:
  SC_HAS_PROCESS(Requester);
  void run() {
    sending_ = true;
    for (unsigned i = 0; i < in_flight_ && sent < requests_; ++i) send(sc_core::sc_time_stamp());
    while (!ready_.empty()) {
      const sc_core::sc_time at = ready_.pop();
      if (sent < requests_) send(at);
    }
    sending_ = false;
  }
  void send(const sc_core::sc_time& now) {
    const Ask ask = next_(sent);
    const bool data = !memory_.empty();
    bus::PayloadPtr payload = pool_.make(ask.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, ask.address,
                                         ask.length, data ? bus::Data::buffer : bus::Data::scratch);
    bus::PayloadPool::chunk(payload).tag = sent;
    if (open_.size() <= sent % 4096) open_.resize(sent % 4096 + 1);
    Open& open = open_[sent % 4096];
    if (open.waiting) ++twice;
    open.waiting = true;
    open.number = sent;
    if (data) {
      std::uint8_t* model = memory_.data() + (ask.address - window_base_);
      if (ask.write) {
        for (unsigned i = 0; i < ask.length; ++i) model[i] = static_cast<std::uint8_t>((sent * 37 + i * 11) >> 2);
        std::memcpy(payload->get_data_ptr(), model, ask.length);
      } else {
        open.expected.assign(model, model + ask.length);
      }
    }
    ++sent;
    const sc_core::sc_time when = ask.not_before > now ? ask.not_before : now;
    isock.send(std::move(payload), when);
  }
  void answered(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
    ++answers;
    const std::uint64_t number = bus::PayloadPool::chunk(payload).tag;
    Open& open = open_[number % 4096];
    if (!open.waiting || open.number != number) ++twice;
    open.waiting = false;
    if (!payload.is_response_ok()) ++wrong_status;
    if (payload.is_read() && !memory_.empty() &&
        std::memcmp(payload.get_data_ptr(), open.expected.data(), open.expected.size()) != 0) {
      ++wrong_bytes;
    }
    if (keep_times) {
      if (answer_times.size() <= number) answer_times.resize(number + 1);
      answer_times[number] = when;
    }
    if (when > last_answer) last_answer = when;
    // A loosely timed answer comes before send() returns: the next request is sent from the outermost call only.
    ready_.push(when);
    if (sending_) return;
    sending_ = true;
    while (!ready_.empty()) {
      const sc_core::sc_time at = ready_.pop();
      if (sent < requests_) send(at);
    }
    sending_ = false;
  }

  struct Open {
    bool waiting = false;
    std::uint64_t number = 0;
    std::vector<std::uint8_t> expected;
  };

  std::uint64_t requests_;
  unsigned in_flight_;
  std::function<Ask(std::uint64_t)> next_;
  std::uint64_t window_base_;
  std::vector<std::uint8_t> memory_;
  std::vector<Open> open_;
  bus::Ring<sc_core::sc_time> ready_;  // answers that have not been followed by a new request yet
  bool sending_ = false;
  bus::PayloadPool pool_;
};

}  // namespace harmonia::test
