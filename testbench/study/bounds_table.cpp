#include "harmonia/testbench/study/bounds_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/quality/weight_quality.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/runs/bounds.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {
namespace {

const char* const kFigures =
    "time_per_token_s,tokens_per_s,time_to_first_token_s,energy_per_token_j,power_w,area_mm2,bits_per_weight,snr_db,"
    "effective_parameters";

std::string figures_of(const Bounds& b, const WeightQuality& quality) {
  std::string row;
  const auto add = [&row](std::optional<double> value) { row += "," + (value ? exact(*value) : std::string()); };
  std::optional<double> time, rate, first, energy;
  if (b.seconds && b.tokens > 0) {
    time = *b.seconds / b.tokens;
    energy = *b.joules / b.tokens;
    if (*b.seconds > 0) rate = b.tokens / *b.seconds;
    if (b.prefill) first = b.seconds;
  }
  for (const std::optional<double>& value : {time, rate, first, energy, b.watts}) add(value);
  for (const double value : {b.area_mm2, b.bits_per_weight, quality.snr_db, quality.effective_parameters}) add(value);
  return row;
}

/// Different settings of the golden machine among the points, and which of them each point has.
struct Measured {
  std::vector<InferConfig> settings;
  std::vector<std::string> names;
  std::vector<std::size_t> of_point;

  void add(const Scenario& s) {
    const InferConfig own = quality_settings(s);
    if (const std::string problem = own.weights_problem(); !problem.empty())
      throw config::InputError("weights: where perplexity is measured, " + problem);
    // Everything that quality_settings() takes of a scenario.
    const std::string name =
        fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}", s.weights.format, s.weights.codebook, s.weights.lm_head,
                    s.weights.zero_point, s.weights.group_size, s.kv.format, s.kv.n_initial, s.kv.n_local,
                    static_cast<int>(s.accelerator.pe.kind), s.accelerator.pe.mantissa_bits,
                    s.accelerator.smoother.online, s.accelerator.smoother.channels_per_head, s.seed);
    const auto found = std::find(names.begin(), names.end(), name);
    of_point.push_back(static_cast<std::size_t>(found - names.begin()));
    if (found != names.end()) return;
    names.push_back(name);
    settings.push_back(own);
  }
};

struct BoundsRow {
  std::string figures = std::string(9, ','), reason;
};

}  // namespace

std::string bounds_csv(const Sweep& s, const Library& library, const QualitySource* quality) {
  const InterruptGuard guard;
  std::vector<BoundsRow> rows(s.points.size());
  Measured measured;
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    if (interrupted()) throw config::RunError("stopped by an interrupt");
    try {
      const LoadedScenario loaded = load_scenario(s.scenario, overrides_of(s.set, s.points[i].settings), library);
      rows[i].figures = figures_of(bounds_of(loaded), weight_quality(loaded.scenario, library));
      if (quality) measured.add(loaded.scenario);
    } catch (const config::InputError& e) {
      rows[i] = {};
      rows[i].reason = e.what();
    }
  }
  QualityMeasurement found;
  if (!measured.settings.empty()) found = measure_quality(*quality, measured.settings, library);
  std::size_t good = 0;
  std::string out = "point,status,reason";
  for (const std::string& key : s.keys) out += "," + csv_cell(key);
  out += std::string(",") + kFigures + (quality ? ",perplexity" : "") + "\n";
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    const std::string& reason = rows[i].reason;
    out += fmt::format("{},{},{}", i + 1, reason.empty() ? "ok" : "failed", csv_cell(reason));
    for (const std::string& key : s.keys) {
      out += ",";
      for (const auto& [name, value] : s.points[i].settings)
        if (name == key) out += csv_cell(value);
    }
    out += rows[i].figures;
    if (quality) out += "," + (reason.empty() ? exact(found.settings[measured.of_point[good++]].perplexity) : "");
    out += "\n";
  }
  return out;
}

}  // namespace harmonia::testbench
