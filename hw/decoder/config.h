// Configuration of the K-means LUT decoder: rates, latency, cost of a new codebook.
#pragma once

#include <vector>

#include "harmonia/config/fields.h"

namespace harmonia::decoder {

/// A decode rate that holds for one index width: how a software decoder that slows down with more bits is described.
struct Rate {
  int bits = 4;
  double weights_per_cycle = 1024;
  void describe(config::Fields& f);
};

struct Config {
  double weights_per_cycle = 1024;
  std::vector<Rate> rates;
  int pipeline_cycles = 3;
  int reload_cycles_per_entry = 1;
  double clock_mhz = 500;  // set by the machine, one clock for all blocks
  void describe(config::Fields& f);

  /// Weights a cycle at an index width.
  double rate(int bits) const {
    for (const Rate& r : rates)
      if (r.bits == bits) return r.weights_per_cycle;
    return weights_per_cycle;
  }
};

}  // namespace harmonia::decoder
