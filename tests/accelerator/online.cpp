// Online softmax: the machine against the golden model bit for bit, what it reads, and how far it is from whole rows.
#include <cmath>
#include <random>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/hw/vector/vector_math.h"
#include "tests/accelerator/support.h"

using namespace harmonia;
using namespace harmonia::test;
using accelerator::AttentionScores;

namespace {

Scenario online(const GoldenModelWeights& weights, std::uint64_t block) {
  Scenario s = functional_scenario(weights);
  s.accelerator.sequencer.attention = AttentionScores::online;
  s.accelerator.sequencer.attention_block_tokens = block;
  return s;
}

std::shared_ptr<GoldenModelWeights> model(const char* format, std::uint64_t seed) {
  return random_model({}, formats::weight_format(format), CodebookKind::kInt8, seed);
}

}  // namespace

TEST_CASE("online softmax: the rescaled sums of blocks are the softmax of the row") {
  std::mt19937_64 random(71);
  const std::size_t n = 1000, block = 96;
  std::vector<Fp16> scores(n), probabilities(block), value(1);
  std::vector<double> values(n);
  double largest = -1e9, sum = 0, expected = 0;
  for (std::size_t i = 0; i < n; ++i) {
    // Growing scores, so that every block moves the maximum.
    scores[i] = formats::to_fp16(static_cast<float>(i) / 20 + static_cast<float>(random() % 100) / 25);
    values[i] = formats::to_float(formats::to_fp16(static_cast<float>(random() % 2000) / 1000 - 1));
    largest = std::max(largest, static_cast<double>(formats::to_float(scores[i])) * 0.25);
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double e = std::exp(static_cast<double>(formats::to_float(scores[i])) * 0.25 - largest);
    sum += e;
    expected += e * values[i];
  }
  vector::OnlineRow row;
  float accumulated = 0;
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t count = std::min(block, n - first);
    const float factor = vector::online_softmax(scores.data() + first, count, 0.25f, row, probabilities.data());
    REQUIRE(factor < 1);
    double product = 0;
    for (std::size_t i = 0; i < count; ++i)
      product += static_cast<double>(formats::to_float(probabilities[i])) * values[first + i];
    value[0] = formats::to_fp16(static_cast<float>(product));
    vector::online_accumulate(value.data(), 1, factor, &accumulated);
  }
  Fp16 out;
  vector::online_divide(&accumulated, 1, row.sum, &out);
  REQUIRE(std::abs(static_cast<double>(row.sum) - sum) < 1e-5 * sum);
  REQUIRE(std::abs(static_cast<double>(formats::to_float(out)) - expected / sum) < 2e-3);
}

TEST_CASE("online softmax: a maximum that does not grow leaves the sums as they are") {
  const std::vector<Fp16> high(32, formats::to_fp16(4.0f)), low(32, formats::to_fp16(-3.0f));
  std::vector<Fp16> out(32);
  vector::OnlineRow row;
  REQUIRE(vector::online_softmax(high.data(), 32, 1.0f, row, out.data()) == 0.0f);
  REQUIRE(row.sum == 32.0f);
  REQUIRE(vector::online_softmax(low.data(), 32, 1.0f, row, out.data()) == 1.0f);
  REQUIRE(row.largest == 4.0f);
}

TEST_CASE("online softmax: chunks, windows and query groups are golden, on chip") {
  const auto weights = model("kmeans4", 51);
  run_beside_golden(online(*weights, 32), weights, schedule(2, 150, 4, 47), nullptr, std::nullopt);
}
TEST_CASE("online softmax: a block as long as the context, a token at a time") {
  const auto weights = model("kmeans4", 52);
  run_beside_golden(online(*weights, 128), weights, schedule(1, 30, 110), nullptr, std::nullopt);
}
TEST_CASE("online softmax: strips through memory, random stalls") {
  const auto weights = model("int4", 53);
  Scenario s = online(*weights, 64);
  s.accelerator.activation_buffer.capacity_bytes = 16 * 1024;
  Instruments instruments(0.2, 8);
  run_beside_golden(s, weights, schedule(2, 140, 3, 100), &instruments, false);
}
TEST_CASE("online softmax: plain caches become groups on the way to a BFP array") {
  const auto weights = model("int4", 54);
  Scenario s = online(*weights, 32);
  s.kv.format = "int8";
  s.accelerator.activation_buffer.capacity_bytes = 16 * 1024;
  run_beside_golden(s, weights, schedule(1, 130, 3, 45), nullptr, std::nullopt);
}
TEST_CASE("online softmax: an FP16 array") {
  const auto weights = model("fp16", 55);
  Scenario s = online(*weights, 32);
  s.kv.format = "fp16";
  s.accelerator.pe.kind = accelerator::PeKind::fp16;
  run_beside_golden(s, weights, schedule(1, 130, 3, 45), nullptr, std::nullopt);
}

// Half of 4 KiB holds the probabilities of 4 heads over 12 groups of 37 bytes beside their queries: 384 tokens.
TEST_CASE("online softmax: a context whose probabilities do not fit on chip runs") {
  const auto weights = model("kmeans4", 56);
  Scenario s = online(*weights, 32);
  s.accelerator.activation_buffer.capacity_bytes = 4 * 1024;
  accelerator::OnChip chip = accelerator::on_chip(s.accelerator);
  REQUIRE(accelerator::longest_context(weights->shape, chip) > 1000000);
  chip.online_block = 0;
  REQUIRE(accelerator::longest_context(weights->shape, chip) == 384);
  run_beside_golden(s, weights, schedule(1, 500, 1, 250), nullptr, std::nullopt);
}

// 4 heads: FP32 outputs of 32 channels, five FP32 numbers, FP16 scores of 512 keys: 4 * (128 + 20 + 1024) = 4688.
TEST_CASE("online softmax: a token whose sums do not fit is refused by name") {
  const auto weights = model("kmeans4", 57);
  Scenario s = online(*weights, 512);
  s.accelerator.activation_buffer.capacity_bytes = 8 * 1024;
  accelerator::StepWork work;
  work.sequences.push_back({0, 600, 1, true});
  REQUIRE_THROWS_WITH(accelerator::query_tokens_per_strip(weights->shape, accelerator::on_chip(s.accelerator), work,
                                                          work.sequences[0], false),
                      ContainsSubstring("online softmax of one token takes 4688 bytes"));
}

// A token's keys of a kv head are 4 groups of 21 bytes, and so are its values; the low planes of the 32 first and the 64
// newest tokens add 16 bytes a group. Once per chunk of 512 queries that is, over 64 chunks, 8 kv heads and 32 layers,
// 512 * (1 + ... + 64) * 2 * 84 * 256 = 45.8 GB and at most 64 * 128 * 2 * 64 * 256 = 0.3 GB of low planes.
TEST_CASE("online softmax: a prefill of 32768 tokens on 4 MiB reads the cache once per chunk") {
  Scenario s;
  s.accelerator.activation_buffer.capacity_bytes = 4 << 20;
  const auto cache_bytes = [&] {
    const accelerator::OnChip chip = accelerator::on_chip(s.accelerator);
    const accelerator::ModelShape shape = shape_of({4096, 32, 32, 8, 128, 14336, 128256});
    const accelerator::StoredFormats formats{formats::weight_format("kmeans4"), formats::weight_format("fp16"), {}};
    double bytes = 0;
    for (std::uint64_t cached = 0; cached < 32768; cached += 512) {
      accelerator::StepWork work;
      work.sequences.push_back({0, cached, 512, false});
      const accelerator::Expected e =
          accelerator::expected_of_step(shape, formats, CodebookKind::kInt8, chip, work, {32, 128256, false});
      bytes += static_cast<double>(e.bytes[static_cast<std::size_t>(bus::TrafficClass::kv_read)]);
    }
    return bytes;
  };
  const double once = 512.0 * (64.0 * 65 / 2) * 2 * 84 * 256;
  REQUIRE(cache_bytes() > 20 * once);
  s.accelerator.sequencer.attention = AttentionScores::online;
  REQUIRE(cache_bytes() >= once);
  REQUIRE(cache_bytes() < 1.01 * once);
}
