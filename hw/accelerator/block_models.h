// Which blocks of the machine are models and which are RTL.
//
// Models: the choice as a scenario makes it (`blocks.<name>.model`) and the way in which another datapath than the
// model reaches a block: as its core, behind the sockets that it has anyway. Does not model: RTL itself (hw/rtl).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "harmonia/config/fields.h"
#include "harmonia/converter/bfp_converter_module.h"
#include "harmonia/decoder/lut_decoder_module.h"
#include "harmonia/pe/pe_array_module.h"
#include "harmonia/smoother/outlier_smoother_module.h"

namespace harmonia::accelerator {

enum class BlockModel : std::uint8_t {
  tlm,       // the model
  rtl,       // RTL clocked inside the block
  rtl_pins,  // RTL on pins, with transactors
  both       // RTL, every result compared with the model's
};
const config::NameTable<BlockModel>& block_model_names();

struct BlockSection {
  BlockModel model = BlockModel::tlm;
  std::string vcd;  // rtl-pins: wave file of the first instance's pins; empty: none
  void describe(config::Fields& f);
};

struct BlocksSection {
  BlockSection converter, smoother, decoder, pe;
  void describe(config::Fields& f);
  bool any() const {
    return converter.model != BlockModel::tlm || smoother.model != BlockModel::tlm ||
           decoder.model != BlockModel::tlm || pe.model != BlockModel::tlm;
  }
};

/// Makes a block's core when the machine is built; empty: the model. Your own RTL goes in here (docs/rtl.md).
struct BlockCores {
  std::function<std::unique_ptr<converter::ConverterCore>(const converter::Config&)> converter;
  std::function<std::unique_ptr<smoother::SmootherCore>(const smoother::Config&)> smoother;
  std::function<std::unique_ptr<decoder::DecoderCore>(const decoder::Config&)> decoder;
  std::function<std::unique_ptr<pe::PeCore>(const pe::Config&)> pe;
};

}  // namespace harmonia::accelerator
