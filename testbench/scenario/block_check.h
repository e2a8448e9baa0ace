// Whether the blocks that a scenario wants as RTL can be RTL.
// Models: what this program was built with and what the RTL supports. Does not model: your own RTL's limits.
#pragma once

#include "harmonia/config/node.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// Throws config::InputError, at the place of the choice in `blocks` when that is given.
void check_blocks(const Scenario& scenario, const config::Node* blocks = nullptr);

}  // namespace harmonia::testbench
