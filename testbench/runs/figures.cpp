#include "harmonia/testbench/runs/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harmonia/hw/accelerator/read_path.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/silicon/silicon.h"
#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {
namespace {

std::uint64_t count(double value) { return value > 0 ? static_cast<std::uint64_t>(std::llround(value)) : 0; }

double pin_bytes(const ChannelTotals& channel) {
  double sum = 0;
  for (const double bytes : channel.pin_bytes) sum += bytes;
  return sum;
}

}  // namespace

BandwidthResult bandwidth_of(const Totals& t, double peak_bytes_per_s, double seconds) {
  BandwidthResult b;
  b.peak_bytes_per_s = peak_bytes_per_s;
  std::array<double, kTrafficClasses> at_pins{};
  for (const ChannelTotals& c : t.channels)
    for (std::size_t k = 0; k < kTrafficClasses; ++k) at_pins[k] += c.pin_bytes[k];
  for (std::size_t k = 0; k < kTrafficClasses; ++k) {
    b.bytes_by_class[k] = static_cast<std::uint64_t>(std::llround(t.expected_bytes[k]));
    b.pin_bytes_by_class[k] = count(at_pins[k]);
  }
  b.achieved_bytes_per_s = seconds > 0 ? t.pin_bytes() / seconds : 0;
  b.utilisation = b.achieved_bytes_per_s / b.peak_bytes_per_s;
  return b;
}

MixtureResult mixture_of(const Totals& t, const accelerator::ModelShape& shape, double tokens) {
  const double weights = t.expected_bytes[static_cast<std::size_t>(TrafficClass::weights)] +
                         t.expected_bytes[static_cast<std::size_t>(TrafficClass::scales)];
  const double of_experts = t.experts.weight_bytes(), others = weights - of_experts,
               of_each = of_experts / t.experts.experts * t.mixtures;
  // Of one token's experts at least so many are on the device that has the most of them.
  const int of_token = (shape.mixture.experts_per_token + shape.expert_devices - 1) / shape.expert_devices;
  return {t.mixtures, t.experts.experts / t.mixtures, weights / tokens, (others + of_each * of_token) / tokens,
          (others + of_each * shape.own_experts()) / tokens};
}

ChannelResult channel_of(const ChannelTotals& t, const ChannelFacts& facts, double seconds) {
  ChannelResult c;
  const double pins = pin_bytes(t);
  c.bytes_written = count(t.bytes_written);
  c.bytes_read = count(pins - t.bytes_written);
  c.utilisation = seconds > 0 ? pins / seconds / facts.peak_bytes_per_s : 0;
  for (std::size_t k = 0; k < t.commands.size(); ++k)
    if (count(t.commands[k]) != 0)
      c.commands.emplace_back(dram::cmd_name(static_cast<dram::Cmd>(k)), count(t.commands[k]));
  c.row_hits = count(t.row_hits);
  c.row_misses = count(t.row_misses);
  c.row_conflicts = count(t.row_conflicts);
  const double cycles = std::max(1.0, t.cycles);
  c.refresh_share = t.refresh_cycles / cycles / facts.refresh_units;
  c.queue_occupancy_mean = t.queued / cycles;
  c.queue_occupancy_max = facts.queue_peak;
  c.read_latency_s = facts.read_latency_s;
  return c;
}

std::vector<UnitResult> units_of(const Totals& t, double cycles) {
  std::vector<UnitResult> units;
  const std::vector<std::string> names = unit_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const UnitTotals u = i < t.units.size() ? t.units[i] : UnitTotals{};
    double accounted = u.busy;
    for (std::size_t w = 0; w < bus::wait_count; ++w)
      if (static_cast<bus::Wait>(w) != bus::Wait::descriptor) accounted += u.waiting[w];
    // What no account claims is time without anything to do.
    const double whole = std::max(cycles, accounted);
    UnitResult r;
    r.name = names[i];
    r.busy = whole > 0 ? u.busy / whole : 0;
    double sum = r.busy;
    for (std::size_t w = 0; w < bus::wait_count; ++w) {
      if (static_cast<bus::Wait>(w) == bus::Wait::descriptor || u.waiting[w] <= 0) continue;
      r.stalled.push_back({bus::name_of(static_cast<bus::Wait>(w)), u.waiting[w] / whole});
      sum += r.stalled.back().share;
    }
    r.stalled.push_back({bus::name_of(bus::Wait::descriptor), std::max(0.0, 1 - sum)});
    units.push_back(r);
  }
  return units;
}

const char* operation_name(accelerator::OperationClass c, bool single_linear) {
  using accelerator::OperationClass;
  if (single_linear && c == OperationClass::lm_head) return "matrix";
  if (single_linear && c == OperationClass::embedding) return "vectors";
  return accelerator::name_of(c);
}

std::vector<OperationResult> operations_of(const Totals& totals, const Scenario& s, bool single_linear) {
  using accelerator::OperationClass;
  std::vector<OperationResult> operations;
  const double clock_hz = s.accelerator.clock_mhz * 1e6;
  const accelerator::ReadPath weights = accelerator::weight_path(s.accelerator),
                              cache = accelerator::kv_path(s.accelerator);
  for (std::size_t i = 0; i < totals.classes.size(); ++i) {
    const auto c = static_cast<OperationClass>(i);
    const ClassTotals& t = totals.classes[i];
    if (count(t.tiles) == 0 && t.bytes == 0 && t.elapsed_ps == 0) continue;
    OperationResult o;
    o.name = operation_name(c, single_linear);
    o.count = count(t.tiles);
    o.macs = count(t.macs);
    o.bytes = count(t.bytes);
    o.simulated_s = t.elapsed_ps * 1e-12;
    o.memory_s = t.bytes / accelerator::peak_bandwidth(s.accelerator);
    const int bits =
        formats::code_bits(formats::weight_format(c == OperationClass::lm_head ? s.weights.lm_head : s.weights.format));
    o.decode_s = t.weights / (s.accelerator.decoder.rate(bits) * clock_hz);
    o.compute_s = t.compute_cycles / clock_hz;
    o.vector_s = t.vector_ps * 1e-12;
    o.buffer_s =
        std::max(t.weight_buffer_bytes / weights.buffer_bytes_per_s, t.kv_buffer_bytes / cache.buffer_bytes_per_s);
    o.interconnect_s = std::max(t.weight_buffer_bytes / weights.interconnect_bytes_per_s,
                                t.kv_buffer_bytes / cache.interconnect_bytes_per_s);
    o.bound = c == OperationClass::link ? "link" : c == OperationClass::bubble ? "bubble" : bound_of(o);
    operations.push_back(o);
  }
  return operations;
}

AreaResult area_of(const accelerator::AcceleratorConfig& c) {
  AreaResult area;
  const accelerator::AreaConfig& x = c.area;
  const double mib = static_cast<double>(c.weight_buffer.capacity_bytes + c.kv_buffer.capacity_bytes +
                                         c.activation_buffer.capacity_bytes) /
                     (1 << 20);
  area.published = {{"pe_array", static_cast<double>(c.pe.macs_per_cycle()) * x.lane_um2 * 1e-6},
                    {"sram", mib * x.sram_mm2_per_mib},
                    {"decoder", c.decoder.weights_per_cycle * x.decoder_um2_per_lane * 1e-6},
                    {"converter", x.converter_mm2},
                    {"vector_unit", x.vector_mm2}};
  for (const silicon::Part& p : silicon::measured_area(c)) area.measured.push_back({p.component, p.mm2});
  const bool measured = c.energy.source == accelerator::FigureSource::measured;
  area.source = measured ? "measured" : "published";
  area.components = measured ? area.measured : area.published;
  for (const ComponentArea& a : area.components) area.total_mm2 += a.mm2;
  return area;
}

AddressMapResult address_map_of(const accelerator::MemoryMap& map, const accelerator::AcceleratorConfig& config) {
  AddressMapResult result;
  for (const accelerator::Region& r : map.regions) result.regions.push_back({r.name, r.base, r.bytes});
  result.memory_bytes = accelerator::memory_bytes(config);
  result.channels = config.dram.channels;
  result.interleave_bytes = config.interconnect.interleave_bytes;
  result.hashed = config.interconnect.hashed;
  result.region_alignment_bytes = config.address_map.region_alignment_bytes;
  result.tensor_alignment_bytes = config.address_map.tensor_alignment_bytes;
  result.kv_slots = map.kv.slots();
  result.kv_slot_tokens = map.kv.capacity_tokens();
  return result;
}

WeightFigures weights_of(const accelerator::MemoryMap& map, const accelerator::ModelShape& shape, bool single_linear) {
  WeightFigures w;
  double weights = 0;
  const auto add = [&](const accelerator::TensorPlace& t) {
    w.bytes += static_cast<double>(t.bytes());
    weights += static_cast<double>(t.rows) * static_cast<double>(t.k);
  };
  if (single_linear) {
    add(map.lm_head);
    w.bits_per_weight = w.bytes * 8 / weights;
    return w;
  }
  double in_16_bit = 0;
  for (std::size_t l = 0; l < map.layers.size(); ++l)
    for (const accelerator::ModelTensor tensor :
         accelerator::layer_graph(shape, static_cast<int>(l)).layer_matrices()) {
      const accelerator::TensorPlace& place = map.layers[l].matrix[tensor];
      if (accelerator::stays_16_bit(tensor))
        in_16_bit += static_cast<double>(place.bytes());
      else
        add(place);
    }
  w.bits_per_weight = w.bytes * 8 / weights;
  const bool tied = map.lm_head.index == map.embedding;
  w.bytes += in_16_bit + (shape.stage_before ? 0.0 : 2.0 * shape.hidden_size * shape.vocab_size) +
             (tied ? 0 : static_cast<double>(map.lm_head.bytes()));
  return w;
}

std::vector<std::string> machine_notices(const accelerator::AcceleratorConfig& config) {
  std::vector<std::string> notices;
  const double peak = accelerator::peak_bandwidth(config);
  const std::pair<const char*, const memory::BufferConfig*> buffers[] = {{"weight_buffer", &config.weight_buffer},
                                                                         {"kv_buffer", &config.kv_buffer}};
  for (const auto& [key, b] : buffers) {
    const double port = b->banks * b->bank_bytes_per_cycle / 2.0 * config.clock_mhz * 1e6;
    if (port >= peak) continue;
    notices.push_back("accelerator." + std::string(key) + " takes in at most " + si(port, "B/s") +
                      ", half of what its banks move, and the DRAM gives up to " + si(peak, "B/s") +
                      ": more banks or wider ones (banks, bank_bytes_per_cycle) would not hold it back");
  }
  const silicon::Clock fastest = silicon::fastest_clock(config);
  if (!config.kernels.on() && config.clock_mhz > fastest.mhz)
    notices.push_back(fmt::format(
        "accelerator.clock_mhz of {:g} is above {:.0f} MHz, the most that its {} reaches in {} by synthesis "
        "(docs/silicon.md)",
        config.clock_mhz, fastest.mhz, fastest.block, config::name_of(accelerator::node_names(), config.energy.node)));
  if (config.kernels.on())
    notices.push_back(
        "accelerator.kernels: the machine stands for a GPU; its area is that of the buffers and lanes that stand for "
        "the "
        "card's, not the card's, and the energy of what is on chip is this project's of such blocks");
  return notices;
}

}  // namespace harmonia::testbench
