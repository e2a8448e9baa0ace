// The SystemC machine behind the step interface: real weights in its DRAM model, real tokens through its blocks.
//
// Models: one sequence on a functional machine. Weights are decoded by the LUT decoder, activations pass the converter,
// keys the smoother; the KV cache lies packed in the DRAM model and is read back from there. Each step's simulated
// time, the bytes it moved and the energy of all of them. Does not model: several sequences, the host's time between
// steps. A process elaborates one machine only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/testbench/infer/config.h"
#include "harmonia/testbench/infer/step_engine.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {

class MachineEngine : public StepEngine {
 public:
  /// `machine`: its accelerator and timing are taken, formats come from `config`. Steps may have up to
  /// `max_step_tokens` tokens. Throws config::InputError when the machine has no mode for the weights, or model or
  /// steps do not fit it.
  MachineEngine(const ModelInfo& info, std::shared_ptr<const accelerator::GoldenModelWeights> weights,
                const InferConfig& config, const LoadedScenario& machine, std::int64_t max_step_tokens);
  ~MachineEngine() override;

  const ModelInfo& model() const override { return info_; }
  std::string description() const override;
  void reset() override { position_ = 0; }
  std::int64_t position() const override { return position_; }
  void step(const std::vector<int>& tokens, std::vector<float>& logits) override;
  bool last_logits_only() const override { return true; }
  std::unique_ptr<MachineCost> cost() const override;

  Machine& machine() { return *machine_; }
  /// FP16 logits of the last step's last token.
  const std::vector<formats::Fp16>& logits() const { return logits_; }

 private:
  void serve(Host& host);
  std::uint64_t pin_bytes() const;
  double seconds() const;
  EnergyResult energy() const;

  ModelInfo info_;
  std::shared_ptr<const accelerator::GoldenModelWeights> weights_;
  InferConfig config_;
  Scenario scenario_;
  std::vector<config::Assumption> assumptions_;
  std::int64_t max_step_tokens_;
  std::unique_ptr<Machine> machine_;
  std::int64_t position_ = 0;
  accelerator::StepWork work_;
  bool pending_ = false;  // work_ was given and is not done
  std::vector<formats::Fp16> logits_;
  std::vector<MachineCost::Step> steps_;
};

}  // namespace harmonia::testbench
