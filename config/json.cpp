#include "harmonia/config/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "harmonia/config/counted_text.h"
#include "harmonia/config/utf8.h"

namespace harmonia::config {
namespace {

constexpr std::size_t kMostBytes = 16u << 20;
constexpr std::size_t kMostValues = 100000;
constexpr std::size_t kDeepest = 64;
constexpr std::string_view kSpace = " \t\r\n";

class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  Builder(std::string_view text, std::string file, const std::size_t& taken)
      : text_(text), file_(std::move(file)), taken_(taken) {}

  Node take() { return std::move(root_); }

  bool null() { return add(Node{}, next()); }
  bool boolean(bool value) { return add(Node::scalar(value ? "true" : "false"), next()); }
  bool number_integer(number_integer_t value) { return add(Node::scalar(std::to_string(value)), next()); }
  bool number_unsigned(number_unsigned_t value) { return add(Node::scalar(std::to_string(value)), next()); }
  bool number_float(number_float_t /*value*/, const string_t& written) { return add(Node::scalar(written), next()); }
  bool string(string_t& value) {
    const Location where = next();
    require_text(value, where);
    return add(Node::scalar(value, true), where);
  }
  bool binary(binary_t& /*value*/) { return false; }

  bool start_object(std::size_t /*size*/) { return open(Node::map(), next()); }
  bool start_array(std::size_t /*size*/) { return open(Node::list(), next()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& name) {
    Open& top = stack_.back();
    top.key_where = next();
    top.key = name;
    require_text(name, top.key_where);
    if (!top.seen.insert(name).second)
      throw InputError(top.key_where, "key '" + printable(name) + "' is there twice, expected once");
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const nlohmann::detail::exception& e) {
    const std::size_t at = std::min(taken_ == 0 ? 0 : taken_ - 1, text_.size());
    // Of the library's identifiers 406 alone is about a number that no double holds.
    throw InputError(location(at), e.id == 406 ? "a number that is out of range" : "this is not valid JSON");
  }

 private:
  struct Open {
    Node node;
    std::string key;
    Location key_where;
    std::set<std::string> seen;
  };

  Location location(std::size_t at) const {
    const std::string_view before = text_.substr(0, at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    return {file_, static_cast<int>(line), static_cast<int>(newline == std::string_view::npos ? at + 1 : at - newline)};
  }

  /// Where the token that the parser has just taken begins: behind the one before, white space and punctuation.
  Location next() {
    std::size_t at = end_of_last_;
    while (at < text_.size() && (kSpace.find(text_[at]) != std::string_view::npos || text_[at] == ',' ||
                                 text_[at] == ':' || text_[at] == '}' || text_[at] == ']'))
      ++at;
    while (line_start_ <= at) {  // counts each line once
      const std::size_t newline = text_.find('\n', line_start_);
      if (newline == std::string_view::npos || newline >= at) break;
      line_start_ = newline + 1;
      ++line_;
    }
    // A number is known to be complete only when the character behind it has been taken.
    end_of_last_ = std::min(taken_, text_.size());
    if (at < text_.size() && text_[at] != '"' && text_[at] != '{' && text_[at] != '[')
      end_of_last_ = std::min(text_.find_first_of(",:]} \t\r\n", at), text_.size());
    return {file_, line_, static_cast<int>(at - line_start_) + 1};
  }

  void count(const Location& where) {
    if (++values_ > kMostValues)
      throw InputError(where, fmt::format("too many values, expected at most {}", kMostValues));
  }

  bool open(Node node, const Location& where) {
    if (stack_.size() >= kDeepest)
      throw InputError(where, fmt::format("nested too deeply, expected at most {} levels", kDeepest));
    node.where = where;
    stack_.push_back({std::move(node), {}, {}, {}});
    return true;
  }

  bool close() {
    Node node = std::move(stack_.back().node);
    stack_.pop_back();
    const Location where = node.where;
    return add(std::move(node), where);
  }

  bool add(Node node, const Location& where) {
    count(where);
    node.where = where;
    if (stack_.empty()) {
      root_ = std::move(node);
    } else if (Open& top = stack_.back(); top.node.is_list()) {
      top.node.items.push_back(std::move(node));
    } else {
      top.node.members.push_back({top.key, top.key_where, std::move(node)});
    }
    return true;
  }

  std::string_view text_;
  std::string file_;
  const std::size_t& taken_;
  std::size_t end_of_last_ = 0, line_start_ = 0, values_ = 0;
  int line_ = 1;
  std::vector<Open> stack_;
  Node root_;
};

}  // namespace

Node parse_json(std::string_view text, const std::string& file) {
  if (text.size() > kMostBytes)
    throw InputError({file, 0, 0}, fmt::format("has {} bytes, expected at most 16 MiB of JSON", text.size()));
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::size_t taken = 0;
  Builder builder(text, file, taken);
  nlohmann::json::sax_parse(CountedText(text.data(), &taken), CountedText(text.data() + text.size(), &taken), &builder);
  return builder.take();
}

bool looks_like_json(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  const std::size_t open = text.find_first_not_of(kSpace);
  if (open == std::string_view::npos || text[open] != '{') return false;
  const std::size_t key = text.find_first_not_of(kSpace, open + 1);
  return key != std::string_view::npos && text[key] == '"';
}

}  // namespace harmonia::config
