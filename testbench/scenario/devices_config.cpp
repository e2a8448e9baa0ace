#include "harmonia/testbench/scenario/devices_config.h"

#include <stdexcept>
#include <vector>

#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

const config::NameTable<accelerator::ExpertSplit>& expert_split_names() {
  static const config::NameTable<accelerator::ExpertSplit> names = {{"divided", accelerator::ExpertSplit::divided},
                                                                    {"placed", accelerator::ExpertSplit::placed}};
  return names;
}

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
      .says(
          "stages: groups of whole layers, one behind the other, each on `tensor` devices of its own; where layers do "
          "not divide the first stages have one more");
  f.add("micro_batches", micro_batches)
      .range(0, 65536)
      .unit("micro-batches")
      .says(
          "of a step's sequences, which pass the stages of a pipeline one behind the other; of a replay, groups of "
          "sequences whose steps do; 0: as many as stages, and no more than sequences");
  f.add("experts", experts, expert_split_names())
      .says(
          "of a mixture: divided, every device has a part of each expert; placed, each expert is whole on one device, "
          "as "
          "many on each (expert parallelism)");
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

int most_micro_batches(const WorkloadConfig& w) { return w.is_trace() ? w.max_batch : w.batch; }

namespace {

std::string pipeline_problem(const Scenario& s) {
  const DevicesConfig& d = s.devices;
  if (d.pipeline == 1) return {};
  if (!s.workload.is_trace() && s.workload.phase == Phase::gemv)
    return "devices.pipeline: a single matrix (phase gemv) has no layers, expected 1";
  if (d.pipeline > s.model.num_hidden_layers)
    return "devices.pipeline: is " + std::to_string(d.pipeline) + ", expected at most the model's " +
           std::to_string(s.model.num_hidden_layers) + " layers";
  if (d.micro_batches > most_micro_batches(s.workload))
    return "devices.micro_batches: is " + std::to_string(d.micro_batches) + ", expected at most the workload's " +
           std::to_string(most_micro_batches(s.workload)) + " sequences";
  if (!d.fold && s.workload.is_trace())
    return "devices.fold: stages that are simulated together end a step before they begin another, and those of a "
           "replay "
           "overlap, expected true";
  if (!d.fold && s.fidelity.mode == FidelityMode::sampled)
    return "devices.fold: stages that are simulated together are simulated whole, expected true, or fidelity.mode: "
           "full";
  if (d.topology == link::Topology::shared)
    return "devices.topology: sends from stage to stage over one path that all share are not modelled, expected "
           "switch, "
           "full or ring";
  return {};
}

}  // namespace

std::string idle_devices_key(const DevicesConfig& d, const config::Node& given) {
  if (d.count() == 1 || !given.is_map()) return {};
  if (d.pipeline == 1 && d.micro_batches > 0 && given.find("micro_batches") != nullptr) return "micro_batches";
  if (d.tensor > 1) return {};
  for (const char* of_tensor : {"topology", "algorithm", "reduction", "overlap", "experts"})
    if (given.find(of_tensor) != nullptr) return of_tensor;
  return {};
}

std::string devices_problem(const Scenario& s, bool link_given) {
  const DevicesConfig& d = s.devices;
  if (d.count() == 1) return {};
  if (!link_given) return "devices.link: is missing, expected the link between the devices (`harmonia list links`)";
  if (s.fidelity.data == DataMode::functional && d.fold)
    return "devices.fold: one device has no values of the others to add, expected false, or fidelity.data: timing_only";
  if (d.overlap && s.accelerator.kernels.on())
    return "devices.overlap: kernels of a GPU begin one after another, and an all-reduce is one, expected false";
  if (const std::string why = pipeline_problem(s); !why.empty()) return why;
  if (!s.workload.is_trace() && s.workload.phase == Phase::gemv)
    return "devices.tensor: a single matrix (phase gemv) is not divided, expected 1";
  if (d.link.message_bytes < link::element_bytes(d.reduction))
    return "devices.link.message_bytes: is " + std::to_string(d.link.message_bytes) +
           ", expected room for one value of " + std::to_string(link::element_bytes(d.reduction)) + " bytes";
  if (d.tensor == 1 || d.algorithm == kFastestAlgorithm) return {};
  const std::string why =
      link::refusal(link::Collective::all_reduce, d.named_algorithm(), d.topology, static_cast<unsigned>(d.tensor));
  return why.empty() ? why : "devices.algorithm: " + why;
}

}  // namespace harmonia::testbench
