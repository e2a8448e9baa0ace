// A study: a design space, what a design has to reach, what makes it good. Read and checked here, searched by
// python/harmonia/explore.py.
//
// Models: parameters (lists of values, ranges, choices that set several keys at once), constraints and objectives on the
//   figures of a sweep's row, on power, and on perplexity; a second run of each point for the time to the first token.
// Does not model: the search; whether a point of the space can run.
//
// The study file (YAML), docs/explore.md:
//     scenario: default
//     set: {fidelity: sampled}                                   # of every point
//     parameters:
//       weights: [kmeans4, kmeans2, kmeans1]
//       accelerator.pe.rows: {from: 8, to: 64, factor: 2}
//       sram: {choices: {small: {accelerator.weight_buffer.capacity_bytes: 64 KiB}, large: {...}}}
//     constraints: {area_mm2: {at_most: 50}, tokens_per_s: {at_least: 10}}
//     objectives: {tokens_per_s: most, area_mm2: least}
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/testbench/sweep/grid.h"

namespace harmonia::testbench {

class Library;

struct Parameter {
  struct Value {
    std::string label;
    Settings settings;
  };
  std::string name;
  bool ordered = false;  // numbers: a step leads to a neighbour; else every other value is one
  std::vector<Value> values;
};

struct Limit {
  std::optional<double> at_least, at_most;
  void describe(config::Fields& f);
};

enum class Goal : std::uint8_t { most, least };

/// A real model on which perplexity is measured with each point's formats.
struct QualityModel {
  std::string weights, tokenizer;
  std::vector<std::string> texts;
  void describe(config::Fields& f);
};

struct SearchConfig {
  std::uint64_t seed = 1;
  int population = 24;    // points simulated at a time
  int simulations = 200;  // points that the search may simulate
  bool analyse = true;    // simulate every single change of each point of the front
  void describe(config::Fields& f);
};

/// Which value of one parameter wins where over two others.
struct MapConfig {
  std::string of;
  std::vector<std::string> over;
  double margin = 0.02;
  void describe(config::Fields& f);
};

struct Study {
  std::string name, description, file;
  std::string scenario = "default";  // found: a path
  Settings set;
  std::optional<Settings> first_token;
  std::vector<Parameter> parameters;
  std::vector<std::pair<std::string, Limit>> constraints;
  std::vector<std::pair<std::string, Goal>> objectives;
  QualityModel quality;
  SearchConfig search;
  MapConfig map;

  double points() const;
};

/// Throws config::InputError with the place of what is wrong. `overrides` are laid on every point.
Study read_study(const std::string& file, const std::vector<std::string>& overrides, const Library& library);

/// What the search is given.
nlohmann::ordered_json to_json(const Study& study);

/// Figures that constraints and objectives may name.
std::vector<std::string> study_figures();

}  // namespace harmonia::testbench
