// What one run's result.json says, as one row of named figures: the columns of compare.csv and sweep.csv.
//
// Models: which figures a row has, their names (units included) and how ratios are formed. Does not model: the run.
// Everything is taken from documented keys of result.json (docs/result-schema.md), so that a row can be formed from any
// result folder. Nothing that differs between two equal runs (wall time) is in a row.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/testbench/results/figures.h"

namespace harmonia::testbench {

/// A class of operations, as a comparison needs it.
struct OperationTime {
  std::string name;
  std::string bound;
  double simulated_s = 0, memory_s = 0, decode_s = 0, compute_s = 0, vector_s = 0, buffer_s = 0, interconnect_s = 0,
         bytes = 0;
};

struct Metrics {
  // Of a trace replay or a decode, tokens are output tokens; of a prefill, prompt tokens.
  double tokens = 0;
  double simulated_s = 0;
  double time_per_token_s = 0;  // simulated seconds / tokens: the inverse of throughput
  double time_per_output_token_s = 0,
         time_to_first_token_s = 0;  // means; NaN when the run has none, 0 per output token
  double bits_per_weight = 0;        // of the quantised linears, scales and codebooks included
  double weight_bytes = 0;
  double bytes = 0;  // at the DRAM pins
  std::vector<std::pair<std::string, double>> bytes_by_class;
  double peak_bytes_per_s = 0, utilisation = 0;
  double energy_j = 0, energy_per_token_j = 0;
  std::vector<std::pair<std::string, double>> energy_by_component;
  // Devices that share the model; the figures around these are of one of them.
  double devices = 1, link_bytes_per_token = 0, all_energy_per_token_j = 0;
  double area_mm2 = 0;
  double error_estimate = 0;
  bool complete = true, checks_passed = true;
  std::string model, accelerator, bound;
  std::vector<OperationTime> operations;

  double operation_s(const std::string& name) const;
};

/// Throws config::InputError when the document is no result of schema 1.
Metrics metrics_of(const nlohmann::json& result);

/// metrics_of() a result.json that is read back. Throws config::InputError, with its place where it is no JSON.
Metrics read_metrics(const std::string& file);

/// A column of compare.csv and sweep.csv. Where it states a figure of result.json, title, unit and meaning are that
/// figure's, and `figure.path` is its place; otherwise the path is empty and the column follows from others.
struct Column {
  std::string name;
  Figure figure;
  std::function<double(const Metrics&)> value;  // none for a text
  std::string Metrics::*text = nullptr;
  int decimals = -1;  // on the terminal; negative: as its unit says
};

/// All columns, in order. metrics_of(), rows, docs/result-schema.md and the reports are made from this list.
const std::vector<Column>& columns();
/// Throws std::logic_error when there is no column of this name.
const Column& column(const std::string& name);
/// The value of a column as the terminal shows it.
std::string cell(const std::string& column, const Metrics& metrics);

/// The row: names and values as text, numbers with as many digits as tell them apart.
std::vector<std::pair<std::string, std::string>> row_of(const Metrics& metrics);
/// The names of a row, in order.
std::vector<std::string> row_names();

/// The figures of result.json and the columns, as the tables of docs/result-schema.md and as JSON for programs.
std::string all_markdown();
std::string all_json();

}  // namespace harmonia::testbench
