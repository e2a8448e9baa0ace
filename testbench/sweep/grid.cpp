#include "harmonia/testbench/sweep/grid.h"

#include <algorithm>
#include <cstddef>

#include "harmonia/config/error.h"
#include "harmonia/config/fields.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

using config::InputError;
using config::Location;
using config::Node;

std::vector<std::string> split_values(const std::string& text, const Location& where) {
  std::vector<std::string> values(1);
  std::string open;  // closing marks that are awaited
  for (const char c : text) {
    const bool quoted = !open.empty() && (open.back() == '"' || open.back() == '\'');
    if (!open.empty() && c == open.back()) {
      open.pop_back();
    } else if (!quoted && (c == '"' || c == '\'')) {
      open.push_back(c);
    } else if (!quoted && (c == '[' || c == '{' || c == '(')) {
      open.push_back(c == '[' ? ']' : c == '{' ? '}' : ')');
    } else if (!quoted && (c == ']' || c == '}' || c == ')')) {
      throw InputError(where, std::string("'") + c + "' closes nothing, expected balanced brackets");
    } else if (c == ',' && open.empty()) {
      values.emplace_back();
      continue;
    }
    values.back() += c;
  }
  if (!open.empty()) throw InputError(where, std::string("no closing '") + open.back() + "'");
  for (std::string& v : values) {
    v.erase(0, v.find_first_not_of(' '));
    v.erase(v.find_last_not_of(' ') + 1);
    if (v.empty()) throw InputError(where, "an empty value, expected key=value,value,...");
  }
  return values;
}

Axis parse_over(const std::string& text) {
  const Location where{"--over " + config::printable(text), 0, 0};
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw InputError(where, "no key, expected --over key=value,value,...");
  Axis axis{text.substr(0, equals), {}};
  if (text.find_first_not_of(" ", equals + 1) == std::string::npos)
    throw InputError(where, "no values, expected --over key=value,value,...");
  axis.values = split_values(text.substr(equals + 1), where);
  require_known_key(axis.key, where);
  return axis;
}

void require_known_key(const std::string& path, const Location& where) {
  Scenario scenario;
  config::Fields fields;
  scenario.describe(fields);
  const config::Fields* level = &fields;
  std::string rest = path, walked;
  // The scenario's own `dram` section is laid over the accelerator's.
  if (rest == "dram" || rest.compare(0, 5, "dram.") == 0) rest = "accelerator." + rest;
  while (level != nullptr) {
    const std::size_t dot = rest.find('.');
    const std::string key = rest.substr(0, dot);
    const config::Field* field = level->find(key);
    if (!field && !(key == "base" && !walked.empty())) {
      std::vector<std::string> known = level->keys();
      if (walked.empty()) known.push_back("dram");
      throw InputError(where,
                       "unknown key '" + config::printable(path) + "'" + config::nearest_hint(key, known, "key"));
    }
    if (dot == std::string::npos || !field) return;
    walked += key + ".";
    rest = rest.substr(dot + 1);
    if (!field->is_section()) {
      // A map that another part reads (the DRAM channel's keys) takes what that part knows.
      if (path.find("dram.channel.") != std::string::npos) return;
      throw InputError(where, "'" + config::printable(key) + "' of '" + config::printable(path) +
                                  "' is one value and has no keys below it");
    }
    level = field->children();
  }
}

std::vector<Settings> product(const std::vector<Axis>& axes) {
  std::vector<Settings> points(1);
  for (const Axis& axis : axes) {
    std::vector<Settings> next;
    for (const Settings& point : points)
      for (const std::string& value : axis.values) {
        next.push_back(point);
        next.back().emplace_back(axis.key, value);
      }
    points = std::move(next);
  }
  return points;
}

namespace {

void flatten_into(const Node& node, const std::string& path, Settings& out) {
  if (node.is_map() && !node.members.empty()) {
    for (const config::Member& m : node.members) flatten_into(m.value, path.empty() ? m.key : path + "." + m.key, out);
  } else if (node.is_scalar() && !node.quoted) {
    out.emplace_back(path, node.text);
  } else {
    out.emplace_back(path, config::to_json(node, -1));
  }
}

}  // namespace

Settings flatten(const Node& map) {
  Settings settings;
  flatten_into(map, "", settings);
  return settings;
}

std::vector<std::string> overrides_of(const std::vector<std::string>& common, const Settings& own) {
  std::vector<std::string> set = common;
  for (const auto& [key, value] : own) set.push_back(key + "=" + value);
  const auto depth = [](const std::string& text) {
    return std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(text.find('='), text.size())),
                      '.');
  };
  std::stable_sort(set.begin(), set.end(),
                   [&](const std::string& a, const std::string& b) { return depth(a) < depth(b); });
  return set;
}

std::vector<std::string> overrides_of(const Settings& common, const Settings& own) {
  std::vector<std::string> set;
  for (const auto& [key, value] : common) set.push_back(key + "=" + value);
  return overrides_of(set, own);
}

std::string label_of(const Settings& settings) {
  std::string label;
  for (const auto& [key, value] : settings) label += (label.empty() ? "" : ", ") + key + "=" + value;
  return label;
}

}  // namespace harmonia::testbench
