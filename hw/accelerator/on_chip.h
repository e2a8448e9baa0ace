// What the plan of a step has to know of an accelerator, from its configuration.
#pragma once

#include "harmonia/hw/accelerator/config.h"
#include "harmonia/hw/program/on_chip.h"

namespace harmonia::accelerator {

OnChip on_chip(const AcceleratorConfig& config);

}  // namespace harmonia::accelerator
