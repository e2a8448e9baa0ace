// Which experts each token of a mixture layer goes to.
//
// Models: experts drawn for each token and layer from a distribution over the experts, without putting one back, taken from a
//   trace, or chosen by the router's scores, where there are values. A drawn choice depends on seed, layer, slot and position
//   alone, so that whoever asks again gets the same, the formulas of conservation.h too.
// Does not model: experts that follow from one layer to the next or from token to token, unless a trace has it; which expert is
//   popular (of a Zipf distribution the lower numbers are, in every layer); experts that move to another device or are on several, to
//   share the rows out.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/step_work.h"

namespace harmonia::accelerator {

class Routing {
 public:
  virtual ~Routing() = default;
  /// The experts of the token at `position` of the sequence in `slot`, experts_per_token different ones.
  virtual std::vector<std::uint32_t> experts(int layer, std::uint64_t slot, std::uint64_t position) const = 0;
};

/// Expert e has weight (e + 1)^-exponent; 0 is the uniform distribution.
class DrawnRouting : public Routing {
 public:
  DrawnRouting(const Mixture& mixture, double exponent, std::uint64_t seed);
  std::vector<std::uint32_t> experts(int layer, std::uint64_t slot, std::uint64_t position) const override;

 private:
  std::uint32_t per_token_;
  std::uint64_t seed_;
  std::vector<double> weights_;
};

/// Tokens of a trace in turn: of `slots` sequences the token at one position after the other.
class TracedRouting : public Routing {
 public:
  /// experts: [token][mixture layer][experts_per_token].
  TracedRouting(const ModelShape& shape, std::vector<std::uint32_t> experts, std::uint64_t slots);
  std::vector<std::uint32_t> experts(int layer, std::uint64_t slot, std::uint64_t position) const override;

 private:
  std::vector<std::uint32_t> experts_;
  std::vector<std::uint64_t> place_;  // of a layer among the mixtures
  std::uint64_t per_token_, layers_, slots_;
};

/// Where the router's scores sent the tokens of the step under way.
class ScoredRouting : public Routing {
 public:
  /// Begins a step.
  void begin(const ModelShape& shape, const StepWork& work);
  /// experts: those of each row of the step in a layer, experts_per_token of each.
  void set(int layer, std::vector<std::uint32_t> experts) {
    experts_[static_cast<std::size_t>(layer)] = std::move(experts);
  }
  /// Throws std::logic_error for a token that is not of the step, or whose layer has not been routed.
  std::vector<std::uint32_t> experts(int layer, std::uint64_t slot, std::uint64_t position) const override;

 private:
  std::vector<SequenceStep> sequences_;
  std::uint64_t rows_ = 0;
  std::vector<std::vector<std::uint32_t>> experts_;  // [layer][row][experts_per_token]
};

/// Of each expert the rows of the step that go to it, in ascending order.
using RowsOfExperts = std::vector<std::vector<std::uint32_t>>;

/// Of all experts of a layer, whichever device has them.
RowsOfExperts rows_of_all_experts(const ModelShape& shape, const Routing& routing, const StepWork& work, int layer);
/// Of those that `device` has, where they are placed on shape.expert_devices devices; otherwise all.
RowsOfExperts rows_of_device(const ModelShape& shape, const RowsOfExperts& all, int device);
/// The device that has most to do for a layer: of those with the most experts to read the one whose experts get the most rows, of equal
/// ones the first.
int busiest_device(const ModelShape& shape, const RowsOfExperts& all);
/// Of those that the device of this shape has.
RowsOfExperts rows_of_own_experts(const ModelShape& shape, const RowsOfExperts& all);
RowsOfExperts rows_of_experts(const ModelShape& shape, const Routing& routing, const StepWork& work, int layer);

}  // namespace harmonia::accelerator
