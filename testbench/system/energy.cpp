#include "harmonia/testbench/system/energy.h"

namespace harmonia::testbench {

EnergyResult machine_energy(const accelerator::Accelerator& a, const accelerator::EnergySection& e, double seconds,
                            double scale) {
  EnergyResult result;
  const auto add = [&](const char* name, double joules) { result.components.push_back({name, joules}); };
  double pin_bits = 0;
  for (const auto& channel : a.channels)
    for (const std::uint64_t bytes : channel->counts().pin_bytes) pin_bits += 8.0 * static_cast<double>(bytes);
  // An operation of the array is 32 multiply-accumulates of one pass; the two passes of the wide modes count twice.
  add("pe_array", static_cast<double>(a.pe_array.slots()) * 32 * e.mac_pj * 1e-12 * scale);
  add("dram", pin_bits * e.dram_pj_per_bit * 1e-12 * scale);
  const double buffered =
      8.0 * static_cast<double>(a.weight_buffer.statistics().bytes + a.kv_buffer.statistics().bytes);
  const double operand_bits = 8.0 * static_cast<double>(a.operand_buffer.bytes_read());
  add("sram", (buffered + operand_bits) * (e.sram_read_pj_per_bit + e.sram_write_pj_per_bit) * 1e-12 * scale);
  add("decoder", static_cast<double>(a.decoder.weights_decoded()) * e.decoder_pj_per_weight * 1e-12 * scale);
  add("converter", static_cast<double>(a.converter.elements()) * e.converter_pj_per_element * 1e-12 * scale);
  add("vector_unit", static_cast<double>(a.vector_unit.elements()) * e.vector_pj_per_element * 1e-12 * scale);
  add("static", e.static_mw * 1e-3 * seconds);
  for (const ComponentEnergy& c : result.components) result.total_j += c.joules;
  return result;
}

}  // namespace harmonia::testbench
