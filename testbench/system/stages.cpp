#include "harmonia/testbench/system/stages.h"

#include <algorithm>

#include "harmonia/hw/model/model_split.h"

namespace harmonia::testbench {

std::vector<StageKind> stage_kinds(const Scenario& scenario) {
  std::vector<StageKind> kinds;
  for (int stage = 0; stage < scenario.devices.pipeline; ++stage) {
    const accelerator::ModelShape shape = scenario.devices.pipeline == 1
                                              ? scenario.model
                                              : accelerator::stage_of(scenario.model, scenario.devices.pipeline, stage);
    const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const StageKind& kind) {
      return scenario.devices.fold && accelerator::alike(kind.scenario.model, shape);
    });
    if (same != kinds.end()) {
      same->stages.push_back(stage);
      continue;
    }
    kinds.push_back({scenario, {stage}});
    kinds.back().scenario.model = shape;
  }
  return kinds;
}

}  // namespace harmonia::testbench
