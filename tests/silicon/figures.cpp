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
  REQUIRE(
      value("no_energy") ==
      "sequencer, the DRAM's interface, descriptors and state of the DMA engines, choice of the smoother's offsets");
  REQUIRE(std::stod(value("smoother.pj_per_value")) ==
          Approx(silicon::block_energy(c).smoother_pj_per_value).epsilon(1e-3));
  REQUIRE(std::stod(value("dma.pj_per_bit")) == Approx(silicon::block_energy(c).dma_pj_per_bit).epsilon(1e-3));
  REQUIRE(std::stod(value("interconnect.pj_per_bit")) ==
          Approx(silicon::block_energy(c).interconnect_pj_per_bit).epsilon(1e-3));
  REQUIRE(value("aligner.pj_per_value") == "none");
  c.smoother.online = false;
  c.pe.kind = pe::PeKind::figna_m8;
  c.pe.cycles_per_group = 0.5;
  REQUIRE(value("no_energy") == "sequencer, the DRAM's interface, descriptors and state of the DMA engines");
  REQUIRE(value("smoother.pj_per_value") == "none");
  REQUIRE(std::stod(value("aligner.pj_per_value")) ==
          Approx(silicon::block_energy(c).aligner_pj_per_value).epsilon(1e-3));
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

TEST_CASE(
    "the clock of every accelerator file is one that each of its blocks reaches by synthesis, at the file's node") {
  const testbench::Library library(HARMONIA_SOURCE "/workloads");
  int checked = 0;
  for (const std::string& name : library.names(testbench::BuiltIn::kAccelerator)) {
    const AcceleratorConfig c = testbench::load_accelerator(name, library);
    if (c.kernels.on()) continue;  // it stands for a GPU, whose clock is the card's
    for (const silicon::Clock& block : silicon::fastest_clocks(c)) {
      CAPTURE(name, block.block);
      REQUIRE(block.mhz >= c.clock_mhz);
    }
    ++checked;
  }
  REQUIRE(checked >= 18);
}

TEST_CASE("the fastest clock of a machine is that of its slowest block") {
  const auto mhz = [](const std::string& block) {
    return 1000 /
           (cells()["blocks"][block]["critical_path_ns"].get<double>() * cells()["nodes"]["28"]["delay"].get<double>());
  };
  AcceleratorConfig c;
  CHECK(silicon::fastest_clock(c).block == "PE");
  CHECK(silicon::fastest_clock(c).mhz == Approx(mhz("harmonia")));
  c.pe.kind = pe::PeKind::fp16;
  CHECK(silicon::fastest_clock(c).block == "lane of the vector unit");
  CHECK(silicon::fastest_clock(c).mhz == Approx(mhz("fp16_mac")));
  const auto has = [&](const std::string& block) {
    for (const silicon::Clock& clock : silicon::fastest_clocks(c))
      if (clock.block == block) return true;
    return false;
  };
  CHECK_FALSE(has("aligner"));
  CHECK_FALSE(has("converter"));
  CHECK(has("smoother"));
  c.pe.kind = pe::PeKind::figna;
  c.smoother.online = false;
  CHECK(has("aligner"));
  CHECK_FALSE(has("smoother"));
  c.energy.node = accelerator::ProcessNode::nm16;
  CHECK(silicon::fastest_clock(c).mhz > mhz("figna"));
}

TEST_CASE("blocks without a key of their own have the energies of their synthesis, and only where they are") {
  AcceleratorConfig c;
  const double at28 = cells()["nodes"]["28"]["energy"];
  const auto pj = [&](const std::string& block) {
    return cells()["blocks"][block]["pj"]["any"]["stories"].get<double>() * at28;
  };
  CHECK(silicon::block_energy(c).smoother_pj_per_value == Approx(pj("smoother")));
  CHECK(silicon::block_energy(c).aligner_pj_per_value == 0);
  c.pe.kind = pe::PeKind::figna;
  CHECK(silicon::block_energy(c).aligner_pj_per_value == Approx(pj("aligner_m14")));
  c.pe.kind = pe::PeKind::figna_m8;
  CHECK(silicon::block_energy(c).aligner_pj_per_value == Approx(pj("aligner_m8")));
  const silicon::BlockEnergy e = silicon::block_energy(c);
  // A bit in a register costs less than one in a buffer, and the interconnect has multiplexers besides.
  CHECK(e.dma_pj_per_bit > 0);
  CHECK(e.interconnect_pj_per_bit > e.dma_pj_per_bit);
  CHECK(e.interconnect_pj_per_bit < 0.2 * silicon::measured_energy(c).sram_read_pj_per_bit);
}

}  // namespace
}  // namespace harmonia
