#include "harmonia/testbench/scenario/devices_config.h"

#include <stdexcept>
#include <vector>

#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

void DevicesConfig::describe(config::Fields& f) {
  std::vector<std::string> algorithms = {kFastestAlgorithm};
  for (const auto& [name, value] : link::algorithm_names()) algorithms.push_back(name);
  f.add("tensor", tensor)
      .range(1, 1024)
      .unit("devices")
      .says("equal devices, each a whole accelerator with its own DRAM, that share every tensor of the model");
  f.add("pipeline", pipeline)
      .range(1, 1024)
      .unit("devices")
      .says("groups of layers on devices of their own; 1 is modelled");
  f.add("fold", fold).says("simulate one of the equal devices; false: all of them, with their links");
  f.add("overlap", overlap)
      .says("weights of what follows are read and expanded during all-reduces, as far as their buffers reach");
  f.add("topology", topology, link::topology_names())
      .says("who has a link to whom: a switch, full (one to each other), a ring, or one path that all share");
  f.add("algorithm", algorithm)
      .one_of(algorithms)
      .says("of all-reduces; fastest: by the link's own times, for each size");
  f.add("reduction", reduction, link::reduction_names()).says("partial sums on the links, and their sums");
  f.add("link", link).says("link of each device: built-in name (`harmonia list links`), file, or inline");
}

link::Algorithm DevicesConfig::named_algorithm() const {
  for (const auto& [name, value] : link::algorithm_names())
    if (name == algorithm) return value;
  throw std::logic_error("no algorithm is named");
}

std::string devices_problem(const Scenario& s, bool link_given) {
  const DevicesConfig& d = s.devices;
  if (d.pipeline > 1) return "devices.pipeline: pipeline parallelism is not modelled, expected 1";
  if (d.tensor == 1) return {};
  if (!link_given) return "devices.link: is missing, expected the link between the devices (`harmonia list links`)";
  if (s.fidelity.data == DataMode::functional && d.fold)
    return "devices.fold: one device has no values of the others to add, expected false, or fidelity.data: timing_only";
  if (d.overlap && s.accelerator.kernels.on())
    return "devices.overlap: kernels of a GPU begin one after another, and an all-reduce is one, expected false";
  if (s.workload.is_trace() && s.fidelity.mode == FidelityMode::sampled)
    return "devices.tensor: sampled replay of a request trace is not modelled over several devices, expected 1, or "
           "fidelity.mode: full";
  if (!s.workload.is_trace() && s.workload.phase == Phase::gemv)
    return "devices.tensor: a single matrix (phase gemv) is not divided, expected 1";
  if (d.link.message_bytes < link::element_bytes(d.reduction))
    return "devices.link.message_bytes: is " + std::to_string(d.link.message_bytes) +
           ", expected room for one value of " + std::to_string(link::element_bytes(d.reduction)) + " bytes";
  if (d.algorithm == kFastestAlgorithm) return {};
  const std::string why =
      link::refusal(link::Collective::all_reduce, d.named_algorithm(), d.topology, static_cast<unsigned>(d.tensor));
  return why.empty() ? why : "devices.algorithm: " + why;
}

}  // namespace harmonia::testbench
