#include "harmonia/tlm/fault.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

namespace harmonia::bus {
namespace {

constexpr std::array<const char*, kFaultKinds.size()> kNames = {
    "flipped_bit", "flipped_cell", "wrong_length", "lost", "doubled", "late", "reordered", "error_status"};

std::uint64_t number_of(const std::string& text, const std::string& part, const char* what) {
  const bool digits = !part.empty() && part.size() < 19 && part.find_first_not_of("0123456789") == std::string::npos;
  if (!digits)
    throw config::InputError("the " + std::string(what) + " of the fault '" + config::printable(text) + "' is '" +
                             config::printable(part) + "', expected a whole number");
  return std::stoull(part);
}

}  // namespace

const char* name_of(FaultKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::string text_of(const Fault& f) {
  return std::string(name_of(f.kind)) + ":" + f.socket + ":" + std::to_string(f.transaction) + ":" +
         std::to_string(f.amount);
}

Fault fault_of(const std::string& text) {
  std::vector<std::string> parts = {""};
  for (const char c : text) {
    if (c == ':')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (parts.size() != 4)
    throw config::InputError("the fault is '" + config::printable(text) +
                             "', expected KIND:SOCKET:TRANSACTION:AMOUNT as the campaign prints it");
  const auto* const kind = std::find(kNames.begin(), kNames.end(), parts[0]);
  if (kind == kNames.end())
    throw config::InputError("the fault's kind is '" + config::printable(parts[0]) + "'" +
                             config::nearest_hint(parts[0], {kNames.begin(), kNames.end()}, "kind of fault"));
  return {static_cast<FaultKind>(kind - kNames.begin()), parts[1], number_of(text, parts[2], "transaction"),
          number_of(text, parts[3], "amount")};
}

}  // namespace harmonia::bus
