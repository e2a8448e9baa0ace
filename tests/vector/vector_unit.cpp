// The vector unit's timing worked by hand; its arithmetic is tested in tests/formats/vector_math.cpp. No kernel.
#include "harmonia/hw/vector/vector_unit.h"

#include "tests/support/catch.h"

using namespace harmonia::vector;

namespace {

/// Three rows of 128 columns: 384 values, 6 cycles of 64 lanes for each pass.
template <class K>
K values() {
  K kind;
  kind.rows = 3;
  kind.columns = 128;
  return kind;
}

struct Cycles {
  std::uint64_t arriving, afterwards;
};
bool operator==(const Cycles& a, const Cycles& b) { return a.arriving == b.arriving && a.afterwards == b.afterwards; }

Cycles cycles(const Config& config, const Kind& kind) {
  return {arriving_cycles(config, kind, results(kind)), final_cycles(config, kind)};
}

}  // namespace

TEST_CASE("vector timing: passes over a value as it arrives, and once all are there") {
  const Config config;
  REQUIRE(cycles(config, values<RotateQueries>()) == Cycles{12, 0});
  REQUIRE(cycles(config, values<RotateKeys>()) == Cycles{12, 0});
  REQUIRE(cycles(config, values<PassValues>()) == Cycles{6, 0});
  REQUIRE(cycles(config, values<PassScores>()) == Cycles{6, 0});
  REQUIRE(cycles(config, values<Softmax>()) == Cycles{6, 12});
  REQUIRE(cycles(config, values<CollectAttention>()) == Cycles{6, 0});
  REQUIRE(cycles(config, values<AddResidual>()) == Cycles{6, 0});
  REQUIRE(cycles(config, values<SiluMultiply>()) == Cycles{12, 6});  // gate and up arrive
  REQUIRE(cycles(config, values<Logits>()) == Cycles{6, 0});
  REQUIRE(cycles(config, Setup{3, 1, 128}) == Cycles{0, 0});
  REQUIRE(cycles(config, Marker{1}) == Cycles{0, 0});
}

TEST_CASE("vector timing: what takes no results of the array makes all its passes when its operand is there") {
  const Config config;
  REQUIRE(cycles(config, values<Embed>()) == Cycles{0, 6});
  REQUIRE(cycles(config, values<Norm>()) == Cycles{0, 12});
  Softmax scores = values<Softmax>();
  scores.from_memory = true;
  REQUIRE(cycles(config, scores) == Cycles{0, 18});
  REQUIRE(own_elements(scores) == 384);
  REQUIRE(own_elements(values<Softmax>()) == 0);
  REQUIRE(own_elements(Setup{3, 1, 128}) == 0);
}

TEST_CASE("vector timing: a value too many for the lanes takes a cycle more") {
  Config config;
  config.lanes = 100;
  REQUIRE(cycles(config, values<PassValues>()) == Cycles{4, 0});
}

TEST_CASE("vector timing: an exponential of several cycles counts in softmax, after, and in SiLU, as values arrive") {
  Config config;
  config.exp_cycles_per_element = 3;
  REQUIRE(cycles(config, values<Softmax>()) == Cycles{6, 24});
  REQUIRE(cycles(config, values<SiluMultiply>()) == Cycles{36, 6});
  REQUIRE(cycles(config, values<Norm>()) == Cycles{0, 12});
}

TEST_CASE("vector unit: operand bytes are rows that come from memory, and the gains of a norm") {
  REQUIRE(operand_bytes(values<Embed>()) == 768);
  Norm norm = values<Norm>();
  REQUIRE(operand_bytes(norm) == 0);
  norm.gains = true;
  REQUIRE(operand_bytes(norm) == 256);
  norm.from_memory = true;
  REQUIRE(operand_bytes(norm) == 256 + 768);
  AddResidual add = values<AddResidual>();
  REQUIRE(operand_bytes(add) == 0);
  add.in_memory = true;
  REQUIRE(operand_bytes(add) == 768);
  REQUIRE(operand_bytes(values<PassValues>()) == 0);
}

// 4 lanes; a row's exponential is 2 cycles and two passes more.
TEST_CASE("Online softmax: passes over scores, rows and outputs") {
  Config config;
  config.lanes = 4;
  config.exp_cycles_per_element = 2;
  OnlineSoftmax scores;
  scores.rows = 3;
  scores.columns = 32;
  REQUIRE(arriving_cycles(config, scores, 96) == 24);
  REQUIRE(final_cycles(config, scores) == (96 * 2 + 3 * 4) / 4);
  AccumulateAttention outputs;
  outputs.rows = 3;
  outputs.columns = 32;
  REQUIRE(arriving_cycles(config, outputs, 96) == 48);
  REQUIRE(final_cycles(config, outputs) == 0);
  outputs.last = true;
  REQUIRE(final_cycles(config, outputs) == 24);
}
