#include "harmonia/config/json_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "harmonia/config/counted_text.h"
#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

namespace harmonia::config {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepest = 64;

/// Builds the values from the parser's events.
class Builder {
 public:
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  Builder(std::string_view text, const JsonFailure& fail, const std::size_t& taken)
      : text_(text), fail_(fail), taken_(taken) {}

  json take() { return std::move(root_); }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(number_integer_t value) { return add(value); }
  bool number_unsigned(number_unsigned_t value) { return add(value); }
  bool number_float(number_float_t value, const string_t& /*written*/) { return add(value); }
  bool string(string_t& value) { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) { return false; }

  bool start_object(std::size_t /*size*/) { return open(json::object()); }
  bool start_array(std::size_t /*size*/) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(string_t& name) {
    const auto [at, is_new] = open_.back()->get_ref<json::object_t&>().emplace(name, nullptr);
    if (!is_new) refuse(begin_of_key(), "key '" + printable(name) + "' is there twice, expected once");
    value_ = &at->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/, const nlohmann::detail::exception& e) {
    // Of the library's identifiers 406 alone is about a number that no double holds.
    refuse(std::min(position == 0 ? 0 : position - 1, text_.size()),
           e.id == 406 ? "a number that is out of range" : "this is not valid JSON");
  }

 private:
  [[noreturn]] void refuse(std::size_t byte, const std::string& what) const {
    fail_(byte, what);
    throw std::logic_error("a failure of JSON text was not thrown");
  }

  /// The byte that the parser took last.
  std::size_t before() const { return taken_ == 0 ? 0 : taken_ - 1; }

  /// Where the key begins whose closing quote has just been taken: every quote inside it stands behind a backslash.
  std::size_t begin_of_key() const {
    std::size_t at = before();
    while (at > 0)
      if (text_[--at] == '"' && (at == 0 || text_[at - 1] != '\\')) break;
    return at;
  }

  json* put(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) return &open_.back()->get_ref<json::array_t&>().emplace_back(std::move(value));
    return &(*value_ = std::move(value));
  }
  bool add(json value) {
    put(std::move(value));
    return true;
  }
  bool open(json container) {
    if (open_.size() >= kDeepest)
      refuse(before(), fmt::format("nested too deeply, expected at most {} levels", kDeepest));
    open_.push_back(put(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const JsonFailure& fail_;
  const std::size_t& taken_;
  json root_;
  std::vector<json*> open_;  // the containers that are not complete, the innermost last
  json* value_ = nullptr;    // of the key that was read last
};

}  // namespace

json parse_json_values(std::string_view text, const JsonFailure& fail) {
  std::size_t taken = 0;
  Builder builder(text, fail, taken);
  json::sax_parse(CountedText(text.data(), &taken), CountedText(text.data() + text.size(), &taken), &builder);
  return builder.take();
}

json parse_json_values(std::string_view text, const std::string& file) {
  return parse_json_values(text, [&](std::size_t byte, const std::string& what) {
    const std::string_view before = text.substr(0, byte);
    const std::size_t newline = before.rfind('\n');
    throw InputError({file, static_cast<int>(1 + std::count(before.begin(), before.end(), '\n')),
                      static_cast<int>(newline == std::string_view::npos ? byte + 1 : byte - newline)},
                     what);
  });
}

}  // namespace harmonia::config
