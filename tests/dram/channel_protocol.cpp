// The DRAM channel against initiators of other people's manners, under stalls, at every width and length, and behind an
// interleave.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/hw/dram/dram_system.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stall.h"
#include "tests/dram/requester.h"
#include "tests/support/catch.h"
#include "tests/support/foreign_initiator.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;
using sc_core::sc_time;

namespace {

sc_time ck(std::int64_t n) { return sc_time(static_cast<double>(625 * n), sc_core::SC_PS); }

/// A foreign initiator that writes a slot, then reads it back right behind, whatever the channel reorders, for slots at
/// random.
struct SlotTester {
  static constexpr unsigned kSlot = 96;

  SlotTester(const char* name, std::uint64_t seed, unsigned pairs, unsigned most)
      : initiator(name, seed, most, [this](auto& pool, auto& random) { return next(pool, random); }), left(2 * pairs) {
    initiator.on_answer = [this](auto& payload) { answered(payload); };
  }
  ForeignInitiator initiator;
  std::uint64_t wrong = 0, unexpected = 0;

 private:
  bus::PayloadPtr next(bus::PayloadPool& pool, std::mt19937_64& random) {
    if (left == 0) return {};
    const bool writing = left-- % 2 == 0;
    if (writing) {
      address = (random() % (1 << 16)) * kSlot;
      for (unsigned char& byte : pattern) byte = static_cast<unsigned char>(random());
    }
    bus::PayloadPtr payload =
        pool.make(writing ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, kSlot, bus::Data::buffer);
    if (writing)
      std::copy(pattern.begin(), pattern.end(), payload->get_data_ptr());
    else
      expected.emplace_back(payload.get(), pattern);
    return payload;
  }
  void answered(tlm::tlm_generic_payload& payload) {
    if (!payload.is_read()) return;
    const auto at = std::find_if(expected.begin(), expected.end(), [&](const auto& e) { return e.first == &payload; });
    if (at == expected.end()) {
      ++unexpected;
      return;
    }
    if (!std::equal(at->second.begin(), at->second.end(), payload.get_data_ptr())) ++wrong;
    expected.erase(at);
  }

  unsigned left;
  std::uint64_t address = 0;
  std::vector<unsigned char> pattern = std::vector<unsigned char>(kSlot);
  std::vector<std::pair<tlm::tlm_generic_payload*, std::vector<unsigned char>>> expected;
};

}  // namespace

TEST_CASE("channel: foreign AT initiators of every manner - 1 to 256 outstanding") {
  struct Pair {
    std::unique_ptr<DramChannel<>> channel;
    std::unique_ptr<RulesKept> kept;
    std::unique_ptr<bus::ProtocolChecker<>> check;
    std::unique_ptr<SlotTester> tester;
  };
  static std::vector<Pair> pairs;
  for (const unsigned most : {1u, 2u, 7u, 64u, 256u}) {
    const std::string tag = std::to_string(most);
    Pair p;
    p.channel = std::make_unique<DramChannel<>>(("channel" + tag).c_str(), find_preset("DDR4-3200"), Contents::kStored);
    p.kept = std::make_unique<RulesKept>(*p.channel);
    p.check = std::make_unique<bus::ProtocolChecker<>>(("check" + tag).c_str());
    p.tester = std::make_unique<SlotTester>(("initiator" + tag).c_str(), 100 + most, 4000u, most);
    p.tester->initiator.isock.bind(p.check->tsock);
    p.check->isock.bind(p.channel->tsock);
    pairs.push_back(std::move(p));
  }
  sc_core::sc_start();
  for (Pair& p : pairs) {
    CAPTURE(p.tester->initiator.name());
    p.check->rules.finish();
    CHECK(p.check->rules.violations() == 0);
    CHECK(p.tester->initiator.answers == 8000);
    CHECK(p.tester->initiator.errors == 0);
    CHECK(p.tester->wrong == 0);
    CHECK(p.tester->unexpected == 0);
    CHECK(p.tester->initiator.stray == 0);
    CHECK(p.channel->in_flight() == 0);
  }
  pairs.clear();
}

TEST_CASE("channel: every standard keeps contents under stalls on both sides - 256 outstanding") {
  // Reads and writes of 1 to 5000 bytes at any alignment in 64 KiB: every one meets others to the same bytes.
  constexpr std::uint64_t kWindow = 65536;
  struct Path {
    std::unique_ptr<DramChannel<>> channel;
    std::unique_ptr<RulesKept> kept;
    std::unique_ptr<bus::ProtocolChecker<>> inner, outer;
    std::unique_ptr<bus::StallInjector<>> injector;
    std::unique_ptr<Requester<>> requester;
  };
  static std::vector<Path> paths;
  std::uint64_t seed = 500;
  for (const char* preset :
       {"DDR4-3200", "DDR5-4800", "LPDDR4-3200", "LPDDR5-6400", "HBM2-2000", "HBM3-6400", "GDDR6-16000",
        "ddr4_3200.bgi.noref", "lpddr4_3200.rbc.noref", "lpddr5_6400.cbg.noref", "hbm2_2000.rbc.noref"}) {
    Path p;
    const std::string tag = std::to_string(++seed);
    bus::StallConfig stall;
    stall.seed = seed;
    stall.keep_response_order = seed % 2 == 0;
    p.channel = std::make_unique<DramChannel<>>(("channel" + tag).c_str(), find_preset(preset), Contents::kStored);
    p.kept = std::make_unique<RulesKept>(*p.channel);
    p.inner = std::make_unique<bus::ProtocolChecker<>>(("inner" + tag).c_str());
    p.injector = std::make_unique<bus::StallInjector<>>(("injector" + tag).c_str(), stall);
    p.outer = std::make_unique<bus::ProtocolChecker<>>(("outer" + tag).c_str());
    auto random = std::make_shared<std::mt19937_64>(seed);
    p.requester = std::make_unique<Requester<>>(
        ("requester" + tag).c_str(), 4000u, 256u,
        [random](std::uint64_t) {
          const std::uint64_t draw = (*random)();
          const auto length = static_cast<unsigned>(draw % 8 == 0 ? 1 + (draw >> 8) % 5000 : 1 + (draw >> 8) % 128);
          return Ask{(draw >> 4) % 2 == 0, (draw >> 24) % (kWindow - length), length, {}};
        },
        std::uint64_t{0}, std::size_t{kWindow});
    p.requester->isock.bind(p.outer->tsock);
    p.outer->isock.bind(p.injector->tsock);
    p.injector->isock.bind(p.inner->tsock);
    p.inner->isock.bind(p.channel->tsock);
    paths.push_back(std::move(p));
  }
  sc_core::sc_start();
  for (Path& p : paths) {
    CAPTURE(p.channel->config().name);
    for (bus::ProtocolChecker<>* check : {p.inner.get(), p.outer.get()}) {
      check->rules.finish();
      CHECK(check->rules.violations() == 0);
      CHECK(check->rules.open() == 0);
    }
    CHECK(p.injector->stalls() > 1000);
    CHECK(p.requester->answers == 4000);
    CHECK(p.requester->twice == 0);
    CHECK(p.requester->wrong_status == 0);
    CHECK(p.requester->wrong_bytes == 0);
    CHECK(p.channel->in_flight() == 0);
  }
  paths.clear();
}

TEST_CASE("channel: one request of 1 MiB is one answer, to the clock") {
  // 16384 bursts that never wait for each other: the first RD at 23, then one every 4 clocks. The row changes after
  // every 32 KiB of the four banks (bgi); the next four ACTs come while the last row still streams.
  DramChannel<> channel("channel", find_preset("ddr4_3200.bgi.noref"), Contents::kStored);
  RulesKept kept(channel);
  bus::ProtocolChecker<> check("check");
  Requester<> requester(
      "requester", 2u, 1u,
      [](std::uint64_t i) {
        return Ask{i == 0, 0, 1u << 20, {}};
      },
      std::uint64_t{0}, std::size_t{1u << 20});
  requester.keep_times = true;
  requester.isock.bind(check.tsock);
  check.isock.bind(channel.tsock);
  sc_core::sc_start();
  REQUIRE(requester.wrong_bytes == 0);
  REQUIRE(requester.answers == 2);
  REQUIRE(channel.statistics().bursts[0] == 16384);
  REQUIRE(channel.statistics().bursts[1] == 16384);
  const double read_cycles = (requester.answer_times[1] - requester.answer_times[0]) / ck(1);
  INFO("read took " << read_cycles << " cycles");
  REQUIRE(read_cycles >= 16384 * 4 + 22 + 4);
  REQUIRE(read_cycles <= 16384 * 4 * 1.01);
}

namespace {

template <unsigned W>
struct Wide {
  DramChannel<W> channel;
  RulesKept kept{channel};
  bus::ProtocolChecker<W> check;
  Requester<W> requester;
  explicit Wide(std::function<Ask(std::uint64_t)> next)
      : channel(("channel" + std::to_string(W)).c_str(), find_preset("HBM2-2000"), Contents::kStored),
        check(("check" + std::to_string(W)).c_str()),
        requester(("requester" + std::to_string(W)).c_str(), 3000u, 16u, std::move(next), std::uint64_t{0},
                  std::size_t{16384}) {
    requester.keep_times = true;
    requester.isock.bind(check.tsock);
    check.isock.bind(channel.tsock);
  }
};

std::function<Ask(std::uint64_t)> short_requests() {
  auto random = std::make_shared<std::mt19937_64>(9);
  return [random](std::uint64_t) {
    const std::uint64_t draw = (*random)();
    const unsigned length = 1 + static_cast<unsigned>(draw % 300);
    return Ask{(draw >> 16) % 2 == 0, (draw >> 20) % (16384 - length), length, {}};
  };
}

}  // namespace

TEST_CASE("channel: the width of the socket changes neither contents nor time") {
  Wide<8> narrow(short_requests());
  Wide<64> medium(short_requests());
  Wide<4096> wide(short_requests());
  sc_core::sc_start();
  REQUIRE(narrow.requester.answers == 3000);
  REQUIRE(narrow.requester.wrong_bytes + medium.requester.wrong_bytes + wide.requester.wrong_bytes == 0);
  REQUIRE(narrow.requester.answer_times == medium.requester.answer_times);
  REQUIRE(narrow.requester.answer_times == wide.requester.answer_times);
}

TEST_CASE("system: channels behind one address map do not serialise each other, to the clock") {
  // Initiator i streams the blocks of channel i. Each must see exactly the times of one initiator alone with one
  // channel: every channel, and the hop to it, takes a request of its own each cycle.
  constexpr unsigned kChannels = 4;
  const Config ddr4 = find_preset("ddr4_3200.bgi.noref");
  DramSystemConfig config;
  config.interconnect_clock_ps = 625;
  config.interleave_bytes = 64;
  config.channels = 1;
  DramSystem<> one("one", config, ddr4, Contents::kNone, 1u);
  Requester<> alone("alone", 500u, 32u, [](std::uint64_t n) { return Ask{false, 64 * n, 64, {}}; });
  config.channels = kChannels;
  DramSystem<> four("four", config, ddr4, Contents::kNone, kChannels);
  std::vector<std::unique_ptr<Requester<>>> together;
  for (unsigned i = 0; i < kChannels; ++i) {
    together.push_back(
        std::make_unique<Requester<>>(("together" + std::to_string(i)).c_str(), 500u, 32u, [i](std::uint64_t n) {
          return Ask{false, 64 * (kChannels * n + i), 64, {}};
        }));
    together.back()->keep_times = true;
    together.back()->isock.bind(four.tsock(i));
  }
  alone.keep_times = true;
  alone.isock.bind(one.tsock(0));
  sc_core::sc_start();
  REQUIRE(alone.answers == 500);
  for (const auto& r : together) {
    CAPTURE(r->name());
    CHECK(r->answer_times == alone.answer_times);
  }
}

TEST_CASE("channel: b_transport refuses what nb_transport refuses") {
  struct Caller : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<Caller> isock{"isock"};
    std::vector<tlm::tlm_response_status> answers;
    std::uint64_t capacity = 0;
    explicit Caller(sc_core::sc_module_name name) : sc_core::sc_module(name) {
      SC_HAS_PROCESS(Caller);
      SC_THREAD(run);
    }
    void call(tlm::tlm_command command, std::uint64_t address, unsigned length, unsigned streaming,
              unsigned char* enables = nullptr, unsigned enable_length = 0) {
      tlm::tlm_generic_payload payload;
      payload.set_command(command);
      payload.set_address(address);
      payload.set_data_ptr(data);
      payload.set_data_length(length);
      payload.set_streaming_width(streaming);
      payload.set_byte_enable_ptr(enables);
      payload.set_byte_enable_length(enable_length);
      sc_time delay;
      isock->b_transport(payload, delay);
      answers.push_back(payload.get_response_status());
      wait(delay);
    }
    void run() {
      unsigned char enables[3] = {0, 0xFF, 0};
      call(tlm::TLM_READ_COMMAND, capacity, 1, 1);
      call(tlm::TLM_WRITE_COMMAND, capacity - 32, 64, 64);
      call(tlm::TLM_READ_COMMAND, ~std::uint64_t{0} - 3, 8, 8);
      call(tlm::TLM_WRITE_COMMAND, 0, 64, 32);
      call(tlm::TLM_READ_COMMAND, 0, 0, 0);
      call(tlm::TLM_IGNORE_COMMAND, 0, 64, 64);
      std::fill(data, data + 64, 0x33);
      call(tlm::TLM_WRITE_COMMAND, 5, 64, 64, enables, 3);
      call(tlm::TLM_READ_COMMAND, capacity - 64, 64, 64);  // the last bytes
      std::fill(data, data + 64, 0xEE);
      call(tlm::TLM_READ_COMMAND, 5, 64, 64);
    }
    unsigned char data[64] = {};
  };
  DramChannel<> channel("channel", find_preset("LPDDR5-6400"), Contents::kStored);
  RulesKept kept(channel);
  Caller caller("caller");
  caller.capacity = channel.capacity_bytes();
  caller.isock.bind(channel.tsock);
  sc_core::sc_start();
  REQUIRE((caller.answers ==
           std::vector<tlm::tlm_response_status>{tlm::TLM_ADDRESS_ERROR_RESPONSE, tlm::TLM_ADDRESS_ERROR_RESPONSE,
                                                 tlm::TLM_ADDRESS_ERROR_RESPONSE, tlm::TLM_BURST_ERROR_RESPONSE,
                                                 tlm::TLM_BURST_ERROR_RESPONSE, tlm::TLM_OK_RESPONSE,
                                                 tlm::TLM_OK_RESPONSE, tlm::TLM_OK_RESPONSE, tlm::TLM_OK_RESPONSE}));
  for (int i = 0; i < 64; ++i) REQUIRE(caller.data[i] == (i % 3 == 1 ? 0x33 : 0));
  REQUIRE(channel.counts().errors == 6);
  REQUIRE(channel.counts().requests == 3);
}
