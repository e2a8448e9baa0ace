#include "harmonia/config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "harmonia/config/json.h"
#include "harmonia/config/utf8.h"

namespace harmonia::config {
namespace {

constexpr std::size_t kMostBytes = 4u << 20;
constexpr std::size_t kMostValues = 100000;
constexpr std::size_t kDeepest = 64;

std::size_t count_values(const Node& node) {
  std::size_t n = 1;
  for (const Node& item : node.items) n += count_values(item);
  for (const Member& m : node.members) n += 1 + count_values(m.value);
  return n;
}

std::size_t depth_of(const Node& node) {
  std::size_t deepest = 0;
  for (const Node& item : node.items) deepest = std::max(deepest, 1 + depth_of(item));
  for (const Member& m : node.members) deepest = std::max(deepest, 1 + depth_of(m.value));
  return deepest;
}

// Builds the tree from the parser's events, so that every limit holds before memory is spent.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string file) : file_(std::move(file)) {}

  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node n;
    n.where = at(mark);
    value(std::move(n), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end())
      throw InputError(at(mark), "an alias to a value that contains it, expected a finished value");
    const std::size_t more = count_values(known->second);
    if (values_ + more > kMostValues) too_many(at(mark));
    if (stack_.size() + depth_of(known->second) > kDeepest) too_deep(at(mark));
    values_ += more;
    value(Node(known->second), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_tag(mark, tag);
    require_text(text, at(mark));
    if (tag != "!" && (text == "~" || text == "null" || text.empty())) return OnNull(mark, anchor);
    value(Node::scalar(text, tag == "!", at(mark)), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(Node::list(), mark, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(Node::map(), mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    Location key_where;
    std::map<std::string, int> seen;  // key -> line
  };

  Location at(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  [[noreturn]] static void too_many(const Location& where) {
    throw InputError(where, fmt::format("too many values, expected at most {} with aliases expanded", kMostValues));
  }
  [[noreturn]] static void too_deep(const Location& where) {
    throw InputError(where, fmt::format("nested too deeply, expected at most {} levels", kDeepest));
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "!" || tag == "?") return;
    throw InputError(at(mark), "tag '" + printable(tag) + "', expected a plain value");
  }

  void open(Node node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (stack_.size() >= kDeepest) too_deep(at(mark));
    if (!stack_.empty() && stack_.back().node.is_map() && !stack_.back().has_key)
      throw InputError(at(mark), "a map or list as a key, expected a name");
    node.where = at(mark);
    stack_.push_back({std::move(node), anchor, false, {}, {}, {}});
  }

  void close() {
    Open top = std::move(stack_.back());
    stack_.pop_back();
    value(std::move(top.node), top.anchor);
  }

  void value(Node node, YAML::anchor_t anchor) {
    if (++values_ > kMostValues) too_many(node.where);
    if (anchor) anchors_[anchor] = node;
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& top = stack_.back();
    if (top.node.is_list()) {
      top.node.items.push_back(std::move(node));
    } else if (!top.has_key) {
      if (!node.is_scalar()) throw InputError(node.where, describe_found(node) + " as a key, expected a name");
      const auto [earlier, is_new] = top.seen.emplace(node.text, node.where.line);
      if (!is_new)
        throw InputError(node.where, fmt::format("key '{}' appears twice, expected it once (first at line {})",
                                                 printable(node.text), earlier->second));
      top.has_key = true;
      top.key = node.text;
      top.key_where = node.where;
    } else {
      top.has_key = false;
      top.node.members.push_back({std::move(top.key), std::move(top.key_where), std::move(node)});
    }
  }

  std::string file_;
  Node root_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t values_ = 0;
};

Location location_of(std::string_view text, std::size_t offset, const std::string& file) {
  Location where{file, 1, 1};
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++where.line;
      where.column = 1;
    } else {
      ++where.column;
    }
  }
  return where;
}

// The scanner's cost and recursion grow with the nesting of brackets, so that is bounded before it sees the text.
// Brackets in comments and quoted text count too: no document nests 1,000 of those either.
void check_brackets(std::string_view text, const std::string& file) {
  std::size_t open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[' || text[i] == '{') {
      if (++open > 1000) throw InputError(location_of(text, i, file), "nested too deeply, expected at most 64 levels");
    } else if ((text[i] == ']' || text[i] == '}') && open > 0) {
      --open;
    }
  }
}

void emit(YAML::Emitter& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out << YAML::Null;
      break;
    case Node::Kind::kScalar: {
      // Text that reads as something else needs its quotes.
      std::istringstream number(node.text);
      double as_number = 0;
      const bool special = node.text.empty() || node.text == "null" || node.text == "~" || node.text == "true" ||
                           node.text == "false" || (number >> as_number && number.peek() == EOF);
      if (node.quoted && special) out << YAML::DoubleQuoted;
      out << node.text;
      break;
    }
    case Node::Kind::kList: {
      bool plain = true;
      for (const Node& item : node.items) plain = plain && item.is_scalar();
      if (plain) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Node& item : node.items) emit(out, item);
      out << YAML::EndSeq;
      break;
    }
    case Node::Kind::kMap:
      if (node.members.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const Member& m : node.members) {
        out << YAML::Key << m.key << YAML::Value;
        emit(out, m.value);
      }
      out << YAML::EndMap;
      break;
  }
}

nlohmann::ordered_json json_of(const Node& node) {
  using Json = nlohmann::ordered_json;
  switch (node.kind) {
    case Node::Kind::kNull:
      return nullptr;
    case Node::Kind::kScalar: {
      if (node.quoted) return node.text;
      Json parsed = Json::parse(node.text, nullptr, false);
      return parsed.is_number() || parsed.is_boolean() ? parsed : Json(node.text);
    }
    case Node::Kind::kList: {
      Json list = Json::array();
      for (const Node& item : node.items) list.push_back(json_of(item));
      return list;
    }
    case Node::Kind::kMap:
      break;
  }
  Json map = Json::object();
  for (const Member& m : node.members) map[m.key] = json_of(m.value);
  return map;
}

}  // namespace

namespace {

Node parse_yaml_document(std::string_view text, const std::string& file) {
  if (text.size() > kMostBytes)
    throw InputError({file, 0, 0}, fmt::format("{} bytes, expected at most {}", text.size(), kMostBytes));
  const bool has_bom = text.substr(0, 3) == "\xef\xbb\xbf";
  // yaml-cpp would replace such bytes without a word.
  if (const TextFault found = find_fault(text); found.fault != Fault::kNone)
    throw InputError(location_of(text, found.at, file), describe(found.fault) + ", expected a YAML or JSON document");
  check_brackets(text, file);
  std::istringstream in{std::string(has_bom ? text.substr(3) : text)};
  Builder builder(file);
  try {
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) {
      Node empty;
      empty.where = {file, 1, 1};
      return empty;
    }
    Node root = builder.take();
    Builder second(file);
    if (parser.HandleNextDocument(second)) {
      const Node more = second.take();
      throw InputError(more.where.file.empty() ? Location{file, 0, 0} : more.where,
                       "a second document, expected one document in a file");
    }
    return root;
  } catch (const YAML::Exception& e) {
    Location where{file, e.mark.line + 1, e.mark.column + 1};
    if (e.mark.is_null()) where = {file, 0, 0};
    throw InputError(where, "not readable as YAML: " + printable(e.msg) + ", expected a document such as `key: value`");
  }
}

}  // namespace

Node parse_yaml(std::string_view text, const std::string& file) {
  if (!looks_like_json(text)) return parse_yaml_document(text, file);
  try {
    return parse_json(text, file);
  } catch (const InputError&) {
    // A flow map of YAML may begin as JSON does; what is neither is reported as JSON, which it looks like.
    try {
      return parse_yaml_document(text, file);
    } catch (const InputError&) {
    }
    throw;
  }
}

namespace {

FilesRead* listener = nullptr;

}  // namespace

FilesRead::FilesRead() { listener = this; }
FilesRead::~FilesRead() { listener = nullptr; }

std::string read_text_file(const std::string& file, std::size_t most_bytes) {
  std::ifstream opened;
  std::istream* in = &std::cin;
  if (listener && file != "-") listener->names_.insert(file);
  if (file != "-") {
    opened.open(file, std::ios::binary);
    if (!opened) throw InputError({file, 0, 0}, "cannot be opened, expected a readable file");
    in = &opened;
  }
  std::string text;
  std::vector<char> buffer(1u << 16);
  while (in->read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in->gcount() > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(in->gcount()));
    if (text.size() > most_bytes)
      throw InputError({file, 0, 0}, fmt::format("larger than {} bytes, expected a smaller file", most_bytes));
  }
  if (in->bad() || (text.empty() && file != "-" && opened.bad()))
    throw InputError({file, 0, 0}, "cannot be read, expected a readable file");
  return text;
}

Node read_yaml(const std::string& file) {
  return parse_yaml(read_text_file(file, kMostBytes), file == "-" ? "standard input" : file);
}

std::string to_yaml(const Node& node) {
  YAML::Emitter out;
  emit(out, node);
  return std::string(out.c_str()) + "\n";
}

std::string to_json(const Node& node, int indent) { return json_of(node).dump(indent); }

Override parse_override(const std::string& text) {
  const Location where{"--set " + printable(text), 0, 0};
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw InputError(where, "no '=' after the key, expected --set path.to.key=value");
  Override over;
  over.path = text.substr(0, equals);
  if (over.path.front() == '.' || over.path.back() == '.' || over.path.find("..") != std::string::npos)
    throw InputError(where, "an empty name in '" + printable(over.path) + "', expected path.to.key");
  over.value = parse_yaml(text.substr(equals + 1), where.file);
  // Lines and columns within a command-line argument are of no use to the reader.
  const std::function<void(Node&)> strip = [&](Node& n) {
    n.where = where;
    for (Node& item : n.items) strip(item);
    for (Member& m : n.members) {
      m.where = where;
      strip(m.value);
    }
  };
  strip(over.value);
  return over;
}

void apply(Node& document, const Override& over, const Expand& expand) {
  Node* at = &document;
  std::string walked;
  std::string rest = over.path;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string key = rest.substr(0, dot);
    if (at->is_scalar() && expand) expand(walked, *at);
    if (at->is_null()) {
      const Location where = at->where;
      *at = Node::map();
      at->where = where.file.empty() ? over.value.where : where;
    }
    if (!at->is_map())
      throw InputError(over.value.where, "'" + printable(walked) + "' is " + describe_found(*at) +
                                             ", expected a map that could hold '" + printable(key) + "'");
    Node* next = at->find(key);
    if (dot == std::string::npos) {
      at->set(key, over.value, over.value.where);
      return;
    }
    if (!next) {
      Node made = Node::map();
      made.where = over.value.where;
      next = &at->set(key, std::move(made), over.value.where);
    }
    walked += (walked.empty() ? "" : ".") + key;
    at = next;
    rest = rest.substr(dot + 1);
  }
}

}  // namespace harmonia::config
