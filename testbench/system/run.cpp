#include "harmonia/testbench/system/run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/program/interrupt.h"
#include "harmonia/testbench/program/progress.h"
#include "harmonia/testbench/replay/continuous_batching.h"
#include "harmonia/testbench/replay/request_trace.h"
#include "harmonia/testbench/replay/step_cost.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/system/energy.h"
#include "harmonia/testbench/system/instruments.h"
#include "harmonia/testbench/system/machine.h"
#include "harmonia/testbench/system/totals.h"

namespace harmonia::testbench {
namespace {

using accelerator::OperationClass;
using accelerator::SequenceStep;
using accelerator::StepWork;

/// Thrown on the host's thread when an interrupt came inside a step that was paused for it.
struct Interrupted {};

/// One step, simulated whole or extrapolated from some of its layers.
struct StepOutcome {
  Totals totals;
  double error = 0;  // relative, of the time: what the sampled layers differ by
};

class Run {
 public:
  Run(const LoadedScenario& loaded, const RunOptions& options)
      : loaded_(loaded), s_(loaded.scenario), options_(options), bins_(1e-6, true, 0) {
    if (s_.workload.phase == Phase::gemv && !s_.workload.is_trace()) {
      // The matrix stands where lm_head would.
      s_.model = accelerator::ModelShape{};
      s_.model.name = "matrix " + std::to_string(s_.workload.rows) + " x " + std::to_string(s_.workload.cols);
      s_.model.hidden_size = s_.model.intermediate_size = s_.workload.cols;
      s_.model.vocab_size = s_.workload.rows;
      s_.model.num_hidden_layers = s_.model.num_attention_heads = s_.model.num_key_value_heads = 1;
      s_.model.head_dim = 2;
      s_.weights.lm_head = s_.weights.format;
      s_.weights.format = "kmeans1";
      single_linear_ = true;
    }
    sampled_ = s_.fidelity.mode == FidelityMode::sampled;
  }

  std::string address_map() { return address_map_text(s_, capacity()); }

  RunResult execute() {
    const auto wall = std::chrono::steady_clock::now();
    const Capacity capacity = this->capacity();
    const accelerator::MachineOptions options = machine_options(s_);
    Machine machine(
        s_, capacity, [this](Host& host) { body(host); }, options);
    machine_ = &machine;
    // A step that cannot run must be refused before anything is simulated or written.
    refuse_impossible_steps(capacity);
    InstrumentOptions record;
    record.timeline_file = options_.timeline_file;
    record.waves_file = options_.waves_file;
    record.bandwidth_interval_s = s_.output.bandwidth_interval_us * 1e-6;
    Instruments instruments(*machine.accelerator, record);
    instruments_ = &instruments;
    bins_ = BandwidthBins(record.bandwidth_interval_s > 0 ? record.bandwidth_interval_s : 1e-6,
                          record.bandwidth_interval_s <= 0,
                          accelerator::peak_bandwidth(s_.accelerator) / s_.accelerator.dram.channels);
    machine.accelerator->sequencer.on_marker = [this](std::uint32_t) {
      marks_.push_back(totals_of(*machine_->accelerator, instruments_->times()));
    };
    const InterruptGuard guard;
    machine.simulate_until([&] { return machine.host->finished() || instruments.stopped(); });
    if (instruments.stopped()) result_.complete = false;
    finish_workload();
    collect();
    const std::string note = instruments.finish();
    if (!note.empty()) result_.notices.push_back(note);
    result_.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
    return std::move(result_);
  }

 private:
  // ------------------------------------------------------------------------------------------------------ capacity

  Capacity capacity() { return s_.workload.is_trace() ? trace_capacity() : fixed_capacity(); }

  Capacity fixed_capacity() const {
    const WorkloadConfig& w = s_.workload;
    Capacity c;
    c.slots = static_cast<std::uint64_t>(w.batch);
    c.max_step_tokens = c.slots;
    if (w.phase == Phase::gemv) return c;
    const auto context = static_cast<std::uint64_t>(w.context);
    const bool prefill = w.phase == Phase::prefill;
    c.tokens_per_slot = context + (prefill ? 0 : static_cast<std::uint64_t>(w.tokens));
    if (prefill) {
      const auto chunk = static_cast<std::uint64_t>(w.prefill_chunk_tokens);
      c.max_step_tokens = c.slots * (chunk == 0 ? context : std::min(chunk, context));
    }
    return c;
  }

  /// Reads the trace and finds how much of it the memory can hold.
  Capacity trace_capacity() {
    const WorkloadConfig& w = s_.workload;
    if (s_.fidelity.data == DataMode::functional)
      throw config::InputError(
          "fidelity.data: request traces carry lengths and no text, expected timing_only when one is replayed");
    std::vector<Request> requests = read_request_trace(loaded_.trace_file, w.limit).requests;
    for (Request& r : requests) r.arrival_s *= w.time_scale;

    // Bytes a token takes, from a slot long enough for windows not to count.
    constexpr std::uint64_t probe = 1 << 15;
    Capacity c;
    c.slots = static_cast<std::uint64_t>(w.max_batch);
    std::uint64_t longest_prompt = 1;
    for (const Request& r : requests)
      longest_prompt = std::max(longest_prompt, static_cast<std::uint64_t>(r.prompt_tokens));
    const std::uint64_t chunk =
        w.prefill_chunk_tokens == 0 ? longest_prompt : static_cast<std::uint64_t>(w.prefill_chunk_tokens);
    c.max_step_tokens = chunk + c.slots;
    Capacity one = c;
    one.slots = 1;
    one.tokens_per_slot = probe;
    accelerator::MapRequest request = map_request(s_, one);
    const std::uint64_t memory = request.memory_bytes;
    request.memory_bytes = 0;
    const accelerator::MemoryMap map = accelerator::MemoryMap::build(request);
    const std::uint64_t others = map.end - map.kv.bytes() + c.slots * request.tensor_alignment;
    const double token_bytes = static_cast<double>(map.kv.slot_bytes()) / static_cast<double>(probe);
    const auto room = memory > others ? static_cast<std::uint64_t>(static_cast<double>(memory - others) / token_bytes)
                                      : std::uint64_t{0};
    const auto wanted = static_cast<std::uint64_t>(w.kv_capacity_tokens);
    if (wanted > room)
      throw config::InputError(
          "workload.kv_capacity_tokens: the KV cache overflows the DRAM: " + std::to_string(wanted) +
          " tokens are wanted and the DRAM has room for " + std::to_string(room) + " beside weights and activations");
    limits_.sequences = c.slots;
    limits_.chunk_tokens = static_cast<std::uint64_t>(w.prefill_chunk_tokens);
    limits_.kv_tokens = wanted == 0 ? room : wanted;
    limits_.request_tokens =
        accelerator::StepProgram::longest_context(s_.model, accelerator::OnChip::from(s_.accelerator));
    c.kv_tokens = limits_.kv_tokens;
    c.tokens_per_slot = 0;
    for (const Request& r : requests) {
      const auto tokens = static_cast<std::uint64_t>(r.prompt_tokens + r.output_tokens);
      if (tokens <= std::min(limits_.kv_tokens, limits_.request_tokens))
        c.tokens_per_slot = std::max(c.tokens_per_slot, tokens);
    }
    if (c.tokens_per_slot == 0)
      throw config::InputError({loaded_.trace_file, 0, 0}, "no request of the trace fits the KV cache of " +
                                                               std::to_string(limits_.kv_tokens) +
                                                               " tokens, expected at least one that does");
    longest_context_ = c.tokens_per_slot;
    longest_chunk_ = std::min(chunk, longest_prompt);
    batching_ = std::make_unique<ContinuousBatching>(std::move(requests), limits_);
    return c;
  }

  /// Generates one layer of the largest step, which throws when a tile does not fit on chip.
  void refuse_impossible_steps(const Capacity& capacity) {
    const accelerator::OnChip chip = accelerator::OnChip::from(s_.accelerator);
    const accelerator::MachineOptions options = machine_options(s_);
    StepWork work;
    if (s_.workload.is_trace()) {
      work.sequences.push_back({0, 0, longest_chunk_, true});
      for (std::uint64_t i = 1; i < limits_.sequences; ++i) work.sequences.push_back({i, 0, 1, true});
    } else if (s_.workload.phase == Phase::prefill) {
      work = work_at(0, capacity.max_step_tokens / capacity.slots);
    } else {
      work = work_at(single_linear_ ? 0 : static_cast<std::uint64_t>(s_.workload.context), 1);
    }
    accelerator::StepProgram program(machine_->shape, machine_->map, chip, options.program, work);
    if (single_linear_) {
      program.input();
    } else {
      program.embedding();
      program.layer(0);
    }
    program.head();
  }

  // --------------------------------------------------------------------------------------------------------- steps

  StepWork work_at(std::uint64_t cached, std::uint64_t tokens) const {
    StepWork work;
    for (int b = 0; b < s_.workload.batch; ++b)
      work.sequences.push_back({static_cast<std::uint64_t>(b), cached, tokens, true});
    return work;
  }

  /// What the formulas say of the whole step, whatever part of it is simulated.
  accelerator::Expected expected_of(const StepWork& work) const {
    accelerator::StepProgram program(machine_->shape, machine_->map, accelerator::OnChip::from(s_.accelerator),
                                     machine_options(s_).program, work);
    program.embedding();
    accelerator::Expected before = program.expected();
    program.layer(0);
    accelerator::Expected sum = before;
    for (int layer = 0; layer < s_.model.num_hidden_layers; ++layer) sum += program.expected() - before;
    before = program.expected();
    program.head();
    return sum += program.expected() - before;
  }

  StepOutcome simulate(Host& host, const StepWork& work) {
    if (interrupted()) throw Interrupted{};
    accelerator::Accelerator& a = *machine_->accelerator;
    const auto all = static_cast<std::uint32_t>(s_.model.num_hidden_layers);
    const bool part = sampled_ && !single_linear_ && static_cast<std::uint32_t>(s_.fidelity.sample_layers) < all;
    const std::uint32_t layers = part ? static_cast<std::uint32_t>(s_.fidelity.sample_layers) : all;
    const std::uint32_t columns = part ? kHeadColumns : 0;
    instruments_->step_begins();
    marks_.clear();
    const Totals begin = totals_of(a, instruments_->times());
    host.step(work, part ? layers : 0, columns, single_linear_);
    instruments_->step_ends();
    last_ = totals_of(a, instruments_->times());
    ++result_.fidelity.steps_simulated;
    result_.fidelity.layers_simulated = single_linear_ ? 0 : layers;
    name_phases(begin, layers);

    StepOutcome outcome;
    outcome.totals = last_ - begin;
    if (part) extrapolate(outcome, work, layers);
    return outcome;
  }

  void extrapolate(StepOutcome& outcome, const StepWork& work, std::uint32_t layers) {
    // The first layer also fills the pipeline; those after it are alike.
    const std::uint32_t first = 2;
    const double counted = layers - first + 1;
    const Totals layer_sum = marks_[layers] - marks_[first - 1];
    const double whole_layers = s_.model.num_hidden_layers;
    double least = 1e300, most = 0;
    for (std::uint32_t i = layers == 2 ? 1 : first; i <= layers; ++i) {
      const double d = marks_[i].time_ps - marks_[i - 1].time_ps;
      least = std::min(least, d);
      most = std::max(most, d);
    }
    const double added = whole_layers - layers;
    outcome.totals.add(layer_sum, added / counted);
    // Of three pieces of lm_head the middle one has no beginning and no end.
    if (marks_.size() == layers + 4) {
      const double pieces = static_cast<double>(s_.model.vocab_size) / kHeadColumns;
      outcome.totals.add(marks_[layers + 2] - marks_[layers + 1], pieces - 3);
    }
    const double mean = layer_sum.time_ps / counted;
    outcome.error = mean > 0 ? (most - least) / mean * (added * mean / outcome.totals.time_ps) : 0;
    const accelerator::Expected e = expected_of(work);
    for (std::size_t i = 0; i < kTrafficClasses; ++i)
      outcome.totals.expected_bytes[i] = static_cast<double>(e.bytes[i]);
    outcome.totals.expected_macs = static_cast<double>(e.macs);
    outcome.totals.expected_slots = static_cast<double>(e.pe_slots);
    for (std::size_t i = 0; i < outcome.totals.classes.size(); ++i) {
      outcome.totals.classes[i].bytes = static_cast<double>(e.of_class[i].bytes);
      outcome.totals.classes[i].macs = static_cast<double>(e.of_class[i].macs);
      outcome.totals.classes[i].weights = static_cast<double>(e.of_class[i].weights);
    }
  }

  void name_phases(const Totals& begin, std::uint32_t layers) {
    auto from = static_cast<std::uint64_t>(begin.time_ps);
    for (std::size_t i = 0; i < marks_.size(); ++i) {
      const auto to = static_cast<std::uint64_t>(marks_[i].time_ps);
      instruments_->phase(single_linear_ ? (i == 0 ? "vectors" : "matrix")
                          : i == 0       ? "embedding"
                          : i <= layers  ? "layer " + std::to_string(i - 1)
                                         : "lm_head",
                          from, to);
      from = to;
    }
  }

  // ------------------------------------------------------------------------------------------------------ workloads

  void body(Host& host) {
    try {
      if (s_.workload.is_trace())
        replay(host);
      else if (s_.workload.phase == Phase::prefill)
        prefill(host);
      else if (s_.workload.phase == Phase::gemv)
        gemv(host);
      else
        decode(host);
    } catch (const Interrupted&) {
      result_.complete = false;
    }
  }

  void account(const StepOutcome& o, double weight = 1) {
    run_.add(o.totals, weight);
    worst_error_ = std::max(worst_error_, o.error);
  }

  void over_time(const Totals& t, double begin_s, double end_s) {
    for (std::size_t i = 0; i < t.channels.size(); ++i) bins_.add(i, begin_s, end_s, t.channels[i].pin_bytes);
  }

  void prefill(Host& host) {
    const WorkloadConfig& w = s_.workload;
    const auto prompt = static_cast<std::uint64_t>(w.context);
    const std::uint64_t chunk =
        w.prefill_chunk_tokens == 0 ? prompt : static_cast<std::uint64_t>(w.prefill_chunk_tokens);
    const std::uint64_t chunks = (prompt + chunk - 1) / chunk;
    // The last chunk wants logits and may be shorter: it is simulated in any case. The whole ones before it differ in
    // how much they attend to only, and every count is close to linear in that.
    const std::uint64_t whole = chunks - 1,
                        most = std::max<std::uint64_t>(2, static_cast<std::uint64_t>(s_.fidelity.sample_steps));
    const bool every = !sampled_ || whole <= most;
    const std::uint64_t count = every ? whole : most;
    Progress progress("chunks", static_cast<double>(count + 1));
    const auto chunk_at = [&](std::uint64_t i) {
      StepWork work = work_at(i * chunk, std::min(chunk, prompt - i * chunk));
      for (SequenceStep& q : work.sequences) q.logits = i + 1 == chunks;
      return work;
    };
    const auto take = [&](const StepOutcome& o, std::uint64_t i) {
      const double begin = run_.seconds();
      account(o);
      over_time(o.totals, begin, run_.seconds());
      ++result_.steps;
      result_.prompt_tokens += chunk_at(i).tokens();
    };
    StepOutcome before;
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t at = every ? i : i * (whole - 1) / (most - 1);
      const StepOutcome o = simulate(host, chunk_at(at));
      for (const std::uint64_t from = next; next <= at; ++next) {
        const double x = next == at ? 1 : static_cast<double>(next + 1 - from) / static_cast<double>(at + 1 - from);
        Totals between;
        between.add(o.totals, x);
        if (x != 1) between.add(before.totals, 1 - x);
        take({between, o.error}, next);
      }
      before = o;
      progress.update(static_cast<double>(i + 1));
    }
    take(simulate(host, chunk_at(chunks - 1)), chunks - 1);
    progress.update(static_cast<double>(count + 1));
    first_token_.add(run_.seconds(), static_cast<std::uint64_t>(w.batch));
  }

  void gemv(Host& host) {
    account(simulate(host, work_at(0, 1)));
    result_.steps = 1;
    over_time(run_, 0, run_.seconds());
  }

  void decode(Host& host) {
    const WorkloadConfig& w = s_.workload;
    const auto tokens = static_cast<std::uint64_t>(w.tokens), batch = static_cast<std::uint64_t>(w.batch);
    const std::uint64_t most =
        sampled_ ? std::max<std::uint64_t>(2, static_cast<std::uint64_t>(s_.fidelity.sample_steps)) : tokens;
    const bool every = tokens <= most;
    const std::uint64_t count = every ? tokens : most;
    Progress progress("steps", static_cast<double>(count));
    StepOutcome before;
    std::uint64_t at = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t step = every ? i : i * (tokens - 1) / (most - 1);
      const StepOutcome o = simulate(host, work_at(static_cast<std::uint64_t>(w.context) + step, 1));
      // Steps between two simulated ones: every count is linear in the context.
      for (std::uint64_t t = i == 0 ? step : at + 1; t <= step; ++t) {
        const double x = i == 0 || t == step ? 1 : static_cast<double>(t - at) / static_cast<double>(step - at);
        Totals between;
        between.add(o.totals, x);
        if (x != 1) between.add(before.totals, 1 - x);
        const double begin = run_.seconds();
        account({between, o.error});
        over_time(between, begin, run_.seconds());
        per_token_.add(between.seconds(), batch);
        ++result_.steps;
        result_.output_tokens += batch;
      }
      before = o;
      at = step;
      progress.update(static_cast<double>(i + 1));
    }
    end_to_end_.add(run_.seconds(), batch);
  }

  static StepWork work_of(const std::vector<ContinuousBatching::Part>& parts) {
    StepWork work;
    for (const ContinuousBatching::Part& p : parts) work.sequences.push_back({p.slot, p.cached, p.tokens, p.token_out});
    return work;
  }

  StepWork work_of(const StepShape& shape) const {
    StepWork work;
    const std::uint64_t slots = machine_->map.kv.slots(), room = longest_context_ - 1;
    for (std::uint64_t i = 0; i < shape.sequences; ++i)
      work.sequences.push_back({i % slots, std::min(shape.context, room), 1, shape.logits});
    if (shape.prompt > 0)
      work.sequences.push_back({std::min(shape.sequences, slots - 1),
                                std::min(shape.cached, longest_context_ - std::min(longest_context_, shape.prompt)),
                                std::min(shape.prompt, longest_context_), shape.logits});
    return work;
  }

  StepQuery query_of(const std::vector<ContinuousBatching::Part>& parts, const StepWork& work) const {
    StepQuery q;
    for (const ContinuousBatching::Part& p : parts) {
      q.outputs += p.token_out ? 1 : 0;
      (p.prefill ? q.prompt : q.sequences) += p.tokens;
    }
    q.demand = attention_demand(work);
    return q;
  }

  double attention_demand(const StepWork& work) const {
    const accelerator::PeSection& pe = s_.accelerator.pe;
    const accelerator::OnChip chip = accelerator::OnChip::from(s_.accelerator);
    const accelerator::StepProgram program(machine_->shape, machine_->map, chip, program_settings_, work);
    return program.attention_seconds(accelerator::peak_bandwidth(s_.accelerator),
                                     static_cast<double>(pe.rows) * pe.cols * s_.accelerator.clock_mhz * 1e6);
  }

  void replay(Host& host) {
    ContinuousBatching& b = *batching_;
    std::vector<Totals>& points = points_;
    std::vector<double>& uses = uses_;
    StepCost::Limits limits;
    limits.sequences = limits_.sequences;
    limits.context = longest_context_ > 1 ? longest_context_ - 1 : 1;
    limits.prompt = std::min(longest_chunk_ + limits_.sequences, longest_context_);
    limits.cached = longest_context_ > 64 ? longest_context_ - 64 : 0;
    limits.rows_on_chip =
        accelerator::StepProgram::rows_on_chip(machine_->shape, accelerator::OnChip::from(s_.accelerator));
    program_settings_ = machine_options(s_).program;
    StepCost cost(
        limits,
        [&](const StepShape& shape) {
          const StepOutcome o = simulate(host, work_of(shape));
          point_errors_.push_back(o.error);
          points.push_back(o.totals);
          uses.push_back(0);
          return points.size() - 1;
        },
        [&](const StepShape& shape) { return attention_demand(work_of(shape)); });
    Progress progress("requests", static_cast<double>(b.requests().size()));
    std::uint64_t steps = 0, probe = 4;
    double probes = 0;
    while (!b.finished()) {
      if (interrupted()) throw Interrupted{};
      const auto& parts = b.begin_step(now_);
      if (parts.empty()) {
        if (!b.finished()) now_ = std::max(now_, b.next_arrival());
        continue;
      }
      const StepWork work = work_of(parts);
      const double begin = now_;
      if (sampled_) {
        const StepCost::Mix mix = cost.cost(query_of(parts, work));
        double seconds = 0;
        Totals moved;
        for (const auto& [point, weight] : mix) seconds += weight * points[point].seconds();
        if (steps == probe && probes < kProbes) {
          // Now and then a step of the run is simulated as it is: the interpolation's error is measured, not guessed.
          probe *= 4;
          ++probes;
          const double real = simulate(host, work).totals.seconds();
          interpolation_error_ = std::max(interpolation_error_, std::abs(seconds / real - 1));
        }
        now_ += seconds;
        std::vector<BandwidthBins::Bytes> bytes(points.front().channels.size());
        for (const auto& [point, weight] : mix) {
          uses[point] += weight;
          for (std::size_t i = 0; i < bytes.size(); ++i)
            for (std::size_t c = 0; c < kTrafficClasses; ++c)
              bytes[i][c] += weight * points[point].channels[i].pin_bytes[c];
        }
        for (std::size_t i = 0; i < bytes.size(); ++i) bins_.add(i, begin, now_, bytes[i]);
      } else {
        const StepOutcome o = simulate(host, work);
        account(o);
        now_ += o.totals.seconds();
        over_time(o.totals, begin, now_);
      }
      ++steps;
      ++result_.steps;
      for (const ContinuousBatching::Part& p : parts) {
        if (p.prefill) result_.prompt_tokens += p.tokens;
        if (p.token_out) ++result_.output_tokens;
      }
      b.end_step(now_);
      progress.update(static_cast<double>(b.completed() + b.refused()));
    }
  }

  void finish_workload() {
    LatencyResult& l = result_.latency;
    if (batching_) {
      result_.simulated_seconds = now_;
      double weight = 0;
      for (std::size_t i = 0; i < points_.size(); ++i) {
        run_.add(points_[i], uses_[i]);
        // What the sampled layers of a point differ by counts as much as the point does.
        const double use = std::abs(uses_[i]) * points_[i].seconds();
        worst_error_ += use * point_errors_[i];
        weight += use;
      }
      if (weight > 0) worst_error_ /= weight;
      const ContinuousBatching& b = *batching_;
      for (std::size_t i = 0; i < b.requests().size(); ++i) {
        const RequestProgress& p = b.requests()[i];
        const auto outputs = static_cast<std::uint64_t>(p.request.output_tokens);
        if (p.refused || p.generated < outputs) continue;
        RequestResult r;
        r.index = i;
        r.arrival_s = p.request.arrival_s;
        r.prompt_tokens = p.request.prompt_tokens;
        r.output_tokens = p.request.output_tokens;
        r.time_to_first_token_s = p.first_token_s - r.arrival_s;
        r.end_to_end_s = p.last_token_s - r.arrival_s;
        r.waiting_s = p.admitted_s - r.arrival_s;
        r.time_per_output_token_s =
            outputs > 1 ? (p.last_token_s - p.first_token_s) / static_cast<double>(outputs - 1) : 0;
        first_token_.add(r.time_to_first_token_s);
        end_to_end_.add(r.end_to_end_s);
        if (outputs > 1) per_token_.add(r.time_per_output_token_s);
        result_.requests.push_back(r);
      }
      const BatchingStatistics q = b.statistics();
      result_.serving = {loaded_.trace_file, b.requests().size(), b.completed(),   b.refused(),
                         q.idle_s,           q.running_mean,      q.running_max,   q.waiting_mean,
                         q.waiting_max,      q.kv_tokens_mean,    q.kv_tokens_max, limits_.kv_tokens};
      if (b.refused() > 0)
        result_.notices.push_back(
            std::to_string(b.refused()) + " request(s) were refused: prompt and output together are longer than " +
            std::to_string(std::min(limits_.kv_tokens, limits_.request_tokens)) + " tokens, the " +
            (limits_.kv_tokens <= limits_.request_tokens
                 ? "room of the KV cache"
                 : "longest context whose probabilities fit the activation buffer"));
    } else {
      result_.simulated_seconds = run_.seconds();
    }
    l.time_per_output_token_s = per_token_.distribution();
    l.time_to_first_token_s = first_token_.distribution();
    l.end_to_end_s = end_to_end_.distribution();
  }

  // -------------------------------------------------------------------------------------------------------- results

  void collect() {
    Machine& m = *machine_;
    accelerator::Accelerator& a = *m.accelerator;
    AddressMapResult& map = result_.address_map;
    for (const accelerator::Region& r : m.map.regions) map.regions.push_back({r.name, r.base, r.bytes});
    map.memory_bytes = accelerator::memory_bytes(s_.accelerator);
    map.channels = s_.accelerator.dram.channels;
    map.interleave_bytes = s_.accelerator.interconnect.interleave_bytes;
    map.hashed = s_.accelerator.interconnect.hashed;
    map.region_alignment_bytes = s_.accelerator.address_map.region_alignment_bytes;
    map.tensor_alignment_bytes = s_.accelerator.address_map.tensor_alignment_bytes;
    map.kv_slots = m.map.kv.slots();
    map.kv_slot_tokens = m.map.kv.capacity_tokens();
    result_.provenance.version = HARMONIA_VERSION;
    result_.provenance.scenario = s_.name;
    result_.provenance.source = loaded_.source;
    result_.provenance.seed = s_.seed;
    result_.provenance.config = loaded_.resolved;
    result_.assumptions = loaded_.assumptions;
    result_.notices.insert(result_.notices.begin(), loaded_.notices.begin(), loaded_.notices.end());
    buffer_ports("weight_buffer", s_.accelerator.weight_buffer);
    buffer_ports("kv_buffer", s_.accelerator.kv_buffer);
    result_.model = s_.model.name;
    result_.accelerator = s_.accelerator.name;
    FidelityResult& f = result_.fidelity;
    f.mode = sampled_ ? "sampled" : "full";
    f.timing = s_.fidelity.timing == Timing::lt ? "lt" : "at";
    f.data = s_.fidelity.data == DataMode::functional ? "functional" : "timing_only";
    f.layers_total = single_linear_ ? 0 : static_cast<std::uint64_t>(s_.model.num_hidden_layers);
    f.steps_total = result_.steps;
    f.error_estimate = worst_error_ + interpolation_error_;
    const double seconds = result_.simulated_seconds;
    result_.output_tokens_per_s = seconds > 0 ? static_cast<double>(result_.output_tokens) / seconds : 0;

    double weight_bytes = 0, weights = 0;
    if (single_linear_) {
      weight_bytes = static_cast<double>(m.map.lm_head.bytes());
      weights = static_cast<double>(m.map.lm_head.rows) * static_cast<double>(m.map.lm_head.k);
      result_.weight_bytes = weight_bytes;
    } else {
      for (const auto& layer : m.map.layers)
        for (const auto& t : layer.linear) {
          weight_bytes += static_cast<double>(t.bytes());
          weights += static_cast<double>(t.rows) * static_cast<double>(t.k);
        }
      const double embeddings = 2.0 * s_.model.hidden_size * s_.model.vocab_size;
      result_.weight_bytes = weight_bytes + embeddings +
                             (m.map.lm_head.index == m.map.embedding ? 0 : static_cast<double>(m.map.lm_head.bytes()));
    }
    result_.effective_bits_per_weight = weight_bytes * 8 / weights;

    bandwidth(a);
    units();
    operations();
    checks();
    result_.energy = energy_of(run_, s_.accelerator.pe, s_.accelerator.energy, seconds);
    const double tokens = static_cast<double>(result_.output_tokens + result_.prompt_tokens);
    result_.energy.per_token_j = tokens > 0 ? result_.energy.total_j / tokens : 0;
    area();
    result_.simulation_events = sc_core::sc_delta_count();
    // A full run of a fixed workload has the series as it was, all others step by step.
    const BandwidthBins& bins = sampled_ || batching_ ? bins_ : instruments_->bins();
    result_.bandwidth_interval_s = bins.bin_s();
    result_.bandwidth_series = bins.samples();
  }

  void bandwidth(accelerator::Accelerator& a) {
    BandwidthResult& b = result_.bandwidth;
    b.peak_bytes_per_s = accelerator::peak_bandwidth(s_.accelerator);
    const double seconds = result_.simulated_seconds;
    for (std::size_t i = 0; i < kTrafficClasses; ++i)
      b.bytes_by_class[i] = static_cast<std::uint64_t>(std::llround(run_.expected_bytes[i]));
    std::array<double, kTrafficClasses> at_pins{};
    run_.channels.resize(a.channels.size());
    for (std::size_t i = 0; i < a.channels.size(); ++i) {
      const ChannelTotals& t = run_.channels[i];
      const dram::Statistics& s = a.channels[i]->statistics();
      const dram::Config& config = a.channels[i]->config();
      ChannelResult c;
      double pins = 0;
      for (std::size_t k = 0; k < kTrafficClasses; ++k) {
        pins += t.pin_bytes[k];
        at_pins[k] += t.pin_bytes[k];
      }
      c.bytes_written = count(t.bytes_written);
      c.bytes_read = count(pins - t.bytes_written);
      const double peak = b.peak_bytes_per_s / static_cast<double>(a.channels.size());
      c.utilisation = seconds > 0 ? pins / seconds / peak : 0;
      for (std::size_t k = 0; k < t.commands.size(); ++k)
        if (count(t.commands[k]) != 0)
          c.commands.emplace_back(dram::cmd_name(static_cast<dram::Cmd>(k)), count(t.commands[k]));
      c.row_hits = count(t.row_hits);
      c.row_misses = count(t.row_misses);
      c.row_conflicts = count(t.row_conflicts);
      const double cycles = std::max(1.0, t.cycles);
      c.refresh_share = t.refresh_cycles / cycles / config.units();
      c.queue_occupancy_mean = t.queued / cycles;
      c.queue_occupancy_max = s.queue_peak[0] + s.queue_peak[1];
      c.read_latency_s = latency(s.latency[0], config.tCK_ps * 1e-12);
      result_.channels.push_back(c);
    }
    for (std::size_t k = 0; k < kTrafficClasses; ++k) b.pin_bytes_by_class[k] = count(at_pins[k]);
    b.achieved_bytes_per_s = seconds > 0 ? run_.pin_bytes() / seconds : 0;
    b.utilisation = b.achieved_bytes_per_s / b.peak_bytes_per_s;
  }

  static std::uint64_t count(double value) { return value > 0 ? static_cast<std::uint64_t>(std::llround(value)) : 0; }

  static Distribution latency(const dram::Histogram& h, double period) {
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

  void units() {
    const std::vector<std::string> names = unit_names();
    run_.units.resize(names.size());
    const double cycles = result_.simulated_seconds * s_.accelerator.clock_mhz * 1e6;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const UnitTotals& u = run_.units[i];
      double accounted = u.busy;
      for (std::size_t w = 0; w < bus::wait_count; ++w)
        if (static_cast<bus::Wait>(w) != bus::Wait::descriptor) accounted += u.waiting[w];
      // What no account claims is time without anything to do.
      const double whole = std::max(cycles, accounted);
      UnitResult r;
      r.name = names[i];
      r.busy = whole > 0 ? u.busy / whole : 0;
      double sum = r.busy;
      for (std::size_t w = 0; w < bus::wait_count; ++w) {
        if (static_cast<bus::Wait>(w) == bus::Wait::descriptor || u.waiting[w] <= 0) continue;
        r.stalled.push_back({bus::name_of(static_cast<bus::Wait>(w)), u.waiting[w] / whole});
        sum += r.stalled.back().share;
      }
      r.stalled.push_back({bus::name_of(bus::Wait::descriptor), std::max(0.0, 1 - sum)});
      result_.units.push_back(r);
    }
  }

  /// A port slower than the memory bounds a run without being one of the four resources that `bound` tells apart.
  void buffer_ports(const std::string& key, const accelerator::BufferSection& b) {
    const double port = b.banks * b.bank_bytes_per_cycle / 2.0 * s_.accelerator.clock_mhz * 1e6;
    const double peak = accelerator::peak_bandwidth(s_.accelerator);
    if (port >= peak) return;
    result_.notices.push_back("accelerator." + key + " takes in at most " + si(port, "B/s") +
                              ", half of what its banks move, and the DRAM gives up to " + si(peak, "B/s") +
                              ": more banks or wider ones (banks, bank_bytes_per_cycle) would not hold it back");
  }

  void operations() {
    const double clock_hz = s_.accelerator.clock_mhz * 1e6;
    for (std::size_t i = 0; i < run_.classes.size(); ++i) {
      const auto c = static_cast<OperationClass>(i);
      const ClassTotals& t = run_.classes[i];
      if (count(t.tiles) == 0 && t.bytes == 0 && t.elapsed_ps == 0) continue;
      OperationResult o;
      o.name = single_linear_ && c == OperationClass::lm_head     ? "matrix"
               : single_linear_ && c == OperationClass::embedding ? "vectors"
                                                                  : accelerator::name_of(c);
      o.count = count(t.tiles);
      o.macs = count(t.macs);
      o.bytes = count(t.bytes);
      o.simulated_s = t.elapsed_ps * 1e-12;
      o.memory_s = t.bytes / result_.bandwidth.peak_bytes_per_s;
      const int bits =
          accelerator::storage_of(
              accelerator::weight_format(c == OperationClass::lm_head ? s_.weights.lm_head : s_.weights.format))
              .bits;
      o.decode_s = t.weights / (s_.accelerator.decoder.rate(bits) * clock_hz);
      o.compute_s = t.compute_cycles / clock_hz;
      o.vector_s = t.vector_ps * 1e-12;
      o.bound = bound_of(o);
      result_.operations.push_back(o);
    }
    result_.bound = bound_of(result_.operations);
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

  /// Exact, of everything that was simulated; and of the whole run where that stands for more.
  void checks() {
    const Totals& t = last_;
    for (std::size_t i = 0; i < kTrafficClasses; ++i)
      check(std::string("bytes of ") + traffic_name(i) + " = external-access formula", t.expected_bytes[i],
            t.bytes_of(i), "bytes");
    check("multiply-accumulates = model shapes", t.expected_macs, t.macs, "MACs");
    check("group operations of the array = formula", t.expected_slots, t.slots, "32-MAC operations");
    double requests = 0, responses = 0;
    for (const ChannelTotals& c : t.channels) {
      requests += c.requests;
      responses += c.responses;
    }
    check("requests issued = answered", requests, responses, "requests");
    bounds("", t, t.seconds());
    if (sampled_ || batching_) bounds("whole run: ", run_, result_.simulated_seconds);
    if (batching_) {
      const ContinuousBatching& b = *batching_;
      double outputs = 0, tokens = 0, completed = 0;
      for (const RequestProgress& p : b.requests()) {
        tokens += static_cast<double>(p.generated);
        const bool whole = p.generated == static_cast<std::uint64_t>(p.request.output_tokens);
        completed += whole ? 1 : 0;
        if (!p.refused && (result_.complete || whole)) outputs += static_cast<double>(p.request.output_tokens);
      }
      if (result_.complete)
        check("requests of the trace = completed + refused", static_cast<double>(b.requests().size()),
              completed + static_cast<double>(b.refused()), "requests");
      check("output tokens = those of the requests", tokens, static_cast<double>(result_.output_tokens), "tokens");
      if (result_.complete) check("output tokens = lengths in the trace", outputs, tokens, "tokens");
    }
  }

  void bounds(const std::string& of, const Totals& t, double seconds) {
    const accelerator::PeSection& pe = s_.accelerator.pe;
    check(of + "time >= bytes / peak bandwidth", t.pin_bytes() / result_.bandwidth.peak_bytes_per_s, seconds, "s",
          true);
    check(of + "time >= group operations / peak rate",
          t.slots * std::min(pe.linear_cycles_per_group(), pe.attention_cycles_per_group) /
              (static_cast<double>(pe.rows) * pe.cols * s_.accelerator.clock_mhz * 1e6),
          seconds, "s", true);
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

  static constexpr std::uint32_t kHeadColumns = 2048;  // of each sampled piece of lm_head
  static constexpr double kProbes = 5;                 // steps of a sampled trace that are simulated as they are

  const LoadedScenario& loaded_;
  Scenario s_;
  RunOptions options_;
  bool sampled_ = false, single_linear_ = false;
  Machine* machine_ = nullptr;
  Instruments* instruments_ = nullptr;
  std::vector<Totals> marks_;  // at the markers of the step under way
  Totals last_;                // everything simulated, at the end of the last complete step
  Totals run_;                 // what the run amounts to
  BandwidthBins bins_;
  RunResult result_;
  Samples per_token_, first_token_, end_to_end_;
  double worst_error_ = 0, interpolation_error_ = 0;

  BatchLimits limits_;
  std::unique_ptr<ContinuousBatching> batching_;
  std::uint64_t longest_context_ = 1, longest_chunk_ = 1;
  double now_ = 0;              // of the replay
  std::vector<Totals> points_;  // simulated steps that others are interpolated between
  std::vector<double> uses_;    // how often each counts
  std::vector<double> point_errors_;
  accelerator::StepProgram::Settings program_settings_;  // of the steps whose demand is asked for
};

}  // namespace

RunResult run_scenario(const LoadedScenario& scenario, const RunOptions& options) {
  return Run(scenario, options).execute();
}

std::string address_map_of(const LoadedScenario& scenario) { return Run(scenario, {}).address_map(); }

}  // namespace harmonia::testbench
