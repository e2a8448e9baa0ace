// Area and energy by the committed measurements: they follow the configuration's sizes, and agree with the synthesis of
// sizes that the laws were not made from.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harmonia/hw/silicon/silicon.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

namespace harmonia {
namespace {

using accelerator::AcceleratorConfig;

double area(const AcceleratorConfig& c, const std::string& component) {
  for (const silicon::Part& p : silicon::measured_area(c))
    if (p.component == component) return p.mm2;
  FAIL("no component " << component);
  return 0;
}

const nlohmann::json& cells() {
  static const nlohmann::json file = nlohmann::json::parse(std::ifstream(HARMONIA_AREA_JSON));
  return file["cells"];
}
double synthesised_mm2(const std::string& block) {
  return cells()["blocks"][block]["area_um2"].get<double>() * cells()["nodes"]["28"]["area"].get<double>() * 1e-6;
}

TEST_CASE("the area of a PE is that of the synthesised block at 16 and 32 lanes") {
  AcceleratorConfig c;
  c.pe.rows = c.pe.cols = 1;
  for (const auto& [kind, block] : {std::pair{pe::PeKind::harmonia, "harmonia"}, std::pair{pe::PeKind::fp16, "fp_fp"},
                                    std::pair{pe::PeKind::fp_int, "fp_int"}, std::pair{pe::PeKind::figna, "figna"},
                                    std::pair{pe::PeKind::figna_m8, "figna_m8"}}) {
    c.pe.kind = kind;
    CAPTURE(block);
    REQUIRE(area(c, "pe_array") == Approx(synthesised_mm2(block)).epsilon(0.01));
  }
  c.pe.kind = pe::PeKind::anda;
  REQUIRE(area(c, "pe_array") ==
          Approx(16 * synthesised_mm2("anda_unit") - 12 * synthesised_mm2("accumulator")).epsilon(0.01));
  c.pe.kind = pe::PeKind::harmonia;
  c.pe.lanes = 16;
  REQUIRE(area(c, "pe_array") == Approx(synthesised_mm2("harmonia_lanes16")).epsilon(0.01));
}

TEST_CASE("a decoder of 32 weights a cycle has the area of the one that was synthesised") {
  AcceleratorConfig c;
  c.decoder.weights_per_cycle = 32;
  REQUIRE(area(c, "decoder") == Approx(synthesised_mm2("decoder_n4_lanes32")).epsilon(0.1));
  c.decoder.weights_per_cycle = 64;
  REQUIRE(area(c, "decoder") == Approx(synthesised_mm2("decoder_n4")).epsilon(0.01));
  c.decoder.rates = {{1, 64}};
  REQUIRE(area(c, "decoder") == Approx(synthesised_mm2("decoder_n1")).epsilon(0.01));
}

TEST_CASE("every size that takes silicon changes the area of its block and of no other") {
  const AcceleratorConfig base;
  const auto only = [&](const char* component, double ratio, auto change) {
    AcceleratorConfig c;
    change(c);
    CAPTURE(component);
    for (const silicon::Part& p : silicon::measured_area(base)) {
      CAPTURE(p.component);
      if (p.component == component) {
        REQUIRE(area(c, component) == Approx(ratio * p.mm2).epsilon(0.15));
      } else {
        REQUIRE(area(c, p.component) == p.mm2);
      }
    }
  };
  only("pe_array", 2, [](auto& c) { c.pe.rows *= 2; });
  only("decoder", 2, [](auto& c) { c.decoder.weights_per_cycle *= 2; });
  only("converter", 16, [](auto& c) { c.converter.lanes = 32; });
  only("smoother", 2, [](auto& c) { c.smoother.lanes *= 2; });
  only("vector_unit", 16, [](auto& c) { c.vector.lanes = 1024; });
  only("sram", 1.5, [](auto& c) { c.activation_buffer.capacity_bytes *= 2; });
  only("dma", 1.6, [](auto& c) { c.dma.descriptors *= 2; });
}

TEST_CASE("a smoother that is off takes no area; only designs that align at each read have aligners") {
  AcceleratorConfig c;
  c.smoother.online = false;
  REQUIRE(area(c, "smoother") == 0);
  REQUIRE(area(c, "aligner") == 0);
  c.pe.kind = pe::PeKind::figna;
  REQUIRE(area(c, "aligner") == Approx(16 * synthesised_mm2("aligner_m14")).epsilon(0.01));
  REQUIRE(area(c, "converter") == 0);
}

TEST_CASE("a PE that takes less than a cycle a group, as no RTL here does, is counted as as many more") {
  AcceleratorConfig c;
  c.pe.kind = pe::PeKind::figna_m8;
  const double pes = area(c, "pe_array"), aligners = area(c, "aligner");
  c.pe.cycles_per_group = 0.5;
  REQUIRE(area(c, "pe_array") == Approx(2 * pes));
  REQUIRE(area(c, "aligner") == Approx(2 * aligners));
  c.pe.cycles_per_group = 4;  // a slow PE is no smaller
  REQUIRE(area(c, "pe_array") == Approx(pes));
  c.pe.attention_cycles_per_group = 0.25;
  REQUIRE(area(c, "pe_array") == Approx(4 * pes));
}

TEST_CASE("the machines at equal area have at most 3 % less in PEs and aligners than harmonia, and not more") {
  const testbench::Library library(HARMONIA_SOURCE "/workloads");
  const auto array = [&](const std::string& name) {
    const AcceleratorConfig c = testbench::load_accelerator(name, library);
    return area(c, "pe_array") + area(c, "aligner");
  };
  const double ours = array("harmonia");
  for (const char* name :
       {"fp-fp-area", "fp-int-area", "ifpu-area", "figna-area", "figna-m11-area", "figna-m8-area", "anda-area"}) {
    CAPTURE(name);
    REQUIRE(array(name) <= ours);
    REQUIRE(array(name) >= 0.97 * ours);
  }
}

TEST_CASE("what totals are counted with is measured, or what the configuration says with published") {
  AcceleratorConfig c;
  REQUIRE(silicon::counted_energy(c).mac_pj == silicon::measured_energy(c).mac_pj);
  REQUIRE(silicon::counted_energy(c).mac_pj != c.energy.mac_pj);
  c.energy.source = accelerator::FigureSource::published;
  REQUIRE(silicon::counted_energy(c).mac_pj == c.energy.mac_pj);
}

TEST_CASE("what no synthesis gives is assumed by name: scaling, buffers, PHY, static power, blocks without an energy") {
  AcceleratorConfig c;
  const auto value = [&](const std::string& key) -> std::string {
    for (const config::Assumption& a : silicon::assumptions(c)) {
      REQUIRE_FALSE(a.meaning.empty());
      REQUIRE_FALSE(a.source.empty());
      if (a.key == "silicon." + key) return a.value;
    }
    return "none";
  };
  REQUIRE(std::stod(value("scaling.area")) == Approx(cells()["nodes"]["28"]["area"].get<double>()).epsilon(1e-4));
  REQUIRE(std::stod(value("sram.pj_per_bit")) == Approx(silicon::measured_energy(c).sram_read_pj_per_bit));
  REQUIRE(value("phy_mm2_per_gb_s") == "0.08");
  REQUIRE(value("static_mw_per_mm2") == "20");
  for (const char* key : {"dma", "interconnect", "vector_unit", "not_included"}) REQUIRE(value(key) != "none");
  REQUIRE(value("pes_for_one") == "none");
  REQUIRE(value("no_energy") == "DMA engines, interconnect, smoother");
  c.smoother.online = false;
  c.pe.kind = pe::PeKind::figna_m8;
  c.pe.cycles_per_group = 0.5;
  REQUIRE(value("no_energy") == "DMA engines, interconnect, aligners");
  REQUIRE(value("pes_for_one") == "2");
  c.energy.node = accelerator::ProcessNode::nm16;
  REQUIRE(std::stod(value("scaling.area")) == Approx(cells()["nodes"]["16"]["area"].get<double>()).epsilon(1e-4));
}

TEST_CASE("16 nm is smaller and spends less than 28 nm; energy of the DRAM is not touched") {
  AcceleratorConfig c;
  const double at28 = area(c, "pe_array"), pj28 = silicon::measured_energy(c).mac_pj;
  c.energy.node = accelerator::ProcessNode::nm16;
  REQUIRE(area(c, "pe_array") < 0.6 * at28);
  REQUIRE(silicon::measured_energy(c).mac_pj < 0.6 * pj28);
  REQUIRE(silicon::measured_energy(c).dram_pj_per_bit == c.energy.dram_pj_per_bit);
}

TEST_CASE("static power follows the area") {
  AcceleratorConfig c;
  const double before = silicon::measured_energy(c).static_mw;
  c.vector.lanes = 1024;
  REQUIRE(silicon::measured_energy(c).static_mw > before + 1);
}

TEST_CASE("a larger bank spends more for a bit") {
  AcceleratorConfig c;
  const double before = silicon::measured_energy(c).sram_read_pj_per_bit;
  REQUIRE(before == Approx(0.125).epsilon(0.3));
  c.activation_buffer.capacity_bytes *= 16;
  REQUIRE(silicon::measured_energy(c).sram_read_pj_per_bit > before);
}

TEST_CASE("every kind of PE reaches the 500 MHz that the accelerator files claim, at 28 nm") {
  AcceleratorConfig c;
  for (const auto& [name, kind] : pe::pe_kind_names()) {
    c.pe.kind = kind;
    CAPTURE(name);
    REQUIRE(silicon::fastest_pe_mhz(c) > 500);
    REQUIRE(silicon::fastest_pe_mhz(c) < 2000);
  }
}

}  // namespace
}  // namespace harmonia
