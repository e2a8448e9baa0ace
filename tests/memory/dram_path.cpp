// The memory path as a whole: DMA engines, interconnect, DRAM channels, stream buffer.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/dram/dram_system.h"
#include "harmonia/hw/memory/buffer_module.h"
#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/tlm/analysis.h"
#include "harmonia/tlm/protocol_checker.h"
#include "tests/memory/support.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::memory;
using namespace harmonia::test;
using bus::TrafficClass;

namespace {

dram::DramSystemConfig channels(std::uint32_t n) {
  dram::DramSystemConfig config;
  config.channels = n;
  return config;
}

DmaConfig engine(DmaTiming timing) {
  DmaConfig config;
  config.timing = timing;
  return config;
}

}  // namespace

TEST_CASE(
    "path: what a writer stores in two channels a reader brings back, byte for byte, and the bytes are conserved") {
  dram::DramSystem<> system("system", channels(2), dram::find_preset("DDR4-3200"), dram::Contents::kStored, 2u);
  DmaWriter<> writer("writer", engine(DmaTiming::kApproximate));
  DmaReader<> reader("reader", engine(DmaTiming::kApproximate));
  Commander write_commander("write_commander"), read_commander("read_commander");
  ChunkSender sender("sender");
  StreamBufferConfig buffer_config;
  buffer_config.mode = BufferMode::kStreaming;
  StreamBuffer<> buffer("buffer", buffer_config);
  RecordingSink sink("sink", 0);
  bus::ProtocolChecker<> write_check("write_check"), read_check("read_check");
  write_commander.isock.bind(writer.command_tsock);
  read_commander.isock.bind(reader.command_tsock);
  sender.isock.bind(writer.stream_tsock);
  writer.memory_isock.bind(write_check.tsock);
  write_check.isock.bind(system.tsock(0));
  reader.memory_isock.bind(read_check.tsock);
  read_check.isock.bind(system.tsock(1));
  reader.stream_isock.bind(buffer.tsock);
  buffer.isock.bind(sink.tsock);

  // 100,000 bytes in rows of 1000 that lie 1536 apart, in chunks of 4000.
  constexpr std::uint32_t kRows = 100;
  DmaDescriptor store;
  store.direction = DmaDirection::kWrite;
  DmaSegment rows = segment(12345, 1000, TrafficClass::kv_write);
  rows.rows = kRows;
  rows.stride_bytes = 1536;
  store.add(rows);
  write_commander.at(cycles(0), store);
  for (std::uint64_t at = 0; at < kRows * 1000; at += 4000) sender.at(cycles(0), pattern(at, 4000));
  // The read begins when the last write has been answered.
  DmaDescriptor load = store;
  load.direction = DmaDirection::kRead;
  load.segments[0].traffic = TrafficClass::kv_read;
  bus::Subscriber<DmaCompletion> stored([&](const DmaCompletion& completion) {
    REQUIRE(completion.bytes == kRows * 1000);
    REQUIRE(completion.when < cycles(100000));
  });
  writer.completed.bind(stored);
  read_commander.at(cycles(100000), load);
  sc_core::sc_start();

  std::vector<std::uint8_t> got;
  for (const Arrival& arrival : sink.arrivals) got.insert(got.end(), arrival.bytes.begin(), arrival.bytes.end());
  REQUIRE(got == pattern(0, kRows * 1000));
  for (bus::ProtocolChecker<>* check : {&write_check, &read_check}) {
    check->rules.finish();
    REQUIRE(check->rules.violations() == 0);
  }
  REQUIRE(system.in_flight() == 0);
  std::uint64_t asked[bus::traffic_class_count] = {};
  for (unsigned c = 0; c < system.channels(); ++c) {
    for (std::size_t i = 0; i < bus::traffic_class_count; ++i) asked[i] += system.channel(c).counts().request_bytes[i];
  }
  REQUIRE(asked[static_cast<std::size_t>(TrafficClass::kv_write)] == kRows * 1000);
  REQUIRE(asked[static_cast<std::size_t>(TrafficClass::kv_read)] == kRows * 1000);
  REQUIRE(writer.statistics().bytes == kRows * 1000);
  REQUIRE(reader.statistics().bytes == kRows * 1000);
  REQUIRE(system.pin_bytes()[static_cast<std::size_t>(TrafficClass::kv_read)] >= kRows * 1000);
}

TEST_CASE(
    "path: weights and scales of one engine, loosely and approximately timed within 2 % and near the channels' peak") {
  struct Path {
    dram::DramSystem<> system;
    DmaReader<> reader;
    Commander commander;
    StreamBuffer<> buffer;
    RecordingSink sink;
    sc_core::sc_time end;
    bus::Subscriber<DmaCompletion> subscriber{[this](const DmaCompletion& c) { end = std::max(end, c.when); }};

    Path(const std::string& tag, DmaTiming timing)
        : system(("system" + tag).c_str(), channels(2), dram::find_preset("DDR4-3200"), dram::Contents::kNone, 1u),
          reader(("reader" + tag).c_str(), engine(timing)),
          commander(("commander" + tag).c_str()),
          buffer(("buffer" + tag).c_str(), StreamBufferConfig{},
                 timing == DmaTiming::kLoose ? bus::Style::loosely_timed : bus::Style::approximately_timed),
          sink(("sink" + tag).c_str(), 0) {
      commander.isock.bind(reader.command_tsock);
      reader.memory_isock.bind(system.tsock(0));
      reader.stream_isock.bind(buffer.tsock);
      buffer.isock.bind(sink.tsock);
      reader.completed.bind(subscriber);
      sink.keep_bytes = false;
      // 64 tiles of 120 KiB of indices with 7.5 KiB of scales, which lie elsewhere.
      for (std::uint64_t tile = 0; tile < 64; ++tile) {
        DmaDescriptor descriptor;
        descriptor.data_valid = false;
        descriptor.paced = true;
        descriptor.add(segment((std::uint64_t{1} << 28) + tile * 7680, 7680, TrafficClass::scales));
        descriptor.add(segment(tile * 122880, 122880, TrafficClass::weights));
        commander.at(cycles(0), descriptor);
      }
    }
  };
  Path at("_at", DmaTiming::kApproximate), lt("_lt", DmaTiming::kLoose);
  sc_core::sc_start();
  REQUIRE(at.reader.idle());
  REQUIRE(lt.reader.idle());
  const double bytes = 64 * (122880.0 + 7680.0);
  const double at_share = bytes / at.end.to_seconds() / 51.2e9;
  INFO("AT " << at.end << " (" << at_share << " of the peak), LT " << lt.end);
  // Two channels give 51.2 GB/s, that is 102 bytes a cycle; the buffer takes 128.
  REQUIRE(at_share > 0.90);
  REQUIRE(at_share < 0.955);  // refresh
  REQUIRE(std::abs(lt.end / at.end - 1.0) < 0.02);
  // Both moved the same chunks in the same order.
  REQUIRE(at.sink.arrivals.size() == lt.sink.arrivals.size());
  for (std::size_t i = 0; i < at.sink.arrivals.size(); ++i) {
    REQUIRE(at.sink.arrivals[i].chunk.traffic == lt.sink.arrivals[i].chunk.traffic);
    REQUIRE(at.sink.arrivals[i].chunk.last_of_tile == lt.sink.arrivals[i].chunk.last_of_tile);
  }
  REQUIRE(at.system.pin_bytes() == lt.system.pin_bytes());
}
