// What runs a model step by step: the FP32 reference, the golden composition and the SystemC machine all stand behind
// this.
//
// Models: one sequence. A step appends one or more tokens to it and yields the logits that follow them; an engine with
// a machine behind it says what its steps cost there. Does not model: batches, sampling, text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// What steps cost on the modelled machine.
struct MachineCost {
  struct Step {
    std::int64_t tokens = 0;   ///< added by the step
    std::int64_t context = 0;  ///< in the sequence after it
    double seconds = 0;        ///< simulated
    std::uint64_t pin_bytes = 0;
    double joules = 0;
  };
  std::string machine;  ///< name
  std::vector<Step> steps;
  double seconds = 0;  ///< of all steps
  BytesByClass bytes_by_class{};
  std::uint64_t pin_bytes = 0;  ///< what crossed the DRAM pins: whole bursts
  double peak_bytes_per_s = 0;
  EnergyResult energy;  ///< of all steps; per token: of those that added one token, as below
  std::vector<config::Assumption> assumptions;

  std::int64_t tokens() const;
  /// Means over the steps that added one token, zeros when there is none.
  struct PerToken {
    double seconds = 0, pin_bytes = 0, joules = 0;
  };
  PerToken per_output_token() const;
};

class StepEngine {
 public:
  virtual ~StepEngine() = default;

  virtual const ModelInfo& model() const = 0;
  /// One line for reports: path and settings.
  virtual std::string description() const = 0;
  /// Forgets the sequence.
  virtual void reset() = 0;
  /// Tokens in the sequence so far.
  virtual std::int64_t position() const = 0;
  /// Appends `tokens` (each 0 .. vocab-1) as one step and writes tokens.size() rows of vocab_size logits, or, with
  /// last_logits_only(), the last row of them. Throws config::InputError when there is no token, one is out of range or
  /// the sequence would exceed the model's context.
  virtual void step(const std::vector<int>& tokens, std::vector<float>& logits) = 0;
  /// Whether the output head runs on the last token of a step only, as it does in a machine that serves.
  virtual bool last_logits_only() const { return false; }
  /// Of all steps since the engine was made; null when there is no machine.
  virtual std::unique_ptr<MachineCost> cost() const { return nullptr; }

 protected:
  /// Throws config::InputError unless `tokens` can be appended.
  void check(const std::vector<int>& tokens) const;
};

}  // namespace harmonia::testbench
