// A DRAM channel with contents behind random stalls: every read gives what was written last.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>

#include "harmonia/hw/dram/coverage.h"
#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/testbench/random/benches.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stall.h"

namespace harmonia::testbench {
namespace {

using stimulus::draw;
using stimulus::draw_below;
using stimulus::Random;

constexpr std::uint64_t kSlotBytes = 4096;

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A slot of memory has at most one transaction under way, so that what a read must return is known whatever the order of answers.
class ChannelBench : public sc_core::sc_module {
 public:
  ChannelBench(const sc_core::sc_module_name& name, const stimulus::Stimulus& s, std::uint64_t seed)
      : sc_core::sc_module(name),
        s_(s),
        random_(seed),
        config_(dram::read_config("DDR4-3200", {}).config),
        checker_("checker"),
        stall_("stall", stall_config(s, seed)),
        channel_("channel", config_, dram::Contents::kStored),
        coverage_(channel_.config(), "DDR4-3200") {
    channel_.engine().add_observer(&coverage_);
    isock_.bind(checker_.tsock);
    checker_.isock.bind(stall_.tsock);
    stall_.isock.bind(channel_.tsock);
    checker_.rules.on_violation([this](bus::Rule, const std::string& text) { fail(text); });
    isock_.set_max_outstanding(24);
    isock_.on_response([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time&) { answered(payload); });
  }

  RandomOutcome run() {
    RandomOutcome outcome;
    sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_NS));
    while (outcome_message_.empty() && answered_ < static_cast<std::uint64_t>(s_.transactions)) {
      while (sent_ < static_cast<std::uint64_t>(s_.transactions) && isock_.queued() < 2) send();
      sc_core::sc_start(sc_core::sc_time(20, sc_core::SC_NS));
      if (++idle_ > 100000)
        fail(fmt::format("no answer: {} of {} transactions are under way", sent_ - answered_, sent_));
    }
    outcome.passed = outcome_message_.empty();
    outcome.message = outcome_message_;
    outcome.transactions = answered_;
    outcome.groups = coverage_.finish();
    return outcome;
  }

 private:
  static bus::StallConfig stall_config(const stimulus::Stimulus& s, std::uint64_t seed) {
    Random random(seed + 1);
    bus::StallConfig c;
    c.seed = seed;
    const stimulus::StallPattern p = draw(random, s.stalls);
    c.probability = static_cast<double>(std::max(p.input, p.output)) / 1024;
    return c;
  }
  void fail(const std::string& text) {
    if (outcome_message_.empty()) outcome_message_ = text;
  }
  void send() {
    // Rows that are met again, neighbours, and addresses far away.
    const std::uint64_t slots = channel_.capacity_bytes() / kSlotBytes;
    std::uint64_t slot = 0;
    do {
      const std::uint64_t place = draw_below(random_, 3);
      slot = place == 0 ? (last_slot_ + 1) % slots : place == 1 ? draw_below(random_, 64) : draw_below(random_, slots);
    } while (under_way_.count(slot));
    last_slot_ = slot;
    const auto length =
        static_cast<unsigned>(s_.lengths.empty() ? draw(random_, {{1, 63, 1}, {64, 64, 3}, {65, 512, 1}})
                                                 : std::clamp<std::int64_t>(draw(random_, s_.lengths), 1, kSlotBytes));
    const std::uint64_t address = slot * kSlotBytes + draw_below(random_, kSlotBytes - length + 1);
    const bool read = drawn_mode(random_, s_, {"read", "write"}) == 0;
    const bus::PayloadPtr payload =
        pool_.make(read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, address, length, bus::Data::buffer);
    std::vector<std::uint8_t>& memory = memory_.try_emplace(slot, kSlotBytes).first->second;
    for (unsigned i = 0; i < length; ++i) {
      payload->get_data_ptr()[i] = static_cast<std::uint8_t>(random_.next());
      if (!read) memory[address % kSlotBytes + i] = payload->get_data_ptr()[i];
    }
    under_way_[slot] = payload;
    ++sent_;
    isock_.send(payload, sc_core::sc_time_stamp() +
                             sc_core::sc_time(static_cast<double>(draw_below(random_, 30)), sc_core::SC_NS));
  }
  void answered(tlm::tlm_generic_payload& payload) {
    const std::uint64_t slot = payload.get_address() / kSlotBytes;
    idle_ = 0;
    ++answered_;
    if (!payload.is_response_ok())
      fail(fmt::format("channel: a {} was answered with {}", payload.is_read() ? "read" : "write",
                       payload.get_response_string()));
    if (payload.is_read()) {
      const std::vector<std::uint8_t>& memory = memory_.at(slot);
      for (unsigned i = 0; i < payload.get_data_length(); ++i)
        if (payload.get_data_ptr()[i] != memory[payload.get_address() % kSlotBytes + i]) {
          fail(fmt::format("channel: the byte at {:#x} is {}, expected {}", payload.get_address() + i,
                           payload.get_data_ptr()[i], memory[payload.get_address() % kSlotBytes + i]));
          break;
        }
    }
    under_way_.erase(slot);
  }

  const stimulus::Stimulus& s_;
  Random random_;
  dram::Config config_;
  bus::MemoryInitiator<> isock_{"isock"};
  bus::ProtocolChecker<> checker_;
  bus::StallInjector<> stall_;
  dram::DramChannel<> channel_;
  dram::CommandCoverage coverage_;
  bus::PayloadPool pool_;
  std::map<std::uint64_t, std::vector<std::uint8_t>> memory_;
  std::map<std::uint64_t, bus::PayloadPtr> under_way_;
  std::uint64_t last_slot_ = 0, sent_ = 0, answered_ = 0, idle_ = 0;
  std::string outcome_message_;
};

}  // namespace

RandomOutcome random_channel(const stimulus::Stimulus& s, std::uint64_t seed) {
  ChannelBench bench("bench", s, seed);
  return bench.run();
}

}  // namespace harmonia::testbench
