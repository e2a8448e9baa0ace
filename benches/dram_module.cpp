// Host time of a DRAM request through the socket beside the bare engine on the same closed-loop traffic, and of a 4 KiB
// weight chunk's whole way: DMA -> interconnect -> DRAM channels -> DMA -> stream buffer -> sink.
//
// Targets: through the socket not less than half of the engine's throughput; the module less than 150 ns on top of the
// engine for a 4 KiB request; the whole way of a chunk less than 400 ns. Times are CPU time of this process, best of
// three runs.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/hw/dram/dram_system.h"
#include "harmonia/hw/memory/buffer_module.h"
#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/stream.h"

namespace {

using namespace harmonia;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

constexpr int kRuns = 3;

struct Traffic {
  const char* name;
  unsigned length;
  unsigned in_flight;
  std::uint64_t requests;
};

/// The engine alone: sequential reads, the next one offered when an earlier one is done.
double bare_ns(const dram::Config& config, const Traffic& traffic) {
  dram::Engine engine(config);
  std::vector<dram::Cycle> offers(traffic.in_flight, 0);  // ring of the cycles at which the next requests are due
  std::size_t head = 0, waiting = traffic.in_flight;
  std::uint64_t sent = 0, done = 0;
  dram::Cycle now = 0;
  const double start = cpu_seconds();
  while (done < traffic.requests) {
    if (waiting > 0 && sent < traffic.requests && engine.can_accept(dram::Op::kRead)) {
      now = std::max(now, offers[head]);
      head = (head + 1) % offers.size();
      --waiting;
      engine.push({sent * traffic.length, traffic.length, dram::Op::kRead, sent}, now);
      ++sent;
      ++now;  // one request a cycle
    } else {
      now = std::max(now, engine.next_wake(waiting > 0 && sent < traffic.requests));
      engine.advance(now);
    }
    for (const dram::Completion& completion : engine.completions()) {
      offers[(head + waiting++) % offers.size()] = completion.done;
      ++done;
    }
    engine.completions().clear();
  }
  return (cpu_seconds() - start) * 1e9 / static_cast<double>(traffic.requests);
}

/// The same through the socket.
class Reader : public sc_core::sc_module {
 public:
  bus::MemoryInitiator<> isock{"isock"};
  std::uint64_t answers = 0;

  Reader(sc_core::sc_module_name name, const Traffic& traffic) : sc_core::sc_module(name), traffic_(traffic) {
    isock.on_response([this](auto&, const auto& when) {
      ++answers;
      if (sent_ % traffic_.requests != 0) send(when);
    });
  }
  void start() {
    for (unsigned i = 0; i < traffic_.in_flight; ++i) send(sc_core::sc_time_stamp());
  }

 private:
  void send(const sc_core::sc_time& when) {
    isock.send(pool_.make(tlm::TLM_READ_COMMAND, (sent_ % traffic_.requests) * traffic_.length, traffic_.length,
                          bus::Data::scratch),
               when);
    ++sent_;
  }
  Traffic traffic_;
  std::uint64_t sent_ = 0;
  bus::PayloadPool pool_;
};

class Sink : public sc_core::sc_module {
 public:
  bus::StreamSink<> tsock{"tsock"};
  std::uint64_t bytes = 0;
  explicit Sink(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    tsock.on_chunk([this](auto& payload, const auto& arrival) {
      bytes += payload.get_data_length();
      return std::optional<sc_core::sc_time>(arrival);
    });
  }
};

/// DMA, two channels, buffer and sink.
struct Way : sc_core::sc_module {
  bus::MemoryInitiator<> command;
  dram::DramSystem<> system;
  memory::DmaReader<> dma;
  memory::StreamBuffer<> buffer;
  Sink sink;

  static dram::DramSystemConfig two_channels() {
    dram::DramSystemConfig config;
    config.channels = 2;
    return config;
  }
  explicit Way(sc_core::sc_module_name name)
      : sc_core::sc_module(name),
        command("command"),
        system("system", two_channels(), dram::find_preset("DDR4-3200"), dram::Contents::kNone, 1u),
        dma("dma", memory::DmaConfig{}),
        buffer("buffer", memory::StreamBufferConfig{}),
        sink("sink") {
    command.bind(dma.command_tsock);
    dma.memory_isock.bind(system.tsock(0));
    dma.stream_isock.bind(buffer.tsock);
    buffer.isock.bind(sink.tsock);
  }
  void start(std::uint64_t chunks) {
    // Tiles of 128 KiB, as large as a half of the buffer.
    for (std::uint64_t at = 0; at < chunks; at += 32) {
      memory::DmaDescriptor descriptor;
      memory::DmaSegment segment;
      segment.address = at * 4096;
      segment.row_bytes = 32 * 4096;
      segment.traffic = bus::TrafficClass::weights;
      descriptor.add(segment);
      descriptor.data_valid = false;
      const auto length = static_cast<unsigned>(descriptor.encoded_bytes());
      bus::PayloadPtr payload = bus::PayloadPool::shared().make(tlm::TLM_WRITE_COMMAND, 0, length, bus::Data::buffer);
      std::memcpy(payload->get_data_ptr(), &descriptor, length);
      command.send(std::move(payload), sc_core::sc_time_stamp());
    }
  }
};

}  // namespace

int sc_main(int, char*[]) {
  const Traffic traffics[] = {{"seq 64 B", 64, 64, 400000}, {"seq 4 KiB", 4096, 16, 100000}};
  const char* presets[] = {"DDR4-3200", "HBM2-2000", "LPDDR5-6400", "HBM3-6400"};

  struct Row {
    std::string preset;
    Traffic traffic;
    std::unique_ptr<dram::DramChannel<>> channel;
    std::unique_ptr<Reader> reader;
  };
  std::vector<Row> rows;
  for (const char* preset : presets) {
    for (const Traffic& traffic : traffics) {
      Row row{preset, traffic, nullptr, nullptr};
      const std::string tag = std::to_string(rows.size());
      row.channel = std::make_unique<dram::DramChannel<>>(("channel" + tag).c_str(), dram::find_preset(preset),
                                                          dram::Contents::kNone);
      row.reader = std::make_unique<Reader>(("reader" + tag).c_str(), traffic);
      row.reader->isock.bind(row.channel->tsock);
      rows.push_back(std::move(row));
    }
  }
  Way way("way");

  std::printf("%-12s %-10s %12s %12s %10s %14s\n", "channel", "traffic", "engine ns", "socket ns", "ratio",
              "on top ns");
  for (Row& row : rows) {
    double bare = 1e30, socket = 1e30;
    for (int run = 0; run < kRuns; ++run) {
      bare = std::min(bare, bare_ns(row.channel->config(), row.traffic));
      const double start = cpu_seconds();
      row.reader->start();
      sc_core::sc_start();
      socket = std::min(socket, (cpu_seconds() - start) * 1e9 / static_cast<double>(row.traffic.requests));
    }
    if (row.reader->answers != kRuns * row.traffic.requests) {
      std::printf("%s: requests were lost\n", row.preset.c_str());
      return 1;
    }
    std::printf("%-12s %-10s %12.1f %12.1f %10.2f %14.1f   targets: ratio >= 0.50%s\n", row.preset.c_str(),
                row.traffic.name, bare, socket, bare / socket, socket - bare,
                row.traffic.length == 4096 ? ", on top < 150" : "");
  }

  constexpr std::uint64_t kChunks = 96000;
  double chunk = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    const double start = cpu_seconds();
    way.start(kChunks);
    sc_core::sc_start();
    chunk = std::min(chunk, (cpu_seconds() - start) * 1e9 / static_cast<double>(kChunks));
  }
  if (way.sink.bytes != kRuns * kChunks * 4096) {
    std::printf("bytes were lost\n");
    return 1;
  }
  std::printf("4 KiB chunk, DMA to sink over two DDR4-3200 channels: %.1f ns   target: < 400\n", chunk);
  return 0;
}
