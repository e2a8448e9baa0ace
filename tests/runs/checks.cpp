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

namespace {

/// A run of one class on the array, which kept memory and array busy all the time.
Totals of_class(const accelerator::AcceleratorConfig& config, double peak, double seconds) {
  Totals t;
  t.time_ps = seconds * 1e12;
  testbench::ClassTotals& c = t.classes[static_cast<std::size_t>(accelerator::OperationClass::down)];
  c.elapsed_ps = t.time_ps;
  c.tiles = 10;
  c.turns = 2;
  c.compute_cycles = seconds * config.clock_mhz * 1e6;
  c.macs = 32 * seconds * config.pe.rows * config.pe.cols * config.clock_mhz * 1e6;
  c.bytes = seconds * peak + 2 * testbench::bytes_in_flight(config);
  return t;
}

}  // namespace

TEST_CASE("checks: a class that took less time than its operations or its bytes need fails") {
  const accelerator::AcceleratorConfig config;
  const double peak = accelerator::peak_bandwidth(config), seconds = 0.25;
  const auto changed = [&](const std::function<void(testbench::ClassTotals&)>& change) {
    Totals t = of_class(config, peak, seconds);
    change(t.classes[static_cast<std::size_t>(accelerator::OperationClass::down)]);
    return failed(testbench::class_checks("", t, config, peak));
  };
  using Class = testbench::ClassTotals;
  REQUIRE(changed([](Class&) {}).empty());
  REQUIRE(changed([](Class& c) { c.macs *= 1.001; }) ==
          std::vector<std::string>{"time of down >= its operations / peak rate"});
  REQUIRE(changed([](Class& c) { c.compute_cycles *= 1.001; }) ==
          std::vector<std::string>{"time of down >= its operations / peak rate"});
  REQUIRE(changed([](Class& c) { c.bytes *= 1.001; }) ==
          std::vector<std::string>{"time of down >= its bytes beyond those on chip / peak bandwidth"});
  // With fewer turns less can lie on chip when one begins.
  REQUIRE(changed([](Class& c) { c.turns = 1; }) ==
          std::vector<std::string>{"time of down >= its bytes beyond those on chip / peak bandwidth"});
  // Time that no class has, or that two have.
  for (const double factor : {0.999, 1.001}) {
    Totals t = of_class(config, peak, seconds);
    t.time_ps *= factor;
    REQUIRE(failed(testbench::class_checks("whole run: ", t, config, peak)) ==
            std::vector<std::string>{"whole run: times of the classes = time of the steps"});
  }
}

TEST_CASE("checks: one count below 0 fails, whichever it is") {
  const accelerator::AcceleratorConfig config;
  const std::function<double&(Totals&)> counts[] = {[](Totals& t) -> double& { return t.weights; },
                                                    [](Totals& t) -> double& { return t.expected_bytes[2]; },
                                                    [](Totals& t) -> double& { return t.classes[1].vector_ps; },
                                                    [](Totals& t) -> double& { return t.channels[1].pin_bytes[0]; },
                                                    [](Totals& t) -> double& { return t.channels[1].commands[3]; },
                                                    [](Totals& t) -> double& { return t.channels[1].queued; },
                                                    [](Totals& t) -> double& { return t.units[4].busy; },
                                                    [](Totals& t) -> double& { return t.units[4].waiting[1]; }};
  for (const auto& count : counts) {
    Totals t;
    t.channels.resize(2);
    t.units.resize(5);
    REQUIRE(failed(testbench::class_checks("", t, config, 1e9)).empty());
    count(t) = -1e-3;
    REQUIRE(failed(testbench::class_checks("", t, config, 1e9)) == std::vector<std::string>{"every count >= 0"});
  }
}

TEST_CASE("checks: one step of many that is faster than its bytes or operations allow fails") {
  const accelerator::AcceleratorConfig config;
  const double groups_per_s = config.pe.rows * config.pe.cols * config.clock_mhz * 1e6;
  Totals step;
  step.expected_bytes[0] = 600;
  step.expected_bytes[2] = 400;
  step.expected_slots = 0.5 * groups_per_s;
  testbench::StepBounds bounds(config, 1000);
  REQUIRE(bounds.checks().empty());
  for (const double seconds : {5.0, 1.0, 7.0}) bounds.add(step, seconds);
  REQUIRE(failed(bounds.checks()).empty());
  REQUIRE(bounds.checks()[0].actual == 1);
  testbench::StepBounds too_fast = bounds;
  too_fast.add(step, 0.999);  // 1000 bytes need a second
  too_fast.add(step, 9);
  REQUIRE(failed(too_fast.checks()).size() == 1);
  step.expected_slots = 1.5 * groups_per_s;
  bounds.add(step, 1.499);
  REQUIRE(failed(bounds.checks()).size() == 1);
  REQUIRE(bounds.checks()[0].expected == Approx(1.5));
}

TEST_CASE("checks: times of classes that a mark cut are scaled to the time of the step") {
  Totals t;
  t.time_ps = 100;
  t.classes[1].elapsed_ps = 30;
  t.classes[2].elapsed_ps = 50;
  t.share_out_time();
  REQUIRE(t.classes[1].elapsed_ps == Approx(37.5));
  REQUIRE(t.elapsed_ps() == Approx(100));
  Totals nothing;
  nothing.share_out_time();
  REQUIRE(nothing.elapsed_ps() == 0);
}
