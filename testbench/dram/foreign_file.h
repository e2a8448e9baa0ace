// Configurations and traces of other simulators that look like ours and are not: recognised, so that the message can say what they
// are and what to do.
#pragma once

#include <string>
#include <string_view>

#include "harmonia/config/node.h"

namespace harmonia::testbench {

/// What a file of another simulator is, by its first line with contents ("a configuration of DRAMsim3 (INI)"); empty when it is
/// none that is known.
std::string foreign_by_line(std::string_view first_line);

/// The same by the keys of a YAML or JSON document.
std::string foreign_by_keys(const config::Node& document);

/// Throws config::InputError at `file` that says what it is and what to give instead, when either of the above knows it.
void refuse_foreign(const std::string& file, std::string_view first_line);
void refuse_foreign(const std::string& file, const config::Node& document);

}  // namespace harmonia::testbench
