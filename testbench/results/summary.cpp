#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "harmonia/testbench/results/figures.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {
namespace {

std::string counted(std::uint64_t n, const std::string& one) {
  return fmt::format("{} {}{}", n, one, (n == 1 ? "" : "s"));
}

std::string distribution_text(const Distribution& d) {
  std::string text = si(d.mean, "s");
  if (d.count > 1 && d.min != d.max)
    text += " (p50 " + si(d.p50, "s") + ", p95 " + si(d.p95, "s") + ", p99 " + si(d.p99, "s") + ")";
  return text;
}

/// Of a figure, by its place in result.json; nothing where none is stated.
std::string estimated_error(const RunResult& r, const std::string& figure) {
  for (const EstimatedError& e : r.fidelity.estimated_errors)
    if (e.figure == figure) return percent(e.error);
  return {};
}

std::string with_error(const RunResult& r, const std::string& figure) {
  const std::string error = estimated_error(r, figure);
  return error.empty() ? error : ", estimated error " + error;
}

const char* per_token(const RunResult& r) { return r.output_tokens > 0 ? "per output token" : "per prompt token"; }

/// How much of the resource that limits the run is used: the time that the work of all operations would take on it alone,
/// as a share of the whole. The rest is refresh and turnarounds of the DRAM, latency, tiles that wait for each other, and
/// what other resources bound.
std::string share_of_peak(const RunResult& r) {
  struct Resource {
    const char* bound;
    double OperationResult::*least;
    const char* peak;
  };
  static constexpr Resource resources[] = {
      {"memory", &OperationResult::memory_s, "peak DRAM bandwidth"},
      {"decode", &OperationResult::decode_s, "the peak rate of the weight decoder"},
      {"compute", &OperationResult::compute_s, "the peak rate of the PE array"},
      {"vector", &OperationResult::vector_s, "the peak rate of the vector unit"},
      {"buffer", &OperationResult::buffer_s, "the peak bandwidth of the weight and KV buffer ports"},
      {"interconnect", &OperationResult::interconnect_s, "the peak rate of DMA requests"}};
  for (const Resource& resource : resources) {
    if (r.bound != resource.bound || r.simulated_seconds <= 0) continue;
    double seconds = 0;
    for (const OperationResult& p : r.operations) seconds += p.*resource.least;
    return " (" + percent(seconds / r.simulated_seconds) + " of " + resource.peak + ')';
  }
  return {};
}

std::string bound_text(const RunResult& r) {
  if (r.limits.empty() || r.bound == "none") return "none: no step was complete";
  return r.bound + share_of_peak(r) +
         (r.limits.front().share < 0.5 ? "; no single resource bounds half of the time" : "");
}

/// Every resource with the share of the time of the operations that it bounds.
std::string limits_text(const RunResult& r) {
  std::string text;
  for (const LimitShare& l : r.limits) text += (text.empty() ? "" : ", ") + l.limit + ' ' + percent(l.share);
  return text;
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string tokens_text(const RunResult& r) {
  std::string what;
  if (r.prompt_tokens > 0) what += counted(r.prompt_tokens, "prompt token");
  if (r.prompt_tokens > 0 && r.output_tokens > 0) what += ", ";
  if (r.output_tokens > 0) what += counted(r.output_tokens, "output token");
  return what + (what.empty() ? "" : " in ") + counted(r.steps, "step");
}

void time_and_latency(std::string& out, const RunResult& r) {
  out += entry("Simulated time", si(r.simulated_seconds, "s") + with_error(r, "simulated_seconds"));
  if (r.output_tokens > 0) out += entry("Throughput", si(r.output_tokens_per_s, "token/s"));
  const LatencyResult& l = r.latency;
  const auto latency = [&](const char* key, const Distribution& d) {
    if (d.count > 0)
      out += entry(capital(latency_figures().title(key)),
                   distribution_text(d) + with_error(r, std::string("latency.") + key));
  };
  latency("time_to_first_token_s", l.time_to_first_token_s);
  latency("time_per_output_token_s", l.time_per_output_token_s);
  latency("end_to_end_s", l.end_to_end_s);
}

void serving(std::string& out, const ServingResult& v) {
  if (v.requests == 0) return;
  out += entry("Requests", fmt::format("{} of {} completed, {} refused", v.completed, v.requests, v.refused));
  out += entry("Requests in flight", fmt::format("mean {:.1f}, maximum {}", v.running_mean, v.running_max));
  out += entry("Requests waiting", fmt::format("mean {:.1f}, maximum {}", v.waiting_mean, v.waiting_max));
}

void mixture(std::string& out, const MixtureResult& m) {
  if (m.layers == 0) return;
  out += entry(
      "Experts read",
      fmt::format("{:.1f} per mixture layer and step; weights {} per token ({} if only one token's experts were read, "
                  "{} if all were)",
                  m.experts_read, si(m.bytes_per_token, "B"), si(m.dense_bytes_per_token, "B"),
                  si(m.all_bytes_per_token, "B")));
}

void devices(std::string& out, const DevicesResult& d) {
  if (d.tensor * d.pipeline <= 1) return;
  if (d.tensor > 1)
    out += entry("Devices",
                 fmt::format("{} {}{}, {} simulated; {} by {} over {}", d.tensor,
                             d.experts_mean > 0 ? "devices, equal but for their experts" : "identical devices",
                             d.pipeline > 1 ? " in each stage" : "",
                             d.simulated != 1 && d.pipeline == 1 ? "all of them"
                             : d.experts_mean > 0                ? "of each layer the busiest one"
                                                                 : "one of them",
                             counted(static_cast<std::uint64_t>(d.all_reduces), "all-reduce"), d.algorithm, d.link));
  if (d.experts_mean > 0)
    out += entry("Placed experts",
                 fmt::format("{:.1f} of a layer and step read by the mean device, {:.1f} by the one with "
                             "the most, for which the others wait",
                             d.experts_mean, d.experts_most));
  if (d.pipeline > 1 && !d.stages.empty()) {
    const auto fewest = d.stages.back().layers, most = d.stages.front().layers;
    out += entry(
        "Pipeline",
        fmt::format("{} stages of {}, {} micro-batch{} under way over {}; a device waits {} of the time for "
                    "other stages; figures are of the mean device",
                    d.pipeline, fewest == most ? counted(most, "layer") : fmt::format("{} to {} layers", fewest, most),
                    d.micro_batches, d.micro_batches == 1 ? "" : "es", d.link, percent(d.bubble_share)));
  }
  out += entry("Link traffic", si(d.link_bytes_per_token, "B") + " per token over all devices");
  out += entry("Energy of all devices", si(d.per_token_j, "J") + " per token");
}

/// The largest estimated error of a sampled run, and the figure of result.json that it is of.
std::string largest_error(const FidelityResult& f) {
  std::string text = percent(f.error_estimate);
  const auto worst = std::find_if(f.estimated_errors.begin(), f.estimated_errors.end(),
                                  [&](const EstimatedError& e) { return e.error == f.error_estimate; });
  if (worst != f.estimated_errors.end()) text += " in " + worst->figure;
  return text;
}

void trust(std::string& out, const RunResult& r) {
  std::string simulated = "full: every transaction simulated";
  if (r.fidelity.mode == "sampled")
    simulated =
        fmt::format("sampled: {} of {} and {} of {} simulated; largest estimated error {}", r.fidelity.layers_simulated,
                    counted(r.fidelity.layers_total, "layer"), r.fidelity.steps_simulated,
                    counted(r.fidelity.steps_total, "step"), largest_error(r.fidelity));
  out += entry("Fidelity", fmt::format("{} (timing: {}, data: {})", simulated, r.fidelity.timing, r.fidelity.data));
  std::uint64_t passed = 0;
  for (const CheckResult& c : r.checks) passed += c.passed ? 1 : 0;
  out += entry("Checks", fmt::format("{} of {} passed", passed, r.checks.size()));
  out += entry("Assumptions", fmt::format("{}, listed with their reasons in result.json",
                                          counted(r.assumptions.size(), "assumed input")));
}

void overview(std::string& out, const RunResult& r) {
  out += entry("Model", r.model);
  out += entry("Accelerator", r.accelerator);
  out += entry("Workload", tokens_text(r));
  if (!r.complete) out += entry("Status", "interrupted: the figures cover what was complete");
  time_and_latency(out, r);
  serving(out, r.serving);
  mixture(out, r.mixture);
  devices(out, r.devices);
  out += entry("Bound by", bound_text(r));
  if (!r.limits.empty()) out += entry("Time by bound", limits_text(r));
  out +=
      entry("DRAM utilisation", percent(r.bandwidth.utilisation) + " (" + si(r.bandwidth.achieved_bytes_per_s, "B/s") +
                                    " of " + si(r.bandwidth.peak_bytes_per_s, "B/s") + ')');
  trust(out, r);
}

void operations(std::string& out, const RunResult& r) {
  if (r.operations.empty()) return;
  const Record<OperationResult>& record = operation_figures();
  const char* keys[] = {"name",      "count",    "bytes",    "simulated_s",    "",     "memory_s", "decode_s",
                        "compute_s", "vector_s", "buffer_s", "interconnect_s", "bound"};
  const double all = record.over("simulated_s", r.operations);
  const bool errors = !r.fidelity.estimated_errors.empty();
  std::vector<std::vector<std::string>> rows(1);
  for (const std::string key : keys) rows[0].push_back(key.empty() ? "share" : record.title(key));
  if (errors) rows[0].emplace_back("time's estimated error");
  for (const OperationResult& p : r.operations) {
    rows.emplace_back();
    for (const std::string key : keys)
      rows.back().push_back(key.empty() ? percent(all > 0 ? p.simulated_s / all : 0) : record.cell(key, p));
    if (errors) rows.back().push_back(estimated_error(r, "operations[" + p.name + "].simulated_s"));
  }
  out +=
      "\nTime by operation (the columns memory to interconnect give the minimum time on each resource alone; it can "
      "exceed\nthe operation's own time, since its work begins during the operation before)\n" +
      table(rows, "  ");
}

void traffic(std::string& out, const RunResult& r) {
  const std::uint64_t tokens = counted_tokens(r);
  const std::uint64_t all = total(r.bandwidth.bytes_by_class);
  if (all == 0 || tokens == 0) return;
  std::vector<std::vector<std::string>> rows = {{"traffic", "bytes", "share", per_token(r)}};
  for (std::size_t c = 0; c < kTrafficClasses; ++c) {
    const auto bytes = static_cast<double>(r.bandwidth.bytes_by_class[c]);
    rows.push_back({traffic_name(c), traffic_figures().cell(traffic_name(c), r.bandwidth.bytes_by_class),
                    percent(bytes / static_cast<double>(all)), si(bytes / static_cast<double>(tokens), "B")});
  }
  const std::uint64_t pins = total(r.bandwidth.pin_bytes_by_class);
  out += "\nDRAM traffic";
  if (pins != 0) out += " (in whole bursts at the pins: " + si(static_cast<double>(pins), "B") + ')';
  out += '\n' + table(rows, "  ");
}

void units(std::string& out, const RunResult& r) {
  if (r.units.empty()) return;
  std::vector<std::string> causes;
  for (const UnitResult& u : r.units)
    for (const StallShare& s : u.stalled)
      if (std::find(causes.begin(), causes.end(), s.cause) == causes.end()) causes.push_back(s.cause);
  std::vector<std::vector<std::string>> rows = {{unit_figures().title("name"), unit_figures().title("busy")}};
  for (std::string cause : causes) {
    std::replace(cause.begin(), cause.end(), '_', ' ');
    rows[0].push_back("stalled: " + cause);
  }
  for (const UnitResult& u : r.units) {
    std::vector<std::string> row = {u.name, percent(u.busy)};
    for (const std::string& cause : causes) {
      const auto at =
          std::find_if(u.stalled.begin(), u.stalled.end(), [&](const StallShare& s) { return s.cause == cause; });
      row.push_back(at == u.stalled.end() ? "-" : percent(at->share));
    }
    rows.push_back(row);
  }
  out += "\nUtilisation and stalls of each unit (shares of the simulated time)\n" + table(rows, "  ");
}

void channels(std::string& out, const RunResult& r) {
  if (r.channels.empty()) return;
  const Record<ChannelResult>& record = channel_figures();
  const auto over = [&](const char* key) { return record.over(key, r.channels); };
  const double hits = over("row_hits"), misses = over("row_misses"), conflicts = over("row_conflicts");
  const double accesses = hits + misses + conflicts;
  out += "\nDRAM, " + counted(r.channels.size(), "channel") + ": ";
  if (accesses > 0)
    out += "row hits " + percent(hits / accesses) + ", misses " + percent(misses / accesses) + ", conflicts " +
           percent(conflicts / accesses) + "; ";
  char mean_queue[32];
  std::snprintf(mean_queue, sizeof mean_queue, "%.1f", over("queue_occupancy_mean"));
  double p99 = 0;
  for (const ChannelResult& c : r.channels) p99 = std::max(p99, c.read_latency_s.p99);
  out += "refresh " + percent(over("refresh_share")) + " of the time; " + mean_queue +
         " requests queued on average; p99 read latency of the slowest channel " + si(p99, "s") + '\n';
}

template <class Part>
double sum_of(const std::vector<Part>& parts, double Part::*value) {
  double sum = 0;
  for (const Part& p : parts) sum += p.*value;
  return sum;
}

void energy_and_area(std::string& out, const RunResult& r) {
  if (!r.energy.components.empty()) {
    const Record<ComponentEnergy>& record = energy_figures();
    std::vector<std::vector<std::string>> rows = {{record.title("component"), record.title("joules"), "share"}};
    for (const ComponentEnergy& e : r.energy.components)
      rows.push_back(
          {e.component, record.cell("joules", e), percent(r.energy.total_j > 0 ? e.joules / r.energy.total_j : 0)});
    out += "\nEnergy: " + si(r.energy.total_j, "J") + ", " + si(r.energy.per_token_j, "J") + ' ' + per_token(r) +
           with_error(r, "energy.total_j") + '\n' + table(rows, "  ");
    if (!r.energy.source.empty())
      out += "  by published figures " + si(sum_of(r.energy.published, &ComponentEnergy::joules), "J") +
             ", by figures measured on RTL " + si(sum_of(r.energy.measured, &ComponentEnergy::joules), "J") +
             "; counted: " + r.energy.source + '\n';
  }
  if (!r.area.components.empty()) {
    const Record<ComponentArea>& record = area_figures();
    std::vector<std::vector<std::string>> rows = {{record.title("component"), record.title("mm2")}};
    for (const ComponentArea& a : r.area.components) rows.push_back({a.component, record.cell("mm2", a)});
    out += "\nArea: " + shown("mm2", r.area.total_mm2) + " mm2 without DRAM\n" + table(rows, "  ");
    if (!r.area.source.empty())
      out += "  by published figures " + shown("mm2", sum_of(r.area.published, &ComponentArea::mm2)) +
             " mm2, by synthesis of RTL " + shown("mm2", sum_of(r.area.measured, &ComponentArea::mm2)) +
             " mm2; counted: " + r.area.source + '\n';
  }
}

}  // namespace

std::string summary(const RunResult& r) {
  std::string out = "Scenario: " + r.provenance.scenario + "\n";
  overview(out, r);
  operations(out, r);
  traffic(out, r);
  units(out, r);
  channels(out, r);
  energy_and_area(out, r);
  for (const CheckResult& c : r.checks)
    if (!c.passed)
      out += "\nFAILED: check '" + c.name + "': " + si(c.actual, c.unit, 6) + ", expected " + c.rule + ' ' +
             si(c.expected, c.unit, 6) + '\n';
  if (!r.notices.empty()) out += '\n';
  for (const std::string& n : r.notices) out += "Note: " + n + '\n';
  return out;
}

}  // namespace harmonia::testbench
