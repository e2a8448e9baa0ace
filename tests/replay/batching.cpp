// Continuous batching worked by hand: steps of a constant or a linear cost, limits, refusal, chunks.
#include <functional>

#include "harmonia/testbench/replay/continuous_batching.h"
#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using testbench::BatchingStatistics;
using testbench::BatchLimits;
using testbench::ContinuousBatching;
using testbench::Request;
using Part = ContinuousBatching::Part;

using Cost = std::function<double(const std::vector<Part>&)>;
const Cost one_second = [](const std::vector<Part>&) { return 1.0; };

/// Runs all steps; returns them.
std::vector<std::vector<Part>> run(ContinuousBatching& b, const Cost& cost) {
  std::vector<std::vector<Part>> steps;
  double now = 0;
  while (!b.finished()) {
    const std::vector<Part> parts = b.begin_step(now);
    if (parts.empty()) {
      if (!b.finished()) now = b.next_arrival();
      continue;
    }
    now += cost(parts);
    b.end_step(now);
    steps.push_back(parts);
  }
  return steps;
}

void require_part(const Part& p, std::uint64_t request, std::uint64_t cached, std::uint64_t tokens, bool token_out) {
  REQUIRE(p.request == request);
  REQUIRE(p.cached == cached);
  REQUIRE(p.tokens == tokens);
  REQUIRE(p.token_out == token_out);
}

}  // namespace

TEST_CASE("batching: the prompt's step gives the first token, each later step one more") {
  ContinuousBatching b(std::vector<Request>{{0, 3, 3}}, {2, 100, 512});
  const auto steps = run(b, one_second);
  REQUIRE(steps.size() == 3);
  require_part(steps[0][0], 0, 0, 3, true);
  require_part(steps[1][0], 0, 3, 1, true);
  require_part(steps[2][0], 0, 4, 1, true);
  REQUIRE(b.requests()[0].first_token_s == 1);
  REQUIRE(b.requests()[0].last_token_s == 3);
  REQUIRE(b.completed() == 1);
}

TEST_CASE("batching: chunks of two prompts share a step's budget and mix with decoding, cost 0.1 s a token") {
  ContinuousBatching b(std::vector<Request>{{0, 6, 2}, {0.2, 3, 2}}, {2, 100, 4});
  const auto steps = run(b, [](const std::vector<Part>& parts) {
    double sum = 0;
    for (const Part& p : parts) sum += 0.1 * static_cast<double>(p.tokens);
    return sum;
  });
  REQUIRE(steps.size() == 4);
  require_part(steps[0].at(0), 0, 0, 4, false);
  require_part(steps[1].at(0), 0, 4, 2, true);   // the rest of the first prompt
  require_part(steps[1].at(1), 1, 0, 2, false);  // what that leaves of four
  require_part(steps[2].at(0), 0, 6, 1, true);
  require_part(steps[2].at(1), 1, 2, 1, true);
  require_part(steps[3].at(0), 1, 3, 1, true);
  REQUIRE(b.requests()[0].first_token_s == Approx(0.8));
  REQUIRE(b.requests()[0].last_token_s == Approx(1.0));
  REQUIRE(b.requests()[1].admitted_s == Approx(0.4));
  REQUIRE(b.requests()[1].first_token_s == Approx(1.0));
  REQUIRE(b.requests()[1].last_token_s == Approx(1.1));
  const BatchingStatistics s = b.statistics();
  REQUIRE(s.seconds == Approx(1.1));
  REQUIRE(s.running_mean * 1.1 == Approx(0.4 * 1 + 0.6 * 2 + 0.1 * 1));
  REQUIRE(s.waiting_mean * 1.1 == Approx(0.2));  // from its arrival to the end of the first step
  REQUIRE(s.kv_tokens_mean * 1.1 == Approx(0.4 * 8 + 0.6 * 13 + 0.1 * 5));
  REQUIRE(s.running_max == 2);
  REQUIRE(s.kv_tokens_max == 13);
  REQUIRE(s.idle_s == 0);
}

TEST_CASE("batching: whole prompts, one a step") {
  ContinuousBatching b(std::vector<Request>{{0, 7, 1}, {0, 5, 2}}, {4, 100, 0});
  const auto steps = run(b, one_second);
  REQUIRE(steps.size() == 3);
  REQUIRE(steps[0].size() == 1);
  require_part(steps[0][0], 0, 0, 7, true);
  require_part(steps[1][0], 1, 0, 5, true);
  require_part(steps[2][0], 1, 5, 1, true);
}

TEST_CASE("batching: the KV limit holds up the queue, in order; what can never fit is refused") {
  // Room for 10: the second would fit after the first only, and the fourth waits behind it although it would fit.
  ContinuousBatching b(std::vector<Request>{{0, 4, 4}, {0, 2, 2}, {0, 8, 4}, {0, 1, 1}}, {4, 10, 512});
  const auto steps = run(b, one_second);
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(steps.at(i).size() == 1);
  REQUIRE(steps.at(4).size() == 2);
  REQUIRE(b.requests()[1].admitted_s == 4);
  REQUIRE(b.requests()[3].admitted_s == 4);
  REQUIRE(b.requests()[2].refused);
  REQUIRE(b.refused() == 1);
  REQUIRE(b.completed() == 3);
  REQUIRE(b.statistics().kv_tokens_max == 8);
  REQUIRE(b.statistics().waiting_max == 2);
}

TEST_CASE("batching: at most so many sequences, each with a slot of its own; time without requests passes at once") {
  ContinuousBatching b(std::vector<Request>{{0, 1, 2}, {0, 1, 2}, {0, 1, 2}, {10, 1, 1}}, {2, 1000, 512});
  const auto steps = run(b, one_second);
  REQUIRE(steps.at(0).size() == 2);
  REQUIRE(steps.at(0)[0].slot != steps.at(0)[1].slot);
  REQUIRE(steps.at(2).size() == 1);  // the third takes a slot that came free
  REQUIRE(steps.at(2)[0].slot < 2);
  REQUIRE(b.requests()[2].last_token_s == 4);
  REQUIRE(b.requests()[3].first_token_s == 11);
  REQUIRE(b.statistics().idle_s == 6);
}

TEST_CASE("batching: groups of sequences have steps of their own, and a request joins the smallest group") {
  BatchLimits limits{4, 100, 512};
  limits.groups = 2;
  CHECK(limits.step_sequences() == 2);
  ContinuousBatching b(std::vector<Request>{{0, 3, 2}, {0, 4, 1}, {0, 5, 1}, {1.5, 6, 1}}, limits);
  const std::vector<Part> first = b.begin_step(0, 0);
  REQUIRE(first.size() == 2);
  require_part(first[0], 0, 0, 3, true);
  require_part(first[1], 2, 0, 5, true);
  const std::vector<Part> second = b.begin_step(0.5, 1);
  REQUIRE(second.size() == 1);
  require_part(second[0], 1, 0, 4, true);
  CHECK(b.step(0).size() == 2);
  b.end_step(1, 0);
  b.end_step(1.25, 1);
  // The first group has a sequence left, the second one none: what arrives goes there.
  REQUIRE(b.begin_step(1.5, 0).size() == 1);
  require_part(b.step(0)[0], 0, 3, 1, true);
  REQUIRE(b.begin_step(1.5, 1).size() == 1);
  require_part(b.step(1)[0], 3, 0, 6, true);
  b.end_step(2, 0);
  b.end_step(2.5, 1);
  CHECK(b.finished());
  CHECK(b.completed() == 4);
  CHECK(b.requests()[0].last_token_s == 2);
  CHECK(b.requests()[3].first_token_s == 2.5);
  CHECK(b.statistics().idle_s == Approx(0));
}

}  // namespace harmonia::test
