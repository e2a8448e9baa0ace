#include "harmonia/testbench/runs/checks.h"

#include <algorithm>
#include <numeric>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/results/figure_checks.h"

namespace harmonia::testbench {

/// What is summed in another order differs by rounding.
static constexpr double kRounding = 1e-9;

CheckResult check_equal(const std::string& name, double expected, double actual, const std::string& unit) {
  return {name, actual == expected, expected, actual, unit, "equal"};
}

CheckResult check_at_least(const std::string& name, double expected, double actual, const std::string& unit) {
  return {name, actual >= expected - kRounding * expected, expected, actual, unit, "at least"};
}

std::vector<CheckResult> conservation_checks(const Totals& t) {
  std::vector<CheckResult> checks;
  for (std::size_t i = 0; i < kTrafficClasses; ++i)
    checks.push_back(check_equal(std::string("bytes of ") + traffic_name(i) + " = external-access formula",
                                 t.expected_bytes[i], t.bytes_of(i), "bytes"));
  checks.push_back(check_equal("multiply-accumulates = model shapes", t.expected_macs, t.macs, "MACs"));
  checks.push_back(
      check_equal("group operations of the array = formula", t.expected_slots, t.slots, "32-MAC operations"));
  if (t.expected_reduced_values > 0)
    checks.push_back(check_equal("values reduced between devices = model shapes", t.expected_reduced_values,
                                 t.reduced_values, "values"));
  double requests = 0, responses = 0;
  for (const ChannelTotals& c : t.channels) {
    requests += c.requests;
    responses += c.responses;
  }
  checks.push_back(check_equal("requests issued = answered", requests, responses, "requests"));
  return checks;
}

namespace {

double groups_per_s(const accelerator::AcceleratorConfig& config) {
  const pe::Config& pe = config.pe;
  const double cycles_per_group = std::min(pe.linear_cycles_per_group(), pe.attention_cycles_per_group);
  return static_cast<double>(pe.rows) * pe.cols * config.clock_mhz * 1e6 / cycles_per_group;
}

}  // namespace

std::vector<CheckResult> bound_checks(const std::string& of, const Totals& t, double seconds,
                                      const accelerator::AcceleratorConfig& config, double peak_bytes_per_s) {
  return {check_at_least(of + "time >= bytes / peak bandwidth", t.pin_bytes() / peak_bytes_per_s, seconds, "s"),
          check_at_least(of + "time >= group operations / peak rate", t.slots / groups_per_s(config), seconds, "s")};
}

double bytes_in_flight(const accelerator::AcceleratorConfig& config) {
  const dram::Config channel = accelerator::channel_config(config);
  const double queues = 2.0 * channel.queue_entries * channel.burst_bytes() * config.dram.channels;
  return queues + static_cast<double>(config.weight_buffer.capacity_bytes + config.kv_buffer.capacity_bytes +
                                      config.activation_buffer.capacity_bytes);
}

std::vector<CheckResult> class_checks(const std::string& of, const Totals& t,
                                      const accelerator::AcceleratorConfig& config, double peak_bytes_per_s) {
  std::vector<CheckResult> checks = {check_at_least(of + "every count >= 0", 0, t.least_count(), "")};
  checks.push_back(
      check_close(of + "times of the classes = time of the steps", t.seconds(), t.elapsed_ps() * 1e-12, "s"));
  const double in_flight = bytes_in_flight(config);
  for (std::size_t i = 0; i < t.classes.size(); ++i) {
    const ClassTotals& c = t.classes[i];
    if (c.tiles <= 0) continue;  // nothing of it is on the array, whose time line the classes share
    const std::string name = of + "time of " + accelerator::name_of(static_cast<accelerator::OperationClass>(i));
    const double seconds = c.elapsed_ps * 1e-12, rounded = c.turns * 1e-12;  // a turn begins and ends at whole ps
    const double operations =
        std::max(c.compute_cycles / (config.clock_mhz * 1e6) - rounded, c.macs / 32 / groups_per_s(config));
    checks.push_back(check_at_least(name + " >= its operations / peak rate", operations, seconds, "s"));
    const double bytes = std::max(0.0, c.bytes - c.turns * in_flight);
    checks.push_back(check_at_least(name + " >= its bytes beyond those on chip / peak bandwidth",
                                    bytes / peak_bytes_per_s, seconds, "s"));
  }
  return checks;
}

StepBounds::StepBounds(const accelerator::AcceleratorConfig& config, double peak_bytes_per_s)
    : groups_per_s_(groups_per_s(config)), bytes_per_s_(peak_bytes_per_s) {}

void StepBounds::add(const Totals& t, double seconds) {
  const double bytes = std::accumulate(t.expected_bytes.begin(), t.expected_bytes.end(), 0.0);
  const double least = std::max(bytes / bytes_per_s_, t.expected_slots / groups_per_s_);
  // The smallest ratio of time to least time, without dividing by a least time of 0.
  if (any_ && seconds * worst_least_ >= worst_seconds_ * least) return;
  worst_least_ = least;
  worst_seconds_ = seconds;
  any_ = true;
}

std::vector<CheckResult> StepBounds::checks() const {
  if (!any_) return {};
  return {check_at_least("every step: time >= bytes / peak bandwidth and operations / peak rate", worst_least_,
                         worst_seconds_, "s")};
}

}  // namespace harmonia::testbench
