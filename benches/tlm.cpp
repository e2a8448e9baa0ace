// Host time per hop and per transaction of the bus library, each beside what the bare TLM call costs on the same
// machine.
//
// Stated bounds (one core of a 2020s x86 server): stream hop 30 ns, memory transaction of 2 calls 60 ns, interconnect
// unsplit request 100 ns over the bare connection. The `bound_ns` counter repeats them beside the measured time.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/interconnect.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/monitor.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stream.h"
#include "harmonia/tlm/timed_queue.h"

namespace {

using namespace harmonia::bus;
using sc_core::sc_time;

constexpr unsigned chunk_bytes = 4096;

void bound(benchmark::State& state, double ns) { state.counters["bound_ns"] = ns; }

/// The least that any TLM target does: completes at once.
struct BareTarget : tlm::tlm_fw_transport_if<> {
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase&, sc_time&) override {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return tlm::TLM_COMPLETED;
  }
  void b_transport(tlm::tlm_generic_payload&, sc_time&) override {}
  unsigned transport_dbg(tlm::tlm_generic_payload&) override { return 0; }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi&) override { return false; }
};

struct BareInitiator : tlm::tlm_bw_transport_if<> {
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_time&) override {
    return tlm::TLM_COMPLETED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
};

/// A block that takes a chunk every `period` and passes a chunk on: source -> stage -> ... -> sink.
struct Stage : sc_core::sc_module {
  explicit Stage(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    tsock.on_chunk([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) -> std::optional<sc_time> {
      const sc_time accept = std::max(arrival, free_at);
      free_at = accept + period;
      isock.send(pool.alias(payload, 0, 0, payload.get_data_length()), accept + period);
      return accept;
    });
  }
  StreamSink<> tsock{"tsock"};
  StreamSource<> isock{"isock"};
  PayloadPool pool;
  sc_time free_at;
  sc_time period{1, sc_core::SC_NS};
};

AddressMap bench_map(unsigned channels) {
  Region region;
  region.name = "ram";
  region.size_bytes = std::uint64_t{1} << 40;
  region.interleave = Interleave(channels, 256);
  return AddressMap({region});
}

/// Initiator -> [path] -> `channels` targets that take at once and answer when told to.
struct FabricBench : sc_core::sc_module {
  FabricBench(const sc_core::sc_module_name& name, unsigned channels)
      : sc_core::sc_module(name), fabric("fabric", 1, channels, bench_map(channels)) {
    isock.bind(fabric.tsock[0]);
    isock.on_response([](tlm::tlm_generic_payload&, const sc_time&) {});
    for (unsigned j = 0; j < channels; ++j) {
      targets.push_back(std::make_unique<MemoryTarget<>>(sc_core::sc_gen_unique_name("target")));
      fabric.isock[j].bind(*targets[j]);
      targets[j]->on_request([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) {
        pending.push_back(&payload);
        return std::optional<sc_time>(arrival);
      });
    }
  }
  void transact(std::uint64_t address, unsigned bytes) {
    isock.send(pool.make(tlm::TLM_READ_COMMAND, address, bytes, Data::scratch), sc_core::SC_ZERO_TIME);
    for (std::size_t j = 0; j < pending.size(); ++j) targets[j]->respond(*pending[j], sc_core::SC_ZERO_TIME);
    pending.clear();
  }
  PayloadPool pool;
  MemoryInitiator<> isock{"isock"};
  Interconnect<> fabric;
  std::vector<std::unique_ptr<MemoryTarget<>>> targets;
  std::vector<tlm::tlm_generic_payload*> pending;
};

/// The same two calls through a probe.
template <typename Probe>
struct ProbeBench : sc_core::sc_module {
  explicit ProbeBench(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    isock.bind(probe.tsock);
    probe.isock.bind(target);
    isock.on_response([](tlm::tlm_generic_payload&, const sc_time&) {});
    target.on_request([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) {
      pending = &payload;
      return std::optional<sc_time>(arrival);
    });
  }
  void transact() {
    isock.send(pool.make(tlm::TLM_READ_COMMAND, 0, chunk_bytes, Data::scratch), sc_core::SC_ZERO_TIME);
    target.respond(*pending, sc_core::SC_ZERO_TIME);
  }
  PayloadPool pool;
  MemoryInitiator<> isock{"isock"};
  Probe probe{"probe"};
  MemoryTarget<> target{"target"};
  tlm::tlm_generic_payload* pending = nullptr;
};

struct Fixture : sc_core::sc_module {
  explicit Fixture(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    bare_isock.bind(bare_initiator);
    bare_tsock.bind(bare_target);
    bare_isock.bind(bare_tsock);

    source.bind(sink);
    sink.on_chunk([this](tlm::tlm_generic_payload&, const sc_time& arrival) -> std::optional<sc_time> {
      const sc_time accept = std::max(arrival, sink_free_at);
      sink_free_at = accept + period;
      return accept;
    });

    chain_source.bind(stages[0]->tsock);
    for (std::size_t i = 1; i < stages.size(); ++i) stages[i - 1]->isock.bind(stages[i]->tsock);
    stages.back()->isock.bind(chain_sink);
    chain_sink.on_chunk(
        [](tlm::tlm_generic_payload&, const sc_time& arrival) { return std::optional<sc_time>(arrival); });

    two_phase.bind(two_phase_target);
    two_phase_target.on_request([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) {
      two_phase_pending = &payload;
      return std::optional<sc_time>(arrival);
    });
    early.bind(early_target);
    early_target.on_request([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) {
      early_target.respond(payload, arrival + period);
      return std::optional<sc_time>();
    });
    timed.bind(timed_target);
    timed.on_response([](tlm::tlm_generic_payload&, const sc_time&) {});
    timed_target.on_request([this](tlm::tlm_generic_payload& payload, const sc_time& arrival) {
      timed_queue.push(&payload, arrival + period);
      return std::optional<sc_time>(arrival);
    });
  }

  sc_time period{1, sc_core::SC_NS};
  PayloadPool pool;
  FabricBench one_channel{"one_channel", 1};
  FabricBench four_channels{"four_channels", 4};
  ProbeBench<Monitor<>> monitored{"monitored"};
  ProbeBench<ProtocolChecker<>> checked{"checked"};
  BareInitiator bare_initiator;
  BareTarget bare_target;
  tlm::tlm_initiator_socket<> bare_isock{"bare_isock"};
  tlm::tlm_target_socket<> bare_tsock{"bare_tsock"};
  StreamSource<> source{"source"};
  StreamSink<> sink{"sink"};
  sc_time sink_free_at;
  StreamSource<> chain_source{"chain_source"};
  std::vector<std::unique_ptr<Stage>> stages = [] {
    std::vector<std::unique_ptr<Stage>> made;
    for (int i = 0; i < 8; ++i) made.push_back(std::make_unique<Stage>(sc_core::sc_gen_unique_name("stage")));
    return made;
  }();
  StreamSink<> chain_sink{"chain_sink"};
  MemoryInitiator<> two_phase{"two_phase"};
  MemoryTarget<> two_phase_target{"two_phase_target"};
  tlm::tlm_generic_payload* two_phase_pending = nullptr;
  MemoryInitiator<> early{"early"};
  MemoryTarget<> early_target{"early_target"};
  MemoryInitiator<> timed{"timed"};
  MemoryTarget<> timed_target{"timed_target"};
  TimedQueue<tlm::tlm_generic_payload*> timed_queue{
      [this](tlm::tlm_generic_payload*& payload) { timed_target.respond(*payload, sc_core::sc_time_stamp()); }};
};

Fixture* fixture = nullptr;

void pool_make(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(fixture->pool.make(tlm::TLM_WRITE_COMMAND, 0, chunk_bytes, Data::scratch).get());
}
BENCHMARK(pool_make);

void pool_make_with_buffer(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(fixture->pool.make(tlm::TLM_WRITE_COMMAND, 0, chunk_bytes, Data::buffer).get());
}
BENCHMARK(pool_make_with_buffer);

void bare_nb_transport(benchmark::State& state) {
  const PayloadPtr payload = fixture->pool.make(tlm::TLM_WRITE_COMMAND, 0, chunk_bytes, Data::scratch);
  for (auto _ : state) {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_time delay;
    benchmark::DoNotOptimize(fixture->bare_isock->nb_transport_fw(*payload, phase, delay));
  }
}
BENCHMARK(bare_nb_transport);

/// The hop alone: the same payload object again and again.
void stream_hop(benchmark::State& state) {
  const PayloadPtr payload = fixture->pool.make(tlm::TLM_WRITE_COMMAND, 0, chunk_bytes, Data::scratch);
  for (auto _ : state) benchmark::DoNotOptimize(fixture->source.send(payload, sc_core::SC_ZERO_TIME));
  bound(state, 30);
}
BENCHMARK(stream_hop);

/// Eight blocks in a chain, each sends a payload of its own: time divided by nine hops.
void stream_chain_per_hop(benchmark::State& state) {
  const int hops = static_cast<int>(fixture->stages.size()) + 1;
  while (state.KeepRunningBatch(hops))
    fixture->chain_source.send(fixture->pool.make(tlm::TLM_WRITE_COMMAND, 0, chunk_bytes, Data::scratch),
                               sc_core::SC_ZERO_TIME);
  bound(state, 60);  // a hop, a payload, and the stage's own recurrence
}
BENCHMARK(stream_chain_per_hop);

void memory_early_completion(benchmark::State& state) {
  fixture->early.on_response([](tlm::tlm_generic_payload&, const sc_time&) {});
  for (auto _ : state)
    fixture->early.send(fixture->pool.make(tlm::TLM_READ_COMMAND, 0, chunk_bytes, Data::scratch),
                        sc_core::SC_ZERO_TIME);
  bound(state, 60);
}
BENCHMARK(memory_early_completion);

void memory_two_calls(benchmark::State& state) {
  fixture->two_phase.on_response([](tlm::tlm_generic_payload&, const sc_time&) {});
  for (auto _ : state) {
    fixture->two_phase.send(fixture->pool.make(tlm::TLM_READ_COMMAND, 0, chunk_bytes, Data::scratch),
                            sc_core::SC_ZERO_TIME);
    fixture->two_phase_target.respond(*fixture->two_phase_pending, sc_core::SC_ZERO_TIME);
  }
  bound(state, 80);
}
BENCHMARK(memory_two_calls);

/// The response comes at its own time through the timed queue: one kernel event a transaction.
void memory_timed_response(benchmark::State& state) {
  for (auto _ : state) {
    fixture->timed.send(fixture->pool.make(tlm::TLM_READ_COMMAND, 0, chunk_bytes, Data::scratch),
                        sc_core::SC_ZERO_TIME);
    sc_core::sc_start(fixture->period);
  }
  bound(state, 400);  // dominated by sc_start, which a running system does not pay
}
BENCHMARK(memory_timed_response);

/// The bare connection is memory_two_calls: the difference is the interconnect.
void interconnect_unsplit(benchmark::State& state) {
  std::uint64_t address = 0;
  for (auto _ : state) fixture->one_channel.transact(address += chunk_bytes, chunk_bytes);
  bound(state, 80 + 100);
}
BENCHMARK(interconnect_unsplit);

/// 4 KiB over four channels: four transactions towards the targets for each one of the initiator.
void interconnect_split_in_four(benchmark::State& state) {
  std::uint64_t address = 0;
  for (auto _ : state) fixture->four_channels.transact(address += chunk_bytes, chunk_bytes);
  bound(state, 80 + 4 * 100);
}
BENCHMARK(interconnect_split_in_four);

/// Nobody listens: beside memory_two_calls.
void monitor_unbound(benchmark::State& state) {
  for (auto _ : state) fixture->monitored.transact();
  bound(state, 80 + 20);
}
BENCHMARK(monitor_unbound);

void protocol_checker(benchmark::State& state) {
  for (auto _ : state) fixture->checked.transact();
  bound(state, 80 + 150);
}
BENCHMARK(protocol_checker);

}  // namespace

int sc_main(int argc, char** argv) {
  Fixture the_fixture("fixture");
  fixture = &the_fixture;
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
