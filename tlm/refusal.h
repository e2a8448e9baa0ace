// How a block says no to what it was sent: an error response, and a report that names the field.
#pragma once

#include <string>
#include <systemc>
#include <tlm>

namespace harmonia::bus {

/// The report of a refusal. A warning, because the sender learns of the fault from the response: whoever does not look at
/// responses ends with an error of its own (InitiatorCore), everybody else goes on.
inline void report_refusal(const std::string& socket, const std::string& why) {
  SC_REPORT_WARNING("/harmonia/bus/refused", (socket + ": " + why).c_str());
}

}  // namespace harmonia::bus
