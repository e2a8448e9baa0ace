#include "harmonia/hw/dram/document.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "harmonia/config/error.h"

namespace harmonia::dram {
namespace {

using config::Assumption;
using config::Field;
using config::Fields;
using config::InputError;
using config::Location;
using config::Node;

constexpr const char* kCurrentKeys[] = {"VDD",   "IDD0",  "Ibeta", "IDD2N", "IDD3N", "IDD2P",
                                        "IDD3P", "IDD4R", "IDD4W", "IDD5B", "rho",   "devices"};

std::string place_text(const Location& where) {
  return where.line > 0 ? where.file + ':' + std::to_string(where.line) : where.file;
}

/// "currents" stands for all of them, RCD for both of its halves.
std::vector<std::string> expand(const std::string& key) {
  if (key == "currents") return {std::begin(kCurrentKeys), std::end(kCurrentKeys)};
  if (key == "RCD") return {"RCDRD", "RCDWR"};
  return {key};
}

std::vector<std::string> expand(const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  for (const std::string& key : keys)
    for (std::string& each : expand(key)) out.push_back(std::move(each));
  return out;
}

/// `sources` with a key for each value that an entry is about.
void expand_sources(Node& keys) {
  Node* sources = keys.find("sources");
  if (sources == nullptr || !sources->is_map()) return;
  Node expanded = Node::map();
  expanded.where = sources->where;
  for (const config::Member& m : sources->members)
    for (const std::string& key : expand(m.key)) expanded.set(key, m.value, m.where);
  *sources = std::move(expanded);
}

/// The document's keys, their descriptions and their places.
class Document {
 public:
  Document(ChannelKeys& into, const Node& keys) : map_(as_described(keys)) {
    expand_sources(map_);
    into.describe(fields_);
  }
  const Node& map() const { return map_; }
  Fields& fields() { return fields_; }

  const Field* find(const std::string& key) const {
    const std::size_t dot = key.find('.');
    const Field* field = fields_.find(key.substr(0, dot));
    return field != nullptr && dot != std::string::npos && field->is_section()
               ? field->children()->find(key.substr(dot + 1))
               : field;
  }
  /// Whether the document sets the value: by its own key or by one that stands for it.
  bool gives(const std::string& key) const { return given_by(key) != nullptr; }
  /// Where it does; no file when it does not.
  Location place_of(const std::string& key) const {
    const Field* field = given_by(key);
    return field != nullptr ? field->given_at() : Location{};
  }
  /// The place of the first of the keys that is given.
  Location place_of(const std::vector<std::string>& keys, const Location& otherwise) const {
    for (const std::string& key : keys)
      if (gives(key)) return place_of(key);
    return otherwise;
  }
  /// What the document says of where a value comes from, unless another file or --set has put another in its place.
  std::string source_of(const std::string& key) const {
    const Node* sources = map_.find("sources");
    const Node* text = sources != nullptr ? sources->find(key) : nullptr;
    const Field* field = find(key);
    return text != nullptr && field != nullptr && field->source() == text->text ? text->text : std::string();
  }

 private:
  const Field* given_by(const std::string& key) const {
    const std::string section = key.substr(0, key.find('.'));
    if (map_.find(section) != nullptr) return find(section == key || !gives_bits(key) ? section : key);
    if (key == "RCDRD" || key == "RCDWR") return map_.find("RCD") != nullptr ? find("RCD") : nullptr;
    if (key == "mapping") return map_.find("address_bits") != nullptr ? find("address_bits") : nullptr;
    return nullptr;
  }
  bool gives_bits(const std::string& key) const {
    const Node* section = map_.find(key.substr(0, key.find('.')));
    return section->find(key.substr(key.find('.') + 1)) != nullptr;
  }

  Node map_;
  Fields fields_;
};

/// The lists of bits replace the mapping that the preset names.
void read_document(ChannelKeys& into, Document& document) {
  if (document.map().find("address_bits") != nullptr) into.config.mapping = Mapping{};
  document.fields().read(document.map());
}

/// A mapping by name and by its bits: both must say the same.
void check_mapping(const Config& c, const Document& document) {
  const Node* bits = document.map().find("address_bits");
  if (bits == nullptr) {
    if (const Node* name = document.map().find("mapping"); name != nullptr && name->text == "custom")
      throw InputError(name->where, "mapping is 'custom', expected address_bits beside it");
    return;
  }
  if (document.map().find("mapping") == nullptr || c.mapping.name == "custom") return;
  const Mapping named = make_mapping(c, c.mapping.name);
  const Mapping& given = c.mapping;
  if (named.column != given.column || named.bankgroup != given.bankgroup || named.bank != given.bank ||
      named.row != given.row || named.rank != given.rank || named.pseudo_channel != given.pseudo_channel)
    throw InputError(bits->where, "address_bits are not those of mapping " + given.name + ", expected one of the two");
}

template <class T>
void check_stated(const std::optional<T>& stated, T follows, const char* key, const Document& document) {
  if (!stated || std::abs(static_cast<double>(*stated - follows)) <= 1e-3 * static_cast<double>(follows)) return;
  throw InputError(document.place_of(key),
                   std::string(key) + " is " + config::describe_found(*document.map().find(key)) + ", expected " +
                       config::detail::dump_number(static_cast<double>(follows)).text +
                       ", which follows from width_bits, BL, rate_MTs, tCK_ps and pseudo_channels");
}

void check_assumed_keys(const Document& document) {
  const Node* assumed = document.map().find("assumed");
  if (assumed == nullptr) return;
  for (const Node& item : assumed->items)
    for (const std::string& key : expand(item.text))
      if (document.find(key) == nullptr)
        throw InputError(item.where, "assumed: '" + config::printable(key) + "' is no key" +
                                         config::nearest_hint(key, config_keys(), "key"));
}

/// Completes the configuration. Throws and returns what contradicts itself, with the place of a key that is given.
std::vector<std::string> finish(Config& c, const Document& document) {
  std::vector<std::string> warnings;
  try {
    for (const Contradiction& w : c.finish()) {
      const Location at = document.place_of(w.keys, {});
      warnings.push_back(at.file.empty() ? w.rule : place_text(at) + ": " + w.rule);
    }
  } catch (const ConfigError& e) {
    throw InputError(document.place_of(e.keys(), document.map().where), e.what());
  }
  return warnings;
}

/// Values that nobody published and that the configuration uses, each once.
class Assumptions {
 public:
  Assumptions(const std::vector<std::pair<std::string, std::string>>& described, const Document& document,
              std::vector<Assumption>& out)
      : document_(document), out_(out), values_(described.begin(), described.end()) {}
  void add(const std::string& key, const std::string& source) {
    const Field* field = document_.find(key);
    if (field == nullptr || !field->is_used()) return;
    if (std::any_of(out_.begin(), out_.end(), [&](const Assumption& a) { return a.key == key; })) return;
    const Location place = document_.place_of(key);
    out_.push_back({key, values_[key], field->unit(), field->meaning(), source,
                    place.file.empty() ? "default" : place_text(place)});
  }

 private:
  const Document& document_;
  std::vector<Assumption>& out_;
  std::map<std::string, std::string> values_;
};

}  // namespace

void ChannelKeys::describe(Fields& f) {
  config.describe(f);
  f.add("burst_bytes", burst_bytes).at_least(1).unit("bytes").says("width_bits times BL; stated, it is checked");
  f.add("burst_cycles", burst_cycles).at_least(1).unit("cycles").says("data time of a burst; stated, it is checked");
  f.add("peak_GBs", peak_GBs).more_than(0).unit("GB/s").says("peak of the channel; stated, it is checked");
}

ReadConfig read_config(const std::string& preset, const Node& keys) {
  ReadConfig out;
  ChannelKeys all;
  Config& c = all.config;
  c = preset_as_written(preset);
  const std::vector<std::string> preset_assumed = expand(c.assumed);
  c.assumed.clear();

  Document document(all, keys);
  std::vector<std::string> of_the_controller;
  for (const auto& field : document.fields().all())
    if (field->origin() == config::Origin::kAssumed) of_the_controller.push_back(field->key());
  const std::string controller = document.find("page_policy")->source();

  read_document(all, document);
  if (preset == kCustom && !document.gives("standard"))
    throw InputError(keys.where, "standard is missing, expected it, or a base whose standard is taken");
  if (document.gives("address_bits") && (c.mapping.column.empty() || c.mapping.row.empty()))
    throw InputError(document.place_of("address_bits"),
                     "address_bits lack columns or rows, expected a list for each of co, ro and what else "
                     "the organisation has: bg, ba, ra, pc");
  check_assumed_keys(document);
  const std::vector<std::string> document_assumed = expand(c.assumed);
  const auto written = describe(c);
  out.warnings = finish(c, document);
  check_mapping(c, document);
  check_stated(all.burst_bytes, c.burst_bytes(), "burst_bytes", document);
  check_stated(all.burst_cycles, c.burst_cycles(), "burst_cycles", document);
  check_stated(all.peak_GBs, c.peak_GBs(), "peak_GBs", document);

  const auto described = describe(c);
  Assumptions assumptions(described, document, out.assumptions);
  const auto sourced = [&document](const std::string& key) { return !document.source_of(key).empty(); };
  std::map<std::string, std::string> sources;
  if (const Node* given = document.map().find("sources"); given != nullptr)
    for (const config::Member& m : given->members) sources[m.key] = document.source_of(m.key);
  for (const auto& [key, text] : sources)
    if (text.compare(0, 7, "assumed") == 0) assumptions.add(key, text);
  for (const std::string& key : document_assumed)
    if (!sourced(key)) assumptions.add(key, c.source.empty() ? "assumed" : c.source);
  for (const std::string& key : preset_assumed)
    if (!document.gives(key) && !sourced(key)) assumptions.add(key, "assumed in preset " + preset);
  for (std::size_t i = 0; i < described.size(); ++i) {
    const char* rule = computed_as(described[i].first);
    if (rule != nullptr && written[i].second == "0" && described[i].second != "0")
      assumptions.add(described[i].first, rule);
  }
  if (!document.gives("rho") && !sourced("rho")) assumptions.add("rho", "default: half, as DRAMPower 5 takes it");
  for (const std::string& key : of_the_controller)
    if (!document.gives(key) && !sourced(key)) assumptions.add(key, controller);

  // What stays assumed, for readers of the configuration itself.
  c.assumed.clear();
  for (const Assumption& a : out.assumptions)
    if (std::find(of_the_controller.begin(), of_the_controller.end(), a.key) == of_the_controller.end())
      c.assumed.push_back(a.key);
  out.config = c;
  return out;
}

}  // namespace harmonia::dram
