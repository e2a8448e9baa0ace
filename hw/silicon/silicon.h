// Area and energy of an accelerator by figures measured on this project's RTL (docs/area.json, scripts/area --cells).
//
// Models: synthesis to one cell library, scaled to 28 or 16 nm, at the configuration's sizes: PE array by kind, lanes, rows and
// columns; decoder by weights a cycle and bits; converter, smoother and vector unit by lanes; buffers by a macro model of
// cell area and bank size; DMA engines and interconnect by their registers and multiplexers, which are counted, not
// synthesised; the DRAM's PHY by its bandwidth, assumed. Energy of a multiply-accumulate from the switching of mapped
// gates on operands of a real model. Static power by area, assumed.
// Does not model: placement, wires, clock tree, glitches; exponentials and reciprocals of the vector unit; energy of the
// smoother, DMA and interconnect; what the time of a run is (no clock is set here).
#pragma once

#include <string>
#include <vector>

#include "harmonia/hw/accelerator/config.h"

namespace harmonia::silicon {

struct Part {
  std::string component;
  double mm2 = 0;
};

/// At config.energy.node.
std::vector<Part> measured_area(const accelerator::AcceleratorConfig& config);
/// config.energy with its on-chip figures replaced by measured ones. What belongs to the DRAM stays.
accelerator::EnergyConfig measured_energy(const accelerator::AcceleratorConfig& config);
/// The clock at which the longest path of a PE of this kind fits, in MHz.
double fastest_pe_mhz(const accelerator::AcceleratorConfig& config);

}  // namespace harmonia::silicon
