#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/results/percentiles.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/results/text.h"
#include "tests/results/example.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace tb = harmonia::testbench;
using harmonia::test::example;
using harmonia::test::message_of;

TEST_CASE("percentiles are by nearest rank: always a sample, exact on the stored ones") {
  tb::Samples twenty;
  for (int i = 20; i >= 1; --i) twenty.add(i);
  REQUIRE(twenty.percentile(0) == 1);
  REQUIRE(twenty.percentile(50) == 10);
  REQUIRE(twenty.percentile(95) == 19);
  REQUIRE(twenty.percentile(95.1) == 20);
  REQUIRE(twenty.percentile(100) == 20);
  tb::Samples one;
  one.add(3.5);
  REQUIRE(one.percentile(1) == 3.5);
  REQUIRE(one.distribution().p99 == 3.5);
  REQUIRE(tb::Samples().distribution().count == 0);
  REQUIRE_THROWS_AS(tb::Samples().percentile(50), std::invalid_argument);
  REQUIRE_THROWS_AS(one.percentile(101), std::invalid_argument);
  REQUIRE_THROWS_AS(one.add(std::nan("")), std::invalid_argument);
}

TEST_CASE("percentiles agree with the definition on random samples, weights count as repetitions") {
  constexpr std::uint32_t kSeed = 5;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 200; ++round) {
    tb::Samples samples;
    std::vector<double> all;
    const std::size_t n = 1 + random() % 60;
    for (std::size_t i = 0; i < n; ++i) {
      const double value = static_cast<double>(random() % 40);
      const std::uint64_t weight = random() % 4;
      samples.add(value, weight);
      all.insert(all.end(), weight, value);
    }
    REQUIRE(samples.count() == all.size());
    if (all.empty()) continue;
    std::sort(all.begin(), all.end());
    for (const int p : {0, 1, 25, 50, 90, 95, 99, 100}) {
      // The smallest sample that at least p percent of all do not exceed.
      const auto meets = [&](double v) {
        const auto below = static_cast<std::size_t>(std::upper_bound(all.begin(), all.end(), v) - all.begin());
        return below * 100 >= static_cast<std::size_t>(p) * all.size();
      };
      REQUIRE(samples.percentile(p) == *std::find_if(all.begin(), all.end(), meets));
    }
  }
}

TEST_CASE("result.json holds every promised key") {
  const auto j = nlohmann::json::parse(tb::to_json(example()));
  REQUIRE(j["schema"] == 1);
  REQUIRE(j["simulated_seconds"] == 0.32);
  REQUIRE(j["latency"]["time_per_output_token_s"]["p99"] == 0.081);
  REQUIRE(j["latency"]["time_per_output_token_s"]["p50"] == 0.080);
  REQUIRE(j["bandwidth"]["bytes"] == 1175);
  REQUIRE(j["bandwidth"]["bytes_by_class"]["kv_read"] == 50);
  REQUIRE(j["bandwidth"]["pin_bytes_by_class"]["kv_read"] == 64);
  REQUIRE(j["channels"][0]["commands"]["ACT"] == 10);
  REQUIRE(j["channels"][0]["row_hits"] == 90);
  REQUIRE(j["units"][0]["stalled"]["no_input"] == 0.5);
  REQUIRE(j["operations"][1]["bound"] == "compute");
  REQUIRE(j["energy"]["per_token_j"] == 0.125);
  REQUIRE(j["area"]["components"][1]["mm2"] == 1.5);
  REQUIRE(j["checks"][0]["passed"] == true);
  REQUIRE(j["assumptions"][0]["key"] == "accelerator.clock_mhz");
  REQUIRE(j["provenance"]["config"]["seed"] == 7);
  REQUIRE(j["requests"][0]["prompt_tokens"] == 10);
}

TEST_CASE("a result that is not to be believed is refused") {
  tb::RunResult r = example();
  r.units[0].busy = 0.3;
  REQUIRE(message_of([&] { tb::to_json(r); }) == "result: the shares of unit pe_array add up to 1.050000, expected 1");
  r = example();
  r.operations[1].memory_s = std::numeric_limits<double>::infinity();
  REQUIRE(message_of([&] { tb::to_json(r); }) == "result: operations[1].memory_s is not a finite number");
  r = example();
  r.latency.end_to_end_s.p99 = std::nan("");
  REQUIRE(message_of([&] { tb::to_json(r); }) == "result: latency.end_to_end_s.p99 is not a finite number");
}

TEST_CASE("a failed check is named") {
  tb::RunResult r = example();
  REQUIRE_NOTHROW(tb::require_checks(r));
  r.checks.push_back({"macs", false, 100, 99, "MAC", "equal"});
  REQUIRE(message_of([&] { tb::require_checks(r); }) == "check 'macs' failed: 99 MAC, expected equal 100");
  REQUIRE(tb::summary(r).find("FAILED: check 'macs': ") != std::string::npos);
}

TEST_CASE("names that are no UTF-8 still give valid JSON") {
  tb::RunResult r = example();
  r.model = "\xff\xfe\"\\\n";
  REQUIRE(nlohmann::json::accept(tb::to_json(r)));
}

TEST_CASE("the bound of an operation is its largest time, that of the run the one with most simulated time") {
  tb::OperationResult p;
  p.memory_s = 2;
  p.decode_s = 3;
  REQUIRE(tb::bound_of(p) == "decode");
  p.compute_s = 4;
  REQUIRE(tb::bound_of(p) == "compute");
  p.vector_s = 5;
  REQUIRE(tb::bound_of(p) == "vector");
  p.buffer_s = 6;
  REQUIRE(tb::bound_of(p) == "buffer");
  p.interconnect_s = 7;
  REQUIRE(tb::bound_of(p) == "interconnect");
  p.buffer_s = p.interconnect_s = 5;
  p.memory_s = 5;
  REQUIRE(tb::bound_of(p) == "memory");
  REQUIRE(example().bound == "memory");
}

TEST_CASE("the whole time is shared out over what bounds it, and the summary says every share") {
  tb::RunResult r = example();
  const auto limit = [&r](double qkv_s, double attention_s, double seconds) {
    r.operations[0].simulated_s = qkv_s;
    r.operations[1].simulated_s = attention_s;
    r.simulated_seconds = seconds;
    r.limits = tb::limits_of(r.operations, seconds);
    r.bound = tb::bound_of(r.limits);
    double seconds_sum = 0, shares = 0;
    for (const tb::LimitShare& l : r.limits) {
      seconds_sum += l.seconds;
      shares += l.share;
      CHECK(l.share >= 0);
      CHECK(l.share <= 1);
    }
    CHECK(seconds_sum == Approx(seconds));
    if (seconds > 0) CHECK(shares == Approx(1));
    const std::string text = tb::summary(r);
    const auto line = [&text](const std::string& title) {
      const std::size_t at = text.find("  " + title + ": ");
      if (at == std::string::npos) return std::string();
      const std::size_t begin = text.find_first_not_of(' ', at + title.size() + 3);
      return text.substr(begin, text.find('\n', begin) - begin);
    };
    return line("Bound by") + " | " + line("Time by bound");
  };
  CHECK_THAT(limit(1, 3, 4), ContainsSubstring(" of the peak rate of the PE array) | compute 75.0 %, memory 25.0 %"));
  // With time that no operation has, nothing takes half of it.
  CHECK_THAT(limit(3.2, 4.2, 10), ContainsSubstring("; no single resource bounds half of the time | compute 42.0 %, "
                                                    "memory 32.0 %, idle 26.0 %"));
  CHECK_THAT(limit(1, 0, 100), ContainsSubstring(" | idle 99.0 %, memory 1.0 %"));
  CHECK(r.bound == "memory");
  // Stopped before a step was complete.
  CHECK(limit(0, 0, 0) == "none: no step was complete | ");
  CHECK(r.limits.empty());
}

TEST_CASE("bytes and energy per token count the same tokens; a figure that a run has not is absent") {
  tb::RunResult r = example();
  r.prompt_tokens = 100;
  CHECK(tb::counted_tokens(r) == 4);
  CHECK_THAT(tb::summary(r), ContainsSubstring("per output token"));
  r.output_tokens = 0;
  CHECK(tb::counted_tokens(r) == 100);
  CHECK_THAT(tb::summary(r), ContainsSubstring("J per prompt token") && !ContainsSubstring("per output token\n"));
  REQUIRE(nlohmann::json::parse(tb::to_json(r))["latency"].contains("time_to_first_token_s"));
  r.latency.time_to_first_token_s = {};
  const nlohmann::json j = nlohmann::json::parse(tb::to_json(r));
  REQUIRE_FALSE(j["latency"].contains("time_to_first_token_s"));
  for (const auto& [name, value] : tb::row_of(tb::metrics_of(j)))
    if (name == "time_to_first_token_s") CHECK(value.empty());
}

TEST_CASE("the series and the requests are plain CSV") {
  const std::string bandwidth = tb::bandwidth_csv(example());
  REQUIRE(bandwidth.find("start_s,channel,class,bytes,bytes_per_s\n0,0,weights,1000,1e+06\n0,0,scales,0,0\n") == 0);
  // An interval of which the run has half.
  tb::RunResult half = example();
  half.simulated_seconds = 0.0005;
  REQUIRE(tb::bandwidth_csv(half).find("\n0,0,weights,1000,2e+06\n") != std::string::npos);
  REQUIRE(tb::requests_csv(example()) ==
          "index,arrival_s,prompt_tokens,output_tokens,time_to_first_token_s,time_per_output_token_s,end_to_end_s,"
          "waiting_s\n0,0,"
          "10,4,0.1,0.08,0.34,0\n");
  tb::RunResult none = example();
  none.requests.clear();
  REQUIRE(tb::requests_csv(none).empty());
}

TEST_CASE("the summary says in words what ran, how fast, what limits it and how sure that is") {
  const std::string text = tb::summary(example());
  CAPTURE(text);
  REQUIRE_THAT(text, ContainsSubstring("Bound by:                 memory (75.0 % of peak DRAM bandwidth)\n"));
  REQUIRE_THAT(text, ContainsSubstring("Time by bound:            memory 62.5 %, compute 37.5 %\n"));
  for (const char* part :
       {"Scenario: default", "Model:                    llama-3-8b\n", "Accelerator:              harmonia\n",
        "4 output tokens in 4 steps", "Simulated time:           320 ms", "Throughput:               12.5 token/s\n",
        "Time per output token:    80.0 ms (p50 80.0 ms, p95 81.0 ms, p99 81.0 ms)",
        "DRAM utilisation:         93.8 % (60.0 GB/s of 64.0 GB/s)", "full: every transaction simulated",
        "1 of 1 passed", "1 assumed input, ", "qkv", "stalled: no input", "row hits 90.0 %",
        "Energy: 500 mJ, 125 mJ per output token", "Area: 3.500 mm2", "Note: a notice"})
    CHECK(text.find(part) != std::string::npos);
  tb::RunResult sampled = example();
  sampled.fidelity = {"sampled", "at", "timing_only", 3, 32, 2, 4, 0.004};
  sampled.fidelity.estimated_errors = {{"simulated_seconds", 0.001},
                                       {"latency.time_per_output_token_s", 0.002},
                                       {"energy.total_j", 0.003},
                                       {"operations[qkv].simulated_s", 0.004}};
  sampled.complete = false;
  REQUIRE(tb::summary(sampled).find("sampled: 3 of 32 layers and 2 of 4 steps simulated; largest estimated error 0.4 % "
                                    "in operations[qkv].simulated_s") != std::string::npos);
  for (const char* part : {"320 ms, estimated error 0.1 %", "p99 81.0 ms), estimated error 0.2 %",
                           "125 mJ per output token, estimated error 0.3 %", "time's estimated error"})
    CHECK(tb::summary(sampled).find(part) != std::string::npos);
  REQUIRE(tb::summary(sampled).find("interrupted: the figures cover what was complete") != std::string::npos);
}

TEST_CASE("a cell of a CSV file is no formula") {
  for (const char* text : {"=1+2", "+cmd", "-2+3", "@SUM(A1)", "-", "\tx"}) CHECK(tb::csv_cell(text)[0] == '\'');
  CHECK(tb::csv_cell("=A1,B1") == "\"'=A1,B1\"");
  for (const char* text : {"-1.5", "+3", "-2e-9", "kmeans4", "a=b", ""}) CHECK(tb::csv_cell(text) == text);
}

TEST_CASE("numbers carry SI prefixes of powers of ten") {
  REQUIRE(tb::si(64e9, "B/s") == "64.0 GB/s");
  REQUIRE(tb::si(0.0759, "s") == "75.9 ms");
  REQUIRE(tb::si(999.96, "s") == "1.00 ks");
  REQUIRE(tb::si(999.4, "s") == "999 s");
  REQUIRE(tb::si(1, "s") == "1.00 s");
  REQUIRE(tb::si(1000, "B") == "1.00 kB");
  REQUIRE(tb::si(-2500, "J") == "-2.50 kJ");
  REQUIRE(tb::si(0, "J") == "0 J");
  REQUIRE(tb::si(1.5e-12, "J") == "1.50 pJ");
}
