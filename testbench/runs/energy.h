// Energy of what a machine has done so far, by component, from the counts of its blocks and the seeds of its
// configuration (accelerator.energy).
//
// Models: a fixed energy per multiply-accumulate, per bit at the DRAM pins and through the buffers, per decoded weight,
// per converted and per vector element, and static power.
// Does not model: activity-dependent switching, clock gating, DRAM states (hw/dram/energy.h has them).
#pragma once

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

/// `seconds` of simulated time count for static power. `per_token_j` is left for the caller.
EnergyResult energy_of(const Totals& totals, const pe::Config& pe, const accelerator::EnergyConfig& seeds,
                       double seconds);
/// Of a machine so far.
EnergyResult machine_energy(accelerator::Accelerator& machine, const accelerator::EnergyConfig& seeds, double seconds);

}  // namespace harmonia::testbench
