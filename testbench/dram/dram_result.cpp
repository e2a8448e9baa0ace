#include "harmonia/testbench/dram/dram_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "harmonia/hw/dram/standard.h"
#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {
namespace {

using dram::Cmd;
using dram::Op;
using dram::Param;
using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr const char* kOps[] = {"read", "write"};

struct Numbers {
  double cycles = 0, seconds = 0, peak = 0, achieved = 0, utilisation = 0;
  std::uint64_t pin_bytes = 0, bursts = 0;
  Ceiling ceiling;
  double refresh_share = 0, hit_rate = 0;
  double occupancy[2] = {};
  bool energy = false;
  double joules = 0, watts = 0, per_bit = 0;
};

Numbers numbers_of(const DramResult& r) {
  const dram::Config& c = r.channel.config;
  const dram::Statistics& s = r.run.statistics;
  Numbers n;
  n.cycles = static_cast<double>(r.run.last_done - r.run.first_offer);
  n.seconds = r.run.seconds(c);
  n.peak = c.peak_GBs() * 1e9;
  n.achieved = n.seconds > 0 ? static_cast<double>(r.run.bytes) / n.seconds : 0;
  n.utilisation = n.achieved / n.peak;
  n.bursts = s.bursts[0] + s.bursts[1];
  n.pin_bytes = n.bursts * static_cast<std::uint64_t>(c.burst_bytes());
  const double end = static_cast<double>(std::max<dram::Cycle>(r.run.last_done, 1));
  n.refresh_share = static_cast<double>(s.refresh_cycles) / (end * c.units());
  n.ceiling = ceiling_of(c, s.commands[static_cast<std::size_t>(Cmd::kAct)], n.bursts, n.cycles);
  const std::uint64_t looked = s.row_hits + s.row_misses + s.row_conflicts;
  n.hit_rate = looked > 0 ? static_cast<double>(s.row_hits) / static_cast<double>(looked) : 0;
  for (int op = 0; op < 2; ++op)
    n.occupancy[op] = s.busy_until > 0 ? s.queue_integral[op] / static_cast<double>(s.busy_until) : 0;
  n.energy = c.currents.devices > 0;
  n.joules = s.energy.total() * 1e-12;
  const double from_reset = end * c.tCK_ps * 1e-12;
  n.watts = n.joules / from_reset;
  n.per_bit = r.run.bytes > 0 ? n.joules / (8.0 * static_cast<double>(r.run.bytes)) : 0;
  return n;
}

std::vector<std::pair<const char*, double>> energy_classes(const dram::Energy& e) {
  return {{"activate", e.activate},
          {"precharge", e.precharge},
          {"read", e.read},
          {"write", e.write},
          {"refresh", e.refresh},
          {"background, a bank open", e.background_active},
          {"background, all banks closed", e.background_precharged},
          {"power-down", e.background_power_down}};
}

Json distribution(const dram::Histogram& h, double scale) {
  Json j;
  j["count"] = h.count();
  j["mean"] = h.mean() * scale;
  j["min"] = static_cast<double>(h.min()) * scale;
  j["p50"] = static_cast<double>(h.percentile(0.50)) * scale;
  j["p95"] = static_cast<double>(h.percentile(0.95)) * scale;
  j["p99"] = static_cast<double>(h.percentile(0.99)) * scale;
  j["max"] = static_cast<double>(h.max()) * scale;
  return j;
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string described_traffic(const DramResult& r) {
  std::string text = r.traffic == "trace" ? "trace " + r.trace_file + " (" + r.trace_format + ")" : r.traffic;
  const dram::Statistics& s = r.run.statistics;
  text += fmt::format("; {} reads and {} writes, {} in all, at most {} in flight", s.requests[0], s.requests[1],
                      si(static_cast<double>(r.run.bytes), "B"), r.in_flight);
  if (r.window_bytes > 0 && r.window_bytes != kTrafficWindow)
    text += ", within " + si(static_cast<double>(r.window_bytes), "B", 4) + " of the channel instead of 512 MiB";
  if (r.gap_cycles > 0) text += ", one every " + Json(r.gap_cycles).dump() + " cycles";
  return text;
}

void overview(std::string& out, const DramResult& r, const Numbers& n) {
  const dram::Config& c = r.channel.config;
  const dram::Statistics& s = r.run.statistics;
  out += entry("Channel", c.description);
  out += entry("Traffic", described_traffic(r));
  if (r.inside_burst > 0)
    out += entry(
        "Unaligned requests",
        fmt::format("{} addresses inside a burst; each stands for the burst that holds it, as in other simulators",
                    r.inside_burst));
  if (r.wrapped > 0) out += entry("Wrapped requests", fmt::format("{} beyond the capacity of the channel", r.wrapped));
  if (!r.complete) out += entry("Status", "interrupted: the figures cover the requests before");
  out += entry("Simulated time",
               si(n.seconds, "s") + " (" + fixed(n.cycles, 0) + " cycles of " + Json(c.tCK_ps).dump() + " ps)");
  out += entry("Bandwidth", si(n.achieved, "B/s", 4) + " of " + si(n.peak, "B/s", 4) + " (" +
                                fixed(100 * n.utilisation, 2) + " % of peak)");
  out +=
      entry("Attainable bandwidth",
            fixed(100 * n.ceiling.share, 2) + " % of peak, as far as row activations and refresh allow; " +
                fixed(n.ceiling.share > 0 ? 100 * n.utilisation / n.ceiling.share : 0, 1) + " % of that was reached");
  if (n.pin_bytes != r.run.bytes)
    out += entry("Bytes at the pins", fmt::format("{}, in whole bursts of {} bytes",
                                                  si(static_cast<double>(n.pin_bytes), "B"), c.burst_bytes()));
  const std::uint64_t accesses = s.row_hits + s.row_misses + s.row_conflicts;
  if (accesses > 0) {
    const auto share = [&](std::uint64_t count) {
      return fmt::format("{} ({})", count, percent(static_cast<double>(count) / static_cast<double>(accesses)));
    };
    out += entry("Row-buffer accesses", share(s.row_hits) + " hits, " + share(s.row_misses) + " misses, " +
                                            share(s.row_conflicts) + " conflicts");
  }
  out += entry("Refresh", "banks blocked for " + percent(n.refresh_share) + " of the time");
  for (int op = 0; op < 2; ++op)
    if (s.requests[op] > 0)
      out += entry(op == 0 ? "Read queue" : "Write queue",
                   fmt::format("mean {}, maximum {} of {} bursts", fixed(n.occupancy[op], 2), s.queue_peak[op],
                               c.queue_entries));
  if (s.requests[1] > 0)
    out += entry("Bus turnarounds", fmt::format("{}; writes were sent in {} batches", s.turnarounds, s.write_batches));
  out += entry("Energy",
               n.energy ? si(n.joules, "J") + " (" + si(n.per_bit, "J/bit") + ", mean power " + si(n.watts, "W") + ')'
                        : "not computed: the configuration states no currents (VDD, IDD0, ..., devices)");
  std::uint64_t passed = 0;
  const std::vector<CheckResult> checks = checks_of(r);
  for (const CheckResult& check : checks) passed += check.passed ? 1 : 0;
  out += entry("Checks", fmt::format("{} of {} passed", passed, checks.size()));
  out += entry("Source", c.source.empty() ? "none stated" : c.source);
  out += entry("Assumptions",
               fmt::format("{} assumed inputs, listed below with their reasons", r.channel.assumptions.size()));
}

}  // namespace

Ceiling ceiling_of(const dram::Config& c, std::uint64_t activates, std::uint64_t bursts, double cycles) {
  Ceiling out;
  if (c.refresh == dram::RefreshPolicy::kAllBank && c.ranks == 1) {
    // One may fall due in the run and come after it, others have been pulled in before it.
    const double certain = std::floor(cycles / c[Param::REFI]) - 1 - c.refresh_postpone - c.refresh_pull_in;
    if (certain > 0) out.refresh_share = certain * c[Param::RFC] / cycles;
  }
  out.activate_spacing_cycles = std::max<double>(c[Param::RRD_S], c[Param::FAW] / 4.0);
  // Four activates are followed by tFAW, the last ones of a run by nothing that the run waits for.
  const double spaced = std::max(0.0, static_cast<double>(activates) / c.units() - 4);
  out.activate_cycles = spaced * out.activate_spacing_cycles;
  out.bus_cycles = static_cast<double>(bursts) * c.burst_cycles() / c.pseudo_channels;
  out.share = 1 - out.refresh_share;
  if (out.activate_cycles > out.bus_cycles) out.share *= out.bus_cycles / out.activate_cycles;
  return out;
}

std::vector<CheckResult> checks_of(const DramResult& r) {
  std::vector<CheckResult> checks;
  for (const auto& [name, picojoules] : energy_classes(r.run.statistics.energy))
    checks.push_back({std::string("energy of ") + name, picojoules >= 0, 0, picojoules * 1e-12, "J", "at least"});
  const Numbers n = numbers_of(r);
  const double least = static_cast<double>(n.pin_bytes) / n.peak;
  checks.push_back(
      {"time >= bytes / peak bandwidth", n.seconds >= least * (1 - 1e-9), least, n.seconds, "s", "at least"});
  checks.push_back({"bandwidth <= what activates and refreshes leave", n.utilisation <= n.ceiling.share * (1 + 1e-9),
                    n.ceiling.share * n.peak, n.achieved, "B/s", "at most"});
  return checks;
}

void require_checks(const DramResult& r) {
  RunResult checked;
  checked.checks = checks_of(r);
  require_checks(checked);
}

std::string to_json(const DramResult& r) {
  const Numbers n = numbers_of(r);
  const dram::Config& c = r.channel.config;
  const dram::Statistics& s = r.run.statistics;
  const double cycle_s = c.tCK_ps * 1e-12;
  Json j;
  j["schema"] = kSchema;
  j["kind"] = "dram";
  j["config"] = c.name;
  j["standard"] = c.standard->name;
  j["description"] = c.description;
  j["source"] = c.source;
  j["complete"] = r.complete;
  j["simulated_seconds"] = n.seconds;
  j["simulated_cycles"] = r.run.last_done - r.run.first_offer;
  j["clock_ps"] = c.tCK_ps;
  j["wall_seconds"] = r.wall_seconds;

  Json& traffic = j["traffic"];
  traffic["kind"] = r.traffic;
  if (r.traffic == "trace") {
    traffic["file"] = r.trace_file;
    traffic["format"] = r.trace_format;
    traffic["wrapped"] = r.wrapped;
    if (r.inside_burst > 0) traffic["inside_burst"] = r.inside_burst;
  }
  traffic["requests"] = r.run.requests;
  traffic["bytes"] = r.run.bytes;
  for (int op = 0; op < 2; ++op) {
    traffic[std::string(kOps[op]) + "s"] = s.requests[op];
    traffic[std::string("bytes_") + (op == 0 ? "read" : "written")] = s.bytes[op];
  }
  traffic["request_bytes"] = r.request_bytes;
  if (r.window_bytes > 0) traffic["window_bytes"] = r.window_bytes;
  traffic["in_flight"] = r.in_flight;
  traffic["gap_cycles"] = r.gap_cycles;

  Json& bandwidth = j["bandwidth"];
  bandwidth["peak_bytes_per_s"] = n.peak;
  bandwidth["achieved_bytes_per_s"] = n.achieved;
  bandwidth["utilisation"] = n.utilisation;
  bandwidth["pin_bytes"] = n.pin_bytes;
  Json& ceiling = bandwidth["ceiling"];
  ceiling["utilisation"] = n.ceiling.share;
  ceiling["achieved_share"] = n.ceiling.share > 0 ? n.utilisation / n.ceiling.share : 0;
  ceiling["refresh_share"] = n.ceiling.refresh_share;
  ceiling["activate_spacing_cycles"] = n.ceiling.activate_spacing_cycles;
  ceiling["activate_cycles"] = n.ceiling.activate_cycles;
  ceiling["bus_cycles"] = n.ceiling.bus_cycles;

  for (int op = 0; op < 2; ++op) {
    j["latency"][std::string(kOps[op]) + "_s"] = distribution(s.latency[op], cycle_s);
    j["latency"][std::string(kOps[op]) + "_cycles"] = distribution(s.latency[op], 1);
  }
  j["row_hits"] = s.row_hits;
  j["row_misses"] = s.row_misses;
  j["row_conflicts"] = s.row_conflicts;
  j["row_hit_rate"] = n.hit_rate;
  const bool split = c.standard->split_activate;
  Json& commands = j["commands"] = Json::object();
  for (int i = 0; i < dram::kCmdCount; ++i)
    if (const std::uint64_t count = s.commands[static_cast<std::size_t>(i)]; count > 0)
      commands[dram::cmd_name(static_cast<Cmd>(i), split)] = count;
  j["turnarounds"] = s.turnarounds;
  j["write_batches"] = s.write_batches;
  j["refresh_share"] = n.refresh_share;
  for (int op = 0; op < 2; ++op) {
    j["queue_occupancy"][kOps[op]]["mean"] = n.occupancy[op];
    j["queue_occupancy"][kOps[op]]["max"] = s.queue_peak[op];
    j["queue_occupancy"][kOps[op]]["entries"] = c.queue_entries;
  }
  Json& energy = j["energy"];
  energy["modelled"] = n.energy;
  energy["total_j"] = n.joules;
  energy["per_bit_j"] = n.per_bit;
  energy["mean_power_w"] = n.watts;
  energy["components"] = Json::array();
  for (const auto& [name, picojoules] : energy_classes(s.energy))
    energy["components"].push_back({{"component", name}, {"joules", picojoules * 1e-12}});

  j["checks"] = Json::array();
  for (const CheckResult& check : checks_of(r))
    j["checks"].push_back({{"name", check.name},
                           {"passed", check.passed},
                           {"rule", check.rule},
                           {"expected", check.expected},
                           {"actual", check.actual},
                           {"unit", check.unit}});
  j["warnings"] = r.channel.warnings;
  j["assumptions"] = Json::array();
  for (const config::Assumption& a : r.channel.assumptions)
    j["assumptions"].push_back({{"key", a.key},
                                {"value", a.value},
                                {"unit", a.unit},
                                {"meaning", a.meaning},
                                {"source", a.source},
                                {"given_at", a.given_at}});
  j["provenance"]["version"] = r.version;
  j["provenance"]["config"] = r.config_name;
  for (const auto& [key, value] : dram::describe(c)) j["provenance"]["resolved"][key] = value;
  return j.dump(2) + '\n';
}

std::string summary(const DramResult& r) {
  const Numbers n = numbers_of(r);
  const dram::Config& c = r.channel.config;
  const dram::Statistics& s = r.run.statistics;
  std::string out = "DRAM channel: " + c.name + '\n';
  overview(out, r, n);

  const auto ns = [&](dram::Cycle cycles) { return fixed(static_cast<double>(cycles) * c.tCK_ps * 1e-3, 1); };
  std::vector<std::vector<std::string>> rows = {{"request", "count", "mean", "min", "p50", "p95", "p99", "max"}};
  for (int op = 0; op < 2; ++op) {
    const dram::Histogram& h = s.latency[op];
    if (h.count() == 0) continue;
    rows.push_back({kOps[op], std::to_string(h.count()), fixed(h.mean() * c.tCK_ps * 1e-3, 1), ns(h.min()),
                    ns(h.percentile(0.5)), ns(h.percentile(0.95)), ns(h.percentile(0.99)), ns(h.max())});
  }
  out += "\nLatency in ns, from the moment a request is offered to its last data beat\n" + table(rows, "  ");

  std::vector<std::vector<std::string>> commands = {{"command", "count"}};
  const bool split = c.standard->split_activate;
  for (int i = 0; i < dram::kCmdCount; ++i)
    if (const std::uint64_t count = s.commands[static_cast<std::size_t>(i)]; count > 0)
      commands.push_back({dram::cmd_name(static_cast<Cmd>(i), split), std::to_string(count)});
  out += "\nCommands issued\n" + table(commands, "  ");

  if (n.energy) {
    std::vector<std::vector<std::string>> classes = {{"component", "energy", "share"}};
    for (const auto& [name, picojoules] : energy_classes(s.energy))
      if (picojoules != 0)
        classes.push_back({name, si(picojoules * 1e-12, "J"), percent(picojoules * 1e-12 / n.joules)});
    out += "\nEnergy\n" + table(classes, "  ");
  }
  if (!r.channel.warnings.empty()) out += '\n';
  for (const std::string& w : r.channel.warnings) out += "warning: " + w + '\n';
  std::vector<std::vector<std::string>> assumed = {{"key", "value", "reason"}};
  for (const config::Assumption& a : r.channel.assumptions)
    assumed.push_back({a.key, a.unit.empty() ? a.value : a.value + ' ' + a.unit, a.source});
  if (assumed.size() > 1) out += "\nAssumed inputs\n" + table(assumed, "  ");
  return out;
}

}  // namespace harmonia::testbench
