#include "harmonia/testbench/system/energy.h"

namespace harmonia::testbench {

EnergyResult energy_of(const Totals& t, const accelerator::EnergySection& e, double seconds) {
  EnergyResult result;
  const auto add = [&](const char* name, double joules) { result.components.push_back({name, joules}); };
  // An operation of the array is 32 multiply-accumulates of one pass; the two passes of the wide modes count twice.
  add("pe_array", t.slots * 32 * e.mac_pj * 1e-12);
  add("dram", 8 * t.pin_bytes() * e.dram_pj_per_bit * 1e-12);
  add("sram", 8 * (t.buffer_bytes + t.operand_bytes) * (e.sram_read_pj_per_bit + e.sram_write_pj_per_bit) * 1e-12);
  add("decoder", t.weights * e.decoder_pj_per_weight * 1e-12);
  add("converter", t.converted * e.converter_pj_per_element * 1e-12);
  add("vector_unit", t.vector_elements * e.vector_pj_per_element * 1e-12);
  add("static", e.static_mw * 1e-3 * seconds);
  for (const ComponentEnergy& c : result.components) result.total_j += c.joules;
  return result;
}

EnergyResult machine_energy(accelerator::Accelerator& machine, const accelerator::EnergySection& seeds,
                            double seconds) {
  return energy_of(totals_of(machine, {}), seeds, seconds);
}

}  // namespace harmonia::testbench
