#include "harmonia/config/utf8.h"

#include "harmonia/config/node.h"

namespace harmonia::config {

namespace {

unsigned byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned first = byte_at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = (first >> 5) == 6 ? 2 : (first >> 4) == 14 ? 3 : (first >> 3) == 30 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  unsigned code = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned byte = byte_at(text, i);
    if ((byte >> 6) != 2) return 0;
    code = (code << 6) | (byte & 0x3f);
  }
  constexpr unsigned kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // what fewer bytes cannot say
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < kLeast[length] || surrogate || code > 0x10ffff ? 0 : length;
}

bool is_control(std::string_view character) {
  if (character.size() == 1) return byte_at(character, 0) < 0x20 || byte_at(character, 0) == 0x7f;
  return character.size() == 2 && byte_at(character, 0) == 0xc2 && byte_at(character, 1) < 0xa0;
}

std::string describe(Fault fault) {
  return fault == Fault::kControl ? "a control character" : "a byte that is not UTF-8";
}

TextFault find_fault(std::string_view text, std::string_view allowed) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return {Fault::kNotUtf8, at};
    if (is_control(text.substr(at, length)) && (length > 1 || allowed.find(text[at]) == std::string_view::npos))
      return {Fault::kControl, at};
    at += length;
  }
  return {};
}

void require_text(std::string_view text, const Location& where, std::string_view allowed) {
  const TextFault found = find_fault(text, allowed);
  if (found.fault != Fault::kNone)
    throw InputError(where, "'" + printable(text) + "' holds " + describe(found.fault) + ", expected text");
}

}  // namespace harmonia::config
