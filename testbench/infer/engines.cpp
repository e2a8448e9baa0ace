#include "harmonia/testbench/infer/engines.h"

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/infer/smoothing_calibration.h"

namespace harmonia::testbench {
namespace {

using Model = std::shared_ptr<const ModelWeights>;
using Documents = std::vector<std::vector<int>>;

SmoothingFactors factors(const Model& model, const InferConfig& c, const Documents& calibration) {
  if (c.smoothing.offline_exponent <= 0) return {};
  if (calibration.empty())
    throw config::InputError("smoothing.offline_exponent needs a calibration text (--calibrate FILE)");
  return calibrate_smoothing(model, calibration, c.smoothing.offline_exponent);
}

std::unique_ptr<StepEngine> make_reference(const Model& model, const InferConfig&, const Documents&) {
  return std::make_unique<ReferenceLlama>(model);
}

std::unique_ptr<StepEngine> make_golden(const Model& model, const InferConfig& c, const Documents& calibration) {
  return std::make_unique<GoldenEngine>(model->info, prepare_weights(*model, c, factors(model, c, calibration)), c);
}

struct EngineKind {
  const char* name;
  std::unique_ptr<StepEngine> (*make)(const Model&, const InferConfig&, const Documents&);
};
constexpr EngineKind kEngines[] = {{"fp32", make_reference}, {"golden", make_golden}};

}  // namespace

std::string engine_names() {
  std::string names;
  for (const EngineKind& e : kEngines) names += names.empty() ? e.name : std::string(", ") + e.name;
  return names;
}

std::unique_ptr<StepEngine> make_engine(const std::string& path, const Model& model, const InferConfig& c,
                                        const Documents& calibration) {
  for (const EngineKind& e : kEngines)
    if (path == e.name) return e.make(model, c, calibration);
  throw config::InputError({"command line"},
                           "unknown path '" + config::printable(path) + "', expected one of " + engine_names());
}

}  // namespace harmonia::testbench
