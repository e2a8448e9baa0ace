// Configuration of the vector unit: lanes, latency, cost of an exponential.
#pragma once

#include "harmonia/config/fields.h"

namespace harmonia::vector {

struct Config {
  int lanes = 64;
  int pipeline_cycles = 8;
  int exp_cycles_per_element = 1;
  double clock_mhz = 500;  // set by the machine, one clock for all blocks
  void describe(config::Fields& f);
};

}  // namespace harmonia::vector
