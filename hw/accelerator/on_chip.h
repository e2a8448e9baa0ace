// What the plan of a step has to know of an accelerator, from its configuration.
#pragma once

#include <cstdint>

#include "harmonia/hw/accelerator/config.h"
#include "harmonia/hw/program/on_chip.h"

namespace harmonia::accelerator {

OnChip on_chip(const AcceleratorConfig& config);

/// Period of the clock that all blocks share, in picoseconds: that of config.clock_mhz, rounded to a whole number.
std::uint64_t clock_ps(const AcceleratorConfig& config);
/// The frequency of that period, MHz.
double clock_mhz(const AcceleratorConfig& config);

}  // namespace harmonia::accelerator
