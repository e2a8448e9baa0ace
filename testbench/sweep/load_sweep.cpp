#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/scenario/listed_file.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/sweep/points.h"
#include "harmonia/testbench/sweep/sweep.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::Location;
using config::Node;

namespace {

constexpr std::size_t kMostPoints = 100000;

std::string text_value(const Node& map, const char* key) {
  const Node* n = map.find(key);
  if (!n) return {};
  if (!n->is_scalar())
    throw InputError(n->where, std::string(key) + " is " + config::describe_found(*n) + ", expected text");
  return n->text;
}

std::string value_text(const Node& node) {
  return node.is_scalar() && !node.quoted ? node.text : config::to_json(node, -1);
}

Axis axis_of(const config::Member& m) {
  require_known_key(m.key, m.where);
  if (!m.value.is_list() || m.value.items.empty())
    throw InputError(m.value.where, "grid." + m.key + " is " +
                                        (m.value.is_list() ? "an empty list" : config::describe_found(m.value)) +
                                        ", expected a list of values");
  Axis axis{m.key, {}};
  for (const Node& v : m.value.items) axis.values.push_back(value_text(v));
  return axis;
}

Settings settings_of(const Node& map, const std::string& what) {
  if (!map.is_map())
    throw InputError(map.where, what + " is " + config::describe_found(map) + ", expected a map of settings");
  Settings settings = flatten(map);
  for (const auto& [key, value] : settings) require_known_key(key, map.where);
  return settings;
}

}  // namespace

Sweep read_sweep(const std::string& file, const std::vector<std::string>& overrides, const Library& library) {
  const fs::path path = find_listed(library, "sweep", "sweeps", file);
  const Node document = config::read_yaml(path.string());
  if (!document.is_map())
    throw InputError(document.where,
                     "this is " + config::describe_found(document) + ", expected a map of keys that describes a sweep");
  static const std::vector<std::string> known = {"name", "description", "scenario", "set", "points", "grid"};
  for (const config::Member& m : document.members)
    if (std::find(known.begin(), known.end(), m.key) == known.end())
      throw InputError(m.where,
                       "unknown key '" + config::printable(m.key) + "'" + config::nearest_hint(m.key, known, "key"));

  Sweep s;
  s.file = path.string();
  s.name = text_value(document, "name");
  const Node* name = document.find("name");
  if (s.name.empty()) s.name = path.stem().string();
  require_folder_name(s.name, name ? name->where : Location{path.string(), 0, 0});
  s.description = text_value(document, "description");
  s.built_ins = library.folder().string();
  s.scenario = text_value(document, "scenario");
  if (s.scenario.empty()) s.scenario = "default";
  const Node* named = document.find("scenario");
  s.scenario = library.find(BuiltIn::kScenario, s.scenario, named ? named->where : document.where).string();
  if (const Node* set = document.find("set"); set && !set->is_null()) s.set = settings_of(*set, "set");
  for (const std::string& text : overrides) {
    const std::size_t equals = text.find('=');
    require_known_key(config::parse_override(text).path, {"--set " + config::printable(text)});
    s.set.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }

  std::vector<Settings> listed(1);
  if (const Node* points = document.find("points")) {
    if (!points->is_list() || points->items.empty())
      throw InputError(points->where, std::string("points is ") +
                                          (points->is_list() ? "an empty list" : config::describe_found(*points)) +
                                          ", expected a list of settings");
    listed.clear();
    for (const Node& p : points->items) listed.push_back(settings_of(p, "a point"));
  }
  std::vector<Axis> axes;
  if (const Node* grid = document.find("grid")) {
    if (!grid->is_map() || grid->members.empty())
      throw InputError(grid->where, "grid is " +
                                        (grid->is_map() ? std::string("an empty map") : config::describe_found(*grid)) +
                                        ", expected keys with lists of values");
    for (const config::Member& m : grid->members) axes.push_back(axis_of(m));
  }
  if (axes.empty() && !document.find("points"))
    throw InputError(document.where, "neither points nor grid, expected at least one of them");
  double count = static_cast<double>(listed.size());
  for (const Axis& axis : axes) count *= static_cast<double>(axis.values.size());
  if (count > static_cast<double>(kMostPoints))
    throw InputError(document.where, fmt::format("more than {} points, expected fewer", kMostPoints));

  for (const Settings& own : listed)
    for (const Settings& combination : product(axes)) {
      SweepPoint p;
      p.settings = own;
      p.settings.insert(p.settings.end(), combination.begin(), combination.end());
      for (const auto& [key, value] : p.settings)
        if (std::find(s.keys.begin(), s.keys.end(), key) == s.keys.end()) s.keys.push_back(key);
      s.points.push_back(std::move(p));
    }
  return s;
}

void resolve(Sweep& s, const Library& library) {
  config::FilesRead read;
  std::set<std::string> traces;
  s.inputs.clear();
  for (SweepPoint& p : s.points) {
    try {
      const LoadedScenario loaded = load_scenario(s.scenario, overrides_of(s.set, p.settings), library);
      p.hash = crc(config::to_json(loaded.resolved, -1));
      if (!loaded.trace_file.empty()) traces.insert(loaded.trace_file);
    } catch (const InputError& e) {
      p.failure = e.what();
      p.hash = crc(p.failure);
    }
  }
  traces.insert(read.names().begin(), read.names().end());
  for (const std::string& input : traces) s.inputs.emplace_back(input, contents_hash(input));
}

Sweep load_sweep(const std::string& file, const std::vector<std::string>& overrides, const Library& library) {
  Sweep s = read_sweep(file, overrides, library);
  resolve(s, library);
  return s;
}

}  // namespace harmonia::testbench
