// A configuration document as a tree of scalars, lists and maps, each knowing where it was written.
//
// Models: what a YAML or JSON file says, and what `--set path.to.key=value` adds to it.
// Does not model: types. A scalar is text until config/fields.h reads it into a config struct.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"

namespace harmonia::config {

struct Member;

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string text;     // of a scalar
  bool quoted = false;  // the scalar is text even when it looks like a number
  Location where;
  std::vector<Node> items;      // of a list
  std::vector<Member> members;  // of a map, in the order written

  static Node scalar(std::string text_, bool quoted_ = false, Location where_ = {});
  static Node list(std::vector<Node> items_ = {});
  static Node map();

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }

  /// The value of a key of a map; nullptr when this is no map or has no such key.
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  /// Sets (replaces or appends) a key of a map.
  Node& set(std::string key, Node value, Location key_where = {});
  /// Removes a key and returns whether it was there.
  bool erase(std::string_view key);
};

struct Member {
  std::string key;
  Location where;
  Node value;
};

/// Equal in kind, text and contents in the order written; where they were written does not count.
bool operator==(const Node& a, const Node& b);
inline bool operator!=(const Node& a, const Node& b) { return !(a == b); }

/// Lays `over` on `base`: maps merge key by key, anything else replaces.
void merge(Node& base, const Node& over);

/// "a map", "a list", "the value 'x'", "nothing": what an error message says was found.
std::string describe_found(const Node& node);

/// User text made fit for a terminal: what would steer it (control characters, also those of two bytes) and what is no
/// UTF-8 is written as \xNN.
std::string escaped(std::string_view text);

/// User text made fit for an error message: escaped(), long text cut.
std::string printable(std::string_view text);

/// The candidate nearest to `word` by edit distance, or an empty string when none is near enough to be a misspelling of
/// it.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; nearest known key is 'rows'" or, when nothing is near, "; expected one of: a, b, c". `what` is "key", "preset",
/// ...
std::string nearest_hint(std::string_view word, const std::vector<std::string>& candidates, std::string_view what);

}  // namespace harmonia::config
