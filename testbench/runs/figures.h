// From counts to the figures of a result: plain functions.
//
// Models: shares, rates and lower bounds that follow from the totals of a run and the configuration.
// Does not model: which run the totals are of, or whether they were simulated or interpolated.
#pragma once

#include <string>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/totals.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// What of a channel is no count that adds up over steps.
struct ChannelFacts {
  double peak_bytes_per_s = 0;
  int refresh_units = 1;  // that refresh apart from each other
  double queue_peak = 0;  // requests
  Distribution read_latency_s;
};

/// `seconds` is the time of the run that the totals are of.
BandwidthResult bandwidth_of(const Totals& totals, double peak_bytes_per_s, double seconds);
ChannelResult channel_of(const ChannelTotals& totals, const ChannelFacts& facts, double seconds);
/// `cycles`: the run's, of the accelerator's clock. Shares of each unit add up to 1.
std::vector<UnitResult> units_of(const Totals& totals, double cycles);
/// Name of a class in results.
const char* operation_name(accelerator::OperationClass c, bool single_linear);
/// Classes that took part in the run. single_linear: of a single matrix-vector product.
std::vector<OperationResult> operations_of(const Totals& totals, const Scenario& scenario, bool single_linear);
AreaResult area_of(const accelerator::AcceleratorConfig& config);
AddressMapResult address_map_of(const accelerator::MemoryMap& map, const accelerator::AcceleratorConfig& config);

/// Bytes of the stored weights, and bits that a weight of the linears takes with all its metadata.
struct WeightFigures {
  double bytes = 0, bits_per_weight = 0;
};
WeightFigures weights_of(const accelerator::MemoryMap& map, const accelerator::ModelShape& shape, bool single_linear);

/// What a reader of the figures has to know of the machine, a sentence each: a port slower than the memory, which may not
/// be seen from its keys; buffers and lanes that stand for a GPU's, which have no area of the card.
std::vector<std::string> machine_notices(const accelerator::AcceleratorConfig& config);

/// What mixtures of experts read, for each of `tokens` tokens.
MixtureResult mixture_of(const Totals& t, const accelerator::ModelShape& shape, double tokens);

}  // namespace harmonia::testbench
