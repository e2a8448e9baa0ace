// JSON text to nlohmann's values, for what is no configuration: lines of a trace, headers, results that are read back.
//
// Reads one JSON document (RFC 8259). Refuses what config::parse_json() refuses, with the byte where it stands: no JSON, an
// object that has a key twice, numbers that no double holds, documents that nest deeper than 64 levels.
// Does not model: a place for each value, and a limit on their number; that is config::parse_json().
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace harmonia::config {

/// Called with the byte of the text and what is wrong there; must throw.
using JsonFailure = std::function<void(std::size_t byte, const std::string& what)>;

/// Parses a document.
nlohmann::json parse_json_values(std::string_view text, const JsonFailure& fail);

/// Parses the text of a file. Throws InputError with file, line and column.
nlohmann::json parse_json_values(std::string_view text, const std::string& file);

}  // namespace harmonia::config
