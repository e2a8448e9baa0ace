// One scenario: which model runs with which formats on which machine, what work it gets, and how closely that is
// simulated.
//
// Models: the sections of a scenario file and how names, files and inline maps become resolved values.
// Does not model: whether the model fits the machine; that is checked when the machine is built.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/hw/accelerator/block_models.h"
#include "harmonia/hw/accelerator/config.h"
#include "harmonia/hw/link/config.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/testbench/scenario/devices_config.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/routing_config.h"

namespace harmonia::testbench {

/// Names of the stored weight formats, and of the KV-cache and activation formats, in the order in which help lists
/// them.
const std::vector<std::string>& weight_format_names();
const std::vector<std::string>& kv_format_names();
const std::vector<std::string>& activation_format_names();

/// Formats of the stored weights.
struct WeightsConfig {
  std::string format = "kmeans4";  // of the seven linears of a layer
  std::string codebook = "int8";   // of the K-means formats: int8, int5, or bf16 (numeric reference, no PE mode)
  std::string lm_head = "fp16";    // fp16, or a format
  bool zero_point = false;         // of int4 and int8
  int group_size = 128;            // weights that share an FP16 scale, of int4 and int8
  void describe(config::Fields& f);
};

struct KvConfig {
  std::string format = "bfp4+windows";
  int n_initial = 32;
  int n_local = 64;
  int exponent_bits = 8;
  void describe(config::Fields& f);
};

struct ActivationsConfig {
  std::string format = "auto";  // as loaded: fp16 or bfp8
  void describe(config::Fields& f);
};

enum class Phase : std::uint8_t { decode, prefill, gemv };

/// Either a fixed batch of equal sequences, or requests from a trace when `trace` is given.
struct WorkloadConfig {
  Phase phase = Phase::decode;
  int batch = 1;
  int context = 2048;  // tokens in the cache before the first decode step; prompt tokens in prefill
  int tokens = 4;      // decode steps
  int rows = 8192;     // of the matrix of phase gemv
  int cols = 8192;

  std::string trace;
  std::string trace_fallback;
  std::int64_t limit = 0;
  int max_batch = 16;
  std::int64_t kv_capacity_tokens = 0;
  double time_scale = 1.0;

  RoutingConfig routing;
  int prefill_chunk_tokens = 512;  // of both; 0: whole prompts

  bool is_trace() const { return !trace.empty(); }
  void describe(config::Fields& f);
};

enum class FidelityMode : std::uint8_t { full, sampled };
enum class Timing : std::uint8_t { at, lt };
enum class DataMode : std::uint8_t { timing_only, functional };

struct FidelityConfig {
  FidelityMode mode = FidelityMode::full;
  Timing timing = Timing::at;
  DataMode data = DataMode::timing_only;
  int sample_layers = 3;
  int sample_steps = 3;
  void describe(config::Fields& f);
};

struct OutputConfig {
  double bandwidth_interval_us = 0;  // 0: a two-hundredth of the run
  bool timeline = true;
  bool waves = false;
  void describe(config::Fields& f);
};

struct Scenario {
  std::string name = "unnamed";
  std::string description;
  accelerator::ModelShape model;  // of several devices the part of one,
  accelerator::ModelShape whole;  // and the model that they divide; of one device unused
  DevicesConfig devices;
  accelerator::AcceleratorConfig accelerator;  // the scenario's `dram` section is laid over accelerator.dram
  WeightsConfig weights;
  KvConfig kv;
  ActivationsConfig activations;
  WorkloadConfig workload;
  FidelityConfig fidelity;
  accelerator::BlocksSection blocks;
  OutputConfig output;
  std::uint64_t seed = 1;
  void describe(config::Fields& f);
};

/// A scenario with every name looked up, and what a result says about its inputs.
struct LoadedScenario {
  Scenario scenario;
  std::string source;                           // the scenario's file
  std::string trace_file;                       // of a request trace, found; empty otherwise
  config::Node resolved;                        // every key with its value; reads back as a scenario
  std::vector<config::Assumption> assumptions;  // every value that is assumed
  std::vector<std::string> notices;             // one sentence each, for the summary
  config::Node document;                        // as read, with the place of every value
};

/// The same error with file, line and column in front, when it begins with the path of a key ("accelerator.pe.rows:
/// ...") that stands in the scenario's files, or whose section does; for what is found wrong only when the machine is
/// built.
config::InputError located(const config::InputError& error, const LoadedScenario& scenario);

/// Loads a scenario by built-in name or file, lays `overrides` ("path.to.key=value") on it, looks up everything that it
/// names, reads and checks it. Throws InputError.
LoadedScenario load_scenario(const std::string& name_or_file, const std::vector<std::string>& overrides,
                             const Library& library);

/// The same from a document (of a sweep point, of a test). Locations come from the document.
LoadedScenario load_scenario(config::Node document, const std::vector<std::string>& overrides, const Library& library);

/// A model by built-in name, YAML file or Hugging Face config.json. `notices` gets what the file says and nothing
/// models.
accelerator::ModelShape load_model(const std::string& name_or_file, const Library& library,
                                   std::vector<std::string>* notices = nullptr);

/// An accelerator by built-in name or file.
accelerator::AcceleratorConfig load_accelerator(const std::string& name_or_file, const Library& library);

/// A link by built-in name or file, with "key=value" overrides laid on it.
link::Config load_link(const std::string& name_or_file, const std::vector<std::string>& overrides,
                       const Library& library);

/// Makes a document a model: reads a config.json (testbench/models) and derives head_dim where it is absent. Throws
/// InputError for models outside the modelled family.
void normalise_model(config::Node& document, const Library& library, std::vector<std::string>* notices = nullptr);

/// Adds a notice when a context of `tokens` is longer than what the model was trained for.
void check_context(LoadedScenario& loaded, std::int64_t tokens);

}  // namespace harmonia::testbench
