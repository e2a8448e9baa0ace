// The cost model of sampled replay: exact where the machine is linear, few points, each simulated once.
#include "harmonia/testbench/runs/step_cost.h"

#include <random>
#include <set>

#include "tests/support/catch.h"

namespace harmonia::test {
namespace {

using testbench::StepCost;
using testbench::StepQuery;
using testbench::StepShape;

constexpr std::uint64_t on_chip = 12;

/// A machine whose steps take 5 a row, 2 a unit of attention, 3 an output token, and 100 once activations do not fit.
double seconds(double rows, double demand, double outputs) {
  return 5 * rows + 2 * demand + 3 * outputs + (rows > on_chip ? 100 : 0);
}
double demand_of(const StepShape& s) {
  const auto prompt = static_cast<double>(s.prompt);
  return static_cast<double>(s.sequences * s.context) + prompt * (static_cast<double>(s.cached) + prompt / 2);
}

struct Machine {
  std::vector<double> points;
  std::set<StepShape> shapes;
  StepCost cost{{32, 4000, 543, 3900, on_chip},
                [this](const StepShape& s) {
                  REQUIRE(shapes.insert(s).second);
                  const std::uint64_t outputs = s.logits ? s.sequences + (s.prompt > 0 ? 1 : 0) : 0;
                  points.push_back(
                      seconds(static_cast<double>(s.sequences + s.prompt), demand_of(s), static_cast<double>(outputs)));
                  return points.size() - 1;
                },
                demand_of};
  double of(const StepQuery& q) {
    double sum = 0;
    for (const auto& [point, weight] : cost.cost(q)) sum += weight * points[point];
    return sum;
  }
};

}  // namespace

TEST_CASE(
    "step cost: a machine that is linear in rows, attention and outputs is met exactly, with a step at the limit") {
  Machine m;
  std::mt19937 random(20261125);
  const auto up_to = [&](std::uint64_t n) { return random() % n + 1; };
  for (int i = 0; i < 300; ++i) {
    StepQuery q;
    q.sequences = up_to(31);  // and one prompt at most, within the limit of 32
    q.demand = static_cast<double>(q.sequences * up_to(4000));
    q.outputs = q.sequences;
    if (i % 2 == 0) {
      q.prompt = up_to(512);
      q.demand += static_cast<double>(q.prompt * up_to(3000));
      q.outputs += i % 4 == 0 ? 1 : 0;
    }
    const auto rows = static_cast<double>(q.sequences + q.prompt);
    INFO(q.sequences << " decoding, " << q.prompt << " of prompts");
    REQUIRE(m.of(q) == Approx(seconds(rows, q.demand, static_cast<double>(q.outputs))));
  }
  REQUIRE(m.cost.points() < 60);
}

TEST_CASE("step cost: a trace of the shortest prompts and outputs") {
  std::size_t simulated = 0;
  StepCost cost(
      {1, 1, 1, 0, on_chip}, [&](const StepShape&) { return simulated++; }, demand_of);
  REQUIRE(cost.cost({0, 1, 1, 0.5}).size() >= 1);
  REQUIRE(cost.cost({1, 0, 1, 1}).size() == 1);
}

}  // namespace harmonia::test
