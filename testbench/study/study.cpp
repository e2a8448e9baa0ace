#include "harmonia/testbench/study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/listed_file.h"
#include "harmonia/testbench/scenario/portable_name.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::Location;
using config::Node;

namespace {

constexpr double kMostValues = 1000;

const config::NameTable<Goal>& goal_names() {
  static const config::NameTable<Goal> names = {{"most", Goal::most}, {"least", Goal::least}};
  return names;
}

/// The keys of a study file.
struct Document {
  std::string name, description, scenario = "default";
  Node set, first_token, parameters, constraints, objectives;
  QualityModel quality;
  SearchConfig search;
  MapConfig map;
  void describe(config::Fields& f) {
    f.add("name", name).says("of the result folder; the file's name when it is missing");
    f.add("description", description).says("one line for the report");
    f.add("scenario", scenario).says("built-in name or file");
    f.add("set", set).says("settings of every point");
    f.add("first_token", first_token)
        .says("settings of a second run of every point, a prefill, from which time_to_first_token_s comes");
    f.add("parameters", parameters).says("keys with their values");
    f.add("constraints", constraints).says("figures with at_least or at_most");
    f.add("objectives", objectives).says("figures, each with most or least");
    f.add("quality", quality).says("a real model on which perplexity is measured");
    f.add("search", search).says("how much is simulated");
    f.add("map", map).says("which value of one parameter wins where over two others");
  }
};

struct Range {
  double from = 0, to = 0, step = 0, factor = 0;
  void describe(config::Fields& f) {
    f.add("from", from).says("first value");
    f.add("to", to).says("no value is above");
    f.add("step", step).at_least(0).says("from one value to the next, as a difference");
    f.add("factor", factor).at_least(0).says("from one value to the next, as a ratio");
    f.check("to", [this] { return to >= from ? "" : "is less than `from`"; });
    f.check("step", [this] {
      if ((step > 0) != (factor > 0)) return "";
      return step > 0 ? "is given beside `factor`, expected one of them" : "is missing, expected `step` or `factor`";
    });
    f.check("factor", [this] {
      if (factor == 0) return "";
      return factor > 1 && from > 0 ? "" : "has to be more than 1, and `from` more than 0";
    });
  }
};

std::string number_text(double value) {
  return value == std::floor(value) && std::fabs(value) < 1e15 ? fmt::format("{:.0f}", value) : exact(value);
}

Settings settings_of(const Node& map, const std::string& what) {
  if (!map.is_map() || map.members.empty())
    throw InputError(map.where, what + " is " + (map.is_map() ? "an empty map" : config::describe_found(map)) +
                                    ", expected a map of settings");
  Settings settings = flatten(map);
  for (const auto& [key, value] : settings) require_known_key(key, map.where);
  return settings;
}

std::vector<Parameter::Value> values_of_range(const std::string& key, const Node& node) {
  Range r;
  config::read(r, node, "parameters." + key);
  std::vector<Parameter::Value> values;
  for (double i = 0; i < kMostValues; ++i) {
    const double value = r.step > 0 ? r.from + i * r.step : r.from * std::pow(r.factor, i);
    if (value > r.to * (1 + 1e-9)) return values;
    const std::string text = number_text(value);
    values.push_back({text, {{key, text}}});
  }
  throw InputError(node.where,
                   fmt::format("parameters.{}: has more than {:.0f} values, expected fewer", key, kMostValues));
}

bool begins_with_a_number(const std::string& text) {
  return text.find_first_of("0123456789") == (text.find_first_of("+-.") == 0 ? 1U : 0U);
}

Parameter parameter_of(const config::Member& m) {
  const std::string where = "parameters." + m.key;
  Parameter p{m.key, false, {}};
  if (m.value.is_map() && m.value.find("choices")) {
    const Node& choices = *m.value.find("choices");
    if (m.value.members.size() > 1)
      throw InputError(m.value.where, where + ": `choices` stands beside another key, expected it alone");
    if (!choices.is_map() || choices.members.empty())
      throw InputError(choices.where, where + ".choices is " +
                                          (choices.is_map() ? "an empty map" : config::describe_found(choices)) +
                                          ", expected names, each with a map of settings");
    for (const config::Member& c : choices.members)
      p.values.push_back({c.key, settings_of(c.value, where + ".choices." + c.key)});
    return p;
  }
  require_known_key(m.key, m.where);
  if (m.value.is_map()) {
    p.ordered = true;
    p.values = values_of_range(m.key, m.value);
    return p;
  }
  if (!m.value.is_list() || m.value.items.empty())
    throw InputError(m.value.where, where + " is " +
                                        (m.value.is_list() ? "an empty list" : config::describe_found(m.value)) +
                                        ", expected a list of values, {from, to, step or factor}, or {choices}");
  for (const Node& v : m.value.items) {
    const std::string text = v.is_scalar() && !v.quoted ? v.text : config::to_json(v, -1);
    p.values.push_back({text, {{m.key, text}}});
  }
  p.ordered = std::all_of(p.values.begin(), p.values.end(),
                          [](const Parameter::Value& v) { return begins_with_a_number(v.label); });
  return p;
}

std::vector<Parameter> parameters_of(const Node& node, const Location& where) {
  if (!node.is_map() || node.members.empty())
    throw InputError(where, "parameters: is missing or empty, expected keys with their values");
  std::vector<Parameter> parameters;
  std::vector<std::pair<std::string, std::string>> owners;
  for (const config::Member& m : node.members) {
    Parameter p = parameter_of(m);
    for (std::size_t i = 0; i < p.values.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (p.values[i].label == p.values[j].label)
          throw InputError(m.where,
                           fmt::format("parameters.{}: the value {} is there twice", m.key, p.values[i].label));
    // A key that two parameters set would have the value of one of them only.
    for (const Parameter::Value& v : p.values)
      for (const auto& [key, value] : v.settings)
        for (const auto& [other, owner] : owners)
          if (owner != p.name && key == other)
            throw InputError(m.where, fmt::format("parameters.{}: sets {}, which {} sets too", m.key, key, owner));
    for (const Parameter::Value& v : p.values)
      for (const auto& [key, value] : v.settings) owners.emplace_back(key, p.name);
    parameters.push_back(std::move(p));
  }
  return parameters;
}

void require_figure(const config::Member& m, const std::string& section, const Study& study) {
  const std::vector<std::string> known = study_figures();
  if (std::find(known.begin(), known.end(), m.key) == known.end())
    throw InputError(m.where, fmt::format("{}.{}: is no figure of a point{}", section, config::printable(m.key),
                                          config::nearest_hint(m.key, known, "figure")));
  if (m.key == "perplexity" && study.quality.weights.empty())
    throw InputError(m.where, section +
                                  ".perplexity: needs a model to measure it on, expected `quality: {weights: "
                                  "FILE, tokenizer: FILE, texts: [FILE]}`");
}

void read_goals(const Document& d, const Location& where, Study& s) {
  if (!d.constraints.is_null() && !d.constraints.is_map())
    throw InputError(d.constraints.where, "constraints is " + config::describe_found(d.constraints) +
                                              ", expected figures with at_least or at_most");
  for (const config::Member& m : d.constraints.members) {
    require_figure(m, "constraints", s);
    Limit limit;
    config::read(limit, m.value, "constraints." + m.key);
    s.constraints.emplace_back(m.key, limit);
  }
  if (!d.objectives.is_map() || d.objectives.members.empty() || d.objectives.members.size() > 4)
    throw InputError(d.objectives.is_null() ? where : d.objectives.where,
                     "objectives: expected one to four figures, each with `most` or `least`");
  for (const config::Member& m : d.objectives.members) {
    require_figure(m, "objectives", s);
    Goal goal = Goal::most;
    config::Fields f;
    f.add(m.key, goal, goal_names());
    Node one = Node::map();
    one.set(m.key, m.value, m.where);
    f.read(one, "objectives");
    s.objectives.emplace_back(m.key, goal);
  }
}

void check_map(const Study& s, const Node& document) {
  if (s.map.of.empty() && s.map.over.empty()) return;
  const Node* node = document.find("map");
  const Location where = node ? node->where : document.where;
  if (s.map.over.size() != 2 || s.map.of.empty())
    throw InputError(where, "map: expected `of` with one parameter and `over` with two others");
  std::vector<std::string> names;
  for (const Parameter& p : s.parameters) names.push_back(p.name);
  for (const std::string& name : {s.map.of, s.map.over[0], s.map.over[1]})
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw InputError(where, fmt::format("map: {} is no parameter{}", config::printable(name),
                                          config::nearest_hint(name, names, "parameter")));
  if (s.map.of == s.map.over[0] || s.map.of == s.map.over[1] || s.map.over[0] == s.map.over[1])
    throw InputError(where, "map: names a parameter twice, expected three different ones");
}

/// What a result may call the scenario, and what the program takes: a built-in name, or a path that is relative to the
/// working directory.
std::string scenario_name(const fs::path& file, const Library& library) {
  std::error_code ignored;
  if (fs::equivalent(file.parent_path(), library.folder() / "scenarios", ignored)) return file.stem().string();
  const std::string name = portable_name(file.string());
  return name.find('/') == std::string::npos ? "./" + name : name;
}

/// A file that is named relative to the study, as the results call it.
std::string beside(const std::string& file, const std::string& study) {
  if (file.empty()) return file;
  const fs::path path = file, near = fs::path(study).parent_path() / path;
  std::error_code ignored;
  return portable_name(path.is_absolute() || !fs::exists(near, ignored) ? file : near.string());
}

}  // namespace

void Limit::describe(config::Fields& f) {
  f.add("at_least", at_least).says("no accepted point is below");
  f.add("at_most", at_most).says("no accepted point is above");
  f.check("", [this] { return at_least || at_most ? "" : "has neither at_least nor at_most"; });
}

void QualityModel::describe(config::Fields& f) {
  f.add("weights", weights).says("file of a real model");
  f.add("tokenizer", tokenizer).says("its vocabulary; empty: in the same file");
  f.add("texts", texts).says("files of text");
}

void SearchConfig::describe(config::Fields& f) {
  f.add("seed", seed).says("of the search: the same seed gives the same front");
  f.add("population", population).range(4, 10000).unit("points").says("points that are simulated at a time");
  f.add("simulations", simulations).range(1, 1000000).unit("points").says("points that the search may simulate");
  f.add("analyse", analyse).says("simulate every single change of each point of the front");
}

void MapConfig::describe(config::Fields& f) {
  f.add("of", of).says("the parameter whose values compete");
  f.add("over", over).says("two parameters, the axes");
  f.add("margin", margin).range(0, 1).says("by which share of the first objective a value has to be better to win");
}

double Study::points() const {
  double n = 1;
  for (const Parameter& p : parameters) n *= static_cast<double>(p.values.size());
  return n;
}

std::vector<std::string> study_figures() {
  std::vector<std::string> names;
  for (const Column& c : columns())
    if (c.value) names.push_back(c.name);
  names.insert(names.end(), {"snr_db", "effective_parameters", "power_w", "perplexity"});
  return names;
}

Study read_study(const std::string& file, const std::vector<std::string>& overrides, const Library& library) {
  const fs::path path = find_listed(library, "study", "studies", file);
  const Node document = config::read_yaml(path.string());
  Document d;
  config::read(d, document);
  Study s;
  s.file = path.string();
  s.name = d.name.empty() ? path.stem().string() : d.name;
  const Node* name = document.find("name");
  require_folder_name(s.name, name ? name->where : Location{s.file, 0, 0});
  s.description = d.description;
  const Node* scenario = document.find("scenario");
  s.scenario =
      scenario_name(library.find(BuiltIn::kScenario, d.scenario, scenario ? scenario->where : document.where), library);
  if (!d.set.is_null()) s.set = settings_of(d.set, "set");
  for (const std::string& text : overrides) {
    require_known_key(config::parse_override(text).path, {"--set " + config::printable(text)});
    const std::size_t equals = text.find('=');
    s.set.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (!d.first_token.is_null()) s.first_token = settings_of(d.first_token, "first_token");
  s.quality = d.quality;
  if (s.quality.weights.empty() != s.quality.texts.empty())
    throw InputError(document.find("quality")->where, "quality: has a model or texts alone, expected both");
  s.quality.weights = beside(s.quality.weights, s.file);
  s.quality.tokenizer = beside(s.quality.tokenizer, s.file);
  for (std::string& text : s.quality.texts) text = beside(text, s.file);
  s.search = d.search;
  s.map = d.map;
  s.parameters = parameters_of(d.parameters, d.parameters.is_null() ? document.where : d.parameters.where);
  read_goals(d, document.where, s);
  check_map(s, document);
  return s;
}

nlohmann::ordered_json to_json(const Study& s) {
  using Json = nlohmann::ordered_json;
  const auto map_of = [](const Settings& settings) {
    Json j = Json::object();
    for (const auto& [key, value] : settings) j[key] = value;
    return j;
  };
  Json j = {{"name", s.name}, {"description", s.description}, {"scenario", s.scenario}, {"set", map_of(s.set)}};
  j["first_token"] = s.first_token ? map_of(*s.first_token) : Json();
  j["parameters"] = Json::array();
  for (const Parameter& p : s.parameters) {
    Json values = Json::array();
    for (const Parameter::Value& v : p.values) values.push_back({{"label", v.label}, {"settings", map_of(v.settings)}});
    j["parameters"].push_back({{"name", p.name}, {"ordered", p.ordered}, {"values", values}});
  }
  j["constraints"] = Json::array();
  for (const auto& [figure, limit] : s.constraints) {
    if (limit.at_least)
      j["constraints"].push_back({{"figure", figure}, {"kind", "at_least"}, {"value", *limit.at_least}});
    if (limit.at_most) j["constraints"].push_back({{"figure", figure}, {"kind", "at_most"}, {"value", *limit.at_most}});
  }
  j["objectives"] = Json::array();
  for (const auto& [figure, goal] : s.objectives)
    j["objectives"].push_back({{"figure", figure}, {"goal", config::name_of(goal_names(), goal)}});
  j["quality"] = Json();
  if (!s.quality.weights.empty())
    j["quality"] = {{"weights", s.quality.weights}, {"tokenizer", s.quality.tokenizer}, {"texts", s.quality.texts}};
  j["search"] = {{"seed", s.search.seed},
                 {"population", s.search.population},
                 {"simulations", s.search.simulations},
                 {"analyse", s.search.analyse}};
  j["map"] = Json();
  if (!s.map.of.empty()) j["map"] = {{"of", s.map.of}, {"over", s.map.over}, {"margin", s.map.margin}};
  return j;
}

}  // namespace harmonia::testbench
