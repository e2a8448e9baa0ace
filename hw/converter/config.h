// Configuration of the FP16-to-BFP converter: lanes, latency, and how much of a growing V group it keeps.
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"

namespace harmonia::converter {

struct Config {
  int stages = 4;
  int lanes = 2;
  int k_path_extra_cycles = 0;
  std::uint32_t growing_channels = 128;
  double clock_mhz = 500;  // set by the machine, one clock for all blocks
  void describe(config::Fields& f);
};

}  // namespace harmonia::converter
