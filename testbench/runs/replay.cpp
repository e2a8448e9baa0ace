#include "harmonia/testbench/runs/replay.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/replay/request_trace.h"
#include "harmonia/testbench/runs/attention_demand.h"
#include "harmonia/testbench/runs/checks.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {
namespace {

constexpr int kProbes = 5;  // steps of a sampled replay that are simulated as they are

std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

std::vector<Request> read_requests(const Scenario& s, const std::string& trace_file) {
  if (s.fidelity.data == DataMode::functional)
    throw config::InputError(
        "fidelity.data: request traces carry lengths and no text, expected timing_only when one is replayed");
  std::vector<Request> requests = read_request_trace(trace_file, s.workload.limit).requests;
  for (Request& r : requests) r.arrival_s *= s.workload.time_scale;
  return requests;
}

/// Tokens of KV cache that the memory has room for beside everything else. Bytes a token takes are those in a slot long
/// enough for windows not to count.
std::uint64_t kv_room(const Scenario& s, const Capacity& capacity) {
  constexpr std::uint64_t probe = 1 << 15;
  Capacity one = capacity;
  one.slots = 1;
  one.tokens_per_slot = probe;
  accelerator::MapRequest request = map_request(s, one);
  const std::uint64_t memory = request.memory_bytes;
  request.memory_bytes = 0;
  const accelerator::MemoryMap map = accelerator::MemoryMap::build(request);
  const std::uint64_t others = map.end - map.kv.bytes() + capacity.slots * request.tensor_alignment;
  const double token_bytes = static_cast<double>(map.kv.slot_bytes()) / static_cast<double>(probe);
  return memory > others ? static_cast<std::uint64_t>(static_cast<double>(memory - others) / token_bytes) : 0;
}

accelerator::StepWork work_of(const std::vector<ContinuousBatching::Part>& parts) {
  accelerator::StepWork work;
  for (const ContinuousBatching::Part& p : parts) work.sequences.push_back({p.slot, p.cached, p.tokens, p.token_out});
  return work;
}

}  // namespace

// -------------------------------------------------------------------------------------------------------------- room

Replay::Replay(const Scenario& scenario, std::string trace_file)
    : Workload(scenario), trace_file_(std::move(trace_file)) {
  std::vector<Request> requests = read_requests(scenario, trace_file_);
  find_room(requests);
  batching_ = std::make_unique<ContinuousBatching>(std::move(requests), limits_);
}

void Replay::find_room(const std::vector<Request>& requests) {
  const WorkloadConfig& w = scenario().workload;
  std::uint64_t longest_prompt = 1;
  for (const Request& r : requests) longest_prompt = std::max(longest_prompt, unsigned_of(r.prompt_tokens));
  const std::uint64_t chunk = w.prefill_chunk_tokens == 0 ? longest_prompt : unsigned_of(w.prefill_chunk_tokens);
  capacity_.slots = unsigned_of(w.max_batch);
  capacity_.max_step_tokens = chunk + capacity_.slots;
  const std::uint64_t room = kv_room(scenario(), capacity_), wanted = unsigned_of(w.kv_capacity_tokens);
  if (wanted > room)
    throw config::InputError("workload.kv_capacity_tokens: the KV cache overflows the DRAM: " + std::to_string(wanted) +
                             " tokens are wanted and the DRAM has room for " + std::to_string(room) +
                             " beside weights and activations");
  limits_.sequences = capacity_.slots;
  limits_.chunk_tokens = unsigned_of(w.prefill_chunk_tokens);
  limits_.kv_tokens = wanted == 0 ? room : wanted;
  limits_.request_tokens = accelerator::longest_context(scenario().model, accelerator::on_chip(scenario().accelerator));
  capacity_.kv_tokens = limits_.kv_tokens;
  capacity_.tokens_per_slot = 0;
  for (const Request& r : requests) {
    const std::uint64_t tokens = unsigned_of(r.prompt_tokens + r.output_tokens);
    if (tokens <= std::min(limits_.kv_tokens, limits_.request_tokens))
      capacity_.tokens_per_slot = std::max(capacity_.tokens_per_slot, tokens);
  }
  if (capacity_.tokens_per_slot == 0)
    throw config::InputError({trace_file_, 0, 0}, "no request of the trace fits the KV cache of " +
                                                      std::to_string(limits_.kv_tokens) +
                                                      " tokens, expected at least one that does");
  longest_context_ = capacity_.tokens_per_slot;
  longest_chunk_ = std::min(chunk, longest_prompt);
}

accelerator::StepWork Replay::largest_step() const {
  accelerator::StepWork work;
  work.sequences.push_back({0, 0, longest_chunk_, true});
  for (std::uint64_t i = 1; i < limits_.sequences; ++i) work.sequences.push_back({i, 0, 1, true});
  return work;
}

// ------------------------------------------------------------------------------------------------------------- steps

void Replay::run(StepSource& steps, Collector& collector) {
  ContinuousBatching& b = *batching_;
  map_ = accelerator::MemoryMap::build(map_request(scenario(), capacity_));
  chip_ = accelerator::on_chip(scenario().accelerator);
  StepCost cost = make_cost(steps);
  Progress progress("requests", static_cast<double>(b.requests().size()));
  while (!b.finished()) {
    if (interrupted()) throw Interrupted{};
    const Parts& parts = b.begin_step(now_);
    if (parts.empty()) {
      if (!b.finished()) now_ = std::max(now_, b.next_arrival());
      continue;
    }
    const accelerator::StepWork work = testbench::work_of(parts);
    now_ += sampled() ? sampled_step(steps, collector, cost, parts, work) : simulated_step(steps, collector, work);
    ++steps_;
    std::uint64_t prompt = 0, output = 0;
    for (const ContinuousBatching::Part& p : parts) {
      if (p.prefill) prompt += p.tokens;
      if (p.token_out) ++output;
    }
    collector.count_step(prompt, output);
    b.end_step(now_);
    progress.update(static_cast<double>(b.completed() + b.refused()));
  }
}

double Replay::simulated_step(StepSource& steps, Collector& collector, const accelerator::StepWork& work) {
  const StepOutcome o = steps.simulate(work);
  const double seconds = o.totals.seconds();
  collector.add(o, now_, now_ + seconds);
  return seconds;
}

double Replay::sampled_step(StepSource& steps, Collector& collector, StepCost& cost, const Parts& parts,
                            const accelerator::StepWork& work) {
  const StepCost::Mix mix = cost.cost(query_of(parts, work));
  double seconds = 0;
  for (const auto& [point, weight] : mix) seconds += weight * points_[point].outcome.totals.seconds();
  // Now and then a step of the run is simulated as it is: the interpolation's error is measured, not guessed.
  if (steps_ == next_probe_ && probes_ < kProbes) probe(steps, work, seconds);
  std::vector<BandwidthBins::Bytes> bytes(points_.front().outcome.totals.channels.size());
  for (const auto& [point, weight] : mix) {
    points_[point].uses += weight;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      for (std::size_t c = 0; c < kTrafficClasses; ++c)
        bytes[i][c] += weight * points_[point].outcome.totals.channels[i].pin_bytes[c];
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) collector.spread(i, now_, now_ + seconds, bytes[i]);
  return seconds;
}

void Replay::probe(StepSource& steps, const accelerator::StepWork& work, double seconds) {
  next_probe_ *= 4;
  ++probes_;
  const double real = steps.simulate(work).totals.seconds();
  interpolation_error_ = std::max(interpolation_error_, std::abs(seconds / real - 1));
}

// --------------------------------------------------------------------------------------------------------- sampling

StepCost Replay::make_cost(StepSource& steps) {
  StepCost::Limits limits;
  limits.sequences = limits_.sequences;
  limits.context = longest_context_ > 1 ? longest_context_ - 1 : 1;
  limits.prompt = std::min(longest_chunk_ + limits_.sequences, longest_context_);
  limits.cached = longest_context_ > 64 ? longest_context_ - 64 : 0;
  limits.rows_on_chip = accelerator::rows_on_chip(scenario().model, chip_);
  return {limits,
          [this, &steps](const StepShape& shape) {
            points_.push_back({steps.simulate(work_of(shape)), 0});
            return points_.size() - 1;
          },
          [this](const StepShape& shape) { return attention_demand(work_of(shape)); }};
}

accelerator::StepWork Replay::work_of(const StepShape& shape) const {
  accelerator::StepWork work;
  const std::uint64_t slots = map_.kv.slots(), room = longest_context_ - 1;
  for (std::uint64_t i = 0; i < shape.sequences; ++i)
    work.sequences.push_back({i % slots, std::min(shape.context, room), 1, shape.logits});
  if (shape.prompt > 0)
    work.sequences.push_back({std::min(shape.sequences, slots - 1),
                              std::min(shape.cached, longest_context_ - std::min(longest_context_, shape.prompt)),
                              std::min(shape.prompt, longest_context_), shape.logits});
  return work;
}

StepQuery Replay::query_of(const Parts& parts, const accelerator::StepWork& work) const {
  StepQuery q;
  for (const ContinuousBatching::Part& p : parts) {
    q.outputs += p.token_out ? 1 : 0;
    (p.prefill ? q.prompt : q.sequences) += p.tokens;
  }
  q.demand = attention_demand(work);
  return q;
}

double Replay::attention_demand(const accelerator::StepWork& work) const {
  const accelerator::AcceleratorConfig& config = scenario().accelerator;
  return attention_seconds(scenario().model, map_.kv.policy(), chip_, work, accelerator::peak_bandwidth(config),
                           static_cast<double>(config.pe.rows) * config.pe.cols * config.clock_mhz * 1e6);
}

// ------------------------------------------------------------------------------------------------------------ result

void Replay::finish(Collector& collector) {
  collector.set_seconds(now_);
  double error = 0, weight = 0;
  for (const Point& p : points_) {
    collector.add_weighted(p.outcome.totals, p.uses);
    // What the sampled layers of a point differ by counts as much as the point does.
    const double use = std::abs(p.uses) * p.outcome.totals.seconds();
    error += use * p.outcome.error;
    weight += use;
  }
  if (weight > 0) error /= weight;
  if (sampled()) collector.set_error(error + interpolation_error_);
  for (const RequestProgress& p : batching_->requests()) {
    const std::uint64_t outputs = unsigned_of(p.request.output_tokens);
    if (p.refused || p.generated < outputs) continue;
    collector.time_to_first_token(p.first_token_s - p.request.arrival_s);
    collector.end_to_end(p.last_token_s - p.request.arrival_s);
    if (outputs > 1) collector.time_per_token((p.last_token_s - p.first_token_s) / static_cast<double>(outputs - 1));
  }
}

void Replay::report(RunResult& result) const {
  report_requests(result);
  report_checks(result);
  const ContinuousBatching& b = *batching_;
  const BatchingStatistics q = b.statistics();
  result.serving = {trace_file_,   b.requests().size(), b.completed(),   b.refused(),
                    q.idle_s,      q.running_mean,      q.running_max,   q.waiting_mean,
                    q.waiting_max, q.kv_tokens_mean,    q.kv_tokens_max, limits_.kv_tokens};
  if (b.refused() == 0) return;
  result.notices.push_back(
      std::to_string(b.refused()) + " request(s) were refused: prompt and output together are longer than " +
      std::to_string(std::min(limits_.kv_tokens, limits_.request_tokens)) + " tokens, the " +
      (limits_.kv_tokens <= limits_.request_tokens ? "room of the KV cache"
                                                   : "longest context whose probabilities fit the activation buffer"));
}

void Replay::report_requests(RunResult& result) const {
  const std::vector<RequestProgress>& requests = batching_->requests();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const RequestProgress& p = requests[i];
    const std::uint64_t outputs = unsigned_of(p.request.output_tokens);
    if (p.refused || p.generated < outputs) continue;
    RequestResult r;
    r.index = i;
    r.arrival_s = p.request.arrival_s;
    r.prompt_tokens = p.request.prompt_tokens;
    r.output_tokens = p.request.output_tokens;
    r.time_to_first_token_s = p.first_token_s - r.arrival_s;
    r.end_to_end_s = p.last_token_s - r.arrival_s;
    r.waiting_s = p.admitted_s - r.arrival_s;
    r.time_per_output_token_s = outputs > 1 ? (p.last_token_s - p.first_token_s) / static_cast<double>(outputs - 1) : 0;
    result.requests.push_back(r);
  }
}

void Replay::report_checks(RunResult& result) const {
  const ContinuousBatching& b = *batching_;
  double outputs = 0, tokens = 0, completed = 0;
  for (const RequestProgress& p : b.requests()) {
    tokens += static_cast<double>(p.generated);
    const bool whole = p.generated == unsigned_of(p.request.output_tokens);
    completed += whole ? 1 : 0;
    if (!p.refused && (result.complete || whole)) outputs += static_cast<double>(p.request.output_tokens);
  }
  std::vector<CheckResult>& checks = result.checks;
  if (result.complete)
    checks.push_back(check_equal("requests of the trace = completed + refused",
                                 static_cast<double>(b.requests().size()), completed + static_cast<double>(b.refused()),
                                 "requests"));
  checks.push_back(check_equal("output tokens = those of the requests", tokens,
                               static_cast<double>(result.output_tokens), "tokens"));
  if (result.complete) checks.push_back(check_equal("output tokens = lengths in the trace", outputs, tokens, "tokens"));
}

}  // namespace harmonia::testbench
