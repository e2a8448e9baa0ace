// What each point of a sweep can at best be, as a CSV, without simulating any of them (testbench/runs/bounds.h).
// Models: one row a point with its keys; points that are refused are rows with their reason. Does not model: the run.
#pragma once

#include <string>

#include "harmonia/testbench/compare/measured_quality.h"
#include "harmonia/testbench/sweep/sweep.h"

namespace harmonia::testbench {

/// Columns: point, status (`ok` or `failed`), reason, the keys, then figures by their names in sweep.csv. No run is below
/// time_per_token_s, time_to_first_token_s, energy_per_token_j and power_w, and none above tokens_per_s; area_mm2,
/// bits_per_weight, snr_db and effective_parameters are exact. A figure of which nothing is known is empty. With a `quality` source
/// there is the column perplexity too, measured once for all points with the same formats; a point whose PEs do not
/// multiply its weight format is refused.
std::string bounds_csv(const Sweep& sweep, const Library& library, const QualitySource* quality = nullptr);

}  // namespace harmonia::testbench
