// DMA reader -> stream buffer -> consumer: the whole chain worked by hand and asserted to the cycle; function under
// stalls.
#include <cstdint>
#include <random>
#include <systemc>
#include <vector>

#include "harmonia/hw/memory/buffer_module.h"
#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/tlm/protocol_checker.h"
#include "tests/memory/support.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::memory;
using namespace harmonia::test;

namespace {

DmaConfig dma_config(DmaTiming timing) {
  DmaConfig config;
  config.outstanding = 4;
  config.transaction_bytes = 512;
  config.latency_cycles = 4;
  config.clock_ps = kClockPs;
  config.timing = timing;
  return config;
}

StreamBufferConfig buffer_config(BufferMode mode) {
  StreamBufferConfig config;
  config.capacity_bytes = 2048;
  config.banks = 4;
  config.bank_bytes_per_cycle = 64;  // 128 bytes a cycle each way: 4 cycles for 512 bytes
  config.latency_cycles = 2;
  config.clock_ps = kClockPs;
  config.mode = mode;
  return config;
}

template <class Sink>
struct Chain {
  Commander commander{"commander"};
  DmaReader<> reader;
  FixedMemory memory{"memory", 10};
  StreamBuffer<> buffer;
  Sink sink;
  bus::ProtocolChecker<> memory_check{"memory_check"};
  bus::ProtocolChecker<> in_check{"in_check"};
  bus::ProtocolChecker<> out_check{"out_check"};

  template <class SinkArgument>
  Chain(DmaTiming timing, BufferMode mode, SinkArgument argument)
      : reader("reader", dma_config(timing)),
        buffer("buffer", buffer_config(mode),
               timing == DmaTiming::kLoose ? bus::Style::loosely_timed : bus::Style::approximately_timed),
        sink("sink", argument) {
    commander.isock.bind(reader.command_tsock);
    reader.memory_isock.bind(memory_check.tsock);
    memory_check.isock.bind(memory.tsock);
    reader.stream_isock.bind(in_check.tsock);
    in_check.isock.bind(buffer.tsock);
    buffer.isock.bind(out_check.tsock);
    out_check.isock.bind(sink.tsock);
    const auto bytes = pattern(0, 1 << 20);
    memory.storage.write(0, bytes.data(), bytes.size());
  }
  void finish() {
    for (auto* check : {&memory_check, &in_check, &out_check}) {
      check->rules.finish();
      REQUIRE(check->rules.violations() == 0);
      REQUIRE(check->rules.open() == 0);
    }
    REQUIRE(reader.idle());
    REQUIRE(buffer.resident_chunks() == 0);
  }
};

DmaDescriptor tile(std::uint64_t address, std::uint32_t bytes, bool data = true) {
  DmaDescriptor descriptor;
  descriptor.data_valid = data;
  descriptor.add(segment(address, bytes));
  return descriptor;
}

void check_tiles(DmaTiming timing, bool data) {
  // Three tiles of two 512-byte chunks (a half holds 1024). The consumer takes a chunk 8 cycles after it is offered.
  // Reader, four slots: requests 0..3 at c4..c7, ready at c18, c19, c20, c21.
  // Buffer in (4 cycles a chunk): chunk 0 offered c18, in c22; 1: c22, c26. Tile 0 complete at c26.
  //   2: c26, c30; 3: c30, c34. Tile 1 complete at c34. Slots free at c22, c26, c30, c34.
  // Requests 4 at c22, ready c36; 5 at c26, ready c40.
  // Buffer out: chunk 0 read c26..c30, offered c32, taken c40. The port was held 8 more: free at c38.
  //   1: c38..c42, offered c44, taken c52, port free at c50. Half 0 free at c52.
  //   2: c50..c54, offered c56, taken c64; port c62.  3: c62..c66, offered c68, taken c76; port c74.
  // Tile 2 into half 0 from c52: chunk 4 in c56, 5 in c60; tile complete c60.
  //   4: c74..c78, offered c80, taken c88; port c86.  5: c86..c90, offered c92, taken c100.
  Chain<RecordingSink> chain(timing, BufferMode::kTiles, 8);
  for (std::uint64_t i = 0; i < 3; ++i) chain.commander.at(cycles(0), tile(4096 * i, 1024, data));
  sc_core::sc_start();
  const std::uint64_t requests[] = {4, 5, 6, 7, 22, 26};
  const std::uint64_t offered[] = {32, 44, 56, 68, 80, 92};
  REQUIRE(chain.memory.arrivals.size() == 6);
  REQUIRE(chain.sink.arrivals.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    REQUIRE(chain.memory.arrivals[i] == cycles(requests[i]));
    REQUIRE(chain.sink.arrivals[i].when == cycles(offered[i]));
    REQUIRE(chain.sink.arrivals[i].chunk.data_valid == data);
    if (data) REQUIRE(chain.sink.arrivals[i].bytes == pattern(4096 * (i / 2) + 512 * (i % 2), 512));
  }
  const StreamBufferStatistics s = chain.buffer.statistics();
  REQUIRE(s.tiles == 3);
  REQUIRE(s.peak_bytes == 2048);
  REQUIRE(s.write_busy == 24);
  REQUIRE(s.write_no_input == 18 + (36 - 34));
  REQUIRE(s.write_no_room == 52 - 36);
  REQUIRE(s.read_busy == 24);
  REQUIRE(s.read_blocked == 6 * 8);
  REQUIRE(s.read_no_data == 26);
  chain.finish();
}

}  // namespace

TEST_CASE("chain, tiles: hand-worked times, functional") { check_tiles(DmaTiming::kApproximate, true); }
TEST_CASE("chain, tiles: timing-only is the same to the cycle") { check_tiles(DmaTiming::kApproximate, false); }
TEST_CASE("chain, tiles: loosely timed is the same to the cycle") { check_tiles(DmaTiming::kLoose, true); }

TEST_CASE("chain, streaming: hand-worked times") {
  // As above, but a chunk is read as soon as it is written, and its room returns when it is taken.
  // In: c22, c26, c30, c34 as before. Out: chunk 0 read c22..c26, offered c28, taken c36, port free c34.
  //   1: c34..c38, offered c40, taken c48, port c46. 2: c46..c50, offered c52. 3: c58.., offered c64. 4: offered c76,
  //   5: c88.
  // Room for chunk 4 (ready c36) at c36: 4 x 512 fill the ring; chunk 0 leaves at c36.
  Chain<RecordingSink> chain(DmaTiming::kApproximate, BufferMode::kStreaming, 8);
  chain.commander.at(cycles(0), tile(0, 3072));
  sc_core::sc_start();
  const std::uint64_t offered[] = {28, 40, 52, 64, 76, 88};
  REQUIRE(chain.sink.arrivals.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    REQUIRE(chain.sink.arrivals[i].when == cycles(offered[i]));
    REQUIRE(chain.sink.arrivals[i].bytes == pattern(512 * i, 512));
  }
  chain.finish();
}

TEST_CASE("chain: the consumer's times may come late without changing what they are") {
  // The same as the first case, but the sink answers each chunk by accept() when its time has come.
  Chain<LateSink> chain(DmaTiming::kApproximate, BufferMode::kTiles, std::function<std::uint64_t()>([] { return 8u; }));
  for (std::uint64_t i = 0; i < 3; ++i) chain.commander.at(cycles(0), tile(4096 * i, 1024));
  sc_core::sc_start();
  const std::uint64_t offered[] = {32, 44, 56, 68, 80, 92};
  REQUIRE(chain.sink.arrivals.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) REQUIRE(chain.sink.arrivals[i].when == cycles(offered[i]));
  chain.finish();
}

TEST_CASE("chain: random tiles and stalls change no byte, lose none and never get stuck") {
  constexpr std::uint64_t kSeed = 21;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed), stalls(kSeed + 1);
  Chain<LateSink> chain(DmaTiming::kApproximate, BufferMode::kTiles,
                        std::function<std::uint64_t()>([&] { return stalls() % 3 ? 0 : stalls() % 40; }));
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t address = random() % 100000;
    const auto bytes = static_cast<std::uint32_t>(1 + random() % 1024);
    chain.commander.at(cycles(random() % 9000), tile(address, bytes));
    const auto part = pattern(address, bytes);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  sc_core::sc_start();
  std::vector<std::uint8_t> got;
  for (const Arrival& arrival : chain.sink.arrivals) got.insert(got.end(), arrival.bytes.begin(), arrival.bytes.end());
  REQUIRE(got == expected);
  REQUIRE(chain.buffer.statistics().tiles == 400);
  REQUIRE(chain.buffer.statistics().peak_bytes <= 2048);
  chain.finish();
}

TEST_CASE("chain: a tile larger than a half is answered with a burst error") {
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions(sc_core::SC_ERROR, sc_core::SC_DO_NOTHING);
  Chain<RecordingSink> chain(DmaTiming::kApproximate, BufferMode::kTiles, 0);
  chain.commander.at(cycles(0), tile(0, 1536));
  sc_core::sc_start();
  REQUIRE(chain.buffer.refused() == 1);
  REQUIRE(chain.sink.arrivals.empty());
}
