#include "harmonia/config/node.h"

#include <algorithm>
#include <cstddef>

#include "harmonia/config/utf8.h"

namespace harmonia::config {

Node Node::scalar(std::string text_, bool quoted_, Location where_) {
  Node n;
  n.kind = Kind::kScalar;
  n.text = std::move(text_);
  n.quoted = quoted_;
  n.where = std::move(where_);
  return n;
}

Node Node::list(std::vector<Node> items_) {
  Node n;
  n.kind = Kind::kList;
  n.items = std::move(items_);
  return n;
}

Node Node::map() {
  Node n;
  n.kind = Kind::kMap;
  return n;
}

const Node* Node::find(std::string_view key) const {
  for (const Member& m : members)
    if (m.key == key) return &m.value;
  return nullptr;
}

Node* Node::find(std::string_view key) {
  for (Member& m : members)
    if (m.key == key) return &m.value;
  return nullptr;
}

Node& Node::set(std::string key, Node value, Location key_where) {
  if (!is_map()) {
    Location at = where;
    *this = map();
    where = at.file.empty() ? key_where : at;
  }
  for (Member& m : members) {
    if (m.key != key) continue;
    m.where = std::move(key_where);
    m.value = std::move(value);
    return m.value;
  }
  members.push_back({std::move(key), std::move(key_where), std::move(value)});
  return members.back().value;
}

bool Node::erase(std::string_view key) {
  const auto at = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.key == key; });
  if (at == members.end()) return false;
  members.erase(at);
  return true;
}

bool operator==(const Node& a, const Node& b) {
  const auto same = [](const Member& x, const Member& y) { return x.key == y.key && x.value == y.value; };
  return a.kind == b.kind && a.text == b.text && a.quoted == b.quoted && a.items == b.items &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(), same);
}

void merge(Node& base, const Node& over) {
  if (!base.is_map() || !over.is_map()) {
    base = over;
    return;
  }
  for (const Member& m : over.members) {
    if (Node* mine = base.find(m.key)) {
      merge(*mine, m.value);
    } else {
      base.members.push_back(m);
    }
  }
}

std::string describe_found(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
    case Node::Kind::kScalar:
      break;
  }
  return "'" + printable(node.text) + "'";
}

namespace {

/// The next character, escaped where it must be, and how many bytes it takes of the text.
std::string next_escaped(std::string_view text, std::size_t& taken) {
  static constexpr char kHex[] = "0123456789abcdef";
  const std::size_t length = utf8_length(text);
  taken = std::max<std::size_t>(length, 1);
  const std::string_view character = text.substr(0, taken);
  if (length > 0 && !is_control(character)) return std::string(character);
  std::string out;
  for (const char c : character) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t taken = 0; !text.empty(); text.remove_prefix(taken)) out += next_escaped(text, taken);
  return out;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string out;
  for (std::size_t taken = 0; !text.empty(); text.remove_prefix(taken)) {
    if (out.size() >= kLongest) return out + "...";
    out += next_escaped(text, taken);
  }
  return out;
}

namespace {

// Edit distance in which exchanging two neighbours counts as one step.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > 64) return {};  // no misspelling of any of our names, and the distance costs a product of lengths
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& c : candidates) {
    const std::size_t d = distance(word, c);
    if (d < best_distance && d < c.size()) {
      best = &c;
      best_distance = d;
    }
  }
  if (best) return *best;
  // A part of a longer name ("clock" for "clock_mhz") is far by edits and still what was meant.
  if (word.size() >= 3)
    for (const std::string& c : candidates)
      if (c.find(word) != std::string::npos) return c;
  return {};
}

std::string nearest_hint(std::string_view word, const std::vector<std::string>& candidates, std::string_view what) {
  const std::string near = nearest(word, candidates);
  if (!near.empty()) return "; nearest known " + std::string(what) + " is '" + printable(near) + "'";
  if (candidates.empty()) return "; there are no known " + std::string(what) + "s here";
  std::string text = "; expected one of: ";
  constexpr std::size_t kMost = 20;
  for (std::size_t i = 0; i < candidates.size() && i < kMost; ++i) text += (i ? ", " : "") + printable(candidates[i]);
  if (candidates.size() > kMost) text += ", ...";
  return text;
}

}  // namespace harmonia::config
