// The checks at the end of a run: each fails when what it holds is off by one, and no other does.
#include "harmonia/testbench/runs/checks.h"

#include <functional>

#include "harmonia/hw/accelerator/accelerator.h"
#include "tests/support/catch.h"

using namespace harmonia;
using testbench::CheckResult;
using testbench::Totals;

namespace {

/// A run whose counts agree with the formulas.
Totals conserved() {
  Totals t;
  t.channels.resize(2);
  for (std::size_t i = 0; i < testbench::kTrafficClasses; ++i) {
    t.channels[0].request_bytes[i] = 100 + static_cast<double>(i);
    t.channels[1].request_bytes[i] = 50;
    t.expected_bytes[i] = 150 + static_cast<double>(i);
  }
  t.macs = t.expected_macs = 6400;
  t.slots = t.expected_slots = 200;
  t.channels[0].requests = 7;
  t.channels[1].responses = 7;
  return t;
}

std::vector<std::string> failed(const std::vector<CheckResult>& checks) {
  std::vector<std::string> names;
  for (const CheckResult& c : checks)
    if (!c.passed) names.push_back(c.name);
  return names;
}

}  // namespace

TEST_CASE("checks: counts that agree with the formulas pass") {
  const std::vector<CheckResult> checks = testbench::conservation_checks(conserved());
  REQUIRE(checks.size() == testbench::kTrafficClasses + 3);
  REQUIRE(failed(checks).empty());
}

TEST_CASE("checks: a byte, an operation or a transaction too many or too few fails the check that counts it") {
  for (const double off : {-1.0, 1.0}) {
    for (std::size_t i = 0; i < testbench::kTrafficClasses; ++i) {
      Totals t = conserved();
      t.channels[1].request_bytes[i] += off;
      REQUIRE(failed(testbench::conservation_checks(t)) ==
              std::vector<std::string>{std::string("bytes of ") + testbench::traffic_name(i) +
                                       " = external-access formula"});
    }
    const std::pair<std::function<void(Totals&)>, const char*> breaks[] = {
        {[off](Totals& t) { t.macs += off; }, "multiply-accumulates = model shapes"},
        {[off](Totals& t) { t.slots += off; }, "group operations of the array = formula"},
        {[off](Totals& t) { t.channels[0].responses += off; }, "requests issued = answered"}};
    for (const auto& [change, name] : breaks) {
      Totals t = conserved();
      change(t);
      REQUIRE(failed(testbench::conservation_checks(t)) == std::vector<std::string>{name});
    }
  }
}

TEST_CASE("checks: a time below bytes / peak or below operations / peak fails") {
  accelerator::AcceleratorConfig config;
  Totals t;
  t.channels.resize(1);
  t.channels[0].pin_bytes[0] = 3000;
  const double peak = 1000;
  REQUIRE(failed(testbench::bound_checks("", t, 3, config, peak)).empty());
  REQUIRE(failed(testbench::bound_checks("whole run: ", t, 2.999, config, peak)) ==
          std::vector<std::string>{"whole run: time >= bytes / peak bandwidth"});
  // One pass of one group takes each PE a cycle.
  const double rate = config.pe.rows * config.pe.cols * config.clock_mhz * 1e6;
  t.slots = 5 * rate;
  REQUIRE(failed(testbench::bound_checks("", t, 5.001, config, peak)).empty());
  REQUIRE(failed(testbench::bound_checks("", t, 4.999, config, peak)) ==
          std::vector<std::string>{"time >= group operations / peak rate"});
  // Bit-serial arrays take a linear's group in as many sixteenths of a cycle as the mantissa has bits.
  config.pe.kind = accelerator::PeKind::anda;
  config.pe.mantissa_bits = 8;
  REQUIRE(failed(testbench::bound_checks("", t, 3, config, peak)).empty());
}
