#include "harmonia/config/error.h"

#include <fmt/format.h>

#include "harmonia/config/node.h"

namespace harmonia::config {
namespace {

std::string located(const Location& where, const std::string& message) {
  std::string text = escaped(where.file);
  if (where.line > 0) text += fmt::format(":{}", where.line);
  if (where.line > 0 && where.column > 0) text += fmt::format(":{}", where.column);
  return text.empty() ? message : text + ": " + message;
}

}  // namespace

InputError::InputError(const Location& where, const std::string& message)
    : std::runtime_error(located(where, message)) {}

}  // namespace harmonia::config
