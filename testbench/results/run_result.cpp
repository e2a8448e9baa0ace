#include "harmonia/testbench/results/run_result.h"

#include <algorithm>
#include <cmath>

#include "harmonia/config/error.h"
#include "harmonia/testbench/results/figures.h"

namespace harmonia::testbench {
namespace {

/// Shares come from integer counts of cycles; more than rounding means that some time was lost or counted twice.
void require_whole(const UnitResult& u) {
  double sum = u.busy;
  for (const StallShare& s : u.stalled) sum += s.share;
  if (!(std::fabs(sum - 1) < 1e-9))
    throw config::RunError("result: the shares of unit " + u.name + " add up to " + std::to_string(sum) +
                           ", expected 1");
}

/// A line of bandwidth.csv.
struct BandwidthRow {
  double start_s = 0;
  int channel = 0;
  std::size_t traffic = 0;
  std::uint64_t bytes = 0;
  double bytes_per_s = 0;
};

const Record<BandwidthRow>& bandwidth_row_figures() {
  using B = BandwidthRow;
  static const Record<B> record =
      Record<B>()
          .value({"start_s", "start", "s", "of the interval"}, &B::start_s)
          .value({"channel", "channel", "", "number of the DRAM channel, from 0"}, &B::channel)
          .value({"class", "traffic class", "", "as in bandwidth.bytes_by_class"},
                 [](const B& b) { return std::string(traffic_name(b.traffic)); })
          .value({"bytes", "bytes", "B", "at the pins, as whole bursts", Adds::sum}, &B::bytes)
          .value({"bytes_per_s", "bandwidth", "B/s", "over the part of the interval that the run has", Adds::mean},
                 &B::bytes_per_s);
  return record;
}

}  // namespace

std::uint64_t total(const BytesByClass& bytes) {
  std::uint64_t sum = 0;
  for (const std::uint64_t b : bytes) sum += b;
  return sum;
}

std::string bound_of(const OperationResult& p) {
  const std::pair<double, const char*> times[] = {{p.memory_s, "memory"},   {p.decode_s, "decode"},
                                                  {p.compute_s, "compute"}, {p.vector_s, "vector"},
                                                  {p.buffer_s, "buffer"},   {p.interconnect_s, "interconnect"}};
  return std::max_element(std::begin(times), std::end(times),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

std::vector<LimitShare> limits_of(const std::vector<OperationResult>& operations, double seconds) {
  std::vector<LimitShare> limits = {{"memory", 0, 0}, {"decode", 0, 0},       {"compute", 0, 0}, {"vector", 0, 0},
                                    {"buffer", 0, 0}, {"interconnect", 0, 0}, {"link", 0, 0},    {"bubble", 0, 0}};
  double whole = 0;
  for (const OperationResult& p : operations)
    for (LimitShare& l : limits)
      if (p.bound == l.limit) {
        l.seconds += p.simulated_s;
        whole += p.simulated_s;
      }
  // Sums in another order differ by rounding, which is no idle time.
  const double idle = seconds - whole > 1e-9 * seconds ? seconds - whole : 0;
  limits.push_back({"idle", idle, 0});
  limits.erase(std::remove_if(limits.begin(), limits.end(), [](const LimitShare& l) { return l.seconds <= 0; }),
               limits.end());
  for (LimitShare& l : limits) l.share = l.seconds / (whole + idle);
  std::stable_sort(limits.begin(), limits.end(),
                   [](const LimitShare& a, const LimitShare& b) { return a.seconds > b.seconds; });
  return limits;
}

std::string bound_of(const std::vector<LimitShare>& limits) {
  for (const LimitShare& l : limits)
    if (l.limit != "idle") return l.limit;
  return "none";
}

std::string to_json(const RunResult& r) {
  for (const UnitResult& u : r.units) require_whole(u);
  // Names from files may hold anything; a result must be valid JSON all the same.
  return run_figures().json(r).dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string bandwidth_csv(const RunResult& r) {
  std::vector<BandwidthRow> rows;
  for (const BandwidthSample& s : r.bandwidth_series) {
    // The run ends within the last interval. What is left of one when an end falls on an edge is rounding.
    const double left = r.simulated_seconds - s.start_s;
    const double length =
        left > 0.01 * r.bandwidth_interval_s ? std::min(left, r.bandwidth_interval_s) : r.bandwidth_interval_s;
    for (std::size_t c = 0; c < kTrafficClasses; ++c)
      rows.push_back({s.start_s, s.channel, c, s.bytes[c], length > 0 ? static_cast<double>(s.bytes[c]) / length : 0});
  }
  return bandwidth_row_figures().csv(rows);
}

std::string requests_csv(const RunResult& r) { return r.requests.empty() ? "" : request_figures().csv(r.requests); }

void require_checks(const RunResult& r) {
  for (const CheckResult& c : r.checks)
    if (!c.passed)
      throw config::RunError("check '" + c.name + "' failed: " + exact(c.actual) + ' ' + c.unit + ", expected " +
                             (c.rule.empty() ? "" : c.rule + ' ') + exact(c.expected));
}

}  // namespace harmonia::testbench
