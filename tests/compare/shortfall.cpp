// Why a speed-up falls short of the byte ratio: causes add up, and each lands where it belongs.
#include "harmonia/testbench/compare/compare.h"
#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using namespace harmonia::testbench;

Metrics metrics(double bits, std::vector<OperationTime> operations) {
  Metrics m;
  m.tokens = 2;
  m.bits_per_weight = bits;
  for (const OperationTime& o : operations) m.simulated_s += o.simulated_s;
  m.time_per_token_s = m.simulated_s / m.tokens;
  m.operations = std::move(operations);
  return m;
}

OperationTime operation(const char* name, const char* bound, double seconds) {
  OperationTime o;
  o.name = name;
  o.bound = bound;
  o.simulated_s = seconds;
  return o;
}

double of(const Shortfall& s, const std::string& cause) {
  for (const auto& [name, value] : s)
    if (name == cause) return value;
  return -1;
}

TEST_CASE("linears that shrink with their bytes miss nothing; the head and the cache do") {
  const Metrics first = metrics(16, {operation("qkv", "memory", 8), operation("lm_head", "memory", 2),
                                     operation("attention_scores", "memory", 1)});
  const Metrics fewer = metrics(4, {operation("qkv", "memory", 2), operation("lm_head", "memory", 2),
                                    operation("attention_scores", "memory", 1)});
  const Shortfall s = shortfall(first, fewer);
  REQUIRE(byte_ratio(first, fewer) == 4);
  // Per token: the head should have taken 2/4 of its 2 s over 2 tokens.
  REQUIRE(of(s, "lm_head") == Approx((2 - 0.5) / 2));
  REQUIRE(of(s, "kv") == Approx((1 - 0.25) / 2));
  REQUIRE(of(s, "overhead") == Approx(0).margin(1e-12));
  double sum = 0;
  for (const auto& [cause, value] : s) sum += value;
  REQUIRE(sum == Approx(fewer.time_per_token_s - first.time_per_token_s / 4));
  REQUIRE(shortfall_text(first, fewer) == "lm_head 67 %, kv 33 %");
  REQUIRE(shortfall_text(first, first) == "none");
}

TEST_CASE("a linear's bound names the cause of what it misses") {
  const Metrics first = metrics(16, {operation("down", "memory", 16)});
  const auto cause = [&](const char* bound) {
    return shortfall_text(first, metrics(1, {operation("down", bound, 4)}));
  };
  REQUIRE(cause("decode") == "decoder 100 %");
  REQUIRE(cause("compute") == "compute 100 %");
  REQUIRE(cause("vector") == "vector 100 %");
  REQUIRE(cause("buffer") == "buffer 100 %");
  REQUIRE(cause("interconnect") == "interconnect 100 %");
  REQUIRE(cause("memory") == "overhead 100 %");
}

TEST_CASE("devices divide the bytes too, and what is between them is the link's") {
  const Metrics first = metrics(16, {operation("down", "memory", 16)});
  Metrics two = metrics(4, {operation("down", "memory", 2), operation("link", "link", 3)});
  two.devices = 2;
  REQUIRE(byte_ratio(first, two) == 8);
  REQUIRE(of(shortfall(first, two), "link") == Approx(3.0 / 2));
  REQUIRE(shortfall_text(first, two) == "link 100 %");
}

TEST_CASE("time that no operation claims is overhead, and the causes still add up") {
  const Metrics first = metrics(16, {operation("down", "memory", 16)});
  Metrics idle = metrics(4, {operation("down", "memory", 4)});
  idle.simulated_s = 10;
  idle.time_per_token_s = 5;
  REQUIRE(of(shortfall(first, idle), "overhead") == Approx(3));
}

TEST_CASE("a table marks the fastest variant and names the ones that failed") {
  Comparison c;
  c.scenario = "s";
  c.keys = {"weights"};
  c.variants.resize(3);
  const char* labels[] = {"weights=a", "weights=b", "weights=c"};
  for (std::size_t i = 0; i < 3; ++i) {
    c.variants[i].label = labels[i];
    c.variants[i].settings = {{"weights", labels[i] + 8}};
  }
  c.variants[0].metrics = metrics(16, {operation("down", "memory", 16)});
  c.variants[1].metrics = metrics(4, {operation("down", "memory", 4)});
  c.variants[2].failure = "does not fit, said \"x\"";
  REQUIRE(c.winner()->label == "weights=b");
  REQUIRE(c.reference()->label == "weights=a");
  REQUIRE_THAT(c.text(),
               ContainsSubstring("weights=b  <- fastest") && ContainsSubstring("FAILED: weights=c: does not fit"));
  REQUIRE_THAT(c.csv(), ContainsSubstring("weights=c,failed,\"does not fit, said \"\"x\"\"\",c,"));
  REQUIRE_THAT(c.json(), ContainsSubstring("\"winner\": \"weights=b\""));
}

}  // namespace
}  // namespace harmonia::test
