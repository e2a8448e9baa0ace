#include "harmonia/testbench/sweep/metrics.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/testbench/results/run_result.h"

namespace harmonia::testbench {
namespace {

constexpr const char* kOperations[] = {"embedding", "qkv",  "attention_scores", "attention_values", "output",
                                       "gate_up",   "down", "lm_head",          "elementwise"};
constexpr const char* kEnergies[] = {"pe_array", "dram", "sram", "decoder", "converter", "vector_unit", "static"};

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
    m.simulated_s = r.at("simulated_seconds");
    const double output = r.at("output_tokens"), prompt = r.at("prompt_tokens");
    m.tokens = output > 0 ? output : prompt;
    m.time_per_token_s = m.tokens > 0 ? m.simulated_s / m.tokens : 0;
    m.time_per_output_token_s = r.at("latency").at("time_per_output_token_s").at("mean");
    m.time_to_first_token_s = r.at("latency").at("time_to_first_token_s").at("mean");
    m.bits_per_weight = r.at("effective_bits_per_weight");
    m.weight_bytes = r.at("weight_bytes");
    const auto& b = r.at("bandwidth");
    m.bytes = b.at("bytes");
    for (std::size_t i = 0; i < kTrafficClasses; ++i)
      m.bytes_by_class.emplace_back(traffic_name(i), b.at("bytes_by_class").at(traffic_name(i)));
    m.peak_bytes_per_s = b.at("peak_bytes_per_s");
    m.utilisation = b.at("utilisation");
    m.energy_j = r.at("energy").at("total_j");
    m.energy_per_token_j = r.at("energy").at("per_token_j");
    for (const auto& c : r.at("energy").at("components"))
      m.energy_by_component.emplace_back(c.at("component"), c.at("joules"));
    m.area_mm2 = r.at("area").at("total_mm2");
    m.error_estimate = r.at("fidelity").at("error_estimate");
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
      t.bytes = o.at("bytes");
      m.operations.push_back(t);
    }
    return m;
  } catch (const nlohmann::json::exception& e) {
    throw config::InputError(std::string("this is no result.json of schema 1: ") + e.what());
  }
}

std::vector<std::pair<std::string, std::string>> row_of(const Metrics& m) {
  std::vector<std::pair<std::string, std::string>> row;
  const auto put = [&row](const std::string& name, double value) { row.emplace_back(name, exact(value)); };
  row.emplace_back("bound", m.bound);
  put("tokens", m.tokens);
  put("simulated_s", m.simulated_s);
  put("time_per_token_s", m.time_per_token_s);
  put("tokens_per_s", m.time_per_token_s > 0 ? 1 / m.time_per_token_s : 0);
  put("time_per_output_token_s", m.time_per_output_token_s);
  put("time_to_first_token_s", m.time_to_first_token_s);
  put("bits_per_weight", m.bits_per_weight);
  put("weight_bytes", m.weight_bytes);
  put("bytes", m.bytes);
  for (const auto& [name, bytes] : m.bytes_by_class) put("bytes_" + name, bytes);
  put("peak_bytes_per_s", m.peak_bytes_per_s);
  put("utilisation", m.utilisation);
  put("energy_j", m.energy_j);
  put("energy_per_token_j", m.energy_per_token_j);
  for (const char* name : kEnergies) {
    double joules = 0;
    for (const auto& [component, j] : m.energy_by_component)
      if (component == name) joules += j;
    put(std::string("energy_") + name + "_j", joules);
  }
  put("area_mm2", m.area_mm2);
  double memory = 0, decode = 0, compute = 0, vector = 0;
  for (const OperationTime& o : m.operations) {
    memory += o.memory_s;
    decode += o.decode_s;
    compute += o.compute_s;
    vector += o.vector_s;
  }
  put("memory_least_s", memory);
  put("decode_least_s", decode);
  put("compute_least_s", compute);
  put("vector_least_s", vector);
  for (const char* name : kOperations) put(std::string("time_") + name + "_s", m.operation_s(name));
  put("error_estimate", m.error_estimate);
  return row;
}

const std::vector<std::string>& row_names() {
  static const std::vector<std::string> names = [] {
    Metrics none;
    for (std::size_t i = 0; i < kTrafficClasses; ++i) none.bytes_by_class.emplace_back(traffic_name(i), 0.0);
    std::vector<std::string> list;
    for (const auto& [name, value] : row_of(none)) list.push_back(name);
    return list;
  }();
  return names;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string exact(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace harmonia::testbench
