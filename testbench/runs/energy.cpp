#include "harmonia/testbench/runs/energy.h"

#include <algorithm>
#include <numeric>

#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/silicon/silicon.h"
#include "harmonia/testbench/runs/machine_totals.h"

namespace harmonia::testbench {

namespace {

/// Of the multiply-accumulates. An operation of the array is 32 of one pass, so that operations beyond the products'
/// own are second passes or zeros that fill a group. Zeros count as second passes as long as there are products that may
/// have one, and as operations of one pass beyond that. Bit-serial `anda` works on M bits in the linears and on FP16's
/// 16 in attention; its energy is that of 8.
double array_pj(const Totals& t, const pe::Config& pe, const accelerator::EnergyConfig& e) {
  const double work = 32 * t.slots;
  if (pe.kind != accelerator::PeKind::anda) {
    const double beyond = work - t.macs, two_passes = std::min(beyond, t.macs);
    return (t.macs - two_passes + beyond - two_passes) * e.mac_pj + two_passes * e.mac_two_pass_pj;
  }
  double attention = 0;
  for (const auto c : {accelerator::OperationClass::attention_scores, accelerator::OperationClass::attention_values})
    attention += t.classes[static_cast<std::size_t>(c)].macs;
  return ((work - attention) * pe.mantissa_bits / 8 + attention * 2) * e.mac_pj;
}

/// The channels' own account, and of the time that no step took what idle channels draw. Without currents there is only
/// a figure a bit.
double dram_joules(const Totals& t, const accelerator::AcceleratorConfig& config, double seconds) {
  const dram::Config channel = accelerator::channel_config(config);
  if (channel.currents.devices == 0) return 8 * t.pin_bytes() * config.energy.dram_pj_per_bit * 1e-12;
  double joules = dram::idle_power_w(channel) * config.dram.channels * std::max(0.0, seconds - t.seconds());
  for (const ChannelTotals& c : t.channels) joules += c.energy_pj * 1e-12;
  return joules;
}

std::vector<ComponentEnergy> components_of(const Totals& t, const accelerator::AcceleratorConfig& config,
                                           const accelerator::EnergyConfig& e, double dram_j) {
  return {
      {"pe_array", array_pj(t, config.pe, e) * 1e-12},
      {"dram", dram_j},
      {"sram", 8 * (t.buffer_bytes + t.operand_bytes) * (e.sram_read_pj_per_bit + e.sram_write_pj_per_bit) * 1e-12},
      {"decoder", t.weights * e.decoder_pj_per_weight * 1e-12},
      {"converter", t.converted * e.converter_pj_per_element * 1e-12},
      {"vector_unit", t.vector_elements * e.vector_pj_per_element * 1e-12},
  };
}

/// What accelerator.energy has no key for, and published figures no account of. A group of activations is aligned once for
/// the PEs of a row, as if all its columns worked on it.
void add_blocks(std::vector<ComponentEnergy>& to, const Totals& t, const accelerator::AcceleratorConfig& config) {
  const silicon::BlockEnergy e = silicon::block_energy(config);
  double bytes = 0;
  for (const ChannelTotals& c : t.channels)
    bytes = std::accumulate(c.request_bytes.begin(), c.request_bytes.end(), bytes);
  to.push_back({"aligner", 32 * t.slots / config.pe.cols * e.aligner_pj_per_value * 1e-12});
  to.push_back({"smoother", t.smoothed * e.smoother_pj_per_value * 1e-12});
  to.push_back({"dma", 8 * bytes * e.dma_pj_per_bit * 1e-12});
  to.push_back({"interconnect", 8 * bytes * e.interconnect_pj_per_bit * 1e-12});
}

}  // namespace

EnergyResult energy_of(const Totals& t, const accelerator::AcceleratorConfig& config, double seconds) {
  const double dram_j = dram_joules(t, config, seconds);
  EnergyResult result;
  const accelerator::EnergyConfig figures = silicon::measured_energy(config);
  result.published = components_of(t, config, config.energy, dram_j);
  result.measured = components_of(t, config, figures, dram_j);
  add_blocks(result.measured, t, config);
  result.published.push_back({"static", config.energy.static_mw * 1e-3 * seconds});
  result.measured.push_back({"static", figures.static_mw * 1e-3 * seconds});
  const bool measured = config.energy.source == accelerator::FigureSource::measured;
  result.source = measured ? "measured" : "published";
  result.components = measured ? result.measured : result.published;
  for (const ComponentEnergy& c : result.components) result.total_j += c.joules;
  return result;
}

EnergyResult machine_energy(accelerator::Accelerator& machine, double seconds) {
  return energy_of(totals_of(machine, {}), machine.config(), seconds);
}

}  // namespace harmonia::testbench
