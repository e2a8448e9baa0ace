#include "harmonia/testbench/system/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/model/model_split.h"
#include "harmonia/hw/program/linear_mode.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/scenario/block_check.h"
#include "harmonia/testbench/system/device_link.h"
#ifdef HARMONIA_HAS_RTL
#include "harmonia/hw/cosim/block_cores.h"
#endif

namespace harmonia::testbench {

using accelerator::KvFormat;

namespace {

formats::CodebookKind codebook_kind(const std::string& name) {
  return name == "int5"   ? formats::CodebookKind::kInt5
         : name == "bf16" ? formats::CodebookKind::kBf16
                          : formats::CodebookKind::kInt8;
}

}  // namespace

accelerator::MapRequest map_request(const Scenario& s, const Capacity& capacity) {
  accelerator::MapRequest r;
  r.shape = s.model;
  r.weights = formats::weight_format(s.weights.format);
  if (s.weights.zero_point) {
    const std::optional<formats::WeightFormat> shifted = formats::with_zero_point(r.weights);
    if (!shifted || !(*shifted)->refused.empty())
      throw config::InputError("weights.zero_point: only int4 weights have a zero-point here");
    r.weights = *shifted;
  }
  const formats::WeightStorage& stored = r.weights->storage;
  if (stored.coding == formats::Coding::integers && s.weights.group_size != stored.block)
    throw config::InputError(
        fmt::format("weights.group_size: the machine's integer weights share a scale among {} input features; got {}",
                    stored.block, s.weights.group_size));
  r.lm_head = formats::weight_format(s.weights.lm_head);
  r.kv.format = accelerator::kv_format(s.kv.format);
  r.kv.n_initial = s.kv.n_initial;
  r.kv.n_local = s.kv.n_local;
  if (s.kv.exponent_bits != 8)
    throw config::InputError(fmt::format(
        "kv.exponent_bits: the machine stores shared exponents in 8 bits, byte-aligned; got {}", s.kv.exponent_bits));
  r.kv_capacity_tokens = capacity.tokens_per_slot;
  r.slots = capacity.slots;
  r.kv_tokens = capacity.kv_tokens;
  r.max_step_tokens = capacity.max_step_tokens;
  r.sequence_step_tokens = capacity.sequence_step_tokens;
  const accelerator::OnChip chip = accelerator::on_chip(s.accelerator);
  r.linear_operand = chip.linear_operand;
  r.attention_operand = chip.attention_operand;
  if (!chip.fused_attention) {
    // A strip of queries is as large as its scores on chip allow, but never less than one token's. Probabilities take
    // less than scores but for padding of their last group.
    std::uint64_t group = 0;
    for (const int sort : s.model.sorts_of_layers())
      group = std::max(group, static_cast<std::uint64_t>(s.model.of_layer(sort).queries_per_kv_head()));
    r.score_bytes = std::max(chip.scratch_bytes, group * (2 * capacity.tokens_per_slot + 64));
  }
  r.partial_sum_bytes = accelerator::partial_sum_bytes(r, chip);
  r.region_alignment = s.accelerator.address_map.region_alignment_bytes;
  r.tensor_alignment = s.accelerator.address_map.tensor_alignment_bytes;
  r.memory_bytes = accelerator::memory_bytes(s.accelerator);
  return r;
}

accelerator::MachineOptions machine_options(const Scenario& s) {
  accelerator::MachineOptions o;
  o.program.codebook = codebook_kind(s.weights.codebook);
  o.program.data_valid = s.fidelity.data == DataMode::functional;
  const auto sequences = static_cast<std::uint64_t>(s.workload.is_trace() ? s.workload.max_batch : s.workload.batch);
  o.program.routing = make_routing(s.workload.routing, s.devices.pipeline > 1 ? s.whole : s.model, sequences, s.seed);
  if (s.model.tensor_devices > 1)
    o.program.all_reduce_us = [link = std::make_shared<DeviceLink>(s.devices)](std::uint64_t values) {
      return link->all_reduce(values).us;
    };
  o.program.weights_ahead = s.devices.overlap;
  o.loosely_timed = s.fidelity.timing == Timing::lt;
  check_blocks(s);
  if (o.program.data_valid && s.accelerator.pe.kind == accelerator::PeKind::anda)
    throw config::InputError(
        "fidelity.data: the arithmetic of `accelerator.pe.kind: anda` is not modelled, only its time and bytes, "
        "expected "
        "`timing_only`");
#ifdef HARMONIA_HAS_RTL
  o.cores = rtl::block_cores(s.blocks);
#endif
  // Asked before anything is built, so that the error comes before the run.
  accelerator::linear_mode(formats::weight_format(s.weights.format), o.program.codebook,
                           accelerator::on_chip(s.accelerator).linear_operand.bfp());
  return o;
}

std::string address_map_text(const Scenario& s, const Capacity& capacity) {
  const accelerator::MapRequest request = map_request(s, capacity);
  const accelerator::MemoryMap map = accelerator::MemoryMap::build(request);
  const accelerator::KvCacheLayout& kv = map.kv;
  std::ostringstream out;
  auto row = [&](const std::string& name, std::uint64_t base, std::uint64_t bytes) {
    out << "  " << std::left << std::setw(12) << name << std::right << "  0x" << std::hex << std::setfill('0')
        << std::setw(10) << base << "  0x" << std::setw(10) << base + bytes << std::setfill(' ') << std::dec
        << std::setw(16) << bytes << '\n';
  };
  out << "Address map of " << s.model.name << " on " << s.accelerator.name << "\n\n  region        from          to"
      << "                     bytes\n";
  for (const accelerator::Region& r : map.regions) row(r.name, r.base, r.bytes);
  out << "\n  " << s.accelerator.dram.channels << " channel(s), interleaved every "
      << s.accelerator.interconnect.interleave_bytes << " bytes"
      << (s.accelerator.interconnect.hashed ? ", hashed" : "") << "; regions aligned to " << request.region_alignment
      << ", tensors to " << request.tensor_alignment << " bytes; " << request.memory_bytes << " bytes of DRAM\n"
      << "  KV cache: " << kv.slots() << " slot(s) of " << kv.slot_bytes() << " bytes for " << kv.capacity_tokens()
      << " tokens each; per layer and kv head K main " << kv.head().key_main_bytes() << " and low "
      << kv.head().key_low_bytes() << " bytes a token, V main " << kv.head().value_main_bytes() << " and low "
      << kv.head().value_low_bytes() << " bytes a " << (kv.policy().grouped() ? "group of 32 tokens" : "token") << '\n';
  return out.str();
}

void MemoryLoader::access(tlm::tlm_command command, std::uint64_t address, void* data, std::uint64_t bytes) {
  constexpr std::uint64_t piece = 1 << 20;
  auto* p = static_cast<unsigned char*>(data);
  for (std::uint64_t done = 0; done < bytes; done += piece) {
    const auto length = static_cast<unsigned>(std::min(piece, bytes - done));
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(address + done);
    payload.set_data_ptr(p + done);
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    if (isock->transport_dbg(payload) != length)
      throw std::out_of_range("an access to the accelerator's memory is outside of it");
  }
}

namespace {

accelerator::DeviceGroupConfig group_config(const Scenario& s, bool functional) {
  accelerator::DeviceGroupConfig c;
  c.link = s.devices.link;
  c.topology = s.devices.topology;
  c.reduction = s.devices.reduction;
  c.algorithm = [link = std::make_shared<DeviceLink>(s.devices)](std::uint64_t values) {
    return link->all_reduce(values).algorithm;
  };
  c.functional = functional;
  return c;
}

}  // namespace

Machine::Machine(const Scenario& scenario, const Capacity& capacity, std::function<void(Host&)> body,
                 const accelerator::MachineOptions& options, const std::vector<accelerator::MachineOptions>& more)
    : Machine(scenario, capacity, options, "") {
  host = std::make_unique<Host>("host", std::move(body));
  if (!scenario.devices.fold) add_devices(scenario, capacity, options, more, "");
  host->isock.bind(command());
}

namespace {

/// Connections of one stage have its name before theirs.
accelerator::Connect of_stage(const accelerator::Connect& connect, const std::string& stage) {
  if (!connect) return {};
  return [connect, stage](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    connect(from, to, stage + "_" + name);
  };
}

}  // namespace

Machine::Machine(const std::vector<StageOptions>& all, const Capacity& capacity, std::function<void(Host&)> body,
                 const accelerator::Connect& connect)
    : Machine(all.front().scenario, capacity, all.front().devices.front(), "") {
  host = std::make_unique<Host>("host", std::move(body));
  const Scenario& first = all.front().scenario;
  accelerator::PipelineConfig c;
  c.link = first.devices.link;
  c.micro_batches = static_cast<std::size_t>(first.devices.micro_batches);
  c.hidden = static_cast<std::uint64_t>(first.model.hidden_size);
  c.vocabulary = static_cast<std::uint64_t>(first.model.vocab_size) * static_cast<std::uint64_t>(first.devices.tensor);
  c.functional = all.front().devices.front().program.data_valid;
  std::vector<accelerator::PipelineStage> joined;
  for (std::size_t s = 0; s < all.size(); ++s) {
    const std::string suffix = s == 0 ? "" : "_stage" + std::to_string(s);
    Machine* stage = this;
    if (s > 0) {
      stages.push_back(
          std::unique_ptr<Machine>(new Machine(all[s].scenario, capacity, all[s].devices.front(), suffix)));
      stage = stages.back().get();
    }
    accelerator::MachineOptions options = all[s].devices.front();
    options.connect = of_stage(connect, "stage" + std::to_string(s));
    stage->add_devices(all[s].scenario, capacity, options, {all[s].devices.begin() + 1, all[s].devices.end()}, suffix);
    accelerator::PipelineStage of{&stage->command(), {}};
    for (std::size_t d = 0; d <= stage->others.size(); ++d)
      of.units.push_back(&stage->device(d).accelerator->vector_unit);
    joined.push_back(std::move(of));
  }
  pipeline = std::make_unique<accelerator::Pipeline>("pipeline", c, std::move(joined), connect);
  host->isock.bind(pipeline->tsock);
}

void Machine::add_devices(const Scenario& scenario, const Capacity& capacity,
                          const accelerator::MachineOptions& options,
                          const std::vector<accelerator::MachineOptions>& more, const std::string& suffix) {
  if (scenario.devices.tensor == 1) return;
  std::vector<accelerator::Accelerator*> devices = {accelerator.get()};
  for (int d = 1; d < scenario.devices.tensor; ++d) {
    const accelerator::MachineOptions& own = more.empty() ? options : more.at(static_cast<std::size_t>(d) - 1);
    Scenario of_device = scenario;
    of_device.model = accelerator::part_of_device(scenario.model, d);
    others.push_back(std::unique_ptr<Machine>(new Machine(of_device, capacity, own, suffix + std::to_string(d))));
    devices.push_back(others.back()->accelerator.get());
  }
  group = std::make_unique<accelerator::DeviceGroup>(
      ("devices" + suffix).c_str(), group_config(scenario, options.program.data_valid), devices, options.connect);
}

Machine::Machine(const Scenario& scenario, const Capacity& capacity, const accelerator::MachineOptions& options,
                 const std::string& suffix)
    : shape(scenario.model),
      config(scenario.accelerator),
      map(accelerator::MemoryMap::build(map_request(scenario, capacity))) {
  accelerator =
      std::make_unique<accelerator::Accelerator>(("accelerator" + suffix).c_str(), config, shape, map, options);
  loader = std::make_unique<MemoryLoader>(("loader" + suffix).c_str());
  loader->isock.bind(accelerator->memory());
}

Machine& Machine::add_stage(const Scenario& scenario, const Capacity& capacity,
                            const accelerator::MachineOptions& options) {
  const std::string suffix = "_stage" + std::to_string(stages.size() + 1);
  stages.push_back(std::unique_ptr<Machine>(new Machine(scenario, capacity, options, suffix)));
  Machine& stage = *stages.back();
  stage.host = std::make_unique<Host>(("host" + suffix).c_str(), nullptr);
  stage.host->isock.bind(stage.accelerator->command());
  return stage;
}

void Machine::simulate() {
  simulate_until([this] { return host->finished(); });
}

void Machine::simulate_until(const std::function<bool()>& done) {
  // Whatever takes time has an event: an unused memory sleeps and catches up with its refreshes later, and the clocks of
  // RTL stop between two pieces of work. So a machine that is slow always has an event, and one that is stuck has none.
  do {
    sc_core::sc_start();
  } while (!done() && !host->failure && sc_core::sc_pending_activity());
  if (host->failure) std::rethrow_exception(host->failure);
  if (!done())
    throw config::RunError("a deadlock at " + sc_core::sc_time_stamp().to_string() +
                           ": nothing is scheduled in the machine and the workload is not done; " + waiting());
}

std::string Machine::waiting() const {
  std::string text = accelerator->waiting();
  for (std::size_t d = 0; d < others.size(); ++d) {
    const std::string own = others[d]->accelerator->waiting();
    if (!own.empty()) text += (text.empty() ? "device " : "; device ") + std::to_string(d + 1) + ": " + own;
  }
  if (stages.empty()) return text;
  const auto of_stage = [](const accelerator::ModelShape& stage, const std::string& own) {
    return "the stage that begins with layer " + std::to_string(stage.first_layer) + ": " + own;
  };
  if (!text.empty()) text = of_stage(shape, text);
  for (const auto& stage : stages)
    if (const std::string own = stage->waiting(); !own.empty())
      text += (text.empty() ? "" : "; ") + of_stage(stage->shape, own);
  return text;
}

}  // namespace harmonia::testbench
