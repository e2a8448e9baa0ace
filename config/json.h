// JSON text to config::Node.
//
// Reads one JSON document (RFC 8259) and keeps line and column of every key and value. Refuses with InputError, never a crash:
// duplicate keys, numbers out of range, documents that nest deeper than 64 levels or hold more than 100,000 values, files above
// 16 MiB, bytes that are no UTF-8 text. YAML readers take most JSON too, but not escapes of characters beyond U+FFFF, which JSON
// writes as two halves.
#pragma once

#include <string>
#include <string_view>

#include "harmonia/config/node.h"

namespace harmonia::config {

/// Parses a document. `file` is the name that locations carry.
Node parse_json(std::string_view text, const std::string& file);

/// Whether a text is to be read as JSON: its first character that is not white space is { and its first key is quoted, as in every
/// config.json. A flow map of YAML that begins in the same way is JSON too, or fails in both readers.
bool looks_like_json(std::string_view text);

}  // namespace harmonia::config
