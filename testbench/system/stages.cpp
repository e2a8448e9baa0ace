#include "harmonia/testbench/system/stages.h"

#include <fmt/format.h>

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

namespace {

std::string share_of_experts(const accelerator::ModelShape& m) {
  if (m.expert_devices == 1) return "of each expert a part, of the router all";
  return fmt::format("{} whole experts of each layer's {} (devices.experts: placed), {}of the router all",
                     m.own_experts(), m.mixture.experts,
                     m.mixture.shared_width > 0 ? "of the shared ones a part, " : "");
}

}  // namespace

std::string share_of_device(const StageKind& kind) {
  const accelerator::ModelShape& m = kind.scenario.model;
  const DevicesConfig& d = kind.scenario.devices;
  std::string text;
  if (d.pipeline > 1)
    text +=
        fmt::format("  devices.pipeline: stage{} {} of {}, with {} layer(s){}{}\n", kind.stages.size() == 1 ? "" : "s",
                    fmt::join(kind.stages, ", "), d.pipeline, m.num_hidden_layers,
                    m.stage_before ? "" : ", the embedding", m.stage_behind ? "" : ", the final norm and lm_head");
  if (d.tensor > 1)
    text += fmt::format(
        "  devices.tensor: each of {} devices has output columns of q, k, v, gate and up, input rows of o and down, kv "
        "heads, "
        "and rows of embedding and lm_head{}\n",
        d.tensor, m.mixture.experts > 0 ? "; " + share_of_experts(m) : "");
  return text;
}

}  // namespace harmonia::testbench
