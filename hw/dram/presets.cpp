// The built-in presets: those of every standard, and the measured ones under the name of their measurement.
#include <algorithm>
#include <sstream>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {

using config::InputError;
using config::Node;

namespace {

Config from_text(const Standard& standard, const Preset& text) {
  Config c;
  c.standard = &standard;
  c.name = text.name;
  c.description = text.description;
  c.source = text.source;
  Node keys = Node::map();
  keys.set("assumed", Node::scalar(text.assumed));
  std::istringstream in(text.values);
  for (std::string word; in >> word;) {
    const std::size_t split = word.find('=');
    keys.set(word.substr(0, split), Node::scalar(word.substr(split + 1)));
  }
  read_keys(c, keys);
  return c;
}

// As they are written: what they leave at 0 is not filled in yet.
std::vector<Config> written_presets() {
  std::vector<Config> all, measured;
  for (const Standard& s : all_standards())
    for (const Preset& p : s.presets) {
      const Config c = all.emplace_back(from_text(s, p));
      if (p.measured_as == nullptr) continue;
      const std::string name = p.measured_as;
      for (bool with_refresh : {true, false}) {
        Config& m = measured.emplace_back(c);
        m.name = name + (with_refresh ? "" : ".noref");
        set_key(m, "mapping", name.substr(name.rfind('.') + 1));
        if (!with_refresh) m.refresh = RefreshPolicy::kNone;
      }
    }
  std::sort(measured.begin(), measured.end(), [](const Config& a, const Config& b) { return a.name < b.name; });
  all.insert(all.end(), measured.begin(), measured.end());
  return all;
}

const Config& named(const std::vector<Config>& all, const std::string& name) {
  std::vector<std::string> names;
  for (const Config& c : all) {
    if (c.name == name) return c;
    names.push_back(c.name);
  }
  throw InputError("unknown DRAM preset '" + config::printable(name) + "'" +
                   config::nearest_hint(name, names, "preset"));
}

}  // namespace

const std::vector<Config>& presets() {
  static const std::vector<Config> all = [] {
    std::vector<Config> finished = written_presets();
    for (Config& c : finished) c.finish();
    return finished;
  }();
  return all;
}

const Config& find_preset(std::string_view name) { return named(presets(), std::string(name)); }

Config preset_as_written(const std::string& name) {
  for (const Standard& s : all_standards())
    for (const Preset& p : s.presets)
      if (p.name == name) return from_text(s, p);
  static const std::vector<Config> all = written_presets();
  if (name != kCustom) return named(all, name);
  Config c;
  c.name = kCustom;
  return c;
}

}  // namespace harmonia::dram
