// Everything that one run has to say, as plain values: filled by the run, written as result.json, summary.txt and
// bandwidth.csv, printed as the table on the terminal.
//
// Models: the result's schema, version 1 (docs/result-schema.md explains each key). Members have the names of the JSON
// keys. Does not model: how the values come about. Units are in the names: _s seconds, _j joules, _mm2; bandwidths are
// bytes (not GiB) per second; shares are fractions of 1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/results/percentiles.h"
#include "harmonia/tlm/traffic_class.h"

namespace harmonia::testbench {

/// What DRAM bytes are moved for: the tables, CSV and JSON of results have these classes in their order.
using bus::TrafficClass;
inline constexpr std::size_t kTrafficClasses = bus::dram_traffic_class_count;
using BytesByClass = std::array<std::uint64_t, kTrafficClasses>;
std::uint64_t total(const BytesByClass& bytes);
/// Name of the class that has this place in BytesByClass.
constexpr const char* traffic_name(std::size_t place) { return bus::name_of(static_cast<TrafficClass>(place)); }

struct ProvenanceResult {
  std::string version;   // of the program
  std::string scenario;  // name
  std::string source;    // file
  std::uint64_t seed = 0;
  config::Node config;  // as resolved: every key with its value
};

/// What a figure of a sampled run may be off by.
struct EstimatedError {
  std::string figure;  // its place in result.json
  double error = 0;    // relative
};

struct FidelityResult {
  std::string mode;                    // full, sampled
  std::string timing;                  // at, lt
  std::string data;                    // timing_only, functional
  std::uint64_t layers_simulated = 0;  // of a step
  std::uint64_t layers_total = 0;
  std::uint64_t steps_simulated = 0;
  std::uint64_t steps_total = 0;
  double error_estimate = 0;                       // relative: the largest of the figures that matter; 0 in full mode
  std::vector<EstimatedError> estimated_errors{};  // none in full mode
};

struct LatencyResult {
  Distribution time_to_first_token_s;  // of requests; of prompts in a fixed prefill
  Distribution time_per_output_token_s;
  Distribution end_to_end_s;
};

struct BandwidthResult {
  double peak_bytes_per_s = 0;
  double achieved_bytes_per_s = 0;
  double utilisation = 0;             // achieved / peak
  BytesByClass bytes_by_class{};      // asked for: what the formulas say
  BytesByClass pin_bytes_by_class{};  // whole bursts, of which an access may use a part
};

struct ChannelResult {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  double utilisation = 0;
  std::vector<std::pair<std::string, std::uint64_t>> commands;  // ACT, RD, ...
  std::uint64_t row_hits = 0;
  std::uint64_t row_misses = 0;
  std::uint64_t row_conflicts = 0;
  double refresh_share = 0;  // of the simulated time
  double queue_occupancy_mean = 0;
  double queue_occupancy_max = 0;
  Distribution read_latency_s;
};

struct StallShare {
  std::string cause;  // no_input, output_blocked, no_descriptor, bank_conflict, refill, ...
  double share = 0;
};

/// Where a unit's time went; busy and all stalls add up to 1.
struct UnitResult {
  std::string name;
  double busy = 0;
  std::vector<StallShare> stalled;
};

/// One class of operations (qkv, attention scores, ...), summed over layers and steps.
struct OperationResult {
  std::string name;
  std::uint64_t count = 0;
  std::uint64_t macs = 0;
  std::uint64_t bytes = 0;    // at the DRAM pins
  double simulated_s = 0;     // its share of the run
  double memory_s = 0;        // bytes / peak bandwidth
  double decode_s = 0;        // weights / decode rate
  double compute_s = 0;       // multiply-accumulates / peak rate of their mode
  double vector_s = 0;        // elements / vector rate
  double buffer_s = 0;        // bytes of the weight or the KV buffer / width of its port
  double interconnect_s = 0;  // the same bytes / what their DMA engine asks for and the interconnect passes on at most
  std::string bound;          // the largest of them; in a draw the first of memory, decode, compute, vector, buffer,
                              // interconnect
};

/// Time in the operations that one resource bounds; "idle" is time between steps, which no operation has.
struct LimitShare {
  std::string limit;  // memory, decode, compute, vector, ..., link, bubble, idle
  double seconds = 0;
  double share = 0;  // of the run; all shares add up to 1
};

struct ComponentEnergy {
  std::string component;
  double joules = 0;
};

struct EnergyResult {
  double total_j = 0;
  double per_token_j = 0;
  std::vector<ComponentEnergy> components;
  std::string source;                                // whose figures the components are: published or measured
  std::vector<ComponentEnergy> published, measured;  // by each source, the chosen one among them
};

struct ComponentArea {
  std::string component;
  double mm2 = 0;
};

struct AreaResult {
  double total_mm2 = 0;
  std::vector<ComponentArea> components;
  std::string source;
  std::vector<ComponentArea> published, measured;
};

/// A check at the end of the run. One that failed fails the run.
struct CheckResult {
  std::string name;
  bool passed = false;
  double expected = 0;
  double actual = 0;
  std::string unit;
  std::string rule;  // "equal", "at least"
};

/// One request of a trace: a line of requests.csv.
struct RequestResult {
  std::uint64_t index = 0;
  double arrival_s = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t output_tokens = 0;
  double time_to_first_token_s = 0;
  double time_per_output_token_s = 0;
  double end_to_end_s = 0;
  double waiting_s = 0;  // of end_to_end_s: until it was admitted
};

/// Queue and batch of a replayed trace. Means are over time.
struct ServingResult {
  std::string trace;  // file
  std::uint64_t requests = 0;
  std::uint64_t completed = 0;
  std::uint64_t refused = 0;  // can never fit the KV cache
  double idle_s = 0;          // nothing in flight
  double running_mean = 0;    // requests
  std::uint64_t running_max = 0;
  double waiting_mean = 0;
  std::uint64_t waiting_max = 0;
  double kv_tokens_mean = 0;  // reserved
  std::uint64_t kv_tokens_max = 0;
  std::uint64_t kv_tokens_capacity = 0;
};

/// What mixtures of experts read. Bytes are those of all weights, per counted token.
struct MixtureResult {
  double layers = 0;        // mixture layers run, in all steps
  double experts_read = 0;  // different ones of a layer in a step, mean
  double bytes_per_token = 0;
  double dense_bytes_per_token = 0;  // as if each layer had the experts of one token
  double all_bytes_per_token = 0;    // as if each step read all experts
};

/// One stage of a pipeline: of its devices one.
struct StageResult {
  std::uint64_t stage = 0, layers = 0;
  double weight_bytes = 0, memory_bytes = 0;  // stored weights; everything in its memory
  double busy_s = 0, busy_share = 0;          // in all steps, and of the run
};

/// Devices that share a model, and what went between them.
struct DevicesResult {
  std::uint64_t tensor = 0, pipeline = 1, micro_batches = 0, simulated = 1;
  std::string link, topology, algorithm;
  std::string experts;  // of a mixture: how its experts are shared out
  double experts_mean = 0,
         experts_most = 0;  // placed: read of a layer in a step by the mean device, and by the one with most
  double dram_bytes = 0;    // of all devices
  double all_reduces = 0, sends = 0;
  double bubble_s = 0, bubble_share = 0;       // the mean device waits for other stages
  double link_bytes = 0, link_wire_bytes = 0;  // sent by one device: values, and with packet headers
  double link_formula_bytes = 0;               // values by the formula; for a check
  double link_bytes_per_token = 0;             // of all devices
  double link_j = 0, total_j = 0, per_token_j = 0;
  double phy_mm2 = 0;
  std::vector<StageResult> stages;
};

/// Bytes of one channel in one interval, by class: a line of bandwidth.csv.
struct BandwidthSample {
  double start_s = 0;
  int channel = 0;
  BytesByClass bytes{};
};

/// Where everything lies in memory.
struct AddressMapResult {
  struct Region {
    std::string name;
    std::uint64_t base = 0, bytes = 0;
  };
  std::vector<Region> regions;
  std::uint64_t memory_bytes = 0;  // of all channels
  int channels = 0;
  std::uint64_t interleave_bytes = 0;
  bool hashed = false;
  std::uint64_t region_alignment_bytes = 0, tensor_alignment_bytes = 0;
  std::uint64_t kv_slots = 0, kv_slot_tokens = 0;  // room of a sequence; slots may overlap when a trace is replayed
};

struct RunResult {
  static constexpr int kSchema = 1;

  ProvenanceResult provenance;
  std::string model;
  std::string accelerator;
  double weight_bytes = 0;               // stored, scales and codebooks included
  double effective_bits_per_weight = 0;  // of the quantised linears, metadata included

  bool complete = true;  // false: stopped by an interrupt; what is here is of the steps that were complete
  double simulated_seconds = 0;
  std::uint64_t steps = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t output_tokens = 0;
  double output_tokens_per_s = 0;
  FidelityResult fidelity;
  LatencyResult latency;
  BandwidthResult bandwidth;
  std::vector<ChannelResult> channels;
  std::vector<UnitResult> units;
  std::vector<OperationResult> operations;
  std::string bound;  // the limit of the whole run: that of the operations with most simulated time, or none
  std::vector<LimitShare> limits;  // where the whole time went, largest first
  EnergyResult energy;
  AreaResult area;
  std::vector<CheckResult> checks;
  std::vector<config::Assumption> assumptions;
  std::vector<std::string> notices;
  AddressMapResult address_map;
  MixtureResult mixture;  // of a model with mixtures; no layers otherwise
  DevicesResult devices;  // of several; none otherwise
  ServingResult serving;  // of a trace; no requests otherwise
  std::vector<RequestResult> requests;

  double bandwidth_interval_s = 0;
  std::vector<BandwidthSample> bandwidth_series;  // not in result.json

  // Of this machine and this run: everything above is the same for the same scenario and seed, these are not.
  double wall_seconds = 0;
  std::uint64_t simulation_events = 0;
};

/// What figures per token count: the output tokens, or the prompt tokens of a run without output.
inline std::uint64_t counted_tokens(const RunResult& r) {
  return r.output_tokens > 0 ? r.output_tokens : r.prompt_tokens;
}

/// The largest of the times: "memory", "decode", "compute", "vector", "buffer" or "interconnect" (of what is between devices the
/// caller says "link", of what a stage waits for "bubble"); earlier ones win ties.
std::string bound_of(const OperationResult& operation);
/// Time by what bounds it, largest first: of the operations, and the rest of `seconds` as idle. Empty when there is no
/// time.
std::vector<LimitShare> limits_of(const std::vector<OperationResult>& operations, double seconds);
/// Bound of the run: the resource that bounds operations for the longest time; "none" when nothing was run.
std::string bound_of(const std::vector<LimitShare>& limits);

/// result.json. Throws config::RunError naming the key when a number is not finite or a unit's shares do not add up
/// to 1.
std::string to_json(const RunResult& result);
/// start_s,channel,class,bytes,bytes_per_s
std::string bandwidth_csv(const RunResult& result);
/// One line per request; empty when the run had none.
std::string requests_csv(const RunResult& result);
/// The table in plain language: what ran, how fast, what limits it, how sure that is. For the terminal and summary.txt.
std::string summary(const RunResult& result);

/// Throws config::RunError that names the first check that failed.
void require_checks(const RunResult& result);

}  // namespace harmonia::testbench
