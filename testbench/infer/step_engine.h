// What runs a model step by step: the FP32 reference, the golden composition and the SystemC machine all stand behind
// this.
//
// Models: one sequence. A step appends one or more tokens to it and yields the logits that follow each of them.
// Does not model: batches, sampling, text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

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
  /// Appends `tokens` (each 0 .. vocab-1) as one step and writes tokens.size() rows of vocab_size logits. Throws
  /// config::InputError when a token is out of range or the sequence would exceed the model's context.
  virtual void step(const std::vector<int>& tokens, std::vector<float>& logits) = 0;
};

}  // namespace harmonia::testbench
