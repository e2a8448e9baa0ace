// Configuration of the outlier smoother: whether it subtracts offsets, how many, how fast.
#pragma once

#include "harmonia/config/fields.h"

namespace harmonia::smoother {

struct Config {
  bool online = true;
  int channels_per_head = 4;
  int lanes = 64;
  int stages = 3;
  double clock_mhz = 500;  // set by the machine, one clock for all blocks
  void describe(config::Fields& f);
};

}  // namespace harmonia::smoother
