// Keys of a scenario that nothing reads, because another key says so.
//
// Models: which key is read under which value of another one. A key that is written beside the one that makes it idle, or set on
// a scenario that makes it idle, is an error; where the other key alone was overridden, or both were, each by itself, it is a
// notice: scenarios and sweeps vary one key and keep the others.
// Does not model: keys of a workload's kind (scenario.cpp), of blocks (block_check.h) and of a DRAM channel.
#pragma once

#include <string>
#include <vector>

#include "harmonia/config/node.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// The notices. Throws config::InputError at the place of a key that its own scenario makes idle. `document` is what `scenario`
/// was read from, files of sections and overrides laid on it.
std::vector<std::string> settle_idle_keys(const config::Node& document, const Scenario& scenario);

/// Takes what nothing reads out of a resolved configuration, which so reads back as it is.
void erase_idle_keys(config::Node& resolved, const Scenario& scenario);

}  // namespace harmonia::testbench
