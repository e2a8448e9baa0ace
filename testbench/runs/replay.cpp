#include "harmonia/testbench/runs/replay.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/replay/request_trace.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/runs/attention_demand.h"
#include "harmonia/testbench/runs/checks.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {
namespace {

std::uint64_t unsigned_of(std::int64_t value) { return static_cast<std::uint64_t>(value); }

RequestTrace read_trace(const Scenario& s, const std::string& trace_file) {
  if (s.fidelity.data == DataMode::functional)
    throw config::InputError(
        "fidelity.data: request traces carry lengths and no text, expected timing_only when one is replayed");
  RequestTrace trace = read_request_trace(trace_file, s.workload.limit);
  for (Request& r : trace.requests) r.arrival_s *= s.workload.time_scale;
  return trace;
}

std::uint64_t tokens_of(const Request& r) { return unsigned_of(r.prompt_tokens + r.output_tokens); }

/// The longest request of at most so many tokens; 0 when there is none.
std::uint64_t longest_within(const std::vector<Request>& requests, std::uint64_t tokens) {
  std::uint64_t longest = 0;
  for (const Request& r : requests)
    if (tokens_of(r) <= tokens) longest = std::max(longest, tokens_of(r));
  return longest;
}

/// Tokens of KV cache that the memory has room for beside everything else, in slots of `tokens_per_slot`: windows take
/// the same room in each, so that a token takes the less the longer a slot is.
std::uint64_t kv_room(const Scenario& s, const Capacity& capacity, std::uint64_t tokens_per_slot) {
  Capacity one = capacity;
  one.slots = 1;
  one.tokens_per_slot = tokens_per_slot;
  accelerator::MapRequest request = map_request(s, one);
  const std::uint64_t memory = request.memory_bytes;
  request.memory_bytes = 0;
  const accelerator::MemoryMap map = accelerator::MemoryMap::build(request);
  // The cache of many slots ends elsewhere than that of one, and what follows begins at the next border of a region.
  const std::uint64_t others =
      map.end - map.kv.bytes() + capacity.slots * request.tensor_alignment + request.region_alignment;
  const double token_bytes = static_cast<double>(map.kv.slot_bytes()) / static_cast<double>(tokens_per_slot);
  return memory > others ? static_cast<std::uint64_t>(static_cast<double>(memory - others) / token_bytes) : 0;
}

accelerator::StepWork work_of(const std::vector<ContinuousBatching::Part>& parts) {
  accelerator::StepWork work;
  for (const ContinuousBatching::Part& p : parts) work.sequences.push_back({p.slot, p.cached, p.tokens, p.token_out});
  return work;
}

}  // namespace

std::string check_trace_contexts(const accelerator::ModelShape& model, const std::string& trace_file,
                                 const std::vector<Request>& requests, std::uint64_t longest) {
  const std::uint64_t window = unsigned_of(model.sliding_window), trained = unsigned_of(model.max_position_embeddings);
  const Request* first = nullptr;
  std::size_t beyond = 0;
  for (const Request& r : requests) {
    const std::uint64_t tokens = tokens_of(r);
    if (tokens > longest) continue;
    if (window != 0 && tokens > window)
      throw config::InputError(
          {trace_file, r.line, r.column},
          "the context of this request grows to " + std::to_string(tokens) + " tokens and model.sliding_window is " +
              std::to_string(window) +
              ", expected contexts within the window: layers that attend to a window are not modelled");
    if (trained == 0 || tokens <= trained) continue;
    if (!first) first = &r;
    ++beyond;
  }
  if (!first) return {};
  return std::to_string(beyond) + " request(s) of the trace grow beyond the " + std::to_string(trained) +
         " tokens that the model was trained for, the first at " + trace_file + ":" + std::to_string(first->line) +
         ":" + std::to_string(first->column);
}

// -------------------------------------------------------------------------------------------------------------- room

Replay::Replay(const Scenario& scenario, std::string trace_file)
    : Workload(scenario), trace_file_(std::move(trace_file)) {
  RequestTrace trace = read_trace(scenario, trace_file_);
  std::vector<Request>& requests = trace.requests;
  if (std::string notice = trace.notice(); !notice.empty()) notices_.push_back(std::move(notice));
  find_room(requests);
  check_contexts(requests);
  batching_ = std::make_unique<ContinuousBatching>(std::move(requests), limits_);
}

void Replay::find_room(const std::vector<Request>& requests) {
  const WorkloadConfig& w = scenario().workload;
  std::uint64_t longest_prompt = 1;
  for (const Request& r : requests) longest_prompt = std::max(longest_prompt, unsigned_of(r.prompt_tokens));
  const std::uint64_t chunk = w.prefill_chunk_tokens == 0 ? longest_prompt : unsigned_of(w.prefill_chunk_tokens);
  capacity_.slots = unsigned_of(w.max_batch);
  capacity_.max_step_tokens = chunk + capacity_.slots;
  limits_.request_tokens = accelerator::longest_context(scenario().model, accelerator::on_chip(scenario().accelerator));
  // Slots are as long as the longest request that fits, and how much fits depends on how long slots are.
  const std::uint64_t wanted = unsigned_of(w.kv_capacity_tokens);
  std::uint64_t longest = longest_within(requests, limits_.request_tokens);
  std::uint64_t room = kv_room(scenario(), capacity_, std::max<std::uint64_t>(longest, 1));
  const auto allowed = [&] { return wanted == 0 ? room : std::min(room, wanted); };
  while (longest > allowed()) {
    longest = longest_within(requests, allowed());
    room = kv_room(scenario(), capacity_, std::max<std::uint64_t>(longest, 1));
  }
  if (wanted > room)
    throw config::InputError("workload.kv_capacity_tokens: the KV cache overflows the DRAM: " + std::to_string(wanted) +
                             " tokens are wanted and the DRAM has room for " + std::to_string(room) +
                             " beside weights and activations");
  limits_.sequences = capacity_.slots;
  limits_.chunk_tokens = unsigned_of(w.prefill_chunk_tokens);
  limits_.kv_tokens = allowed();
  capacity_.kv_tokens = limits_.kv_tokens;
  capacity_.tokens_per_slot = longest;
  if (longest == 0)
    throw config::InputError({trace_file_, 0, 0}, "no request of the trace fits the KV cache of " +
                                                      std::to_string(limits_.kv_tokens) +
                                                      " tokens, expected at least one that does");
  longest_context_ = capacity_.tokens_per_slot;
  longest_chunk_ = std::min(chunk, longest_prompt);
}

void Replay::check_contexts(const std::vector<Request>& requests) {
  std::string notice = check_trace_contexts(scenario().model, trace_file_, requests, longest_context_);
  if (!notice.empty()) notices_.push_back(std::move(notice));
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
  rows_on_chip_ = accelerator::rows_on_chip(scenario().model, chip_);
  cost_ = std::make_unique<StepCost>(feature_weights());
  Progress progress("requests", static_cast<double>(b.requests().size()));
  while (!b.finished()) {
    if (interrupted()) throw Interrupted{};
    const Parts& parts = b.begin_step(now_);
    if (parts.empty()) {
      if (!b.finished()) now_ = std::max(now_, b.next_arrival());
      continue;
    }
    const accelerator::StepWork work = testbench::work_of(parts);
    now_ += sampled() ? sampled_step(steps, collector, parts, work) : simulated_step(steps, collector, work);
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

// --------------------------------------------------------------------------------------------------------- sampling

double Replay::sampled_step(StepSource& steps, Collector& collector, const Parts& parts,
                            const accelerator::StepWork& work) {
  const StepCost::Mix mix = mix_of(steps, parts, work);
  double seconds = 0;
  for (const auto& [point, weight] : mix) seconds += weight * points_[point].outcome.totals.seconds();
  std::vector<BandwidthBins::Bytes> bytes(points_.front().outcome.totals.channels.size());
  for (const auto& [point, weight] : mix) {
    points_[point].uses += weight;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      for (std::size_t c = 0; c < kTrafficClasses; ++c)
        bytes[i][c] += weight * points_[point].outcome.totals.channels[i].pin_bytes[c];
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) collector.spread(i, now_, now_ + seconds, bytes[i]);
  collector.bound_step(
      accelerator::expected_of_step(scenario().model, map_.formats(), machine_options(scenario()).program.codebook,
                                    chip_, work, accelerator::StepExtent::whole(scenario().model)),
      seconds);
  return seconds;
}

/// The step as a sum of simulated ones. Where that fails, and now and then to measure the error, the step itself is
/// simulated and is its own mix.
StepCost::Mix Replay::mix_of(StepSource& steps, const Parts& parts, const accelerator::StepWork& work) {
  const StepFeatures features = features_of(parts, work);
  const StepCost::Mix mix = cost_->interpolate(features);
  const bool measured = steps_ >= next_measured_;
  if (!mix.empty() && !measured) return mix;
  points_.push_back({steps.simulate(work), 0});
  if (!mix.empty()) {
    // Rarer and rarer while the error is small.
    measure(mix, points_.back().outcome.totals);
    cost_->measured_error(sampling_error_.last());
    next_measured_ = steps_ + (sampling_error_.last() > StepCost::kTarget ? 2 : steps_ / 2);
  }
  return {{cost_->add(features), 1.0}};
}

void Replay::measure(const StepCost::Mix& mix, const Totals& simulated) {
  Totals interpolated;
  for (const auto& [point, weight] : mix) interpolated.add(points_[point].outcome.totals, weight);
  const double peak = accelerator::peak_bandwidth(scenario().accelerator);
  const auto quantities = [peak](const Totals& t) {
    std::vector<double> q = {t.seconds(), t.pin_bytes() / peak};
    for (const ClassTotals& c : t.classes) {
      q.push_back(c.elapsed_ps * 1e-12);
      q.push_back(c.bytes / peak);
    }
    return q;
  };
  sampling_error_.add(quantities(interpolated), quantities(simulated));
}

FeatureWeights Replay::feature_weights() const {
  const accelerator::AcceleratorConfig& c = scenario().accelerator;
  const double peak = accelerator::peak_bandwidth(c);
  const double groups_per_s = 32.0 * c.pe.rows * c.pe.cols * c.clock_mhz * 1e6;
  FeatureWeights w;
  const std::vector<accelerator::ModelTensor> matrices = accelerator::layer_graph(scenario().model).layer_matrices();
  for (const auto& layer : map_.layers)
    for (const accelerator::ModelTensor tensor : matrices) {
      const accelerator::TensorPlace& t = layer.matrix[tensor];
      w.step += static_cast<double>(t.bytes()) / peak;
      w.row += static_cast<double>(t.rows) * static_cast<double>(t.k) / groups_per_s;
    }
  w.head = static_cast<double>(map_.lm_head.bytes()) / peak;
  w.output = static_cast<double>(map_.lm_head.rows) * static_cast<double>(map_.lm_head.k) / groups_per_s;
  return w;
}

StepFeatures Replay::features_of(const Parts& parts, const accelerator::StepWork& work) const {
  StepFeatures f;
  accelerator::StepWork decoding;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    f.rows += static_cast<double>(parts[i].tokens);
    f.outputs += parts[i].token_out ? 1 : 0;
    if (!parts[i].prefill) decoding.sequences.push_back(work.sequences[i]);
  }
  f.decoding = decoding.sequences.empty() ? 0 : attention_demand(decoding);
  f.prompts = decoding.sequences.size() == parts.size() ? 0 : std::max(0.0, attention_demand(work) - f.decoding);
  f.on_chip = work.tokens() <= rows_on_chip_;
  return f;
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
  if (sampled()) collector.set_error(error + sampling_error_.estimate());
  for (const RequestProgress& p : batching_->requests()) {
    const std::uint64_t outputs = unsigned_of(p.request.output_tokens);
    if (p.refused || p.generated < outputs) continue;
    collector.time_to_first_token(p.first_token_s - p.request.arrival_s);
    collector.end_to_end(p.last_token_s - p.request.arrival_s);
    if (outputs > 1) collector.time_per_token((p.last_token_s - p.first_token_s) / static_cast<double>(outputs - 1));
  }
}

void Replay::report(RunResult& result) const {
  result.notices.insert(result.notices.end(), notices_.begin(), notices_.end());
  report_requests(result);
  report_checks(result);
  const ContinuousBatching& b = *batching_;
  const BatchingStatistics q = b.statistics();
  result.serving = {trace_file_,   b.requests().size(), b.completed(),   b.refused(),
                    q.idle_s,      q.running_mean,      q.running_max,   q.waiting_mean,
                    q.waiting_max, q.kv_tokens_mean,    q.kv_tokens_max, limits_.kv_tokens};
  if (sampled() && result.fidelity.error_estimate > StepCost::kTarget)
    result.notices.push_back("the estimated error is " + percent(result.fidelity.error_estimate) +
                             ", above the 5 % that sampling aims at: `fidelity.mode: full` simulates every step");
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
