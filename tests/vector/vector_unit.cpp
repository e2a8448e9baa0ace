// The vector unit's timing worked by hand; its arithmetic is tested in tests/formats/vector_math.cpp. No kernel.
#include "harmonia/hw/vector/vector_unit.h"

#include <string>

#include "tests/support/catch.h"

using namespace harmonia::vector;

namespace {

struct Passes {
  Kind kind;
  std::uint64_t arriving, afterwards;
};

}  // namespace

TEST_CASE("vector timing: passes over a value as it arrives, and once all are there") {
  Config config;
  for (const Passes& p :
       {Passes{Kind::embed, 1, 0}, Passes{Kind::norm, 0, 2}, Passes{Kind::rope_query, 2, 0},
        Passes{Kind::rope_key, 2, 0}, Passes{Kind::value, 1, 0}, Passes{Kind::softmax, 1, 2},
        Passes{Kind::attention_out, 1, 0}, Passes{Kind::residual_add, 1, 0}, Passes{Kind::silu_mul, 1, 1},
        Passes{Kind::logits, 1, 0}, Passes{Kind::setup, 0, 0}, Passes{Kind::marker, 0, 0}}) {
    INFO(name_of(p.kind));
    const Cost c = cost(config, p.kind);
    REQUIRE(c.per_element_streaming == p.arriving);
    REQUIRE(c.per_element_final == p.afterwards);
  }
}

TEST_CASE("vector timing: an exponential of several cycles counts in softmax, after, and in SiLU, as values arrive") {
  Config config;
  config.exp_cycles_per_element = 3;
  REQUIRE(cost(config, Kind::softmax).per_element_streaming == 1);
  REQUIRE(cost(config, Kind::softmax).per_element_final == 4);
  REQUIRE(cost(config, Kind::silu_mul).per_element_streaming == 3);
  REQUIRE(cost(config, Kind::silu_mul).per_element_final == 1);
  REQUIRE(cost(config, Kind::norm).per_element_final == 2);
}
