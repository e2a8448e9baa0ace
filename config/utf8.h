// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "harmonia/config/error.h"

namespace harmonia::config {

/// Bytes of the character that a text begins with; 0 when they are no UTF-8, or when the text is empty.
std::size_t utf8_length(std::string_view text);

/// Whether a character (its bytes) is a control character: U+0000 to U+001F, U+007F to U+009F.
bool is_control(std::string_view character);

/// What a place of a text is no good for.
enum class Fault { kNone, kNotUtf8, kControl };

struct TextFault {
  Fault fault = Fault::kNone;
  std::size_t at = 0;  // byte
};

/// "a byte that is not UTF-8", "a control character".
std::string describe(Fault fault);

/// The first byte that is no UTF-8, or control character other than those in `allowed`.
TextFault find_fault(std::string_view text, std::string_view allowed = "\t\n\r");

/// Throws InputError at `where` when a value or key of a document holds what find_fault() finds: names come back in
/// results and on terminals, after the work is done.
void require_text(std::string_view text, const Location& where, std::string_view allowed = "\t\n\r");

}  // namespace harmonia::config
