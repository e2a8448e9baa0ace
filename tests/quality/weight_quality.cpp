// The quality axis: SNR of each weight path on one tensor, effective parameters, published accuracy.
#include "harmonia/testbench/quality/weight_quality.h"

#include <cmath>

#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using namespace harmonia::testbench;

WeightQuality quality(const std::string& model, const std::string& weights) {
  const Library library(HARMONIA_SOURCE "/workloads");
  return weight_quality(load_scenario("default", {"model=" + model, "weights=" + weights}, library).scenario, library);
}

TEST_CASE("SNR on Gaussian weights is what rate-distortion tables of these formats say") {
  // Lloyd-Max quantisers of a normal variable: 4.40, 9.30, 14.62, 20.22 dB without a block scale; scales of 64 weights
  // gain a little. The number formats specification gives 4.45, 9.34, 15.0, 21.16 dB.
  REQUIRE(synthetic_snr_db("kmeans1") == Approx(4.45).margin(0.15));
  REQUIRE(synthetic_snr_db("kmeans2") == Approx(9.34).margin(0.15));
  REQUIRE(synthetic_snr_db("kmeans4") == Approx(21.16).margin(0.25));
  REQUIRE(synthetic_snr_db("nf4") == Approx(20.73).margin(0.25));
  REQUIRE(synthetic_snr_db("ternary") == Approx(5.85).margin(0.2));
  REQUIRE(synthetic_snr_db("fp16") > 70);
  REQUIRE(synthetic_snr_db("int4") < synthetic_snr_db("kmeans4"));
  REQUIRE(synthetic_snr_db("kmeans4:int5") < synthetic_snr_db("kmeans4:int8"));
}

TEST_CASE("effective parameters follow the scaling law, with its constant for the kind of levels") {
  REQUIRE(effective_parameters(1e9, 1, 3.32) == Approx(1e9 * (1 - std::exp(-1 / 3.32))));
  const WeightQuality four = quality("llama-3-8b", "int4"), kmeans = quality("llama-3-8b", "kmeans4");
  // 32 layers of q, o 4096 x 4096, k, v 4096 x 1024, gate, up, down 4096 x 14336.
  REQUIRE(four.parameters == Approx(32.0 * (2 * 4096.0 * 4096 + 2 * 4096.0 * 1024 + 3 * 4096.0 * 14336)));
  // A mixture has all its experts, and its router stays in 16 bits; listed layers have what they list.
  REQUIRE(quality("qwen3-30b-a3b", "int4").parameters ==
          Approx(48.0 * (2 * 2048.0 * 4096 + 2 * 2048.0 * 512 + 128 * 3 * 2048.0 * 768)));
  REQUIRE(quality("sandwich-8b", "int4").parameters == Approx(four.parameters));
  REQUIRE(four.effective_parameters == Approx(four.parameters * (1 - std::exp(-4 / 3.71))));
  REQUIRE(kmeans.effective_parameters == Approx(four.parameters * (1 - std::exp(-4 / 3.32))));
}

TEST_CASE("accuracy is given for the models that were published, in their formats only") {
  const WeightQuality one_bit = quality("1bw-31b", "kmeans1");
  REQUIRE(one_bit.published);
  REQUIRE(one_bit.published->percent[0] == std::pair<std::string, double>("mmlu", 51.6));
  REQUIRE(quality("1bw-4b", "fp16").published);
  REQUIRE_FALSE(quality("1bw-31b", "kmeans4").published);
  REQUIRE_FALSE(quality("llama-3-8b", "kmeans1").published);
}

}  // namespace
}  // namespace harmonia::test
