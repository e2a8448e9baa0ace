#include "harmonia/testbench/runs/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/results/figure_checks.h"
#include "harmonia/testbench/runs/checks.h"
#include "harmonia/testbench/runs/collector.h"
#include "harmonia/testbench/runs/energy.h"
#include "harmonia/testbench/runs/figures.h"
#include "harmonia/testbench/runs/instruments.h"
#include "harmonia/testbench/runs/machine_steps.h"
#include "harmonia/testbench/runs/pipeline_steps.h"
#include "harmonia/testbench/runs/recording.h"
#include "harmonia/testbench/runs/sampler.h"
#include "harmonia/testbench/runs/workload.h"
#include "harmonia/testbench/system/device_link.h"
#include "harmonia/testbench/system/machine.h"
#include "harmonia/testbench/system/stages.h"

namespace harmonia::testbench {
namespace {

InstrumentOptions instrument_options(const Scenario& s, const RunOptions& options) {
  InstrumentOptions o;
  o.timeline_file = options.timeline_file;
  o.waves_file = options.waves_file;
  o.bandwidth_interval_s = s.output.bandwidth_interval_us * 1e-6;
  return o;
}

/// The scenario's machine with the caller's blocks in it.
accelerator::MachineOptions options_of(const Scenario& s, const RunOptions& options, Recording* recording) {
  accelerator::MachineOptions machine = machine_options(s);
  machine.connect = recording ? recording->connect() : options.connect;
  const auto take = [](auto& core, const auto& own) {
    if (own) core = own;
  };
  take(machine.cores.converter, options.cores.converter);
  take(machine.cores.smoother, options.cores.smoother);
  take(machine.cores.decoder, options.cores.decoder);
  take(machine.cores.pe, options.cores.pe);
  return machine;
}

/// What of the machine was not the model's own, and what that does to its time.
void note_replaced_blocks(const RunOptions& options, const accelerator::Accelerator& a, RunResult& result) {
  std::string blocks;
  for (const auto& [given, name] : {std::pair<bool, const char*>{bool(options.cores.converter), "converter"},
                                    {bool(options.cores.smoother), "smoother"},
                                    {bool(options.cores.decoder), "decoder"},
                                    {bool(options.cores.pe), "pe"}})
    if (given) blocks += (blocks.empty() ? "" : ", ") + std::string(name);
  if (!blocks.empty())
    result.notices.push_back("datapaths of the caller in place of the model's: " + blocks +
                             "; area and energy are those of the model's blocks");
  if (options.connect) result.notices.push_back("the caller made the connections between the machine's blocks");
  const bus::InterconnectStatistics& s = a.interconnect.statistics();
  for (std::size_t target = 0; target < s.requests_per_target.size(); ++target)
    if (s.requests_per_target[target] > 1 && s.one_at_a_time_per_target[target] == s.requests_per_target[target])
      result.notices.push_back(
          "memory channel " + std::to_string(target) +
          " has one request under way at a time: it ended each request (END_REQ) only with its response, as "
          "targets with b_transport alone do, so that its latency is paid for every request. A target that returns "
          "END_REQ when it has taken a request is served with several");
}

BandwidthBins empty_series(const Scenario& s) {
  const double interval = s.output.bandwidth_interval_us * 1e-6;
  return BandwidthBins::asked(interval, accelerator::peak_bandwidth(s.accelerator) / s.accelerator.dram.channels,
                              static_cast<std::size_t>(s.accelerator.dram.channels));
}

/// What became of bins that were asked for and would have been too many; empty: they are as asked for.
std::string merged_bins(const Scenario& s, const BandwidthBins& series, double run_s) {
  const double asked = s.output.bandwidth_interval_us * 1e-6;
  if (asked <= 0 || series.bin_s() <= asked) return {};
  std::ostringstream text;
  text << "output.bandwidth_interval_us: " << s.output.bandwidth_interval_us << " us would be "
       << std::ceil(run_s / asked) << " bins for each of " << s.accelerator.dram.channels
       << " channel(s), and the series holds " << BandwidthBins::kMost << " in all: its bins are of "
       << series.bin_s() * 1e6 << " us";
  return text.str();
}

Distribution latency(const dram::Histogram& h, double period) {
  Distribution d;
  d.count = h.count();
  d.mean = h.mean() * period;
  d.min = static_cast<double>(h.min()) * period;
  d.max = static_cast<double>(h.max()) * period;
  d.p50 = static_cast<double>(h.percentile(0.50)) * period;
  d.p95 = static_cast<double>(h.percentile(0.95)) * period;
  d.p99 = static_cast<double>(h.percentile(0.99)) * period;
  return d;
}

std::vector<ChannelFacts> channel_facts(const accelerator::Accelerator& a) {
  std::vector<ChannelFacts> facts;
  const double peak = accelerator::peak_bandwidth(a.config()) / static_cast<double>(a.channels.size());
  for (const auto& channel : a.channels) {
    const dram::Statistics& s = channel->statistics();
    const dram::Config& config = channel->config();
    facts.push_back({peak, config.units(), static_cast<double>(s.queue_peak[0] + s.queue_peak[1]),
                     latency(s.latency[0], config.tCK_ps * 1e-12)});
  }
  return facts;
}

void describe_inputs(const LoadedScenario& loaded, const Workload& workload, const Machine& machine,
                     RunResult& result) {
  const Scenario& s = workload.scenario();
  result.provenance = {HARMONIA_VERSION, s.name, loaded.source, s.seed, loaded.resolved};
  result.model = s.model.name;
  result.accelerator = s.accelerator.name;
  result.assumptions = loaded.assumptions;
  result.notices = loaded.notices;
  result.address_map = address_map_of(machine.map, s.accelerator);
  const WeightFigures weights = weights_of(machine.map, machine.shape, workload.single_linear());
  result.weight_bytes = weights.bytes;
  result.effective_bits_per_weight = weights.bits_per_weight;
  result.area = area_of(s.accelerator);
  FidelityResult& f = result.fidelity;
  f.mode = s.fidelity.mode == FidelityMode::sampled ? "sampled" : "full";
  f.timing = s.fidelity.timing == Timing::lt ? "lt" : "at";
  f.data = s.fidelity.data == DataMode::functional ? "functional" : "timing_only";
  f.layers_total = workload.single_linear() ? 0 : static_cast<std::uint64_t>(s.model.num_hidden_layers);
}

/// The machine of each kind of stage, in the order of the kinds.
std::vector<Machine*> machines_of(Machine& machine) {
  std::vector<Machine*> all = {&machine};
  for (const auto& stage : machine.stages) all.push_back(stage.get());
  return all;
}

/// Of devices that are all simulated: what they and their links moved. Of a pipeline, those of each stage together. simulated: of the
/// first device, of a pipeline of those of all stages.
std::vector<CheckResult> group_checks(const Scenario& s, Machine& machine, const Totals& simulated) {
  const auto bytes = [](Machine& m) {
    double sum = 0;
    for (const auto& channel : m.accelerator->channels)
      for (const std::uint64_t of_class : channel->counts().request_bytes) sum += static_cast<double>(of_class);
    return sum;
  };
  double all = 0, first = 0, formula = 0, sent = 0;
  for (Machine* stage : machines_of(machine)) {
    first += bytes(*stage);
    for (std::size_t d = 0; d <= stage->others.size(); ++d) all += bytes(stage->device(d));
    formula += formula_bytes_of_all(s.devices, stage->accelerator->sequencer.all_reduces());
    sent += static_cast<double>(stage->group->payload_bytes());
  }
  // Where experts are placed, each device reads its own.
  const bool placed = s.model.expert_devices > 1;
  double expected = s.devices.tensor * first;
  for (std::size_t k = 0; placed && k < kTrafficClasses; ++k)
    expected += simulated.placed.bytes[k] - s.devices.tensor * simulated.experts.bytes[k];
  return {check_equal(placed ? "DRAM bytes of all devices = those of one, times devices, but the experts of each"
                             : "DRAM bytes of all devices = those of one, times devices",
                      expected, all, "bytes"),
          check_close("bytes sent by links' modules = formula of the algorithm", formula, sent, "bytes")};
}

/// The machine, or all machines. options: of the first device, where they are not the scenario's own.
std::unique_ptr<Machine> build(const Scenario& s, const std::vector<StageKind>& kinds, const Capacity& capacity,
                               const std::function<void(Host&)>& body, const accelerator::MachineOptions& options) {
  if (s.devices.pipeline > 1 && !s.devices.fold) {
    std::vector<Machine::StageOptions> stages;
    for (const StageKind& kind : kinds) stages.push_back({kind.scenario, {machine_options(kind.scenario)}});
    stages.front().devices.front() = options;
    return std::make_unique<Machine>(stages, capacity, body);
  }
  auto machine = std::make_unique<Machine>(kinds.front().scenario, capacity, body, options);
  for (std::size_t k = 1; k < kinds.size(); ++k)
    machine->add_stage(kinds[k].scenario, capacity, machine_options(kinds[k].scenario));
  return machine;
}

/// What a stage of each kind has, and how busy it was. Weights of the run are those of the mean device.
void describe_stages(const Scenario& s, const std::vector<StageKind>& kinds, Machine& machine,
                     const std::vector<double>& busy_ps, RunResult& result) {
  DevicesResult& d = result.devices;
  const std::vector<Machine*> machines = machines_of(machine);
  result.weight_bytes = 0;
  d.stages.resize(static_cast<std::size_t>(s.devices.pipeline));
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    const Machine& m = *machines[k];
    const WeightFigures of_kind = weights_of(m.map, m.shape, false);
    for (const int number : kinds[k].stages) {
      StageResult& stage = d.stages[static_cast<std::size_t>(number)];
      stage.stage = static_cast<std::uint64_t>(number);
      stage.layers = static_cast<std::uint64_t>(m.shape.num_hidden_layers);
      stage.weight_bytes = of_kind.bytes;
      stage.memory_bytes = static_cast<double>(m.map.end);
      stage.busy_s = 1e-12 * busy_ps[static_cast<std::size_t>(number)];
      stage.busy_share = result.simulated_seconds > 0 ? stage.busy_s / result.simulated_seconds : 0;
      result.weight_bytes += of_kind.bytes / s.devices.pipeline;
    }
  }
  d.simulated = static_cast<std::uint64_t>(s.devices.fold ? static_cast<int>(kinds.size()) : s.devices.count());
}

std::vector<CheckResult> pipeline_checks(const Scenario& s, const PipelineSteps& steps, double sent_values,
                                         const RunResult& result) {
  const PipelineSteps::Moved& moved = steps.moved();
  double busy_s = 0;
  for (const StageResult& stage : result.devices.stages) busy_s = std::max(busy_s, stage.busy_s);
  std::vector<CheckResult> checks = {
      check_close("DRAM bytes of all stages = those of one device with all layers, and what spills at their borders",
                  moved.one_device + moved.at_borders, moved.all_stages, "bytes"),
      check_at_least("time >= that of the busiest stage", busy_s, result.simulated_seconds, "s")};
  if (s.devices.fold) return checks;
  const PipelineSteps::Together& t = steps.together();
  checks.push_back(check_close("time of steps with all stages = by what each stage took for each micro-batch",
                               1e-12 * t.composed_ps, 1e-12 * t.simulated_ps, "s"));
  checks.push_back(check_close("bytes sent by links' modules from stage to stage = rows of the residual stream",
                               s.devices.count() * 2 * sent_values, t.sent_bytes, "bytes"));
  return checks;
}

void check(const Workload& workload, const StepSource& steps, const Collector& collector, RunResult& result) {
  const accelerator::AcceleratorConfig& config = workload.scenario().accelerator;
  const double peak = result.bandwidth.peak_bytes_per_s;
  const auto add = [&](const std::vector<CheckResult>& checks) {
    result.checks.insert(result.checks.end(), checks.begin(), checks.end());
  };
  add(figure_checks(result));
  add(conservation_checks(steps.simulated()));
  add(bound_checks("", steps.simulated(), steps.simulated().seconds(), config, peak));
  // The run itself, where what was simulated stands for more.
  if (workload.own_time_line() || workload.scenario().devices.pipeline > 1)
    add(bound_checks("whole run: ", collector.totals(), result.simulated_seconds, config, peak));
  add(class_checks("", collector.totals(), config, peak));
  add(collector.step_checks());
}

}  // namespace

RunResult run_scenario(const LoadedScenario& loaded, const RunOptions& options) {
  const auto wall = std::chrono::steady_clock::now();
  const std::unique_ptr<Workload> workload = make_workload(loaded);
  const Scenario& s = workload->scenario();
  if (s.model.mixture.experts > 0 && s.fidelity.data == DataMode::functional)
    throw config::InputError(
        "fidelity.data: a run has no weights from which routers of a mixture of experts could choose, expected "
        "`timing_only`, or the command infer");
  RunResult result;
  Collector collector(empty_series(s));
  collector.hold_to({s.accelerator, accelerator::peak_bandwidth(s.accelerator)});
  std::unique_ptr<SimulatedSteps> steps;
  const auto body = [&](Host&) {
    try {
      workload->run(*steps, collector);
    } catch (const Interrupted&) {
      result.complete = false;
    }
  };
  if (!options.records_folder.empty() && options.connect)
    throw config::RunError(
        "transactions are recorded in connections that the run makes itself, expected no connections of the caller");
  std::unique_ptr<Recording> recording;
  if (!options.records_folder.empty()) recording = std::make_unique<Recording>(options.records_folder);
  const std::vector<StageKind> kinds = stage_kinds(s);
  const std::unique_ptr<Machine> built =
      build(s, kinds, workload->capacity(), body, options_of(s, options, recording.get()));
  Machine& machine = *built;
  // A step that cannot run must be refused before anything is simulated or written.
  for (const Machine* of_kind : machines_of(machine))
    refuse_impossible_step(of_kind->shape, of_kind->map, s, workload->largest_step(), workload->single_linear());
  Instruments instruments(*machine.accelerator, instrument_options(s, options));
  instruments.record_steps(recording.get());
  std::vector<std::unique_ptr<Instruments>> of_stages;
  PipelineSteps* pipeline = nullptr;
  if (s.devices.pipeline == 1) {
    steps = std::make_unique<MachineSteps>(s, machine, instruments, workload->single_linear());
  } else {
    std::vector<std::unique_ptr<MachineSteps>> of_kinds;
    of_kinds.push_back(std::make_unique<MachineSteps>(kinds.front().scenario, machine, instruments, false));
    for (std::size_t k = 1; k < kinds.size(); ++k) {
      Machine& stage = *machine.stages[k - 1];
      of_stages.push_back(std::make_unique<Instruments>(*stage.accelerator, InstrumentOptions{}));
      of_kinds.push_back(std::make_unique<MachineSteps>(kinds[k].scenario, stage, *of_stages.back(), false));
    }
    auto of_all = std::make_unique<PipelineSteps>(s, kinds, std::move(of_kinds), machine);
    pipeline = of_all.get();
    steps = std::move(of_all);
  }
  const auto stopped = [&] {
    return instruments.stopped() ||
           std::any_of(of_stages.begin(), of_stages.end(), [](const auto& i) { return i->stopped(); });
  };

  const InterruptGuard guard;
  machine.simulate_until([&] { return machine.host->finished() || stopped(); });
  if (stopped()) result.complete = false;

  collector.set_simulated(steps->simulated());
  describe_inputs(loaded, *workload, machine, result);
  result.fidelity.steps_simulated = steps->steps_simulated();
  result.fidelity.layers_simulated = steps->layers_simulated();
  collector.report(s, workload->single_linear(), channel_facts(*machine.accelerator), result);
  workload->report(result);
  if (s.devices.count() > 1) {
    const Totals& totals = collector.totals();
    std::vector<std::uint64_t> all_reduces;
    for (const Machine* of_kind : machines_of(machine)) {
      const std::vector<std::uint64_t>& own = of_kind->accelerator->sequencer.all_reduces();
      all_reduces.insert(all_reduces.end(), own.begin(), own.end());
    }
    const Totals mean = of_mean_device(totals, s.devices.tensor, peak_rates(s.accelerator));
    result.devices = devices_of(s, all_reduces,
                                {totals.all_reduces, totals.reduced_values, totals.sends, totals.sent_values,
                                 totals.sent_bytes, totals.sent_wire_bytes},
                                energy_of(mean, s.accelerator, result.simulated_seconds),
                                static_cast<double>(counted_tokens(result)));
    DevicesResult& d = result.devices;
    for (const double bytes : mean.expected_bytes) d.dram_bytes += bytes * s.devices.count();
    if (totals.mixtures > 0 && s.devices.tensor > 1)
      d.experts = config::name_of(expert_split_names(), s.devices.experts);
    if (totals.placed.experts > 0) {
      d.experts_mean = mean.experts.experts / totals.mixtures;
      d.experts_most = totals.most_experts / totals.mixtures;
    }
    if (pipeline) {
      d.bubble_s = 1e-12 * totals.classes[static_cast<std::size_t>(accelerator::OperationClass::bubble)].elapsed_ps;
      d.bubble_share = result.simulated_seconds > 0 ? d.bubble_s / result.simulated_seconds : 0;
      describe_stages(s, kinds, machine, collector.stage_busy_ps(), result);
      for (const CheckResult& c : pipeline_checks(s, *pipeline, totals.sent_values, result)) result.checks.push_back(c);
    }
    result.checks.push_back(
        check_close("bytes sent over links = formula of the algorithm", d.link_formula_bytes, d.link_bytes, "bytes"));
    if (machine.group)
      for (const CheckResult& c : group_checks(s, machine, steps->simulated())) result.checks.push_back(c);
  }
  check(*workload, *steps, collector, result);
  note_replaced_blocks(options, *machine.accelerator, result);
  for (const std::string& notice : machine_notices(s.accelerator)) result.notices.push_back(notice);
  const BandwidthBins& series = workload->own_time_line() || pipeline ? collector.series() : instruments.bins();
  result.bandwidth_interval_s = series.bin_s();
  result.bandwidth_series = series.samples();
  const std::string merged = merged_bins(s, series, result.simulated_seconds);
  if (!merged.empty()) result.notices.push_back(merged);
  const std::string note = instruments.finish();
  if (!note.empty()) result.notices.push_back(note);
  if (recording)
    for (const std::string& left_out : recording->finish()) result.notices.push_back(left_out);
  result.simulation_events = sc_core::sc_delta_count();
  result.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  return result;
}

std::string address_map_of(const LoadedScenario& scenario) {
  const std::unique_ptr<Workload> workload = make_workload(scenario);
  std::string text;
  for (const StageKind& kind : stage_kinds(workload->scenario())) {
    const std::string share = share_of_device(kind);
    text += (text.empty() ? "" : "\n") + address_map_text(kind.scenario, workload->capacity()) +
            (share.empty() ? "" : "\n" + share);
  }
  return text;
}

}  // namespace harmonia::testbench
