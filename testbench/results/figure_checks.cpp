#include "harmonia/testbench/results/figure_checks.h"

#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/testbench/results/figures.h"

namespace harmonia::testbench {
namespace {

using Json = nlohmann::ordered_json;
using Visit = std::function<void(const std::string& place, const std::string& path, double value)>;

/// Calls visit for every number below `at`, with its place ("channels[2].utilisation") and the path of its description
/// ("channels[].utilisation").
void each_number(const Json& at, const std::string& place, const std::string& path, const Visit& visit) {
  if (at.is_number()) {
    visit(place, path, at.get<double>());
  } else if (at.is_array()) {
    for (std::size_t i = 0; i < at.size(); ++i)
      each_number(at[i], place + "[" + std::to_string(i) + "]", path + "[]", visit);
  } else if (at.is_object()) {
    const std::string dot = path.empty() ? "" : ".";
    for (const auto& [key, value] : at.items()) each_number(value, place + dot + key, path + dot + key, visit);
  }
}

/// Units of the described figures by path; an object whose keys are data is described by the path of the whole.
std::string unit_of(const std::string& path) {
  static const std::map<std::string, std::string> units = [] {
    std::map<std::string, std::string> all;
    for (const Figure& f : run_figures().figures()) all[f.path] = f.unit;
    return all;
  }();
  auto at = units.find(path);
  if (at == units.end()) at = units.find(path.substr(0, path.rfind('.')));
  return at == units.end() ? "" : at->second;
}

/// Counts what breaks a rule; its name says the first place.
class Rule {
 public:
  explicit Rule(std::string name) : name_(std::move(name)) {}
  void broken(const std::string& place, double value) {
    if (count_++ == 0) name_ += ": " + place + " is " + exact(value);
  }
  CheckResult check() const { return {name_, count_ == 0, 0, static_cast<double>(count_), "figures", "equal"}; }

 private:
  std::string name_;
  std::size_t count_ = 0;
};

double waiting_of(const UnitResult& unit) {
  double sum = 0;
  for (const StallShare& s : unit.stalled) sum += s.share;
  return sum;
}

}  // namespace

CheckResult check_close(const std::string& name, double expected, double actual, const std::string& unit) {
  constexpr double kRounding = 1e-9;
  return {name, std::abs(actual - expected) <= kRounding * std::abs(expected), expected, actual, unit, "equal"};
}

std::vector<CheckResult> figure_checks(const RunResult& r) {
  Rule finite("figures that are not finite"), negative("figures below 0"), share("shares above 1");
  Json figures;
  try {
    figures = run_figures().json(r);
  } catch (const config::RunError& e) {
    return {{std::string("figures that are not finite: ") + e.what(), false, 0, 1, "figures", "equal"}};
  }
  for (const char* other : {"checks", "provenance", "assumptions", "notices"}) figures.erase(other);
  each_number(figures, "", "", [&](const std::string& place, const std::string& path, double value) {
    if (value < 0) negative.broken(place, value);
    // An estimated error may be larger than what it is of.
    if (value > 1 + 1e-9 && unit_of(path) == "share" && path != "fidelity.error_estimate") share.broken(place, value);
  });
  std::vector<CheckResult> checks = {finite.check(), negative.check(), share.check()};

  Rule units("units whose shares do not add up to 1");
  for (const UnitResult& u : r.units)
    if (std::abs(u.busy + waiting_of(u) - 1) > 1e-9) units.broken(u.name, u.busy + waiting_of(u));
  checks.push_back(units.check());

  double limits = 0;
  for (const LimitShare& l : r.limits) limits += l.share;
  if (!r.limits.empty()) checks.push_back(check_close("shares of the limits = 1", 1, limits, "share"));

  double joules = 0, decode_s = 0, compute_s = 0, vector_s = 0;
  for (const ComponentEnergy& c : r.energy.components) joules += c.joules;
  checks.push_back(check_close("energy = that of its components", joules, r.energy.total_j, "J"));
  for (const OperationResult& o : r.operations) {
    decode_s += o.decode_s;
    compute_s += o.compute_s;
    vector_s += o.vector_s;
  }
  for (const auto& [name, least] :
       {std::pair("decoder", decode_s), std::pair("PE array", compute_s), std::pair("vector unit", vector_s)})
    checks.push_back({std::string("time >= that of the ") + name + " alone", r.simulated_seconds >= least * (1 - 1e-9),
                      least, r.simulated_seconds, "s", "at least"});
  return checks;
}

}  // namespace harmonia::testbench
