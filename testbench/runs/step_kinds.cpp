#include "harmonia/testbench/runs/step_kinds.h"

#include <cmath>
#include <numeric>

namespace harmonia::testbench {

/// A sixteenth of a binary order of magnitude of the whole, a thirty-second part of it for each feature.
StepKinds::Key StepKinds::key_of(const StepFeatures& features, const StepCost::Vector& vector) {
  const double whole = std::accumulate(vector.begin(), vector.end(), 0.0);
  Key key{};
  key[0] = features.on_chip ? 1 : 0;
  key[1] = static_cast<int>(std::floor(16 * std::log2(whole)));
  for (std::size_t k = 0; k < vector.size(); ++k) key[k + 2] = static_cast<int>(std::lround(32 * vector[k] / whole));
  return key;
}

void StepKinds::add(const StepFeatures& features, const StepCost::Vector& vector, const accelerator::StepWork& work,
                    double seconds) {
  ++steps_;
  seconds_ += seconds;
  const auto [at, added] = place_.emplace(key_of(features, vector), kinds_.size());
  if (added) kinds_.push_back({{features, work}, {features, work}, 0, 0});
  Kind& kind = kinds_[at->second];
  ++kind.steps;
  kind.seconds += seconds;
  // Of n steps one from the second half: the last whose number is a power of two.
  if ((kind.steps & (kind.steps - 1)) == 0) kind.midst = {features, work};
}

}  // namespace harmonia::testbench
