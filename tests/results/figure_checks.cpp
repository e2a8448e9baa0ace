// Rules for the figures of any result: a good result keeps them all, and each way to break one names the figure.
#include "harmonia/testbench/results/figure_checks.h"

#include <cmath>
#include <functional>

#include "tests/results/example.h"
#include "tests/support/catch.h"

namespace tb = harmonia::testbench;
using harmonia::test::example;

namespace {

std::vector<std::string> failed(const tb::RunResult& r) {
  std::vector<std::string> names;
  for (const tb::CheckResult& c : tb::figure_checks(r))
    if (!c.passed) names.push_back(c.name);
  return names;
}

}  // namespace

TEST_CASE("figure checks: a result whose figures make sense passes") {
  REQUIRE(failed(example()).empty());
  REQUIRE(tb::figure_checks(example()).size() == 9);
  // Of nothing that was run nothing is wrong.
  REQUIRE(failed(tb::RunResult{}).empty());
}

TEST_CASE("figure checks: a figure that cannot be fails the rule for it and is named") {
  const std::pair<std::function<void(tb::RunResult&)>, const char*> breaks[] = {
      {[](tb::RunResult& r) { r.operations[1].simulated_s = -0.25; },
       "figures below 0: operations[1].simulated_s is -0.25"},
      {[](tb::RunResult& r) { r.latency.time_per_output_token_s.min = -0.5; },
       "figures below 0: latency.time_per_output_token_s.min is -0.5"},
      {[](tb::RunResult& r) { r.area.total_mm2 = -1; }, "figures below 0: area.total_mm2 is -1"},
      {[](tb::RunResult& r) { r.requests[0].waiting_s = -0.125; }, "figures below 0: requests[0].waiting_s is -0.125"},
      {[](tb::RunResult& r) { r.bandwidth.utilisation = 1.5; }, "shares above 1: bandwidth.utilisation is 1.5"},
      {[](tb::RunResult& r) { r.channels[0].refresh_share = 2; }, "shares above 1: channels[0].refresh_share is 2"},
      {[](tb::RunResult& r) { r.output_tokens_per_s = std::nan(""); },
       "figures that are not finite: result: output_tokens_per_s is not a finite number"},
      {[](tb::RunResult& r) { r.limits[0].share = 0.5; }, "shares of the limits = 1"},
      {[](tb::RunResult& r) { r.energy.total_j = 0.75; }, "energy = that of its components"},
      {[](tb::RunResult& r) { r.operations[0].compute_s = 0.25; }, "time >= that of the PE array alone"},
      {[](tb::RunResult& r) { r.operations[0].decode_s = 0.5; }, "time >= that of the decoder alone"},
      {[](tb::RunResult& r) { r.operations[0].vector_s = 0.5; }, "time >= that of the vector unit alone"}};
  for (const auto& [change, name] : breaks) {
    tb::RunResult r = example();
    change(r);
    REQUIRE(failed(r) == std::vector<std::string>{name});
  }
  tb::RunResult r = example();
  r.units[1].busy = 0.5;
  REQUIRE(failed(r) == std::vector<std::string>{"units whose shares do not add up to 1: decoder is 0.75"});
  // A negative component of the energy shows even where the sum is right.
  r = example();
  r.energy.components = {{"dram", 0.75}, {"pe", -0.25}};
  REQUIRE(failed(r) == std::vector<std::string>{"figures below 0: energy.components[1].joules is -0.25"});
  // An estimated error may be larger than what it is of; a share may not.
  r = example();
  r.fidelity.error_estimate = 3;
  REQUIRE(failed(r).empty());
  r.units[0].busy = 1.5;
  r.units[0].stalled = {{"no_input", -0.5}};
  REQUIRE(failed(r) == std::vector<std::string>{"figures below 0: units[0].stalled.no_input is -0.5",
                                                "shares above 1: units[0].busy is 1.5"});
}
