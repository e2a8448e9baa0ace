// Request traces through harmonia run: full against sampled, limits, broken traces, the same result every time.
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const char* const trace =
    "arrival_s,prompt_tokens,output_tokens\n"
    "0,90,12\n0.0002,20,30\n0.0004,150,8\n0.0005,33,25\n0.004,64,1\n0.3,10,5\n";

std::string scenario(const std::string& more = "") {
  return "model: stories260k\naccelerator: harmonia-small\nworkload: {trace: trace.csv, max_batch: 3, "
         "prefill_chunk_tokens: 48" +
         more + "}\n";
}

Json replay(const Scratch& s, const std::string& arguments) {
  const Outcome o = run_harmonia(s, "run scenario.yaml " + arguments + " -o out");
  INFO(o.err << o.out);
  REQUIRE(o.status == 0);
  Json j = Json::parse(Scratch::read(s / "out/result.json"));
  j.erase("wall_seconds");
  j.erase("simulation_events");
  return j;
}

}  // namespace

TEST_CASE("replay: a trace in full and sampled, within the stated error, the same every time") {
  const Scratch s;
  s.write("trace.csv", trace);
  s.write("scenario.yaml", scenario());
  const Json full = replay(s, "");
  REQUIRE(full["serving"]["completed"] == 6);
  REQUIRE(full["serving"]["running_max"] == 3);
  REQUIRE(full["prompt_tokens"] == 90 + 20 + 150 + 33 + 64 + 10);
  REQUIRE(full["output_tokens"] == 12 + 30 + 8 + 25 + 1 + 5);
  REQUIRE(full["requests"].size() == 6);
  REQUIRE(full["serving"]["idle_s"].get<double>() > 0.2);  // before the last one comes
  for (const Json& r : full["requests"])
    REQUIRE(r["time_to_first_token_s"].get<double>() >= r["waiting_s"].get<double>());
  for (const Json& c : full["checks"]) REQUIRE(c["passed"] == true);

  const Json sampled = replay(s, "--set fidelity.mode=sampled --set fidelity.sample_layers=3");
  REQUIRE(sampled["steps"] == full["steps"]);
  REQUIRE(sampled["fidelity"]["steps_simulated"].get<int>() < full["steps"].get<int>());
  REQUIRE(full["fidelity"]["estimated_errors"].empty());
  const auto stated_of = [&](const std::string& figure) {
    for (const Json& e : sampled["fidelity"]["estimated_errors"])
      if (e["figure"] == figure) return e["error"].get<double>();
    FAIL(figure << " has no estimated error");
    return 0.0;
  };
  for (const char* figure : {"simulated_seconds", "bandwidth.bytes", "energy.total_j", "operations[qkv].simulated_s",
                             "operations[attention_scores].bytes"})
    REQUIRE(stated_of(figure) >= 0);
  const auto near = [&](const char* what) {
    const double a = full["latency"][what]["mean"], b = sampled["latency"][what]["mean"];
    const double stated = stated_of(std::string("latency.") + what);
    INFO(what << ": " << b << " for " << a << ", stated error " << stated);
    REQUIRE(std::abs(b / a - 1) <= stated);
  };
  near("time_to_first_token_s");
  near("time_per_output_token_s");
  near("end_to_end_s");
  REQUIRE(sampled["bandwidth"]["bytes"].get<double>() ==
          Approx(full["bandwidth"]["bytes"].get<double>()).epsilon(1e-9));  // the formulas know them

  REQUIRE(replay(s, "--set fidelity.mode=sampled --set fidelity.sample_layers=3") == sampled);
}

// 11 chunks: ten of 64 tokens and one of 10. Three of the ten are simulated and the last, and more since bytes are no line
// in the context: the queries of a strip, and with them how often the cache is read, fall in steps as it grows.
TEST_CASE("prefill in chunks: full against sampled") {
  const Scratch s;
  s.write("scenario.yaml",
          "model: stories260k\naccelerator: harmonia-small\nkv: bfp4\n"
          "workload: {phase: prefill, context: 650, prefill_chunk_tokens: 64}\n");
  const Json full = replay(s, ""), sampled = replay(s, "--set fidelity.mode=sampled --set fidelity.sample_steps=3");
  REQUIRE(full["fidelity"]["steps_simulated"] == 11);
  REQUIRE(sampled["fidelity"]["steps_simulated"] > 4);
  REQUIRE(sampled["fidelity"]["steps_simulated"] <= 11);
  for (const Json* j : {&full, &sampled}) {
    REQUIRE((*j)["steps"] == 11);
    REQUIRE((*j)["prompt_tokens"] == 650);
    for (const Json& c : (*j)["checks"]) REQUIRE(c["passed"] == true);
  }
  const double a = full["simulated_seconds"], b = sampled["simulated_seconds"];
  INFO(b << " s sampled, " << a << " s in full");
  REQUIRE(std::abs(b / a - 1) < 0.03);
  REQUIRE(sampled["bandwidth"]["bytes"].get<double>() ==
          Approx(full["bandwidth"]["bytes"].get<double>()).epsilon(0.01));
}

TEST_CASE("replay: requests longer than the KV cache are refused and counted") {
  const Scratch s;
  s.write("trace.csv", trace);
  s.write("scenario.yaml", scenario(", kv_capacity_tokens: 110"));
  const Json j = replay(s, "--set fidelity.mode=sampled");
  REQUIRE(j["serving"]["refused"] == 1);  // 150 + 8
  REQUIRE(j["serving"]["completed"] == 5);
  REQUIRE(j["serving"]["kv_tokens_max"].get<int>() <= 110);
  REQUIRE(j["requests"].size() == 5);
  REQUIRE_THAT(j["notices"].dump(), ContainsSubstring("1 request(s) were refused"));

  const Outcome none = run_harmonia(s, "run scenario.yaml --set workload.kv_capacity_tokens=5 -o none");
  REQUIRE(none.status == 2);
  REQUIRE_THAT(none.err, ContainsSubstring("trace.csv") && ContainsSubstring("no request of the trace fits") &&
                             ContainsSubstring("workload.kv_capacity_tokens asks for no more"));
  REQUIRE(!fs::exists(s / "none"));
}

TEST_CASE("replay: a broken line of a trace is named and nothing is written") {
  const Scratch s;
  s.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n1,ten,5\n");
  s.write("scenario.yaml", scenario());
  const Outcome o = run_harmonia(s, "run scenario.yaml -o out");
  REQUIRE(o.status == 2);
  REQUIRE_THAT(o.err, ContainsSubstring("trace.csv:3:3"));
  REQUIRE(o.out.empty());
  REQUIRE(!fs::exists(s / "out"));
}

TEST_CASE("replay: without the public trace the fallback runs, and the result says so") {
  const Scratch s;
  s.write("trace.csv", trace);
  s.write("scenario.yaml", "base: serve-azure\n");
  const Outcome o = run_harmonia(s,
                                 "run serve-azure --data . --set model=stories260k --set accelerator=harmonia-small "
                                 "--set workload.limit=2 --set workload.trace_fallback=trace.csv");
  INFO(o.err << o.out);
  REQUIRE(o.status == 0);
  REQUIRE_THAT(o.out, ContainsSubstring("'trace.csv' was replayed instead"));
}

}  // namespace harmonia::test
