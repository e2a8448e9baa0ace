// A number of cycles of a block's own clock, without SystemC; clock.h relates it to simulated time.
#pragma once

#include <cstdint>

namespace harmonia::bus {

using Cycle = std::uint64_t;

}  // namespace harmonia::bus
