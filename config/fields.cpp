#include "harmonia/config/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <system_error>

#include "harmonia/config/utf8.h"
#include "harmonia/config/yaml.h"

namespace harmonia::config {
namespace {

std::string joined(const std::string& path, const std::string& key) { return path.empty() ? key : path + '.' + key; }

std::string number_text(double value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

bool parse(const std::string& text, double& value) {
  const char* first = text.data();
  const char* last = first + text.size();
  if (first != last && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, last, value);
  return error == std::errc() && end == last && std::isfinite(value);
}

enum class Parsed { kYes, kNo, kTooLarge };

Parsed parse(const std::string& text, std::int64_t& value) {
  const char* first = text.data();
  const char* last = first + text.size();
  if (first != last && *first == '+') ++first;
  const auto [end, error] = std::from_chars(first, last, value);
  if (end != last || first == last || error == std::errc::invalid_argument) return Parsed::kNo;
  return error == std::errc() ? Parsed::kYes : Parsed::kTooLarge;
}

// "512 KiB", for fields in bytes only.
Parsed parse_bytes(const std::string& text, std::int64_t& value) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  std::size_t suffix = digits;
  while (suffix < text.size() && text[suffix] == ' ') ++suffix;
  const std::string unit = text.substr(suffix);
  const int shift = unit == "B"     ? 0
                    : unit == "KiB" ? 10
                    : unit == "MiB" ? 20
                    : unit == "GiB" ? 30
                    : unit == "TiB" ? 40
                                    : -1;
  if (shift < 0) return Parsed::kNo;
  const Parsed parsed = parse(text.substr(0, digits), value);
  if (parsed != Parsed::kYes) return parsed;
  if (value > (std::numeric_limits<std::int64_t>::max() >> shift)) return Parsed::kTooLarge;
  value <<= shift;
  return Parsed::kYes;
}

std::string table_cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
  return text;
}

std::string shown(const Node& value) {
  if (value.is_null()) return "none";
  if (value.is_scalar()) return value.text;
  std::string text = to_json(value);
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  return text;
}

}  // namespace

namespace detail {
Node dump_integer(std::int64_t value) { return Node::scalar(std::to_string(value)); }
Node dump_number(double value) { return Node::scalar(number_text(value)); }
Node dump_bool(bool value) { return Node::scalar(value ? "true" : "false"); }
}  // namespace detail

Field& Field::unit(std::string text) {
  unit_ = std::move(text);
  return *this;
}
Field& Field::range(double lowest, double highest) {
  lowest_ = lowest;
  highest_ = highest;
  return *this;
}
Field& Field::at_least(double lowest) {
  lowest_ = lowest;
  return *this;
}
Field& Field::more_than(double bound) {
  above_ = bound;
  return *this;
}
Field& Field::one_of(std::vector<std::string> names) {
  choices_ = std::move(names);
  return *this;
}
Field& Field::also(std::string spelling, std::string name) {
  spellings_.emplace_back(std::move(spelling), std::move(name));
  return *this;
}
Field& Field::multiple_of(std::int64_t factor) {
  multiple_ = factor;
  return *this;
}
Field& Field::power_of_two() {
  power_of_two_ = true;
  return *this;
}
Field& Field::required() {
  required_ = true;
  return *this;
}
Field& Field::says(std::string meaning) {
  meaning_ = std::move(meaning);
  return *this;
}
Field& Field::from(std::string source) {
  source_ = std::move(source);
  origin_ = Origin::kSource;
  return *this;
}
Field& Field::assumed(std::string why) {
  source_ = std::move(why);
  origin_ = Origin::kAssumed;
  return *this;
}

Field& Field::used_when(std::string condition, std::function<bool()> holds) {
  used_when_ = std::move(condition);
  is_used_ = std::move(holds);
  return *this;
}

std::string Field::expectation() const {
  std::string text;
  switch (type_) {
    case Type::kBool:
      text = "true or false";
      break;
    case Type::kInteger:
      text = power_of_two_    ? "power of two"
             : multiple_ != 1 ? fmt::format("multiple of {}", multiple_)
                              : "whole number";
      break;
    case Type::kNumber:
      text = "number";
      break;
    case Type::kText:
    case Type::kName:
      if (choices_.empty()) {
        text = "text";
      } else {
        text = "one of: ";
        for (std::size_t i = 0; i < choices_.size(); ++i) text += (i ? ", " : "") + choices_[i];
      }
      break;
    case Type::kSection:
      text = "map of keys";
      break;
  }
  if (type_ == Type::kInteger || type_ == Type::kNumber) {
    const double type_lowest = type_ == Type::kInteger ? static_cast<double>(type_lowest_) : lowest_;
    const double type_highest = type_ == Type::kInteger ? static_cast<double>(type_highest_) : highest_;
    const double low = std::max(lowest_, type_lowest);
    const double high = std::min(highest_, type_highest);
    const bool low_known = std::isfinite(lowest_) || (type_ == Type::kInteger && type_lowest_ == 0);
    const auto bound = [](double b) {
      return std::fabs(b) < 1e15 && b == std::floor(b) ? std::to_string(static_cast<std::int64_t>(b)) : number_text(b);
    };
    if (std::isfinite(above_)) {
      text += " above " + bound(above_);
      if (std::isfinite(highest_)) text += " and at most " + bound(high);
    } else if (low_known && std::isfinite(highest_)) {
      text += " from " + bound(low) + " to " + bound(high);
    } else if (low_known) {
      text += " of at least " + bound(low);
    } else if (std::isfinite(highest_)) {
      text += " of at most " + bound(high);
    }
    if (!unit_.empty()) text += " (" + unit_ + ")";
  }
  if (is_list_) return "list, each item: " + text;
  if (is_optional_) text += ", or null";
  return text;
}

void Field::fail(const Node& node, const std::string& path, const std::string& extra) const {
  std::string wanted = expectation();
  if (is_list_ && !node.is_map()) {  // the item is what is wrong
    Field item = *this;
    item.is_list_ = false;
    wanted = item.expectation();
  }
  static const std::string kNoArticle[] = {"true or false", "one of: ", "text"};
  const bool bare = std::any_of(std::begin(kNoArticle), std::end(kNoArticle),
                                [&](const std::string& start) { return wanted.compare(0, start.size(), start) == 0; });
  throw InputError(node.where,
                   path + " is " + describe_found(node) + ", expected " + (bare ? "" : "a ") + wanted + extra);
}

bool Field::in_range(double value) const { return value >= lowest_ && value <= highest_ && value > above_; }

std::int64_t Field::to_integer(const Node& node, const std::string& path) const {
  if (!node.is_scalar() || node.quoted) fail(node, path);
  std::int64_t value = 0;
  Parsed parsed = parse(node.text, value);
  if (parsed == Parsed::kNo && unit_ == "bytes") parsed = parse_bytes(node.text, value);
  if (parsed != Parsed::kYes || value < type_lowest_ || value > type_highest_ || !in_range(static_cast<double>(value)))
    fail(node, path, parsed == Parsed::kNo && unit_ == "bytes" ? "; KiB, MiB and GiB may follow the number" : "");
  if (value % multiple_ != 0) fail(node, path);
  if (power_of_two_ && (value <= 0 || (value & (value - 1)) != 0)) fail(node, path);
  return value;
}

double Field::to_number(const Node& node, const std::string& path) const {
  double value = 0;
  if (!node.is_scalar() || node.quoted || !parse(node.text, value) || !in_range(value)) fail(node, path);
  return value;
}

bool Field::to_bool(const Node& node, const std::string& path) const {
  if (node.is_scalar() && !node.quoted) {
    if (node.text == "true") return true;
    if (node.text == "false") return false;
  }
  fail(node, path);
}

std::string Field::to_text(const Node& node, const std::string& path) const {
  if (!node.is_scalar()) fail(node, path);
  if (!choices_.empty()) return choices_[to_choice(node, path)];
  if (key_ != "description") require_text(node.text, node.where, {});  // of one line
  return node.text;
}

std::size_t Field::to_choice(const Node& node, const std::string& path) const {
  if (!node.is_scalar()) fail(node, path);
  std::string text = node.text;
  for (const auto& [spelling, name] : spellings_)
    if (text == spelling) text = name;
  const auto at = std::find(choices_.begin(), choices_.end(), text);
  if (at != choices_.end()) return static_cast<std::size_t>(at - choices_.begin());
  const std::string near = nearest(node.text, choices_);
  fail(node, path, near.empty() ? "" : "; nearest is '" + printable(near) + "'");
}

void Field::check_list(const Node& node, const std::string& path) const {
  constexpr std::size_t kMostItems = 65536;
  if (!node.is_list())
    throw InputError(node.where, path + " is " + describe_found(node) + ", expected a " + expectation());
  if (node.items.size() > kMostItems)
    throw InputError(node.where,
                     fmt::format("{} has {} items, expected at most {}", path, node.items.size(), kMostItems));
}

Field& Fields::append(std::string key, Field::Type type) {
  fields_.push_back(std::make_unique<Field>());
  Field& f = *fields_.back();
  f.key_ = std::move(key);
  f.type_ = type;
  return f;
}

Field& Fields::add_shorthand(std::string key, std::vector<int*> values) {
  Field& f = append(std::move(key), Field::Type::kInteger);
  f.is_shorthand_ = true;
  f.type_lowest_ = std::numeric_limits<int>::min();
  f.type_highest_ = std::numeric_limits<int>::max();
  f.read_ = [&f, values](const Node& n, const std::string& path) {
    for (int* value : values) *value = static_cast<int>(f.to_integer(n, path));
  };
  f.dump_ = [] { return Node{}; };
  return f;
}

Field& Fields::add_pairs(std::string key, std::vector<std::pair<int, int>>& pairs) {
  Field& f = append(std::move(key), Field::Type::kInteger);
  f.is_list_ = true;
  f.type_lowest_ = std::numeric_limits<int>::min();
  f.type_highest_ = std::numeric_limits<int>::max();
  f.read_ = [&f, &pairs](const Node& n, const std::string& path) {
    f.check_list(n, path);
    std::vector<int> flat;
    for (const Node& item : n.items)
      for (const Node& number : item.is_list() ? item.items : std::vector<Node>{item})
        flat.push_back(static_cast<int>(f.to_integer(number, path)));
    if (flat.size() % 2 != 0)
      throw InputError(n.where, fmt::format("{} has {} numbers, expected pairs", path, flat.size()));
    pairs.clear();
    for (std::size_t i = 0; i < flat.size(); i += 2) pairs.emplace_back(flat[i], flat[i + 1]);
  };
  f.dump_ = [&pairs] {
    Node list = Node::list();
    for (const auto& [first, second] : pairs)
      for (const int number : {first, second}) list.items.push_back(detail::dump_integer(number));
    return list;
  };
  return f;
}

void Fields::check(std::string key, std::function<std::string()> rule) {
  checks_.emplace_back(std::move(key), std::move(rule));
}

const Field* Fields::find(const std::string& key) const {
  for (const auto& f : fields_)
    if (f->key_ == key) return f.get();
  return nullptr;
}

std::vector<std::string> Fields::keys() const {
  std::vector<std::string> names;
  for (const auto& f : fields_) names.push_back(f->key_);
  return names;
}

void Fields::read(const Node& map, const std::string& path) {
  if (map.is_null()) {
    // "section:" with nothing below it keeps the defaults; what is required is still missing.
  } else if (!map.is_map()) {
    throw InputError(map.where, (path.empty() ? "this" : path) + " is " + describe_found(map) +
                                    ", expected a map of keys" + nearest_hint("", keys(), "key"));
  }
  for (const Member& m : map.members) {
    Field* field = nullptr;
    for (const auto& f : fields_)
      if (f->key_ == m.key) field = f.get();
    if (!field) {
      if (m.key == "sources") continue;
      throw InputError(m.where,
                       "unknown key '" + printable(joined(path, m.key)) + "'" + nearest_hint(m.key, keys(), "key"));
    }
    field->read_(m.value, joined(path, m.key));
    field->given_at_ = m.value.where.file.empty() ? m.where : m.value.where;
  }
  for (const auto& f : fields_)
    if (f->required_ && !map.find(f->key_))
      throw InputError(map.where, "key '" + joined(path, f->key_) + "' is missing, expected a " + f->expectation());
  read_sources(map, path);
  run_checks(&map, path);
}

void Fields::read_sources(const Node& map, const std::string& path) {
  const Node* sources = find("sources") ? nullptr : map.find("sources");
  if (!sources) return;
  if (!sources->is_map())
    throw InputError(sources->where,
                     joined(path, "sources") + " is " + describe_found(*sources) +
                         ", expected a map from a key beside it to the text that says where its value comes from");
  for (const Member& m : sources->members) {
    Fields* owner = this;
    std::string rest = m.key;
    Field* field = nullptr;
    while (owner) {  // dotted keys reach into sections
      const std::size_t dot = rest.find('.');
      field = nullptr;
      for (const auto& f : owner->fields_)
        if (f->key_ == rest.substr(0, dot)) field = f.get();
      owner = field && dot != std::string::npos ? field->children_.get() : nullptr;
      if (dot != std::string::npos && !owner) field = nullptr;
      if (dot == std::string::npos) break;
      rest = rest.substr(dot + 1);
    }
    if (!field)
      throw InputError(m.where, "unknown key '" + printable(m.key) + "' in " + joined(path, "sources") +
                                    nearest_hint(m.key, keys(), "key"));
    if (!m.value.is_scalar() || m.value.text.empty())
      throw InputError(m.value.where, joined(path, "sources." + m.key) + " is " + describe_found(m.value) +
                                          ", expected text that says where the value comes from");
    // Each file speaks for its own values, not for those that another file or --set put in their place.
    if (!field->given_at_.file.empty() && field->given_at_.file != m.value.where.file) continue;
    field->source_ = m.value.text;
    field->origin_ = m.value.text.compare(0, 7, "assumed") == 0 ? Origin::kAssumed : Origin::kSource;
  }
}

void Fields::run_checks(const Node* map, const std::string& path) const {
  for (const auto& [key, rule] : checks_) {
    const std::string problem = rule();
    if (problem.empty()) continue;
    Location where;
    if (map) {
      const Node* at = key.empty() ? nullptr : map->find(key);
      where = at && !at->where.file.empty() ? at->where : map->where;
    }
    const std::string name = key.empty() ? path : joined(path, key);
    throw InputError(where, name.empty() ? problem : name + ": " + problem);
  }
}

void Fields::validate(const std::string& path) const {
  for (const auto& f : fields_) {
    if (f->is_section()) {
      f->children_->validate(joined(path, f->key_));
    } else if (!f->is_shorthand_) {
      f->read_(f->dump_(), joined(path, f->key_));  // reading a value back checks it, and changes nothing
    }
  }
  run_checks(nullptr, path);
}

Node Fields::dump() const {
  Node map = Node::map();
  for (const auto& f : fields_) {
    if (f->is_shorthand_) continue;
    Member& m = map.members.emplace_back();
    m.key = f->key_;
    m.value = f->dump_();
  }
  return map;
}

void Fields::assumptions(std::vector<Assumption>& out, const std::string& path) const {
  for (const auto& f : fields_) {
    const std::string key = joined(path, f->key_);
    if (f->is_section()) {
      f->children_->assumptions(out, key);
    } else if (f->origin_ == Origin::kAssumed && f->is_used()) {
      const Node value = f->value();
      if (value.is_null() || (value.is_list() && value.items.empty())) continue;
      std::string at = "default";
      if (!f->given_at_.file.empty()) {
        at = f->given_at_.file;
        if (f->given_at_.line > 0) at += fmt::format(":{}", f->given_at_.line);
      }
      out.push_back({key, shown(value), f->unit_, f->meaning_, f->source_, at});
    }
  }
}

void Fields::table_rows(std::string& out, const std::string& path) const {
  for (const auto& f : fields_) {
    const std::string key = joined(path, f->key_);
    const bool list_of_maps = f->children_ && f->is_list_;
    if (!f->is_section() || !f->meaning_.empty()) {
      std::string origin = f->source_;
      if (f->origin_ == Origin::kAssumed) origin = "assumed: " + origin;
      const std::string value = f->required_                          ? "(required)"
                                : f->is_section() || f->is_shorthand_ ? ""
                                                                      : "`" + shown(f->value()) + "`";
      const std::string meaning = f->meaning_ + (f->used_when_.empty() ? "" : "; used when " + f->used_when_);
      out += "| `" + key + "` | " + table_cell(value) + " | " + table_cell(f->expectation()) + " | " +
             table_cell(meaning) + " | " + table_cell(origin) + " |\n";
    }
    if (f->children_) f->children_->table_rows(out, list_of_maps ? key + "[]" : key);
  }
}

std::string Fields::markdown(const std::string& path) const {
  std::string out = "| key | default | expected | meaning | source |\n|---|---|---|---|---|\n";
  table_rows(out, path);
  return out;
}

}  // namespace harmonia::config
