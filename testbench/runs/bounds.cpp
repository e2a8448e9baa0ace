#include "harmonia/testbench/runs/bounds.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/silicon/silicon.h"
#include "harmonia/testbench/runs/collector.h"
#include "harmonia/testbench/runs/energy.h"
#include "harmonia/testbench/runs/figures.h"
#include "harmonia/testbench/runs/machine_steps.h"
#include "harmonia/testbench/runs/sampler.h"
#include "harmonia/testbench/runs/workload.h"
#include "harmonia/testbench/system/machine.h"
#include "harmonia/testbench/system/stages.h"

namespace harmonia::testbench {
namespace {

using accelerator::AcceleratorConfig;
using accelerator::OperationClass;

/// Of runs that simulate some layers and steps and extrapolate the others.
constexpr double kSampledSlack = 0.99;

/// Steps that take the least time that the formulas allow.
class LeastSteps : public StepSource {
 public:
  LeastSteps(const Scenario& s, const accelerator::MemoryMap& map)
      : scenario_(s),
        map_(map),
        chip_(accelerator::on_chip(s.accelerator)),
        settings_(machine_options(s).program),
        peak_(peak_rates(s.accelerator)) {}

  StepOutcome simulate(const accelerator::StepWork& work) override {
    StepOutcome step = formulas(work);
    step.totals.time_ps = std::max(step_bound_ps(step.totals, peak_), 1e12 * decoding(step.totals));
    simulated_ += step.totals;
    return step;
  }
  const Totals& simulated() const override { return simulated_; }
  StepOutcome formulas(const accelerator::StepWork& work) const override {
    StepOutcome step;
    step.totals.expect(accelerator::expected_of_step(scenario_.model, map_.formats(), settings_.codebook, chip_, work,
                                                     accelerator::StepExtent::whole(scenario_.model),
                                                     settings_.routing.get()));
    return step;
  }

 private:
  /// Of weights that the decoder looks up; a machine that stands for a GPU has none.
  double decoding(const Totals& t) const {
    if (scenario_.accelerator.kernels.multiprocessors > 0) return 0;
    const double clock_hz = scenario_.accelerator.clock_mhz * 1e6;
    double seconds = 0;
    for (std::size_t i = 0; i < t.classes.size(); ++i) {
      const bool head = static_cast<OperationClass>(i) == OperationClass::lm_head;
      const formats::WeightFormat& format = head ? map_.formats().lm_head : map_.formats().weights;
      if (format->storage.coding != formats::Coding::codebook) continue;
      seconds += t.classes[i].weights / (scenario_.accelerator.decoder.rate(formats::code_bits(format)) * clock_hz);
    }
    return seconds;
  }

  const Scenario& scenario_;
  const accelerator::MemoryMap& map_;
  accelerator::OnChip chip_;
  accelerator::ProgramSettings settings_;
  PeakRates peak_;
  Totals simulated_;
};

/// What a channel draws when nobody asks it for anything; refreshes left out, which may be put off. Nothing of channels
/// that state no currents, or that go to sleep.
double background_w(const AcceleratorConfig& config) {
  const dram::Config channel = accelerator::channel_config(config);
  if (channel.currents.devices == 0 || channel.power_down_idle_cycles > 0) return 0;
  dram::ActivityMeter::Times times;
  times.precharged = 1'000'000;
  const double seconds = static_cast<double>(times.precharged) * channel.tCK_ps * 1e-12;
  const double joules = dram::energy_of(channel, {}, 0, times).total() * 1e-12;
  return joules / seconds * channel.units() * config.dram.channels;
}

/// Bursts of these bytes, reads or writes, whichever take less.
double burst_joules(const AcceleratorConfig& config, double bytes) {
  const dram::Config channel = accelerator::channel_config(config);
  if (channel.currents.devices == 0) return 8 * bytes * config.energy.dram_pj_per_bit * 1e-12;
  const auto one = [&](dram::Cmd command) {
    std::array<std::uint64_t, dram::kCmdCount> commands{};
    commands[static_cast<std::size_t>(command)] = 1'000'000;
    return dram::energy_of(channel, commands, 0, {}).total() * 1e-18;
  };
  return bytes / channel.burst_bytes() * std::max(0.0, std::min(one(dram::Cmd::kRd), one(dram::Cmd::kWr)));
}

double least_joules(const Totals& counted, const AcceleratorConfig& config, double seconds) {
  Totals t = counted;
  t.time_ps = 1e12 * seconds;
  t.macs = t.expected_macs;
  t.slots = t.expected_slots;
  for (const ClassTotals& c : t.classes) t.buffer_bytes += c.weight_buffer_bytes + c.kv_buffer_bytes;
  const double bytes = std::accumulate(t.expected_bytes.begin(), t.expected_bytes.end(), 0.0);
  // What engines and interconnect move; the DRAM's own part is added below.
  t.channels.resize(1);
  t.channels.front().request_bytes = t.expected_bytes;
  return energy_of(t, config, seconds).total_j + burst_joules(config, bytes) + background_w(config) * seconds;
}

}  // namespace

Bounds bounds_of(const LoadedScenario& loaded) {
  const std::unique_ptr<Workload> workload = make_workload(loaded);
  Scenario s = workload->scenario();
  Bounds b;
  b.area_mm2 = area_of(s.accelerator).total_mm2;
  if (s.devices.pipeline > 1) {
    // Of the stages as a run has them, which have no bound of time here.
    for (const StageKind& kind : stage_kinds(s)) {
      const accelerator::MemoryMap stage =
          accelerator::MemoryMap::build(map_request(kind.scenario, workload->capacity()));
      refuse_impossible_step(kind.scenario.model, stage, kind.scenario, workload->largest_step(), false);
      if (b.bits_per_weight == 0) b.bits_per_weight = weights_of(stage, kind.scenario.model, false).bits_per_weight;
    }
    return b;
  }
  const accelerator::MemoryMap map = accelerator::MemoryMap::build(map_request(s, workload->capacity()));
  LeastSteps steps(s, map);
  refuse_impossible_step(s.model, map, s, workload->largest_step(), workload->single_linear());
  b.bits_per_weight = weights_of(map, s.model, workload->single_linear()).bits_per_weight;
  if (s.workload.is_trace() || workload->single_linear()) return b;
  b.prefill = s.workload.phase == Phase::prefill;
  b.tokens = static_cast<double>(s.workload.batch) * (b.prefill ? s.workload.context : s.workload.tokens);
  // Every step from its own formula, in a sampled run too: it is a line between two of them there.
  LoadedScenario whole = loaded;
  whole.scenario.fidelity.mode = FidelityMode::full;
  Collector collector{BandwidthBins::asked(0, 1, static_cast<std::size_t>(s.accelerator.dram.channels))};
  make_workload(whole)->run(steps, collector);
  const double slack = s.fidelity.mode == FidelityMode::sampled ? kSampledSlack : 1;
  b.seconds = slack * collector.seconds();
  b.joules = slack * least_joules(steps.simulated(), s.accelerator, *b.seconds);
  b.watts = slack * (background_w(s.accelerator) + 1e-3 * silicon::counted_energy(s.accelerator).static_mw);
  return b;
}

}  // namespace harmonia::testbench
