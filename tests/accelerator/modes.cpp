// Modes that must agree: functional and timing-only, loosely and approximately timed, large and small transactions.
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

void require_same_time(const Scenario& s, const std::shared_ptr<GoldenModelWeights>& weights,
                       const std::vector<Step>& steps) {
  const auto functional = in_child([&] { return timing_of(s, steps, weights); });
  const auto timing_only = in_child([&] { return timing_of(s, steps); });
  REQUIRE(functional.size() == 2 * steps.size() + bus::traffic_class_count);
  REQUIRE(functional == timing_only);
}

}  // namespace

TEST_CASE("modes: functional and timing-only runs take the same time, step by step, and move the same bytes") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 1);
  require_same_time(functional_scenario(*weights), weights, schedule(2, 70, 10));
}
TEST_CASE("modes: the same for 1-bit weights, hidden 200, three channels and small transactions") {
  const auto weights =
      random_model({200, 2, 6, 2, 40, 300, 70}, formats::weight_format("kmeans1"), CodebookKind::kInt8, 2);
  Scenario s = functional_scenario(*weights);
  s.accelerator.dram.channels = 3;
  s.accelerator.dma.transaction_bytes = 256;
  require_same_time(s, weights, schedule(1, 40, 6, 16));
}
TEST_CASE("modes: the same for an FP16 cache and FP16 weights") {
  const auto weights = random_model({}, formats::weight_format("fp16"), CodebookKind::kInt8, 3);
  Scenario s = functional_scenario(*weights);
  s.kv.format = "fp16";
  require_same_time(s, weights, schedule(1, 33, 4));
}

// ---- Loose against approximate timing, and the size of transactions ----

namespace {

/// Two decode steps of one layer of a model at context 2048.
Scenario one_layer(const SmallShape& shape) {
  Scenario s;
  s.model = shape_of(shape);
  s.fidelity.data = testbench::DataMode::timing_only;
  s.accelerator.dram.channel = config::Node::map();
  s.accelerator.dram.channel.set("ranks", config::Node::scalar("2"));
  return s;
}
std::uint64_t time_of_steps(const Scenario& s) {
  const auto values = in_child([&] { return timing_of(s, {{{0, 1}}, {{0, 1}}}, nullptr, 2048); });
  return values[3] - values[0];
}
double ratio(std::uint64_t a, std::uint64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

TEST_CASE("modes: loosely and approximately timed runs differ by less than 2 % (a layer of Llama-3-8B)") {
  Scenario s = one_layer({4096, 1, 32, 8, 128, 14336, 2048});
  // As in workloads/accelerators/harmonia.yaml. With a transaction spread over all channels, loosely timed channels
  // open every row late, since they see one request at a time: 4 %.
  s.accelerator.interconnect.interleave_bytes = 4096;
  s.accelerator.dma.outstanding = 32;
  const std::uint64_t at = time_of_steps(s);
  s.fidelity.timing = testbench::Timing::lt;
  REQUIRE(ratio(time_of_steps(s), at) == Approx(1).epsilon(0.02));
}

// The bytes in flight stay 64 KiB. One channel of 25.6 GB/s, which one engine can ask for in pieces of 64 bytes: it
// issues one request a cycle of 2 ns, 32 GB/s.
TEST_CASE("modes: the result converges as transactions go 4096, 1024, 256, 64 bytes") {
  Scenario s = one_layer({1024, 1, 8, 2, 128, 3584, 2048});
  s.accelerator.dram.preset = "DDR4-3200";
  s.accelerator.dram.channels = 1;
  std::vector<std::uint64_t> times;
  for (const std::uint64_t size : {4096u, 1024u, 256u, 64u}) {
    s.accelerator.dma.transaction_bytes = size;
    s.accelerator.dma.outstanding = static_cast<int>(65536 / size);
    times.push_back(time_of_steps(s));
  }
  CAPTURE(times);
  REQUIRE(ratio(times[0], times[3]) == Approx(1).epsilon(0.02));
  REQUIRE(ratio(times[1], times[3]) == Approx(1).epsilon(0.02));
  REQUIRE(ratio(times[2], times[3]) == Approx(1).epsilon(0.01));
}
