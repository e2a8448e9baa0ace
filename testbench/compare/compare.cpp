#include "harmonia/testbench/compare/compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {
namespace {

constexpr const char* kCauses[] = {"lm_head", "kv",           "decoder", "compute", "vector",
                                   "buffer",  "interconnect", "link",    "bubble",  "overhead"};

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

bool is_linear(const std::string& name) {
  return name == "qkv" || name == "output" || name == "gate_up" || name == "down";
}

const char* cause_of(const OperationTime& o) {
  if (o.name == "lm_head") return "lm_head";
  if (o.name == "attention_scores" || o.name == "attention_values") return "kv";
  if (o.bound == "link") return "link";
  if (o.bound == "bubble") return "bubble";
  if (!is_linear(o.name)) return "overhead";
  if (o.bound == "decode") return "decoder";
  if (o.bound == "compute") return "compute";
  if (o.bound == "vector") return "vector";
  if (o.bound == "buffer") return "buffer";
  if (o.bound == "interconnect") return "interconnect";
  return "overhead";
}

std::string times(double ratio) { return fixed(ratio, ratio < 10 ? 2 : 1) + "x"; }

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

double byte_ratio(const Metrics& first, const Metrics& m) {
  return ratio(first.bits_per_weight, m.bits_per_weight) * ratio(m.devices, first.devices);
}

Shortfall shortfall(const Metrics& first, const Metrics& m) {
  const double r = byte_ratio(first, m);
  Shortfall causes;
  for (const char* name : kCauses) causes.emplace_back(name, 0.0);
  if (r <= 0 || m.tokens <= 0 || first.tokens <= 0) return causes;
  const auto add = [&](const std::string& cause, double s) {
    for (auto& [name, sum] : causes)
      if (name == cause) sum += s;
  };
  double accounted = 0;
  for (const OperationTime& o : m.operations) {
    const double excess = o.simulated_s / m.tokens - first.operation_s(o.name) / first.tokens / r;
    add(cause_of(o), excess);
    accounted += excess;
  }
  // Time that no operation claims, and operations that only the first variant has.
  add("overhead", m.time_per_token_s - first.time_per_token_s / r - accounted);
  return causes;
}

std::string shortfall_text(const Metrics& first, const Metrics& m) {
  Shortfall causes = shortfall(first, m);
  const double missing = m.time_per_token_s - first.time_per_token_s / byte_ratio(first, m);
  if (missing < 0.005 * m.time_per_token_s) return "none";
  std::stable_sort(causes.begin(), causes.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [name, s] : causes) {
    if (s < 0.05 * missing) break;
    text += (text.empty() ? "" : ", ") + name + " " + fixed(100 * s / missing, 0) + " %";
  }
  return text;
}

const Variant* Comparison::reference() const {
  for (const Variant& v : variants)
    if (v.metrics) return &v;
  return nullptr;
}

const Variant* Comparison::winner() const {
  const Variant* best = nullptr;
  for (const Variant& v : variants)
    if (v.metrics && (!best || v.metrics->time_per_token_s < best->metrics->time_per_token_s)) best = &v;
  return best;
}

std::string Comparison::text() const {
  std::string out = "Comparison of scenario " + scenario + " over";
  for (const std::string& k : keys) out += " " + k;
  out += "\n\n";
  const Variant* first = reference();
  if (first) {
    const Variant* best = winner();
    const Metrics& m0 = *first->metrics;
    const auto title = [](const char* name) { return column(name).figure.title; };
    std::vector<std::vector<std::string>> cost = {
        {"variant", title("time_per_token_s"), "speed-up", title("tokens_per_s"), title("bits_per_weight"),
         "compression", title("bytes") + "/token", "traffic reduction", title("utilisation"),
         title("all_energy_per_token_j"), "energy reduction", title("area_mm2"), title("bound")}};
    std::vector<std::vector<std::string>> why = {
        {"variant", "byte ratio of linear layers", "speed-up", "time lost", "causes of the loss"}};
    std::vector<std::vector<std::string>> bytes = {{"variant"}};
    for (std::size_t i = 0; i < kTrafficClasses; ++i) bytes[0].push_back(traffic_figures().title(traffic_name(i)));
    std::vector<std::vector<std::string>> quality = {
        {"variant", "format", "SNR dB", "parameters", "effective", "MMLU", "GSM8K", "MBPP", "HellaSwag"}};
    for (const Variant& v : variants) {
      if (!v.metrics) continue;
      const Metrics& m = *v.metrics;
      const std::string name = v.label + (&v == best && variants.size() > 1 ? "  <- fastest" : "");
      const double speed = ratio(m0.time_per_token_s, m.time_per_token_s);
      cost.push_back(
          {name, cell("time_per_token_s", m), times(speed), cell("tokens_per_s", m), cell("bits_per_weight", m),
           times(ratio(m0.bits_per_weight, m.bits_per_weight)), si(ratio(m.bytes, m.tokens), "B"),
           times(ratio(ratio(m0.bytes, m0.tokens), ratio(m.bytes, m.tokens))), cell("utilisation", m),
           cell("all_energy_per_token_j", m), times(ratio(m0.all_energy_per_token_j, m.all_energy_per_token_j)),
           cell("area_mm2", m), cell("bound", m)});
      std::vector<std::string> row = {v.label};
      for (const auto& [c, b] : m.bytes_by_class) row.push_back(si(ratio(b, m.tokens), "B"));
      bytes.push_back(row);
      if (&v != first)
        why.push_back({v.label, times(byte_ratio(m0, m)), times(speed),
                       si(std::max(0.0, m.time_per_token_s - m0.time_per_token_s / byte_ratio(m0, m)), "s/token"),
                       shortfall_text(m0, m)});
      if (v.quality) {
        const WeightQuality& q = *v.quality;
        std::vector<std::string> line = {v.label, q.format, q.snr_db >= kExactSnrDb ? "exact" : fixed(q.snr_db, 2),
                                         si(q.parameters, ""), si(q.effective_parameters, "")};
        for (std::size_t i = 0; i < 4; ++i)
          line.push_back(q.published ? fixed(q.published->percent[i].second, 1) : "-");
        quality.push_back(line);
      }
    }
    out += "Cost (ratios relative to the first variant)\n" + table(cost, "  ");
    out += "\nDRAM bytes per token\n" + table(bytes, "  ");
    if (why.size() > 1)
      out += "\nWhy the speed-up is below the byte ratio (shares of the time lost)\n" + table(why, "  ");
    if (quality.size() > 1)
      out +=
          "\nQuality of the weight formats (SNR on one synthetic Gaussian tensor; effective parameters by the scaling "
          "law of "
          "the\n1-bit paper; accuracy in percent as that paper published it for its own models, - for any other)\n" +
          table(quality, "  ");
    if (measurement) {
      const QualityMeasurement& q = *measurement;
      out += "\nQuality measured on " + q.model + " (" + std::to_string(q.tokens) + " tokens; FP32 has perplexity " +
             fixed(q.reference_perplexity, 3) + "), cost of " + model + "\n";
      std::vector<std::vector<std::string>> rows = {{"variant", "model", "weights", "KV cache", "perplexity",
                                                     "NLL loss to FP32", "agreement", "DRAM bytes/token", "time/token",
                                                     "energy/token"}};
      for (const Variant& v : variants) {
        if (!v.metrics) continue;
        const Metrics& m = *v.metrics;
        if (!v.measured) {
          rows.push_back({v.label, "-", "-", "-", "-", "not measured", "-", si(ratio(m.bytes, m.tokens), "B"),
                          si(m.time_per_token_s, "s"), si(m.all_energy_per_token_j, "J")});
          continue;
        }
        rows.push_back({v.label, v.measured->model, v.measured->weights, v.measured->kv,
                        fixed(v.measured->perplexity, 3),
                        fixed(v.measured->loss.nll, 4) + " +- " + fixed(v.measured->loss.standard_error, 4),
                        percent(v.measured->loss.agreement), si(ratio(m.bytes, m.tokens), "B"),
                        si(m.time_per_token_s, "s"), si(m.all_energy_per_token_j, "J")});
      }
      out += table(rows, "  ");
      for (const Variant& v : variants)
        if (v.metrics && !v.unmeasured.empty()) out += "  not measured, " + v.label + ": " + v.unmeasured + '\n';
    }
  }
  for (const Variant& v : variants)
    if (!v.failure.empty()) out += "\nFAILED: " + v.label + ": " + v.failure + '\n';
  return out;
}

std::string Comparison::csv() const {
  std::string out = "variant,status,reason";
  for (const std::string& k : keys) out += "," + csv_cell(k);
  for (const std::string& n : row_names()) out += "," + n;
  out += ",speed_up,byte_ratio,energy_ratio";
  for (const char* c : kCauses) out += std::string(",short_") + c + "_s";
  out += ",snr_db,parameters,effective_parameters";
  if (measurement) out += ",perplexity,nll,nll_loss,nll_loss_standard_error,agreement";
  out += "\n";
  const Variant* first = reference();
  for (const Variant& v : variants) {
    out += csv_cell(v.label) + (v.metrics ? ",ok," : ",failed,") + csv_cell(v.failure);
    for (const auto& [key, value] : v.settings) out += "," + csv_cell(value);
    if (!v.metrics) {
      out += std::string(row_names().size() + 3 + std::size(kCauses) + 3 + (measurement ? 5 : 0), ',') + "\n";
      continue;
    }
    for (const auto& [name, value] : row_of(*v.metrics)) out += "," + csv_cell(value);
    const Metrics &m0 = *first->metrics, &m = *v.metrics;
    out += "," + exact(ratio(m0.time_per_token_s, m.time_per_token_s)) + "," + exact(byte_ratio(m0, m)) + "," +
           exact(ratio(m0.all_energy_per_token_j, m.all_energy_per_token_j));
    for (const auto& [cause, s] : shortfall(m0, m)) out += "," + exact(s);
    out += v.quality ? "," + exact(v.quality->snr_db) + "," + exact(v.quality->parameters) + "," +
                           exact(v.quality->effective_parameters)
                     : ",,,";
    if (measurement)
      out += v.measured ? "," + exact(v.measured->perplexity) + "," + exact(v.measured->nll) + "," +
                              exact(v.measured->loss.nll) + "," + exact(v.measured->loss.standard_error) + "," +
                              exact(v.measured->loss.agreement)
                        : ",,,,,";
    out += "\n";
  }
  return out;
}

std::string Comparison::json() const {
  using Json = nlohmann::ordered_json;
  Json j = {{"schema", 1}, {"kind", "compare"}, {"scenario", scenario}, {"source", source}, {"keys", keys}};
  const Variant* first = reference();
  const Variant* best = winner();
  j["reference"] = first ? Json(first->label) : Json();
  j["winner"] = best ? Json(best->label) : Json();
  if (measurement)
    j["measured_on"] = {{"model", measurement->model},
                        {"texts", measurement->texts},
                        {"tokens", measurement->tokens},
                        {"fp32_nll", measurement->reference_nll},
                        {"fp32_perplexity", measurement->reference_perplexity},
                        {"cost_of", model}};
  j["variants"] = Json::array();
  for (const Variant& v : variants) {
    Json o = {{"label", v.label}, {"status", v.metrics ? "ok" : "failed"}};
    for (const auto& [key, value] : v.settings) o["settings"][key] = value;
    if (!v.failure.empty()) o["reason"] = v.failure;
    if (v.metrics) {
      const Metrics &m0 = *first->metrics, &m = *v.metrics;
      Json figures;
      for (const auto& [name, value] : row_of(m))
        if (!value.empty()) figures[name] = name == "bound" ? Json(value) : Json::parse(value);
      o["figures"] = figures;
      o["speed_up"] = ratio(m0.time_per_token_s, m.time_per_token_s);
      o["byte_ratio"] = byte_ratio(m0, m);
      o["energy_ratio"] = ratio(m0.all_energy_per_token_j, m.all_energy_per_token_j);
      for (const auto& [cause, s] : shortfall(m0, m)) o["shortfall_s_per_token"][cause] = s;
      o["because_of"] = shortfall_text(m0, m);
    }
    if (v.quality) {
      o["quality"] = {{"format", v.quality->format},
                      {"snr_db", v.quality->snr_db},
                      {"exact", v.quality->snr_db >= kExactSnrDb},
                      {"parameters", v.quality->parameters},
                      {"effective_parameters", v.quality->effective_parameters}};
      if (v.quality->published)
        for (const auto& [benchmark, percent_correct] : v.quality->published->percent)
          o["quality"]["published_percent"][benchmark] = percent_correct;
    }
    if (v.measured)
      o["measured"] = {{"model", v.measured->model},
                       {"weights", v.measured->weights},
                       {"kv", v.measured->kv},
                       {"perplexity", v.measured->perplexity},
                       {"nll", v.measured->nll},
                       {"nll_loss", v.measured->loss.nll},
                       {"nll_loss_standard_error", v.measured->loss.standard_error},
                       {"agreement", v.measured->loss.agreement},
                       {"bits_per_weight", v.measured->bits_per_weight},
                       {"kv_bytes_per_token", v.measured->kv_bytes_per_token}};
    j["variants"].push_back(o);
  }
  return j.dump(2) + "\n";
}

}  // namespace harmonia::testbench
