#include "harmonia/testbench/infer/machine_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/runs/energy.h"
#include "harmonia/testbench/system/functional.h"

namespace harmonia::testbench {

MachineEngine::MachineEngine(const ModelInfo& info, std::shared_ptr<const accelerator::GoldenModelWeights> weights,
                             const InferConfig& c, const LoadedScenario& machine, std::int64_t max_step_tokens)
    : info_(info),
      weights_(std::move(weights)),
      config_(c),
      scenario_(machine.scenario),
      assumptions_(machine.assumptions),
      max_step_tokens_(std::min(max_step_tokens, info.max_context)) {
  scenario_.fidelity.mode = FidelityMode::full;
  scenario_.fidelity.data = DataMode::functional;
  config_.apply(scenario_);
  Capacity capacity;
  capacity.tokens_per_slot = static_cast<std::uint64_t>(info_.max_context);
  capacity.max_step_tokens = static_cast<std::uint64_t>(max_step_tokens_);
  capacity.sequence_step_tokens = capacity.max_step_tokens;
  try {
    adopt_weights(scenario_, *weights_);
    const accelerator::MachineOptions options = functional_options(scenario_, weights_);
    machine_ = std::make_unique<Machine>(
        scenario_, capacity, [this](Host& host) { serve(host); }, options);
    // The largest step generated once, which throws when a tile does not fit on chip.
    accelerator::StepWork largest;
    largest.sequences.push_back({0, 0, capacity.max_step_tokens, true});
    accelerator::StepProgram program(machine_->shape, machine_->map, accelerator::on_chip(scenario_.accelerator),
                                     options.program, largest);
    program.embedding();
    program.layer(0);
    program.head();
    load_weights(*machine_, *weights_);
  } catch (const std::invalid_argument& e) {
    throw config::InputError(std::string("the machine cannot run these weights: ") + e.what());
  }
}

MachineEngine::~MachineEngine() = default;

std::string MachineEngine::description() const { return "SystemC model: " + summary_of(config_, *weights_); }

void MachineEngine::serve(Host& host) {
  for (;;) {
    host.step(work_);
    logits_ = host.logits(static_cast<std::size_t>(info_.shape.vocab_size));
    pending_ = false;
    // Control goes back to step().
    sc_core::sc_pause();
    sc_core::wait(sc_core::SC_ZERO_TIME);
  }
}

void MachineEngine::step(const std::vector<int>& tokens, std::vector<float>& logits) {
  check(tokens);
  if (static_cast<std::int64_t>(tokens.size()) > max_step_tokens_)
    throw config::InputError(
        fmt::format("a step of {} tokens; the machine was built for {}", tokens.size(), max_step_tokens_));
  work_ = {};
  work_.sequences.push_back({0, static_cast<std::uint64_t>(position_), tokens.size(), true});
  work_.token_ids.assign(tokens.begin(), tokens.end());
  pending_ = true;
  const std::uint64_t bytes_before = pin_bytes();
  const double joules_before = energy().total_j;
  machine_->simulate_until([this] { return !pending_; });
  position_ += static_cast<std::int64_t>(tokens.size());
  const accelerator::StepRecord& record = machine_->accelerator->sequencer.record();
  steps_.push_back({static_cast<std::int64_t>(tokens.size()), position_, (record.end - record.begin).to_seconds(),
                    pin_bytes() - bytes_before, 0});
  steps_.back().joules = energy().total_j - joules_before;
  logits.resize(logits_.size());
  formats::to_float(logits_.data(), logits_.size(), logits.data());
}

std::uint64_t MachineEngine::pin_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& channel : machine_->accelerator->channels)
    for (const std::uint64_t bytes : channel->counts().pin_bytes) sum += bytes;
  return sum;
}

double MachineEngine::seconds() const {
  double sum = 0;
  for (const MachineCost::Step& s : steps_) sum += s.seconds;
  return sum;
}

EnergyResult MachineEngine::energy() const { return machine_energy(*machine_->accelerator, seconds()); }

std::unique_ptr<MachineCost> MachineEngine::cost() const {
  auto cost = std::make_unique<MachineCost>();
  cost->machine = scenario_.accelerator.name;
  cost->steps = steps_;
  cost->seconds = seconds();
  for (const auto& channel : machine_->accelerator->channels)
    for (std::size_t i = 0; i < kTrafficClasses; ++i) cost->bytes_by_class[i] += channel->counts().request_bytes[i];
  cost->pin_bytes = pin_bytes();
  cost->peak_bytes_per_s = accelerator::peak_bandwidth(scenario_.accelerator);
  cost->energy = energy();
  cost->energy.per_token_j = cost->per_output_token().joules;
  cost->assumptions = assumptions_;
  return cost;
}

}  // namespace harmonia::testbench
