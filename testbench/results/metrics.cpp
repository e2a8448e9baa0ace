#include "harmonia/testbench/results/metrics.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/json_values.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/model/layer_graph.h"

namespace harmonia::testbench {
namespace {

/// The columns that are one figure of result.json each, with the member that holds it.
struct Stated {
  const char* name;
  const char* path;
  double Metrics::*member;
  int decimals = -1;
};
constexpr Stated kStated[] = {
    {"simulated_s", "simulated_seconds", &Metrics::simulated_s},
    {"time_per_output_token_s", "latency.time_per_output_token_s.mean", &Metrics::time_per_output_token_s},
    {"time_to_first_token_s", "latency.time_to_first_token_s.mean", &Metrics::time_to_first_token_s},
    {"bits_per_weight", "effective_bits_per_weight", &Metrics::bits_per_weight, 3},
    {"weight_bytes", "weight_bytes", &Metrics::weight_bytes},
    {"bytes", "bandwidth.bytes", &Metrics::bytes},
    {"peak_bytes_per_s", "bandwidth.peak_bytes_per_s", &Metrics::peak_bytes_per_s},
    {"utilisation", "bandwidth.utilisation", &Metrics::utilisation},
    {"energy_j", "energy.total_j", &Metrics::energy_j},
    {"energy_per_token_j", "energy.per_token_j", &Metrics::energy_per_token_j},
    {"area_mm2", "area.total_mm2", &Metrics::area_mm2, 2},
    {"error_estimate", "fidelity.error_estimate", &Metrics::error_estimate},
};

double sum_of(const std::vector<std::pair<std::string, double>>& parts, const std::string& name) {
  double sum = 0;
  for (const auto& [part, value] : parts)
    if (part == name) sum += value;
  return sum;
}

/// A figure of one item of a list, or of one class, under the item's name.
Figure part(const std::string& list, const std::string& name, const std::string& key) {
  Figure figure = result_figure(list + "[]." + key);
  figure.path = list + "[" + name + "]." + key;
  figure.title = name;
  std::replace(figure.title.begin(), figure.title.end(), '_', ' ');
  figure.meaning += ", of " + name;
  return figure;
}

std::vector<Column> all_columns() {
  std::vector<Column> all;
  const auto state = [&all](const std::string& name) {
    const auto* s =
        std::find_if(std::begin(kStated), std::end(kStated), [&](const Stated& c) { return c.name == name; });
    all.push_back(
        {name, result_figure(s->path), [s](const Metrics& m) { return m.*(s->member); }, nullptr, s->decimals});
  };
  all.push_back({"bound", result_figure("bound"), {}, &Metrics::bound});
  all.push_back({"tokens",
                 {"", "tokens", "tokens", "output tokens, or prompt tokens where there is no output", Adds::sum},
                 [](const Metrics& m) { return m.tokens; }});
  state("simulated_s");
  all.push_back({"time_per_token_s", {"", "time/token", "s", "simulated_s / tokens", Adds::mean}, [](const Metrics& m) {
                   return m.time_per_token_s;
                 }});
  all.push_back({"tokens_per_s",
                 {"", "token/s", "token/s", "1 / time_per_token_s", Adds::mean},
                 [](const Metrics& m) { return m.time_per_token_s > 0 ? 1 / m.time_per_token_s : 0; },
                 nullptr,
                 1});
  for (const char* name :
       {"time_per_output_token_s", "time_to_first_token_s", "bits_per_weight", "weight_bytes", "bytes"})
    state(name);
  for (std::size_t i = 0; i < kTrafficClasses; ++i) {
    const std::string name = traffic_name(i);
    all.push_back({"bytes_" + name, result_figure("bandwidth.bytes_by_class." + name),
                   [name](const Metrics& m) { return sum_of(m.bytes_by_class, name); }});
  }
  for (const char* name : {"peak_bytes_per_s", "utilisation", "energy_j", "energy_per_token_j"}) state(name);
  for (const std::string& name : energy_components())
    all.push_back({"energy_" + name + "_j", part("energy.components", name, "joules"),
                   [name](const Metrics& m) { return sum_of(m.energy_by_component, name); }});
  all.push_back({"devices",
                 {"", "devices", "devices", "that share the model; the other figures are of one of them"},
                 [](const Metrics& m) { return m.devices; }});
  all.push_back({"link_bytes_per_token",
                 {"", "link bytes/token", "B", "values sent between devices, by all of them", Adds::mean},
                 [](const Metrics& m) { return m.link_bytes_per_token; }});
  all.push_back(
      {"all_energy_per_token_j",
       {"", "energy/token", "J", "of all devices and of the links between them, for each token counted", Adds::mean},
       [](const Metrics& m) { return m.all_energy_per_token_j; }});
  state("area_mm2");
  const std::pair<const char*, double OperationTime::*> least[] = {
      {"memory", &OperationTime::memory_s},   {"decode", &OperationTime::decode_s},
      {"compute", &OperationTime::compute_s}, {"vector", &OperationTime::vector_s},
      {"buffer", &OperationTime::buffer_s},   {"interconnect", &OperationTime::interconnect_s}};
  for (const auto& [name, member] : least)
    all.push_back({std::string(name) + "_least_s", result_figure(std::string("operations[].") + name + "_s"),
                   [member = member](const Metrics& m) {
                     double sum = 0;
                     for (const OperationTime& o : m.operations) sum += o.*member;
                     return sum;
                   }});
  for (std::size_t i = 0; i < accelerator::operation_class_count; ++i) {
    const std::string name = accelerator::name_of(static_cast<accelerator::OperationClass>(i));
    all.push_back({"time_" + name + "_s", part("operations", name, "simulated_s"),
                   [name](const Metrics& m) { return m.operation_s(name); }});
  }
  state("error_estimate");
  return all;
}

}  // namespace

double Metrics::operation_s(const std::string& name) const {
  for (const OperationTime& o : operations)
    if (o.name == name) return o.simulated_s;
  return 0;
}

Metrics metrics_of(const nlohmann::json& r) {
  try {
    if (r.at("schema").get<int>() != RunResult::kSchema)
      throw config::InputError("result.json is of schema " + r.at("schema").dump() + ", expected " +
                               std::to_string(RunResult::kSchema));
    Metrics m;
    m.model = r.at("model");
    m.accelerator = r.at("accelerator");
    m.bound = r.at("bound");
    m.complete = r.at("complete");
    for (const Stated& c : kStated) {
      // What a run has not (a decode has no first token) is no zero.
      const std::string path = c.path, whole = "latency.time_to_first_token_s";
      const bool there = path.compare(0, whole.size(), whole) != 0 || r.at("latency").contains(whole.substr(8));
      m.*(c.member) = there ? value_at(r, result_figure(path)) : std::nan("");
    }
    m.all_energy_per_token_j = m.energy_per_token_j;
    if (const auto devices = r.find("devices"); devices != r.end()) {
      m.devices = devices->at("tensor").get<double>() * devices->value("pipeline", 1.0);
      m.link_bytes_per_token = devices->at("link_bytes_per_token");
      m.all_energy_per_token_j = devices->at("per_token_j");
    }
    const double output = r.at("output_tokens"), prompt = r.at("prompt_tokens");
    m.tokens = output > 0 ? output : prompt;
    m.time_per_token_s = m.tokens > 0 ? m.simulated_s / m.tokens : 0;
    const auto& by_class = r.at("bandwidth").at("bytes_by_class");
    for (std::size_t i = 0; i < kTrafficClasses; ++i)
      m.bytes_by_class.emplace_back(traffic_name(i), by_class.at(traffic_name(i)));
    for (const auto& c : r.at("energy").at("components"))
      m.energy_by_component.emplace_back(c.at("component"), c.at("joules"));
    for (const auto& c : r.at("checks")) m.checks_passed = m.checks_passed && c.at("passed").get<bool>();
    for (const auto& o : r.at("operations")) {
      OperationTime t;
      t.name = o.at("name");
      t.bound = o.at("bound");
      t.simulated_s = o.at("simulated_s");
      t.memory_s = o.at("memory_s");
      t.decode_s = o.at("decode_s");
      t.compute_s = o.at("compute_s");
      t.vector_s = o.at("vector_s");
      t.buffer_s = o.at("buffer_s");
      t.interconnect_s = o.at("interconnect_s");
      t.bytes = o.at("bytes");
      m.operations.push_back(t);
    }
    return m;
  } catch (const nlohmann::json::exception& e) {
    throw config::InputError(std::string("this is no result.json of schema 1: ") + e.what());
  }
}

Metrics read_metrics(const std::string& file) {
  constexpr std::size_t kLargest = 512U << 20;
  return metrics_of(config::parse_json_values(config::read_text_file(file, kLargest), file));
}

const std::vector<Column>& columns() {
  static const std::vector<Column> all = all_columns();
  return all;
}

const Column& column(const std::string& name) {
  const auto at = std::find_if(columns().begin(), columns().end(), [&name](const Column& c) { return c.name == name; });
  if (at == columns().end()) throw std::logic_error("a row has no column " + name);
  return *at;
}

std::string cell(const std::string& name, const Metrics& m) {
  const Column& c = column(name);
  if (c.text) return m.*c.text;
  const double value = c.value(m);
  return std::isnan(value) ? "-" : shown(c.figure.unit, value, c.decimals);
}

std::vector<std::pair<std::string, std::string>> row_of(const Metrics& m) {
  std::vector<std::pair<std::string, std::string>> row;
  for (const Column& c : columns()) {
    const double value = c.text ? 0 : c.value(m);
    row.emplace_back(c.name, c.text ? m.*c.text : std::isnan(value) ? "" : exact(value));
  }
  return row;
}

std::vector<std::string> row_names() {
  std::vector<std::string> names;
  for (const Column& c : columns()) names.push_back(c.name);
  return names;
}

std::string all_markdown() {
  std::string out = figures_markdown(run_figures().figures()) + "\n## Columns of `compare.csv` and `sweep.csv`\n\n" +
                    "| column | unit | meaning | from | adds up as |\n|---|---|---|---|---|\n";
  for (const Column& c : columns())
    out += "| `" + c.name + "` | " + c.figure.unit + " | " + c.figure.meaning + " | " +
           (c.figure.path.empty() ? "" : "`" + c.figure.path + "`") + " | " + name_of(c.figure.adds) + " |\n";
  return out;
}

std::string all_json() {
  std::vector<Figure> figures;
  for (const Column& c : columns()) figures.push_back(c.figure);
  nlohmann::ordered_json list = figures_json(figures);
  for (std::size_t i = 0; i < list.size(); ++i) {
    list[i]["column"] = columns()[i].name;
    list[i]["decimals"] = columns()[i].decimals;
  }
  const nlohmann::ordered_json all = {{"result", figures_json(run_figures().figures())}, {"columns", std::move(list)}};
  return all.dump(1) + "\n";
}

}  // namespace harmonia::testbench
