#include "harmonia/hw/accelerator/accelerator.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/accelerator/read_path.h"
#include "harmonia/hw/dram/document.h"

namespace harmonia::accelerator {
namespace {

// What the machine adds to a block's own configuration: the clock, and for the DMA engines how closely they are
// simulated.

template <class Block>
Block on_clock(Block block, const AcceleratorConfig& c) {
  block.clock_mhz = clock_mhz(c);
  return block;
}

memory::DmaConfig dma_config(const AcceleratorConfig& c, bool loose) {
  memory::DmaConfig d = c.dma;
  d.clock_ps = clock_ps(c);
  d.timing = loose ? memory::DmaTiming::kLoose : memory::DmaTiming::kApproximate;
  return d;
}

memory::DmaConfig kv_dma_config(const AcceleratorConfig& c, bool loose) {
  memory::DmaConfig d = dma_config(c, loose);
  d.transaction_bytes = kv_transaction_bytes(c);
  return d;
}

memory::StreamBufferConfig buffer_config(const AcceleratorConfig& c, const memory::BufferConfig& buffer,
                                         memory::BufferMode mode) {
  memory::StreamBufferConfig s{buffer, mode};
  s.clock_ps = clock_ps(c);
  return s;
}

memory::BufferConfig operand_config(const AcceleratorConfig& c) {
  memory::BufferConfig b = c.activation_buffer;
  b.clock_ps = clock_ps(c);
  return b;
}

bus::AddressMap address_map(const AcceleratorConfig& c, const dram::Config& channel) {
  bus::Region region;
  region.name = "dram";
  region.size_bytes = channel.capacity_bytes() * static_cast<std::uint64_t>(c.dram.channels);
  region.interleave =
      bus::Interleave(static_cast<unsigned>(c.dram.channels), c.interconnect.interleave_bytes, c.interconnect.hashed);
  return bus::AddressMap({region});
}

bus::InterconnectConfig interconnect_config(const AcceleratorConfig& c) {
  bus::InterconnectConfig i = c.interconnect;
  i.clock_ps = clock_ps(c);
  return i;
}

/// A block's core from its factory, null when there is none.
template <class Factory, class Config>
auto made(const Factory& factory, const Config& config) {
  return factory ? factory(config) : nullptr;
}

}  // namespace

dram::Config channel_config(const AcceleratorConfig& c) {
  // Every report of a run asks, and reading costs as much as building the machine: the last answer is kept.
  struct Answer {
    std::string preset;
    config::Node channel;
    dram::Config config;
  };
  thread_local std::optional<Answer> last;
  if (!last || last->preset != c.dram.preset || last->channel != c.dram.channel)
    last = Answer{c.dram.preset, c.dram.channel, dram::read_config(c.dram.preset, c.dram.channel).config};
  return last->config;
}

std::uint64_t memory_bytes(const AcceleratorConfig& c) {
  return channel_config(c).capacity_bytes() * static_cast<std::uint64_t>(c.dram.channels);
}
double peak_bandwidth(const AcceleratorConfig& c) { return channel_config(c).peak_GBs() * 1e9 * c.dram.channels; }

Accelerator::Accelerator(sc_core::sc_module_name name, const AcceleratorConfig& config, const ModelShape& shape,
                         const MemoryMap& map, const MachineOptions& options)
    : sc_module(name),
      sequencer("sequencer", on_clock(config.sequencer, config), shape_, map_, on_chip(config), options.program),
      weight_dma("weight_dma", dma_config(config, options.loosely_timed)),
      kv_dma("kv_dma", kv_dma_config(config, options.loosely_timed)),
      residual_dma("residual_dma", dma_config(config, options.loosely_timed)),
      vector_dma("vector_dma", dma_config(config, options.loosely_timed)),
      operand_dma("operand_dma", dma_config(config, options.loosely_timed)),
      kv_write_dma("kv_write_dma", dma_config(config, options.loosely_timed)),
      out_dma("out_dma", dma_config(config, options.loosely_timed)),
      weight_buffer("weight_buffer", buffer_config(config, config.weight_buffer,
                                                   config.sequencer.double_buffer ? memory::BufferMode::kTiles
                                                                                  : memory::BufferMode::kSingleTile)),
      kv_buffer("kv_buffer", buffer_config(config, config.kv_buffer, memory::BufferMode::kStreaming)),
      decoder("decoder", on_clock(config.decoder, config),
              made(options.cores.decoder, on_clock(config.decoder, config))),
      pe_array("pe_array", on_clock(config.pe, config), made(options.cores.pe, on_clock(config.pe, config))),
      vector_unit("vector_unit", on_clock(config.vector, config)),
      smoother("smoother", on_clock(config.smoother, config),
               made(options.cores.smoother, on_clock(config.smoother, config))),
      converter("converter", on_clock(config.converter, config),
                made(options.cores.converter, on_clock(config.converter, config))),
      operand_buffer("operand_buffer", operand_config(config)),
      interconnect("interconnect", dma_ports + 1, static_cast<unsigned>(config.dram.channels),
                   address_map(config, channel_config(config)), interconnect_config(config)),
      config_(config),
      map_(map),
      shape_(shape) {
  const dram::Config channel = channel_config(config);
  for (int i = 0; i < config.dram.channels; ++i)
    channels.push_back(std::make_unique<dram::DramChannel<>>(
        ("channel" + std::to_string(i)).c_str(), channel,
        options.program.data_valid ? dram::Contents::kStored : dram::Contents::kNone));
  bind(options.connect);
}

Accelerator::~Accelerator() = default;

void Accelerator::bind(const Connect& connect) {
  auto join = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    if (connect)
      connect(from, to, name);
    else
      from.bind(to);
  };
  auto command = [&](Queue q, tlm::tlm_target_socket<>& to, const char* unit) {
    join(*sequencer.isock[static_cast<std::size_t>(q)], to, std::string("sequencer_to_") + unit);
  };
  command(Queue::weights, weight_dma.command_tsock, "weight_dma");
  command(Queue::kv_read, kv_dma.command_tsock, "kv_dma");
  command(Queue::residual, residual_dma.command_tsock, "residual_dma");
  command(Queue::vector_read, vector_dma.command_tsock, "vector_dma");
  command(Queue::operand_read, operand_dma.command_tsock, "operand_dma");
  command(Queue::kv_write, kv_write_dma.command_tsock, "kv_write_dma");
  command(Queue::out_write, out_dma.command_tsock, "out_dma");
  command(Queue::decoder, decoder.command.tsock, "decoder");
  command(Queue::pe, pe_array.command.tsock, "pe_array");
  command(Queue::vector, vector_unit.command.tsock, "vector_unit");
  command(Queue::converter, converter.command.tsock, "converter");
  command(Queue::operands, operand_buffer.command.tsock, "operand_buffer");
  join(sequencer.isock_smoother, smoother.command.tsock, "sequencer_to_smoother");

  join(weight_dma.stream_isock, weight_buffer.tsock, "weight_dma_to_weight_buffer");
  join(weight_buffer.isock, decoder.input.tsock, "weight_buffer_to_decoder");
  join(decoder.isock, pe_array.weights.tsock, "decoder_to_pe_array");
  join(kv_dma.stream_isock, kv_buffer.tsock, "kv_dma_to_kv_buffer");
  join(kv_buffer.isock, pe_array.kv.tsock, "kv_buffer_to_pe_array");
  join(operand_dma.stream_isock, operand_buffer.dma.tsock, "operand_dma_to_operand_buffer");
  join(operand_buffer.isock, pe_array.operand.tsock, "operand_buffer_to_pe_array");
  join(pe_array.isock, vector_unit.result.tsock, "pe_array_to_vector_unit");
  join(vector_dma.stream_isock, vector_unit.operand.tsock, "vector_dma_to_vector_unit");
  join(vector_unit.isock, smoother.input.tsock, "vector_unit_to_smoother");
  join(vector_unit.isock_host, sequencer.host.tsock, "vector_unit_to_sequencer");
  join(smoother.isock, converter.input.tsock, "smoother_to_converter");
  join(residual_dma.stream_isock, converter.residual.tsock, "residual_dma_to_converter");
  join(converter.isock_operands, operand_buffer.converter.tsock, "converter_to_operand_buffer");
  join(converter.isock_kv, kv_write_dma.stream_tsock, "converter_to_kv_write_dma");
  join(converter.isock_out, out_dma.stream_tsock, "converter_to_out_dma");

  join(weight_dma.memory_isock, interconnect.tsock[0], "weight_dma_to_memory");
  join(kv_dma.memory_isock, interconnect.tsock[1], "kv_dma_to_memory");
  join(residual_dma.memory_isock, interconnect.tsock[2], "residual_dma_to_memory");
  join(vector_dma.memory_isock, interconnect.tsock[3], "vector_dma_to_memory");
  join(operand_dma.memory_isock, interconnect.tsock[4], "operand_dma_to_memory");
  join(kv_write_dma.memory_isock, interconnect.tsock[5], "kv_write_dma_to_memory");
  join(out_dma.memory_isock, interconnect.tsock[6], "out_dma_to_memory");
  for (std::size_t i = 0; i < channels.size(); ++i)
    join(interconnect.isock[static_cast<unsigned>(i)], channels[i]->tsock,
         "interconnect_to_channel" + std::to_string(i));
}

std::string Accelerator::waiting() const {
  std::string text;
  auto unit = [&](const char* name, std::size_t descriptors,
                  std::initializer_list<const tlm::tlm_generic_payload*> inputs) {
    std::size_t chunks = 0;
    for (const tlm::tlm_generic_payload* chunk : inputs) chunks += chunk != nullptr;
    if (descriptors == 0 && chunks == 0) return;
    text += (text.empty() ? "" : ", ") + std::string(name) + " has " + std::to_string(descriptors) +
            " descriptor(s) and " + std::to_string(chunks) + " chunk(s)";
  };
  unit("pe_array", pe_array.command.size(),
       {pe_array.weights.waiting(), pe_array.kv.waiting(), pe_array.operand.waiting()});
  unit("decoder", decoder.command.size(), {decoder.input.waiting()});
  unit("vector_unit", vector_unit.command.size(), {vector_unit.result.waiting(), vector_unit.operand.waiting()});
  unit("smoother", smoother.command.size(), {smoother.input.waiting()});
  unit("converter", converter.command.size(), {converter.input.waiting(), converter.residual.waiting()});
  unit("operand_buffer", operand_buffer.command.size(),
       {operand_buffer.converter.waiting(), operand_buffer.dma.waiting()});
  if (!operand_buffer.idle()) text += " (" + operand_buffer.state() + ")";
  for (const memory::DmaBase* dma : std::initializer_list<const memory::DmaBase*>{
           &weight_dma, &kv_dma, &residual_dma, &vector_dma, &operand_dma, &kv_write_dma, &out_dma})
    if (!dma->idle()) unit(dma->basename(), dma->queued_descriptors() + 1, {});
  return text;
}

}  // namespace harmonia::accelerator
