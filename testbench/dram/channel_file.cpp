#include "harmonia/testbench/dram/channel_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/dram/foreign_file.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::Location;
using config::Node;

namespace {

constexpr int kDeepestBase = 8;
constexpr const char* kDerived[] = {"burst_bytes", "burst_cycles", "peak_GBs"};

bool is_file(const fs::path& p) {
  std::error_code ignored;
  return fs::is_regular_file(p, ignored);
}

bool is_preset(const std::string& name) {
  const auto& all = dram::presets();
  return std::any_of(all.begin(), all.end(), [&](const dram::Config& c) { return c.name == name; });
}

struct Found {
  fs::path file;     // empty: none
  std::string part;  // NAME of FILE:NAME
};

Found find_file(const std::string& name, const Location& where) {
  const fs::path beside = is_file(where.file) ? fs::path(where.file).parent_path() : fs::path();
  const auto look = [&](const std::string& text) -> fs::path {
    if (text.empty()) return {};
    if (!beside.empty() && is_file(beside / text)) return beside / text;
    return is_file(text) ? fs::path(text) : fs::path();
  };
  if (const fs::path whole = look(name); !whole.empty()) return {whole, ""};
  const std::size_t colon = name.rfind(':');
  if (colon == std::string::npos) return {};
  const fs::path file = look(name.substr(0, colon));
  return {file, file.empty() ? "" : name.substr(colon + 1)};
}

bool holds_several(const Node& map) {
  return !map.members.empty() &&
         std::all_of(map.members.begin(), map.members.end(), [](const config::Member& m) { return m.value.is_map(); });
}

std::string names_of(const Node& map) {
  std::string names;
  for (std::size_t i = 0; i < map.members.size() && i < 20; ++i)
    names += (i ? ", " : "") + config::printable(map.members[i].key);
  return names + (map.members.size() > 20 ? ", ..." : "");
}

bool has_bits(const Node& keys) {
  return std::any_of(keys.members.begin(), keys.members.end(),
                     [](const config::Member& m) { return m.key.compare(0, 12, "address_bits") == 0; });
}

std::string first_line_with_contents(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line))
    if (const std::size_t at = line.find_first_not_of(" \t\r");
        at != std::string::npos && line[at] != '#' && line[at] != ';')
      return line;
  return {};
}

ChannelDocument find(const std::string& name, const Location& where, int depth) {
  if (is_preset(name)) return {name, Node::map()};
  const Found found = find_file(name, where);
  if (found.file.empty()) {
    if (is_channel_file(name))
      throw InputError(where, "DRAM file '" + config::printable(name) +
                                  "' does not exist, expected a file or a built-in preset (`harmonia list drams`)");
    std::vector<std::string> names;
    for (const dram::Config& c : dram::presets()) names.push_back(c.name);
    throw InputError(
        where, "unknown DRAM preset '" + config::printable(name) + "'" + config::nearest_hint(name, names, "preset"));
  }

  refuse_foreign(found.file.string(), first_line_with_contents(found.file));
  Node node = config::read_yaml(found.file.string());
  refuse_foreign(found.file.string(), node);
  const std::string what = "a map of keys that describes a DRAM channel";
  if (!node.is_map()) throw InputError(node.where, "this is " + config::describe_found(node) + ", expected " + what);
  std::string default_name = found.file.stem().string();
  if (!found.part.empty()) {
    const Node* part = node.find(found.part);
    if (!part)
      throw InputError({found.file.string(), 0, 0},
                       "has no '" + config::printable(found.part) + "', expected one of: " + names_of(node));
    if (!part->is_map())
      throw InputError(part->where, "this is " + config::describe_found(*part) + ", expected " + what);
    default_name = found.part;
    node = Node(*part);
  } else if (holds_several(node)) {
    throw InputError({found.file.string(), 0, 0},
                     "holds several configurations, expected FILE:NAME with one of: " + names_of(node));
  }
  if (!node.find("name")) node.set("name", Node::scalar(default_name, true, node.where), node.where);

  ChannelDocument document{dram::kCustom, Node::map()};
  if (const Node* base = node.find("base")) {
    if (!base->is_scalar())
      throw InputError(base->where,
                       "base is " + config::describe_found(*base) + ", expected a DRAM preset or the name of a file");
    if (depth >= kDeepestBase)
      throw InputError(base->where, "base '" + config::printable(base->text) + "' is the " +
                                        std::to_string(kDeepestBase + 1) + "th in a chain, expected a chain that ends");
    document = find(base->text, base->where, depth + 1);
    node.erase("base");
    // What the base is called, and where its values as a whole come from, is not said of this one.
    for (const char* key : {"name", "desc", "description"}) document.keys.erase(key);
  }
  document.keys.where = node.where;
  lay_over(document.keys, node);
  return document;
}

}  // namespace

bool is_channel_file(const std::string& name) {
  if (name.find('/') != std::string::npos) return true;
  for (const std::string& text : {name, name.substr(0, name.rfind(':'))}) {
    const fs::path extension = fs::path(text).extension();
    if (extension == ".yaml" || extension == ".yml" || extension == ".json" || extension == ".ini") return true;
  }
  return false;
}

ChannelDocument find_channel(const std::string& name_or_file, const Location& where) {
  return find(name_or_file, where, 0);
}

void lay_over(Node& keys, const Node& over) {
  for (const char* key : kDerived) keys.erase(key);
  if (has_bits(over) || over.find("mapping")) {
    const bool bits = has_bits(over);
    auto& all = keys.members;
    all.erase(std::remove_if(all.begin(), all.end(),
                             [&](const config::Member& m) {
                               return m.key.compare(0, 12, "address_bits") == 0 ? !bits : bits && m.key == "mapping";
                             }),
              all.end());
  }
  for (const config::Member& m : over.members) {
    // A value given again takes its place at the end: RCD after RCDRD sets both.
    Node* below = keys.find(m.key);
    Node merged = below ? std::move(*below) : Node();
    keys.erase(m.key);
    config::merge(merged, m.value);
    keys.set(m.key, std::move(merged), m.where);
  }
}

dram::ReadConfig load_channel(const std::string& name_or_file, const std::vector<std::string>& overrides) {
  ChannelDocument document = find_channel(name_or_file, {"command line", 0, 0});
  for (const std::string& text : overrides) {
    Node over = Node::map();
    config::apply(over, config::parse_override(text));
    lay_over(document.keys, over);
  }
  return dram::read_config(document.preset, document.keys);
}

std::vector<std::string> channel_file_keys() {
  std::vector<std::string> keys = dram::config_keys();
  keys.insert(keys.end(), {"desc", "address_bits", "burst_bytes", "burst_cycles", "peak_GBs"});
  return keys;
}

}  // namespace harmonia::testbench
