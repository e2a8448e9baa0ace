#include "harmonia/testbench/scenario/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "harmonia/config/yaml.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/formats/weights/weight_format.h"
#include "harmonia/hw/model/model_split.h"
#include "harmonia/hw/silicon/silicon.h"
#include "harmonia/testbench/dram/channel_file.h"
#include "harmonia/testbench/models/model_config.h"
#include "harmonia/testbench/scenario/block_check.h"
#include "harmonia/testbench/scenario/idle_keys.h"
#include "harmonia/testbench/scenario/portable_name.h"

namespace harmonia::testbench {

using config::InputError;
using config::Location;
using config::Node;

const std::vector<std::string>& weight_format_names() {
  // A zero-point is a key of its own.
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const formats::WeightFormat f : formats::weight_formats())
      if (!f->zero_point && f->refused.empty()) all.push_back(f->name);
    return all;
  }();
  return names;
}

const std::vector<std::string>& kv_format_names() {
  static const std::vector<std::string> names = {"fp16", "int8", "bfp8", "bfp4", "bfp4+windows"};
  return names;
}

const std::vector<std::string>& activation_format_names() {
  static const std::vector<std::string> names = {"fp16", "bfp8"};
  return names;
}

void WeightsConfig::describe(config::Fields& f) {
  f.add("format", format).one_of(weight_format_names()).says("stored format of the seven linears of each layer");
  f.add("codebook", codebook)
      .one_of({"int8", "int5", "bf16"})
      .says("entries of a K-means codebook; bf16 is the numeric reference and has no PE mode")
      .assumed("how real centroids reach an integer PE is our choice");
  f.add("lm_head", lm_head)
      .one_of(weight_format_names())
      .says("stored format of lm_head; the embedding stays 16-bit")
      .from("1-Bit Wonder paper: embeddings, lm_head and norms stay 16-bit");
  f.add("zero_point", zero_point).says("int4 and int8 carry a zero-point per group");
  f.add("group_size", group_size)
      .range(32, 8192)
      .multiple_of(32)
      .unit("weights")
      .says("weights that share a scale in int4 and int8")
      .from("W4A16 g128, the common deployment");
}

void KvConfig::describe(config::Fields& f) {
  f.add("format", format).one_of(kv_format_names()).says("stored format of keys and values");
  f.add("n_initial", n_initial)
      .range(0, 1 << 24)
      .unit("tokens")
      .says("first tokens of a context that stay at 8 bit in bfp4+windows")
      .assumed("window sizes are unpublished; with 32 and 64 the reported 3.05x holds at context 4096");
  f.add("n_local", n_local)
      .range(0, 1 << 24)
      .unit("tokens")
      .says("newest tokens that stay at 8 bit in bfp4+windows")
      .assumed("as n_initial");
  f.add("exponent_bits", exponent_bits)
      .range(5, 8)
      .unit("bits")
      .says("stored bits of a group's exponent")
      .assumed("byte-aligned storage");
  f.check("exponent_bits", [this] {
    return exponent_bits == 5 || exponent_bits == 8 ? std::string()
                                                    : fmt::format("is {}, expected 5 or 8", exponent_bits);
  });
}

void ActivationsConfig::describe(config::Fields& f) {
  std::vector<std::string> names = {"auto"};
  names.insert(names.end(), activation_format_names().begin(), activation_format_names().end());
  f.add("format", format)
      .one_of(names)
      .says(
          "operands of the linears, which the kind of the PE array decides: bfp8 for harmonia and anda, fp16 for the "
          "others; auto is what the array takes, and another format is refused");
}

void WorkloadConfig::describe(config::Fields& f) {
  f.add("phase", phase, {{"decode", Phase::decode}, {"prefill", Phase::prefill}, {"gemv", Phase::gemv}})
      .says(
          "of a fixed workload: tokens one by one after a context, a whole prompt, or one matrix times `batch` "
          "vectors");
  f.add("batch", batch).range(1, 65536).unit("sequences").says("of a fixed workload: sequences processed together");
  f.add("context", context)
      .range(0, 1 << 26)
      .unit("tokens")
      .says("of a fixed workload: tokens in the cache before the first decode step; prompt tokens in prefill");
  f.add("tokens", tokens)
      .range(1, 1 << 26)
      .unit("tokens")
      .says("of a fixed decode workload: tokens to generate for each sequence");
  f.add("rows", rows)
      .range(1, 1 << 24)
      .unit("outputs")
      .says("of phase gemv: output features of the matrix, in the format of `weights`; the model plays no part");
  f.add("cols", cols).range(1, 1 << 24).unit("inputs").says("of phase gemv: input features of the matrix");
  f.add("trace", trace).says("request trace to replay (CSV or JSONL, optionally gzip), instead of a fixed workload");
  f.add("trace_fallback", trace_fallback).says("trace to replay, with a notice, when `trace` is not found");
  f.add("limit", limit).range(0, 1e9).unit("requests").says("requests taken from the trace; 0: all");
  f.add("max_batch", max_batch)
      .range(1, 65536)
      .unit("sequences")
      .says("most sequences in flight when a trace is replayed");
  f.add("kv_capacity_tokens", kv_capacity_tokens)
      .range(0, 1e12)
      .unit("tokens")
      .says("KV-cache room of all sequences of a trace; 0: what the DRAM leaves beside the weights");
  f.add("time_scale", time_scale)
      .more_than(0)
      .range(0, 1e6)
      .says("arrival times of the trace are multiplied by it; below 1 requests come faster");
  f.add("prefill_chunk_tokens", prefill_chunk_tokens)
      .range(0, 1 << 26)
      .unit("tokens")
      .says("prompts are processed in pieces of so many tokens; 0: whole")
      .assumed("chunk size of common serving software");
  f.add("routing", routing).says("where the tokens of mixtures of experts go");
  f.check("context", [this] {
    return !is_trace() && phase == Phase::prefill && context == 0
               ? std::string("is 0, expected the prompt's length, at least 1, in prefill")
               : std::string();
  });
}

void FidelityConfig::describe(config::Fields& f) {
  f.add("mode", mode, {{"full", FidelityMode::full}, {"sampled", FidelityMode::sampled}})
      .says("simulate every transaction, or a few of the identical layers and steps and extrapolate");
  f.add("timing", timing, {{"at", Timing::at}, {"lt", Timing::lt}})
      .says("approximately-timed (4-phase) or loosely-timed sockets");
  f.add("data", data, {{"timing_only", DataMode::timing_only}, {"functional", DataMode::functional}})
      .says("payloads without contents, or with the real packed bytes; times are the same");
  f.add("sample_layers", sample_layers).range(2, 4096).unit("layers").says("layers simulated of a sampled step");
  f.add("sample_steps", sample_steps).range(1, 1 << 20).unit("steps").says("steps simulated of a sampled run");
}

void OutputConfig::describe(config::Fields& f) {
  f.add("bandwidth_interval_us", bandwidth_interval_us)
      .range(0, 1e9)
      .unit("us")
      .says(
          "bin of the bandwidth time series, longer when there would be more than 131072 in all channels; 0: a "
          "two-hundredth of the run");
  f.add("timeline", timeline).says("write timeline.pftrace");
  f.add("waves", waves).says("write waves.vcd");
}

void Scenario::describe(config::Fields& f) {
  f.add("name", name).says("name that results carry");
  f.add("description", description).says("one line for `harmonia list scenarios`");
  f.add("model", model).required().says("model shape: built-in name, YAML file, Hugging Face config.json, or inline");
  f.add("accelerator", accelerator).says("machine: built-in name, file, or inline");
  f.add("devices", devices).says("devices that share the model, and what is between them");
  f.add("weights", weights).says("weight formats: a format name, or inline");
  f.add("kv", kv).says("KV-cache format: a format name, or inline");
  f.add("activations", activations).says("activation format: a format name, or inline");
  f.add("workload", workload).says("what is run");
  f.add("fidelity", fidelity).says("how closely it is simulated: full, sampled, or inline");
  f.add("blocks", blocks).says("which blocks are models and which are RTL");
  f.add("output", output).says("what is written");
  f.add("seed", seed).says("of everything random");
}

namespace {

constexpr int kDeepestBase = 8;

Node load_file(BuiltIn kind, const std::string& name, const Location& where, const Library& library, int depth);

// Lays a map on the one that its `base` key names.
void resolve_base(BuiltIn kind, Node& map, const Library& library, int depth) {
  const Node* base = map.find("base");
  if (!base) return;
  if (!base->is_scalar())
    throw InputError(base->where, std::string("base is ") + config::describe_found(*base) +
                                      ", expected the name of a " + kind_name(kind));
  if (depth >= kDeepestBase)
    throw InputError(base->where, fmt::format("base '{}' is the {}th in a chain, expected a chain that ends",
                                              config::printable(base->text), kDeepestBase + 1));
  Node below = load_file(kind, base->text, base->where, library, depth + 1);
  map.erase("base");
  // The name and description of the base are not this one's.
  below.erase("name");
  below.erase("description");
  const Location where = map.where;
  config::merge(below, map);
  map = std::move(below);
  map.where = where;
}

Node load_file(BuiltIn kind, const std::string& name, const Location& where, const Library& library, int depth) {
  const std::filesystem::path file = library.find(kind, name, where);
  Node node = library.read(file);
  if (!node.is_map())
    throw InputError(node.where, "this is " + config::describe_found(node) +
                                     ", expected a map of keys that describes a " + kind_name(kind));
  resolve_base(kind, node, library, depth);
  if (!node.find("name")) {
    // Downloads are kept as NAME.config.json or NAME/config.json.
    std::string stem = file.stem().string();
    if (stem == "config") stem = file.parent_path().filename().string();
    if (stem.size() > 7 && stem.compare(stem.size() - 7, 7, ".config") == 0) stem.resize(stem.size() - 7);
    node.set("name", Node::scalar(stem, true, {file.string(), 0, 0}));
  }
  return node;
}

struct Section {
  const char* key;
  const char* scalar_key;  // `weights: kmeans4` is {format: kmeans4}; nullptr: a scalar names a file
  BuiltIn kind;
};

constexpr Section kSections[] = {
    {"model", nullptr, BuiltIn::kModel},   {"accelerator", nullptr, BuiltIn::kAccelerator},
    {"dram", "preset", BuiltIn::kModel},   {"weights", "format", BuiltIn::kModel},
    {"kv", "format", BuiltIn::kModel},     {"activations", "format", BuiltIn::kModel},
    {"fidelity", "mode", BuiltIn::kModel}, {"workload", "trace", BuiltIn::kModel},
};

void expand_scalar(const Section& section, Node& node, const Library& library) {
  const Location where = node.where;
  if (section.scalar_key) {
    Node map = Node::map();
    map.where = where;
    map.set(section.scalar_key, std::move(node), where);
    node = std::move(map);
  } else {
    node = load_file(section.kind, node.text, where, library, 0);
  }
}

void expand_path(const std::string& path, Node& node, const Library& library) {
  for (const Section& s : kSections)
    if (path == s.key) expand_scalar(s, node, library);
  if (path == "accelerator.dram") expand_scalar(kSections[2], node, library);
  if (path == "devices.link") node = load_file(BuiltIn::kLink, node.text, node.where, library, 0);
}

// A DRAM file becomes the preset that it is based on and the keys that it lays over it.
void resolve_dram(Node& dram) {
  if (!dram.is_map()) return;
  const Node* preset = dram.find("preset");
  if (!preset || !preset->is_scalar() || !is_channel_file(preset->text)) return;
  ChannelDocument file = find_channel(preset->text, preset->where);
  if (const Node* over = dram.find("channel"); over && over->is_map()) lay_over(file.keys, *over);
  dram.set("preset", Node::scalar(file.preset, true, preset->where), preset->where);
  const Location where = file.keys.where;
  dram.set("channel", std::move(file.keys), where);
}

// The channel's own keys are read when the machine is built; what is wrong with them is said here, where they stand.
dram::ReadConfig check_dram(const accelerator::AcceleratorConfig& machine, const Node* dram) {
  const Node* preset = dram && dram->is_map() ? dram->find("preset") : nullptr;
  try {
    dram::preset_as_written(machine.dram.preset);
  } catch (const InputError& e) {
    throw InputError(preset ? preset->where : Location{}, e.what());
  }
  return dram::read_config(machine.dram.preset, machine.dram.channel);
}

// The energy of a channel that states currents follows from them: a figure a bit beside them would have no effect.
void refuse_idle_bit_energy(const dram::Config& channel, const Node* accelerator) {
  const Node* energy = accelerator && accelerator->is_map() ? accelerator->find("energy") : nullptr;
  const Node* given = energy && energy->is_map() ? energy->find("dram_pj_per_bit") : nullptr;
  if (!given || channel.currents.devices == 0) return;
  throw InputError(given->where,
                   "accelerator.energy.dram_pj_per_bit has no effect on the DRAM channel " + channel.name +
                       ", whose energy follows from its currents, expected no such key, or a channel without "
                       "currents (accelerator.dram.channel: {devices: 0})");
}

// What stands for the model when the workload is one matrix.
Node single_matrix(const Node& workload) {
  const auto size = [&](const char* key) {
    const Node* n = workload.find(key);
    return Node::scalar(n && n->is_scalar() ? n->text : "8192", false);
  };
  Node model = Node::map();
  model.set("name", Node::scalar("matrix", true));
  model.set("hidden_size", size("cols"));
  model.set("vocab_size", size("rows"));
  model.set("intermediate_size", size("cols"));
  for (const char* key : {"num_hidden_layers", "num_attention_heads", "num_key_value_heads"})
    model.set(key, Node::scalar("1", false));
  model.set("head_dim", Node::scalar("2", false));
  return model;
}

// Keys that a workload of its kind does not read.
std::vector<std::string> idle_keys(const WorkloadConfig& w) {
  if (w.is_trace()) return {"phase", "batch", "context", "tokens", "rows", "cols"};
  std::vector<std::string> idle = {"trace_fallback", "limit", "max_batch", "kv_capacity_tokens", "time_scale"};
  const bool gemv = w.phase == Phase::gemv;
  for (const char* key : {"rows", "cols"})
    if (!gemv) idle.emplace_back(key);
  for (const char* key : {"context", "tokens", "prefill_chunk_tokens"})
    if (gemv) idle.emplace_back(key);
  return idle;
}

// The array takes one kind of operands; a scenario that says another is wrong about its machine.
void settle_activations(ActivationsConfig& activations, pe::PeKind array, const Node* given) {
  const std::string takes = pe::takes_bfp(array) ? "bfp8" : "fp16";
  if (activations.format != "auto" && activations.format != takes) {
    const Node* format = given && given->is_map() ? given->find("format") : nullptr;
    throw InputError(format ? format->where : Location{},
                     "activations.format is " + activations.format + ", but a PE array of the kind " +
                         config::name_of(pe::pe_kind_names(), array) + " takes " + takes + ", expected that or auto");
  }
  activations.format = takes;
}

// Where the trace is named that makes another key idle: the key may stand in a scenario that this one is based on.
std::string place_of_trace(const Node& workload, const Location& key) {
  for (const config::Member& m : workload.members)
    if (m.key == "trace" && m.where.file != key.file)
      return fmt::format(" of {}:{}:{}", config::escaped(m.where.file), m.where.line, m.where.column);
  return "";
}

// A value that nothing reads misleads: keys of a fixed workload beside a trace, and the other way round.
void refuse_idle_keys(const Node& workload, const WorkloadConfig& w) {
  for (const config::Member& m : workload.members) {
    const std::vector<std::string> idle = idle_keys(w);
    if (std::find(idle.begin(), idle.end(), m.key) == idle.end()) continue;
    throw InputError(
        m.where,
        "workload." + m.key + " has no effect " +
            (w.is_trace() ? std::string("when a trace is replayed, expected no such key beside workload.trace") +
                                place_of_trace(workload, m.where)
             : m.key == "rows" || m.key == "cols" ? "without workload.phase: gemv, expected that beside it"
             : w.phase == Phase::gemv ? "on a single matrix (phase gemv), expected rows, cols and batch only"
                                      : "on a fixed workload, expected workload.trace beside it"));
  }
}

// An assumption about a format that the scenario does not use is none that its result rests on.
void drop_idle_assumptions(LoadedScenario& loaded) {
  const Scenario& s = loaded.scenario;
  const auto kmeans = [](const std::string& format) { return formats::weight_format(format)->is_trained(); };
  const bool codebook = kmeans(s.weights.format) || kmeans(s.weights.lm_head);
  const bool windows = s.kv.format == "bfp4+windows";
  const bool exponents = s.kv.format.compare(0, 3, "bfp") == 0;
  const bool prefill = s.workload.is_trace() || s.workload.phase == Phase::prefill;
  const bool anda = s.accelerator.pe.kind == accelerator::PeKind::anda;
  const bool mixture = s.model.mixture.experts > 0;
  const auto idle = [&](const config::Assumption& a) {
    return (a.key == "workload.routing.distribution" && (!mixture || s.fidelity.data == DataMode::functional ||
                                                         s.workload.routing.distribution == RoutingKind::trace)) ||
           (a.key == "weights.codebook" && !codebook) ||
           (!windows && (a.key == "kv.n_initial" || a.key == "kv.n_local")) ||
           (a.key == "kv.exponent_bits" && !exponents) || (a.key == "workload.prefill_chunk_tokens" && !prefill) ||
           (a.key == "accelerator.pe.mantissa_bits" && !anda);
  };
  auto& list = loaded.assumptions;
  list.erase(std::remove_if(list.begin(), list.end(), idle), list.end());
}

/// A dense model has no routing: a scenario that gives one is wrong about its model.
void settle_routing(LoadedScenario& loaded, const Node* workload, const Library& library) {
  Scenario& s = loaded.scenario;
  const Node* given = workload && workload->is_map() ? workload->find("routing") : nullptr;
  const accelerator::Mixture& mixture = s.model.mixture;
  if (mixture.experts == 0) {
    if (given)
      throw InputError(given->where,
                       "workload.routing has no effect on a dense model, expected a model with mixture.experts");
    loaded.resolved.find("model")->erase("mixture");
    loaded.resolved.find("workload")->erase("routing");
    return;
  }
  if (s.fidelity.data == DataMode::functional) {
    if (given)
      throw InputError(given->where,
                       "workload.routing has no effect on values, whose routers say where tokens go, expected "
                       "fidelity.data: timing_only beside it");
    loaded.resolved.find("workload")->erase("routing");
    return;
  }
  RoutingConfig& routing = s.workload.routing;
  if (const Node* exponent = given && given->is_map() ? given->find("exponent") : nullptr;
      exponent && routing.distribution != RoutingKind::zipf)
    throw InputError(exponent->where,
                     "workload.routing.exponent has no effect but on distribution: zipf, expected that beside it");
  if (routing.distribution != RoutingKind::trace) return;
  const Location where = given->find("trace")->where;
  const std::filesystem::path found = library.find_data(routing.trace, where);
  if (found.empty())
    throw InputError(where, "routing trace '" + config::printable(routing.trace) +
                                "' was not found, expected a file (its folder can be named with --data or "
                                "HARMONIA_DATA)");
  routing.traced = read_routing_trace(found.string(), s.model);
}

/// Divides the model among the devices: from here on its shape is one device's.
void settle_devices(LoadedScenario& loaded) {
  const Node* given = loaded.document.find("devices");
  Scenario& s = loaded.scenario;
  if (const std::string why = devices_problem(s, given && given->is_map() && given->find("link")); !why.empty())
    throw located(InputError(why), loaded);
  if (s.devices.count() > 1) {
    if (const std::string key = idle_devices_key(s.devices, *given); !key.empty())
      throw InputError(
          given->find(key)->where,
          fmt::format("devices.{} has no effect with tensor: {} and pipeline: {}, expected it to be left out", key,
                      s.devices.tensor, s.devices.pipeline));
    const bool dense = s.model.mixture.experts == 0;
    if (const Node* experts = given->find("experts"); experts && dense)
      throw InputError(experts->where,
                       "devices.experts has no effect on a dense model, expected a model with mixture.experts");
    try {
      s.whole = s.model;
      s.model = accelerator::part_of(s.model, s.devices.tensor, s.devices.experts);
      if (s.devices.fold && s.model.expert_devices > 1) s.model.device = accelerator::ModelShape::busiest;
    } catch (const InputError& e) {
      throw located(e, loaded);
    }
    if (s.devices.pipeline > 1 && s.devices.micro_batches == 0)
      s.devices.micro_batches = std::min(s.devices.pipeline, most_micro_batches(s.workload));
    Node* resolved = loaded.resolved.find("devices");
    if (s.devices.pipeline > 1)
      resolved->find("micro_batches")->text = std::to_string(s.devices.micro_batches);
    else
      resolved->erase("micro_batches");
    if (s.devices.tensor == 1)
      for (const char* of_tensor : {"topology", "algorithm", "reduction", "overlap", "experts"})
        resolved->erase(of_tensor);
    if (dense) resolved->erase("experts");
    loaded.notices.push_back(
        s.devices.pipeline == 1
            ? fmt::format("Bytes, bandwidth, operations, energy and area are those of one of {}{} devices; `devices` "
                          "has the links and the energy of all.",
                          s.devices.tensor, s.model.expert_devices > 1 ? "" : " equal")
            : fmt::format(
                  "Bytes, bandwidth, operations and energy are those of the mean of {} devices in {} stages; "
                  "`devices` has the stages, the links and the energy of all. Address map, latencies of reads and "
                  "time line are of the first stage.",
                  s.devices.count(), s.devices.pipeline));
    if (s.model.expert_devices > 1)
      loaded.notices.push_back(
          s.devices.fold
              ? "devices.experts: placed: of each mixture layer the device is simulated that has the most experts to "
                "read; `devices` has what all of them read, and their energy."
              : "devices.experts: placed: experts, bytes and operations are those of the first device; `devices` has "
                "what all of them read, and their energy.");
    return;
  }
  if (given)
    loaded.notices.emplace_back(
        "devices.tensor and devices.pipeline are 1: nothing is divided, and no other key of `devices` has an effect.");
  loaded.resolved.erase("devices");
  auto& list = loaded.assumptions;
  list.erase(std::remove_if(list.begin(), list.end(),
                            [](const config::Assumption& a) { return a.key.rfind("devices.", 0) == 0; }),
             list.end());
}

/// Blocks begin cycles at whole picoseconds, so that few frequencies are met exactly. Everything that is counted in cycles
/// takes the frequency that the machine has.
void settle_clock(LoadedScenario& loaded) {
  double& mhz = loaded.scenario.accelerator.clock_mhz;
  const double modelled = accelerator::clock_mhz(loaded.scenario.accelerator);
  if (modelled == mhz) return;
  loaded.notices.push_back(fmt::format("accelerator.clock_mhz: {:g} MHz is simulated as {:.3f} MHz, a period of {} ps.",
                                       mhz, modelled, accelerator::clock_ps(loaded.scenario.accelerator)));
  mhz = modelled;
}

/// The flat figure of a bit is an input only where the channel states no currents, and then a notice says so.
void settle_bit_energy(LoadedScenario& loaded, const dram::Config& channel) {
  if (channel.currents.devices == 0) {
    loaded.notices.push_back(fmt::format(
        "The energy of the DRAM is a flat {} pJ a bit (accelerator.energy.dram_pj_per_bit): the channel {} states no "
        "currents.",
        loaded.scenario.accelerator.energy.dram_pj_per_bit, channel.name));
    return;
  }
  loaded.resolved.find("accelerator")->find("energy")->erase("dram_pj_per_bit");
  auto& list = loaded.assumptions;
  list.erase(std::remove_if(list.begin(), list.end(),
                            [](const config::Assumption& a) { return a.key == "accelerator.energy.dram_pj_per_bit"; }),
             list.end());
}

/// With measured figures the result rests on what no synthesis gives. Seeds of energy and area that the user states are then
/// in the published account alone, which is said; the machines that come with the program carry both on purpose.
void settle_figures(LoadedScenario& loaded, const Library& library) {
  const accelerator::AcceleratorConfig& machine = loaded.scenario.accelerator;
  if (machine.energy.source != accelerator::FigureSource::measured) return;
  for (config::Assumption& a : silicon::assumptions(machine)) loaded.assumptions.push_back(std::move(a));
  std::vector<std::string> stated;
  const Node* given = loaded.document.find("accelerator");
  for (const char* section : {"energy", "area"}) {
    const Node* seeds = given != nullptr && given->is_map() ? given->find(section) : nullptr;
    if (seeds == nullptr || !seeds->is_map()) continue;
    for (const config::Member& m : seeds->members) {
      const bool seed = m.key != "source" && m.key != "node" && m.key != "sources" && m.key != "dram_pj_per_bit";
      if (seed && portable_name(m.value.where.file, library.folder()).rfind("built-in ", 0) != 0)
        stated.push_back(fmt::format("accelerator.{}.{}", section, m.key));
    }
  }
  if (!stated.empty())
    loaded.notices.push_back(
        fmt::format("{}: no total of energy or area depends on what is given here, since they are counted with "
                    "measured figures; it "
                    "counts in the published ones, which totals take with accelerator.energy.source: published.",
                    fmt::join(stated, ", ")));
}

void mention(std::vector<std::string>* notices, std::string text) {
  if (notices) notices->push_back(std::move(text));
}

}  // namespace

void normalise_model(Node& document, const Library& library, std::vector<std::string>* notices) {
  if (!document.is_map()) return;
  if (is_model_config(document)) {
    ModelConfig model = read_model_config(document, library.allow_unknown_keys());
    for (std::string& sentence : cost_notices(model)) mention(notices, std::move(sentence));
    document = std::move(model.document);
  } else {
    derive_head_dim(document);
  }
}

accelerator::ModelShape load_model(const std::string& name_or_file, const Library& library,
                                   std::vector<std::string>* notices) {
  Node node = load_file(BuiltIn::kModel, name_or_file, {}, library, 0);
  normalise_model(node, library, notices);
  accelerator::ModelShape model;
  config::read(model, node);
  return model;
}

accelerator::AcceleratorConfig load_accelerator(const std::string& name_or_file, const Library& library) {
  Node node = load_file(BuiltIn::kAccelerator, name_or_file, {}, library, 0);
  Node* dram = node.find("dram");
  if (dram && dram->is_scalar()) expand_path("accelerator.dram", *dram, library);
  if (dram) resolve_dram(*dram);
  accelerator::AcceleratorConfig machine;
  config::read(machine, node);
  refuse_idle_bit_energy(check_dram(machine, node.find("dram")).config, &node);
  return machine;
}

link::Config load_link(const std::string& name_or_file, const std::vector<std::string>& overrides,
                       const Library& library) {
  Node node = load_file(BuiltIn::kLink, name_or_file, {}, library, 0);
  for (const std::string& text : overrides)
    config::apply(node, config::parse_override(text), [](const std::string&, Node&) {});
  link::Config link;
  config::read(link, node);
  return link;
}

void check_context(LoadedScenario& loaded, std::int64_t tokens) {
  const accelerator::ModelShape& model = loaded.scenario.model;
  if (model.max_position_embeddings != 0 && tokens > model.max_position_embeddings)
    loaded.notices.push_back(fmt::format("The context grows to {} tokens, and the model was trained for {}.", tokens,
                                         model.max_position_embeddings));
}

LoadedScenario load_scenario(const std::string& name_or_file, const std::vector<std::string>& overrides,
                             const Library& library) {
  LoadedScenario loaded =
      load_scenario(load_file(BuiltIn::kScenario, name_or_file, {}, library, 0), overrides, library);
  loaded.source = portable_name(library.find(BuiltIn::kScenario, name_or_file, {}).string(), library.folder());
  return loaded;
}

LoadedScenario load_scenario(Node document, const std::vector<std::string>& overrides, const Library& library) {
  LoadedScenario loaded;
  for (const std::string& text : overrides) {
    const config::Override over = config::parse_override(text);
    config::apply(document, over, [&](const std::string& path, Node& node) { expand_path(path, node, library); });
  }
  if (document.is_map()) resolve_base(BuiltIn::kScenario, document, library, 0);
  for (const Section& s : kSections) {
    Node* node = document.find(s.key);
    if (!node) continue;
    if (node->is_scalar()) expand_scalar(s, *node, library);
    if (!s.scalar_key && node->is_map()) resolve_base(s.kind, *node, library, 0);
  }
  Node* devices = document.find("devices");
  if (Node* link = devices && devices->is_map() ? devices->find("link") : nullptr) {
    if (link->is_scalar()) expand_path("devices.link", *link, library);
    if (link->is_map()) resolve_base(BuiltIn::kLink, *link, library, 0);
  }
  if (Node* model = document.find("model")) normalise_model(*model, library, &loaded.notices);

  Node* machine = document.find("accelerator");
  if (machine && machine->is_map())
    if (Node* inner = machine->find("dram"); inner && inner->is_scalar())
      expand_path("accelerator.dram", *inner, library);
  if (const Node* dram = document.find("dram")) {
    const Location where = dram->where;
    if (!dram->is_map() && !dram->is_null())
      throw InputError(where,
                       "dram is " + config::describe_found(*dram) + ", expected a preset's name or a map of keys");
    const Node over = *dram;
    document.erase("dram");
    machine = document.find("accelerator");
    if (!machine || machine->is_null()) machine = &document.set("accelerator", Node::map(), where);
    Node* inner = machine->find("dram");
    if (!inner || inner->is_null()) inner = &machine->set("dram", Node::map(), where);
    // What was set for one DRAM's channel does not describe another's.
    if (over.find("preset")) inner->erase("channel");
    config::merge(*inner, over);
  }
  machine = document.find("accelerator");
  Node* dram = machine && machine->is_map() ? machine->find("dram") : nullptr;
  if (dram) resolve_dram(*dram);

  // A single matrix needs no model; results and the address map carry its shape.
  if (const Node* w = document.find("workload"); w && w->is_map() && !document.find("model"))
    if (const Node* phase = w->find("phase"); phase && phase->is_scalar() && phase->text == "gemv")
      document.set("model", single_matrix(*w), phase->where);

  config::Fields fields;
  loaded.scenario.describe(fields);
  fields.read(document);
  if (const Node* name = document.find("name"); name && !loaded.scenario.name.empty())
    require_folder_name(loaded.scenario.name, name->where);
  const WorkloadConfig& workload = loaded.scenario.workload;
  if (!workload.is_trace() && workload.phase != Phase::gemv) {
    const std::int64_t further = workload.phase == Phase::decode ? workload.tokens : 0;
    check_context(loaded, std::int64_t{workload.context} + further);
  }
  if (const Node* node = document.find("workload")) refuse_idle_keys(*node, workload);
  for (std::string& sentence : settle_idle_keys(document, loaded.scenario))
    loaded.notices.push_back(std::move(sentence));

  if (workload.is_trace()) {
    const Location where = document.find("workload")->find("trace")->where;
    std::filesystem::path found = library.find_data(workload.trace, where);
    if (found.empty() && !workload.trace_fallback.empty()) {
      found = library.find_data(workload.trace_fallback, where);
      loaded.notices.push_back(
          "request trace '" + workload.trace + "' was not found; '" + workload.trace_fallback +
          "' was replayed instead (name the folder of the public traces with --data or HARMONIA_DATA)");
    }
    if (found.empty())
      throw InputError(where,
                       "request trace '" + config::printable(workload.trace) +
                           "' was not found, expected a file (its folder can be named with --data or HARMONIA_DATA)");
    loaded.trace_file = found.string();
  }
  settle_activations(loaded.scenario.activations, loaded.scenario.accelerator.pe.kind, document.find("activations"));
  check_blocks(loaded.scenario, document.find("blocks"));
  loaded.resolved = fields.dump();
  loaded.document = document;
  for (const std::string& key : idle_keys(workload)) loaded.resolved.find("workload")->erase(key);
  erase_idle_keys(loaded.resolved, loaded.scenario);
  settle_routing(loaded, document.find("workload"), library);
  fields.assumptions(loaded.assumptions);
  drop_idle_assumptions(loaded);
  dram::ReadConfig channel = check_dram(loaded.scenario.accelerator, dram);
  refuse_idle_bit_energy(channel.config, document.find("accelerator"));
  settle_bit_energy(loaded, channel.config);
  for (config::Assumption& a : channel.assumptions) {
    a.key = "accelerator.dram.channel." + a.key;
    loaded.assumptions.push_back(std::move(a));
  }
  settle_figures(loaded, library);
  settle_clock(loaded);
  for (const std::string& w : channel.warnings) loaded.notices.push_back("DRAM channel: " + w);
  for (config::Assumption& a : loaded.assumptions) a.given_at = portable_name(a.given_at, library.folder());
  settle_devices(loaded);
  return loaded;
}

config::InputError located(const config::InputError& error, const LoadedScenario& scenario) {
  const std::string text = error.what();
  const std::string path = text.substr(0, text.find(": "));
  const Node* node = &scenario.document;
  config::Location where;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    const auto member =
        std::find_if(node->members.begin(), node->members.end(), [&](const config::Member& m) { return m.key == key; });
    if (member == node->members.end()) break;  // a default: the section that it belongs to is what there is to point at
    node = &member->value;
    // A section read from a file stands where the scenario names it.
    where = node->is_map() && node->where.file != member->where.file ? member->where : node->where;
    begin = end + 1;
  }
  return where.file.empty() ? error : config::InputError(where, text);
}

}  // namespace harmonia::testbench
