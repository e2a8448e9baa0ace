#include <cstdint>
#include <random>
#include <systemc>
#include <vector>

#include "harmonia/tlm/axis_transactor.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stall.h"
#include "tests/support/catch.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::ns;
using sc_core::sc_time;

namespace {

using Packet = std::vector<unsigned char>;

/// source -> checker -> pins (checked) -> checker -> stall -> sink, 1 ns clock.
template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>>
struct Loop : sc_core::sc_module {
  Loop(const sc_core::sc_module_name& name, double stall, std::uint64_t seed)
      : sc_core::sc_module(name),
        to_pins("to_pins", AxisStall{stall, seed}),
        from_pins("from_pins", AxisStall{stall, seed + 1}),
        stalls("stalls", StallConfig{seed + 2, stall, ns(20), true}) {
    source.bind(in_checker.tsock);
    in_checker.isock.bind(to_pins.tsock);
    from_pins.isock.bind(out_checker.tsock);
    out_checker.isock.bind(stalls.tsock);
    stalls.isock.bind(sink);
    to_pins.connect(signals);
    from_pins.connect(signals);
    for (auto* port : {&to_pins.clk, &from_pins.clk, &pin_checker.clk}) port->bind(clk);
    for (auto* port : {&to_pins.rst_n, &from_pins.rst_n, &pin_checker.rst_n}) port->bind(rst_n);
    from_pins.on_packet([this](Chunk& chunk, std::size_t) { chunk.operation = ++packets; });
    sink.on_chunk([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) {
      received.emplace_back(payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length());
      operations.push_back(chunk_of(payload).operation);
      arrivals.push_back(arrival);
      return std::optional<sc_time>(arrival);
    });
  }
  void send(const Packet& packet, const sc_time& when) {
    const PayloadPtr payload = pool.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(packet.size()), Data::buffer);
    std::copy(packet.begin(), packet.end(), payload->get_data_ptr());
    source.send(payload, when);
  }

  PayloadPool pool;
  sc_core::sc_clock clk{"clk", 1, sc_core::SC_NS};
  sc_core::sc_signal<bool> rst_n{"rst_n", true};
  StreamSource<> source{"source"};
  ProtocolChecker<> in_checker{"in_checker"}, out_checker{"out_checker"};
  AxisSignals<BITS, DATA, KEEP> signals{"axis"};
  StreamToAxis<BITS, DATA, KEEP> to_pins;
  AxisToStream<BITS, DATA, KEEP> from_pins;
  AxisChecker<BITS, DATA, KEEP> pin_checker{"pin_checker", signals};
  StallInjector<> stalls;
  StreamSink<> sink{"sink"};
  std::uint32_t packets = 0;
  std::vector<Packet> received;
  std::vector<std::uint32_t> operations;
  std::vector<sc_time> arrivals;
};

template <typename AnyLoop>
void random_packets(AnyLoop& loop, std::uint64_t seed, unsigned count, unsigned longest) {
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<Packet> sent;
  for (unsigned i = 0; i < count; ++i) {
    Packet packet(1 + random() % longest);
    for (unsigned char& byte : packet) byte = static_cast<unsigned char>(random());
    sent.push_back(packet);
    loop.send(packet, sc_core::sc_time_stamp() + ns(static_cast<double>(random() % 100)));
  }
  for (int i = 0; i < 1000 && loop.received.size() < count; ++i) sc_core::sc_start(ns(1000));
  REQUIRE(loop.received == sent);
  for (unsigned i = 0; i < count; ++i) REQUIRE(loop.operations[i] == i + 1);
  REQUIRE(loop.pin_checker.violations() == 0);
  REQUIRE(loop.to_pins.idle());
  loop.in_checker.rules.finish();
}

}  // namespace

TEST_CASE("chunks cross 64-bit pins unchanged under random stalls") {
  Loop<64> loop("loop", 0.4, 99);
  random_packets(loop, 99, 500, 100);
}

TEST_CASE("chunks cross pins of plain integer type") {
  Loop<32, std::uint32_t, std::uint32_t> loop("loop", 0.3, 5);
  random_packets(loop, 5, 500, 40);
}

TEST_CASE("chunks cross 512-bit pins") {
  Loop<512> loop("loop", 0.2, 17);
  random_packets(loop, 17, 200, 300);
}

TEST_CASE("without stalls the pins carry a beat a cycle") {
  Loop<64> loop("loop", 0, 1);
  sc_core::sc_start(ns(10));
  for (int i = 0; i < 10; ++i) loop.send(Packet(64, static_cast<unsigned char>(i)), ns(10));
  sc_core::sc_start(ns(200));
  REQUIRE(loop.received.size() == 10);
  REQUIRE(loop.pin_checker.beats() == 80);
  // Offered at 10 ns, on the pins after the edge at 11 at the latest, 8 beats taken at 12 to 19; then 8 cycles each.
  for (int i = 1; i < 10; ++i) REQUIRE(loop.arrivals[i] - loop.arrivals[i - 1] == ns(8));
  REQUIRE(loop.arrivals[0] <= ns(19));
}

TEST_CASE("a reset in flight loses the beats and not the chunk") {
  Loop<32> loop("loop", 0, 1);
  sc_core::sc_start(ns(5));
  Packet packet(64);
  for (unsigned i = 0; i < 64; ++i) packet[i] = static_cast<unsigned char>(i);
  loop.send(packet, ns(5));
  sc_core::sc_start(ns(8));
  loop.rst_n.write(false);
  sc_core::sc_start(ns(5));
  REQUIRE(loop.received.empty());
  loop.rst_n.write(true);
  sc_core::sc_start(ns(30));
  REQUIRE(loop.received == std::vector<Packet>{packet});
}

TEST_CASE("mutant - a beat that is withdrawn or changed is caught on the pins") {
  struct Top : sc_core::sc_module {
    explicit Top(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
      checker.clk(clk);
      checker.rst_n(rst_n);
      checker.on_violation([](const std::string&) {});
    }
    sc_core::sc_clock clk{"clk", 1, sc_core::SC_NS};
    sc_core::sc_signal<bool> rst_n{"rst_n", true};
    AxisSignals<32, std::uint32_t, std::uint32_t> signals{"axis"};
    AxisChecker<32, std::uint32_t, std::uint32_t> checker{"checker", signals};
  } top("top");
  const auto cycle = [] { sc_core::sc_start(ns(1)); };
  top.signals.tvalid.write(true);
  top.signals.tdata.write(1);
  cycle();
  cycle();
  REQUIRE(top.checker.violations() == 0);
  top.signals.tdata.write(2);
  cycle();
  cycle();
  REQUIRE(top.checker.violations() == 1);
  top.signals.tvalid.write(false);
  cycle();
  cycle();
  REQUIRE(top.checker.violations() == 2);
}
