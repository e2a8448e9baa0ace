// DMA engines between a memory of fixed latency and a stream, times worked by hand (clock 2 ns; c = cycle).
#include <cstdint>
#include <memory>
#include <random>
#include <systemc>
#include <vector>

#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/tlm/analysis.h"
#include "harmonia/tlm/protocol_checker.h"
#include "tests/memory/support.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::memory;
using namespace harmonia::test;
using sc_core::sc_time;

namespace {

DmaConfig config_of(std::uint32_t outstanding, DmaTiming timing = DmaTiming::kApproximate) {
  DmaConfig config;
  config.outstanding = outstanding;
  config.latency_cycles = 4;
  config.clock_ps = kClockPs;
  config.timing = timing;
  return config;
}

/// commander -> reader; memory <- checker <- reader -> checker -> sink
template <class Sink>
struct ReadBench {
  Commander commander{"commander"};
  DmaReader<> reader;
  FixedMemory memory;
  Sink sink;
  bus::ProtocolChecker<> memory_check{"memory_check"};
  bus::ProtocolChecker<> stream_check{"stream_check"};
  bus::ProtocolChecker<> command_check{"command_check"};
  std::vector<DmaCompletion> completions;
  bus::Subscriber<DmaCompletion> subscriber{[this](const DmaCompletion& c) { completions.push_back(c); }};

  template <class SinkArgument>
  ReadBench(const DmaConfig& config, std::uint64_t latency_cycles, SinkArgument argument)
      : reader("reader", config), memory("memory", latency_cycles), sink("sink", argument) {
    commander.isock.bind(command_check.tsock);
    command_check.isock.bind(reader.command_tsock);
    reader.memory_isock.bind(memory_check.tsock);
    memory_check.isock.bind(memory.tsock);
    reader.stream_isock.bind(stream_check.tsock);
    stream_check.isock.bind(sink.tsock);
    reader.completed.bind(subscriber);
    const auto bytes = pattern(0, 1 << 20);
    memory.storage.write(0, bytes.data(), bytes.size());
  }
  void finish() {
    for (auto* check : {&memory_check, &stream_check, &command_check}) {
      check->rules.finish();
      REQUIRE(check->rules.violations() == 0);
      REQUIRE(check->rules.open() == 0);
    }
    REQUIRE(reader.idle());
    const DmaStatistics& s = reader.statistics();
    REQUIRE(s.transactions == memory_check.rules.begun());
    REQUIRE(s.transactions == stream_check.rules.completed());
  }
};

void check_hand_worked(DmaTiming timing) {
  // Two slots; the memory answers 10 cycles after the request; the sink takes each chunk 3 cycles after it is offered.
  //   request   answer   ready (+4)   offered   taken
  //   c4        c14      c18          c18       c21
  //   c5        c15      c19          c21       c24     (the sink was busy until c21)
  //   c21       c31      c35          c35       c38     (slot 0 free at c21)
  //   c24       c34      c38          c38       c41     (slot 1 free at c24)
  ReadBench<RecordingSink> bench(config_of(2, timing), 10, 3);
  DmaDescriptor descriptor;
  descriptor.tag = 77;
  descriptor.operation = 9;
  descriptor.add(segment(8192, 4 * 4096));
  bench.commander.at(cycles(0), descriptor);
  sc_core::sc_start();

  REQUIRE((bench.memory.arrivals == std::vector<sc_time>{cycles(4), cycles(5), cycles(21), cycles(24)}));
  REQUIRE(bench.sink.arrivals.size() == 4);
  const std::uint64_t offered[] = {18, 21, 35, 38};
  for (std::size_t i = 0; i < 4; ++i) {
    const Arrival& arrival = bench.sink.arrivals[i];
    REQUIRE(arrival.when == cycles(offered[i]));
    REQUIRE(arrival.bytes == pattern(8192 + 4096 * i, 4096));
    REQUIRE(arrival.address == 4096 * i);
    REQUIRE(arrival.chunk.operation == 9);
    REQUIRE(arrival.chunk.traffic == bus::TrafficClass::weights);
    REQUIRE(arrival.chunk.first_of_tile == (i == 0));
    REQUIRE(arrival.chunk.last_of_tile == (i == 3));
  }
  REQUIRE(bench.completions.size() == 1);
  REQUIRE(bench.completions[0].tag == 77);
  REQUIRE(bench.completions[0].bytes == 4 * 4096);
  REQUIRE(bench.completions[0].when == cycles(41));
  const DmaStatistics& s = bench.reader.statistics();
  REQUIRE(s.busy == 4);
  REQUIRE(s.stall_no_descriptor == 4);               // c0 to c4
  REQUIRE(s.stall_outstanding == 18 - 6);            // request 2: the slot's data was there at c18 ...
  REQUIRE(s.stall_stream == (21 - 18) + (24 - 22));  // ... and taken at c21; request 3 waits for the stream from c22
  REQUIRE(s.stall_memory == 0);
  REQUIRE(s.busy + s.stall_no_descriptor + s.stall_outstanding + s.stall_stream + s.stall_memory == 25);
  bench.finish();
}

}  // namespace

TEST_CASE("dma reader: hand-worked times, approximately timed") { check_hand_worked(DmaTiming::kApproximate); }
TEST_CASE("dma reader: hand-worked times, loosely timed: the same") { check_hand_worked(DmaTiming::kLoose); }

TEST_CASE("dma reader: a transaction every so many cycles") {
  // As above, but no request within four cycles of the one before.
  DmaConfig config = config_of(2, DmaTiming::kApproximate);
  config.issue_cycles = 4;
  ReadBench<RecordingSink> bench(config, 10, 3);
  DmaDescriptor descriptor;
  descriptor.add(segment(8192, 4 * 4096));
  bench.commander.at(cycles(0), descriptor);
  sc_core::sc_start();
  REQUIRE((bench.memory.arrivals == std::vector<sc_time>{cycles(4), cycles(8), cycles(21), cycles(25)}));
  bench.finish();
}

TEST_CASE("dma reader: requests of the next operation follow without a gap") {
  // Sixteen slots: nothing ever waits for a slot here, so request i goes out at c(4 + i) whatever descriptor it belongs
  // to.
  ReadBench<RecordingSink> bench(config_of(16), 50, 0);
  for (int i = 0; i < 4; ++i) {
    DmaDescriptor descriptor;
    descriptor.tag = static_cast<std::uint64_t>(i);
    descriptor.data_valid = false;
    descriptor.add(segment(static_cast<std::uint64_t>(i) << 16, 3 * 4096));
    bench.commander.at(cycles(0), descriptor);
  }
  sc_core::sc_start();
  REQUIRE(bench.memory.arrivals.size() == 12);
  for (std::size_t i = 0; i < 12; ++i) REQUIRE(bench.memory.arrivals[i] == cycles(4 + i));
  REQUIRE(bench.completions.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(bench.completions[i].tag == i);
    REQUIRE(bench.completions[i].when == cycles(4 + 3 * i + 2 + 50 + 4));
  }
  bench.finish();
}

TEST_CASE("dma reader: the descriptor queue is bounded, and answers on completion when asked to") {
  DmaConfig config = config_of(1);
  config.descriptors = 2;
  ReadBench<RecordingSink> bench(config, 10, 0);
  // One slot: a transfer of one transaction takes request, +10 answer, +4 out; the slot is free in that same cycle.
  //   transfer 0: c4 to c18; 1: c18 to c32; 2: c32 to c46; 3: c46 to c60
  for (int i = 0; i < 4; ++i) {
    DmaDescriptor descriptor;
    descriptor.respond_when_done = i == 1;
    descriptor.add(segment(0, 64));
    bench.commander.at(cycles(0), descriptor);
  }
  sc_core::sc_start();
  // 0 and 1 are queued at c0; 0 leaves the queue at c4 and makes room for 2; 1 leaves it at once when 0 has been sent,
  // because the plan is read ahead, and makes room for 3. Only 1's answer waits for its transfer.
  REQUIRE(bench.commander.answers.size() == 4);
  REQUIRE(bench.commander.answers[0].second == cycles(0));
  REQUIRE(bench.commander.answers[1].second == cycles(4));
  REQUIRE(bench.commander.answers[2].second == cycles(4));
  REQUIRE(bench.commander.answers[3].second == cycles(32));
  for (const auto& answer : bench.commander.answers) REQUIRE(answer.first == tlm::TLM_OK_RESPONSE);
  REQUIRE(bench.completions.back().when == cycles(60));
  bench.finish();
}

TEST_CASE("dma reader: a bad descriptor is answered with an error and a reason, and does nothing") {
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
  ReadBench<RecordingSink> bench(config_of(2), 10, 0);
  DmaDescriptor descriptor;
  descriptor.direction = DmaDirection::kWrite;
  descriptor.add(segment(0, 64));
  bench.commander.at(cycles(0), descriptor);
  sc_core::sc_start();
  REQUIRE(bench.commander.answers.at(0).first == tlm::TLM_GENERIC_ERROR_RESPONSE);
  REQUIRE(bench.reader.last_refusal() == "direction is 1, expected 0 (a reader)");
  REQUIRE(bench.memory.arrivals.empty());
  bench.finish();
}

TEST_CASE("dma reader: a memory error is counted and reported") {
  sc_core::sc_report_handler::set_actions(sc_core::SC_ERROR, sc_core::SC_DO_NOTHING);
  ReadBench<RecordingSink> bench(config_of(2), 10, 0);
  DmaDescriptor descriptor;
  descriptor.data_valid = false;
  descriptor.add(segment(1 << 24, 64));
  bench.commander.at(cycles(0), descriptor);
  sc_core::sc_start();
  REQUIRE(bench.reader.statistics().errors == 1);
  bench.finish();
}

TEST_CASE("dma reader: in order, complete and never stuck behind a sink that stalls at random") {
  constexpr std::uint64_t kSeed = 5;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  std::mt19937_64 stalls(kSeed + 1);
  ReadBench<LateSink> bench(config_of(5), 23,
                            std::function<std::uint64_t()>([&] { return stalls() % 4 ? 0 : stalls() % 60; }));
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 200; ++i) {
    DmaDescriptor descriptor;
    descriptor.transaction_bytes = 256;
    const std::uint64_t address = random() % 100000;
    const auto bytes = static_cast<std::uint32_t>(1 + random() % 3000);
    descriptor.add(segment(address, bytes));
    const auto part = pattern(address, bytes);
    expected.insert(expected.end(), part.begin(), part.end());
    bench.commander.at(cycles(random() % 5000), descriptor);
  }
  sc_core::sc_start();
  std::vector<std::uint8_t> got;
  for (const Arrival& arrival : bench.sink.arrivals) got.insert(got.end(), arrival.bytes.begin(), arrival.bytes.end());
  REQUIRE(got == expected);
  REQUIRE(bench.completions.size() == 200);
  const DmaStatistics& s = bench.reader.statistics();
  REQUIRE(s.stall_stream > 0);
  REQUIRE(cycles(s.busy + s.stall_no_descriptor + s.stall_outstanding + s.stall_stream + s.stall_memory) >
          bench.memory.arrivals.back());
  REQUIRE(cycles(s.busy + s.stall_no_descriptor + s.stall_outstanding + s.stall_stream + s.stall_memory) <=
          bench.memory.arrivals.back() + cycles(1));
  bench.finish();
}

namespace {

/// commander -> writer; sender -> checker -> writer -> checker -> memory
struct WriteBench {
  Commander commander{"commander"};
  ChunkSender sender{"sender"};
  DmaWriter<> writer;
  FixedMemory memory;
  bus::ProtocolChecker<> memory_check{"memory_check"};
  bus::ProtocolChecker<> stream_check{"stream_check"};
  std::vector<DmaCompletion> completions;
  bus::Subscriber<DmaCompletion> subscriber{[this](const DmaCompletion& c) { completions.push_back(c); }};

  WriteBench(const DmaConfig& config, std::uint64_t latency_cycles)
      : writer("writer", config), memory("memory", latency_cycles) {
    commander.isock.bind(writer.command_tsock);
    sender.isock.bind(stream_check.tsock);
    stream_check.isock.bind(writer.stream_tsock);
    writer.memory_isock.bind(memory_check.tsock);
    memory_check.isock.bind(memory.tsock);
    writer.completed.bind(subscriber);
  }
  void finish() {
    for (auto* check : {&memory_check, &stream_check}) {
      check->rules.finish();
      REQUIRE(check->rules.violations() == 0);
      REQUIRE(check->rules.open() == 0);
    }
    REQUIRE(writer.idle());
  }
};

DmaDescriptor write_of(std::uint64_t address, std::uint32_t bytes) {
  DmaDescriptor descriptor;
  descriptor.direction = DmaDirection::kWrite;
  descriptor.add(segment(address, bytes, bus::TrafficClass::kv_write));
  return descriptor;
}

void check_writer_by_hand(DmaTiming timing) {
  // Two slots, stream port 128 bytes a cycle, transactions of 256 bytes: 2 cycles each. The memory answers after 10.
  // Chunk 0: 256 bytes at c10: in at c12, request c12 + 4 = c16, answer c26.
  // Chunk 1: 512 bytes at c12: first half in at c14, request c18, answer c28; the second half needs slot 0, free at
  // c26:
  //          in at c28, request c32, answer c42. So chunk 1 is taken at c28.
  DmaConfig config = config_of(2, timing);
  config.transaction_bytes = 256;
  WriteBench bench(config, 10);
  bench.commander.at(cycles(0), write_of(1024, 768));
  bench.sender.at(cycles(10), pattern(0, 256));
  bench.sender.at(cycles(12), pattern(256, 512));
  sc_core::sc_start();
  REQUIRE((bench.sender.accepted == std::vector<sc_time>{cycles(12), cycles(28)}));
  REQUIRE((bench.memory.arrivals == std::vector<sc_time>{cycles(16), cycles(18), cycles(32)}));
  REQUIRE(bench.completions.size() == 1);
  REQUIRE(bench.completions[0].when == cycles(42));
  std::vector<std::uint8_t> stored(768);
  bench.memory.storage.read(1024, stored.data(), 768);
  REQUIRE(stored == pattern(0, 768));
  const DmaStatistics& s = bench.writer.statistics();
  REQUIRE(s.busy == 6);
  REQUIRE(s.stall_stream == 10);
  REQUIRE(s.stall_outstanding == 26 - 14);
  REQUIRE(s.busy + s.stall_stream + s.stall_outstanding + s.stall_no_descriptor == 28);
  REQUIRE(s.bytes_by_class[static_cast<std::size_t>(bus::TrafficClass::kv_write)] == 768);
  bench.finish();
}

}  // namespace

TEST_CASE("dma writer: hand-worked times, approximately timed") { check_writer_by_hand(DmaTiming::kApproximate); }
TEST_CASE("dma writer: hand-worked times, loosely timed: the same") { check_writer_by_hand(DmaTiming::kLoose); }

TEST_CASE("dma writer: chunks and transactions cut the bytes independently and none is lost") {
  constexpr std::uint64_t kSeed = 11;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  DmaConfig config = config_of(3);
  config.transaction_bytes = 128;
  WriteBench bench(config, 17);
  std::uint64_t address = 1000;
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 300; ++i) {
    auto left = static_cast<std::uint32_t>(1 + random() % 900);
    bench.commander.at(cycles(random() % 3000), write_of(address, left));
    address += left;
    while (left > 0) {
      const auto bytes = static_cast<std::uint32_t>(1 + random() % left);
      left -= bytes;
      bench.sender.at(cycles(random() % 3000), pattern(expected.size(), bytes));
      const auto part = pattern(expected.size(), bytes);
      expected.insert(expected.end(), part.begin(), part.end());
    }
  }
  sc_core::sc_start();
  std::vector<std::uint8_t> stored(expected.size());
  bench.memory.storage.read(1000, stored.data(), stored.size());
  REQUIRE(stored == expected);
  REQUIRE(bench.completions.size() == 300);
  bench.finish();
}

TEST_CASE("dma writer: a chunk with more bytes than its descriptor is a burst error") {
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
  sc_core::sc_report_handler::set_actions(sc_core::SC_ERROR, sc_core::SC_DO_NOTHING);
  WriteBench bench(config_of(2), 10);
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  bench.sender.isock.on_response([&](auto& payload, const auto&) { status = payload.get_response_status(); });
  bench.commander.at(cycles(0), write_of(0, 100));
  bench.sender.at(cycles(10), pattern(0, 101));
  sc_core::sc_start();
  REQUIRE(status == tlm::TLM_BURST_ERROR_RESPONSE);
  REQUIRE(bench.memory.arrivals.empty());
}
