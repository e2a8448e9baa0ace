// The functional machine against the golden composition, bit for bit: every output of every step, every live byte of
// the KV cache, every connection watched by a protocol checker.
#include "tests/accelerator/support.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

/// The workload: a prefill of 70 tokens, then 40 decode steps.
Outcome seventy_and_forty(const Scenario& scenario, const std::shared_ptr<GoldenModelWeights>& weights,
                          bool expect_resident = true) {
  Instruments instruments;
  Outcome o = run_beside_golden(scenario, weights, schedule(1, 70, 40), &instruments, expect_resident);
  REQUIRE(instruments.connections() == 38);  // every socket pair of a machine with two channels
  REQUIRE(instruments.transactions() > 1000);
  return o;
}

/// A hidden size that is no multiple of 32, three query heads for each kv head.
const SmallShape odd{200, 1, 6, 2, 40, 300, 70};

}  // namespace

TEST_CASE("layer: 4-bit K-means") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 1);
  seventy_and_forty(functional_scenario(*weights), weights);
}
TEST_CASE("layer: 4-bit K-means, int5 codebook, hidden 200") {
  const auto weights = random_model(odd, formats::weight_format("kmeans4"), CodebookKind::kInt5, 2);
  seventy_and_forty(functional_scenario(*weights), weights);
}
TEST_CASE("layer: 2-bit K-means") {
  const auto weights = random_model({}, formats::weight_format("kmeans2"), CodebookKind::kInt8, 3);
  seventy_and_forty(functional_scenario(*weights), weights);
}
TEST_CASE("layer: 1-bit K-means") {
  const auto weights = random_model({}, formats::weight_format("kmeans1"), CodebookKind::kInt8, 4);
  seventy_and_forty(functional_scenario(*weights), weights);
}
TEST_CASE("layer: 1-bit K-means, hidden 200, quantised output head") {
  const auto weights =
      random_model(odd, formats::weight_format("kmeans1"), CodebookKind::kInt8, 5, formats::weight_format("kmeans4"));
  seventy_and_forty(functional_scenario(*weights), weights);
}
TEST_CASE("layer: INT4 in groups of 128") {
  const auto weights = random_model({}, formats::weight_format("int4"), CodebookKind::kInt8, 6);
  seventy_and_forty(functional_scenario(*weights), weights);
}
TEST_CASE("layer: INT4, hidden 200") {
  const auto weights = random_model(odd, formats::weight_format("int4"), CodebookKind::kInt8, 7);
  seventy_and_forty(functional_scenario(*weights), weights);
}
#define HARMONIA_LAYER_TEST(name, shape, format, kind, seed)                    \
  TEST_CASE("layer: " name) {                                                   \
    const auto weights = random_model(shape, format, CodebookKind::kind, seed); \
    seventy_and_forty(functional_scenario(*weights), weights);                  \
  }
HARMONIA_LAYER_TEST("FP16, converted on read", SmallShape{}, formats::weight_format("fp16"), kInt8, 8)
HARMONIA_LAYER_TEST("FP16, hidden 200", odd, formats::weight_format("fp16"), kInt8, 9)
HARMONIA_LAYER_TEST("INT8", odd, formats::weight_format("int8"), kInt8, 10)
HARMONIA_LAYER_TEST("INT4 with zero-points", odd, formats::weight_format("int4z"), kInt8, 11)
HARMONIA_LAYER_TEST("3-bit K-means", odd, formats::weight_format("kmeans3"), kInt8, 12)
HARMONIA_LAYER_TEST("8-bit K-means", odd, formats::weight_format("kmeans8"), kInt8, 13)
HARMONIA_LAYER_TEST("NF4", odd, formats::weight_format("nf4"), kInt8, 14)
HARMONIA_LAYER_TEST("ternary", odd, formats::weight_format("ternary"), kInt8, 15)

#define HARMONIA_KV_TEST(name, kv_name)                                                                \
  TEST_CASE("kv: " name) {                                                                             \
    const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 20); \
    Scenario s = functional_scenario(*weights);                                                        \
    s.kv.format = kv_name;                                                                             \
    seventy_and_forty(s, weights);                                                                     \
  }
HARMONIA_KV_TEST("FP16", "fp16")
HARMONIA_KV_TEST("INT8", "int8")
HARMONIA_KV_TEST("BFP8", "bfp8")
HARMONIA_KV_TEST("BFP4", "bfp4")

TEST_CASE("kv: windows that demote keys and value groups while decoding") {
  const auto weights = random_model({}, formats::weight_format("kmeans2"), CodebookKind::kInt8, 21);
  Scenario s = functional_scenario(*weights);
  s.kv.n_initial = 5;
  s.kv.n_local = 37;
  seventy_and_forty(s, weights);
}
TEST_CASE("kv: no windows at all") {
  const auto weights = random_model({}, formats::weight_format("kmeans2"), CodebookKind::kInt8, 22);
  Scenario s = functional_scenario(*weights);
  s.kv.n_initial = 0;
  s.kv.n_local = 0;
  seventy_and_forty(s, weights);
}

TEST_CASE("smoothing: without online offsets") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 23);
  Scenario s = functional_scenario(*weights);
  s.accelerator.smoother.online = false;
  seventy_and_forty(s, weights);
}

TEST_CASE("array: a plain FP16 array decodes weights and cache to FP16") {
  const formats::WeightFormat format = formats::weight_format("fp16");
  const auto weights = random_model(odd, format, CodebookKind::kInt8, 24);
  Scenario s = functional_scenario(*weights);
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  s.kv.format = "fp16";
  seventy_and_forty(s, weights);
}
TEST_CASE("array: a plain FP16 array with 4-bit K-means weights and a BFP cache") {
  const auto weights = random_model(odd, formats::weight_format("kmeans4"), CodebookKind::kInt8, 25);
  Scenario s = functional_scenario(*weights);
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  seventy_and_forty(s, weights);
}
TEST_CASE("array: a plain FP16 array with INT4 weights and an INT8 cache") {
  const auto weights = random_model(odd, formats::weight_format("int4z"), CodebookKind::kInt8, 26);
  Scenario s = functional_scenario(*weights);
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  s.kv.format = "int8";
  seventy_and_forty(s, weights);
}

TEST_CASE("batch: three sequences of different length in one step, two layers") {
  SmallShape shape;
  shape.layers = 2;
  const auto weights = random_model(shape, formats::weight_format("kmeans4"), CodebookKind::kInt8, 27);
  Instruments instruments;
  std::vector<Step> steps = {{{0, 33}}, {{1, 20}, {0, 1}}, {{0, 1}, {1, 1}, {2, 40}}};
  for (int i = 0; i < 20; ++i) steps.push_back({{2, 1}, {0, 1}, {1, 1}});
  run_beside_golden(functional_scenario(*weights), weights, steps, &instruments);
}
TEST_CASE("batch: chunked prefill beside decoding sequences") {
  const auto weights = random_model({}, formats::weight_format("kmeans1"), CodebookKind::kInt8, 28);
  Instruments instruments;
  std::vector<Step> steps = {{{0, 30}}};
  for (int i = 0; i < 5; ++i) steps.push_back({{0, 1}, {1, 19}});
  run_beside_golden(functional_scenario(*weights), weights, steps, &instruments);
}
TEST_CASE("stalls: random stalls on every connection change no byte") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 29);
  Instruments instruments(0.3, 77);
  run_beside_golden(functional_scenario(*weights), weights, schedule(2, 35, 10), &instruments);
  REQUIRE(instruments.stalls() > 1000);
}
TEST_CASE("timing: loosely timed memory accesses change no byte") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 32);
  Scenario s = functional_scenario(*weights);
  s.fidelity.timing = testbench::Timing::lt;
  seventy_and_forty(s, weights);
}

TEST_CASE("spill: activations that do not fit on chip go through memory") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 31);
  Scenario scenario = functional_scenario(*weights);
  scenario.accelerator.activation_buffer.capacity_bytes = 4 * 1024;
  Instruments instruments;
  run_beside_golden(scenario, weights, schedule(2, 35, 0, 1), &instruments, false);
}
TEST_CASE("spill: several strips of rows, weights kept on chip for all of them") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 33);
  Scenario scenario = functional_scenario(*weights);
  scenario.accelerator.activation_buffer.capacity_bytes = 8 * 1024;
  Instruments instruments;
  run_beside_golden(scenario, weights, schedule(1, 70, 0, 14), &instruments, false);
}
// Half of 32 KiB holds neither the operands nor the FP16 values of 70 tokens: the residual stream, normed rows,
// queries, attention outputs and activations go through memory, strip by strip.
namespace {
Scenario small_buffers(const GoldenModelWeights& weights) {
  Scenario s = functional_scenario(weights);
  s.accelerator.activation_buffer.capacity_bytes = 32 * 1024;
  return s;
}
}  // namespace
TEST_CASE("spill: activations through memory, the loop order that moves fewest bytes") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 30);
  const Outcome o = seventy_and_forty(small_buffers(*weights), weights, false);
  REQUIRE(o.bytes[static_cast<std::size_t>(bus::TrafficClass::activations)] > 70 * 10 * 256);
}
TEST_CASE("spill: activations through memory, row-first") {
  const auto weights = random_model({}, formats::weight_format("int4"), CodebookKind::kInt8, 33);
  Scenario s = small_buffers(*weights);
  s.accelerator.sequencer.order = accelerator::LoopOrder::row_first;
  seventy_and_forty(s, weights, false);
}
TEST_CASE("spill: activations through memory, column-first") {
  const auto weights = random_model({}, formats::weight_format("kmeans1"), CodebookKind::kInt8, 34);
  Scenario s = small_buffers(*weights);
  s.accelerator.sequencer.order = accelerator::LoopOrder::column_first;
  seventy_and_forty(s, weights, false);
}
TEST_CASE("spill: sizes that are no multiples of 32 or 128, two sequences, random stalls") {
  const auto weights =
      random_model({200, 2, 6, 2, 32, 300, 70}, formats::weight_format("kmeans2"), CodebookKind::kInt8, 35);
  Instruments instruments(0.2, 5);
  run_beside_golden(small_buffers(*weights), weights, schedule(2, 45, 5), &instruments, false);
}
TEST_CASE("spill: a plain FP16 array") {
  const auto weights = random_model({}, formats::weight_format("fp16"), CodebookKind::kInt8, 36);
  Scenario s = small_buffers(*weights);
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  seventy_and_forty(s, weights, false);
}
// 70 tokens in strips of 48 (of the 55 that fit, whole rounds of 16 rows) and 22, two kv heads of 32 channels. Keys: 37
// bytes a token and head, all within the windows. Values: groups of 32 x 37 bytes; the first strip ends within the
// second of three. Kept in the converter each is written once; through memory the second is written by both strips.
namespace {
void grown_values(std::uint32_t channels, std::uint64_t heads_in_memory) {
  const auto weights = random_model({}, formats::weight_format("int4"), CodebookKind::kInt8, 37);
  Scenario s = small_buffers(*weights);
  s.accelerator.sequencer.order = accelerator::LoopOrder::row_first;
  s.accelerator.converter.growing_channels = channels;
  Instruments instruments(0.2, 6);
  const Outcome o = run_beside_golden(s, weights, schedule(1, 70, 0), &instruments, false);
  const std::uint64_t group = 32 * 37;
  REQUIRE(o.bytes[static_cast<std::size_t>(bus::TrafficClass::kv_write)] ==
          2 * (70 * 37 + 3 * group) + heads_in_memory * group);
}
}  // namespace
TEST_CASE("spill: V groups that strips cut grow in the converter and are written once") { grown_values(64, 0); }
TEST_CASE("spill: V groups that strips cut grow in the converter, as many as it has room for") { grown_values(63, 1); }
TEST_CASE("spill: V groups that strips cut grow in memory without room in the converter") { grown_values(0, 2); }
TEST_CASE("spill: unfused attention of several strips, random stalls") {
  const auto weights = random_model({}, formats::weight_format("int4"), CodebookKind::kInt8, 38);
  Scenario s = small_buffers(*weights);
  s.accelerator.activation_buffer.capacity_bytes = 16 * 1024;
  s.accelerator.sequencer.attention = accelerator::AttentionScores::unfused;
  Instruments instruments(0.2, 7);
  run_beside_golden(s, weights, schedule(2, 70, 2), &instruments, false);
}
TEST_CASE("attention: unfused, scores and probabilities through memory") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 31);
  Scenario s = functional_scenario(*weights);
  s.accelerator.sequencer.attention = accelerator::AttentionScores::unfused;
  const Outcome o = seventy_and_forty(s, weights);
  // Scores (2 bytes a value, written and read) and probabilities (37 bytes in 32, padded) of 8 heads, in strips of
  // queries that all see the strip's last token: at least those of the decode steps.
  std::uint64_t bytes = 0;
  for (std::uint64_t context = 71; context <= 110; ++context) bytes += 2 * 8 * (2 * context + (context + 31) / 32 * 37);
  const std::uint64_t prefill = 2 * 70 * 8 * (2 * 70 + 3 * 37);
  REQUIRE(o.bytes[static_cast<std::size_t>(bus::TrafficClass::activations)] == bytes + prefill);
}
TEST_CASE("attention: unfused with small buffers, an FP16 array and an INT8 cache") {
  const auto weights = random_model({}, formats::weight_format("fp16"), CodebookKind::kInt8, 37);
  Scenario s = small_buffers(*weights);
  s.accelerator.sequencer.attention = accelerator::AttentionScores::unfused;
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  s.kv.format = "int8";
  seventy_and_forty(s, weights, false);
}
