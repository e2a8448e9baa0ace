// A single matrix on the functional machine against the golden product, bit for bit: every weight format, both kinds of
// array, both timings, batches whose vectors come in one gather and in several.
#include "harmonia/hw/golden/golden_step.h"
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

struct Product {
  std::string format = "kmeans4";
  std::size_t batch = 1;
  testbench::Timing timing = testbench::Timing::at;
  accelerator::PeKind array = accelerator::PeKind::harmonia;
};

/// A matrix of 96 x 200 where lm_head would stand, multiplied by `batch` rows of the embedding.
void require_golden(const Product& p) {
  SmallShape small;
  small.hidden = small.intermediate = 200;
  small.heads = small.kv_heads = 1;
  small.head_dim = 2;
  const auto weights =
      random_model(small, formats::weight_format("kmeans1"), CodebookKind::kInt8, 40, formats::weight_format(p.format));
  Scenario s = functional_scenario(*weights);
  s.fidelity.timing = p.timing;
  s.accelerator.pe.kind = p.array;
  testbench::Capacity capacity;
  capacity.slots = capacity.max_step_tokens = p.batch;
  capacity.tokens_per_slot = 1;

  accelerator::StepWork work;
  for (std::size_t i = 0; i < p.batch; ++i) {
    work.sequences.push_back({i, 0, 1, true});
    work.token_ids.push_back(static_cast<std::uint32_t>((i * 37 + 5) % 96));
  }
  std::vector<Fp16> logits;
  Machine machine(
      s, capacity,
      [&](Host& host) {
        host.step(work, 0, 0, true);
        logits = host.logits(p.batch * 96);
      },
      testbench::functional_options(s, weights));
  testbench::load_weights(machine, *weights);
  machine.simulate();

  accelerator::GoldenRows rows;
  for (const std::uint32_t token : work.token_ids) {
    const auto first = weights->embedding.begin() + token * 200;
    rows.values.insert(rows.values.end(), first, first + 200);
  }
  const formats::ActivationFormat activations = testbench::golden_settings(s).activations;
  rows.convert(activations, p.batch);
  std::vector<Fp16> expected(p.batch * 96);
  weights->lm_head.prepare(activations);
  weights->lm_head.multiply(rows.operand(), p.batch, expected.data());
  require_equal(logits, expected.data(), expected.size(), p.format + ", batch " + std::to_string(p.batch));
}

/// The same in a process of its own, which is what a second elaboration needs.
void require_golden_in_child(const Product& p) {
  INFO(p.format << ", batch " << p.batch << ", " << (p.timing == testbench::Timing::lt ? "lt" : "at"));
  REQUIRE(in_child([&p] {
            require_golden(p);
            return std::vector<std::uint64_t>{1};
          }) == std::vector<std::uint64_t>{1});
}

}  // namespace

TEST_CASE("single matrix: every weight format and both timings give the golden product") {
  for (const char* format :
       {"kmeans1", "kmeans2", "kmeans3", "kmeans4", "kmeans8", "int4", "int4z", "int8", "nf4", "ternary", "fp16"})
    for (const testbench::Timing timing : {testbench::Timing::at, testbench::Timing::lt})
      require_golden_in_child({format, 3, timing, accelerator::PeKind::harmonia});
}
TEST_CASE("single matrix: a plain FP16 array gives the golden product") {
  for (const char* format : {"kmeans4", "int4", "fp16"})
    for (const testbench::Timing timing : {testbench::Timing::at, testbench::Timing::lt})
      require_golden_in_child({format, 9, timing, accelerator::PeKind::fp16});
}
// A gather brings at most eight vectors.
TEST_CASE("single matrix: batches of one gather and of several give the golden product") {
  for (const std::size_t batch : {1, 8, 9, 16, 17, 64})
    for (const testbench::Timing timing : {testbench::Timing::at, testbench::Timing::lt})
      require_golden_in_child({"kmeans4", batch, timing, accelerator::PeKind::harmonia});
}
