// From counts to figures: shares, rates, lower bounds, energy.
#include "harmonia/testbench/runs/figures.h"

#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/silicon/silicon.h"
#include "harmonia/testbench/runs/energy.h"
#include "tests/support/catch.h"

using namespace harmonia;

// 1000 groups of one pass and 200 of two: 1200 products of 32, 1400 passes.
TEST_CASE("energy: second passes take what the key for two passes says, bit-serial arrays by the bit") {
  testbench::Totals t;
  t.slots = 1400;
  t.macs = 1200 * 32;
  t.classes[static_cast<std::size_t>(accelerator::OperationClass::attention_values)].macs = 200 * 32;
  accelerator::AcceleratorConfig config;
  config.energy.source = accelerator::FigureSource::published;
  config.energy.mac_pj = 1;
  config.energy.mac_two_pass_pj = 3;
  pe::Config& pe = config.pe;
  REQUIRE(testbench::energy_of(t, config, 0).components[0].joules == Approx(32e-12 * (1000 + 3 * 200)));
  pe.kind = accelerator::PeKind::anda;  // 1000 of the linears on 4 bits, 200 of attention on 16, as eighths
  pe.mantissa_bits = 4;
  t.slots = 1200;
  REQUIRE(testbench::energy_of(t, config, 0).components[0].joules == Approx(32e-12 * (1000 * 0.5 + 200 * 2)));
}

TEST_CASE("energy: totals take measured figures unless published ones are asked for, and both are listed") {
  testbench::Totals t;
  t.slots = 1000;
  t.macs = 32000;
  accelerator::AcceleratorConfig config;
  config.energy.mac_pj = 1000;  // of the published account alone
  const testbench::EnergyResult measured = testbench::energy_of(t, config, 2);
  REQUIRE(measured.source == "measured");
  REQUIRE(measured.published[0].joules == Approx(32e-12 * 1000 * 1000));
  REQUIRE(measured.measured[0].joules == Approx(32e-12 * 1000 * silicon::measured_energy(config).mac_pj));
  REQUIRE(measured.components[0].joules == measured.measured[0].joules);
  const auto fixed = [](const std::vector<testbench::ComponentEnergy>& of) { return of.back().joules; };
  REQUIRE(measured.components.back().component == "static");
  REQUIRE(fixed(measured.components) == Approx(2e-3 * silicon::measured_energy(config).static_mw));
  REQUIRE(fixed(measured.published) == 0);
  config.energy.source = accelerator::FigureSource::published;
  const testbench::EnergyResult published = testbench::energy_of(t, config, 2);
  REQUIRE(published.source == "published");
  REQUIRE(published.components[0].joules == measured.published[0].joules);
  REQUIRE(published.measured[0].joules == measured.measured[0].joules);
}

TEST_CASE("energy: measured figures count aligned activations, smoothed keys and what engines and interconnect move") {
  const auto of = [](const std::vector<testbench::ComponentEnergy>& parts, const std::string& name) {
    for (const testbench::ComponentEnergy& c : parts)
      if (c.component == name) return c.joules;
    return -1.0;
  };
  testbench::Totals t;
  t.slots = 1000;
  t.macs = 32000;
  t.smoothed = 5000;
  t.channels.resize(2);
  t.channels[0].request_bytes[0] = 3e6;
  t.channels[1].request_bytes[1] = 1e6;
  accelerator::AcceleratorConfig config;
  config.pe.cols = 8;
  config.pe.kind = accelerator::PeKind::figna;
  const silicon::BlockEnergy e = silicon::block_energy(config);
  const testbench::EnergyResult result = testbench::energy_of(t, config, 0);
  // 1000 groups of 32, each aligned once for eight columns.
  CHECK(of(result.measured, "aligner") == Approx(1e-12 * 1000 * 32 / 8 * e.aligner_pj_per_value));
  CHECK(of(result.measured, "smoother") == Approx(1e-12 * 5000 * e.smoother_pj_per_value));
  CHECK(of(result.measured, "dma") == Approx(1e-12 * 32e6 * e.dma_pj_per_bit));
  CHECK(of(result.measured, "interconnect") == Approx(1e-12 * 32e6 * e.interconnect_pj_per_bit));
  for (const char* name : {"aligner", "smoother", "dma", "interconnect"}) CHECK(of(result.published, name) == -1);
  double sum = 0;
  for (const testbench::ComponentEnergy& c : result.measured) sum += c.joules;
  CHECK(result.total_j == Approx(sum));
}

TEST_CASE("energy: the DRAM's is its channels' own account, and a figure a bit only without currents") {
  const auto dram = [](const testbench::EnergyResult& e) {
    for (const testbench::ComponentEnergy& c : e.components)
      if (c.component == "dram") return c.joules;
    return -1.0;
  };
  accelerator::AcceleratorConfig config;
  config.dram.channels = 2;
  testbench::Totals t;
  t.time_ps = 3e12;
  t.channels.resize(2);
  t.channels[0].energy_pj = 5e12;
  t.channels[1].energy_pj = 2e12;
  t.channels[0].pin_bytes[0] = 1e9;
  REQUIRE(dram(testbench::energy_of(t, config, 3)) == Approx(7));
  config.energy.dram_pj_per_bit = 1000;  // not beside currents
  REQUIRE(dram(testbench::energy_of(t, config, 3)) == Approx(7));
  // Between steps the channels idle: background and refresh go on.
  const double idle_w = dram::idle_power_w(accelerator::channel_config(config));
  const dram::Currents& i = accelerator::channel_config(config).currents;
  REQUIRE(idle_w > i.VDD * i.IDD2N * 1e-3 * i.devices);
  REQUIRE(idle_w < i.VDD * i.IDD3N * 1.5e-3 * i.devices);
  REQUIRE(dram(testbench::energy_of(t, config, 5)) == Approx(7 + 2 * 2 * idle_w));
  // Steps that stand for others count with their weight.
  testbench::Totals twice;
  twice.add(t, 2);
  REQUIRE(dram(testbench::energy_of(twice, config, 6)) == Approx(14));
  config.dram.channel = config::Node::map();
  config.dram.channel.set("devices", config::Node::scalar("0"));
  REQUIRE(dram(testbench::energy_of(t, config, 3)) == Approx(8e9 * 1000e-12));
}

// A dot product of one element fills the rest of its group with zeros: 10 operations of 32 for 10 products.
TEST_CASE("energy: zeros that fill a group cost an operation and are never taken off") {
  testbench::Totals t;
  t.slots = 10;
  t.macs = 10;
  accelerator::AcceleratorConfig config;
  config.energy.source = accelerator::FigureSource::published;
  config.energy.mac_pj = 1;
  config.energy.mac_two_pass_pj = 3;
  // 320 operations: 10 products with a second pass each, and 300 beyond.
  REQUIRE(testbench::energy_of(t, config, 0).components[0].joules == Approx(1e-12 * (10 * 3 + 300)));
  config.energy.mac_pj = 1000;
  REQUIRE(testbench::energy_of(t, config, 0).components[0].joules > 0);
}

TEST_CASE("figures: busy, waiting and having nothing to do add up to the run") {
  testbench::Totals t;
  t.units.resize(testbench::unit_names().size());
  t.units[0].busy = 300;
  t.units[0].waiting[static_cast<std::size_t>(bus::Wait::input)] = 200;
  // Waiting for a descriptor is what is left, however it was counted.
  t.units[0].waiting[static_cast<std::size_t>(bus::Wait::descriptor)] = 77;
  const std::vector<testbench::UnitResult> units = testbench::units_of(t, 1000);
  REQUIRE(units.size() == testbench::unit_names().size());
  REQUIRE(units[0].name == "pe_array");
  REQUIRE(units[0].busy == Approx(0.3));
  REQUIRE(units[0].stalled.size() == 2);
  REQUIRE(units[0].stalled[0].share == Approx(0.2));
  REQUIRE(units[0].stalled[1].cause == bus::name_of(bus::Wait::descriptor));
  REQUIRE(units[0].stalled[1].share == Approx(0.5));
  REQUIRE(units[1].busy == 0);
  REQUIRE(units[1].stalled.back().share == 1);
}

TEST_CASE("figures: the lower bounds of a class are its counts at peak rates, the largest is its bound") {
  testbench::Scenario s;
  const auto down = static_cast<std::size_t>(accelerator::OperationClass::down);
  testbench::Totals t;
  t.classes[down].tiles = 3;
  t.classes[down].bytes = 2 * accelerator::peak_bandwidth(s.accelerator);
  t.classes[down].compute_cycles = s.accelerator.clock_mhz * 1e6;
  t.classes[down].vector_ps = 0.5e12;
  t.classes[down].elapsed_ps = 2.5e12;
  const std::vector<testbench::OperationResult> operations = testbench::operations_of(t, s, false);
  REQUIRE(operations.size() == 1);
  REQUIRE(operations[0].name == "down");
  REQUIRE(operations[0].count == 3);
  REQUIRE(operations[0].simulated_s == Approx(2.5));
  REQUIRE(operations[0].memory_s == Approx(2));
  REQUIRE(operations[0].compute_s == Approx(1));
  REQUIRE(operations[0].vector_s == Approx(0.5));
  REQUIRE(operations[0].bound == "memory");
}

TEST_CASE("figures: a channel's bytes at the pins are read or written, and its shares are of its own cycles") {
  testbench::ChannelTotals t;
  t.pin_bytes[0] = 6000;
  t.pin_bytes[3] = 2000;
  t.bytes_written = 2000;
  t.cycles = 1000;
  t.refresh_cycles = 80;
  t.queued = 4000;
  t.commands[static_cast<std::size_t>(dram::Cmd::kRd)] = 94;
  testbench::ChannelFacts facts;
  facts.peak_bytes_per_s = 10000;
  facts.refresh_units = 2;
  const testbench::ChannelResult c = testbench::channel_of(t, facts, 2);
  REQUIRE(c.bytes_read == 6000);
  REQUIRE(c.bytes_written == 2000);
  REQUIRE(c.utilisation == Approx(0.4));
  REQUIRE(c.refresh_share == Approx(0.04));
  REQUIRE(c.queue_occupancy_mean == Approx(4));
  REQUIRE(c.commands == std::vector<std::pair<std::string, std::uint64_t>>{{"RD", 94}});
}

TEST_CASE("figures: a buffer whose port is slower than the memory is named") {
  testbench::Scenario s;
  REQUIRE(testbench::machine_notices(s.accelerator).empty());
  s.accelerator.kv_buffer.banks = 1;
  s.accelerator.kv_buffer.bank_bytes_per_cycle = 2;
  const std::vector<std::string> notices = testbench::machine_notices(s.accelerator);
  REQUIRE(notices.size() == 1);
  REQUIRE_THAT(notices[0], ContainsSubstring("accelerator.kv_buffer takes in at most"));
}

TEST_CASE("figures: of a machine that stands for a GPU the area is said not to be the card's") {
  testbench::Scenario s;
  s.accelerator.kernels.multiprocessors = 142;
  const std::vector<std::string> notices = testbench::machine_notices(s.accelerator);
  REQUIRE(notices.size() == 1);
  REQUIRE_THAT(notices[0], ContainsSubstring("its area is that of the buffers and lanes that stand for the card's"));
}
