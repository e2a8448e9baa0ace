// The DRAM channel through its socket: times by hand, protocol under load, order of contents, errors, both transports.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <cmath>
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
#include "tests/support/long.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;
using sc_core::sc_time;

namespace {

/// DDR4-3200, no refresh: tCK 625 ps, CL = RCD = RP = 22, burst 4, CCD_S 4, CCD_L 8, RRD_S 4, one cycle in front.
Config ddr4() { return find_preset("ddr4_3200.bgi.noref"); }
sc_time ck(std::int64_t n) { return sc_time(static_cast<double>(625 * n), sc_core::SC_PS); }

struct Bench {
  DramChannel<> channel;
  RulesKept kept{channel};
  bus::ProtocolChecker<> check{"check"};
  std::unique_ptr<Requester<>> requester;

  explicit Bench(const Config& config, Contents contents = Contents::kNone) : channel("channel", config, contents) {
    check.isock.bind(channel.tsock);
  }
  template <class... Arguments>
  Requester<>& drive(Arguments&&... arguments) {
    requester = std::make_unique<Requester<>>("requester", std::forward<Arguments>(arguments)...);
    requester->isock.bind(check.tsock);
    return *requester;
  }
  /// Nothing lost, nothing answered twice, no rule of the protocol broken, bytes at the pins those of the commands.
  void finish() {
    check.rules.finish();
    REQUIRE(check.rules.violations() == 0);
    REQUIRE(check.rules.open() == 0);
    REQUIRE(requester->answers == requester->sent);
    REQUIRE(requester->twice == 0);
    REQUIRE(requester->wrong_bytes == 0);
    REQUIRE(channel.in_flight() == 0);
    const Statistics& s = channel.statistics();
    REQUIRE(s.requests[0] + s.requests[1] == channel.counts().requests);
    std::uint64_t pins = 0;
    for (const std::uint64_t bytes : channel.counts().pin_bytes) pins += bytes;
    REQUIRE(pins == (s.bursts[0] + s.bursts[1]) * static_cast<std::uint64_t>(channel.config().burst_bytes()));
  }
};

Ask read(std::uint64_t address, unsigned length = 64, sc_time when = sc_core::SC_ZERO_TIME) {
  return {false, address, length, when};
}

}  // namespace

TEST_CASE("channel: unloaded reads, to the clock") {
  Bench bench(ddr4());
  // Closed bank: ACT at 1, RD at 1 + 22, data from + 22 for 4.            49
  // Row hit at 100: RD at 101.                                           127
  // Same bank, other row (bank bits end at 16, rows begin at 17) at 200: PRE 201, ACT 223, RD 245.  271
  // 3 bytes that straddle two bursts at 300, rows open in bank group 0, closed in 1: ACT 301, RD 323 decides.  349
  const std::vector<Ask> asks = {read(0), read(256, 64, ck(100)), read(1 << 17, 64, ck(200)),
                                 read((1 << 17) + 62, 3, ck(300))};
  auto& requester = bench.drive(4u, 4u, [&](std::uint64_t i) { return asks[i]; });
  requester.keep_times = true;
  sc_core::sc_start();
  REQUIRE((requester.answer_times == std::vector<sc_time>{ck(49), ck(127), ck(271), ck(349)}));
  REQUIRE(bench.channel.counts().pin_bytes[static_cast<std::size_t>(bus::TrafficClass::other)] == 64 * 5);
  REQUIRE(bench.channel.counts().request_bytes[static_cast<std::size_t>(bus::TrafficClass::other)] == 64 * 3 + 3);
  REQUIRE(bench.channel.latency_percentile(Op::kRead, 1.0) == ck(71));
  REQUIRE(bench.channel.latency_percentile(Op::kRead, 0.0) == ck(27));
  bench.finish();
}

TEST_CASE("channel: a request between two clock edges is seen at the later one") {
  Bench bench(ddr4());
  auto& requester = bench.drive(1u, 1u, [&](std::uint64_t) { return read(0, 64, sc_time(1, sc_core::SC_PS)); });
  sc_core::sc_start();
  REQUIRE(requester.last_answer == ck(1 + 49));
  bench.finish();
}

TEST_CASE("channel: a stream of 4 KiB reads runs without a gap, to the clock") {
  // Four ACTs at 1, 5, 9, 13; the first RD at 23, then one every 4 cycles through all requests: 64 a request.
  // Request n ends at 23 + 4 * (64 (n + 1) - 1) + 22 + 4.
  Bench bench(ddr4());
  auto& requester = bench.drive(4u, 4u, [&](std::uint64_t i) { return read(4096 * i, 4096); });
  requester.keep_times = true;
  sc_core::sc_start();
  REQUIRE((requester.answer_times == std::vector<sc_time>{ck(301), ck(557), ck(813), ck(1069)}));
  REQUIRE(bench.channel.counts().back_pressure > sc_core::SC_ZERO_TIME);  // 64 bursts fill the queue
  bench.finish();
}

TEST_CASE("channel: END_REQ is withheld until there is room") {
  // Request 0 fills the queue at cycle 0. Request 1 is offered at cycle 1; there is room when the first RD has been
  // issued, at 23 (the last moment at which it matters), and not before.
  Bench bench(ddr4());
  std::vector<sc_time> accepted;
  auto& requester = bench.drive(2u, 2u, [&](std::uint64_t i) { return read(4096 * i, 4096); });
  requester.isock.on_accepted([&](auto&, const auto& when) { accepted.push_back(when); });
  sc_core::sc_start();
  REQUIRE_FALSE(accepted.empty());
  REQUIRE(accepted.back() >= ck(23));
  REQUIRE(accepted.back() <= ck(301));
  REQUIRE(requester.last_answer == ck(557));
  bench.finish();
}

TEST_CASE("system: one and two channels, to the clock") {
  // The hop takes 4 cycles of 625 ps each way. Two channels interleaved by 256 bytes: 2 KiB, 32 bursts, in each:
  // offered at 4, ACT 5, RD 27, last RD 27 + 31 * 4 = 151, end 177, back at 181. One channel: 4 + 301 + 4.
  for (const unsigned channels : {1u, 2u}) {
    DramSystemConfig config;
    config.channels = channels;
    config.interconnect_clock_ps = 625;
    auto system = std::make_unique<DramSystem<>>(("system" + std::to_string(channels)).c_str(), config, ddr4(),
                                                 Contents::kNone, 1u);
    auto requester = std::make_unique<Requester<>>(("requester" + std::to_string(channels)).c_str(), 1u, 1u,
                                                   [](std::uint64_t) { return read(0, 4096); });
    requester->isock.bind(system->tsock(0));
    static std::vector<std::unique_ptr<DramSystem<>>> systems;  // both live through the one simulation
    static std::vector<std::unique_ptr<Requester<>>> requesters;
    systems.push_back(std::move(system));
    requesters.push_back(std::move(requester));
    if (channels == 2) {
      sc_core::sc_start();
      REQUIRE(requesters[0]->last_answer == ck(309));
      REQUIRE(requesters[1]->last_answer == ck(181));
      REQUIRE(systems[1]->peak_GBs() == Approx(51.2));
      REQUIRE(systems[1]->pin_bytes()[static_cast<std::size_t>(bus::TrafficClass::other)] == 4096);
      systems.clear();
      requesters.clear();
    }
  }
}

TEST_CASE("channel: blocking transport takes the same time") {
  struct Caller : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<Caller> isock{"isock"};
    std::vector<sc_time> delays;
    explicit Caller(sc_core::sc_module_name name) : sc_core::sc_module(name) {
      SC_HAS_PROCESS(Caller);
      SC_THREAD(run);
    }
    void run() {
      call(0, 64, ck(0));
      call(256, 64, ck(100));  // annotated 100 cycles ahead
      wait(ck(200));
      call(1 << 17, 64, ck(0));
      wait(ck(800));
      call(1 << 20, 4096, ck(0));  // four closed banks
      call(1 << 18, 64, ck(0));    // taken when the last burst before it was issued
    }
    void call(std::uint64_t address, unsigned length, sc_time delay) {
      const sc_time start = delay;
      bus::PayloadPtr payload =
          bus::PayloadPool::shared().make(tlm::TLM_READ_COMMAND, address, length, bus::Data::scratch);
      isock->b_transport(*payload, delay);
      REQUIRE(payload->is_response_ok());
      delays.push_back(delay - start);
    }
  };
  Bench bench(ddr4());
  Caller caller("caller");
  caller.isock.bind(bench.check.tsock);
  sc_core::sc_start();
  REQUIRE(caller.delays.size() == 5);
  REQUIRE(caller.delays[0] == ck(49));
  REQUIRE(caller.delays[1] == ck(27));
  REQUIRE(caller.delays[2] == ck(71));
  REQUIRE(bench.channel.counts().late == 1);
  // The fifth call's time cannot be before the fourth's last column command.
  REQUIRE(caller.delays[4] > caller.delays[3] - ck(22 + 4));
  REQUIRE(bench.channel.in_flight() == 0);
}

namespace {

/// Random reads and writes of 1 to `longest` bytes in a window, k in flight, k changing on the way from 1 to 256.
void flood(const char* preset, std::uint64_t requests) {
  constexpr std::uint64_t kSeed = 2718;
  INFO("seed " << kSeed << " preset " << preset);
  auto random = std::make_shared<std::mt19937_64>(kSeed);
  Bench bench(find_preset(preset));
  const std::uint64_t capacity = bench.channel.capacity_bytes();
  bench.drive(requests, 256u, [random, capacity](std::uint64_t i) {
    const std::uint64_t draw = (*random)();
    // Phases of locality and of none; pauses long enough to drain everything now and then.
    const unsigned length = draw % 16 == 0 ? 1 + (draw >> 8) % 1024 : 64;
    const bool local = (i / 1000) % 2 == 0;
    const std::uint64_t at = local ? ((draw >> 20) % (1 << 22)) : (draw >> 20) % capacity;
    Ask ask{(draw >> 4) % 3 == 0, std::min(at & ~std::uint64_t{63}, capacity - length), length, {}};
    if (i % 5000 < 200) ask.not_before = sc_core::sc_time_stamp() + sc_time(200, sc_core::SC_NS);
    return ask;
  });
  sc_core::sc_start();
  REQUIRE(bench.requester->answers == requests);
  REQUIRE(bench.requester->wrong_status == 0);
  bench.finish();
}

/// A million of each in `ctest -C long`.
std::uint64_t many() { return count(100000, 1000000); }

}  // namespace

TEST_CASE("channel: random transactions never deadlock - DDR4") { flood("DDR4-3200", many()); }
TEST_CASE("channel: random transactions never deadlock - DDR5") { flood("DDR5-4800", many()); }
TEST_CASE("channel: random transactions never deadlock - LPDDR4") { flood("LPDDR4-3200", many()); }
TEST_CASE("channel: random transactions never deadlock - LPDDR5") { flood("LPDDR5-6400", many()); }
TEST_CASE("channel: random transactions never deadlock - LPDDR5X") { flood("LPDDR5X-8533", many()); }
TEST_CASE("channel: random transactions never deadlock - HBM2") { flood("HBM2-2000", many()); }
TEST_CASE("channel: random transactions never deadlock - HBM3") { flood("HBM3-6400", many()); }
TEST_CASE("channel: random transactions never deadlock - GDDR6") { flood("GDDR6-16000", many()); }

TEST_CASE("channel: 1 to 256 outstanding") {
  for (const unsigned k : {1u, 2u, 16u, 256u}) {
    static std::vector<std::unique_ptr<DramChannel<>>> channels;
    static std::vector<std::unique_ptr<bus::ProtocolChecker<>>> checks;
    static std::vector<std::unique_ptr<Requester<>>> requesters;
    static std::vector<std::unique_ptr<RulesKept>> kept;
    const std::string tag = std::to_string(k);
    auto random = std::make_shared<std::mt19937_64>(k);
    channels.push_back(std::make_unique<DramChannel<>>(("channel" + tag).c_str(), ddr4(), Contents::kNone));
    kept.push_back(std::make_unique<RulesKept>(*channels.back()));
    checks.push_back(std::make_unique<bus::ProtocolChecker<>>(("check" + tag).c_str()));
    requesters.push_back(std::make_unique<Requester<>>(("requester" + tag).c_str(), 20000u, k, [random](std::uint64_t) {
      return Ask{false, ((*random)() % (1 << 23)) * 64, 64, {}};
    }));
    requesters.back()->isock.bind(checks.back()->tsock);
    checks.back()->isock.bind(channels.back()->tsock);
    if (k != 256) continue;
    sc_core::sc_start();
    for (std::size_t i = 0; i < channels.size(); ++i) {
      checks[i]->rules.finish();
      REQUIRE(checks[i]->rules.violations() == 0);
      REQUIRE(requesters[i]->answers == 20000);
      if (i > 0) REQUIRE(requesters[i]->last_answer < requesters[i - 1]->last_answer);  // more in flight is faster
    }
    requesters.clear();
    checks.clear();
    kept.clear();
    channels.clear();
  }
}

namespace {

/// Requests in 16 KiB, half of them writes, so that nearly every one meets others to the same bytes.
std::function<Ask(std::uint64_t)> crowd(std::uint64_t seed, std::uint64_t window) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return [random, window](std::uint64_t) {
    const std::uint64_t draw = (*random)();
    const unsigned length = 1 + static_cast<unsigned>(draw % 300);
    return Ask{(draw >> 16) % 2 == 0, (draw >> 20) % (window - length), length, {}};
  };
}

}  // namespace

TEST_CASE("channel: a read sees what program order says, however the commands are reordered") {
  Bench bench(find_preset("DDR4-3200"), Contents::kStored);
  bench.drive(100000u, 64u, crowd(31, 16384), 0u, std::size_t{16384});
  sc_core::sc_start();
  REQUIRE(bench.channel.statistics().commands[static_cast<std::size_t>(Cmd::kWr)] > 0);
  bench.finish();
}

TEST_CASE("channel: contents and protocol survive random stalls") {
  Bench bench(find_preset("HBM2-2000"), Contents::kStored);
  bus::StallConfig stall;
  stall.seed = 17;
  stall.keep_response_order = false;
  bus::StallInjector<> injector("injector", stall);
  bus::ProtocolChecker<> outer("outer");
  outer.isock.bind(injector.tsock);
  injector.isock.bind(bench.check.tsock);
  bench.requester = std::make_unique<Requester<>>("requester", 50000u, 32u, crowd(32, 16384), 0u, std::size_t{16384});
  bench.requester->isock.bind(outer.tsock);
  sc_core::sc_start();
  REQUIRE(injector.stalls() > 1000);
  outer.rules.finish();
  REQUIRE(outer.rules.violations() == 0);
  bench.finish();
}

TEST_CASE("system: contents through the interleave, two initiators in windows of their own") {
  DramSystemConfig config;
  config.channels = 3;
  config.interleave_bytes = 64;
  DramSystem<> system("system", config, find_preset("DDR4-3200"), Contents::kStored, 2u);
  std::vector<std::unique_ptr<Requester<>>> requesters;
  std::vector<std::unique_ptr<bus::ProtocolChecker<>>> checks;
  for (unsigned i = 0; i < 2; ++i) {
    const std::uint64_t base = i * std::uint64_t{20000};
    auto next = crowd(40 + i, 16384);
    requesters.push_back(std::make_unique<Requester<>>(("requester" + std::to_string(i)).c_str(), 30000u, 24u,
                                                       [next, base](std::uint64_t n) {
                                                         Ask ask = next(n);
                                                         ask.address += base;
                                                         return ask;
                                                       },
                                                       base, std::size_t{16384}));
    checks.push_back(std::make_unique<bus::ProtocolChecker<>>(("check" + std::to_string(i)).c_str()));
    requesters[i]->isock.bind(checks[i]->tsock);
    checks[i]->isock.bind(system.tsock(i));
  }
  sc_core::sc_start();
  for (unsigned i = 0; i < 2; ++i) {
    checks[i]->rules.finish();
    REQUIRE(checks[i]->rules.violations() == 0);
    REQUIRE(requesters[i]->answers == 30000);
    REQUIRE(requesters[i]->wrong_bytes == 0);
    REQUIRE(requesters[i]->twice == 0);
  }
  REQUIRE(system.in_flight() == 0);
}

TEST_CASE("channel: timing-only payloads take the same time as functional ones and touch no storage") {
  static std::vector<sc_time> times[2];
  DramChannel<> functional("functional", ddr4(), Contents::kStored), timing("timing", ddr4(), Contents::kStored);
  RulesKept kept_functional(functional), kept_timing(timing);
  Requester<> a("a", 20000u, 32u, crowd(50, 16384), 0u, std::size_t{16384});
  Requester<> b("b", 20000u, 32u, crowd(50, 16384));
  a.keep_times = b.keep_times = true;
  a.isock.bind(functional.tsock);
  b.isock.bind(timing.tsock);
  sc_core::sc_start();
  REQUIRE(a.answer_times == b.answer_times);
  REQUIRE(functional.storage()->resident_bytes() > 0);
  REQUIRE(timing.storage()->resident_bytes() == 0);
}

TEST_CASE("channel: errors are answered as TLM says, and byte enables are honoured") {
  // No checker between: some of these requests are illegal, and the channel must refuse them all the same.
  DramChannel<> channel("channel", ddr4(), Contents::kStored);
  RulesKept kept(channel);
  struct Caller : sc_core::sc_module {
    bus::MemoryInitiator<> isock{"isock"};
    std::vector<tlm::tlm_response_status> answers;
    std::function<void(Caller&)> body;
    explicit Caller(sc_core::sc_module_name name) : sc_core::sc_module(name) {
      isock.on_response([this](auto& payload, const auto&) { answers.push_back(payload.get_response_status()); });
      SC_HAS_PROCESS(Caller);
      SC_THREAD(run);
    }
    void run() { body(*this); }
  };
  Caller caller("caller");
  caller.isock.bind(channel.tsock);
  const std::uint64_t capacity = channel.capacity_bytes();
  unsigned char data[64] = {};
  unsigned char enables[2] = {0xFF, 0};
  auto make = [&](tlm::tlm_command command, std::uint64_t address, unsigned length) {
    bus::PayloadPtr payload = bus::PayloadPool::shared().make(command, address, length, bus::Data::none);
    payload->set_data_ptr(data);
    return payload;
  };
  caller.body = [&](Caller& self) {
    const auto send = [&](bus::PayloadPtr payload) {
      self.isock.send(std::move(payload), sc_core::sc_time_stamp());
      wait(1, sc_core::SC_US);
    };
    send(make(tlm::TLM_READ_COMMAND, capacity, 1));
    send(make(tlm::TLM_WRITE_COMMAND, capacity - 32, 64));        // begins inside, ends outside
    send(make(tlm::TLM_READ_COMMAND, ~std::uint64_t{0} - 3, 8));  // would wrap around to 0
    bus::PayloadPtr streaming = make(tlm::TLM_WRITE_COMMAND, 0, 64);
    streaming->set_streaming_width(32);
    send(streaming);
    send(make(tlm::TLM_IGNORE_COMMAND, 0, 64));
    std::fill(data, data + 64, 0x11);
    send(make(tlm::TLM_WRITE_COMMAND, 0, 64));
    std::fill(data, data + 64, 0x22);
    bus::PayloadPtr enabled = make(tlm::TLM_WRITE_COMMAND, 0, 64);
    enabled->set_byte_enable_ptr(enables);
    enabled->set_byte_enable_length(2);
    send(enabled);
    std::fill(data, data + 64, 0);
    send(make(tlm::TLM_READ_COMMAND, 0, 64));
  };
  sc_core::sc_start();
  REQUIRE((caller.answers == std::vector<tlm::tlm_response_status>{
                                 tlm::TLM_ADDRESS_ERROR_RESPONSE, tlm::TLM_ADDRESS_ERROR_RESPONSE,
                                 tlm::TLM_ADDRESS_ERROR_RESPONSE, tlm::TLM_BURST_ERROR_RESPONSE, tlm::TLM_OK_RESPONSE,
                                 tlm::TLM_OK_RESPONSE, tlm::TLM_OK_RESPONSE, tlm::TLM_OK_RESPONSE}));
  for (int i = 0; i < 64; ++i) REQUIRE(data[i] == (i % 2 == 0 ? 0x22 : 0x11));
  REQUIRE(channel.counts().errors == 5);  // refused or ignored: none of them reached the DRAM
  REQUIRE(channel.counts().requests == 3);
  REQUIRE(channel.in_flight() == 0);
}

TEST_CASE("channel: debug transport and DMI reach the stored bytes without taking time") {
  Bench bench(ddr4(), Contents::kStored);
  struct Caller : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<Caller> isock{"isock"};
    explicit Caller(sc_core::sc_module_name name) : sc_core::sc_module(name) {}
  };
  Caller caller("caller");
  caller.isock.bind(bench.check.tsock);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  unsigned char data[100];
  for (int i = 0; i < 100; ++i) data[i] = static_cast<unsigned char>(i);
  const std::uint64_t edge = bench.channel.capacity_bytes() - 40;
  bus::PayloadPtr payload = bus::PayloadPool::shared().make(tlm::TLM_WRITE_COMMAND, edge, 100, bus::Data::none);
  payload->set_data_ptr(data);
  REQUIRE(caller.isock->transport_dbg(*payload) == 40);  // only what is inside
  tlm::tlm_dmi dmi;
  REQUIRE(caller.isock->get_direct_mem_ptr(*payload, dmi));
  REQUIRE(dmi.get_end_address() == bench.channel.capacity_bytes() - 1);
  REQUIRE(dmi.is_read_write_allowed());
  REQUIRE(dmi.get_dmi_ptr()[edge - dmi.get_start_address() + 7] == 7);
  REQUIRE(dmi.get_read_latency() == ck(26));
  payload->set_address(bench.channel.capacity_bytes());
  REQUIRE(caller.isock->transport_dbg(*payload) == 0);
  REQUIRE_FALSE(caller.isock->get_direct_mem_ptr(*payload, dmi));
}

TEST_CASE("channel: the commands port publishes every command") {
  Bench bench(find_preset("DDR4-3200"));
  std::uint64_t seen[kCmdCount] = {};
  Cycle last = -1;
  bool ordered = true;
  bus::Subscriber<Command> subscriber([&](const Command& command) {
    ++seen[static_cast<std::size_t>(command.cmd)];
    ordered = ordered && command.cycle > last;
    last = command.cycle;
  });
  bench.channel.commands.bind(subscriber);
  bench.drive(5000u, 32u, crowd(60, 1 << 24));
  sc_core::sc_start();
  bench.finish();
  REQUIRE(ordered);
  for (std::size_t i = 0; i < kCmdCount; ++i) REQUIRE(seen[i] == bench.channel.statistics().commands[i]);
  REQUIRE(seen[static_cast<std::size_t>(Cmd::kAct)] > 0);
}

TEST_CASE("channel: other bus widths bind and behave alike") {
  DramChannel<512> wide("wide", ddr4(), Contents::kNone);
  RulesKept kept(wide);
  Requester<512> requester("requester", 1u, 1u, [](std::uint64_t) { return read(0, 4096); });
  requester.isock.bind(wide.tsock);
  sc_core::sc_start();
  REQUIRE(requester.last_answer == ck(301));
}

// --- foreign sockets

namespace {

/// nb_transport in, b_transport out: the adapter inside tlm_utils::simple_target_socket does the conversion.
struct ToBlocking : sc_core::sc_module {
  tlm_utils::simple_target_socket<ToBlocking> tsock{"tsock"};
  tlm_utils::simple_initiator_socket<ToBlocking> isock{"isock"};
  explicit ToBlocking(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    tsock.register_b_transport(this, &ToBlocking::b_transport);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) { isock->b_transport(payload, delay); }
};

/// b_transport in, nb_transport out.
struct ToNonBlocking : sc_core::sc_module {
  tlm_utils::simple_target_socket<ToNonBlocking> tsock{"tsock"};
  tlm_utils::simple_initiator_socket<ToNonBlocking> isock{"isock"};
  explicit ToNonBlocking(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    tsock.register_nb_transport_fw(this, &ToNonBlocking::forward);
    isock.register_nb_transport_bw(this, &ToNonBlocking::backward);
  }
  tlm::tlm_sync_enum forward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_time& delay) {
    return isock->nb_transport_fw(payload, phase, delay);
  }
  tlm::tlm_sync_enum backward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_time& delay) {
    return tsock->nb_transport_bw(payload, phase, delay);
  }
};

/// Blocking calls from several threads, contents checked.
struct Threads : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Threads> isock{"isock"};
  unsigned calls = 0;
  unsigned wrong = 0;
  Threads(sc_core::sc_module_name name, unsigned threads) : sc_core::sc_module(name) {
    for (unsigned i = 0; i < threads; ++i) sc_core::sc_spawn([this, i] { run(i); });
  }
  void run(unsigned id) {
    std::mt19937_64 random(id);
    std::vector<unsigned char> written(256), got(256);
    for (int i = 0; i < 200; ++i) {
      const unsigned length = 1 + static_cast<unsigned>(random() % 256);
      for (unsigned j = 0; j < length; ++j) written[j] = static_cast<unsigned char>(random());
      call(tlm::TLM_WRITE_COMMAND, id * 4096, length, written.data());
      call(tlm::TLM_READ_COMMAND, id * 4096, length, got.data());
      if (!std::equal(got.begin(), got.begin() + length, written.begin())) ++wrong;
    }
  }
  void call(tlm::tlm_command command, std::uint64_t address, unsigned length, unsigned char* data) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(data);
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    payload.set_byte_enable_ptr(nullptr);
    payload.set_dmi_allowed(false);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_time delay = sc_core::SC_ZERO_TIME;
    isock->b_transport(payload, delay);
    if (!payload.is_response_ok()) ++wrong;
    wait(delay);
    ++calls;
  }
};

}  // namespace

TEST_CASE("channel: behind an adapter from nb_transport to b_transport") {
  Bench bench(find_preset("DDR4-3200"), Contents::kStored);
  ToBlocking bridge("bridge");
  bus::ProtocolChecker<> outer("outer");
  outer.isock.bind(bridge.tsock);
  bridge.isock.bind(bench.check.tsock);
  bench.requester = std::make_unique<Requester<>>("requester", 2000u, 16u, crowd(70, 16384), 0u, std::size_t{16384});
  bench.requester->isock.bind(outer.tsock);
  sc_core::sc_start();
  outer.rules.finish();
  REQUIRE(outer.rules.violations() == 0);
  bench.finish();
}

TEST_CASE("channel: behind an adapter from b_transport to nb_transport, four threads") {
  Bench bench(find_preset("DDR4-3200"), Contents::kStored);
  ToNonBlocking bridge("bridge");
  Threads threads("threads", 4);
  threads.isock.bind(bridge.tsock);
  bridge.isock.bind(bench.check.tsock);
  sc_core::sc_start();
  REQUIRE(threads.calls == 4 * 400);
  REQUIRE(threads.wrong == 0);
  REQUIRE(bench.check.rules.violations() == 0);
  REQUIRE(bench.channel.in_flight() == 0);
}

TEST_CASE("channel: blocking threads directly at the socket, beside nothing else") {
  Bench bench(find_preset("DDR4-3200"), Contents::kStored);
  Threads threads("threads", 4);
  threads.isock.bind(bench.check.tsock);
  sc_core::sc_start();
  REQUIRE(threads.calls == 4 * 400);
  REQUIRE(threads.wrong == 0);
  REQUIRE(bench.channel.in_flight() == 0);
}

TEST_CASE("channel: loosely timed streams of 4 KiB take the approximately timed time within 2 %") {
  DramChannel<> at("at", find_preset("DDR4-3200"), Contents::kNone),
      lt("lt", find_preset("DDR4-3200"), Contents::kNone);
  RulesKept kept_at(at), kept_lt(lt);
  const auto stream = [](std::uint64_t i) { return read(4096 * i, 4096); };
  Requester<> a("a", 5000u, 16u, stream), b("b", 5000u, 16u, stream);
  b.isock.set_style(bus::Style::loosely_timed);
  b.isock.set_max_outstanding(16);
  a.isock.bind(at.tsock);
  b.isock.bind(lt.tsock);
  sc_core::sc_start();
  REQUIRE(a.answers == 5000);
  REQUIRE(b.answers == 5000);
  INFO("AT " << a.last_answer << ", LT " << b.last_answer);
  REQUIRE(std::abs(b.last_answer / a.last_answer - 1.0) < 0.02);
}
