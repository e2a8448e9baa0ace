// The functional machine against the golden composition, bit for bit.
#include "tests/machine/support.h"

using namespace harmonia;
using namespace harmonia::test;

TEST_CASE("layer: 4-bit K-means, hidden 256, GQA: prefill of 70 and 40 decode steps equal the golden composition") {
  const auto weights = random_model({}, WeightFormat::kKmeans4, CodebookKind::kInt8, 1);
  Instruments instruments;
  run_beside_golden(functional_scenario(*weights), weights, schedule(1, 70, 40), &instruments);
}
