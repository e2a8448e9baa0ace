#include "harmonia/testbench/system/run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/program/interrupt.h"
#include "harmonia/testbench/program/progress.h"
#include "harmonia/testbench/system/energy.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {
namespace {

using accelerator::operation_class_count;
using accelerator::OperationClass;
using accelerator::SequenceStep;
using accelerator::StepRecord;
using accelerator::StepWork;

double seconds(const sc_core::sc_time& t) { return t.to_seconds(); }

/// Time per operation class, from what PE array and vector unit report.
class ClassTimes {
 public:
  void watch(accelerator::Accelerator& a) {
    a.pe_array.observer = [this, &a](const pe::TileRecord& tile) {
      auto& t = of(a.sequencer.class_of(tile.operation));
      // The array's own time line, without gaps, gives each class its share of the run.
      t.elapsed_ps += tile.end_ps - std::min(tile.end_ps, pe_end_ps_);
      t.compute_cycles += tile.busy;
      pe_end_ps_ = std::max(pe_end_ps_, tile.end_ps);
      ++t.tiles;
    };
    a.vector_unit.observer = [this, &a](const bus::Work& work) {
      of(a.sequencer.class_of(work.operation)).vector_ps += work.busy_ps;
    };
  }
  /// Between two steps the array's time line starts anew: what lies between is nobody's.
  void step_begins(const sc_core::sc_time& now) { pe_end_ps_ = std::max<std::uint64_t>(pe_end_ps_, now.value()); }
  void step_ends(const sc_core::sc_time& now) {
    of(OperationClass::elementwise).elapsed_ps += now.value() - std::min<std::uint64_t>(now.value(), pe_end_ps_);
    pe_end_ps_ = now.value();
  }

  struct Times {
    std::uint64_t elapsed_ps = 0, compute_cycles = 0, vector_ps = 0, tiles = 0;
  };
  Times& of(OperationClass c) { return times_[static_cast<std::size_t>(c)]; }

 private:
  std::array<Times, operation_class_count> times_{};
  std::uint64_t pe_end_ps_ = 0;
};

/// One simulated step, or one that stands for several.
struct StepOutcome {
  double seconds = 0;
  double error = 0;  // relative, of the extrapolation over layers
};

class Run {
 public:
  Run(const LoadedScenario& loaded, const RunOptions& options)
      : loaded_(loaded), s_(loaded.scenario), options_(options) {}

  RunResult execute() {
    if (s_.workload.is_trace()) throw config::InputError("workload.trace: request traces are not replayed yet");
    const auto wall = std::chrono::steady_clock::now();
    Capacity capacity;
    capacity.slots = static_cast<std::uint64_t>(s_.workload.batch);
    const bool prefill = s_.workload.phase == Phase::prefill;
    capacity.tokens_per_slot = static_cast<std::uint64_t>(s_.workload.context) +
                               (prefill ? 0 : static_cast<std::uint64_t>(s_.workload.tokens));
    const std::uint64_t chunk = s_.workload.prefill_chunk_tokens == 0
                                    ? static_cast<std::uint64_t>(s_.workload.context)
                                    : std::min<std::uint64_t>(s_.workload.prefill_chunk_tokens, s_.workload.context);
    capacity.max_step_tokens = prefill ? chunk * capacity.slots : capacity.slots;
    // A step that cannot run must be refused before anything is simulated or written.
    const accelerator::MachineOptions options = machine_options(s_);
    Machine machine(
        s_, capacity, [this](Host& host) { body(host); }, options);
    machine_ = &machine;
    refuse_impossible_steps(capacity);
    times_.watch(*machine.accelerator);
    const InterruptGuard guard;
    machine.simulate();
    collect(machine);
    result_.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
    return std::move(result_);
  }

 private:
  StepWork work_at(std::uint64_t cached, std::uint64_t tokens) const {
    StepWork work;
    for (int b = 0; b < s_.workload.batch; ++b)
      work.sequences.push_back({static_cast<std::uint64_t>(b), cached, tokens, true});
    return work;
  }

  /// Generates one layer of the largest step, which throws when a tile does not fit on chip.
  void refuse_impossible_steps(const Capacity& capacity) {
    const accelerator::OnChip chip = accelerator::OnChip::from(s_.accelerator);
    const accelerator::MachineOptions options = machine_options(s_);
    const StepWork work =
        work_at(s_.workload.phase == Phase::prefill ? 0 : static_cast<std::uint64_t>(s_.workload.context),
                capacity.max_step_tokens / capacity.slots);
    accelerator::StepProgram program(machine_->shape, machine_->map, chip, options.program, work);
    program.embedding();
    program.layer(0);
    program.head();
  }

  StepOutcome simulate(Host& host, const StepWork& work) {
    const bool sampled =
        s_.fidelity.mode == FidelityMode::sampled && s_.fidelity.sample_layers < s_.model.num_hidden_layers;
    const std::uint32_t layers = sampled ? static_cast<std::uint32_t>(s_.fidelity.sample_layers) : 0;
    times_.step_begins(sc_core::sc_time_stamp());
    host.step(work, layers);
    times_.step_ends(sc_core::sc_time_stamp());
    const StepRecord& r = machine_->accelerator->sequencer.record();
    StepOutcome outcome;
    outcome.seconds = seconds(r.end - r.begin);
    if (sampled) {
      // The first layer also fills the pipeline; the others are alike.
      double sum = 0, least = 1e300, most = 0;
      const std::size_t n = r.layer_begin.size();
      for (std::size_t i = n > 2 ? 2 : 1; i < n; ++i) {
        const double d = seconds(r.layer_begin[i] - r.layer_begin[i - 1]);
        sum += d;
        least = std::min(least, d);
        most = std::max(most, d);
      }
      const double mean = sum / static_cast<double>(n > 2 ? n - 2 : 1);
      const double added = (s_.model.num_hidden_layers - static_cast<double>(layers)) * mean;
      outcome.seconds += added;
      outcome.error = outcome.seconds > 0 ? (most - least) / std::max(mean, 1e-30) * added / outcome.seconds : 0;
    }
    result_.fidelity.layers_simulated = layers == 0 ? static_cast<std::uint64_t>(s_.model.num_hidden_layers) : layers;
    ++result_.fidelity.steps_simulated;
    return outcome;
  }

  void body(Host& host) {
    const WorkloadConfig& w = s_.workload;
    Samples per_token, first_token, end_to_end;
    if (w.phase == Phase::prefill) {
      const std::uint64_t prompt = static_cast<std::uint64_t>(w.context);
      const std::uint64_t chunk =
          w.prefill_chunk_tokens == 0 ? prompt : static_cast<std::uint64_t>(w.prefill_chunk_tokens);
      double total = 0;
      Progress progress("chunks", static_cast<double>((prompt + chunk - 1) / chunk));
      for (std::uint64_t done = 0; done < prompt && !interrupted(); done += chunk) {
        StepWork work = work_at(done, std::min(chunk, prompt - done));
        for (SequenceStep& q : work.sequences) q.logits = done + chunk >= prompt;
        const StepOutcome o = simulate(host, work);
        total += o.seconds;
        worst_error_ = std::max(worst_error_, o.error);
        ++result_.steps;
        result_.prompt_tokens += work.tokens();
        progress.update(static_cast<double>(result_.steps));
      }
      result_.complete = !interrupted();
      first_token.add(total, static_cast<std::uint64_t>(w.batch));
      result_.simulated_seconds = total;
    } else {
      std::vector<std::uint64_t> chosen;  // steps that are simulated
      const std::uint64_t tokens = static_cast<std::uint64_t>(w.tokens);
      const std::uint64_t most =
          s_.fidelity.mode == FidelityMode::sampled ? std::max(2, s_.fidelity.sample_steps) : tokens;
      if (tokens <= most) {
        for (std::uint64_t t = 0; t < tokens; ++t) chosen.push_back(t);
      } else {
        for (std::uint64_t i = 0; i < most; ++i) chosen.push_back(i * (tokens - 1) / (most - 1));
      }
      Progress progress("steps", static_cast<double>(chosen.size()));
      std::vector<double> at;
      for (std::size_t i = 0; i < chosen.size() && !interrupted(); ++i) {
        const StepOutcome o = simulate(host, work_at(static_cast<std::uint64_t>(w.context) + chosen[i], 1));
        worst_error_ = std::max(worst_error_, o.error);
        at.push_back(o.seconds);
        progress.update(static_cast<double>(i + 1));
      }
      result_.complete = !interrupted();
      // Steps between two simulated ones: linear in the context.
      double total = 0;
      for (std::size_t i = 0; i < at.size(); ++i) {
        per_token.add(at[i], static_cast<std::uint64_t>(w.batch));
        total += at[i];
        if (i + 1 == at.size()) break;
        for (std::uint64_t t = chosen[i] + 1; t < chosen[i + 1]; ++t) {
          const double x = static_cast<double>(t - chosen[i]) / static_cast<double>(chosen[i + 1] - chosen[i]);
          const double value = at[i] + x * (at[i + 1] - at[i]);
          per_token.add(value, static_cast<std::uint64_t>(w.batch));
          total += value;
        }
      }
      result_.steps = at.empty() ? 0 : chosen[at.size() - 1] + 1;
      result_.output_tokens = result_.steps * static_cast<std::uint64_t>(w.batch);
      result_.simulated_seconds = total;
      end_to_end.add(total, static_cast<std::uint64_t>(w.batch));
    }
    result_.latency.time_per_output_token_s = per_token.distribution();
    result_.latency.time_to_first_token_s = first_token.distribution();
    result_.latency.end_to_end_s = end_to_end.distribution();
  }

  void check(const std::string& name, double expected, double actual, const std::string& unit, bool at_least = false) {
    CheckResult c;
    c.name = name;
    c.expected = expected;
    c.actual = actual;
    c.unit = unit;
    c.rule = at_least ? "at least" : "equal";
    c.passed = at_least ? actual >= expected : actual == expected;
    result_.checks.push_back(c);
  }

  void collect(Machine& m) {
    accelerator::Accelerator& a = *m.accelerator;
    const double simulated = sc_core::sc_time_stamp().to_seconds();  // what the kernel ran; sampled runs stand for more
    const double scale = simulated > 0 ? result_.simulated_seconds / simulated : 1;
    result_.provenance.scenario = s_.name;
    result_.provenance.source = loaded_.source;
    result_.provenance.seed = s_.seed;
    result_.provenance.config = loaded_.resolved;
    result_.assumptions = loaded_.assumptions;
    result_.notices.insert(result_.notices.end(), loaded_.notices.begin(), loaded_.notices.end());
    result_.model = s_.model.name;
    result_.accelerator = s_.accelerator.name;
    result_.fidelity.mode = s_.fidelity.mode == FidelityMode::sampled ? "sampled" : "full";
    result_.fidelity.timing = s_.fidelity.timing == Timing::lt ? "lt" : "at";
    result_.fidelity.data = s_.fidelity.data == DataMode::functional ? "functional" : "timing_only";
    result_.fidelity.layers_total = static_cast<std::uint64_t>(s_.model.num_hidden_layers);
    result_.fidelity.steps_total = result_.steps;
    result_.fidelity.error_estimate = worst_error_;
    result_.output_tokens_per_s =
        result_.simulated_seconds > 0 ? static_cast<double>(result_.output_tokens) / result_.simulated_seconds : 0;

    double weight_bytes = 0, weights = 0;
    for (const auto& layer : m.map.layers)
      for (const auto& t : layer.linear) {
        weight_bytes += static_cast<double>(t.bytes());
        weights += static_cast<double>(t.rows) * static_cast<double>(t.k);
      }
    result_.effective_bits_per_weight = weight_bytes * 8 / weights;
    const double embeddings = 2.0 * s_.model.hidden_size * s_.model.vocab_size;
    result_.weight_bytes = weight_bytes + embeddings +
                           (m.map.lm_head.index == m.map.embedding ? 0 : static_cast<double>(m.map.lm_head.bytes()));

    bandwidth(a, simulated, scale);
    units(a);
    operations(a, scale);
    checks(a, simulated);
    energy(a, scale);
    area();
    std::uint64_t events = sc_core::sc_delta_count();
    result_.simulation_events = events;
  }

  void bandwidth(accelerator::Accelerator& a, double simulated, double scale) {
    BandwidthResult& b = result_.bandwidth;
    b.peak_bytes_per_s = accelerator::peak_bandwidth(s_.accelerator);
    std::uint64_t pins = 0;
    for (auto& channel : a.channels) {
      const dram::ChannelCounts& counts = channel->counts();
      ChannelResult c;
      std::uint64_t bytes = 0;
      for (std::size_t i = 0; i < kTrafficClasses; ++i) {
        b.bytes_by_class[i] += static_cast<std::uint64_t>(static_cast<double>(counts.request_bytes[i]) * scale);
        bytes += counts.pin_bytes[i];
        (i == static_cast<std::size_t>(TrafficClass::kv_write) ? c.bytes_written : c.bytes_read) += counts.pin_bytes[i];
      }
      pins += bytes;
      const dram::Statistics& s = channel->statistics();
      c.utilisation = simulated > 0 ? static_cast<double>(bytes) / simulated /
                                          (b.peak_bytes_per_s / static_cast<double>(a.channels.size()))
                                    : 0;
      fill_channel(c, s, channel->config());
      result_.channels.push_back(c);
    }
    b.achieved_bytes_per_s = simulated > 0 ? static_cast<double>(pins) / simulated : 0;
    b.utilisation = b.achieved_bytes_per_s / b.peak_bytes_per_s;
  }

  void fill_channel(ChannelResult& c, const dram::Statistics& s, const dram::Config& channel);

  void units(accelerator::Accelerator& a) {
    for (const auto& u : a.unit_activity()) {
      UnitResult r;
      r.name = u.name;
      r.busy = u.busy;
      for (const auto& [cause, share] : u.waiting) r.stalled.push_back({cause, share});
      result_.units.push_back(r);
    }
  }

  void operations(accelerator::Accelerator& a, double scale) {
    const accelerator::Expected& e = a.sequencer.expected();
    const double clock_hz = s_.accelerator.clock_mhz * 1e6;
    for (std::size_t i = 0; i < operation_class_count; ++i) {
      const auto c = static_cast<OperationClass>(i);
      const ClassTimes::Times& t = times_.of(c);
      const auto& x = e.of_class[i];
      if (t.tiles == 0 && x.bytes == 0 && t.elapsed_ps == 0) continue;
      OperationResult o;
      o.name = accelerator::name_of(c);
      o.count = t.tiles;
      o.macs = static_cast<std::uint64_t>(static_cast<double>(x.macs) * scale);
      o.bytes = static_cast<std::uint64_t>(static_cast<double>(x.bytes) * scale);
      o.simulated_s = static_cast<double>(t.elapsed_ps) * 1e-12 * scale;
      o.memory_s = static_cast<double>(o.bytes) / result_.bandwidth.peak_bytes_per_s;
      const int bits =
          accelerator::storage_of(
              accelerator::weight_format(c == OperationClass::lm_head ? s_.weights.lm_head : s_.weights.format))
              .bits;
      o.decode_s = static_cast<double>(x.weights) * scale / (s_.accelerator.decoder.rate(bits) * clock_hz);
      o.compute_s = static_cast<double>(t.compute_cycles) * scale / clock_hz;
      o.vector_s = static_cast<double>(t.vector_ps) * 1e-12 * scale;
      o.bound = bound_of(o);
      result_.operations.push_back(o);
    }
    result_.bound = bound_of(result_.operations);
  }

  void checks(accelerator::Accelerator& a, double simulated) {
    const accelerator::Expected& e = a.sequencer.expected();
    double pins = 0;
    for (std::size_t i = 0; i < kTrafficClasses; ++i) {
      double requested = 0;
      for (auto& channel : a.channels) {
        requested += static_cast<double>(channel->counts().request_bytes[i]);
        pins += static_cast<double>(channel->counts().pin_bytes[i]);
      }
      check(std::string("bytes of ") + kTrafficClassNames[i] + " = external-access formula",
            static_cast<double>(e.bytes[i]), requested, "bytes");
    }
    check("multiply-accumulates = model shapes", static_cast<double>(e.macs), static_cast<double>(a.pe_array.macs()),
          "MACs");
    check("group operations of the array = formula", static_cast<double>(e.pe_slots),
          static_cast<double>(a.pe_array.slots()), "32-MAC operations");
    std::uint64_t requests = 0, responses = 0;
    for (auto& channel : a.channels) {
      requests += channel->counts().requests;
      responses += channel->counts().responses;
    }
    check("requests issued = answered", static_cast<double>(requests), static_cast<double>(responses), "requests");
    check("time >= bytes / peak bandwidth", pins / result_.bandwidth.peak_bytes_per_s, simulated, "s", true);
    check("time >= group operations / peak rate",
          static_cast<double>(a.pe_array.slots()) *
              std::min(s_.accelerator.pe.linear_cycles_per_group(), s_.accelerator.pe.attention_cycles_per_group) /
              (static_cast<double>(s_.accelerator.pe.rows) * s_.accelerator.pe.cols * s_.accelerator.clock_mhz * 1e6),
          simulated, "s", true);
  }

  void energy(accelerator::Accelerator& a, double scale) {
    result_.energy = machine_energy(a, s_.accelerator.energy, result_.simulated_seconds, scale);
    const double tokens = static_cast<double>(result_.output_tokens + result_.prompt_tokens);
    result_.energy.per_token_j = tokens > 0 ? result_.energy.total_j / tokens : 0;
  }

  void area() {
    const accelerator::AreaSection& x = s_.accelerator.area;
    const accelerator::AcceleratorConfig& c = s_.accelerator;
    auto add = [this](const char* name, double mm2) {
      result_.area.components.push_back({name, mm2});
      result_.area.total_mm2 += mm2;
    };
    add("pe_array", static_cast<double>(c.pe.macs_per_cycle()) * x.lane_um2 * 1e-6);
    const double mib = static_cast<double>(c.weight_buffer.capacity_bytes + c.kv_buffer.capacity_bytes +
                                           c.activation_buffer.capacity_bytes) /
                       (1 << 20);
    add("sram", mib * x.sram_mm2_per_mib);
    add("decoder", c.decoder.weights_per_cycle * x.decoder_um2_per_lane * 1e-6);
    add("converter", x.converter_mm2);
    add("vector_unit", x.vector_mm2);
  }

  const LoadedScenario& loaded_;
  const Scenario& s_;
  RunOptions options_;
  Machine* machine_ = nullptr;
  ClassTimes times_;
  RunResult result_;
  double worst_error_ = 0;
};

void Run::fill_channel(ChannelResult& c, const dram::Statistics& s, const dram::Config& channel) {
  for (std::size_t i = 0; i < s.commands.size(); ++i)
    if (s.commands[i] != 0) c.commands.emplace_back(dram::cmd_name(static_cast<dram::Cmd>(i)), s.commands[i]);
  c.row_hits = s.row_hits;
  c.row_misses = s.row_misses;
  c.row_conflicts = s.row_conflicts;
  const double cycles = std::max(1.0, static_cast<double>(s.busy_until));
  c.refresh_share = static_cast<double>(s.refresh_cycles) / cycles / channel.units();
  c.queue_occupancy_mean = (s.queue_integral[0] + s.queue_integral[1]) / cycles;
  c.queue_occupancy_max = s.queue_peak[0] + s.queue_peak[1];
  const dram::Histogram& reads = s.latency[0];
  const double period = channel.tCK_ps * 1e-12;
  c.read_latency_s.count = reads.count();
  c.read_latency_s.mean = reads.mean() * period;
  c.read_latency_s.min = static_cast<double>(reads.min()) * period;
  c.read_latency_s.max = static_cast<double>(reads.max()) * period;
  c.read_latency_s.p50 = static_cast<double>(reads.percentile(0.50)) * period;
  c.read_latency_s.p95 = static_cast<double>(reads.percentile(0.95)) * period;
  c.read_latency_s.p99 = static_cast<double>(reads.percentile(0.99)) * period;
}

}  // namespace

RunResult run_scenario(const LoadedScenario& scenario, const RunOptions& options) {
  return Run(scenario, options).execute();
}

}  // namespace harmonia::testbench
