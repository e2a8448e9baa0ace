#include "harmonia/tlm/coverage/ucis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <ostream>
#include <pugixml.hpp>
#include <stdexcept>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/utf8.h"

namespace harmonia::coverage {
namespace {

// The standard asks for a time. One that does not change keeps files of the same runs byte-equal.
constexpr const char* kTime = "2000-01-01T00:00:00";
// Sums of many files stay exact, in JSON too.
constexpr std::uint64_t kMostHits = 1000000000000;
constexpr const char* kKinds[] = {"default", "ignore", "illegal"};  // in the order of BinKind

// ------------------------------------------------------------------------------------------------------------ writing

pugi::xml_node child(pugi::xml_node parent, const char* name) {
  return parent.append_child((std::string("ucis:") + name).c_str());
}

template <typename Value>
void set(pugi::xml_node node, const char* name, const Value& value) {
  node.append_attribute(name).set_value(fmt::format("{}", value).c_str());
}

void source_id(pugi::xml_node parent, const char* name) {
  const pugi::xml_node id = child(parent, name);
  for (const char* attribute : {"file", "line", "inlineCount"}) set(id, attribute, 1);
}

void options(pugi::xml_node parent, std::uint64_t at_least, const std::string& comment) {
  const pugi::xml_node o = child(parent, "options");
  set(o, "weight", 1);
  set(o, "goal", 100);
  set(o, "comment", comment);
  set(o, "at_least", at_least);
}

void contents(pugi::xml_node parent, std::uint64_t hits) { set(child(parent, "contents"), "coverageCount", hits); }

void write_point(pugi::xml_node instance, const Point& p) {
  const pugi::xml_node point = child(instance, "coverpoint");
  set(point, "name", p.name());
  set(point, "key", 0);
  options(point, p.at_least(), p.meaning());
  for (const Bin& b : p.bins()) {
    const pugi::xml_node bin = child(point, "coverpointBin");
    set(bin, "name", b.name);
    set(bin, "key", 0);
    set(bin, "type", kKinds[static_cast<std::size_t>(b.kind)]);
    for (const Range& r : b.ranges) {
      const pugi::xml_node range = child(bin, "range");
      set(range, "from", r.from);
      set(range, "to", r.to);
      // Of a bin of several ranges the first carries the count: the bin's, not the range's.
      contents(range, &r == b.ranges.data() ? b.hits : 0);
    }
  }
}

void write_cross(pugi::xml_node instance, const Group& g, const Cross& c) {
  const pugi::xml_node cross = child(instance, "cross");
  set(cross, "name", c.name());
  set(cross, "key", 0);
  options(cross, c.at_least(), "");
  for (const std::size_t p : c.points())
    child(cross, "crossExpr").append_child(pugi::node_pcdata).set_value(g.points()[p].name().c_str());
  for (const Cross::Combination& k : c.combinations()) {
    const pugi::xml_node bin = child(cross, "crossBin");
    std::string name;
    for (std::size_t i = 0; i < k.bins.size(); ++i)
      name += (i > 0 ? "," : "") + g.points()[c.points()[i]].bins()[k.bins[i]].name;
    set(bin, "name", name);
    set(bin, "key", 0);
    set(bin, "type", kKinds[static_cast<std::size_t>(k.kind)]);
    for (const std::size_t b : k.bins)
      child(bin, "index").append_child(pugi::node_pcdata).set_value(std::to_string(b).c_str());
    contents(bin, k.hits);
  }
}

void write_group(pugi::xml_node root, const Group& g, std::size_t id) {
  const pugi::xml_node coverages = child(root, "instanceCoverages");
  set(coverages, "name", g.instance());
  set(coverages, "key", id);
  set(coverages, "instanceId", id);
  set(coverages, "moduleName", g.instance());
  source_id(coverages, "id");
  const pugi::xml_node instance = child(child(coverages, "covergroupCoverage"), "cgInstance");
  set(instance, "name", g.type());
  set(instance, "key", 0);
  options(instance, 1, "");
  const pugi::xml_node cg = child(instance, "cgId");
  set(cg, "cgName", g.type());
  set(cg, "moduleName", g.instance());
  source_id(cg, "cginstSourceId");
  source_id(cg, "cgSourceId");
  for (const Point& p : g.points()) write_point(instance, p);
  for (const Cross& c : g.crosses()) write_cross(instance, g, c);
}

}  // namespace

void write_ucis(const Database& database, std::ostream& out) {
  pugi::xml_document document;
  const pugi::xml_node root = document.append_child("ucis:UCIS");
  set(root, "xmlns:ucis", "http://www.w3.org/2001/XMLSchema-instance");
  set(root, "writtenBy", "harmonia");
  set(root, "writtenTime", kTime);
  set(root, "ucisVersion", "1.0");
  const pugi::xml_node source = child(root, "sourceFiles");
  set(source, "fileName", "harmonia");
  set(source, "id", 1);
  for (std::size_t i = 0; i < database.runs.size(); ++i) {
    const Run& r = database.runs[i];
    const pugi::xml_node run = child(root, "historyNodes");
    set(run, "historyNodeId", i);
    set(run, "logicalName", r.name);
    set(run, "physicalName", r.name);
    set(run, "kind", "HistoryNodeKind");
    set(run, "testStatus", r.passed ? "true" : "false");
    set(run, "date", kTime);
    set(run, "toolCategory", "UCIS:Simulator");
    set(run, "ucisVersion", "1.0");
    set(run, "vendorId", "harmonia");
    set(run, "vendorTool", "harmonia");
    set(run, "vendorToolVersion", "1");
    set(run, "seed", r.seed);
    set(run, "cmd", r.command);
  }
  for (std::size_t i = 0; i < database.groups.size(); ++i) write_group(root, database.groups[i], i + 1);
  document.save(out, "  ");
}

// ------------------------------------------------------------------------------------------------------------ reading

namespace {

class Reader {
 public:
  Reader(const std::string& text, const std::string& name) : text_(text), name_(name) {}

  Database read() {
    if (const config::TextFault f = config::find_fault(text_); f.fault != config::Fault::kNone)
      fail(static_cast<std::ptrdiff_t>(f.at), config::describe(f.fault) + ", expected text in UTF-8");
    pugi::xml_document document;
    const pugi::xml_parse_result parsed = document.load_buffer(text_.data(), text_.size());
    if (!parsed) fail(parsed.offset, fmt::format("no well-formed XML: {}", parsed.description()));
    const pugi::xml_node root = document.child("ucis:UCIS");
    if (!root) fail(0, "no element 'ucis:UCIS', expected the XML of UCIS 1.0");
    if (const std::string version = text_of(root, "ucisVersion"); version != "1.0")
      fail(root, fmt::format("UCIS version '{}', expected '1.0'", version));
    Database database;
    each(root, {{"sourceFiles", [](pugi::xml_node) {}},
                {"historyNodes", [&](pugi::xml_node n) { database.runs.push_back(read_run(n)); }},
                {"instanceCoverages", [&](pugi::xml_node n) { read_instance(n, database); }}});
    return database;
  }

 private:
  using Action = std::function<void(pugi::xml_node)>;

  [[noreturn]] void fail(std::ptrdiff_t offset, const std::string& message) const {
    const auto at = text_.begin() + std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(text_.size()));
    const auto line = 1 + std::count(text_.begin(), at, '\n');
    const auto begin = std::find(std::make_reverse_iterator(at), text_.rend(), '\n').base();
    throw config::InputError({name_, static_cast<int>(line), static_cast<int>(at - begin) + 1}, message);
  }
  [[noreturn]] void fail(pugi::xml_node node, const std::string& message) const { fail(node.offset_debug(), message); }

  /// Hands each element to the action of its name; others are refused.
  void each(pugi::xml_node parent, const std::vector<std::pair<const char*, Action>>& actions) const {
    for (const pugi::xml_node n : parent.children()) {
      if (n.type() == pugi::node_comment) continue;
      const std::string name = n.name();
      const auto known = std::find_if(actions.begin(), actions.end(),
                                      [&](const auto& a) { return name == std::string("ucis:") + a.first; });
      if (known == actions.end())
        fail(n, fmt::format("'{}' in '{}' is not read; expected functional coverage alone", name, parent.name()));
      known->second(n);
    }
  }

  std::string text_of(pugi::xml_node node, const char* attribute) const {
    const pugi::xml_attribute a = node.attribute(attribute);
    if (!a) fail(node, fmt::format("'{}' has no attribute '{}'", node.name(), attribute));
    return plain(node, a.value());
  }
  /// Character references can name what the text itself may not hold.
  std::string plain(pugi::xml_node node, const std::string& text) const {
    if (const config::Fault fault = config::find_fault(text).fault; fault != config::Fault::kNone)
      fail(node, config::describe(fault) + " in the value of an attribute, expected none");
    return text;
  }
  template <typename Number>
  Number number_of(pugi::xml_node node, const std::string& what, const std::string& text) const {
    Number n{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
      fail(node, fmt::format("{} '{}', expected a whole number", what, text));
    return n;
  }
  template <typename Number>
  Number number(pugi::xml_node node, const char* attribute) const {
    return number_of<Number>(node, attribute, text_of(node, attribute));
  }
  std::uint64_t hits_in(pugi::xml_node node) const {
    const pugi::xml_node contents = node.child("ucis:contents");
    if (!contents) fail(node, fmt::format("'{}' has no 'ucis:contents'", node.name()));
    const auto hits = number<std::uint64_t>(contents, "coverageCount");
    if (hits > kMostHits) fail(contents, fmt::format("coverageCount {}, expected at most {}", hits, kMostHits));
    return hits;
  }
  BinKind kind_of(pugi::xml_node node) const {
    const std::string type = text_of(node, "type");
    for (std::size_t k = 0; k < 3; ++k)
      if (type == kKinds[k]) return static_cast<BinKind>(k);
    fail(node, fmt::format("type '{}', expected default, ignore or illegal", type));
  }
  std::uint64_t at_least(pugi::xml_node node) const {
    const pugi::xml_node o = node.child("ucis:options");
    return o && o.attribute("at_least") ? number<std::uint64_t>(o, "at_least") : 1;
  }

  Run read_run(pugi::xml_node node) const {
    Run run;
    run.name = text_of(node, "logicalName");
    run.passed = text_of(node, "testStatus") == "true";
    run.command = plain(node, node.attribute("cmd").value());
    if (node.attribute("seed")) run.seed = number<std::uint64_t>(node, "seed");
    return run;
  }

  void read_instance(pugi::xml_node node, Database& database) const {
    const std::string instance = text_of(node, "name");
    const auto group = [&](pugi::xml_node n) {
      try {
        Group g = read_group(n, instance);
        if (database.find(g.type(), instance) != nullptr)
          fail(n, fmt::format("covergroup '{}' of '{}' is there twice", g.type(), instance));
        database.groups.push_back(std::move(g));
      } catch (const std::invalid_argument& e) {
        fail(n, e.what());
      }
    };
    each(node, {{"id", [](pugi::xml_node) {}}, {"covergroupCoverage", [&](pugi::xml_node n) {
                                                  each(n, {{"cgInstance", group}});
                                                }}});
  }

  Group read_group(pugi::xml_node node, const std::string& instance) const {
    Group g(text_of(node, "name"), instance);
    each(node, {{"options", [](pugi::xml_node) {}},
                {"cgId", [](pugi::xml_node) {}},
                {"coverpoint", [&](pugi::xml_node n) { read_point(n, g); }},
                {"cross", [&](pugi::xml_node n) { read_cross(n, g); }}});
    return g;
  }

  void read_point(pugi::xml_node node, Group& g) const {
    Point& p = g.point(text_of(node, "name"), plain(node, node.child("ucis:options").attribute("comment").value()),
                       at_least(node));
    each(node, {{"options", [](pugi::xml_node) {}},
                {"coverpointBin", [&](pugi::xml_node n) {
                   std::vector<Range> ranges;
                   std::uint64_t hits = 0;
                   each(n, {{"range", [&](pugi::xml_node r) {
                               ranges.push_back({number<std::int64_t>(r, "from"), number<std::int64_t>(r, "to")});
                               hits += hits_in(r);
                             }}});
                   p.add(text_of(n, "name"), kind_of(n), ranges);
                   p.bins().back().hits = hits;
                 }}});
  }

  void read_cross(pugi::xml_node node, Group& g) const {
    std::vector<std::string> points;
    for (const pugi::xml_node n : node.children("ucis:crossExpr")) points.emplace_back(n.text().get());
    g.cross(text_of(node, "name"), points, at_least(node));
    Cross& cross = g.crosses().back();
    std::size_t read = 0;
    each(node, {{"options", [](pugi::xml_node) {}},
                {"crossExpr", [](pugi::xml_node) {}},
                {"crossBin", [&](pugi::xml_node n) {
                   std::vector<std::size_t> bins;
                   for (const pugi::xml_node i : n.children("ucis:index"))
                     bins.push_back(number_of<std::size_t>(i, "index", i.text().get()));
                   if (read == cross.combinations().size() || cross.combinations()[read].bins != bins)
                     fail(n, fmt::format("combination {} of cross '{}' is another than its coverpoints' bins make",
                                         read + 1, cross.name()));
                   cross.combinations()[read].kind = kind_of(n);
                   cross.combinations()[read++].hits = hits_in(n);
                 }}});
    if (read != cross.combinations().size())
      fail(node, fmt::format("cross '{}' has {} bins, expected {}", cross.name(), read, cross.combinations().size()));
  }

  const std::string& text_;
  const std::string& name_;
};

}  // namespace

Database read_ucis(const std::string& text, const std::string& name) { return Reader(text, name).read(); }

}  // namespace harmonia::coverage
