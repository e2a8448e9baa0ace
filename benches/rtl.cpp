// Clock cycles per second of the RTL blocks on both co-simulation paths: the --cc model clocked in a loop, and the --sc
// model on pins with its transactors and its gated clock in the SystemC kernel.
//
// Stated bounds (one core of a 2020s x86 server): 1 M cycles/s for any block on the fast path, 0.1 M on pins. The
// `bound_cps` counter repeats them, `of_bound` is measured over bound.
#include <benchmark/benchmark.h>

#include <memory>
#include <systemc>
#include <vector>

#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/cosim/block_pins.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/rtl/instance.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"

namespace {

using namespace harmonia;
using rtl::Beat;
using rtl::StreamJob;

constexpr std::size_t kBeats = 256;
enum Block { kConverter, kSmoother, kDecoder, kPe };
constexpr const char* kNames[] = {"converter", "smoother", "decoder", "pe"};

/// A piece of work of kBeats results; random bits wherever the block takes data.
StreamJob job_of(Block block) {
  std::minstd_rand random(1);
  const auto fill = [&](Beat& beat, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) beat.data[i] = static_cast<std::uint8_t>(random() >> 8);
  };
  StreamJob job;
  job.results = kBeats;
  job.inputs.resize(block == kConverter ? 1 : block == kDecoder ? 3 : 2);
  if (block == kDecoder) {
    std::int8_t table[16];
    for (int i = 0; i < 16; ++i) table[i] = static_cast<std::int8_t>(8 * i - 60);
    job.inputs[0] = decoder::codebook_beats(decoder::LutDecoderRtlMode::kFourBit, table);
  }
  for (std::size_t i = 0; i < kBeats; ++i) {
    Beat a, b;
    a.last = i + 1 == kBeats;
    switch (block) {
      case kConverter:
        fill(a, 64);
        job.inputs[0].push_back(a);
        break;
      case kSmoother:
        fill(a, 64);
        job.inputs[smoother::kKeyStream].push_back(a);
        break;
      case kDecoder:
        fill(a, 32);
        a.keep = rtl::keep_of(32);
        fill(b, 2);
        job.inputs[decoder::kIndexStream].push_back(a);
        job.inputs[decoder::kScaleStream].push_back(b);
        break;
      case kPe:
        fill(a, 37);
        a.data[0] = 15;
        for (std::size_t k = 0; k < 32; ++k) b.data[k] = static_cast<std::uint8_t>(random() % 16);
        job.inputs[pe::kFirstOperand].push_back(a);
        job.inputs[pe::kSecondOperand].push_back(b);
        break;
    }
  }
  return job;
}

std::vector<std::unique_ptr<rtl::Instance>> fast, pins;

void measure(benchmark::State& state, rtl::Instance& instance, double bound_cps) {
  const StreamJob job = job_of(static_cast<Block>(state.range(0)));
  std::uint64_t cycles = 0;
  for (auto _ : state) {
    bool done = false;
    StreamJob copy = job;
    instance.run(std::move(copy), 0, [&](rtl::StreamOutcome&& outcome) {
      cycles += outcome.result_end - outcome.begin;
      done = true;
    });
    if (!done) sc_core::sc_start();
    if (!done) state.SkipWithError("the block has not finished");
  }
  state.SetLabel(kNames[state.range(0)]);
  state.counters["cycles_per_second"] = benchmark::Counter(static_cast<double>(cycles), benchmark::Counter::kIsRate);
  state.counters["bound_cps"] = bound_cps;
  state.counters["of_bound"] = benchmark::Counter(static_cast<double>(cycles) / bound_cps, benchmark::Counter::kIsRate);
}

void fast_path(benchmark::State& state) { measure(state, *fast[static_cast<std::size_t>(state.range(0))], 1e6); }
void pin_path(benchmark::State& state) { measure(state, *pins[static_cast<std::size_t>(state.range(0))], 0.1e6); }
BENCHMARK(fast_path)->DenseRange(0, 3);
BENCHMARK(pin_path)->DenseRange(0, 3);

}  // namespace

int sc_main(int argc, char** argv) {
  fast.push_back(rtl::fast_instances(converter::make_bfp_converter_rtl)(0));
  fast.push_back(rtl::fast_instances(smoother::make_outlier_smoother_rtl)(0));
  fast.push_back(rtl::fast_instances(decoder::make_lut_decoder_rtl)(0));
  fast.push_back(rtl::fast_instances(pe::make_pe_rtl)(0));
  pins.push_back(rtl::pin_bfp_converter(500, "")(0));
  pins.push_back(rtl::pin_outlier_smoother(500, "")(0));
  pins.push_back(rtl::pin_lut_decoder(500, "")(0));
  pins.push_back(rtl::pin_pe(500, "")(0));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
