// Energy of what a machine has done so far, by component, from the counts of its blocks and the seeds of its
// configuration (accelerator.energy).
//
// Models: the DRAM by its channels' commands and currents (hw/dram/energy.h), by a figure a bit only where a channel
// states no currents; a fixed energy per multiply-accumulate, per bit through the buffers, per decoded weight, per
// converted and per vector element, and static power; by measured figures also per aligned activation, per value of a key
// that loses its offset, and per bit of a request through DMA engine and interconnect.
// Does not model: activity-dependent switching, clock gating, the DRAM's interface.
#pragma once

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/runs/totals.h"

namespace harmonia::testbench {

/// `seconds` is the time of the run: static power counts in all of it, and idle DRAM in what of it no step took.
/// `per_token_j` is left for the caller.
EnergyResult energy_of(const Totals& totals, const accelerator::AcceleratorConfig& config, double seconds);
/// Of a machine so far.
EnergyResult machine_energy(accelerator::Accelerator& machine, double seconds);

}  // namespace harmonia::testbench
