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

/// What the resource that limits the run would take of it alone, with the work of all operations. The rest is refresh
/// and turnarounds of the DRAM, latency, tiles that wait for each other, and what other resources bound.
std::string alone(const RunResult& r) {
  if (r.simulated_seconds <= 0) return {};
  const auto sum = [&r](double OperationResult::*least) {
    double seconds = 0;
    for (const OperationResult& p : r.operations) seconds += p.*least;
    return percent(seconds / r.simulated_seconds);
  };
  if (r.bound == "memory") return "all bytes at peak bandwidth alone would take " + sum(&OperationResult::memory_s);
  if (r.bound == "decode")
    return "expanding all weights at the decoder's rate alone would take " + sum(&OperationResult::decode_s);
  if (r.bound == "compute") return "all work on the PE array alone would take " + sum(&OperationResult::compute_s);
  if (r.bound == "buffer")
    return "all bytes through the ports of the weight and the KV buffer alone would take " +
           sum(&OperationResult::buffer_s);
  if (r.bound == "interconnect")
    return "asking for all bytes, one DMA transaction after the other, would take " +
           sum(&OperationResult::interconnect_s);
  return "all work on the vector unit alone would take " + sum(&OperationResult::vector_s);
}

/// One sentence that is true whichever limit has the most: every share is named.
std::string limit_text(const RunResult& r) {
  if (r.limits.empty() || r.bound == "none") return "none: no step was complete";
  std::string text;
  for (const LimitShare& l : r.limits) text += (text.empty() ? "" : ", ") + l.limit + ' ' + percent(l.share);
  return (r.limits.front().share < 0.5 ? "no single one: " : "") + text +
         " of the time, by what bounds the operations in it; " + alone(r) + " of the time";
}

void overview(std::string& out, const RunResult& r) {
  std::string what = r.model + " on " + r.accelerator + ": ";
  if (r.prompt_tokens > 0) what += counted(r.prompt_tokens, "prompt token");
  if (r.prompt_tokens > 0 && r.output_tokens > 0) what += ", ";
  if (r.output_tokens > 0) what += counted(r.output_tokens, "output token");
  what += (r.prompt_tokens + r.output_tokens > 0 ? " in " : "") + counted(r.steps, "step");
  out += "What     " + what + "\n";
  if (!r.complete) out += "         stopped before the end; this is what was complete\n";

  out += "Fast     " + si(r.simulated_seconds, "s") + " of simulated time";
  if (r.output_tokens > 0) out += ", " + si(r.output_tokens_per_s, "token/s");
  out += with_error(r, "simulated_seconds") + '\n';
  const LatencyResult& l = r.latency;
  const auto latency = [&](const char* key, const Distribution& d) {
    if (d.count == 0) return;
    std::string title = latency_figures().title(key);
    title.resize(std::max<std::size_t>(title.size(), 21), ' ');
    out += "         " + title + ' ' + distribution_text(d) + with_error(r, std::string("latency.") + key) + '\n';
  };
  latency("time_to_first_token_s", l.time_to_first_token_s);
  latency("time_per_output_token_s", l.time_per_output_token_s);
  latency("end_to_end_s", l.end_to_end_s);

  if (r.serving.requests > 0) {
    const ServingResult& v = r.serving;
    char text[256];
    std::snprintf(text, sizeof text,
                  "         %llu of %s served, %llu refused; in flight %.1f on average, %llu at most; waiting %.1f on "
                  "average, %llu at most\n",
                  static_cast<unsigned long long>(v.completed), counted(v.requests, "request").c_str(),
                  static_cast<unsigned long long>(v.refused), v.running_mean,
                  static_cast<unsigned long long>(v.running_max), v.waiting_mean,
                  static_cast<unsigned long long>(v.waiting_max));
    out += text;
  }

  if (r.mixture.layers > 0) {
    const MixtureResult& m = r.mixture;
    char text[64];
    std::snprintf(text, sizeof text, "%.1f", m.experts_read);
    out += std::string("Experts  ") + text + " of each mixture layer read in a step; weights of " +
           si(m.bytes_per_token, "B") + " a token, " + si(m.dense_bytes_per_token, "B") +
           " with the experts of one token alone, " + si(m.all_bytes_per_token, "B") + " with all\n";
  }

  if (r.devices.tensor > 1) {
    const DevicesResult& d = r.devices;
    out += fmt::format(
        "Devices  {} equal ones, {} simulated; {} by {} over {}: {} sent a token by all; {} a token with all "
        "devices\n",
        d.tensor, d.simulated == 1 ? "one" : "all", counted(static_cast<std::uint64_t>(d.all_reduces), "all-reduce"),
        d.algorithm, d.link, si(d.link_bytes_per_token, "B"), si(d.per_token_j, "J"));
  }

  out += "Limit    " + limit_text(r);
  out += "\n         DRAM moved " + si(r.bandwidth.achieved_bytes_per_s, "B/s") + " of " +
         si(r.bandwidth.peak_bytes_per_s, "B/s") + " (" + percent(r.bandwidth.utilisation) + ")\n";

  std::uint64_t passed = 0;
  for (const CheckResult& c : r.checks) passed += c.passed ? 1 : 0;
  out += "Sure     ";
  if (r.fidelity.mode == "sampled") {
    out +=
        fmt::format("sampled: {} of {} and {} of {} simulated; estimated error {}, the largest of the figures",
                    r.fidelity.layers_simulated, counted(r.fidelity.layers_total, "layer"), r.fidelity.steps_simulated,
                    counted(r.fidelity.steps_total, "step"), percent(r.fidelity.error_estimate));
  } else {
    out += "every transaction was simulated";
  }
  out +=
      fmt::format(" ({}, {})\n         {} of {} passed; {} assumed, listed in result.json\n", r.fidelity.timing,
                  r.fidelity.data, passed, counted(r.checks.size(), "check"), counted(r.assumptions.size(), "input"));
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
      "\nWhere the time goes (memory to interconnect are each resource's least time alone; it may be more than the\n"
      "operation's own time, since work begins during the operation before)\n" +
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
  out += "\nBytes of the DRAM";
  if (pins != 0) out += " (at its pins " + si(static_cast<double>(pins), "B") + ": whole bursts)";
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
    rows[0].push_back(cause);
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
  out += "\nWhat each unit did (shares of the simulated time)\n" + table(rows, "  ");
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
         " requests queued on average; slowest channel's read p99 " + si(p99, "s") + '\n';
}

void energy_and_area(std::string& out, const RunResult& r) {
  if (!r.energy.components.empty()) {
    const Record<ComponentEnergy>& record = energy_figures();
    std::vector<std::vector<std::string>> rows = {{record.title("component"), record.title("joules"), "share"}};
    for (const ComponentEnergy& e : r.energy.components)
      rows.push_back(
          {e.component, record.cell("joules", e), percent(r.energy.total_j > 0 ? e.joules / r.energy.total_j : 0)});
    out += "\nEnergy " + si(r.energy.total_j, "J") + ", " + si(r.energy.per_token_j, "J") + ' ' + per_token(r) +
           with_error(r, "energy.total_j") + '\n' + table(rows, "  ");
  }
  if (!r.area.components.empty()) {
    const Record<ComponentArea>& record = area_figures();
    std::vector<std::vector<std::string>> rows = {{record.title("component"), record.title("mm2")}};
    for (const ComponentArea& a : r.area.components) rows.push_back({a.component, record.cell("mm2", a)});
    out += "\nArea " + shown("mm2", r.area.total_mm2) + " mm2 without DRAM\n" + table(rows, "  ");
  }
}

}  // namespace

std::string summary(const RunResult& r) {
  std::string out = "Scenario " + r.provenance.scenario + "\n\n";
  overview(out, r);
  operations(out, r);
  traffic(out, r);
  units(out, r);
  channels(out, r);
  energy_and_area(out, r);
  for (const CheckResult& c : r.checks)
    if (!c.passed)
      out += "\nFAILED   " + c.name + ": " + si(c.actual, c.unit, 6) + ", expected " + c.rule + ' ' +
             si(c.expected, c.unit, 6) + '\n';
  if (!r.notices.empty()) out += '\n';
  for (const std::string& n : r.notices) out += "Note     " + n + '\n';
  return out;
}

}  // namespace harmonia::testbench
