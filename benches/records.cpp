// Host time of 10^6 random requests of 64 bytes to a DRAM channel: alone, through a monitor that nobody listens to, and
// recorded as FTR and as JSON lines. `bench_records [REQUESTS]`.
//
// Target: FTR less than twice the time of the channel alone, a monitor without a listener no more than 1.05 of it. Every
// row is a process of its own: CPU time, best of three.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <systemc>

#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/hw/dram/dram_system.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/monitor.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/records/ftr_writer.h"
#include "harmonia/tlm/records/json_lines.h"
#include "harmonia/tlm/records/transaction_recorder.h"
#include "tests/support/child.h"

namespace {

using namespace harmonia;

enum class Mode { alone, unheard, ftr, json };

class Requester : public sc_core::sc_module {
 public:
  bus::MemoryInitiator<> isock{"isock"};
  Requester(const sc_core::sc_module_name& name, std::uint64_t requests, std::uint64_t capacity)
      : sc_core::sc_module(name), left_(requests), capacity_(capacity) {
    isock.set_max_outstanding(32);
    isock.on_response([this](tlm::tlm_generic_payload&, const sc_core::sc_time& when) { send(when); });
  }
  void start() {
    for (int i = 0; i < 32; ++i) send(sc_core::SC_ZERO_TIME);
  }

 private:
  void send(const sc_core::sc_time& when) {
    if (left_ == 0) return;
    --left_;
    const std::uint64_t address = random_() % (capacity_ / 64) * 64;
    isock.send(
        pool_.make(left_ % 4 == 0 ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, 64, bus::Data::scratch),
        std::max(when, sc_core::sc_time_stamp()));
  }
  std::uint64_t left_, capacity_;
  std::mt19937_64 random_{1};
  bus::PayloadPool pool_;
};

/// CPU microseconds of the simulation, files completed.
std::uint64_t simulate(Mode mode, std::uint64_t requests, const std::string& folder) {
  dram::DramChannel<> channel("channel", dram::find_preset("DDR4-3200"), dram::Contents::kNone);
  Requester requester("requester", requests, channel.capacity_bytes());
  std::unique_ptr<bus::Monitor<>> monitor;
  records::TransactionRecorder recorder;
  if (mode == Mode::alone) {
    requester.isock.bind(channel.tsock);
  } else {
    monitor = std::make_unique<bus::Monitor<>>("monitor");
    requester.isock.bind(monitor->tsock);
    monitor->isock.bind(channel.tsock);
  }
  if (mode == Mode::ftr) recorder.add(std::make_unique<records::FtrWriter>(folder + "/t.ftr", recorder.schema()));
  if (mode == Mode::json)
    recorder.add(std::make_unique<records::JsonLinesWriter>(folder + "/t.jsonl", recorder.schema()));
  if (mode == Mode::ftr || mode == Mode::json)
    monitor->transactions.bind(recorder.socket("channel", records::SocketKind::memory));
  const std::clock_t start = std::clock();
  requester.start();
  sc_core::sc_start();
  recorder.close();
  return static_cast<std::uint64_t>(static_cast<double>(std::clock() - start) * 1e6 / CLOCKS_PER_SEC);
}

}  // namespace

int sc_main(int argc, char** argv) {
  const std::uint64_t requests = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
  char folder[] = "/tmp/harmonia_records_XXXXXX";
  if (!mkdtemp(folder)) return 1;
  double alone = 0;
  bool ok = true;
  const struct {
    const char* name;
    Mode mode;
    double target;
  } rows[] = {{"the channel alone", Mode::alone, 1},
              {"a monitor that nobody listens to", Mode::unheard, 1.05},
              {"recorded as FTR", Mode::ftr, 2},
              {"recorded as JSON lines", Mode::json, 0}};
  for (const auto& row : rows) {
    if (row.mode == Mode::ftr && !records::ftr_available()) {
      std::printf("%-34s SKIPPED: this build has no libcbor\n", row.name);
      continue;
    }
    std::uint64_t best = UINT64_MAX;
    for (int run = 0; run < 3; ++run)
      best = std::min(best, harmonia::test::in_child(
                                [&] { return std::vector<std::uint64_t>{simulate(row.mode, requests, folder)}; })[0]);
    const double ns = static_cast<double>(best) * 1e3 / static_cast<double>(requests);
    if (row.mode == Mode::alone) alone = ns;
    const bool met = row.target == 0 || ns <= row.target * alone;
    ok = ok && met;
    std::printf("%-34s %7.0f ns a transaction, %5.2f of the channel alone%s\n", row.name, ns, ns / alone,
                met ? "" : "  MISSED");
  }
  std::remove((std::string(folder) + "/t.ftr").c_str());
  std::remove((std::string(folder) + "/t.jsonl").c_str());
  std::remove(folder);
  return ok ? 0 : 1;
}
