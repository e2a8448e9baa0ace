#include "harmonia/testbench/runs/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/replay/request_trace.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/runs/checks.h"
#include "harmonia/testbench/runs/pipeline_steps.h"
#include "harmonia/testbench/scenario/portable_name.h"
#include "harmonia/testbench/system/machine.h"
#include "harmonia/testbench/system/stages.h"

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
/// the same room in each, so that a token takes the less the longer a slot is. s: of one device, or of a stage of a pipeline.
std::uint64_t kv_room_of(const Scenario& s, const Capacity& capacity, std::uint64_t tokens_per_slot) {
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

/// Of a pipeline the least of all stages: each has its layers' cache of every token.
std::uint64_t kv_room(const Scenario& s, const Capacity& capacity, std::uint64_t tokens_per_slot) {
  std::uint64_t room = ~std::uint64_t{0};
  for (const StageKind& kind : stage_kinds(s))
    room = std::min(room, kv_room_of(kind.scenario, capacity, tokens_per_slot));
  return room;
}

accelerator::StepWork work_of(const std::vector<ContinuousBatching::Part>& parts) {
  accelerator::StepWork work;
  for (const ContinuousBatching::Part& p : parts) work.sequences.push_back({p.slot, p.cached, p.tokens, p.token_out});
  return work;
}

}  // namespace

std::string check_trace_contexts(const accelerator::ModelShape& model, const std::string& trace_file,
                                 const std::vector<Request>& requests, std::uint64_t longest) {
  const std::uint64_t trained = unsigned_of(model.max_position_embeddings);
  const Request* first = nullptr;
  std::size_t beyond = 0;
  for (const Request& r : requests) {
    const std::uint64_t tokens = tokens_of(r);
    if (tokens > longest) continue;
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
  limits_.sequences = capacity_.slots;
  limits_.groups = staged() ? unsigned_of(scenario().devices.micro_batches) : 1;
  capacity_.max_step_tokens = chunk + limits_.step_sequences();
  capacity_.sequence_step_tokens = chunk;
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
  limits_.chunk_tokens = unsigned_of(w.prefill_chunk_tokens);
  limits_.kv_tokens = allowed();
  capacity_.kv_tokens = limits_.kv_tokens;
  capacity_.tokens_per_slot = longest;
  if (longest == 0)
    throw config::InputError(
        {trace_file_, 0, 0},
        fmt::format("no request of the trace fits the KV cache of {} tokens, expected at least one that does; {}",
                    limits_.kv_tokens,
                    wanted != 0 && wanted < room
                        ? "workload.kv_capacity_tokens asks for no more"
                        : "weights, activations and accelerator.address_map leave no more of the DRAM"));
  longest_context_ = capacity_.tokens_per_slot;
  // Requests that do not fit are refused, and so are in no step.
  longest_chunk_ = std::min({chunk, longest_prompt, longest});
}

void Replay::check_contexts(const std::vector<Request>& requests) {
  std::string notice = check_trace_contexts(scenario().model, portable_name(trace_file_), requests, longest_context_);
  if (!notice.empty()) notices_.push_back(std::move(notice));
}

accelerator::StepWork Replay::largest_step() const {
  accelerator::StepWork work;
  work.sequences.push_back({0, 0, longest_chunk_, true});
  for (std::uint64_t i = 1; i < limits_.step_sequences(); ++i) work.sequences.push_back({i, 0, 1, true});
  return work;
}

// ------------------------------------------------------------------------------------------------------------- steps

void Replay::serve(Pass& pass, const Cost& cost, const std::function<double()>& factor) const {
  if (staged()) return serve_stages(pass, cost, factor);
  ContinuousBatching& b = pass.batching;
  Progress progress("requests", static_cast<double>(b.requests().size()));
  while (!b.finished()) {
    if (interrupted()) throw Interrupted{};
    const Parts& parts = b.begin_step(pass.now);
    if (parts.empty()) {
      if (!b.finished()) pass.now = std::max(pass.now, b.next_arrival());
      continue;
    }
    const StepOutcome o = cost(parts, testbench::work_of(parts), pass);
    const double seconds = o.totals.seconds() * factor();
    take(parts, o, pass.now, pass.now + seconds, pass);
    pass.now += seconds;
    b.end_step(pass.now);
    progress.update(static_cast<double>(b.completed() + b.refused()));
  }
}

void Replay::take(const Parts& parts, const StepOutcome& step, double begin_s, double end_s, Pass& pass) {
  pass.collector.add(step, begin_s, end_s);
  std::uint64_t prompt = 0, output = 0;
  for (const ContinuousBatching::Part& p : parts) {
    if (p.prefill) prompt += p.tokens;
    if (p.token_out) ++output;
  }
  pass.collector.count_step(prompt, output);
}

void Replay::serve_stages(Pass& pass, const Cost& cost, const std::function<double()>& factor) const {
  struct Group {
    bool under_way = false;
    double since_s = 0;  // when its step ends, or has ended
  };
  ContinuousBatching& b = pass.batching;
  std::vector<Group> groups(limits_.groups);
  PipelineFlow flow(unsigned_of(scenario().devices.pipeline));
  PassTime waits;
  Progress progress("requests", static_cast<double>(b.requests().size()));
  const auto earliest = [&](bool under_way, const std::vector<bool>& without) {
    Group* first = nullptr;
    for (std::size_t g = 0; g < groups.size(); ++g)
      if (groups[g].under_way == under_way && !without[g] && (!first || groups[g].since_s < first->since_s))
        first = &groups[g];
    return first;
  };
  const auto number = [&](const Group* group) { return static_cast<std::uint64_t>(group - groups.data()); };
  const std::vector<bool> none(groups.size());
  // What was complete is kept when the user interrupts.
  const auto rest = [&] {
    pass.waited_ps = std::max(0.0, 1e12 * (pass.now - b.statistics().idle_s) - pass.collector.totals().time_ps);
    pass.collector.add(waiting_of(waits, pass.waited_ps, pass.collector.spread_of_time(), scenario()), pass.now,
                       pass.now);
  };
  const auto end = [&](Group& group) {
    pass.now = group.since_s;
    group.under_way = false;
    b.end_step(group.since_s, number(&group));
    progress.update(static_cast<double>(b.completed() + b.refused()));
  };
  try {
    for (double now = 0; !b.finished();) {
      if (interrupted()) throw Interrupted{};
      // The first stage takes the step of the group that has waited longest of those that have one.
      now = std::max(now, 1e-12 * flow.first_free_ps());
      for (Group* g = earliest(true, none); g && g->since_s <= now; g = earliest(true, none)) end(*g);
      std::vector<bool> empty(groups.size());
      Group* ready = earliest(false, empty);
      for (; ready && b.begin_step(now, number(ready)).empty(); ready = earliest(false, empty))
        empty[number(ready)] = true;
      if (ready) {
        const Parts& parts = b.step(number(ready));
        StepOutcome o = cost(parts, testbench::work_of(parts), pass);
        PipelineTimes times = o.pipeline;
        times.scale_busy(factor());
        *ready = {true, 1e-12 * flow.enter(times, 0, 1e12 * now, waits)};
        take(parts, o, now, ready->since_s, pass);
        continue;
      }
      const Group* next = earliest(true, none);
      const double arrival = b.next_arrival();
      if (next && (arrival <= now || next->since_s <= arrival))
        now = next->since_s;
      else
        now = std::max(now, arrival);
    }
  } catch (const Interrupted&) {
    while (Group* under_way = earliest(true, none)) end(*under_way);
    rest();
    throw;
  }
  rest();
}

void Replay::add_latencies(Pass& pass) {
  pass.collector.set_seconds(pass.now);
  for (const RequestProgress& p : pass.batching.requests()) {
    const std::uint64_t outputs = unsigned_of(p.request.output_tokens);
    if (p.refused || p.generated < outputs) continue;
    pass.collector.time_to_first_token(p.first_token_s - p.request.arrival_s);
    pass.collector.end_to_end(p.last_token_s - p.request.arrival_s);
    if (outputs > 1)
      pass.collector.time_per_token((p.last_token_s - p.first_token_s) / static_cast<double>(outputs - 1));
  }
}

void Replay::keep(Pass pass, Collector& collector) {
  *batching_ = std::move(pass.batching);
  collector = std::move(pass.collector);
}

void Replay::run(StepSource& steps, Collector& collector) {
  if (sampled()) return run_sampled(steps, collector);
  Pass pass{*batching_, collector};
  const auto keep_it = [&] {
    add_latencies(pass);
    keep(std::move(pass), collector);
  };
  try {
    serve(
        pass, [&](const Parts&, const accelerator::StepWork& work, Pass&) { return steps.simulate(work); },
        [] { return 1.0; });
  } catch (const Interrupted&) {
    keep_it();
    throw;
  }
  keep_it();
}

// --------------------------------------------------------------------------------------------------------- sampling

void Replay::run_sampled(StepSource& steps, Collector& collector) {
  accelerator::MapRequest request = map_request(scenario(), capacity_);
  if (staged()) request.memory_bytes = 0;  // all layers together are in no device's memory
  map_ = accelerator::MemoryMap::build(request);
  SampledSteps sampled(scenario(), map_, steps);
  const Collector empty = collector;
  const ContinuousBatching start = *batching_;
  sampled.plan([&](const SampledSteps::CostOf& cost) {
    Pass scheduled{start, empty};
    serve(
        scheduled, [&](const Parts& parts, const accelerator::StepWork& work, Pass&) { return cost(parts, work); },
        [] { return 1.0; });
  });
  const Cost cost = [&](const Parts& parts, const accelerator::StepWork& work, Pass& pass) {
    const SampledSteps::Cost c = sampled.cost(parts, work);
    if (!c.simulated) pass.predicted += c.outcome.totals;
    return c.outcome;
  };
  for (bool complete = false;; complete = true) {
    Pass pass{start, empty};
    sampled.begin();
    const auto keep_it = [&](const RunErrors& errors) {
      pass.collector.set_errors(errors);
      keep(std::move(pass), collector);
    };
    try {
      serve(pass, cost, [] { return 1.0; });
    } catch (const Interrupted&) {
      if (complete) return;  // the time before went through the whole trace
      add_latencies(pass);
      keep_it(errors_of_steps(pass, sampled.held_out()));
      throw;
    }
    add_latencies(pass);
    const HeldOut held = sampled.held_out();
    RunErrors errors = errors_of_steps(pass, held);
    pass.collector.set_errors(errors);
    pass.collector.set_simulated(steps.simulated());
    try {
      errors.add(errors_of_queue(pass, {start, empty}, sampled, held));
    } catch (const Interrupted&) {
      keep_it(errors);
      return;
    }
    keep_it(errors);
    const WorstFigure worst = collector.worst_worth_simulating(errors, scenario());
    if (worst.error == 0) return;
    try {
      // What stages wait for is in no step: it follows from the time of all.
      if (!sampled.refine(worst.figure) && !(staged() && sampled.refine(kTimeFigure))) return;
    } catch (const Interrupted&) {
      return;  // with what was kept
    }
  }
}

/// What predictions are off by counts for the part of the figure, or of the time, that is predicted, chance for the rest.
RunErrors Replay::errors_of_steps(const Pass& pass, const HeldOut& held) const {
  RunErrors errors;
  const std::vector<double> all = error_figures(pass.collector.totals(), scenario()),
                            predicted = error_figures(pass.predicted, scenario());
  for (std::size_t f = 0; f < all.size(); ++f) {
    const double of_figure = all[f] > 0 ? predicted[f] / all[f] : 0,
                 of_time = predicted[kTimeFigure] / (all[kTimeFigure] - 1e-12 * pass.waited_ps);
    const double share = std::min(1.0, std::max(of_figure, of_time));
    // With no step held out nothing is known of how far predictions are off.
    errors.figures.push_back(held.count() > 0 ? share * held.error(f) + (1 - share) * held.chance(f) : share);
  }
  return errors;
}

/// What becomes of the figures when all steps take longer, when all are shorter, when each is off by what one of the
/// held-out steps is, and when those like the same simulated step are longer or shorter together.
RunErrors Replay::errors_of_queue(const Pass& pass, const Pass& start, const SampledSteps& sampled,
                                  const HeldOut& held) const {
  const double layers = pass.collector.spread_of_time();
  const double off = pass.collector.errors(scenario()).figures[kTimeFigure];
  std::mt19937_64 random(scenario().seed);
  const auto either = [&random](double a, double b) { return random() % 2 == 0 ? a : b; };
  RunErrors errors;
  errors.latencies = true;
  const auto replay = [&](const std::vector<double>& off_by_point, const std::function<double()>& factor) {
    Pass other = start;
    serve(
        other,
        [&](const Parts& parts, const accelerator::StepWork& work, Pass&) {
          return sampled.predicted(parts, work, off_by_point);
        },
        factor);
    add_latencies(other);
    errors.widen(pass.collector.difference(other.collector, scenario()));
  };
  for (const double factor : {1 + off, 1 / (1 + off)}) replay({}, [&] { return factor; });
  // Chance is averaged out where there are many steps.
  const std::uint64_t draws = 1 + std::min<std::uint64_t>(3, 20000 / (1 + sampled.steps()));
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    replay({}, [&]() -> double {
      const double residual = held.count() == 0 ? 0 : held.residual(random() % held.count(), kTimeFigure);
      return std::max(0.1, 1 - residual + either(layers, -layers));
    });
    std::vector<double> off_by_point;
    for (std::size_t p = 0; p < sampled.points(); ++p) off_by_point.push_back(either(1 + off, 1 / (1 + off)));
    replay(off_by_point, [] { return 1.0; });
  }
  return errors;
}

// ------------------------------------------------------------------------------------------------------------ result

void Replay::report(RunResult& result) const {
  result.notices.insert(result.notices.end(), notices_.begin(), notices_.end());
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
