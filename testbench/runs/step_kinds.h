// The steps of one way through a trace, put together by likeness, so that a few that stand for most of the time can be
// chosen among them.
// Models: kinds of steps whose features are within about a twentieth, how often each comes, and two of each: the first one,
//   and one from the midst of them. Does not model: what a step costs (step_cost.h), the order of steps.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "harmonia/hw/program/step_work.h"
#include "harmonia/testbench/runs/step_cost.h"

namespace harmonia::testbench {

class StepKinds {
 public:
  struct Step {
    StepFeatures features;
    accelerator::StepWork work;
  };
  struct Kind {
    Step first, midst;
    std::uint64_t steps = 0;
    double seconds = 0;  // of all of them together
  };

  /// features as a vector of seconds (StepCost::vector_of); seconds: that the step takes.
  void add(const StepFeatures& features, const StepCost::Vector& vector, const accelerator::StepWork& work,
           double seconds);

  std::uint64_t steps() const { return steps_; }
  double seconds() const { return seconds_; }
  /// In the order in which they came first.
  const std::vector<Kind>& kinds() const { return kinds_; }

 private:
  using Key = std::array<int, StepCost::kFeatures + 2>;
  static Key key_of(const StepFeatures& features, const StepCost::Vector& vector);

  std::map<Key, std::size_t> place_;
  std::vector<Kind> kinds_;
  std::uint64_t steps_ = 0;
  double seconds_ = 0;
};

}  // namespace harmonia::testbench
