// The one description of a config struct's fields.
//
// Each config struct has a member `void describe(config::Fields& f)` that lists its fields once:
//
//     struct PeConfig {
//       int rows = 16;
//       PeKind kind = PeKind::kHarmonia;
//       void describe(config::Fields& f) {
//         f.add("rows", rows).range(1, 4096).unit("PEs").says("rows of the PE array").assumed("no published size");
//         f.add("kind", kind, {{"harmonia", PeKind::kHarmonia}, {"fp16", PeKind::kFp16}}).says("what a PE multiplies");
//         f.check("rows", [this] { return rows % 2 == 0 ? "" : "must be even"; });
//       }
//     };
//
// From it come: reading a document (config/yaml.h), range and cross-field checks with `file:line:column`, hints for
// misspelt keys, the resolved dump, the documentation table and the list of assumptions that a result rests on.
// Accepted values: bool, integers, double, std::string, enums with a table of names, structs with describe(),
// std::optional of a plain value, std::vector of plain values or of structs, and Node (a map that another part reads).
//
// A `Fields` holds references into the struct that it describes and must not outlive it.
// In any map of a document the extra key `sources` (field name -> text) says where that file's values come from; a text
// that begins with "assumed" keeps the value in the list of assumptions.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

namespace harmonia::config {

class Fields;

/// Where a value comes from.
enum class Origin {
  kChoice,   // the user's to choose; nothing to justify
  kSource,   // a publication, data sheet or standard
  kAssumed,  // ours; every result that rests on it says so
};

/// Why a value is assumed, where that is all there is to say.
inline constexpr const char* kUnpublished = "no published account gives it";

/// Names of the values of an enum, in the order in which they are documented.
template <class E>
using NameTable = std::vector<std::pair<std::string, E>>;

/// The name of a value, "?" when the table has none.
template <class E>
std::string name_of(const NameTable<E>& names, E value) {
  for (const auto& [name, v] : names)
    if (v == value) return name;
  return "?";
}

/// One described field. The setters return the field, so that a description reads as one sentence.
class Field {
 public:
  /// Unit of the value. A field in "bytes" also reads "512 KiB", "2 MiB", "1 GiB".
  Field& unit(std::string text);
  /// Allowed values, both ends included. Of a list: of each item.
  Field& range(double lowest, double highest);
  Field& at_least(double lowest);
  Field& more_than(double bound);
  /// Allowed names of a string field.
  Field& one_of(std::vector<std::string> names);
  /// Another spelling of one of the names; it is read, not documented as a value.
  Field& also(std::string spelling, std::string name);
  Field& multiple_of(std::int64_t factor);
  Field& power_of_two();
  /// The key must be given.
  Field& required();
  /// One line: what the value means.
  Field& says(std::string meaning);
  /// The value is published: by whom, where.
  Field& from(std::string source);
  /// The value is ours: why this one.
  Field& assumed(std::string why);
  /// The value plays a part only under this condition, in words ("refresh is per_bank") and as a test of the struct.
  /// Otherwise it is no assumption.
  Field& used_when(std::string condition, std::function<bool()> holds);

  const std::string& key() const { return key_; }
  const std::string& unit() const { return unit_; }
  const std::string& meaning() const { return meaning_; }
  const std::string& used_when() const { return used_when_; }
  bool is_used() const { return !is_used_ || is_used_(); }
  const std::string& source() const { return source_; }
  Origin origin() const { return origin_; }
  bool is_required() const { return required_; }
  bool is_section() const { return static_cast<bool>(children_) && !is_list_; }
  bool is_list() const { return is_list_; }
  /// A key that sets others: nothing of its own to show.
  bool is_shorthand() const { return is_shorthand_; }
  /// Fields of a nested struct, or of one item of a list of structs; nullptr otherwise.
  const Fields* children() const { return children_.get(); }
  /// "whole number from 1 to 4096 (PEs)": the expectation as error messages and documentation print it.
  std::string expectation() const;
  /// The current value.
  Node value() const { return dump_(); }
  /// Where the value was given; an empty file name while it is the default.
  const Location& given_at() const { return given_at_; }

 private:
  friend class Fields;
  enum class Type { kBool, kInteger, kNumber, kText, kName, kSection };

  std::int64_t to_integer(const Node& node, const std::string& path) const;
  double to_number(const Node& node, const std::string& path) const;
  bool to_bool(const Node& node, const std::string& path) const;
  std::string to_text(const Node& node, const std::string& path) const;
  std::size_t to_choice(const Node& node, const std::string& path) const;
  [[noreturn]] void fail(const Node& node, const std::string& path, const std::string& extra = {}) const;
  bool in_range(double value) const;
  void check_list(const Node& node, const std::string& path) const;

  std::string key_;
  Type type_ = Type::kText;
  bool is_list_ = false;
  bool is_optional_ = false;
  bool required_ = false;
  bool is_shorthand_ = false;
  std::string unit_, meaning_, source_, used_when_;
  std::function<bool()> is_used_;
  Origin origin_ = Origin::kChoice;
  double lowest_ = -std::numeric_limits<double>::infinity();
  double highest_ = std::numeric_limits<double>::infinity();
  double above_ = -std::numeric_limits<double>::infinity();
  std::int64_t type_lowest_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t type_highest_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t multiple_ = 1;
  bool power_of_two_ = false;
  std::vector<std::string> choices_;
  std::vector<std::pair<std::string, std::string>> spellings_;  // and the choice that each means
  std::function<void(const Node&, const std::string& path)> read_;
  std::function<Node()> dump_;
  std::shared_ptr<void> prototype_;  // the item that children_ of a list of structs describes
  std::shared_ptr<Fields> children_;
  Location given_at_;
};

/// One value that a result rests on and that is not published.
struct Assumption {
  std::string key;  // dotted path
  std::string value;
  std::string unit;
  std::string meaning;
  std::string source;    // why this value
  std::string given_at;  // "default", or the file and line that set it
};

namespace detail {
template <class T, class = void>
struct is_described : std::false_type {};
template <class T>
struct is_described<T, std::void_t<decltype(std::declval<T&>().describe(std::declval<Fields&>()))>> : std::true_type {};
template <class T>
struct item_of {};
template <class T>
struct item_of<std::vector<T>> {
  using type = T;
};
template <class T>
struct item_of<std::optional<T>> {
  using type = T;
};
Node dump_integer(std::int64_t value);
Node dump_number(double value);
Node dump_bool(bool value);
}  // namespace detail

class Fields {
 public:
  /// Describes one field.
  template <class T>
  Field& add(std::string key, T& value);
  /// Describes a field with named values.
  template <class E>
  Field& add(std::string key, E& value, const NameTable<std::common_type_t<E>>& names);
  /// Describes a key that sets several whole numbers which have keys of their own. Keys take effect in the order of the
  /// document.
  Field& add_shorthand(std::string key, std::vector<int*> values);
  /// Describes a list of pairs of whole numbers, [[1, 2], [3, 4]] or [1, 2, 3, 4].
  Field& add_pairs(std::string key, std::vector<std::pair<int, int>>& pairs);
  /// A rule over several fields, checked after reading; an empty text means that it holds. Reported at `key` (a field
  /// of this struct, or "" for the struct itself).
  void check(std::string key, std::function<std::string()> rule);

  const std::vector<std::unique_ptr<Field>>& all() const { return fields_; }
  const Field* find(const std::string& key) const;
  std::vector<std::string> keys() const;

  /// Reads a map into the struct; keys that are absent keep their value. Throws InputError.
  void read(const Node& map, const std::string& path = {});
  /// Checks ranges and rules of the current values. Throws InputError naming the key.
  void validate(const std::string& path = {}) const;
  /// The current values.
  Node dump() const;
  /// Appends the assumed values, in the order of the description.
  void assumptions(std::vector<Assumption>& out, const std::string& path = {}) const;
  /// A table of every key (Markdown): key, default, unit and range, meaning, source.
  std::string markdown(const std::string& path = {}) const;

 private:
  Field& append(std::string key, Field::Type type);
  void read_sources(const Node& map, const std::string& path);
  void run_checks(const Node* map, const std::string& path) const;
  void table_rows(std::string& out, const std::string& path) const;

  std::vector<std::unique_ptr<Field>> fields_;
  std::vector<std::pair<std::string, std::function<std::string()>>> checks_;
};

/// Reads a document into a struct that has describe().
template <class S>
void read(S& into, const Node& map, const std::string& path = {}) {
  Fields f;
  into.describe(f);
  f.read(map, path);
}

/// Checks a struct that was filled by code. Throws InputError naming the key.
template <class S>
void validate(const S& s, const std::string& path = {}) {
  S copy = s;
  Fields f;
  copy.describe(f);
  f.validate(path);
}

/// The values of a struct as a document.
template <class S>
Node dump(const S& s) {
  S copy = s;
  Fields f;
  copy.describe(f);
  return f.dump();
}

// ---------------------------------------------------------------------------------------------------------------------

template <class T>
Field& Fields::add(std::string key, T& value) {
  using detail::dump_bool;
  using detail::dump_integer;
  using detail::dump_number;
  if constexpr (std::is_same_v<T, bool>) {
    Field& f = append(std::move(key), Field::Type::kBool);
    f.read_ = [&f, &value](const Node& n, const std::string& path) { value = f.to_bool(n, path); };
    f.dump_ = [&value] { return dump_bool(value); };
    return f;
  } else if constexpr (std::is_integral_v<T>) {
    Field& f = append(std::move(key), Field::Type::kInteger);
    if constexpr (sizeof(T) < 8 || std::is_signed_v<T>) f.type_highest_ = std::numeric_limits<T>::max();
    f.type_lowest_ = std::numeric_limits<T>::min();
    f.read_ = [&f, &value](const Node& n, const std::string& path) { value = static_cast<T>(f.to_integer(n, path)); };
    f.dump_ = [&value] { return dump_integer(static_cast<std::int64_t>(value)); };
    return f;
  } else if constexpr (std::is_floating_point_v<T>) {
    Field& f = append(std::move(key), Field::Type::kNumber);
    f.read_ = [&f, &value](const Node& n, const std::string& path) { value = static_cast<T>(f.to_number(n, path)); };
    f.dump_ = [&value] { return dump_number(static_cast<double>(value)); };
    return f;
  } else if constexpr (std::is_same_v<T, std::string>) {
    Field& f = append(std::move(key), Field::Type::kText);
    f.read_ = [&f, &value](const Node& n, const std::string& path) { value = f.to_text(n, path); };
    f.dump_ = [&value] { return Node::scalar(value, true); };
    return f;
  } else if constexpr (std::is_same_v<T, Node>) {
    Field& f = append(std::move(key), Field::Type::kSection);
    f.read_ = [&f, &value](const Node& n, const std::string& path) {
      if (!n.is_map() && !n.is_null()) f.fail(n, path);
      value = n;
    };
    f.dump_ = [&value] { return value; };
    return f;
  } else if constexpr (detail::is_described<T>::value) {
    Field& f = append(std::move(key), Field::Type::kSection);
    f.children_ = std::make_shared<Fields>();
    value.describe(*f.children_);
    f.read_ = [&f](const Node& n, const std::string& path) { f.children_->read(n, path); };
    f.dump_ = [&f] { return f.children_->dump(); };
    return f;
  } else {
    using Item = typename detail::item_of<T>::type;
    if constexpr (std::is_same_v<T, std::optional<Item>>) {
      auto held = std::make_shared<Item>(value.value_or(Item{}));
      Field& f = add<Item>(std::move(key), *held);
      f.prototype_ = held;
      f.is_optional_ = true;
      f.read_ = [&value, held, read = f.read_](const Node& n, const std::string& path) {
        if (n.is_null()) {
          value.reset();
        } else {
          read(n, path);
          value = *held;
        }
      };
      f.dump_ = [&value, held, dump = f.dump_] {
        if (!value) return Node{};
        *held = *value;
        return dump();
      };
      return f;
    } else {
      static_assert(std::is_same_v<T, std::vector<Item>>, "a field of this type cannot be described");
      static_assert(!std::is_same_v<Item, bool>, "a list of bools cannot be described");
      auto prototype = std::make_shared<Item>();
      Field& f = add<Item>(std::move(key), *prototype);
      f.prototype_ = prototype;
      f.is_list_ = true;
      f.read_ = [&f, &value, prototype, read = f.read_](const Node& n, const std::string& path) {
        f.check_list(n, path);
        std::vector<Item> items;
        for (std::size_t i = 0; i < n.items.size(); ++i) {
          const std::string item_path = path + "[" + std::to_string(i) + "]";
          if constexpr (detail::is_described<Item>::value) {
            items.emplace_back();
            config::read(items.back(), n.items[i], item_path);
          } else {
            read(n.items[i], item_path);
            items.push_back(*prototype);
          }
        }
        value = std::move(items);
      };
      f.dump_ = [&value, prototype, dump = f.dump_] {
        Node list = Node::list();
        for (const Item& item : value) {
          if constexpr (detail::is_described<Item>::value) {
            list.items.push_back(config::dump(item));
          } else {
            *prototype = item;
            list.items.push_back(dump());
          }
        }
        return list;
      };
      return f;
    }
  }
}

template <class E>
Field& Fields::add(std::string key, E& value, const NameTable<std::common_type_t<E>>& names) {
  Field& f = append(std::move(key), Field::Type::kName);
  for (const auto& entry : names) f.choices_.push_back(entry.first);
  f.read_ = [&f, &value, names](const Node& n, const std::string& path) { value = names[f.to_choice(n, path)].second; };
  f.dump_ = [&value, names] { return Node::scalar(name_of(names, value), true); };
  return f;
}

}  // namespace harmonia::config
