#include "harmonia/testbench/scenario/block_check.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

using accelerator::BlockModel;
using accelerator::BlockSection;

constexpr bool kBuiltIn =
#ifdef HARMONIA_HAS_RTL
    true;
#else
    false;
#endif

std::string number(double value) {
  const auto whole = static_cast<long long>(value);
  return static_cast<double>(whole) == value ? std::to_string(whole) : std::to_string(value);
}

/// What keeps the block from being RTL; empty: nothing.
std::string obstacle(const Scenario& s, const std::string& block) {
  const accelerator::AcceleratorConfig& a = s.accelerator;
  if (!kBuiltIn)
    return "this program was built without Verilator, expected `tlm` (scripts/setup --with-rtl, then build again)";
  if (s.fidelity.data != DataMode::functional)
    return "RTL computes on real data, expected `fidelity.data: functional` beside it, or `tlm`";
  if (a.pe.kind != accelerator::PeKind::harmonia) return "the RTL is that of the machine `harmonia`, expected `tlm`";
  if (block == "pe" && a.pe.lanes != 32)
    return fmt::format("the RTL's PE has 32 lanes, accelerator.pe.lanes is {}", a.pe.lanes);
  if (block == "smoother" && (a.smoother.lanes % 32 != 0 || a.smoother.channels_per_head > 4 || s.model.head_dim > 256))
    return fmt::format(
        "the RTL's smoother has a multiple of 32 lanes, 4 channels per head and keys of 256 channels at most; "
        "accelerator.smoother.lanes is {}, channels_per_head {}, model.head_dim {}",
        a.smoother.lanes, a.smoother.channels_per_head, s.model.head_dim);
  if (block == "decoder") {
    const double rate = a.decoder.weights_per_cycle;
    if (!a.decoder.rates.empty() || rate < 64 || std::fmod(rate, 64.0) != 0 || a.decoder.reload_cycles_per_entry != 1)
      return "the RTL's decoder takes blocks of 64 weights and reloads one entry a cycle, expected "
             "accelerator.decoder.weights_per_cycle to be a multiple of 64 (it is " +
             number(rate) + "), no rates and reload_cycles_per_entry 1";
  }
  return {};
}

}  // namespace

void check_blocks(const Scenario& s, const config::Node* blocks) {
  const std::pair<const char*, const BlockSection*> all[] = {{"converter", &s.blocks.converter},
                                                             {"smoother", &s.blocks.smoother},
                                                             {"decoder", &s.blocks.decoder},
                                                             {"pe", &s.blocks.pe}};
  for (const auto& [name, section] : all) {
    const config::Node* block = blocks != nullptr && blocks->is_map() ? blocks->find(name) : nullptr;
    const config::Node* model = block != nullptr && block->is_map() ? block->find("model") : nullptr;
    const config::Node* vcd = block != nullptr && block->is_map() ? block->find("vcd") : nullptr;
    const std::string key = std::string("blocks.") + name;
    if (!section->vcd.empty() && section->model != BlockModel::rtl_pins)
      throw config::InputError(vcd != nullptr ? vcd->where : config::Location{},
                               key + ".vcd has no effect without pins, expected " + key + ".model: rtl-pins beside it");
    if (section->model == BlockModel::tlm) continue;
    const std::string why = obstacle(s, name);
    if (why.empty()) continue;
    throw config::InputError(
        model != nullptr ? model->where : config::Location{},
        key + ".model is " + config::name_of(accelerator::block_model_names(), section->model) + ", but " + why);
  }
}

}  // namespace harmonia::testbench
