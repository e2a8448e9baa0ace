// What one run's result.json says, as one row of named figures: the columns of compare.csv and sweep.csv.
//
// Models: which figures a row has, their names (units included) and how ratios are formed. Does not model: the run.
// Everything is taken from documented keys of result.json (docs/result-schema.md), so that a row can be formed from any
// result folder. Nothing that differs between two equal runs (wall time) is in a row.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace harmonia::testbench {

/// A class of operations, as a comparison needs it.
struct OperationTime {
  std::string name;
  std::string bound;
  double simulated_s = 0, memory_s = 0, decode_s = 0, compute_s = 0, vector_s = 0, bytes = 0;
};

struct Metrics {
  // Of a trace replay or a decode, tokens are output tokens; of a prefill, prompt tokens.
  double tokens = 0;
  double simulated_s = 0;
  double time_per_token_s = 0;  // simulated seconds / tokens: the inverse of throughput
  double time_per_output_token_s = 0, time_to_first_token_s = 0;  // means, 0 when there are none
  double bits_per_weight = 0;  // of the quantised linears, scales and codebooks included
  double weight_bytes = 0;
  double bytes = 0;  // at the DRAM pins
  std::vector<std::pair<std::string, double>> bytes_by_class;
  double peak_bytes_per_s = 0, utilisation = 0;
  double energy_j = 0, energy_per_token_j = 0;
  std::vector<std::pair<std::string, double>> energy_by_component;
  double area_mm2 = 0;
  double error_estimate = 0;
  bool complete = true, checks_passed = true;
  std::string model, accelerator, bound;
  std::vector<OperationTime> operations;

  double operation_s(const std::string& name) const;
};

/// Throws config::InputError when the document is no result of schema 1.
Metrics metrics_of(const nlohmann::json& result);

/// The row: names and values as text, numbers with as many digits as tell them apart.
std::vector<std::pair<std::string, std::string>> row_of(const Metrics& metrics);
/// The names of a row, in order.
const std::vector<std::string>& row_names();

/// A cell of a CSV file: quoted when it holds a comma, a quote or a line end.
std::string csv_cell(const std::string& text);
/// A number with the fewest digits that read back as the same number.
std::string exact(double value);

}  // namespace harmonia::testbench
