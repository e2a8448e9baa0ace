// Each figure of a result, described once: its key, a short title, its unit, what it means, how the values of parts make
// that of the whole. JSON, CSV, the terminal's tables, the columns of comparisons and sweeps, docs/result-schema.md and
// the reports are all made from these descriptions, so that a figure is added in one place.
//
// Models: descriptions of plain structs (`Record<T>`) and what follows from them. Does not model: how values come about.
// Units: s, B, B/s, J, mm2, share (a fraction of 1), or the name of what is counted; texts have none.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {

/// How the values of parts (channels, classes of operations, steps) make that of the whole. `mean` is over equal parts
/// or over time. `never`: the value belongs to its part alone (a name, a percentile, a setting).
enum class Adds : std::uint8_t { sum, mean, maximum, never };
const char* name_of(Adds adds);

struct Figure {
  std::string path;  ///< in result.json: "bandwidth.utilisation", "operations[].memory_s", "channels[].commands.NAME"
  std::string title;
  std::string unit;
  std::string meaning;
  Adds adds = Adds::never;
};

/// A value as the terminal shows it, by its unit: SI prefixes for s, B, B/s, J and token/s, percent for a share, three
/// decimals for mm2 and two for a number without unit; `decimals` instead of the unit's own format unless negative.
std::string shown(const std::string& unit, const nlohmann::ordered_json& value, int decimals = -1);
/// Sum, mean or largest of the values of parts; 0 of none. Throws std::logic_error when they do not add up.
double whole_of(const Figure& figure, const std::vector<double>& parts);

/// The description of a struct T, key by key, in the order of the JSON.
template <class T>
class Record {
 public:
  using Json = nlohmann::ordered_json;

  /// A number, a truth value or a text. `get` is a member of T or a function of it.
  template <class Get>
  Record& value(Figure figure, Get get) {
    return add({std::move(figure)}, true,
               [get](const T& item, const std::string& at) { return json_of(std::invoke(get, item), at); });
  }
  /// An object with a description of its own.
  template <class U, class Get>
  Record& object(Figure figure, const Record<U>& inner, Get get) {
    return add(
        nested(std::move(figure), ".", inner.figures()), false,
        [get, inner](const T& item, const std::string& at) { return inner.json(std::invoke(get, item), at + "."); });
  }
  /// A list of such objects.
  template <class U, class Get>
  Record& list(Figure figure, const Record<U>& inner, Get get) {
    return add(nested(std::move(figure), "[].", inner.figures()), false,
               [get, inner](const T& item, const std::string& at) {
                 Json array = Json::array();
                 std::size_t index = 0;
                 for (const U& u : std::invoke(get, item))
                   array.push_back(inner.json(u, at + "[" + std::to_string(index++) + "]."));
                 return array;
               });
  }
  /// An object whose keys are data. `get` gives pairs of a name and a number.
  template <class Get>
  Record& by_name(Figure figure, Get get) {
    Figure each = figure;
    each.path += ".NAME";
    return add({std::move(figure), std::move(each)}, false, [get](const T& item, const std::string& at) {
      Json object = Json::object();
      for (const auto& [name, number] : std::invoke(get, item)) object[name] = json_of(number, at + "." + name);
      return object;
    });
  }
  /// The key described last is left out unless `there` holds.
  Record& only_if(std::function<bool(const T&)> there) {
    entries_.back().there = std::move(there);
    return *this;
  }

  /// All figures, those inside objects and lists included, with their paths.
  std::vector<Figure> figures() const {
    std::vector<Figure> all;
    for (const Entry& e : entries_) all.insert(all.end(), e.figures.begin(), e.figures.end());
    return all;
  }
  /// Throws std::logic_error when T has no such key.
  const Figure& figure(const std::string& key) const { return entry(key).figures.front(); }

  /// Throws config::RunError naming the path (after `at`) of a number that is not finite.
  Json json(const T& item, const std::string& at = {}) const {
    Json object = Json::object();
    for (const Entry& e : entries_)
      if (!e.there || e.there(item)) object[e.figures.front().path] = e.json(item, at + e.figures.front().path);
    return object;
  }
  /// A heading and a line for each item, of the keys that are single values.
  std::string csv(const std::vector<T>& items) const {
    std::string out;
    for (const Entry& e : entries_)
      if (e.single) out += (out.empty() ? "" : ",") + csv_cell(e.figures.front().path);
    for (const T& item : items) {
      std::string line;
      for (const Entry& e : entries_) {
        if (!e.single) continue;
        const Json value = e.json(item, e.figures.front().path);
        line += (line.empty() ? "\n" : ",") + (value.is_number_float() ? exact(value.template get<double>())
                                               : value.is_string()     ? csv_cell(value.template get<std::string>())
                                                                       : value.dump());
      }
      out += line;
    }
    return out + "\n";
  }
  const std::string& title(const std::string& key) const { return figure(key).title; }
  std::string cell(const std::string& key, const T& item) const {
    const Entry& e = entry(key);
    return shown(e.figures.front().unit, e.json(item, key));
  }
  /// What the values of this key are over all items, by the way in which they add up.
  double over(const std::string& key, const std::vector<T>& items) const {
    const Entry& e = entry(key);
    std::vector<double> parts;
    for (const T& item : items) parts.push_back(e.json(item, key).template get<double>());
    return whole_of(e.figures.front(), parts);
  }

 private:
  using Write = std::function<Json(const T&, const std::string& at)>;
  struct Entry {
    std::vector<Figure> figures;  // its own first, then those inside it
    bool single = false;
    Write json;
    std::function<bool(const T&)> there;
  };

  template <class V>
  static Json json_of(V&& value, const std::string& at) {
    if constexpr (std::is_floating_point_v<std::decay_t<V>>)
      if (!std::isfinite(value)) throw config::RunError("result: " + at + " is not a finite number");
    return Json(std::forward<V>(value));
  }
  static std::vector<Figure> nested(Figure outer, const std::string& between, std::vector<Figure> inner) {
    for (Figure& f : inner) f.path = outer.path + between + f.path;
    inner.insert(inner.begin(), std::move(outer));
    return inner;
  }
  Record& add(std::vector<Figure> figures, bool single, Write json) {
    entries_.push_back({std::move(figures), single, std::move(json), {}});
    return *this;
  }
  const Entry& entry(const std::string& key) const {
    const auto at = std::find_if(entries_.begin(), entries_.end(),
                                 [&key](const Entry& e) { return e.figures.front().path == key; });
    if (at == entries_.end()) throw std::logic_error("no figure is described under the key " + key);
    return *at;
  }

  std::vector<Entry> entries_;
};

// The descriptions of run_result.h.
Record<Distribution> distribution_figures(const std::string& unit);
const Record<BytesByClass>& traffic_figures();
const Record<ChannelResult>& channel_figures();
const Record<UnitResult>& unit_figures();
const Record<OperationResult>& operation_figures();
const Record<ComponentEnergy>& energy_figures();
const Record<ComponentArea>& area_figures();
const Record<LatencyResult>& latency_figures();
const Record<RequestResult>& request_figures();
const Record<RunResult>& run_figures();

/// What energy is spent on, as `energy.components` names it.
const std::vector<std::string>& energy_components();
/// The figure of result.json with this path. Throws std::logic_error when there is none.
const Figure& result_figure(const std::string& path);
/// The value of a figure in a result.json. Over a list ("operations[].bytes") it is added up as the figure says;
/// "operations[qkv].bytes" adds up the items whose name or component is qkv. Throws nlohmann::json::exception when the
/// document has no such key.
double value_at(const nlohmann::json& document, const Figure& figure);

/// The tables of docs/result-schema.md.
std::string figures_markdown(const std::vector<Figure>& figures);
/// The same for programs: a list of objects of path, title, unit, meaning and adds.
nlohmann::ordered_json figures_json(const std::vector<Figure>& figures);

}  // namespace harmonia::testbench
