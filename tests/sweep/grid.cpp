// Values with commas, products of axes, keys that no scenario has.
#include "harmonia/testbench/sweep/grid.h"

#include "harmonia/config/yaml.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using namespace harmonia::testbench;
using Texts = std::vector<std::string>;

TEST_CASE("commas separate values except within brackets and quotes") {
  const config::Location here{"test", 0, 0};
  REQUIRE(split_values("a,b, c ", here) == Texts{"a", "b", "c"});
  REQUIRE(split_values("[],[{bits: 1, weights_per_cycle: 2}],x", here) ==
          Texts{"[]", "[{bits: 1, weights_per_cycle: 2}]", "x"});
  REQUIRE(split_values("\"a,b\",'c,]'", here) == Texts{"\"a,b\"", "'c,]'"});
  for (const char* bad : {"a,", ",a", "a,,b", "[1,2", "1]", "'a"})
    REQUIRE_THROWS_AS(split_values(bad, here), config::InputError);
}

TEST_CASE("an axis names a key that scenarios have") {
  const Axis axis = parse_over("weights=fp16,kmeans1");
  REQUIRE(axis.key == "weights");
  REQUIRE(axis.values == Texts{"fp16", "kmeans1"});
  for (const char* good :
       {"workload.batch=1", "accelerator.pe.rows=4", "dram=HBM2-2000", "dram.channels=2",
        "accelerator.dram.channel.ranks=1", "accelerator=harmonia,l40s", "accelerator.base=harmonia"})
    REQUIRE_NOTHROW(parse_over(good));
  REQUIRE_THAT(message_of([] { parse_over("wieghts=fp16"); }), ContainsSubstring("nearest known key is 'weights'"));
  REQUIRE_THAT(message_of([] { parse_over("accelerator.pe.rowz=4"); }),
               ContainsSubstring("nearest known key is 'rows'"));
  REQUIRE_THAT(message_of([] { parse_over("seed.x=4"); }), ContainsSubstring("no keys below"));
  REQUIRE_THAT(message_of([] { parse_over("weights="); }), ContainsSubstring("no values"));
  REQUIRE_THAT(message_of([] { parse_over("weights"); }), ContainsSubstring("no key"));
}

TEST_CASE("a name is laid down before the keys below it, whoever says it") {
  const Settings common = {{"accelerator.pe.rows", "32"}, {"weights.codebook", "int5"}, {"seed", "2"}};
  REQUIRE(overrides_of(common, {{"accelerator", "fp-fp"}, {"weights", "kmeans1"}, {"accelerator.pe.rows", "8"}}) ==
          Texts{"seed=2", "accelerator=fp-fp", "weights=kmeans1", "weights.codebook=int5", "accelerator.pe.rows=32",
                "accelerator.pe.rows=8"});
  REQUIRE(overrides_of(Texts{"a.b=1.5"}, {{"a", "x.y.z"}}) == Texts{"a=x.y.z", "a.b=1.5"});
}

TEST_CASE("a product varies its last axis fastest, and maps flatten to dotted keys") {
  const std::vector<Settings> points = product({{"a", {"1", "2"}}, {"b", {"x", "y", "z"}}});
  REQUIRE(points.size() == 6);
  REQUIRE(label_of(points[1]) == "a=1, b=y");
  REQUIRE(label_of(points[3]) == "a=2, b=x");
  REQUIRE(product({}).size() == 1);
  const config::Node map =
      config::parse_yaml("{workload: {batch: 2, context: 5}, accelerator.decoder.rates: [{bits: 1}], seed: 3}", "t");
  REQUIRE(label_of(flatten(map)) ==
          "workload.batch=2, workload.context=5, accelerator.decoder.rates=[{\"bits\":1}], seed=3");
}

}  // namespace
}  // namespace harmonia::test
