// Coverage in the XML of the Unified Coverage Interoperability Standard (Accellera UCIS 1.0, chapter 9), as FC4SC and readers
// of its files know it: a `ucis:cgInstance` for each covergroup, bins with `ucis:range`, crosses with `ucis:index`.
//
// Models: history nodes (runs), covergroups, coverpoints, crosses, kinds of bins, at_least, hits. Does not model: code
//   coverage, assertions and source positions (the line is 1): elements of other tools' coverage are refused by name.
#pragma once

#include <iosfwd>
#include <string>

#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::coverage {

void write_ucis(const Database& database, std::ostream& out);

/// Throws config::InputError with the place in the text. `name` is the file's, for messages.
Database read_ucis(const std::string& text, const std::string& name);

}  // namespace harmonia::coverage
