// Runs of a bare channel with the rule checker attached: every test of the engine goes through here.
#pragma once

#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/dram/rule_checker.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/testbench/dram/traffic.h"
#include "tests/support/catch.h"

namespace harmonia::test {

using dram::Cmd;
using dram::Command;
using dram::Cycle;
using dram::Op;
using dram::Param;
using dram::Rule;

/// A preset with some keys set otherwise.
inline dram::Config configured(const std::string& preset,
                               std::initializer_list<std::pair<const char*, const char*>> keys = {}) {
  dram::Config c = dram::find_preset(preset);
  for (const auto& k : keys) dram::set_key(c, k.first, k.second);
  c.finish();
  return c;
}

struct CommandLog : dram::CommandObserver {
  std::vector<Command> commands;
  void on_command(const Command& c) override { commands.push_back(c); }
};

/// Ends a run whose commands no longer serve anybody.
struct LivelockWatch : dram::CommandObserver {
  int since_column = 0;
  std::string last;
  void on_command(const Command& c) override {
    since_column = c.cmd == Cmd::kRd || c.cmd == Cmd::kWr ? 0 : since_column + 1;
    if (since_column > 100000) last += std::string(" ") + dram::cmd_name(c.cmd) + "@" + std::to_string(c.cycle);
    if (since_column > 100012) throw std::runtime_error("100000 commands and not one column access:" + last);
  }
};

/// An engine whose commands are checked, and kept on demand. check() ends the run.
class CheckedEngine {
 public:
  explicit CheckedEngine(const dram::Config& config, bool keep = false) : CheckedEngine(config, config, keep) {}
  /// The engine obeys one configuration, the checker another.
  CheckedEngine(const dram::Config& obeyed, const dram::Config& checked, bool keep) : engine(obeyed), checker(checked) {
    engine.add_observer(&checker);
    engine.add_observer(&watch_);
    if (keep) engine.add_observer(&log_);
  }
  dram::Engine engine;
  dram::RuleChecker checker;
  const std::vector<Command>& commands() const { return log_.commands; }

  testbench::TrafficResult run(testbench::TrafficSource& source, const testbench::TrafficLimits& limits = {},
                               const std::function<void(const testbench::RequestRecord&)>& on_done = {}) {
    return testbench::run_traffic(engine, source, limits, on_done);
  }
  testbench::TrafficResult run(const std::string& kind, std::uint64_t requests,
                               const testbench::TrafficLimits& limits = {}) {
    const auto source = testbench::make_traffic(kind, requests);
    return run(*source, limits);
  }
  /// Offers one request and runs until it is answered.
  dram::Completion one(const dram::Request& request, Cycle at) {
    engine.push(request, at);
    engine.drain();
    REQUIRE(engine.completions().size() == 1);
    const dram::Completion c = engine.completions().front();
    engine.completions().clear();
    return c;
  }
  void check() {
    checker.finish(engine.statistics().busy_until);
    INFO(engine.config().name << "\n" << checker.report());
    CHECK(checker.commands() > 0);
    CHECK(checker.violations() == 0);
  }

 private:
  LivelockWatch watch_;
  CommandLog log_;
};

}  // namespace harmonia::test
