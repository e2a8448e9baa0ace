#include "harmonia/hw/silicon/silicon.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/silicon/figures.h"

namespace harmonia::silicon {
namespace {

using accelerator::AcceleratorConfig;
using nlohmann::json;

const json& figures() {
  static const json parsed = json::parse(measured_figures());
  return parsed;
}
const json& laws() { return figures()["laws"]; }
std::string node_of(const AcceleratorConfig& c) {
  return c.energy.node == accelerator::ProcessNode::nm28 ? "28" : "16";
}
/// What a figure at 180 nm is multiplied by.
double factor(const AcceleratorConfig& c, const char* what) { return figures()["nodes"][node_of(c)][what]; }
const json& pe_law(const AcceleratorConfig& c) { return laws()["pe"][config::name_of(pe::pe_kind_names(), c.pe.kind)]; }

/// PEs of the RTL, one group of 32 a cycle each, that a PE of this machine stands for: a faster one is several.
double pes_for_one(const AcceleratorConfig& c) {
  return std::max(1.0, 1 / std::min(c.pe.cycles_per_group, c.pe.attention_cycles_per_group));
}

/// um2 at 180 nm, as every function here.
double pe_array(const AcceleratorConfig& c) {
  const json& law = pe_law(c);
  const double one = law["fixed_um2"].get<double>() + law["lane_um2"].get<double>() * c.pe.lanes;
  return one * c.pe.rows * c.pe.cols * pes_for_one(c);
}

/// A figure of the aligner that this kind of PE needs, by the bits that it keeps; 0 of kinds that do not align at each read.
double of_aligner(const AcceleratorConfig& c, const std::string& what) {
  const json& law = laws()["aligner"];
  const double m8 = law["m8_" + what], m14 = law["m14_" + what];
  switch (c.pe.kind) {
    case pe::PeKind::ifpu:
    case pe::PeKind::figna:
      return m14;
    case pe::PeKind::figna_m11:
      return (m8 + m14) / 2;
    case pe::PeKind::figna_m8:
      return m8;
    default:
      return 0;
  }
}

/// FIGNA and iFPU align at each read, once for a row of PEs; their units take 32 values.
double aligners(const AcceleratorConfig& c) {
  return of_aligner(c, "um2") * c.pe.rows * c.pe.lanes / 32 * pes_for_one(c);
}

int decoder_bits(const AcceleratorConfig& c) {
  int bits = c.decoder.rates.empty() ? 4 : 1;
  for (const decoder::Rate& r : c.decoder.rates) bits = std::max(bits, r.bits);
  return bits <= 1 ? 1 : bits <= 2 ? 2 : 4;
}

/// Blocks of 64 weights a cycle; a narrower decoder is one smaller block.
double decoder_area(const AcceleratorConfig& c) {
  const json& law = laws()["decoder"];
  const int bits = decoder_bits(c);
  const double lane = law[std::to_string(bits)]["lane_um2"], weights = c.decoder.weights_per_cycle;
  if (bits < 4) return weights * lane;
  const double blocks = std::ceil(weights / 64);
  return blocks * law["fixed_um2"].get<double>() + weights * law["four_bit_lane_um2"].get<double>();
}

bool converts(const AcceleratorConfig& c) { return pe::takes_bfp(c.pe.kind); }

double smoother_area(const AcceleratorConfig& c) {
  if (!c.smoother.online) return 0;
  const json& law = laws()["smoother"];
  // The RTL holds 8 heads; its table grows with the offsets of each.
  const double entries = 8.0 * c.smoother.channels_per_head;
  return c.smoother.lanes / 32.0 * (law["fixed_um2"].get<double>() + entries * law["entry_um2"].get<double>());
}

constexpr double kEngines = 7;           // five read, two write
constexpr double kDescriptorBits = 128;  // address, length, stride, count, tag
constexpr double kTransactionBits = 64;  // what is under way: address, tag, state

double dma_area(const AcceleratorConfig& c) {
  const double bits =
      c.dma.descriptors * kDescriptorBits + c.dma.outstanding * kTransactionBits + c.dma.stream_bytes_per_cycle * 8.0;
  return kEngines * bits * laws()["register"]["um2"].get<double>();
}

/// For each channel a register of a 64-byte beat and a multiplexer over the engines; the way back likewise.
double interconnect_area(const AcceleratorConfig& c) {
  constexpr double kBeatBits = 512;
  const double channel = kBeatBits * (2 * laws()["register"]["um2"].get<double>() +
                                      (kEngines - 1) * laws()["multiplexer"]["um2"].get<double>());
  return channel * c.dram.channels;
}

/// mm2 of the node itself.
double sram_mm2(const AcceleratorConfig& c) {
  const json& law = figures()["sram"];
  const double bytes = static_cast<double>(c.weight_buffer.capacity_bytes + c.kv_buffer.capacity_bytes +
                                           c.activation_buffer.capacity_bytes);
  return bytes * 8 * law["cell_um2"][node_of(c)].get<double>() / law["efficiency"].get<double>() * 1e-6;
}

/// pJ a bit, at the mean bank of the three buffers; the energy of 28 nm scales as that of logic does.
double sram_pj_per_bit(const AcceleratorConfig& c) {
  const json& law = figures()["sram"];
  double bytes = 0, banks = 0;
  for (const memory::BufferConfig* b : {&c.weight_buffer, &c.kv_buffer, &c.activation_buffer}) {
    bytes += static_cast<double>(b->capacity_bytes);
    banks += b->banks;
  }
  const double line = std::sqrt(bytes / banks / law["line_bank_bytes"].get<double>());
  const double pj = law["pj_per_bit_fixed"].get<double>() + law["pj_per_bit_line"].get<double>() * line;
  return pj * factor(c, "energy") / figures()["nodes"]["28"]["energy"].get<double>();
}

}  // namespace

std::vector<Part> measured_area(const AcceleratorConfig& c) {
  const double mm2 = factor(c, "area") * 1e-6;
  return {{"pe_array", pe_array(c) * mm2},
          {"aligner", aligners(c) * mm2},
          {"sram", sram_mm2(c)},
          {"decoder", decoder_area(c) * mm2},
          {"converter", converts(c) ? c.converter.lanes * laws()["converter"]["um2"].get<double>() * mm2 : 0},
          {"smoother", smoother_area(c) * mm2},
          {"vector_unit", c.vector.lanes * laws()["vector"]["lane_um2"].get<double>() * mm2},
          {"dma", dma_area(c) * mm2},
          {"interconnect", interconnect_area(c) * mm2},
          {"dram_phy", accelerator::peak_bandwidth(c) * 1e-9 * figures()["phy_mm2_per_gb_s"].get<double>()}};
}

accelerator::EnergyConfig measured_energy(const AcceleratorConfig& c) {
  const double scale = factor(c, "energy");
  accelerator::EnergyConfig e = c.energy;
  e.mac_pj = pe_law(c)["mac_pj"].get<double>() * scale;
  e.mac_two_pass_pj = pe_law(c)["mac_two_pass_pj"].get<double>() * scale;
  e.sram_read_pj_per_bit = e.sram_write_pj_per_bit = sram_pj_per_bit(c);
  e.decoder_pj_per_weight = laws()["decoder"][std::to_string(decoder_bits(c))]["pj"].get<double>() * scale;
  e.converter_pj_per_element = converts(c) ? laws()["converter"]["pj"].get<double>() * scale : 0;
  e.vector_pj_per_element = laws()["vector"]["pj"].get<double>() * scale;
  double mm2 = 0;
  for (const Part& p : measured_area(c)) mm2 += p.mm2;
  e.static_mw = mm2 * figures()["static_mw_per_mm2"].get<double>();
  return e;
}

BlockEnergy block_energy(const AcceleratorConfig& c) {
  const double scale = factor(c, "energy"), bit = laws()["register"]["pj"].get<double>();
  BlockEnergy e;
  e.aligner_pj_per_value = of_aligner(c, "pj") * scale;
  e.smoother_pj_per_value = laws()["smoother"]["pj"].get<double>() * scale;
  e.dma_pj_per_bit = bit * scale;
  // Of the multiplexers over the engines those on the way switch, a tree's depth of them.
  e.interconnect_pj_per_bit =
      (bit + std::ceil(std::log2(kEngines)) * laws()["multiplexer"]["pj"].get<double>()) * scale;
  return e;
}

accelerator::EnergyConfig counted_energy(const AcceleratorConfig& c) {
  return c.energy.source == accelerator::FigureSource::measured ? measured_energy(c) : c.energy;
}

std::vector<config::Assumption> assumptions(const AcceleratorConfig& c) {
  std::vector<config::Assumption> list;
  const auto add = [&](const char* key, const std::string& value, const char* unit, const char* meaning,
                       const std::string& source) {
    list.push_back({std::string("silicon.") + key, value, unit, meaning, source, "docs/area.json"});
  };
  const auto number = [](const json& v) { return fmt::format("{:g}", v.get<double>()); };
  const std::string node = node_of(c);
  const json& sram = figures()["sram"];
  for (const char* what : {"area", "delay", "energy"})
    add((std::string("scaling.") + what).c_str(), number(figures()["nodes"][node][what]), "",
        "what a figure of the synthesis at 180 nm is multiplied by at accelerator.energy.node",
        figures()["scaling"].get<std::string>());
  add("not_included", figures()["not_included"].get<std::string>(), "", "what areas and energies of logic leave out",
      "cells as synthesis maps them, not laid out");
  add("sram.cell_um2", number(sram["cell_um2"][node]), "um2", "bit cell of the buffers",
      sram["source"].get<std::string>());
  add("sram.efficiency", number(sram["efficiency"]), "", "share of a buffer's area that cells take",
      sram["source"].get<std::string>());
  add("sram.pj_per_bit", fmt::format("{:g}", sram_pj_per_bit(c)), "pJ/bit", "a bit read or written, at the mean bank",
      sram["source"].get<std::string>());
  add("phy_mm2_per_gb_s", number(figures()["phy_mm2_per_gb_s"]), "mm2/(GB/s)", "the DRAM's interface, at both nodes",
      "not synthesised: an LPDDR4 or HBM2 PHY takes some 3 to 8 mm2 for some 30 to 100 GB/s");
  add("static_mw_per_mm2", number(figures()["static_mw_per_mm2"]), "mW/mm2", "static power, at both nodes",
      "the library's leakage at 180 nm says nothing of later nodes");
  add("dma", "counted", "", "registers of the DMA engines by descriptors and outstanding requests",
      "not synthesised: seven engines of 128-bit descriptors and 64-bit transactions");
  add("interconnect", "counted", "", "registers and multiplexers of each channel's beat",
      "not synthesised: 512-bit beats");
  add("vector_unit", "FP16 multiply-accumulate", "", "what a lane of the vector unit is taken for, in area and energy",
      "exponentials and reciprocals are not synthesised");
  const BlockEnergy blocks = block_energy(c);
  const auto energy = [&](const char* key, double pj, const char* unit, const char* meaning, const char* source) {
    add(key, fmt::format("{:.4g}", pj), unit, meaning, source);
  };
  energy("dma.pj_per_bit", blocks.dma_pj_per_bit, "pJ/bit", "a bit of a request through a DMA engine",
         "the library's flip-flop and multiplexer, one register, each bit with an even chance of a change");
  energy("interconnect.pj_per_bit", blocks.interconnect_pj_per_bit, "pJ/bit", "a bit between engine and channel",
         "the library's flip-flop and three multiplexers, each bit with an even chance of a change; no wires");
  if (c.smoother.online)
    energy("smoother.pj_per_value", blocks.smoother_pj_per_value, "pJ", "subtraction of the offset of a key's value",
           "synthesis, keys alone; values that pass are not counted");
  if (aligners(c) > 0)
    energy("aligner.pj_per_value", blocks.aligner_pj_per_value, "pJ", "alignment of an activation",
           "synthesis; a group is aligned once for the PEs of a row, as if all of its columns worked");
  std::string none = "sequencer, the DRAM's interface, descriptors and state of the DMA engines";
  if (c.smoother.online) none += ", choice of the smoother's offsets";
  add("no_energy", none, "", "what has an energy in no figure, its share of static power apart", "no synthesis");
  if (pes_for_one(c) > 1)
    add("pes_for_one", fmt::format("{:g}", pes_for_one(c)), "PEs",
        "PEs of the RTL, one group of 32 a cycle each, that one of this array is taken for",
        "accelerator.pe.cycles_per_group below 1, which no RTL here reaches");
  return list;
}

std::vector<Clock> fastest_clocks(const AcceleratorConfig& c) {
  std::vector<Clock> clocks;
  const auto add = [&](const char* block, double path_ns) {
    clocks.push_back({block, 1000 / (path_ns * factor(c, "delay"))});
  };
  const auto path = [](const json& law) { return law["critical_path_ns"].get<double>(); };
  add("PE", path(pe_law(c)));
  if (aligners(c) > 0) add("aligner", of_aligner(c, "critical_path_ns"));
  add("decoder", path(laws()["decoder"][std::to_string(decoder_bits(c))]));
  if (converts(c)) add("converter", path(laws()["converter"]));
  if (c.smoother.online) add("smoother", path(laws()["smoother"]));
  add("lane of the vector unit", path(laws()["vector"]));
  return clocks;
}

Clock fastest_clock(const AcceleratorConfig& c) {
  const std::vector<Clock> clocks = fastest_clocks(c);
  return *std::min_element(clocks.begin(), clocks.end(), [](const Clock& a, const Clock& b) { return a.mhz < b.mhz; });
}

}  // namespace harmonia::silicon
