// Area and energy of an accelerator by figures measured on this project's RTL (docs/area.json, scripts/area --cells).
//
// Models: synthesis to one cell library, scaled to 28 or 16 nm, at the configuration's sizes: PE array by kind, lanes, rows and
// columns; decoder by weights a cycle and bits; converter, smoother and vector unit by lanes; buffers by a macro model of
// cell area and bank size; DMA engines and interconnect by their registers and multiplexers, which are counted, not
// synthesised; the DRAM's PHY by its bandwidth, assumed. Energy of a multiply-accumulate from the switching of mapped
// gates on operands of a real model. Static power by area, assumed. An array that takes less than a cycle for a group, which
// no RTL here does, is as many more PEs and aligners as it takes.
// Does not model: placement, wires, clock tree, glitches; exponentials and reciprocals of the vector unit; energy of the
// sequencer, of the DMA engines' descriptors and of how the smoother chooses offsets; what the time of a run is (no clock
// is set here).
#pragma once

#include <string>
#include <vector>

#include "harmonia/config/fields.h"
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
/// Measured energies of blocks for which accelerator.energy has no key, in pJ at config.energy.node. Aligner and smoother from
/// the switching of their mapped gates on stories260K; bits in the DMA engines and the interconnect from the registers and
/// multiplexers that measured_area() counts, each bit with an even chance of a change.
struct BlockEnergy {
  double aligner_pj_per_value = 0;  // 0 where no PE aligns at each read
  double smoother_pj_per_value = 0;
  double dma_pj_per_bit = 0, interconnect_pj_per_bit = 0;
};
BlockEnergy block_energy(const accelerator::AcceleratorConfig& config);
/// The figures that totals are counted with: those above or config.energy itself, as config.energy.source says.
accelerator::EnergyConfig counted_energy(const accelerator::AcceleratorConfig& config);
/// What measured figures rest on that no synthesis gives: scaling, SRAM, PHY, static power, what is counted by hand, and
/// the energy of blocks that none is counted for. Keys begin with "silicon.".
std::vector<config::Assumption> assumptions(const accelerator::AcceleratorConfig& config);
/// The clock at which a block's longest path fits, at config.energy.node.
struct Clock {
  std::string block;
  double mhz = 0;
};
/// Of every synthesised block that this machine has.
std::vector<Clock> fastest_clocks(const accelerator::AcceleratorConfig& config);
/// Of the slowest of them, which is the fastest that the machine reaches.
Clock fastest_clock(const accelerator::AcceleratorConfig& config);

}  // namespace harmonia::silicon
