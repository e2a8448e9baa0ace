#include "harmonia/testbench/infer/engines.h"

#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/infer/machine_engine.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/infer/smoothing_calibration.h"

namespace harmonia::testbench {
namespace {

std::shared_ptr<accelerator::GoldenModelWeights> weights(const EngineRequest& r) {
  SmoothingFactors factors;
  const double exponent = r.config.smoothing.offline_exponent;
  if (exponent > 0) {
    const accelerator::ModelShape& shape = r.model->info.shape;
    if (shape.qkv_bias || shape.qk_norm || shape.rotary_dim != 0)
      throw config::InputError(
          "smoothing.offline_exponent: factors are folded into the query and key projections alone, expected a model "
          "without their biases, norms and partial rotation, or 0");
    if (r.calibration.empty())
      throw config::InputError("smoothing.offline_exponent needs a calibration text (--calibrate FILE)");
    factors = calibrate_smoothing(r.model, r.calibration, exponent);
  }
  return prepare_weights(*r.model, r.config, factors);
}

std::unique_ptr<StepEngine> make_reference(const EngineRequest& r) { return std::make_unique<ReferenceLlama>(r.model); }

std::unique_ptr<StepEngine> make_golden(const EngineRequest& r) {
  return std::make_unique<GoldenEngine>(r.model->info, weights(r), r.config);
}

std::unique_ptr<StepEngine> make_machine(const EngineRequest& r) {
  if (r.machine == nullptr) throw std::invalid_argument("this path needs a machine");
  return std::make_unique<MachineEngine>(r.model->info, weights(r), r.config, *r.machine, r.max_step_tokens);
}

struct EngineKind {
  const char* name;
  std::unique_ptr<StepEngine> (*make)(const EngineRequest&);
  bool machine;
};
constexpr EngineKind kEngines[] = {
    {"fp32", make_reference, false}, {"golden", make_golden, false}, {"systemc", make_machine, true}};

const EngineKind& kind(const std::string& path) {
  for (const EngineKind& e : kEngines)
    if (path == e.name) return e;
  throw config::InputError({"command line"},
                           "unknown path '" + config::printable(path) + "', expected one of " + engine_names());
}

}  // namespace

std::string engine_names() {
  std::string names;
  for (const EngineKind& e : kEngines) names += names.empty() ? e.name : std::string(", ") + e.name;
  return names;
}

bool needs_machine(const std::string& path) { return kind(path).machine; }

std::unique_ptr<StepEngine> make_engine(const std::string& path, const EngineRequest& request) {
  return kind(path).make(request);
}

}  // namespace harmonia::testbench
