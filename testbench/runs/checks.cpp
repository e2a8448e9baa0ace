#include "harmonia/testbench/runs/checks.h"

#include <algorithm>

namespace harmonia::testbench {

CheckResult check_equal(const std::string& name, double expected, double actual, const std::string& unit) {
  return {name, actual == expected, expected, actual, unit, "equal"};
}

CheckResult check_at_least(const std::string& name, double expected, double actual, const std::string& unit) {
  return {name, actual >= expected, expected, actual, unit, "at least"};
}

std::vector<CheckResult> conservation_checks(const Totals& t) {
  std::vector<CheckResult> checks;
  for (std::size_t i = 0; i < kTrafficClasses; ++i)
    checks.push_back(check_equal(std::string("bytes of ") + traffic_name(i) + " = external-access formula",
                                 t.expected_bytes[i], t.bytes_of(i), "bytes"));
  checks.push_back(check_equal("multiply-accumulates = model shapes", t.expected_macs, t.macs, "MACs"));
  checks.push_back(
      check_equal("group operations of the array = formula", t.expected_slots, t.slots, "32-MAC operations"));
  double requests = 0, responses = 0;
  for (const ChannelTotals& c : t.channels) {
    requests += c.requests;
    responses += c.responses;
  }
  checks.push_back(check_equal("requests issued = answered", requests, responses, "requests"));
  return checks;
}

std::vector<CheckResult> bound_checks(const std::string& of, const Totals& t, double seconds,
                                      const accelerator::AcceleratorConfig& config, double peak_bytes_per_s) {
  const pe::Config& pe = config.pe;
  const double cycles_per_slot = std::min(pe.linear_cycles_per_group(), pe.attention_cycles_per_group);
  return {check_at_least(of + "time >= bytes / peak bandwidth", t.pin_bytes() / peak_bytes_per_s, seconds, "s"),
          check_at_least(of + "time >= group operations / peak rate",
                         t.slots * cycles_per_slot / (static_cast<double>(pe.rows) * pe.cols * config.clock_mhz * 1e6),
                         seconds, "s")};
}

}  // namespace harmonia::testbench
