// Decode, prefill, one product and replay behind their interface: which steps each asks for, and what it reports of a
// machine that is one formula.
#include <cmath>
#include <string>

#include "harmonia/testbench/runs/replay.h"
#include "harmonia/testbench/runs/workload.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/support/small_scenario.h"

using namespace harmonia;
using accelerator::StepWork;
using testbench::Collector;
using testbench::Scenario;
using testbench::StepOutcome;
using testbench::Workload;

namespace {

/// A step takes 10 us a new token and 1 us for each token in a sequence's cache.
double seconds_of(const StepWork& work) {
  double us = 0;
  for (const accelerator::SequenceStep& s : work.sequences)
    us += 10 * static_cast<double>(s.tokens) + static_cast<double>(s.cached);
  return us * 1e-6;
}

struct Formula : testbench::StepSource {
  std::vector<StepWork> asked;
  std::size_t interrupt_after = ~std::size_t{0};
  StepOutcome simulate(const StepWork& work) override {
    if (asked.size() >= interrupt_after) throw testbench::Interrupted{};
    asked.push_back(work);
    StepOutcome o;
    o.totals.time_ps = seconds_of(work) * 1e12;
    o.totals.channels.resize(1);
    all += o.totals;
    return o;
  }
  StepOutcome formulas(const StepWork&) const override { return {}; }
  const testbench::Totals& simulated() const override { return all; }
  testbench::Totals all;
};

struct Done {
  Formula source;
  testbench::RunResult result;
};

Done run(Workload& workload, std::size_t interrupt_after = ~std::size_t{0}) {
  Done done;
  done.source.interrupt_after = interrupt_after;
  Collector collector(testbench::BandwidthBins(1, 1e12));
  try {
    workload.run(done.source, collector);
  } catch (const testbench::Interrupted&) {
    done.result.complete = false;
  }
  collector.report(workload.scenario(), workload.single_linear(),
                   std::vector<testbench::ChannelFacts>(1, {1, 1, 0, {}}), done.result);
  workload.report(done.result);
  return done;
}

std::unique_ptr<Workload> workload_of(const Scenario& s, const std::string& trace = {}) {
  testbench::LoadedScenario loaded;
  loaded.scenario = s;
  loaded.trace_file = trace;
  return testbench::make_workload(loaded);
}

Scenario small(testbench::Phase phase) {
  Scenario s = test::small_scenario();
  s.workload.phase = phase;
  s.workload.batch = 3;
  s.workload.prefill_chunk_tokens = 40;
  return s;
}

}  // namespace

TEST_CASE("workload: decoding asks for one token of every sequence after a context that grows") {
  const auto w = workload_of(small(testbench::Phase::decode));
  const Done done = run(*w);
  REQUIRE(done.source.asked.size() == 4);
  double seconds = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const StepWork& work = done.source.asked[i];
    REQUIRE(work.sequences.size() == 3);
    for (std::size_t b = 0; b < 3; ++b) {
      REQUIRE(work.sequences[b].slot == b);
      REQUIRE(work.sequences[b].cached == 100 + i);
      REQUIRE(work.sequences[b].tokens == 1);
      REQUIRE(work.sequences[b].logits);
    }
    seconds += seconds_of(work);
  }
  REQUIRE(done.result.steps == 4);
  REQUIRE(done.result.output_tokens == 12);
  REQUIRE(done.result.simulated_seconds == Approx(seconds));
  REQUIRE(done.result.latency.time_per_output_token_s.mean == Approx(seconds / 4));
  REQUIRE(done.result.latency.end_to_end_s.mean == Approx(seconds));
  REQUIRE(w->capacity().tokens_per_slot == 104);
  REQUIRE(w->capacity().max_step_tokens == 3);
  REQUIRE_FALSE(w->own_time_line());
}

TEST_CASE("workload: sampled decoding asks for few steps and reports the same") {
  Scenario s = small(testbench::Phase::decode);
  s.workload.tokens = 41;
  const auto full = workload_of(s);
  s.fidelity.mode = testbench::FidelityMode::sampled;
  const auto sampled = workload_of(s);
  const Done a = run(*full), b = run(*sampled);
  REQUIRE(a.source.asked.size() == 41);
  REQUIRE(b.source.asked.size() == 3);
  REQUIRE(b.source.asked[1].sequences[0].cached == 120);
  REQUIRE(sampled->own_time_line());
  REQUIRE(b.result.steps == 41);
  REQUIRE(b.result.output_tokens == a.result.output_tokens);
  REQUIRE(b.result.simulated_seconds == Approx(a.result.simulated_seconds));
  REQUIRE(b.result.latency.time_per_output_token_s.p95 == Approx(a.result.latency.time_per_output_token_s.p95));
}

TEST_CASE("workload: prefill goes through the prompts chunk by chunk, and the last one wants logits") {
  const auto w = workload_of(small(testbench::Phase::prefill));
  const Done done = run(*w);
  REQUIRE(done.source.asked.size() == 3);
  const std::uint64_t tokens[] = {40, 40, 20};
  for (std::size_t i = 0; i < 3; ++i)
    for (const accelerator::SequenceStep& s : done.source.asked[i].sequences) {
      REQUIRE(s.cached == 40 * i);
      REQUIRE(s.tokens == tokens[i]);
      REQUIRE(s.logits == (i == 2));
    }
  REQUIRE(done.result.prompt_tokens == 300);
  REQUIRE(done.result.output_tokens == 0);
  REQUIRE(done.result.latency.time_to_first_token_s.mean == Approx(done.result.simulated_seconds));
  REQUIRE(w->capacity().tokens_per_slot == 100);
  REQUIRE(w->capacity().max_step_tokens == 120);
  REQUIRE(w->largest_step().tokens() == 120);
}

TEST_CASE("workload: of a sampled prefill the last chunk is simulated in any case") {
  Scenario s = small(testbench::Phase::prefill);
  s.workload.context = 1000;
  s.fidelity.mode = testbench::FidelityMode::sampled;
  const auto w = workload_of(s);
  const Done done = run(*w);
  REQUIRE(done.source.asked.size() == 4);
  REQUIRE(done.source.asked.back().sequences[0].logits);
  REQUIRE(done.result.steps == 25);
  REQUIRE(done.result.prompt_tokens == 3000);
}

TEST_CASE("workload: a single product runs a matrix in the place of lm_head") {
  Scenario s = small(testbench::Phase::gemv);
  s.workload.rows = 640;
  s.workload.cols = 256;
  s.weights.format = "kmeans2";
  const auto w = workload_of(s);
  REQUIRE(w->single_linear());
  REQUIRE(w->scenario().model.vocab_size == 640);
  REQUIRE(w->scenario().model.hidden_size == 256);
  REQUIRE(w->scenario().weights.lm_head == "kmeans2");
  const Done done = run(*w);
  REQUIRE(done.source.asked.size() == 1);
  REQUIRE(done.result.steps == 1);
}

TEST_CASE("workload: an interrupt keeps the steps that were complete") {
  const auto w = workload_of(small(testbench::Phase::decode));
  const Done done = run(*w, 2);
  REQUIRE_FALSE(done.result.complete);
  REQUIRE(done.result.steps == 2);
  REQUIRE(done.result.output_tokens == 6);
}

TEST_CASE(
    "workload: a sampled replay asks for few steps, says what it may be off by, and has nothing before they are "
    "simulated") {
  const test::Scratch scratch;
  std::string trace = "arrival_s,prompt_tokens,output_tokens\n";
  for (int i = 0; i < 12; ++i) trace += std::to_string(i * 0.003) + ",30,40\n";
  scratch.write("trace.csv", trace);
  Scenario s = small(testbench::Phase::decode);
  s.workload.trace = "trace.csv";
  s.workload.max_batch = 4;
  const Done full = run(*workload_of(s, scratch / "trace.csv"));
  s.fidelity.mode = testbench::FidelityMode::sampled;
  const Done sampled = run(*workload_of(s, scratch / "trace.csv"));
  REQUIRE(sampled.source.asked.size() < full.source.asked.size() / 2);
  const std::size_t budget = testbench::SampledSteps::budget_of(full.source.asked.size());
  REQUIRE(sampled.source.asked.size() <= budget + budget / 3);
  REQUIRE(sampled.result.serving.completed == 12);
  REQUIRE(sampled.result.output_tokens == full.result.output_tokens);
  double stated = -1;
  for (const testbench::EstimatedError& e : sampled.result.fidelity.estimated_errors)
    if (e.figure == "latency.end_to_end_s") stated = e.error;
  REQUIRE(stated > 0);
  REQUIRE(std::abs(sampled.result.latency.end_to_end_s.mean / full.result.latency.end_to_end_s.mean - 1) <= stated);
  const Done stopped = run(*workload_of(s, scratch / "trace.csv"), 1);
  REQUIRE_FALSE(stopped.result.complete);
  REQUIRE(stopped.result.steps == 0);
  // Later it only goes without the steps that would have made it surer.
  const Done later = run(*workload_of(s, scratch / "trace.csv"), sampled.source.asked.size() - 1);
  REQUIRE(later.result.complete);
  REQUIRE(later.result.steps == sampled.result.steps);
}

TEST_CASE("workload: of a sampled replay as short as the budget every step is simulated") {
  const test::Scratch scratch;
  scratch.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,50,3\n0.0001,30,2\n5,10,1\n");
  Scenario s = small(testbench::Phase::decode);
  s.workload.trace = "trace.csv";
  const Done full = run(*workload_of(s, scratch / "trace.csv"));
  s.fidelity.mode = testbench::FidelityMode::sampled;
  const Done sampled = run(*workload_of(s, scratch / "trace.csv"));
  REQUIRE(sampled.source.asked.size() == full.source.asked.size());
  REQUIRE(sampled.result.simulated_seconds == Approx(full.result.simulated_seconds));
}

TEST_CASE("workload: a replay serves every request, and reports each with its latencies") {
  const test::Scratch scratch;
  scratch.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,50,3\n0.0001,30,2\n5,10,1\n");
  Scenario s = small(testbench::Phase::decode);
  s.workload.trace = "trace.csv";
  s.workload.max_batch = 2;
  const auto w = workload_of(s, scratch / "trace.csv");
  REQUIRE(w->own_time_line());
  REQUIRE(w->capacity().slots == 2);
  REQUIRE(w->capacity().tokens_per_slot == 53);
  const Done done = run(*w);
  REQUIRE(done.result.prompt_tokens == 90);
  REQUIRE(done.result.output_tokens == 6);
  REQUIRE(done.result.serving.completed == 3);
  REQUIRE(done.result.requests.size() == 3);
  REQUIRE(done.result.serving.idle_s > 4);
  REQUIRE(done.result.requests[2].time_to_first_token_s == Approx(100e-6));  // 10 tokens, alone
  REQUIRE(done.result.latency.time_to_first_token_s.count == 3);
  REQUIRE(done.result.latency.time_per_output_token_s.count == 2);
  for (const testbench::CheckResult& c : done.result.checks) REQUIRE(c.passed);
  REQUIRE(done.result.checks.size() == 3);
}

TEST_CASE("workload: a prompt that the cache has no room for is in no step of a replay") {
  const test::Scratch scratch;
  scratch.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,64,3\n1,10,2\n");
  Scenario s = small(testbench::Phase::decode);
  s.workload.trace = "trace.csv";
  s.workload.kv_capacity_tokens = 13;
  s.workload.prefill_chunk_tokens = 64;
  const auto w = workload_of(s, scratch / "trace.csv");
  REQUIRE(w->capacity().tokens_per_slot == 12);
  REQUIRE(w->largest_step().sequences.front().tokens == 12);
  REQUIRE(run(*w).result.serving.refused == 1);
}
