// The paths of `harmonia infer`: names and how their engines are made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harmonia/testbench/infer/config.h"
#include "harmonia/testbench/infer/step_engine.h"

namespace harmonia::testbench {

/// "fp32, golden": every path that there is.
std::string engine_names();

/// Makes the engine of a path. `calibration` holds documents for offline smoothing. Throws config::InputError for an
/// unknown path, or when smoothing.offline_exponent > 0 without calibration documents.
std::unique_ptr<StepEngine> make_engine(const std::string& path, const std::shared_ptr<const ModelWeights>& model,
                                        const InferConfig& config, const std::vector<std::vector<int>>& calibration);

}  // namespace harmonia::testbench
