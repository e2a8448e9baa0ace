// The fast engine against the reference engine on the same traffic: every command, completion and count.
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

struct Offer {
  Request request;
  Cycle not_before;
};

struct Outcome {
  std::vector<Command> commands;
  std::vector<Completion> completions;
  std::vector<Cycle> accepted;
  Statistics statistics;
  std::uint64_t violations = 0;
  int broken_promises = 0;
};

enum class Drive {
  kReference,  // the reference engine, advanced before every offer
  kEager,      // the fast engine, advanced before every offer
  kLazy        // the fast engine, advanced only when the engine asks for it, as the SystemC target does
};

Outcome run(Config c, const std::vector<Offer>& offers, Drive drive) {
  c.engine = drive == Drive::kReference ? EngineKind::kReference : EngineKind::kFast;
  CheckedEngine e(c, true);
  Outcome o;
  Cycle promised = kNever;  // no completion that is not known yet is done before this
  const auto collect = [&] {
    for (const Completion& completion : e.engine.completions()) {
      if (completion.done < promised) o.broken_promises += 1;
      o.completions.push_back(completion);
    }
    e.engine.completions().clear();
  };
  Cycle t = 0;
  for (const Offer& offer : offers) {
    if (drive == Drive::kLazy) {
      while (promised < std::max(t, offer.not_before)) {
        t = promised;
        e.engine.advance(t);
        collect();
        promised = e.engine.next_wake(false);
      }
      t = std::max(t, offer.not_before);
      if (!e.engine.can_accept(offer.request.op)) e.engine.advance(t);
    } else {
      t = std::max(t, offer.not_before);
      e.engine.advance(t);
    }
    while (!e.engine.can_accept(offer.request.op)) {
      t = e.engine.next_wake();
      e.engine.advance(t);
    }
    e.engine.push(offer.request, t);
    o.accepted.push_back(t);
    collect();
    promised = drive == Drive::kLazy ? e.engine.next_wake(false) : 0;
  }
  const Cycle end = e.engine.drain();
  collect();
  e.engine.finish(std::max(t, end) + 1000);
  e.checker.finish(e.engine.statistics().busy_until);
  o.commands = e.commands();
  o.statistics = e.engine.statistics();
  o.violations = e.checker.violations();
  return o;
}

bool same(const Command& a, const Command& b) {
  return a.cycle == b.cycle && a.cmd == b.cmd && a.unit == b.unit && a.bankgroup == b.bankgroup &&
         a.bank_in_group == b.bank_in_group && a.row == b.row && a.column == b.column;
}

std::string text_of(const Command& c) {
  std::string text = std::string(cmd_name(c.cmd)) + " at " + std::to_string(c.cycle);
  for (int v : {int{c.unit}, int{c.bankgroup}, int{c.bank_in_group}, int{c.row}, int{c.column}})
    text += " " + std::to_string(v);
  return text;
}

/// Empty when equal, else what differs first.
std::string difference(const Outcome& a, const Outcome& b) {
  for (std::size_t i = 0; i < std::min(a.commands.size(), b.commands.size()); ++i)
    if (!same(a.commands[i], b.commands[i]))
      return "command " + std::to_string(i) + ": " + text_of(a.commands[i]) + " against " + text_of(b.commands[i]);
  if (a.commands.size() != b.commands.size()) return "number of commands";
  if (a.accepted != b.accepted) return "times of acceptance";
  if (a.completions.size() != b.completions.size()) return "number of completions";
  for (std::size_t i = 0; i < a.completions.size(); ++i)
    if (a.completions[i].tag != b.completions[i].tag || a.completions[i].done != b.completions[i].done)
      return "completion " + std::to_string(i);
  const Statistics &x = a.statistics, &y = b.statistics;
  if (x.commands != y.commands) return "command counts";
  for (int op = 0; op < 2; ++op) {
    if (x.requests[op] != y.requests[op] || x.bursts[op] != y.bursts[op] || x.bytes[op] != y.bytes[op])
      return "requests, bursts or bytes";
    if (x.queue_integral[op] != y.queue_integral[op] || x.queue_peak[op] != y.queue_peak[op]) return "queue occupancy";
    if (x.latency[op].count() != y.latency[op].count() || x.latency[op].mean() != y.latency[op].mean() ||
        x.latency[op].max() != y.latency[op].max() || x.latency[op].percentile(0.5) != y.latency[op].percentile(0.5))
      return "latency";
  }
  if (x.row_hits != y.row_hits || x.row_misses != y.row_misses || x.row_conflicts != y.row_conflicts)
    return "row counts";
  if (x.turnarounds != y.turnarounds || x.write_batches != y.write_batches) return "turnarounds";
  if (x.refresh_cycles != y.refresh_cycles || x.last_done != y.last_done) return "times";
  for (auto e : {&Energy::activate, &Energy::precharge, &Energy::read, &Energy::write, &Energy::refresh,
                 &Energy::background_active, &Energy::background_precharged, &Energy::background_power_down})
    if (x.energy.*e != y.energy.*e) return "energy";
  return "";
}

/// Streams of many lengths and alignments, one or several side by side, read or written, with pauses, jumps and short
/// random requests between.
std::vector<Offer> mixture(std::mt19937_64& random, const Config& c) {
  const auto below = [&](std::uint64_t n) { return random() % n; };
  std::vector<Offer> offers;
  const std::uint64_t capacity = c.capacity_bytes();
  // Streams cross at least one refresh in half of the cases; the first begins at any phase of the interval.
  Cycle t = static_cast<Cycle>(below(static_cast<std::uint64_t>(std::max(1, c[Param::REFI]))));
  const std::size_t streams = 1 + below(4);
  std::vector<std::uint64_t> position;
  for (std::size_t i = 0; i < streams; ++i)
    position.push_back(below(capacity) & ~(below(2) != 0 ? std::uint64_t{4095} : std::uint64_t{0}));
  const std::uint32_t lengths[] = {4096, 4096, 16384, 1024, 2048, 64, 32, 777, 100};
  const std::uint32_t length = lengths[below(9)];
  const std::size_t n = 4 + below(28);
  const bool writing = below(4) == 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t kind = below(40);
    if (kind == 0) {
      offers.push_back(
          {{below(capacity), static_cast<std::uint32_t>(1 + below(300)), below(2) ? Op::kWrite : Op::kRead, i}, t});
      continue;
    }
    if (kind == 1) t += static_cast<Cycle>(below(3000));
    if (kind == 2) position[below(streams)] = below(capacity);
    std::uint64_t& at = position[below(4) == 0 ? below(streams) : i % streams];
    const std::uint32_t bytes = below(8) == 0 ? static_cast<std::uint32_t>(1 + below(9000)) : length;
    offers.push_back({{at % capacity, bytes, writing ? Op::kWrite : Op::kRead, i}, t});
    at += bytes;
    if (below(3) == 0) t += static_cast<Cycle>(below(40));
  }
  return offers;
}

}  // namespace

TEST_CASE("Engine: the fast engine equals the reference engine command for command") {
  // HARMONIA_LONG multiplies the number of cases.
  const char* factor = std::getenv("HARMONIA_LONG");
  const int cases = 10000 * (factor ? std::max(1, std::atoi(factor)) : 1);
  std::vector<Config> configs;
  for (const char* preset :
       {"DDR4-3200", "HBM2-2000", "LPDDR5-6400", "HBM3-6400", "LPDDR4-3200", "DDR5-4800", "GDDR6-16000"}) {
    configs.push_back(configured(preset));
    configs.push_back(configured(preset, {{"mapping", "rbc"}, {"fairness_cap_cycles", "150"}}));
    configs.push_back(configured(preset, {{"mapping", "cbg"},
                                          {"page_policy", "adaptive"},
                                          {"page_timeout_cycles", "70"},
                                          {"power_down_idle_cycles", "30"},
                                          {"refresh_postpone", "4"}}));
    configs.push_back(configured(preset, {{"mapping", "bgi"}, {"queue_entries", "17"}, {"refresh", "none"}}));
  }
  configs.push_back(configured("HBM2-2000", {{"pseudo_channels", "2"}, {"mapping", "rbc"}}));
  configs.push_back(configured("DDR4-3200", {{"ranks", "2"}, {"mapping", "rbc"}}));
  configs.push_back(configured("LPDDR4-3200", {{"refresh", "per_bank"}}));
  // Streams in several ranks at once: the data bus changes hands only where the step-by-step path lets it.
  for (const char* preset : {"LPDDR5-6400", "DDR4-3200", "HBM2-2000", "LPDDR4-3200", "DDR5-4800"}) {
    configs.push_back(configured(preset, {{"ranks", "4"}, {"mapping", "bgi"}}));
    configs.push_back(configured(preset, {{"ranks", "4"}, {"mapping", "rbc"}, {"fairness_cap_cycles", "150"}}));
    configs.push_back(configured(preset, {{"ranks", "2"},
                                          {"mapping", "rbc"},
                                          {"page_policy", "adaptive"},
                                          {"page_timeout_cycles", "70"},
                                          {"power_down_idle_cycles", "30"}}));
  }
  configs.push_back(configured("HBM2-2000", {{"pseudo_channels", "2"}, {"ranks", "2"}, {"mapping", "rbc"}}));
  std::uint64_t columns = 0, longest = 0;
  for (int i = 0; i < cases; ++i) {
    const std::uint64_t seed = 0x9e3779b9u + static_cast<std::uint64_t>(i);
    std::mt19937_64 random(seed);
    const Config& c = configs[static_cast<std::size_t>(i) % configs.size()];
    const std::vector<Offer> offers = mixture(random, c);
    INFO("case " << i << " seed " << seed << " " << c.name << " " << c.mapping.name);
    const Outcome slow = run(c, offers, Drive::kReference), fast = run(c, offers, Drive::kEager),
                  lazy = run(c, offers, Drive::kLazy);
    columns += slow.statistics.bursts[0] + slow.statistics.bursts[1];
    longest = std::max(longest, slow.statistics.bursts[0] + slow.statistics.bursts[1]);
    for (const Outcome* outcome : {&fast, &lazy}) {
      const std::string what = difference(*outcome, slow);
      if (!what.empty()) FAIL((outcome == &lazy ? "lazy: " : "eager: ") + what);
    }
    if (fast.violations != 0) FAIL("a rule is broken");
    if (lazy.broken_promises != 0) FAIL("a completion came before the wake");
    if (fast.completions.size() != offers.size()) FAIL("a request was lost or answered twice");
  }
  CHECK(columns > 100 * static_cast<std::uint64_t>(cases));
  WARN(cases << " mixtures, " << columns << " column accesses, " << longest << " in the longest: no difference");
}
