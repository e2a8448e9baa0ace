// All devices simulated beside one that stands for all: the same times, the same bytes.
#include <numeric>

#include "harmonia/hw/model/model_split.h"
#include "harmonia/testbench/runs/energy.h"
#include "harmonia/testbench/runs/machine_totals.h"
#include "harmonia/testbench/runs/sampler.h"
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

/// Wakes once in each cycle of a clock and does nothing.
class Bystander : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Bystander);
  Bystander(sc_core::sc_module_name name, double clock_mhz) : sc_module(name), period_(1 / clock_mhz, sc_core::SC_US) {
    SC_METHOD(wake);
  }

 private:
  void wake() { next_trigger(period_); }
  const sc_core::sc_time period_;
};

/// Of placed experts what the formulas of one device say of the DRAM bytes of all, and the energy of all in nJ: of those that are
/// simulated, or from what one says of the mean.
void add_all_devices(const Scenario& scenario, Machine& m, std::vector<std::uint64_t>& out) {
  const auto devices = static_cast<std::uint64_t>(scenario.devices.tensor);
  const accelerator::Expected& one = m.accelerator->sequencer.expected();
  const auto sum = [](const auto& bytes) { return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}); };
  out.push_back(devices * (sum(one.bytes) - sum(one.experts.bytes)) + sum(one.placed.bytes));
  const double seconds = sc_core::sc_time_stamp().to_seconds();
  double joules = 0;
  for (std::size_t d = 0; d <= m.others.size(); ++d) {
    testbench::Totals t = testbench::totals_of(*m.device(d).accelerator, {});
    if (m.others.empty())
      t = testbench::of_mean_device(t, scenario.devices.tensor, testbench::peak_rates(scenario.accelerator));
    joules += testbench::energy_of(t, scenario.accelerator, seconds).total_j;
  }
  if (m.others.empty()) joules *= scenario.devices.tensor;
  out.push_back(static_cast<std::uint64_t>(joules * 1e9));
}

/// Begin and end of a prefill and of three decode steps in picoseconds, DRAM bytes of each device, bytes sent over links; behind
/// them what add_all_devices() adds, where experts are placed.
std::vector<std::uint64_t> run(const Scenario& scenario, int bystanders = 0) {
  std::vector<std::unique_ptr<Bystander>> idle;
  for (int i = 0; i < bystanders; ++i)
    idle.push_back(std::make_unique<Bystander>(("idle" + std::to_string(i)).c_str(), scenario.accelerator.clock_mhz));
  testbench::Capacity capacity;
  capacity.slots = 1;
  capacity.tokens_per_slot = 40;
  capacity.max_step_tokens = capacity.sequence_step_tokens = 20;
  std::vector<std::uint64_t> out;
  Machine* machine = nullptr;
  const auto body = [&](Host& host) {
    for (std::uint64_t cached = 0; cached < 23; cached += cached == 0 ? 20 : 1) {
      accelerator::StepWork work;
      work.sequences.push_back({0, cached, cached == 0 ? 20u : 1u, true});
      host.step(work);
      out.push_back(machine->accelerator->sequencer.record().begin.value());
      out.push_back(machine->accelerator->sequencer.record().end.value());
    }
  };
  Machine m(scenario, capacity, body, testbench::machine_options(scenario));
  machine = &m;
  m.simulate();
  for (std::size_t d = 0; d <= m.others.size(); ++d) {
    std::uint64_t bytes = 0;
    for (const auto& channel : m.device(d).accelerator->channels)
      for (const std::uint64_t of_class : channel->counts().request_bytes) bytes += of_class;
    out.push_back(bytes);
  }
  if (m.group) out.push_back(m.group->payload_bytes());
  if (scenario.model.expert_devices > 1) add_all_devices(scenario, m, out);
  return out;
}

Scenario scenario_of(int devices, const char* algorithm, link::Topology topology) {
  SmallShape shape;
  shape.layers = 2;
  shape.kv_heads = 4;
  shape.intermediate = 512;
  Scenario s;
  s.name = "test";
  s.model = accelerator::part_of(shape_of(shape), devices);
  s.weights.format = "kmeans4";
  s.accelerator.dram.preset = "DDR4-3200";
  s.accelerator.dram.channels = 2;
  s.devices.tensor = devices;
  s.devices.algorithm = algorithm;
  s.devices.topology = topology;
  s.devices.link.collective_us = 0.5;
  return s;
}

/// To the picosecond, whatever else happens in the simulation.
void check_equal(Scenario s) {
  const std::vector<std::uint64_t> one = in_child([&] { return run(s); });
  s.devices.fold = false;
  const std::vector<std::uint64_t> all = in_child([&] { return run(s); });
  const auto devices = static_cast<std::size_t>(s.devices.tensor);
  REQUIRE(one.size() == 9);
  REQUIRE(all.size() == 8 + devices + 1);
  for (std::size_t i = 0; i < 8; ++i) CHECK(all[i] == one[i]);
  for (std::size_t d = 0; d < devices; ++d) CHECK(all[8 + d] == one[8]);
}

}  // namespace

TEST_CASE("unfolded: two and four devices in a ring take the time of one that stands for all") {
  check_equal(scenario_of(2, "ring", link::Topology::ring));
  check_equal(scenario_of(4, "ring", link::Topology::switched));
}
TEST_CASE("unfolded: direct exchanges between links of their own do too") {
  check_equal(scenario_of(2, "direct", link::Topology::full));
  check_equal(scenario_of(4, "direct_two_step", link::Topology::full));
}
TEST_CASE("unfolded: weights that are read during all-reduces do too, and shorten a step") {
  Scenario s = scenario_of(4, "ring", link::Topology::ring);
  const std::vector<std::uint64_t> waits = in_child([&] { return run(s); });
  s.devices.overlap = true;
  const std::vector<std::uint64_t> ahead = in_child([&] { return run(s); });
  CHECK(ahead[7] < waits[7]);
  CHECK(ahead[8] == waits[8]);
  check_equal(s);
}
TEST_CASE("unfolded: links carry what a ring's formula says of every device") {
  Scenario s = scenario_of(4, "ring", link::Topology::ring);
  s.devices.fold = false;
  const std::vector<std::uint64_t> all = in_child([&] { return run(s); });
  // 20 tokens, then three single ones; behind the embedding and twice in each of two layers 256 values of 2 bytes each.
  const std::uint64_t reduced = 2 * 256 * (20 + 3) * 5;
  CHECK(all.back() == 4 * reduced * 2 * 3 / 4);
}

namespace {

/// Two layers whose experts are placed, as many sequences at a time as the test says: a step waits for another device in each layer.
void check_placed(int devices, int experts, int per_token, int shared) {
  SmallShape shape;
  shape.layers = 2;
  shape.kv_heads = 4;
  shape.intermediate = 512;
  shape.mixture.experts = experts;
  shape.mixture.experts_per_token = per_token;
  shape.mixture.expert_width = 512;
  shape.mixture.shared_width = shared;
  Scenario s = scenario_of(devices, "ring", link::Topology::ring);
  s.model = accelerator::part_of(shape_of(shape), devices, accelerator::ExpertSplit::placed);
  s.devices.fold = false;
  const std::vector<std::uint64_t> all = in_child([&] { return run(s); });
  s.devices.fold = true;
  s.model.device = ModelShape::busiest;
  const std::vector<std::uint64_t> one = in_child([&] { return run(s); });
  const auto n = static_cast<std::size_t>(devices);
  REQUIRE(one.size() == 8 + 1 + 2);
  REQUIRE(all.size() == 8 + n + 1 + 2);
  // Not to the picosecond: which device has most is another one in each layer, with other rows open and other weights before it.
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(static_cast<double>(all[i]) == Approx(static_cast<double>(one[i])).epsilon(0.025));
  const std::uint64_t bytes = std::accumulate(all.begin() + 8, all.begin() + 8 + devices, std::uint64_t{0});
  CHECK(bytes == all[8 + n + 1]);  // by what the first device says of all,
  CHECK(bytes == one[9]);          // and by what the one says that stands for them
  CHECK(bytes < n * one[8]);       // which reads more than the mean
  // Rows of a device's DRAM that stay open while it waits for others draw more than closed ones, for which the mean has it.
  CHECK(static_cast<double>(all[8 + n + 2]) == Approx(static_cast<double>(one[10])).epsilon(0.03));
}

}  // namespace

TEST_CASE(
    "unfolded: placed experts take the time of the device with most of each layer, and the bytes of the formulas") {
  check_placed(2, 8, 2, 0);
  check_placed(4, 8, 2, 256);
  check_placed(4, 4, 1, 0);
}

// SystemC keeps what is to happen in a heap, and of events at one time takes whichever lies on top: that depends on all that is in
// it, here on modules that share nothing with the machine and do nothing.
TEST_CASE("unfolded: modules that do nothing move no device's time") {
  const Scenario s = scenario_of(2, "ring", link::Topology::ring);
  const std::vector<std::uint64_t> alone = in_child([&] { return run(s); });
  for (int bystanders = 1; bystanders <= 4; ++bystanders) CHECK(in_child([&] { return run(s, bystanders); }) == alone);
}
